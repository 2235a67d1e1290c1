/* SPDX-License-Identifier: BSD-3-Clause
 *
 * side.c - whether blocks of memory overlap.
 *
 * The usual answers cost one pass or less: blocks in ascending order, sides in ranges of their own. Otherwise blocks
 * are sorted, n log n, in the caller's room, since a repeated call must not allocate (qsort may). */
#include "api/side.h"

#include <stdint.h>

/* Blocks as (offset, length) in `sorted`, without empty ones, by ascending offset; their number. Shell's sort with
 * gaps that shrink by 5/11 (Gonnet 1991). */
static size_t sort_blocks(const size_t *offs, const size_t *lens, int n, size_t *sorted)
{
    size_t count = 0;

    for (int i = 0; i < n; i++) {
        if (lens[i] == 0)
            continue;
        sorted[2 * count] = offs[i];
        sorted[2 * count++ + 1] = lens[i];
    }
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (size_t i = gap; i < count; i++) {
            const size_t off = sorted[2 * i], len = sorted[2 * i + 1];
            size_t at = i;
            for (; at >= gap && sorted[2 * (at - gap)] > off; at -= gap) {
                sorted[2 * at] = sorted[2 * (at - gap)];
                sorted[2 * at + 1] = sorted[2 * (at - gap) + 1];
            }
            sorted[2 * at] = off;
            sorted[2 * at + 1] = len;
        }
    }
    return count;
}

bool frd_blocks_apart(const size_t *offs, const size_t *lens, int n, size_t *room)
{
    size_t end = 0;
    int i = 0;

    for (; i < n && (lens[i] == 0 || offs[i] >= end); i++)
        end = lens[i] > 0 ? offs[i] + lens[i] : end;
    if (i == n)
        return true;
    const size_t count = sort_blocks(offs, lens, n, room);
    for (size_t k = 1; k < count; k++)
        if (room[2 * k - 2] + room[2 * k - 1] > room[2 * k])
            return false;
    return true;
}

/* Does [start, end) meet one of the sorted blocks, which start at `base`? They lie apart, so their ends ascend too:
 * the first that ends behind `start` decides. */
static bool meets(uintptr_t start, uintptr_t end, uintptr_t base, const size_t *sorted, size_t count)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (base + sorted[2 * mid] + sorted[2 * mid + 1] > start)
            high = mid;
        else
            low = mid + 1;
    }
    return low < count && base + sorted[2 * low] < end;
}

bool frd_sides_overlap(const frd_side *send, const frd_side *recv, int n, size_t *room)
{
    const uintptr_t s = (uintptr_t)send->buffer, r = (uintptr_t)recv->buffer;
    size_t count = 1;

    if (send->end == 0 || recv->end == 0 || s + send->first >= r + recv->end ||
        r + recv->first >= s + send->end)
        return false;
    if (recv->lens != NULL) {
        count = sort_blocks(recv->offs, recv->lens, n, room);
    } else {
        room[0] = recv->first;
        room[1] = recv->end - recv->first;
    }
    if (send->lens == NULL)
        return meets(s + send->first, s + send->end, r, room, count);
    for (int i = 0; i < n; i++) {
        const uintptr_t start = s + send->offs[i];
        if (send->lens[i] > 0 && meets(start, start + send->lens[i], r, room, count))
            return true;
    }
    return false;
}
