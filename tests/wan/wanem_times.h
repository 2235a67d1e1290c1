/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_times.h - a histogram of times: eight buckets an octave from 1 us to over an hour, so a percentile
 * read from it is at most 1/8 too high. */
#ifndef WANEM_TIMES_H
#define WANEM_TIMES_H

#include <stdint.h>

enum { WANEM_TIMES_OCTAVE = 32, WANEM_TIMES_BUCKETS = 33 * WANEM_TIMES_OCTAVE };

typedef struct wanem_times {
    uint64_t count[WANEM_TIMES_BUCKETS];
    uint64_t total;
    int64_t max_ns;
} wanem_times;

/* Negative times count as 0. */
void wanem_times_add(wanem_times *times, int64_t time_ns, uint64_t weight);

/* In microseconds, for share 0.5, 0.99, ...; 0 without any. */
double wanem_times_percentile_us(const wanem_times *times, double share);

/* How many were at or above this time, with those of its bucket that were a little below it. */
uint64_t wanem_times_over(const wanem_times *times, int64_t bound_ns);

#endif
