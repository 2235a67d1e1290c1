/* SPDX-License-Identifier: BSD-3-Clause
 * levels.c - who is in which silo, and who are the gateways. */
#include "collectives/levels.h"

/* Has a member of lower index, in the same silo, the same node? */
static bool is_first_of_node(const frd_group *g, const frd_levels *l, int i)
{
    for (int k = l->first[g->silo[i]]; l->member[k] < i; k++) {
        if (g->node == NULL || g->node[l->member[k]] == g->node[i])
            return false;
    }
    return true;
}

/* Puts the silo's gateways into gate[0], gate[stride], ...: in a first pass one of each node, in a second the rest. */
static void choose_gates(const frd_group *g, const frd_levels *l, int silo, int *gate)
{
    int n = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (int k = l->first[silo]; k < l->first[silo + 1] && n < l->ngates; k++) {
            if (is_first_of_node(g, l, l->member[k]) == (pass == 0))
                gate[n++ * l->nsilos + silo] = l->member[k];
        }
    }
}

size_t frd_levels_bytes(int size, int nsilos, int wanted)
{
    const size_t n = (size_t)size, silos = (size_t)nsilos;

    wanted = wanted < size ? wanted : size;
    return sizeof(frd_levels) + (4 * n + silos + 1 + 2 * silos * (size_t)wanted) * sizeof(int);
}

void frd_levels_init(frd_levels *l, const frd_group *g, int nsilos, int wanted)
{
    const int n = g->size, most = wanted < n ? wanted : n;
    int *const silo_of = (int *)(l + 1), *const place = silo_of + n, *const first = place + n;
    int *const member = first + nsilos + 1, *const peer = member + n, *const gate = peer + n;
    int *const gate_peer = gate + nsilos * most;
    int end = 0;

    *l = (frd_levels){ .nsilos = nsilos,
                       .ngates = most,
                       .silo = g->silo[g->rank],
                       .silo_of = silo_of,
                       .place = place,
                       .first = first,
                       .member = member,
                       .peer = peer,
                       .gate = gate,
                       .gate_peer = gate_peer };
    first[0] = 0;
    for (int s = 0; s < nsilos; s++) {
        for (int i = 0; i < g->size; i++) {
            if (g->silo[i] != s)
                continue;
            silo_of[i] = s;
            place[i] = end - first[s];
            peer[end] = g->peer[i];
            member[end++] = i;
        }
        first[s + 1] = end;
        l->ngates = end - first[s] < l->ngates ? end - first[s] : l->ngates;
    }
    for (int s = 0; s < nsilos; s++)
        choose_gates(g, l, s, gate);
    for (int i = 0; i < l->ngates * nsilos; i++)
        gate_peer[i] = g->peer[gate[i]];
}

frd_group frd_inside(const frd_group *g)
{
    const frd_levels *const l = g->levels;
    const int start = l->first[l->silo];

    return (frd_group){ .size = l->first[l->silo + 1] - start, .rank = l->place[g->rank], .peer = l->peer + start };
}

frd_group frd_across(const frd_group *g, int lane)
{
    const frd_levels *const l = g->levels;

    return (frd_group){ .size = l->nsilos, .rank = l->silo, .peer = l->gate_peer + lane * l->nsilos };
}

int frd_inside_gate(const frd_group *g, int lane)
{
    const frd_levels *const l = g->levels;

    return l->place[l->gate[lane * l->nsilos + l->silo]];
}

bool frd_is_gate(const frd_group *g, int lane)
{
    return g->levels->gate[lane * g->levels->nsilos + g->levels->silo] == g->rank;
}

frd_ref frd_lane_part(const frd_sched *s, const frd_group *g, frd_ref all, int lane)
{
    return frd_part(s, all, g->levels->ngates, lane);
}
