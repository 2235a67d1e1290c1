/* SPDX-License-Identifier: BSD-3-Clause
 * allreduce_recdbl.c - allreduce by recursive doubling: fewest steps, for short vectors.
 *
 * In round k, numbers v and v ^ 2^k exchange what they have reduced so far, which is the reduction over
 * neighbouring runs of 2^k numbers; both compute the same expression, lower run first, so the
 * results are equal bit for bit. Groups that are no power of two fold first (fold.h).
 *
 *     steps    log n, and 2 more unless n is a power of two
 *     bytes    L log n by the busiest rank, and L more unless n is a power of two
 *     scratch  2L, and L more unless n is a power of two
 *     order    kept
 *
 * Thakur, Rabenseifner, Gropp, "Optimization of Collective Communication Operations in MPICH", 2005. */
#include "collectives/fold.h"

void frd_allreduce_recdbl(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_fold f = frd_fold_make(g);
    const frd_ref slot[2] = { frd_tmp(s, io->dst.len), frd_tmp(s, io->dst.len) };
    frd_ref sum = frd_fold_in(s, g, &f, io->dst, io->src);

    if (f.pow2 == 1)
        frd_copy(s, io->dst, io->src);
    for (int k = 0; f.v >= 0 && 1 << k < f.pow2; k++) {
        const int v = f.v ^ 1 << k, peer = g->peer[frd_fold_member(&f, v)];
        const frd_ref in = slot[k % 2];

        frd_send(s, peer, sum);
        frd_recv(s, peer, in);
        if (v < f.v)
            frd_reduce(s, io->dst, in, sum);
        else
            frd_reduce(s, io->dst, sum, in);
        sum = io->dst;
    }
    frd_fold_out(s, g, &f, io->dst);
}
