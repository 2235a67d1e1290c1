/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_due.c - a binary heap of flights. */
#include "tests/wan/wanem_due.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool before(const wanem_flight *a, const wanem_flight *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

void wanem_due_add(wanem_due *d, const wanem_flight *flight)
{
    wanem_flight f = *flight;
    size_t at = d->count;

    if (d->count == d->room) {
        d->room = d->room == 0 ? 4096 : 2 * d->room;
        d->heap = realloc(d->heap, d->room * sizeof *d->heap);
        if (d->heap == NULL) {
            fputs("wanem: out of memory\n", stderr);
            exit(1);
        }
    }
    f.order = d->order++;
    for (; at > 0 && before(&f, &d->heap[(at - 1) / 2]); at = (at - 1) / 2)
        d->heap[at] = d->heap[(at - 1) / 2];
    d->heap[at] = f;
    d->count++;
}

int64_t wanem_due_next_ns(const wanem_due *d)
{
    return d->count > 0 ? d->heap[0].due_ns : INT64_MAX;
}

wanem_flight wanem_due_take(wanem_due *d)
{
    const wanem_flight first = d->heap[0], last = d->heap[--d->count];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < d->count) {
        if (child + 1 < d->count && before(&d->heap[child + 1], &d->heap[child]))
            child++;
        if (!before(&d->heap[child], &last))
            break;
        d->heap[at] = d->heap[child];
        at = child;
    }
    d->heap[at] = last;
    return first;
}

void wanem_due_free(wanem_due *d)
{
    while (d->count > 0)
        free(d->heap[--d->count].packet.data);
    free(d->heap);
    *d = (wanem_due){ 0 };
}
