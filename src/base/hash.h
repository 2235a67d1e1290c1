/* SPDX-License-Identifier: BSD-3-Clause
 * hash.h - FNV-1a (Fowler, Noll, Vo), 64 bits: tells texts apart that differ by accident, not by malice. */
#ifndef FRD_BASE_HASH_H
#define FRD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRD_HASH_START UINT64_C(0xcbf29ce484222325)

/* `h` goes on from an earlier call's result, or FRD_HASH_START. */
static inline uint64_t frd_hash(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++)
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

static inline uint64_t frd_hash_text(uint64_t h, const char *text)
{
    return frd_hash(h, text, strlen(text));
}

#endif
