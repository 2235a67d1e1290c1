/* SPDX-License-Identifier: BSD-3-Clause
 * exscan_linear.c - exclusive prefix reduction, one rank after the other: least bytes; run in fragments, for
 * long vectors.
 *
 *     steps    n-1
 *     bytes    L by each
 *     scratch  2L
 *     order    kept */
#include "collectives/coll.h"

void frd_exscan_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const bool sends = g->rank < g->size - 1;
    const frd_ref before = frd_tmp(s, io->src.len), sum = frd_tmp(s, io->src.len);

    if (g->rank == 0) {
        if (sends)
            frd_send(s, g->peer[1], io->src);
        return;
    }
    frd_recv(s, g->peer[g->rank - 1], before);
    if (sends) {
        frd_reduce(s, sum, before, io->src);
        frd_send(s, g->peer[g->rank + 1], sum);
    }
    frd_copy(s, io->dst, before);
}
