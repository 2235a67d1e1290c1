/* SPDX-License-Identifier: BSD-3-Clause
 * report.h - what people see: progress, rounds, the table, the CSV. */
#ifndef FEDAVG_REPORT_H
#define FEDAVG_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "split.h"

struct round_figures {
    double loss, accuracy, seconds;
};

struct report {
    int rounds;
    size_t update_bytes; /* averaged in each round */
    struct round_figures *figures;
    FILE *csv;
};

/* `csv` may be NULL. Returns 0, or -1 with the reason in error[ERROR_SIZE]. */
int report_open(struct report *report, int rounds, const char *csv, char *error);
void report_close(struct report *report);

/* Keeps the figures of round 1, 2, ...; on a terminal moves the bar, else prints some of the rounds. */
void report_round(struct report *report, int round, struct round_figures figures);

/* Says what takes the time after the rounds, on a terminal only. */
void report_busy(const char *what);

/* The final table. `curves` as in struct job. */
void report_table(const struct report *report, const struct dataset *data, const struct split *split,
                  const double *curves);

/* Writes the CSV if one was asked for. Returns 0, or -1 with the reason in error[ERROR_SIZE]. */
int report_write_csv(struct report *report, int nsilos, const double *curves, char *error);

#endif
