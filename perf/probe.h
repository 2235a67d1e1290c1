/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe.h - how far apart two CPUs are right now. Virtual machines move between a near mode (about 55 ns for
 * an exchange of cache lines) and a far one (about 260 ns), in which every library is 2.5 to 4.6 times slower
 * at and below 1 MiB: tables made in different modes can't be compared. */
#ifndef PERF_PROBE_H
#define PERF_PROBE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct probe_result {
    double exchange_ns; /* both CPUs write their line and wait for the other's; 0: could not be measured */
    bool far;
    int cpu[2];
} probe_result;

/* Takes a few ms, best of several batches. The other ranks must sleep meanwhile: call it before the
 * library is opened or after it is closed. The first is between CPU 0 and 1. */
void probe_exchange(probe_result *result);
void probe_exchange_on(const int cpu[2], probe_result *result);

/* One line for the table's header, without the "# ". */
void probe_describe(const probe_result *result, char *text, size_t text_bytes);

/* Ties the calling process to the CPU number `rank` modulo the online ones; false when refused. */
bool probe_pin(int rank);
bool probe_pin_to(int cpu); /* the calling thread */

#endif
