/* SPDX-License-Identifier: BSD-3-Clause
 * barrier_linear.c - barrier through the first rank: all tell it, then it tells all; for few ranks.
 *
 * The first rank's answer is sent from a copy of all tokens: the copy waits for each.
 *
 *     steps    2, with n-1 messages at the first rank
 *     bytes    n-1 by the first rank
 *     scratch  n tokens and their copy */
#include "collectives/coll.h"

void frd_barrier_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const size_t n = (size_t)g->size;
    const frd_ref heard = frd_tmp(s, n), told = frd_tmp(s, n);

    (void)io;
    if (g->rank > 0) {
        frd_send(s, g->peer[0], frd_head(heard, 1));
        frd_recv(s, g->peer[0], frd_head(told, 1));
        return;
    }
    for (int i = 1; i < g->size; i++)
        frd_recv(s, g->peer[i], frd_sub(heard, (size_t)i, 1));
    frd_copy(s, told, heard);
    for (int i = 1; i < g->size; i++)
        frd_send(s, g->peer[i], frd_head(told, 1));
}
