/* SPDX-License-Identifier: BSD-3-Clause
 * scatter_silo.c - scatter to ranks in several silos: a block for another silo goes to the gateway of the
 * root's, to that of the block's, and to its rank. Each block stays a message of its own, so that none waits
 * for a whole silo's. Block i of a silo goes through lane i modulo the number of lanes.
 *
 *     steps    3 at most, one way between silos
 *     bytes    the other silos' blocks leave the root's silo once
 *     scratch  at gateways, the blocks that pass; none at the root */
#include "collectives/levels.h"

static void to_our_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    if (g->rank != io->root) {
        frd_recv(s, g->peer[io->root], io->dst);
        return;
    }
    for (int k = l->first[l->silo]; k < l->first[l->silo + 1]; k++) {
        if (l->member[k] != io->root)
            frd_send(s, l->peer[k], frd_src_block(io, l->member[k]));
    }
    frd_copy(s, io->dst, frd_src_block(io, io->root));
}

/* The block of a member of another silo than the root's. */
static void to_afar(frd_sched *s, const frd_group *g, const frd_io *io, int member)
{
    const frd_levels *const l = g->levels;
    const int lane = l->place[member] % l->ngates, *const gate = l->gate + lane * l->nsilos;
    const int way[4] = { io->root, gate[l->silo_of[io->root]], gate[l->silo_of[member]], member };
    frd_ref at = io->dst;

    if (g->rank == io->root)
        at = frd_src_block(io, member);
    else if (g->rank != member && (g->rank == way[1] || g->rank == way[2]))
        at = frd_tmp_typed(s, io->dst.len, io->dst.type);
    frd_hops(s, g, way, at);
}

void frd_scatter_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    for (int i = 0; i < g->size; i++) { /* what goes far goes first */
        if (l->silo_of[i] != l->silo_of[io->root])
            to_afar(s, g, io, i);
    }
    if (l->silo == l->silo_of[io->root])
        to_our_silo(s, g, io);
}
