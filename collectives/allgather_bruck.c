/* SPDX-License-Identifier: BSD-3-Clause
 * allgather_bruck.c - allgather of equal blocks in log n steps for any n, for short blocks.
 *
 * Rank r collects blocks r, r+1, ... (mod n). Having 2^k of them it fetches the next 2^k, or those
 * still missing, from rank r + 2^k, and in the end puts them where they belong.
 *
 *     steps    log n
 *     bytes    n-1 blocks by each
 *     scratch  n blocks
 *
 * Bruck, Ho, Kipnis, Upfal, Weathersby, "Efficient algorithms for all-to-all communications in multiport
 * message-passing systems", 1997. */
#include "collectives/coll.h"

void frd_allgather_bruck(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const size_t len = io->src.len;
    const frd_ref all = frd_tmp(s, (size_t)n * len);

    frd_copy(s, frd_head(all, len), io->src);
    for (int have = 1; have < n; have *= 2) {
        const int more = have < n - have ? have : n - have;
        const size_t bytes = (size_t)more * len;

        frd_send(s, g->peer[(r + n - have) % n], frd_head(all, bytes));
        frd_recv(s, g->peer[(r + have) % n], frd_sub(all, (size_t)have * len, bytes));
    }
    for (int i = 0; i < n; i++)
        frd_copy(s, frd_dst_block(io, (r + i) % n), frd_sub(all, (size_t)i * len, len));
}
