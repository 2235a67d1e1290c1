/* SPDX-License-Identifier: BSD-3-Clause
 *
 * limits.h - what this machine can do at best between two CPUs: the rates from which perf/floor derives how
 * fast a collective could be. Every figure is the best of several rounds, since a limit is what nothing
 * disturbed; all are 0 when they could not be measured. */
#ifndef PERF_LIMITS_H
#define PERF_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct limits limits;

/* Memory for vectors of up to `max_bytes`. NULL: out of memory. */
limits *limits_open(const int cpu[2], size_t max_bytes, int rounds);
void limits_close(limits *l);

/* GB of the vector per second, all threads together; each thread, on a CPU of its own, has its own vectors of
 * `bytes`, in huge pages where the kernel grants them. `kernel` as in stream.h. */
double limits_stream_gbps(limits *l, int kernel, size_t bytes, int threads);

/* Both CPUs at once write a block of so many bytes that the other one then reads: GB per second that each of
 * them both hands over and takes. Much less than a copy's, since the lines move between the caches. */
double limits_handover_gbps(limits *l, size_t block_bytes);

/* From one thread to another on the same CPU and back, by half: one sched_yield and what it leads to. */
double limits_yield_ns(limits *l);

/* process_vm_readv by two processes of each other's memory at once. GB/s of each, half into a block that
 * stays in the cache (to be added) and half to its place (a result). */
typedef struct limits_readv {
    double fixed_ns; /* one call of 8 bytes */
    double gbps;     /* of larger ones, without that */
} limits_readv;
bool limits_readv_between(limits *l, size_t bytes, bool huge, limits_readv *result);

#endif
