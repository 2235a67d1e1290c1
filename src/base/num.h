/* SPDX-License-Identifier: BSD-3-Clause
 * num.h - arithmetic that says when it would overflow, for sizes that come from a user or the wire. */
#ifndef FRD_BASE_NUM_H
#define FRD_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* true when the exact result does not fit; *out is written only when it fits. */
static inline bool frd_mul_overflows(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return true;
    *out = r;
    return false;
}

static inline bool frd_add_overflows(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return true;
    *out = r;
    return false;
}

static inline size_t frd_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t frd_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* `align` is a power of two; n + align must not overflow (callers bound n first). */
static inline size_t frd_round_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

#endif
