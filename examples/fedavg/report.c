/* SPDX-License-Identifier: BSD-3-Clause
 *
 * report.c - output of rank 0. A person at a terminal sees one moving bar on standard error; a log gets a
 * line for each round, thinned out when there are many. The table and the CSV are the same either way.
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, MOST_LINES = 25, PERCENT = 100 };

int report_open(struct report *report, int rounds, const char *csv, char *error)
{
    report->rounds = rounds;
    report->figures = calloc((size_t)rounds, sizeof *report->figures);
    if (report->figures == NULL) {
        snprintf(error, ERROR_SIZE, "--rounds: out of memory for %d rounds", rounds);
        return -1;
    }
    if (csv == NULL)
        return 0;
    report->csv = fopen(csv, "w"); /* now, not after the training: a bad name is told at once */
    if (report->csv != NULL)
        return 0;
    snprintf(error, ERROR_SIZE, "--csv: cannot write %.200s: %s", csv, strerror(errno));
    return -1;
}

void report_close(struct report *report)
{
    free(report->figures);
    if (report->csv != NULL)
        fclose(report->csv);
    *report = (struct report){ 0 };
}

static void draw_bar(int done, int of, struct round_figures now)
{
    char bar[BAR_WIDTH + 1] = { 0 };

    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = (long long)i * of < (long long)done * BAR_WIDTH ? '#' : '.';
    fprintf(stderr, "\r[%s] round %d/%d  loss %.4f  accuracy %.4f  averaging %.3f ms \033[K%s", bar, done, of,
            now.loss, now.accuracy, now.seconds * 1e3, done == of ? "\n" : "");
    fflush(stderr);
}

void report_round(struct report *report, int round, struct round_figures now)
{
    const int step = (report->rounds + MOST_LINES - 1) / MOST_LINES;

    report->figures[round - 1] = now;
    if (isatty(STDERR_FILENO)) {
        draw_bar(round, report->rounds, now);
    } else if (round % step == 0 || round == 1 || round == report->rounds) {
        printf("round %3d  loss %.4f  accuracy %.4f  averaging %8.3f ms\n", round, now.loss, now.accuracy,
               now.seconds * 1e3);
        fflush(stdout);
    }
}

void report_busy(const char *what)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s ...\r", what);
}

static void print_row(const char *name, struct rows rows, const struct dataset *data, double accuracy)
{
    size_t mix[MAX_CLASSES];

    rows_mix(rows, data, mix);
    printf("%-14s %7zu ", name, rows.count);
    for (int c = 0; c < data->task->classes; c++)
        printf(" %3.0f", rows.count ? (double)(mix[c] * PERCENT) / (double)rows.count : 0);
    printf("   %.4f\n", accuracy);
}

void report_table(const struct report *report, const struct dataset *data, const struct split *split,
                  const double *curves)
{
    const int rounds = report->rounds;
    const double federated = report->figures[rounds - 1].accuracy, central = curves[rounds - 1];
    double seconds = 0, best_alone = 0;

    printf("\n%-14s %7s  %-*s   accuracy on %zu held-out samples\n", "model", "samples",
           4 * data->task->classes - 1, "% of class 0, 1, ..", split->held_out.count);
    print_row("federated", split->pooled, data, federated);
    print_row("centralised", split->pooled, data, central);
    for (int s = 0; s < split->nsilos; s++) {
        const double alone = curves[(s + 2) * rounds - 1];
        char name[32];

        snprintf(name, sizeof name, "silo %d alone", s);
        print_row(name, split->silo[s], data, alone);
        best_alone = alone > best_alone ? alone : best_alone;
    }
    for (int r = 0; r < rounds; r++)
        seconds += report->figures[r].seconds;
    printf("\nfederated is %+.4f from the best silo alone, %+.4f from centralised\n", federated - best_alone,
           federated - central);
    printf("averaging: %d rounds of %.1f KiB a rank in %.3f ms; every average was right\n", rounds,
           (double)report->update_bytes / 1024, seconds * 1e3);
}

int report_write_csv(struct report *report, int nsilos, const double *curves, char *error)
{
    FILE *csv = report->csv;
    int failed;

    if (csv == NULL)
        return 0;
    fprintf(csv, "round,loss,averaging_ms,federated,centralised");
    for (int s = 0; s < nsilos; s++)
        fprintf(csv, ",silo_%d_alone", s);
    for (int r = 0; r < report->rounds; r++) {
        const struct round_figures *f = &report->figures[r];

        fprintf(csv, "\n%d,%.6f,%.4f,%.6f", r + 1, f->loss, f->seconds * 1e3, f->accuracy);
        for (int model = 0; model <= nsilos; model++)
            fprintf(csv, ",%.6f", curves[model * report->rounds + r]);
    }
    fprintf(csv, "\n");
    report->csv = NULL;
    failed = ferror(csv);
    if ((fclose(csv) != 0) | failed) {
        snprintf(error, ERROR_SIZE, "--csv: writing failed: %s", strerror(errno));
        return -1;
    }
    return 0;
}
