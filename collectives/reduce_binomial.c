/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_binomial.c - reduce along a binomial tree, for short vectors.
 *
 * A subtree is a run of consecutive ranks, and a member receives from its children in rank order,
 * so its sum grows to the right by whole runs. Counting from the root would break the order where
 * the run wraps; an operator that minds is reduced to the first rank, which sends the result on.
 *
 *     steps    log n, and 1 more for such operators when the root isn't the first rank
 *     bytes    L sent by each; the root receives L log n
 *     scratch  2L
 *     order    kept
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/tree.h"

/* Reduces to `root` of the tree; every sum but the last grows in a received slot, because there a user's
 * operator needs no copy (verbs.h). */
static void reduce_to(frd_sched *s, const frd_group *g, const frd_io *io, int root)
{
    const frd_tree t = frd_tree_knomial(g, root, 2);
    const size_t len = io->src.len;
    const frd_ref slot[2] = { frd_tmp_typed(s, len, io->src.type), frd_tmp_typed(s, len, io->src.type) };
    frd_ref sum = io->src;

    for (int i = 0; i < t.nchildren; i++) {
        const frd_ref in = slot[i % 2];
        const bool last = i == t.nchildren - 1 && t.parent < 0 && root == io->root;

        frd_recv(s, g->peer[frd_tree_child(&t, i).index], in);
        frd_reduce(s, last ? io->dst : in, sum, in);
        sum = in;
    }
    if (t.parent >= 0)
        frd_send(s, g->peer[t.parent], sum);
    else if (root != io->root)
        frd_send(s, g->peer[io->root], sum);
    else if (t.nchildren == 0)
        frd_copy(s, io->dst, io->src);
}

void frd_reduce_binomial(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int root = frd_commutative(s) ? io->root : 0;

    reduce_to(s, g, io, root);
    if (root != io->root && g->rank == io->root)
        frd_recv(s, g->peer[root], io->dst);
}
