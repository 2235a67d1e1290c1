/* SPDX-License-Identifier: BSD-3-Clause
 * options.h - the command line. */
#ifndef FEDAVG_OPTIONS_H
#define FEDAVG_OPTIONS_H

#include <stddef.h>

#include "data.h"

enum { BY_DATA = -1 }; /* the value that suits the data */

struct options {
    const struct task *task;
    const char *data_dir, *csv; /* csv NULL: none */
    int silos;                  /* 0: as many as ranks, at most 3 */
    int rounds, epochs, batch, hidden, model_mib, seed;
    double rate, alpha;
    int help;
};

/* Fills `options`. Returns 0, or -1 with the option, the reason and the mend in error[ERROR_SIZE]. */
int options_parse(struct options *options, int argc, char **argv, char *error);

/* The text of --help, on standard output. */
void options_help(void);

#endif
