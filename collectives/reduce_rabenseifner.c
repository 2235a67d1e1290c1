/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_rabenseifner.c - reduce by recursive halving, then gathering to the root: for long vectors.
 *
 * Halving (fold.h) leaves each of the pow2 numbers with one part reduced over all. On the way back, at
 * distance ..., 4, 2, 1, the one of a pair whose bit differs from the root's hands over its parts and is
 * done. A root that sits out of the fold is spoken for by its partner until the end.
 *
 *     steps    2 log n, and 2 more unless n is a power of two
 *     bytes    L(n-1)/n + L/2 by the busiest rank, and L more unless n is a power of two
 *     scratch  2L, and L more unless n is a power of two
 *     order    kept
 *
 * Rabenseifner, "Optimization of Collective Reduction Operations", ICCS 2004. */
#include "collectives/fold.h"

/* Among those who stay, brings all parts of acc to number `to`. */
static void gather(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref acc, frd_span have, int to)
{
    for (int mask = f->pow2 / 2; mask > 0; mask /= 2) {
        const int peer = g->peer[frd_fold_member(f, f->v ^ mask)];
        const frd_span other = frd_fold_sibling(f, have, mask);

        if ((f->v & mask) != (to & mask)) {
            frd_send(s, peer, frd_parts(s, acc, f->pow2, have.first, have.count));
            return;
        }
        frd_recv(s, peer, frd_parts(s, acc, f->pow2, other.first, other.count));
        have = frd_span_join(have, other);
    }
}

void frd_reduce_rabenseifner(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_fold f = frd_fold_make(g);
    const int to = frd_fold_number(&f, io->root), speaker = frd_fold_member(&f, to);
    const frd_ref acc = g->rank == io->root ? io->dst : frd_tmp(s, io->src.len);
    const frd_ref src = frd_fold_in(s, g, &f, acc, io->src);

    if (f.v >= 0)
        gather(s, g, &f, acc, frd_fold_halve(s, g, &f, acc, src), to);
    if (speaker != io->root && g->rank == speaker)
        frd_send(s, g->peer[io->root], acc);
    if (speaker != io->root && g->rank == io->root)
        frd_recv(s, g->peer[speaker], io->dst);
}
