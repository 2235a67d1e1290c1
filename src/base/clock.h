/* SPDX-License-Identifier: BSD-3-Clause
 * clock.h - monotonic time in nanoseconds (about 20 ns a call through the vDSO). */
#ifndef FRD_BASE_CLOCK_H
#define FRD_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define FRD_NS_PER_MS UINT64_C(1000000)
#define FRD_NS_PER_S UINT64_C(1000000000)

static inline uint64_t frd_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * FRD_NS_PER_S + (uint64_t)t.tv_nsec;
}

#endif
