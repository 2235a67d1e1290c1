/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_silo.c - reduce of ranks in several silos: inside each to its gateway, among the gateways to that of the
 * root's silo, and to the root.
 *
 *     steps    log m + 1 in a silo of m ranks, and 2 ways between S silos (silo_direct: 1)
 *     bytes    L leave a silo, L enter the root's (silo_direct: L(S-1) enter it)
 *     scratch  4L at gateways (silo_direct: L(S+2))
 *     order    that of the silos, or mixed: for commutative operators */
#include "collectives/levels.h"

static void reduce(frd_sched *s, const frd_group *g, const frd_io *io, bool direct)
{
    const frd_group inside = frd_inside(g);
    const frd_levels *const l = g->levels;
    const int root_silo = l->silo_of[io->root];

    for (int lane = 0; lane < l->ngates; lane++) {
        const frd_group across = frd_across(g, lane);
        const int gate = l->gate[lane * l->nsilos + root_silo];
        const frd_ref src = frd_lane_part(s, g, io->src, lane);
        const frd_ref dst = g->rank == io->root ? frd_lane_part(s, g, io->dst, lane) : frd_head(src, 0);
        frd_ref sum = dst; /* of our silo, then of all */

        if (frd_is_gate(g, lane) && g->rank != io->root)
            sum = frd_tmp_typed(s, src.len, src.type);
        frd_reduce_binomial(s, &inside, &(frd_io){ .dst = sum, .src = src, .root = frd_inside_gate(g, lane) });
        if (frd_is_gate(g, lane))
            frd_across_reduce(s, &across, sum, root_silo, direct);
        if (gate == io->root)
            continue;
        if (g->rank == gate)
            frd_send(s, g->peer[io->root], sum);
        if (g->rank == io->root)
            frd_recv(s, g->peer[gate], dst);
    }
}

void frd_reduce_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    reduce(s, g, io, false);
}

void frd_reduce_silo_direct(frd_sched *s, const frd_group *g, const frd_io *io)
{
    reduce(s, g, io, true);
}
