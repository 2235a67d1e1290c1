/* SPDX-License-Identifier: BSD-3-Clause
 *
 * harness.h - the one timing loop of the benchmarks, in the manner of the OSU microbenchmarks.
 *
 * What exactly is timed: for every iteration each rank passes a barrier, reads the clock, makes the call and
 * reads the clock again. So a sample holds one clock reading (about 20 ns), the skew with which ranks leave
 * the barrier, and the call; filling, poisoning and checking buffers, and collecting samples, stay outside.
 * With n ranks and k iterations there are n x k samples; the columns are, in microseconds:
 *
 * - Avg: the mean of all samples (OSU's "Avg Latency");
 * - Min, Max: the smallest and the largest mean that a rank saw (OSU's "Min" and "Max Latency");
 * - Median: over the iterations, of the mean over ranks; as Avg, but a descheduled rank doesn't move it.
 *
 * With a limit of time, a size whose calls are slow gets fewer of them; all ranks agree on the number.
 *
 * Size is in bytes: the whole vector for allreduce, reduce, broadcast and reduce_scatter, one rank's part for
 * gather, scatter, allgather and alltoall. */
#ifndef PERF_HARNESS_H
#define PERF_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#include "perf/backend.h"

enum { BENCH_MAX_SIZES = 64, BENCH_MAX_COUNTERS = 8 };

typedef struct bench_options {
    size_t sizes[BENCH_MAX_SIZES], memory_bytes;
    int nsizes;
    long iterations, warmup; /* -1: by size */
    double limit_s;          /* of one size, about; 0: none */
    int type, op;
    bool check, shared, csv, persistent, pin;
    char counters[BENCH_MAX_COUNTERS][64];
    int ncounters;
    const char *series; /* NULL: none */
} bench_options;

/* Reads the command line. 0: go on; 1: help was printed, end well; 2: a message was printed, end badly. */
int bench_options_parse(int argc, char **argv, const char *collective, bench_options *options);

/* One size of one collective: made by coll.c, run by harness.c. */
typedef struct bench_case bench_case;

const char *bench_collective_name(bench_collective collective);
bench_collective bench_collective_parse(const char *name); /* BENCH_NCOLLECTIVES: unknown */
bool bench_collective_reduces(bench_collective collective);

/* Bytes of memory that one rank needs for a call of `bytes`. */
size_t bench_case_memory(bench *b, bench_collective collective, const bench_options *options, size_t bytes);

/* Allocates, fills and prepares. Destroy with bench_case_destroy, also after an error. */
int bench_case_create(bench *b, bench_collective collective, const bench_options *options, size_t bytes,
                      bench_case **made);
void bench_case_destroy(bench *b, bench_case *c);

/* Before and after each checked call: overwrites the result; compares it, and if wrong prints where. */
void bench_case_poison(bench_case *c);
bool bench_case_right(bench_case *c);

/* The whole program: opens the library, runs all sizes, prints the table on rank 0. Exit status. */
int bench_main(int argc, char **argv, const char *collective);

#endif
