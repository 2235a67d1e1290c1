/* SPDX-License-Identifier: BSD-3-Clause
 * scatter_binomial.c - scatter equal blocks along a binomial tree, for short blocks.
 *
 * The blocks of a subtree come down as one message, or as two where its members wrap from the last
 * rank to the first, so that the root sends from place.
 *
 *     steps    log n
 *     bytes    n-1 blocks by the root
 *     scratch  the subtree's blocks; at the root n blocks, only where they don't lie side by side
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/tree.h"

void frd_scatter_binomial(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_tree t = frd_tree_knomial(g, io->root, 2);
    const size_t len = io->dst.len;
    const int straight = frd_tree_straight(&t, t.v, t.span);
    frd_ref kept = io->dst;

    if (t.parent < 0)
        kept = frd_src_run(s, io, t.n);
    else if (t.span > 1)
        kept = frd_tmp(s, (size_t)t.span * len);
    if (t.parent >= 0) {
        frd_recv(s, g->peer[t.parent], frd_tree_place(&t, kept, len, t.v, straight));
        frd_recv(s, g->peer[t.parent], frd_tree_place(&t, kept, len, t.v + straight, t.span - straight));
    }
    for (int i = t.nchildren - 1; i >= 0; i--) { /* the largest subtree has the longest way to go */
        const frd_branch b = frd_tree_child(&t, i);
        const int first = frd_tree_straight(&t, b.v, b.span);

        frd_send(s, g->peer[b.index], frd_tree_place(&t, kept, len, b.v, first));
        frd_send(s, g->peer[b.index], frd_tree_place(&t, kept, len, b.v + first, b.span - first));
    }
    frd_copy(s, io->dst, frd_tree_place(&t, kept, len, t.v, 1));
}
