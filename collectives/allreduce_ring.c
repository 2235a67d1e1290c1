/* SPDX-License-Identifier: BSD-3-Clause
 * allreduce_ring.c - allreduce around a ring: least bytes and only neighbours talk, for long vectors.
 *
 * The vector is cut into n parts. On the first lap part p starts at rank p and collects one operand
 * at each rank; rank p - 1 ends with its whole reduction. On the second lap it is passed on and
 * stored. Ranks 0..2 of n = 3, what each has of its parts after each step (ab: operands of 0 and 1):
 *
 *     step    rank 0          rank 1          rank 2
 *             a0 a1 a2        b0 b1 b2        c0 c1 c2
 *     0       a0 a1 ca2       ab0 b1 b2       c0 bc1 c2
 *     1       a0 bca1 ca2     ab0 b1 cab2     abc0 bc1 c2
 *     2, 3    the whole parts abc0, bca1, cab2 go round
 *
 *     steps    2(n-1)
 *     bytes    2L(n-1)/n by each rank
 *     scratch  2L/n
 *     order    changed: operands of a part are rotated
 *
 * Patarasuk, Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009. */
#include "collectives/coll.h"

void frd_allreduce_ring(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const int next = g->peer[(r + 1) % n], prev = g->peer[(r + n - 1) % n];
    const size_t longest = frd_part(s, io->dst, n, 0).len;
    const frd_ref slot[2] = { frd_tmp(s, longest), frd_tmp(s, longest) };

    if (n == 1)
        frd_copy(s, io->dst, io->src);
    for (int k = 0; k < 2 * (n - 1); k++) {
        const frd_ref take = frd_part(s, io->dst, n, r - k - 1);

        frd_send(s, next, frd_part(s, k == 0 ? io->src : io->dst, n, r - k));
        if (k < n - 1) { /* first lap: reduce */
            const frd_ref in = frd_head(slot[k % 2], take.len);

            frd_recv(s, prev, in);
            frd_reduce(s, take, in, frd_part(s, io->src, n, r - k - 1));
        } else { /* second lap: store */
            frd_recv(s, prev, take);
        }
    }
}
