/* SPDX-License-Identifier: BSD-3-Clause
 * span.c - a sorted array of intervals. What comes in order extends the last one; a hole that is filled joins
 * two. */
#include "wan/span.h"

#include <string.h>

#include "fedrdma.h"

/* The first interval that ends at or behind x: the first one that [x, ...) touches or precedes. */
static uint32_t find(const frd_wan_spans *s, uint64_t x)
{
    uint32_t low = 0, high = s->count;

    if (high > 0 && s->at[high - 1].lo <= x)
        return s->at[high - 1].hi >= x ? high - 1 : high;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (s->at[middle].hi < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t frd_wan_spans_add(frd_wan_spans *s, uint64_t lo, uint64_t hi)
{
    const uint32_t first = find(s, lo);
    uint32_t last = first; /* behind the last one that [lo, hi) touches */
    uint64_t old = 0;

    if (first == s->count || s->at[first].lo > hi) {
        if (s->count == s->room)
            return FEDRDMA_ERR_NOMEM;
        memmove(s->at + first + 1, s->at + first, (s->count - first) * sizeof(*s->at));
        s->at[first] = (frd_wan_span){ lo, hi };
        s->count++;
        return (int64_t)(hi - lo);
    }
    while (last < s->count && s->at[last].lo <= hi) {
        const uint64_t from = s->at[last].lo > lo ? s->at[last].lo : lo;
        const uint64_t to = s->at[last].hi < hi ? s->at[last].hi : hi;

        old += to > from ? to - from : 0;
        last++;
    }
    if (s->at[first].lo > lo)
        s->at[first].lo = lo;
    s->at[first].hi = s->at[last - 1].hi > hi ? s->at[last - 1].hi : hi;
    memmove(s->at + first + 1, s->at + last, (s->count - last) * sizeof(*s->at));
    s->count -= last - first - 1;
    return (int64_t)(hi - lo - old);
}

uint32_t frd_wan_spans_find(const frd_wan_spans *s, uint64_t x)
{
    const uint32_t i = find(s, x + 1);

    return i < s->count && s->at[i].lo <= x && x < s->at[i].hi ? i : s->count;
}

bool frd_wan_spans_has(const frd_wan_spans *s, uint64_t x)
{
    return frd_wan_spans_find(s, x) < s->count;
}

void frd_wan_spans_keep(frd_wan_spans *s, uint32_t count)
{
    if (s->count <= count)
        return;
    memmove(s->at, s->at + (s->count - count), count * sizeof(*s->at));
    s->count = count;
}
