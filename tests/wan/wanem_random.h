/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_random.h - seeded random numbers (xorshift64*), and chances drawn as the distance to the next hit,
 * which costs nothing for the many segments between two hits. */
#ifndef WANEM_RANDOM_H
#define WANEM_RANDOM_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct wanem_random {
    uint64_t state; /* never 0 */
} wanem_random;

static inline void wanem_random_seed(wanem_random *r, uint64_t seed)
{
    r->state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (r->state == 0)
        r->state = 1;
}

static inline uint64_t wanem_random_next(wanem_random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(0x2545F4914F6CDD1D);
}

/* In (0, 1]. */
static inline double wanem_random_unit(wanem_random *r)
{
    return (double)((wanem_random_next(r) >> 11) + 1) * 0x1p-53;
}

/* Independent for each segment, with this probability. */
typedef struct wanem_chance {
    double probability;
    uint64_t gap; /* segments before the next hit; meaningless at probability 0 */
} wanem_chance;

static inline void wanem_chance_draw(wanem_chance *c, wanem_random *r)
{
    double gap;

    if (c->probability >= 1 || c->probability <= 0) {
        c->gap = 0;
        return;
    }
    gap = floor(log(wanem_random_unit(r)) / log1p(-c->probability));
    c->gap = gap < 1e15 ? (uint64_t)gap : (uint64_t)1e15;
}

static inline void wanem_chance_set(wanem_chance *c, double probability, wanem_random *r)
{
    c->probability = probability;
    wanem_chance_draw(c, r);
}

/* Does none of the next `count` segments get hit? Then they are counted as passed. */
static inline bool wanem_chance_spares(const wanem_chance *c, uint32_t count)
{
    return c->probability <= 0 || c->gap >= count;
}

static inline void wanem_chance_pass(wanem_chance *c, uint32_t count)
{
    if (c->probability > 0)
        c->gap -= count;
}

/* Is the next segment hit? */
static inline bool wanem_chance_hits(wanem_chance *c, wanem_random *r)
{
    if (c->probability <= 0)
        return false;
    if (c->gap > 0) {
        c->gap--;
        return false;
    }
    wanem_chance_draw(c, r);
    return true;
}

#endif
