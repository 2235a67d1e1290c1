/* SPDX-License-Identifier: BSD-3-Clause
 * allgather_ring.c - allgather around a ring, only neighbours talk: for long blocks.
 *
 *     steps    n-1
 *     bytes    n-1 blocks by each
 *     scratch  none
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/coll.h"

void frd_allgather_ring(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const int next = g->peer[(r + 1) % n], prev = g->peer[(r + n - 1) % n];

    frd_copy(s, frd_dst_block(io, r), io->src);
    for (int k = 0; k < n - 1; k++) {
        frd_send(s, next, k == 0 ? io->src : frd_dst_block(io, (r - k + n) % n));
        frd_recv(s, prev, frd_dst_block(io, (r - k - 1 + n) % n));
    }
}
