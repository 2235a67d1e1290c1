/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_times.c - the histogram: bucket 8 e + m holds times of (8 + m) 2^(e-3) us and more, e >= 1; below 1
 * us all is in bucket 0. */
#include "tests/wan/wanem_times.h"

#include <stddef.h>

enum { OCTAVE = WANEM_TIMES_OCTAVE };

static size_t bucket_of(int64_t time_ns)
{
    const uint64_t parts = time_ns > 0 ? (uint64_t)time_ns * OCTAVE / 1000 : 0; /* of a microsecond */
    size_t doubled, bucket;

    if (parts < OCTAVE)
        return 0;
    doubled = (size_t)(__builtin_clzll(OCTAVE) - __builtin_clzll(parts)); /* parts >> doubled is 32..63 */
    bucket = doubled * OCTAVE + (size_t)(parts >> doubled);
    return bucket < WANEM_TIMES_BUCKETS ? bucket : WANEM_TIMES_BUCKETS - 1;
}

static double upper_us(size_t bucket)
{
    const size_t octave = bucket / OCTAVE;

    if (octave == 0)
        return 1;
    return (double)(bucket % OCTAVE + OCTAVE + 1) * (double)(UINT64_C(1) << (octave - 1)) / OCTAVE;
}

void wanem_times_add(wanem_times *t, int64_t time_ns, uint64_t weight)
{
    t->count[bucket_of(time_ns)] += weight;
    t->total += weight;
    if (time_ns > t->max_ns)
        t->max_ns = time_ns;
}

double wanem_times_percentile_us(const wanem_times *t, double share)
{
    const double wanted = share * (double)t->total, max_us = (double)t->max_ns / 1e3;
    uint64_t seen = 0;

    for (size_t i = 0; i < WANEM_TIMES_BUCKETS; i++) {
        seen += t->count[i];
        if (seen > 0 && (double)seen >= wanted)
            return upper_us(i) < max_us ? upper_us(i) : max_us;
    }
    return 0;
}

uint64_t wanem_times_over(const wanem_times *t, int64_t bound_ns)
{
    uint64_t over = 0;

    for (size_t i = bucket_of(bound_ns); i < WANEM_TIMES_BUCKETS; i++)
        over += t->count[i];
    return over;
}
