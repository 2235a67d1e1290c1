/* SPDX-License-Identifier: BSD-3-Clause
 * span.h - a set of integers as intervals: which bytes of a message have come, which datagrams of a route.
 * Adding at the end is O(1); elsewhere O(log n) and a move of what lies behind. It allocates nothing: the
 * owner gives it room, and more when it asks. */
#ifndef FRD_WAN_SPAN_H
#define FRD_WAN_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct frd_wan_span {
    uint64_t lo, hi; /* lo included, hi not */
} frd_wan_span;

/* All zero is valid, empty, and has no room. */
typedef struct frd_wan_spans {
    frd_wan_span *at; /* ascending, apart from each other; the owner's */
    uint32_t count, room;
} frd_wan_spans;

/* Adds [lo, hi), lo < hi. Returns how many of it are new, or FEDRDMA_ERR_NOMEM: it is unchanged, there is
 * no room for an interval more. */
int64_t frd_wan_spans_add(frd_wan_spans *spans, uint64_t lo, uint64_t hi);
bool frd_wan_spans_has(const frd_wan_spans *spans, uint64_t x);
/* The interval that x is in; spans->count: none. */
uint32_t frd_wan_spans_find(const frd_wan_spans *spans, uint64_t x);
/* Forgets the lowest intervals until `count` are left. */
void frd_wan_spans_keep(frd_wan_spans *spans, uint32_t count);

#endif
