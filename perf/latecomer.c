/* SPDX-License-Identifier: BSD-3-Clause
 *
 * latecomer.c - perf/latecomer: what it costs the ranks of a node to wait for one that is late, and how soon they
 * notice it. The last rank comes to a barrier some time after the others; they say how much processor time they
 * took until then, and how long after its call they were through. Run it with fedrdma-run; all ranks on one host,
 * whose clock they share. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fedrdma.h"

enum { ROUNDS_MAX = 1000 };

typedef struct sample {
    double cpu_s, noticed_us;
} sample;

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *what, const char *unit, double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    printf("%-44s median %8.2f %s, least %8.2f, greatest %8.2f\n", what, values[n / 2], unit, values[0], values[n - 1]);
}

/* One round: how long after the late rank's call we were through, and our processor time until then. */
static int wait_once(fedrdma_comm *world, double late_s, bool late, sample *mine)
{
    double called = 0;
    int rc = fedrdma_barrier(world);
    const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

    if (rc != FEDRDMA_OK)
        return rc;
    if (late) {
        const struct timespec pause = { (time_t)late_s, (long)((late_s - (double)(time_t)late_s) * 1e9) };
        nanosleep(&pause, NULL);
        called = seconds(CLOCK_MONOTONIC);
    }
    rc = fedrdma_barrier(world);
    const double through = seconds(CLOCK_MONOTONIC);
    mine->cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (rc == FEDRDMA_OK)
        rc = fedrdma_broadcast(&called, 1, FEDRDMA_F64, fedrdma_comm_size(world) - 1, world);
    mine->noticed_us = (through - called) * 1e6;
    return rc;
}

static int measure(fedrdma_comm *world, double late_s, int rounds)
{
    const int rank = fedrdma_comm_rank(world), size = fedrdma_comm_size(world);
    sample *all = calloc((size_t)size, sizeof *all);
    double *cpu = calloc((size_t)(size * rounds), sizeof *cpu);
    double *noticed = calloc((size_t)(size * rounds), sizeof *noticed);
    size_t n = 0;
    int rc = all == NULL || cpu == NULL || noticed == NULL ? FEDRDMA_ERR_NOMEM : FEDRDMA_OK;

    for (int i = 0; i < rounds && rc == FEDRDMA_OK; i++) {
        sample mine;

        rc = wait_once(world, late_s, rank == size - 1, &mine);
        if (rc == FEDRDMA_OK)
            rc = fedrdma_gather(&mine, sizeof mine, FEDRDMA_U8, all, sizeof mine, FEDRDMA_U8, 0, world);
        for (int r = 0; r < size - 1; r++) {
            cpu[n] = 100 * all[r].cpu_s / late_s;
            noticed[n++] = all[r].noticed_us;
        }
    }
    if (rank == 0 && rc == FEDRDMA_OK) {
        printf("# %d ranks wait %g s for the last one, %d times\n", size - 1, late_s, rounds);
        print("core that a waiting rank used", "%", cpu, n);
        print("noticed the late rank's call after", "us", noticed, n);
    }
    free(all);
    free(cpu);
    free(noticed);
    return rc;
}

static int usage(FILE *out)
{
    fputs("Usage: fedrdma-run -n N perf/latecomer [SECONDS [ROUNDS]]\n\n"
          "The last of N ranks of this host comes to a barrier SECONDS (default 1) after the others, ROUNDS\n"
          "(default 5) times. Prints how much of a core the others used while they waited, and how long after the\n"
          "call of the late rank they were through.\n"
          "Exit status: 0; 1 when fedrdma fails; 2 for a bad command line.\n",
          out);
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    const double late_s = argc > 1 ? atof(argv[1]) : 1;
    const int rounds = argc > 2 ? atoi(argv[2]) : 5;
    fedrdma_context *context = NULL;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return usage(stdout);
    if (argc > 3 || late_s < 0.001 || late_s > 3600 || rounds < 1 || rounds > ROUNDS_MAX)
        return usage(stderr);
    int rc = fedrdma_init(NULL, &context);
    if (rc == FEDRDMA_OK && fedrdma_comm_size(fedrdma_world(context)) < 2) {
        fputs("latecomer: one rank waits for nobody; start it with fedrdma-run -n 2 or more\n", stderr);
        rc = FEDRDMA_ERR_INVALID;
    } else if (rc == FEDRDMA_OK) {
        rc = measure(fedrdma_world(context), late_s, rounds);
    }
    if (rc != FEDRDMA_OK)
        fprintf(stderr, "latecomer: %s: %s\n", fedrdma_strerror(rc), fedrdma_last_error(NULL));
    fedrdma_finalize(&context);
    return rc == FEDRDMA_OK ? 0 : 1;
}
