/* SPDX-License-Identifier: BSD-3-Clause
 * scan_recdbl.c - prefix reduction by recursive doubling, for short vectors.
 *
 * After k rounds rank r has the reduction over its last 2^k ranks, r - 2^k + 1 .. r. In a round it
 * hands that to r + 2^k and puts the one of r - 2^k before its own.
 *
 *     steps    log n
 *     bytes    L log n by the first ranks
 *     scratch  2L
 *     order    kept
 *
 * Hillis, Steele, "Data parallel algorithms", 1986. */
#include "collectives/coll.h"

void frd_scan_recdbl(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_ref slot[2] = { frd_tmp(s, io->dst.len), frd_tmp(s, io->dst.len) };
    frd_ref sum = io->src;

    for (int k = 0; 1 << k < g->size; k++) {
        const int up = g->rank + (1 << k), down = g->rank - (1 << k);

        if (up < g->size)
            frd_send(s, g->peer[up], sum);
        if (down < 0)
            continue;
        frd_recv(s, g->peer[down], slot[k % 2]);
        frd_reduce(s, io->dst, slot[k % 2], sum);
        sum = io->dst;
    }
    if (g->rank == 0)
        frd_copy(s, io->dst, io->src);
}
