/* SPDX-License-Identifier: BSD-3-Clause
 * rng.h - random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood, 2014). */
#ifndef ADV_RNG_H
#define ADV_RNG_H

#include <stdint.h>

typedef struct adv_rng {
    uint64_t state;
} adv_rng;

static inline uint64_t adv_random(adv_rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. n-1; the tiny bias of the remainder doesn't matter here. */
static inline int adv_below(adv_rng *rng, int n)
{
    return (int)(adv_random(rng) % (uint64_t)n);
}

#endif
