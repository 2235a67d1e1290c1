/* SPDX-License-Identifier: BSD-3-Clause
 * alltoall_pairwise.c - all-to-all in rounds, each rank with one partner to send to and one to receive from:
 * for long blocks.
 *
 * Nothing in the data makes a round wait for another, and all at once would drown a network. So a receive is
 * made to wait for the one WINDOW rounds before it: a token byte of what arrived then is first copied to
 * where it will arrive. Sends follow by rendezvous.
 *
 *     steps    n-1
 *     bytes    n-1 blocks by each
 *     scratch  none
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/coll.h"

#define WINDOW 4 /* receives at a time: the next is posted before the last one ends, few senders collide */

void frd_alltoall_pairwise(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    frd_ref token[WINDOW] = { { 0 } };
    int received = 0;

    frd_copy(s, frd_dst_block(io, r), frd_src_block(io, r));
    for (int k = 1; k < n; k++) {
        const int to = (r + k) % n, from = (r + n - k) % n;
        const frd_ref in = frd_dst_block(io, from);

        frd_send(s, g->peer[to], frd_src_block(io, to));
        if (in.len == 0)
            continue;
        frd_copy(s, frd_head(in, token[received % WINDOW].len), token[received % WINDOW]);
        frd_recv(s, g->peer[from], in);
        token[received++ % WINDOW] = frd_head(in, 1);
    }
}
