/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_scatter_ring.c - reduce-scatter around a ring, only neighbours talk: for long vectors.
 *
 * Block b starts at rank b+1, collects one operand at each rank and ends at rank b.
 *
 *     steps    n-1
 *     bytes    L(n-1)/n by each
 *     scratch  two of the longest block
 *     order    changed: operands of a block are rotated
 *
 * Patarasuk, Yuan, 2009. */
#include "collectives/coll.h"

void frd_reduce_scatter_ring(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const int next = g->peer[(r + 1) % n], prev = g->peer[(r + n - 1) % n];
    const size_t longest = frd_longest_block(&io->sblk, n);
    const frd_ref slot[2] = { frd_tmp(s, longest), frd_tmp(s, longest) };
    frd_ref sum = frd_src_block(io, (r + n - 1) % n);

    for (int k = 0; k < n - 1; k++) {
        const frd_ref own = frd_src_block(io, (r + 2 * n - k - 2) % n);
        const frd_ref in = frd_head(slot[k % 2], own.len);

        frd_send(s, next, sum);
        frd_recv(s, prev, in);
        frd_reduce(s, in, own, in);
        sum = in;
    }
    frd_copy(s, io->dst, sum); /* in place, dst may overlap a part of our block: never reduce into it */
}
