/* SPDX-License-Identifier: BSD-3-Clause
 * scatter_linear.c - the root sends every member its block, all at once.
 *
 *     steps    1, with n-1 sends at the root
 *     bytes    n-1 blocks by the root
 *     scratch  none */
#include "collectives/coll.h"

void frd_scatter_linear(frd_sched *s, const frd_group *g, const frd_io *io)
{
    if (g->rank != io->root) {
        frd_recv(s, g->peer[io->root], io->dst);
        return;
    }
    for (int k = 1; k < g->size; k++) { /* from the next rank on: not all roots start with rank 0 */
        const int i = (io->root + k) % g->size;

        frd_send(s, g->peer[i], frd_src_block(io, i));
    }
    frd_copy(s, io->dst, frd_src_block(io, io->root));
}
