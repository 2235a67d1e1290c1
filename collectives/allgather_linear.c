/* SPDX-License-Identifier: BSD-3-Clause
 * allgather_linear.c - every member sends its block to all others at once: one latency, n-1 messages each.
 *
 *     steps    1, of n-1 sends and n-1 receives by each
 *     bytes    n-1 blocks by each
 *     scratch  none */
#include "collectives/coll.h"

void frd_allgather_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;

    frd_copy(s, frd_dst_block(io, r), io->src);
    for (int k = 1; k < n; k++) { /* staggered, so that not all send to rank 0 first */
        frd_send(s, g->peer[(r + k) % n], io->src);
        frd_recv(s, g->peer[(r + n - k) % n], frd_dst_block(io, (r + n - k) % n));
    }
}
