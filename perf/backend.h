/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backend.h - the few calls that the benchmarks need from a communication library. backend_fedrdma.c and
 * backend_mpi.c implement it, so that both sides of a comparison run the same program around the same loop.
 * All functions return 0 or an error code of the library, told by bench_error(). */
#ifndef PERF_BACKEND_H
#define PERF_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum bench_collective {
    BENCH_ALLREDUCE,
    BENCH_REDUCE,
    BENCH_BROADCAST,
    BENCH_GATHER,
    BENCH_ALLGATHER,
    BENCH_SCATTER,
    BENCH_REDUCE_SCATTER,
    BENCH_ALLTOALL,
    BENCH_BARRIER,
    BENCH_NCOLLECTIVES
} bench_collective;

/* One collective call, the same on every rank but for the buffers; the root is rank 0. */
typedef struct bench_call {
    bench_collective collective;
    const void *send;
    void *recv;           /* broadcast: the buffer */
    size_t count;         /* elements: of the whole vector for reductions, else of one rank's part */
    const size_t *counts; /* reduce_scatter: elements of each rank */
    int type, op;         /* as in fedrdma.h */
    bool persistent;
} bench_call;

typedef struct bench bench;

enum { BENCH_UNSUPPORTED = -1000 }; /* the library has no such type, operator or kind of call */

int bench_open(int *argc, char ***argv, bench **b);
void bench_close(bench *b);
int bench_rank(const bench *b);
int bench_size(const bench *b);
const char *bench_name(void);                                       /* "fedrdma" or "MPI" */
void bench_describe(const bench *b, char *text, size_t text_bytes); /* version and layout */
const char *bench_error(const bench *b, int rc);

/* Page-aligned memory; `shared` asks for the library's own kind (fedrdma_alloc, MPI_Alloc_mem). */
int bench_alloc(bench *b, bool shared, size_t bytes, void **memory);
void bench_free(bench *b, bool shared, void *memory);

/* Makes `call` ready to be run any number of times; one at a time. */
int bench_prepare(bench *b, const bench_call *call);
int bench_run(bench *b);
void bench_release(bench *b);

int bench_barrier(bench *b);
/* The greatest of all ranks' values, on every rank. */
int bench_greatest(bench *b, double *value);
/* `bytes` from every rank to rank 0, in rank order. */
int bench_collect(bench *b, const void *mine, void *all, size_t bytes);

/* What the library's counter `name` stands at; UINT64_MAX when it has none of this name. */
uint64_t bench_counter(const bench *b, const char *name);

/* From now on calls tell how far they are: `report` with bytes done and to do on this rank, at most every 50
 * ms and at the end. BENCH_UNSUPPORTED: the library can't. */
int bench_progress(bench *b, void (*report)(uint64_t done_bytes, uint64_t total_bytes, void *arg), void *arg);

#endif
