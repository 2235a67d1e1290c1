/* SPDX-License-Identifier: BSD-3-Clause
 * scan_silo.c - prefix reductions of ranks in several silos that follow each other, silo by silo: inside
 * each, of the silos' sums among the gateways, and what comes before a silo is handed out in it and put
 * before. Where silos are mixed, no part of the work is a silo's, and recursive doubling does all of it.
 *
 *     steps    2 log m + 2 in a silo of m ranks, and 1 + log S ways between S silos
 *     bytes    L log S leave a silo
 *     scratch  6L
 *     order    kept */
#include "collectives/levels.h"

/* What all silos before ours make, at each rank of ours; nothing in the first. `sums`: the ranks' own
 * prefixes. */
static frd_ref before_us(frd_sched *s, const frd_group *g, frd_ref sums)
{
    const frd_levels *const l = g->levels;
    const frd_group inside = frd_inside(g);
    const frd_ref before = frd_tmp_typed(s, sums.len, sums.type),
                  total = frd_tmp_typed(s, sums.len, sums.type);
    const int last = l->member[l->first[l->silo + 1] - 1];

    for (int lane = 0; lane < l->ngates; lane++) {
        const int gate = l->gate[lane * l->nsilos + l->silo];
        const frd_group across = frd_across(g, lane);
        const frd_ref sum = frd_lane_part(s, g, g->rank == last ? sums : total, lane);
        const frd_ref part = frd_lane_part(s, g, before, lane);

        frd_hops(s, g, (const int[4]){ last, gate, gate, gate }, sum);
        if (g->rank == gate)
            frd_exscan_recdbl(s, &across, &(frd_io){ .dst = part, .src = sum });
        if (l->silo > 0)
            frd_broadcast_binomial(s, &inside, &(frd_io){ .dst = part, .root = frd_inside_gate(g, lane) });
    }
    return before;
}

void frd_scan_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_group inside = frd_inside(g);
    const frd_ref sums = frd_tmp_typed(s, io->src.len, io->src.type);

    if (!g->levels->ordered) {
        frd_scan_recdbl(s, g, io);
        return;
    }
    frd_scan_recdbl(s, &inside, &(frd_io){ .dst = sums, .src = io->src });
    const frd_ref before = before_us(s, g, sums);
    if (g->levels->silo > 0)
        frd_reduce(s, io->dst, before, sums);
    else
        frd_copy(s, io->dst, sums);
}

void frd_exscan_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_group inside = frd_inside(g);
    const frd_ref sums = frd_tmp_typed(s, io->src.len, io->src.type);
    const frd_ref ours = frd_tmp_typed(s, io->src.len, io->src.type); /* of those before us in the silo */

    if (!g->levels->ordered) {
        frd_exscan_recdbl(s, g, io);
        return;
    }
    frd_scan_recdbl(s, &inside, &(frd_io){ .dst = sums, .src = io->src });
    if (inside.rank + 1 < inside.size)
        frd_send(s, inside.peer[inside.rank + 1], sums);
    if (inside.rank > 0)
        frd_recv(s, inside.peer[inside.rank - 1], ours);
    const frd_ref before = before_us(s, g, sums);
    if (g->levels->silo > 0 && inside.rank > 0)
        frd_reduce(s, io->dst, before, ours);
    else if (g->rank > 0)
        frd_copy(s, io->dst, inside.rank > 0 ? ours : before);
}
