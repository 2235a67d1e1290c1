/* SPDX-License-Identifier: BSD-3-Clause
 * allgather_silo.c - allgather of ranks in several silos: a block crosses to each other silo once, from its rank's
 * gateway to that silo's, and is broadcast there. Each block stays a message of its own. Block i of a silo goes through
 * lane i modulo the number of lanes.
 *
 *     steps    1 + log m in a silo of m ranks, and one way between S silos
 *     bytes    a silo's blocks leave it S-1 times
 *     scratch  none */
#include "collectives/levels.h"

/* Our silo's blocks, to all of the silo: each rank sends its own to all others. */
static void inside(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_levels *const l = g->levels;

    frd_copy(s, frd_dst_block(io, g->rank), io->src);
    for (int k = l->first[l->silo]; k < l->first[l->silo + 1]; k++) {
        if (l->member[k] == g->rank)
            continue;
        frd_send(s, l->peer[k], io->src);
        frd_recv(s, l->peer[k], frd_dst_block(io, l->member[k]));
    }
}

static void across(frd_sched *s, const frd_group *g, const frd_io *io, int member)
{
    const frd_levels *const l = g->levels;
    const frd_group own = frd_inside(g);
    const int lane = l->place[member] % l->ngates, from = l->silo_of[member], *gate = l->gate + lane * l->nsilos;
    const frd_ref block = frd_dst_block(io, member);

    for (int to = 0; to < l->nsilos; to++) {
        if (to != from && g->rank == gate[from])
            frd_send(s, g->peer[gate[to]], block);
        if (to != from && g->rank == gate[to])
            frd_recv(s, g->peer[gate[from]], block);
    }
    if (l->silo != from)
        frd_broadcast_binomial(s, &own, &(frd_io){ .dst = block, .root = frd_inside_gate(g, lane) });
}

void frd_allgather_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    inside(s, g, io);
    for (int i = 0; i < g->size; i++)
        across(s, g, io, i);
}
