/* SPDX-License-Identifier: BSD-3-Clause
 * allreduce_rabenseifner.c - allreduce by recursive halving, then doubling: few steps and least bytes.
 *
 * Halving (fold.h) leaves each of the pow2 numbers with one part reduced over all, partners at
 * distance 1, 2, 4, ...; the way back, at distance ..., 4, 2, 1, exchanges parts until all have all.
 *
 *     steps    2 log n, and 2 more unless n is a power of two
 *     bytes    2L(n-1)/n by the busiest rank, and L more unless n is a power of two
 *     scratch  L, and L more unless n is a power of two
 *     order    kept: what is combined is always two neighbouring runs of ranks
 *
 * Rabenseifner, "Optimization of Collective Reduction Operations", ICCS 2004. */
#include "collectives/fold.h"

void frd_allreduce_rabenseifner(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_fold f = frd_fold_make(g);
    const frd_ref src = frd_fold_in(s, g, &f, io->dst, io->src);

    if (f.v >= 0) {
        frd_span have = frd_fold_halve(s, g, &f, io->dst, src);

        for (int mask = f.pow2 / 2; mask > 0; mask /= 2) {
            const int peer = g->peer[frd_fold_member(&f, f.v ^ mask)];
            const frd_span take = frd_fold_sibling(&f, have, mask);

            frd_send(s, peer, frd_parts(s, io->dst, f.pow2, have.first, have.count));
            frd_recv(s, peer, frd_parts(s, io->dst, f.pow2, take.first, take.count));
            have = frd_span_join(have, take);
        }
    }
    frd_fold_out(s, g, &f, io->dst);
}
