/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_chain.c - reduce along two chains that meet at the root: run in fragments, for long vectors.
 *
 * Ranks below the root pass their growing sum up (0, 1, ...), ranks above it pass theirs down
 * (n-1, n-2, ...); the root adds below op own op above. Many fragments in flight keep all links busy, and
 * none carries more than L in a direction.
 *
 *     steps    max(root, n-1-root)
 *     bytes    L sent by each; the root receives 2L
 *     scratch  L, at the root 2L
 *     order    kept */
#include "collectives/coll.h"

void frd_reduce_chain(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank, root = io->root;
    const bool has_below = r > 0 && r <= root, has_above = r < n - 1 && r >= root;
    const frd_ref below = frd_tmp(s, has_below ? io->src.len : 0);
    const frd_ref above = frd_tmp(s, has_above ? io->src.len : 0);
    frd_ref sum = io->src;

    if (has_below)
        frd_recv(s, g->peer[r - 1], below);
    if (has_above)
        frd_recv(s, g->peer[r + 1], above);
    if (has_above) {
        frd_reduce(s, r == root && !has_below ? io->dst : above, sum, above);
        sum = above;
    }
    if (has_below) {
        frd_reduce(s, r == root ? io->dst : below, below, sum);
        sum = below;
    }
    if (r != root)
        frd_send(s, g->peer[r < root ? r + 1 : r - 1], sum);
    else if (n == 1)
        frd_copy(s, io->dst, io->src);
}
