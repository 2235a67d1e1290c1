/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_scatter_pairwise.c - reduce-scatter by sending every rank its block, reduced there in rank order.
 *
 *     steps    n-1 messages and reductions by each, no message waits for another
 *     bytes    L(n-1)/n by each
 *     scratch  n of our own blocks: operands wait there for their turn
 *     order    kept
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/coll.h"

void frd_reduce_scatter_pairwise(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const size_t len = io->dst.len;
    const frd_ref slots = frd_tmp(s, (size_t)n * len);
    frd_ref sum;

    for (int k = 1; k < n; k++) { /* staggered, so that not all send to rank 0 first */
        const int to = (r + k) % n, from = (r + n - k) % n;

        frd_send(s, g->peer[to], frd_src_block(io, to));
        frd_recv(s, g->peer[from], frd_sub(slots, (size_t)from * len, len));
    }
    sum = r == n - 1 ? frd_src_block(io, r) : frd_sub(slots, (size_t)(n - 1) * len, len);
    for (int i = n - 2; i >= 0; i--) {
        const frd_ref own = frd_src_block(io, r), slot = frd_sub(slots, (size_t)i * len, len);
        const frd_ref out = sum.space == FRD_SPACE_TMP ? sum : slot;

        frd_reduce(s, out, i == r ? own : slot, sum);
        sum = out;
    }
    frd_copy(s, io->dst, sum); /* in place, dst may overlap a part of our block: never reduce into it */
}
