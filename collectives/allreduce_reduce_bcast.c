/* SPDX-License-Identifier: BSD-3-Clause
 * allreduce_reduce_bcast.c - allreduce as a binomial reduce to the first rank and a binomial broadcast.
 *
 * Twice the steps of recursive doubling, but every rank but the root's neighbours sends little:
 * right where few ranks share a slow link.
 *
 *     steps    2 log n
 *     bytes    L log n by the first rank
 *     scratch  2L
 *     order    kept */
#include "collectives/coll.h"

void frd_allreduce_reduce_bcast(frd_sched *s, const frd_group *g, const frd_io *io)
{
    frd_io both = *io;

    both.root = 0;
    frd_reduce_binomial(s, g, &both);
    frd_broadcast_binomial(s, g, &both);
}
