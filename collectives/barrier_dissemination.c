/* SPDX-License-Identifier: BSD-3-Clause
 * barrier_dissemination.c - barrier in log n rounds.
 *
 * In round k a rank sends a token to r + 2^k once it has those of rounds 0 .. k-1, and so has heard,
 * through others, of the 2^k ranks below it. Received tokens lie side by side, and a copy of all of them is
 * what a token is sent from: the copy waits for each.
 *
 *     steps    log n
 *     bytes    log n by each
 *     scratch  one cache line a round, and one
 *
 * Hensgen, Finkel, Manber, "Two algorithms for barrier synchronization", 1988. */
#include "collectives/coll.h"

#define TOKENS_MAX 32 /* our own, and one for each bit of a rank */

void frd_barrier_dissemination(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const frd_ref heard = frd_tmp(s, TOKENS_MAX);

    (void)io;
    for (int k = 0; k < TOKENS_MAX - 1 && 1 << k < n; k++) {
        const size_t tokens = (size_t)k + 1;
        const frd_ref told = frd_tmp(s, tokens);

        frd_copy(s, told, frd_head(heard, tokens));
        frd_send(s, g->peer[(r + (1 << k)) % n], frd_head(told, 1));
        frd_recv(s, g->peer[(r + n - (1 << k)) % n], frd_sub(heard, tokens, 1));
    }
}
