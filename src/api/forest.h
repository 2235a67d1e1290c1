/* SPDX-License-Identifier: BSD-3-Clause
 * forest.h - a communicator's plans of the ways between its silos (collectives/plan.h), by what the topology file
 * declares of their links: the same file, so the same plans on all ranks. */
#ifndef FRD_API_FOREST_H
#define FRD_API_FOREST_H

#include "collectives/plan.h"

struct frd_comm;
typedef struct frd_forests frd_forests;

/* *forests NULL: nothing to plan by (no topology file, silos that are not in it, or one silo). FEDRDMA_ERR_NOMEM. */
int frd_forests_create(const struct frd_comm *comm, frd_forests **forests);
void frd_forests_free(frd_forests *forests); /* NULL is fine */

/* For an allreduce of about so many bytes. NULL: parts straight between all are best, as without a plan; or the file
 * lets nobody add up others' data, and relays must do. Planned once for each power of two. */
const frd_forest *frd_forests_get(frd_forests *forests, size_t bytes);

#endif
