/* SPDX-License-Identifier: BSD-3-Clause
 * gather_linear.c - every member sends its block to the root, which receives all at once.
 *
 *     steps    1, with n-1 receives at the root
 *     bytes    one block by each
 *     scratch  none */
#include "collectives/coll.h"

void frd_gather_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    if (g->rank != io->root) {
        frd_send(s, g->peer[io->root], io->src);
        return;
    }
    for (int k = 1; k < g->size; k++) { /* from the next rank on: not all roots start with rank 0 */
        const int i = (io->root + k) % g->size;

        frd_recv(s, g->peer[i], frd_dst_block(io, i));
    }
    frd_copy(s, frd_dst_block(io, io->root), io->src);
}
