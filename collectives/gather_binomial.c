/* SPDX-License-Identifier: BSD-3-Clause
 * gather_binomial.c - gather equal blocks along a binomial tree, for short blocks.
 *
 * The blocks of a subtree go up as one message, or as two where its members wrap from the last rank to
 * the first, so that the root receives into place.
 *
 *     steps    log n
 *     bytes    n/2 blocks by the root's last child
 *     scratch  the subtree's blocks; at the root n blocks, only where they don't lie side by side
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/tree.h"

void frd_gather_binomial(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_tree t = frd_tree_knomial(g, io->root, 2);
    const size_t len = io->src.len;
    const int straight = frd_tree_straight(&t, t.v, t.span);
    frd_ref kept = io->src;

    if (t.parent < 0)
        kept = frd_dst_run(s, io, t.n);
    else if (t.span > 1)
        kept = frd_tmp(s, (size_t)t.span * len);
    frd_copy(s, frd_tree_place(&t, kept, len, t.v, 1), io->src);

    for (int i = 0; i < t.nchildren; i++) {
        const frd_branch b = frd_tree_child(&t, i);
        const int first = frd_tree_straight(&t, b.v, b.span);

        frd_recv(s, g->peer[b.index], frd_tree_place(&t, kept, len, b.v, first));
        frd_recv(s, g->peer[b.index], frd_tree_place(&t, kept, len, b.v + first, b.span - first));
    }
    if (t.parent >= 0) {
        frd_send(s, g->peer[t.parent], frd_tree_place(&t, kept, len, t.v, straight));
        frd_send(s, g->peer[t.parent], frd_tree_place(&t, kept, len, t.v + straight, t.span - straight));
    } else {
        frd_dst_spread(s, io, t.n, kept);
    }
}
