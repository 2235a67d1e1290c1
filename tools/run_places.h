/* SPDX-License-Identifier: BSD-3-Clause
 * run_places.h - the layout of ranks over silos and nodes that --silos asks for, and their names: silo0,
 * silo0-node0; or those of the topology file (option topology), so that a file can be tried out on one host.
 */
#ifndef RUN_PLACES_H
#define RUN_PLACES_H

#include <stdbool.h>

#include "run_options.h"
#include "topo/silos.h"

typedef struct run_places {
    const run_options *options; /* silos is above 0 */
    frd_silos *file;            /* NULL: none */
    bool by_rank;               /* the file says which rank is where */
} run_places;

enum { RUN_NAME_MAX = FRD_SILO_HOST_NAME_MAX + 16 };

/* Reads the file, unless `topology` is "". False: a message was printed. */
bool run_places_open(run_places *places, const run_options *options, const char *topology);
void run_places_close(run_places *places);

void run_silo_name(const run_places *places, int rank, char name[RUN_NAME_MAX]);
void run_node_name(const run_places *places, int rank, char name[RUN_NAME_MAX]);

#endif
