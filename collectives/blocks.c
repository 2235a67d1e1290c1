/* SPDX-License-Identifier: BSD-3-Clause
 * blocks.c - where the blocks of the members lie, and all of them as one run of bytes.
 *
 * Equal blocks of a fragment are `stride` apart and only `len` long, so a range of blocks is one
 * message only after it was packed. Algorithms work on a run; where the blocks already are one,
 * packing and unpacking record nothing, because a copy to itself is left out. */
#include "collectives/coll.h"

static frd_ref block(frd_ref all, const frd_blocks *blocks, int i)
{
    if (blocks->offs != NULL)
        return frd_sub(all, blocks->offs[i], blocks->lens[i]);
    return frd_sub(all, (size_t)i * blocks->stride, blocks->len);
}

frd_ref frd_dst_block(const frd_io *io, int i)
{
    return block(io->dst, &io->dblk, i);
}

frd_ref frd_src_block(const frd_io *io, int i)
{
    return block(io->src, &io->sblk, i);
}

static size_t bytes_of(const frd_blocks *blocks, int first, int count)
{
    size_t bytes = 0;

    if (blocks->offs == NULL)
        return (size_t)count * blocks->len;
    for (int i = 0; i < count; i++)
        bytes += blocks->lens[first + i];
    return bytes;
}

/* The blocks as they lie, if they are one run; else scratch for them. Empty blocks lie anywhere. */
static frd_ref run_of(frd_sched *s, frd_ref all, const frd_blocks *blocks, int n)
{
    frd_ref run = frd_sub(all, 0, 0);

    for (int i = 0; i < n; i++) {
        const frd_ref b = block(all, blocks, i);

        if (run.len == 0)
            run = b;
        else if (b.len > 0 && b.off == run.off + run.len)
            run.len += b.len;
        else if (b.len > 0)
            return frd_tmp_typed(s, bytes_of(blocks, 0, n), all.type);
    }
    return run;
}

frd_ref frd_run_blocks(const frd_blocks *blocks, frd_ref run, int first, int count)
{
    return frd_sub(run, bytes_of(blocks, 0, first), bytes_of(blocks, first, count));
}

frd_ref frd_src_run(frd_sched *s, const frd_io *io, int n)
{
    const frd_ref run = run_of(s, io->src, &io->sblk, n);
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        const frd_ref b = frd_src_block(io, i);

        frd_copy(s, frd_sub(run, at, b.len), b);
        at += b.len;
    }
    return run;
}

frd_ref frd_dst_run(frd_sched *s, const frd_io *io, int n)
{
    return run_of(s, io->dst, &io->dblk, n);
}

void frd_dst_spread(frd_sched *s, const frd_io *io, int n, frd_ref run)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        const frd_ref b = frd_dst_block(io, i);

        frd_copy(s, b, frd_sub(run, at, b.len));
        at += b.len;
    }
}

size_t frd_longest_block(const frd_blocks *blocks, int n)
{
    size_t longest = blocks->offs == NULL ? blocks->len : 0;

    for (int i = 0; blocks->offs != NULL && i < n; i++)
        longest = blocks->lens[i] > longest ? blocks->lens[i] : longest;
    return longest;
}
