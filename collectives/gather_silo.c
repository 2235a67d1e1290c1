/* SPDX-License-Identifier: BSD-3-Clause
 * gather_silo.c - gather from ranks in several silos: other silos' ranks send their blocks to their gateway, which
 * sends them on to the gateway of the root's silo, and that to the root. Each block stays a message of its own, so
 * that nothing waits for a whole silo's. Block i of a silo goes through lane i modulo the number of lanes.
 *
 *     steps    4 at most, one way between silos
 *     bytes    the blocks of a silo's ranks leave it once
 *     scratch  at gateways, the blocks that pass; none at the root */
#include "collectives/levels.h"

static void from_our_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    if (g->rank != io->root) {
        frd_send(s, g->peer[io->root], io->src);
        return;
    }
    for (int k = l->first[l->silo]; k < l->first[l->silo + 1]; k++) {
        if (l->member[k] != io->root)
            frd_recv(s, l->peer[k], frd_dst_block(io, l->member[k]));
    }
    frd_copy(s, frd_dst_block(io, io->root), io->src);
}

/* The block of a member of another silo than the root's. */
static void from_afar(frd_sched *s, const frd_group *g, const frd_io *io, int member)
{
    const frd_levels *const l = g->levels;
    const int lane = l->place[member] % l->ngates, silo = l->silo_of[member];
    const int gate = l->gate[lane * l->nsilos + silo], far_gate = l->gate[lane * l->nsilos + l->silo_of[io->root]];
    const int way[4] = { member, gate, far_gate, io->root };
    frd_ref at = g->rank == member ? io->src : frd_head(io->src, 0);

    if (g->rank == io->root)
        at = frd_dst_block(io, member);
    else if (g->rank != member && (g->rank == gate || g->rank == far_gate))
        at = frd_tmp_typed(s, io->src.len, io->src.type);
    frd_hops(s, g, way, at);
}

void frd_gather_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    if (l->silo == l->silo_of[io->root])
        from_our_silo(s, g, io);
    for (int i = 0; i < g->size; i++) {
        if (l->silo_of[i] != l->silo_of[io->root])
            from_afar(s, g, io, i);
    }
}
