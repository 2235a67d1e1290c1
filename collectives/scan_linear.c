/* SPDX-License-Identifier: BSD-3-Clause
 * scan_linear.c - prefix reduction, one rank after the other: least bytes; run in fragments, for long
 * vectors.
 *
 *     steps    n-1
 *     bytes    L by each
 *     scratch  L
 *     order    kept */
#include "collectives/coll.h"

void frd_scan_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_ref before = frd_tmp(s, g->rank > 0 ? io->src.len : 0);

    if (g->rank > 0) {
        frd_recv(s, g->peer[g->rank - 1], before);
        frd_reduce(s, io->dst, before, io->src);
    } else {
        frd_copy(s, io->dst, io->src);
    }
    if (g->rank < g->size - 1)
        frd_send(s, g->peer[g->rank + 1], io->dst);
}
