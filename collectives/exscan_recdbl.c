/* SPDX-License-Identifier: BSD-3-Clause
 * exscan_recdbl.c - exclusive prefix reduction by recursive doubling, for short vectors.
 *
 * Every rank hands its vector to the next; what arrived is then scanned as in scan_recdbl.c over ranks
 * 1 .. n-1. In place the arrival goes to scratch, or receiving would wait for sending all along the row.
 *
 *     steps    1 + log (n-1)
 *     bytes    L (1 + log (n-1)) by the first ranks
 *     scratch  3L
 *     order    kept
 *
 * Hillis, Steele, "Data parallel algorithms", 1986. */
#include "collectives/coll.h"

void frd_exscan_recdbl(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, v = g->rank - 1; /* our number in the scan */
    const frd_ref slot[2] = { frd_tmp(s, io->src.len), frd_tmp(s, io->src.len) };
    frd_ref sum = frd_tmp(s, io->src.len);

    if (v + 2 < n)
        frd_send(s, g->peer[v + 2], io->src);
    if (v < 0)
        return;
    frd_recv(s, g->peer[v], sum);
    for (int k = 0; 1 << k < n - 1; k++) {
        const int up = v + (1 << k), down = v - (1 << k);

        if (up < n - 1)
            frd_send(s, g->peer[up + 1], sum);
        if (down < 0)
            continue;
        frd_recv(s, g->peer[down + 1], slot[k % 2]);
        frd_reduce(s, io->dst, slot[k % 2], sum);
        sum = io->dst;
    }
    frd_copy(s, io->dst, sum);
}
