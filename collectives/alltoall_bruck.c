/* SPDX-License-Identifier: BSD-3-Clause
 * alltoall_bruck.c - all-to-all of equal blocks in log n steps for any n, for short blocks.
 *
 * Slot j of rank r starts as the block for rank r + j. In round k all slots with bit k set move
 * together 2^k ranks up, packed as one message, so in the end slot j has come j ranks up, and holds the
 * block of rank r - j for us. A slot is never unpacked: it stays in what arrived in the round of its
 * highest bit so far, at the place that its bits tell.
 *
 *     steps    log n
 *     bytes    L/2 log n by each (L: all n blocks)
 *     scratch  L/2 log n + L
 *
 * Bruck, Ho, Kipnis, Upfal, Weathersby, 1997. */
#include "collectives/coll.h"

#define ROUNDS_MAX 31 /* bits of a rank */

/* How many of 0 .. j-1 have bit `mask` set: the place of slot j in that round's message. */
static int place(int j, int mask)
{
    const int rest = j % (2 * mask);

    return j / (2 * mask) * mask + (rest > mask ? rest - mask : 0);
}

/* Where slot j is before the round of `mask`: the source block, or what arrived in an earlier round. */
static frd_ref slot(const frd_io *io, frd_ref src, const frd_ref in[], int j, int mask)
{
    const int moved = j & (mask - 1);
    int k = 0;

    if (moved == 0)
        return src;
    while (moved >> (k + 1) != 0)
        k++;
    return frd_sub(in[k], (size_t)place(j, 1 << k) * io->sblk.len, io->sblk.len);
}

void frd_alltoall_bruck(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const int n = g->size, r = g->rank;
    const size_t len = io->sblk.len;
    const frd_ref packed[2] = { frd_tmp(s, (size_t)n / 2 * len), frd_tmp(s, (size_t)n / 2 * len) };
    frd_ref in[ROUNDS_MAX];
    int k = 0, mask = 1;

    for (; mask < n; mask *= 2, k++) {
        const size_t bytes = (size_t)place(n, mask) * len;

        in[k] = frd_tmp(s, bytes);
        for (int j = mask; j < n; j++)
            if ((j & mask) != 0)
                frd_copy(s, frd_sub(packed[k % 2], (size_t)place(j, mask) * len, len),
                         slot(io, frd_src_block(io, (r + j) % n), in, j, mask));
        frd_send(s, g->peer[(r + mask) % n], frd_head(packed[k % 2], bytes));
        frd_recv(s, g->peer[(r + n - mask) % n], in[k]);
    }
    for (int j = 0; j < n; j++)
        frd_copy(s, frd_dst_block(io, (r + n - j) % n), slot(io, frd_src_block(io, r), in, j, mask));
}
