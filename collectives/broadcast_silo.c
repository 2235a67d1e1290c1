/* SPDX-License-Identifier: BSD-3-Clause
 * broadcast_silo.c - broadcast to ranks in several silos: the root to its silo's gateway, that to the other gateways,
 * and those inside their silos. The root's own silo has it from the root.
 *
 *     steps    log m + 1 in a silo of m ranks, and 2 ways between S silos (silo_direct: 1)
 *     bytes    L leave the root's silo, and L(S-2)/(S-1) each of the others (silo_direct: L(S-1), and 0)
 *     scratch  L at a gateway that isn't the root */
#include "collectives/levels.h"

static void broadcast(frd_sched *s, const frd_group *g, const frd_io *io, bool direct)
{
    const frd_group inside = frd_inside(g);
    const frd_levels *const l = g->levels;
    const int root_silo = l->silo_of[io->root];
    const bool here = l->silo == root_silo;

    for (int lane = 0; lane < l->ngates; lane++) {
        const frd_group across = frd_across(g, lane);
        const int gate = l->gate[lane * l->nsilos + root_silo];
        const frd_ref part = frd_lane_part(s, g, io->dst, lane);
        frd_ref at = part; /* where a gateway has it: in the root's silo it comes to the buffer by another way, too */

        if (gate != io->root && g->rank == gate) {
            at = frd_tmp_typed(s, part.len, part.type);
            frd_recv(s, g->peer[io->root], at);
        } else if (gate != io->root && g->rank == io->root) {
            frd_send(s, g->peer[gate], part);
        }
        if (frd_is_gate(g, lane))
            frd_across_broadcast(s, &across, at, root_silo, direct);
        if (!here)
            frd_broadcast_binomial(s, &inside, &(frd_io){ .dst = part, .root = frd_inside_gate(g, lane) });
    }
    if (here)
        frd_broadcast_binomial(s, &inside, &(frd_io){ .dst = io->dst, .root = l->place[io->root] });
}

void frd_broadcast_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    broadcast(s, g, io, false);
}

void frd_broadcast_silo_direct(frd_sched *s, const frd_group *g, const frd_io *io)
{
    broadcast(s, g, io, true);
}
