/* SPDX-License-Identifier: BSD-3-Clause
 *
 * track.c - last writer and readers since, by byte range.
 *
 * A sorted array of disjoint segments; bytes between them were never touched. Reading splits segments at the
 * range's ends, fills gaps with segments that have no writer, and adds the reader to each; writing replaces
 * whatever it covers by one segment. Finding a segment is O(log n), changing the array O(n) with a tiny
 * constant (memmove); a schedule's programs touch few distinct ranges at a time. */
#include "sched/track.h"

#include <string.h>

#include "base/mem.h"
#include "fedrdma.h"

#define NO_READER UINT32_MAX

struct frd_track_seg {
    size_t lo, hi;
    uint32_t writer;  /* FRD_TRACK_NOBODY: never written */
    uint32_t readers; /* head of the list, NO_READER: none since the last write */
};

struct frd_track_reader {
    uint32_t step;
    uint32_t next;
};

/* Index of the first segment that ends after `lo`. */
static size_t find(const frd_track *t, size_t lo)
{
    size_t a = 0, b = t->nsegs;

    while (a < b) {
        size_t mid = a + (b - a) / 2;
        if (t->segs[mid].hi > lo)
            b = mid;
        else
            a = mid + 1;
    }
    return a;
}

static int grow(frd_track *t)
{
    if (t->nsegs < t->cap)
        return FEDRDMA_OK;
    size_t cap = t->cap == 0 ? 16 : t->cap * 2;
    struct frd_track_seg *segs = frd_realloc(t->segs, cap * sizeof(*segs));
    if (segs == NULL)
        return FEDRDMA_ERR_NOMEM;
    t->segs = segs;
    t->cap = cap;
    return FEDRDMA_OK;
}

static int insert(frd_track *t, size_t at, struct frd_track_seg seg)
{
    int rc = grow(t);
    if (rc != FEDRDMA_OK)
        return rc;
    memmove(&t->segs[at + 1], &t->segs[at], (t->nsegs - at) * sizeof(seg));
    t->segs[at] = seg;
    t->nsegs++;
    return FEDRDMA_OK;
}

/* Makes `pos` a segment border where a segment spans it. */
static int split(frd_track *t, size_t pos)
{
    size_t i = find(t, pos);

    if (i == t->nsegs || t->segs[i].lo >= pos)
        return FEDRDMA_OK;
    struct frd_track_seg right = t->segs[i];
    right.lo = pos;
    int rc = insert(t, i + 1, right);
    if (rc == FEDRDMA_OK)
        t->segs[i].hi = pos;
    return rc;
}

static int add_reader(frd_track *t, struct frd_track_seg *seg, uint32_t step)
{
    if (t->nreaders == t->readers_cap) {
        size_t cap = t->readers_cap == 0 ? 16 : t->readers_cap * 2;
        struct frd_track_reader *readers = frd_realloc(t->readers, cap * sizeof(*readers));
        if (readers == NULL)
            return FEDRDMA_ERR_NOMEM;
        t->readers = readers;
        t->readers_cap = cap;
    }
    t->readers[t->nreaders] = (struct frd_track_reader){ step, seg->readers };
    seg->readers = (uint32_t)t->nreaders++;
    return FEDRDMA_OK;
}

int frd_track_read(frd_track *t, size_t lo, size_t hi, uint32_t step, frd_track_dep_fn *dep, void *arg)
{
    int rc = split(t, lo);
    if (rc == FEDRDMA_OK)
        rc = split(t, hi);

    size_t pos = lo;
    for (size_t i = find(t, lo); rc == FEDRDMA_OK && pos < hi; i++) {
        if (i == t->nsegs || t->segs[i].lo > pos) {
            size_t end = i == t->nsegs || t->segs[i].lo > hi ? hi : t->segs[i].lo;
            rc = insert(t, i, (struct frd_track_seg){ pos, end, FRD_TRACK_NOBODY, NO_READER });
            if (rc != FEDRDMA_OK)
                break;
        }
        struct frd_track_seg *seg = &t->segs[i];
        if (seg->writer != FRD_TRACK_NOBODY)
            dep(arg, seg->writer);
        pos = seg->hi;
        rc = add_reader(t, seg, step);
    }
    return rc;
}

int frd_track_write(frd_track *t, size_t lo, size_t hi, uint32_t step, frd_track_dep_fn *dep, void *arg)
{
    int rc = split(t, lo);
    if (rc == FEDRDMA_OK)
        rc = split(t, hi);
    if (rc != FEDRDMA_OK)
        return rc;

    size_t first = find(t, lo), end = first;
    for (; end < t->nsegs && t->segs[end].lo < hi; end++) {
        const struct frd_track_seg *seg = &t->segs[end];
        if (seg->writer != FRD_TRACK_NOBODY)
            dep(arg, seg->writer);
        for (uint32_t r = seg->readers; r != NO_READER; r = t->readers[r].next)
            dep(arg, t->readers[r].step);
    }

    const struct frd_track_seg mine = { lo, hi, step, NO_READER };
    if (end == first)
        return insert(t, first, mine);
    t->segs[first] = mine;
    memmove(&t->segs[first + 1], &t->segs[end], (t->nsegs - end) * sizeof(mine));
    t->nsegs -= end - first - 1;
    return FEDRDMA_OK;
}

void frd_track_free(frd_track *t)
{
    frd_free(t->segs);
    frd_free(t->readers);
    *t = (frd_track){ 0 };
}
