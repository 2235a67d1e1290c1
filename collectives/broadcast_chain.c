/* SPDX-License-Identifier: BSD-3-Clause
 * broadcast_chain.c - broadcast from neighbour to neighbour: run in fragments, for long vectors.
 *
 *     steps    n-1
 *     bytes    L by each
 *     scratch  none */
#include "collectives/coll.h"

void frd_broadcast_chain(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, v = (g->rank - io->root + n) % n;

    if (v > 0)
        frd_recv(s, g->peer[(g->rank + n - 1) % n], io->dst);
    if (v < n - 1)
        frd_send(s, g->peer[(g->rank + 1) % n], io->dst);
}
