/* SPDX-License-Identifier: BSD-3-Clause
 * alltoall_linear.c - everybody sends to everybody at once.
 *
 *     steps    1, of n-1 sends and n-1 receives by each
 *     bytes    n-1 blocks by each
 *     scratch  none */
#include "collectives/coll.h"

void frd_alltoall_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;

    frd_copy(s, frd_dst_block(io, r), frd_src_block(io, r));
    for (int k = 1; k < n; k++) { /* staggered, so that not all send to rank 0 first */
        const int to = (r + k) % n, from = (r + n - k) % n;

        frd_send(s, g->peer[to], frd_src_block(io, to));
        frd_recv(s, g->peer[from], frd_dst_block(io, from));
    }
}
