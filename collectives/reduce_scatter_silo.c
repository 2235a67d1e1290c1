/* SPDX-License-Identifier: BSD-3-Clause
 * reduce_scatter_silo.c - reduce-scatter among ranks in several silos: all blocks are reduced inside each
 * silo to its gateway, each block crosses to the gateway of its rank's silo, is reduced there, and goes to
 * its rank. With several lanes each has as many of the blocks, in their order.
 *
 *     steps    log m in a silo of m ranks, 1 way between silos, 1
 *     bytes    what other silos' ranks get leaves a silo once: L(S-1)/S of S equal silos
 *     scratch  L at gateways, and S-1 of each of its silo's blocks; another L where blocks lie apart
 *     order    that of the silos */
#include "collectives/levels.h"

/* One block, of which `sum` is our silo's at a gateway. */
static void finish(frd_sched *s, const frd_group *g, const frd_io *io, int lane, int member, frd_ref sum)
{
    const frd_levels *const l = g->levels;
    const frd_group across = frd_across(g, lane);
    const int home = l->silo_of[member], *const gate = l->gate + lane * l->nsilos;

    if (frd_is_gate(g, lane) && home != l->silo) {
        frd_send(s, g->peer[gate[home]], sum);
    } else if (frd_is_gate(g, lane)) {
        frd_across_take(s, &across, sum, sum);
        if (member == g->rank)
            frd_copy(s, io->dst, sum); /* in place, dst may overlap what is still to be reduced: only now */
        else
            frd_send(s, g->peer[member], sum);
    } else if (member == g->rank) {
        frd_recv(s, g->peer[gate[home]], io->dst);
    }
}

void frd_reduce_scatter_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_group inside = frd_inside(g);
    const int lanes = g->levels->ngates;
    const frd_ref run = frd_src_run(s, io, g->size);

    for (int lane = 0; lane < lanes; lane++) {
        const int begin = g->size * lane / lanes, end = g->size * (lane + 1) / lanes;
        const frd_ref part = frd_run_blocks(&io->sblk, run, begin, end - begin);
        const frd_ref sum = frd_is_gate(g, lane) ? frd_tmp_typed(s, part.len, part.type) : frd_head(part, 0);
        size_t at = 0;

        frd_reduce_binomial(s, &inside,
                            &(frd_io){ .dst = sum, .src = part, .root = frd_inside_gate(g, lane) });
        for (int i = begin; i < end; i++) {
            const size_t len = frd_src_block(io, i).len;

            finish(s, g, io, lane, i, frd_is_gate(g, lane) ? frd_sub(sum, at, len) : sum);
            at += len;
        }
    }
}
