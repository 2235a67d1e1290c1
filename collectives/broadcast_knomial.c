/* SPDX-License-Identifier: BSD-3-Clause
 * broadcast_knomial.c - broadcast along a k-nomial tree: fewer levels, more sends a level. Pays where
 * starting a message costs little of its latency, as on any network.
 *
 *     steps    log_k n levels of k-1 sends
 *     bytes    L (k-1) log_k n by the root
 *     scratch  none
 *
 * Tree: tree.h. */
#include "collectives/tree.h"

#define RADIX 4 /* three sends a level: what a network card starts in one latency of a small message */

void frd_broadcast_tree(frd_sched *s, const frd_group *g, const frd_io *io, int radix)
{
    const frd_tree t = frd_tree_knomial(g, io->root, radix);

    if (t.parent >= 0)
        frd_recv(s, g->peer[t.parent], io->dst);
    for (int i = t.nchildren - 1; i >= 0; i--) /* the largest subtree has the longest way to go */
        frd_send(s, g->peer[frd_tree_child(&t, i).index], io->dst);
}

void frd_broadcast_knomial(frd_sched *s, const frd_group *g, const frd_io *io)
{
    frd_broadcast_tree(s, g, io, RADIX);
}
