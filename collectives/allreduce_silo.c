/* SPDX-License-Identifier: BSD-3-Clause
 * allreduce_silo.c - allreduce of ranks in several silos: reduced inside each, among the silos' gateways, and
 * broadcast inside each. For fragments: those of one stage run beside those of the others.
 *
 *     steps    2 log m in a silo of m ranks, and 2 ways between S silos (silo_direct: 1)
 *     bytes    2L(S-1)/S leave a silo (silo_direct, or S = 2: L(S-1))
 *     scratch  3L at gateways (silo_direct: L(S+1))
 *     order    that of the silos, so for commutative operators
 *
 * silo_planned goes between silos along the trees that a plan gives (across_forest.c). */
#include "collectives/levels.h"

enum form { IN_PARTS, DIRECT, PLANNED };

static void allreduce(frd_sched *s, const frd_group *g, const frd_io *io, enum form form)
{
    const frd_group inside = frd_inside(g);

    for (int lane = 0; lane < g->levels->ngates; lane++) {
        const frd_group across = frd_across(g, lane);
        const frd_io part = { .dst = frd_lane_part(s, g, io->dst, lane),
                              .src = frd_lane_part(s, g, io->src, lane),
                              .root = frd_inside_gate(g, lane) };

        frd_reduce_binomial(s, &inside, &part);
        if (frd_is_gate(g, lane) && form == PLANNED)
            frd_across_forest(s, &across, part.dst, g->levels->forest);
        else if (frd_is_gate(g, lane))
            frd_across_allreduce(s, &across, part.dst, form == DIRECT);
        frd_broadcast_binomial(s, &inside, &part);
    }
}

void frd_allreduce_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    allreduce(s, g, io, IN_PARTS);
}

void frd_allreduce_silo_direct(frd_sched *s, const frd_group *g, const frd_io *io)
{
    allreduce(s, g, io, DIRECT);
}

void frd_allreduce_silo_planned(frd_sched *s, const frd_group *g, const frd_io *io)
{
    allreduce(s, g, io, PLANNED);
}
