/* SPDX-License-Identifier: BSD-3-Clause
 * wan_pattern.h - what modelled messages are made of: pieces of a random table, each message's and each
 * piece's from another place in it, so that no byte is right where it does not belong. Copied and compared
 * piece by piece, since the tests move gigabytes. */
#ifndef FRD_TESTS_WAN_PATTERN_H
#define FRD_TESTS_WAN_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WAN_PATTERN_PIECE = 1021, WAN_PATTERN_PLACES = 1 << 16 };

/* Piece k of message `seed`. */
static inline const unsigned char *wan_pattern(unsigned seed, size_t k)
{
    static unsigned char table[WAN_PATTERN_PLACES + WAN_PATTERN_PIECE];

    if (table[0] == 0) {
        uint64_t x = 88172645463325252;

        for (size_t i = 0; i < sizeof(table); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            table[i] = (unsigned char)(i == 0 ? 1 : x);
        }
    }
    return table + (seed * 40503u + k * 7919) % WAN_PATTERN_PLACES;
}

static inline void wan_pattern_fill(unsigned seed, unsigned char *data, size_t len)
{
    for (size_t k = 0; k * WAN_PATTERN_PIECE < len; k++) {
        const size_t at = k * WAN_PATTERN_PIECE, left = len - at;

        memcpy(data + at, wan_pattern(seed, k), left < WAN_PATTERN_PIECE ? left : WAN_PATTERN_PIECE);
    }
}

/* Where the first piece begins that is wrong; `len`: none is. */
static inline size_t wan_pattern_check(unsigned seed, const unsigned char *data, size_t len)
{
    for (size_t k = 0; k * WAN_PATTERN_PIECE < len; k++) {
        const size_t at = k * WAN_PATTERN_PIECE, left = len - at;

        if (memcmp(data + at, wan_pattern(seed, k), left < WAN_PATTERN_PIECE ? left : WAN_PATTERN_PIECE) != 0)
            return at;
    }
    return len;
}

#endif
