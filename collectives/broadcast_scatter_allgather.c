/* SPDX-License-Identifier: BSD-3-Clause
 * broadcast_scatter_allgather.c - broadcast as a scatter of parts and their allgather: for long vectors.
 *
 * Parts are numbered like the members, from the root. A binomial scatter leaves number v with the
 * parts of its subtree; then parts go round a ring, where nobody is sent a part that the
 * scatter gave him: the root, which has all, receives none.
 *
 *     steps    log n + n-1
 *     bytes    2L(n-1)/n by the root
 *     scratch  none
 *
 * van de Geijn; Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/tree.h"

/* The root has all n parts, and number v the parts v .. v + span - 1. */
static bool has(int v, int span, int part)
{
    return part >= v && part < v + span;
}

void frd_broadcast_scatter_allgather(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank, next = (r + 1) % n, prev = (r + n - 1) % n;
    const frd_group neighbour = { .size = n, .rank = next, .peer = g->peer };
    const frd_tree t = frd_tree_knomial(g, io->root, 2);
    const frd_tree after = frd_tree_knomial(&neighbour, io->root, 2);

    if (t.parent >= 0)
        frd_recv(s, g->peer[t.parent], frd_parts(s, io->dst, n, t.v, t.span));
    for (int i = t.nchildren - 1; i >= 0; i--) {
        const frd_branch b = frd_tree_child(&t, i);

        frd_send(s, g->peer[b.index], frd_parts(s, io->dst, n, b.v, b.span));
    }
    for (int k = 0; k < n - 1; k++) {
        const int give = (t.v - k + n) % n, take = (t.v - k - 1 + n) % n;

        if (!has(after.v, after.span, give))
            frd_send(s, g->peer[next], frd_part(s, io->dst, n, give));
        if (!has(t.v, t.span, take))
            frd_recv(s, g->peer[prev], frd_part(s, io->dst, n, take));
    }
}
