/* SPDX-License-Identifier: BSD-3-Clause
 * allgather_recdbl.c - allgather of equal blocks by recursive doubling, for powers of two.
 *
 * In round k, ranks r and r ^ 2^k exchange the 2^k blocks that each has.
 *
 *     steps    log n
 *     bytes    n-1 blocks by each
 *     scratch  none where blocks lie side by side, else n blocks
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/coll.h"

void frd_allgather_recdbl(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const frd_ref all = frd_dst_run(s, io, n);

    frd_copy(s, frd_run_blocks(&io->dblk, all, r, 1), io->src);
    for (int mask = 1; mask < n; mask *= 2) {
        const int peer = g->peer[r ^ mask];

        frd_send(s, peer, frd_run_blocks(&io->dblk, all, r & ~(mask - 1), mask));
        frd_recv(s, peer, frd_run_blocks(&io->dblk, all, (r ^ mask) & ~(mask - 1), mask));
    }
    frd_dst_spread(s, io, n, all);
}
