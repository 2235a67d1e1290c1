/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rng.h - random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014). A generator is made from a seed and up to two numbers that say
 * what it is for, so that every rank can redraw what any other rank drew.
 */
#ifndef FEDAVG_RNG_H
#define FEDAVG_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline struct rng rng_make(uint64_t seed, uint64_t purpose, uint64_t number)
{
    struct rng rng = { seed };

    rng.state = rng_next(&rng) ^ purpose;
    rng.state = rng_next(&rng) ^ number;
    rng_next(&rng);
    return rng;
}

/* In [0, 1). */
static inline double rng_uniform(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

static inline void rng_shuffle(struct rng *rng, size_t *items, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        const size_t other = (size_t)(rng_next(rng) % left), last = items[left - 1];

        items[left - 1] = items[other];
        items[other] = last;
    }
}

#endif
