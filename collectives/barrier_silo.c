/* SPDX-License-Identifier: BSD-3-Clause
 * barrier_silo.c - barrier of ranks in several silos: a silo's ranks tell their gateway, the gateways each other, and
 * each its silo's ranks. A copy of all tokens waits for each, as in barrier_linear.c.
 *
 *     steps    2 in a silo, 1 way between silos
 *     bytes    S-1 leave a silo
 *     scratch  tokens */
#include "collectives/levels.h"

/* One token to each other member, one from each: received into `heard`, sent from `said`. */
static void tell(frd_sched *s, const frd_group *g, frd_ref heard, frd_ref said)
{
    for (int i = 0; i < g->size; i++) {
        if (i == g->rank)
            continue;
        if (said.len > 0)
            frd_send(s, g->peer[i], frd_head(said, 1));
        if (heard.len > 0)
            frd_recv(s, g->peer[i], frd_sub(heard, (size_t)i, 1));
    }
}

void frd_barrier_silo(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const frd_group inside = frd_inside(g), across = frd_across(g, 0);
    const size_t m = (size_t)inside.size, n = (size_t)across.size;
    const frd_ref none = { 0, 0, FRD_SPACE_NONE, 0 };

    (void)io;
    if (!frd_is_gate(g, 0)) {
        const int gate = inside.peer[frd_inside_gate(g, 0)];
        const frd_ref token = frd_tmp(s, 2);

        frd_send(s, gate, frd_head(token, 1));
        frd_recv(s, gate, frd_sub(token, 1, 1));
        return;
    }
    const frd_ref near = frd_tmp(s, m), all_near = frd_tmp(s, m);
    const frd_ref far = frd_tmp(s, n + m), all_far = frd_tmp(s, n + m);

    tell(s, &inside, near, none);
    frd_copy(s, all_near, near);
    tell(s, &across, far, all_near);
    frd_copy(s, frd_sub(far, n, m), all_near); /* when there are no others */
    frd_copy(s, all_far, far);
    tell(s, &inside, none, all_far);
}
