/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_linear.c - the root receives all vectors and reduces them: one step of latency, for few ranks.
 *
 * From the highest rank down: sum = operand of the next lower rank op sum, which suits a user's
 * operator (its result lands on its second operand, verbs.h).
 *
 *     steps    1, with n-1 receives and n-1 reductions at the root
 *     bytes    L sent by each; the root receives L(n-1)
 *     scratch  at the root (AHEAD + 1)L
 *     order    kept */
#include "collectives/coll.h"

#define AHEAD 4 /* vectors that may arrive while one is reduced; more would only cost memory */

static void root_reduces(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size;
    const frd_ref acc = frd_tmp(s, io->src.len);
    frd_ref slot[AHEAD], sum;

    for (int i = 0; i < AHEAD; i++)
        slot[i] = frd_tmp(s, i < n - 1 ? io->src.len : 0);
    sum = io->root == n - 1 ? io->src : acc;
    if (io->root != n - 1)
        frd_recv(s, g->peer[n - 1], acc);
    for (int i = n - 2; i >= 0; i--) {
        const frd_ref operand = i == io->root ? io->src : slot[i % AHEAD];
        const frd_ref out = i == 0 ? io->dst : acc;

        if (i != io->root)
            frd_recv(s, g->peer[i], operand);
        frd_reduce(s, out, operand, sum);
        sum = out;
    }
    if (n == 1)
        frd_copy(s, io->dst, io->src);
}

void frd_reduce_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    if (g->rank == io->root)
        root_reduces(s, g, io);
    else
        frd_send(s, g->peer[io->root], io->src);
}
