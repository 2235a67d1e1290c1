/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_scatter_rechalf.c - reduce-scatter by recursive halving: fewest steps.
 *
 * Partners at distance ..., 4, 2, 1 exchange the half of their blocks that is the other's business. Groups
 * that are no power of two fold first (fold.h): a number then stands for its pair's two blocks.
 *
 *     steps    log n, and 2 more unless n is a power of two
 *     bytes    L(n-1)/n by the busiest rank; L unless n is a power of two
 *     scratch  L, and 2L more unless n is a power of two; and L where blocks don't lie side by side
 *     order    changed: far ranks are combined first
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/fold.h"

/* The blocks of numbers [v, v + count) in `run`, which starts with those of number `base`. */
static frd_ref blocks_of(const frd_fold *f, const frd_io *io, frd_ref run, int base, frd_span v)
{
    const int start = frd_fold_first(f, base), first = frd_fold_first(f, v.first);
    const int end = frd_fold_first(f, v.first + v.count);
    const size_t skip = frd_run_blocks(&io->sblk, run, start, first - start).len;

    return frd_sub(run, skip, frd_run_blocks(&io->sblk, run, first, end - first).len);
}

/* Reduces to the blocks that our number stands for. */
static frd_ref halve(frd_sched *s, const frd_group *g, const frd_fold *f, const frd_io *io, frd_ref run)
{
    int base = 0;

    for (int half = f->pow2 / 2; half > 0; half /= 2) {
        const int peer = g->peer[frd_fold_member(f, f->v ^ half)];
        const int keep = f->v & ~(half - 1), give = keep ^ half;
        const frd_ref own = blocks_of(f, io, run, base, (frd_span){ keep, half });
        const frd_ref in = frd_tmp(s, own.len);

        frd_send(s, peer, blocks_of(f, io, run, base, (frd_span){ give, half }));
        frd_recv(s, peer, in);
        frd_reduce(s, in, own, in);
        run = in;
        base = keep;
    }
    return run;
}

void frd_reduce_scatter_rechalf(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_fold f = frd_fold_make(g);
    const frd_ref all = frd_src_run(s, io, g->size);
    size_t others = 0; /* bytes of our partner's block */
    frd_ref run;

    if (f.partner >= 0)
        others = frd_src_block(io, f.partner).len;
    run = frd_fold_in(s, g, &f, frd_tmp(s, f.partner >= 0 && f.v >= 0 ? all.len : 0), all);
    if (f.v < 0) {
        frd_recv(s, g->peer[f.partner], io->dst);
        return;
    }
    run = halve(s, g, &f, io, run);
    if (f.partner >= 0)
        frd_send(s, g->peer[f.partner], frd_head(run, others));
    frd_copy(s, io->dst, frd_sub(run, others, run.len - others));
}
