/* SPDX-License-Identifier: BSD-3-Clause
 * levels.c - who is in which silo, and who are the gateways. */
#include "collectives/levels.h"

static bool is(const unsigned char *known, int i, int what)
{
    return known != NULL && (known[i] & what) != 0;
}

/* How many members of a silo may be gateways; some are named, or all may. */
static int eligible(const frd_levels *l, int silo, const unsigned char *known)
{
    int n = 0;

    for (int k = l->first[silo]; k < l->first[silo + 1]; k++)
        n += is(known, l->member[k], FRD_LEVELS_NAMED) ? 1 : 0;
    return n > 0 ? n : l->first[silo + 1] - l->first[silo];
}

/* Is it a gateway already, or (by node) is one on its node? */
static bool is_taken(const frd_group *g, const frd_levels *l, int chosen, int i, bool by_node)
{
    for (int k = 0; k < chosen; k++) {
        const int other = l->gate[k * l->nsilos + g->silo[i]];

        if (other == i || (by_node && (g->node == NULL || g->node[other] == g->node[i])))
            return true;
    }
    return false;
}

/* Four times through the silo: near the card and first of a node, first of a node, near the card, any. */
static void choose_gates(const frd_group *g, const frd_levels *l, int silo, const unsigned char *known, int *gate)
{
    const bool all = eligible(l, silo, known) == l->first[silo + 1] - l->first[silo];
    int n = 0;

    for (int pass = 0; pass < 4; pass++) {
        for (int k = l->first[silo]; k < l->first[silo + 1] && n < l->ngates; k++) {
            const int i = l->member[k];

            if ((all || is(known, i, FRD_LEVELS_NAMED)) && (pass % 2 == 1 || is(known, i, FRD_LEVELS_NEAR)) &&
                !is_taken(g, l, n, i, pass < 2))
                gate[n++ * l->nsilos + silo] = i;
        }
    }
}

size_t frd_levels_bytes(int size, int nsilos, int wanted)
{
    const size_t n = (size_t)size, silos = (size_t)nsilos;

    wanted = wanted < size ? wanted : size;
    return sizeof(frd_levels) + (4 * n + silos + 1 + 2 * silos * (size_t)wanted) * sizeof(int);
}

void frd_levels_init(frd_levels *l, const frd_group *g, int nsilos, int wanted, const unsigned char *known)
{
    const int n = g->size, most = wanted < n ? wanted : n;
    int *const silo_of = (int *)(l + 1), *const place = silo_of + n, *const first = place + n;
    int *const member = first + nsilos + 1, *const peer = member + n, *const gate = peer + n;
    int *const gate_peer = gate + nsilos * most;
    int end = 0;

    *l = (frd_levels){ .nsilos = nsilos,
                       .ngates = most,
                       .silo = g->silo[g->rank],
                       .ordered = true,
                       .silo_of = silo_of,
                       .place = place,
                       .first = first,
                       .member = member,
                       .peer = peer,
                       .gate = gate,
                       .gate_peer = gate_peer };
    for (int i = 1; i < n; i++)
        l->ordered = l->ordered && g->silo[i] >= g->silo[i - 1];
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
    }
    for (int s = 0; s < nsilos; s++) {
        const int may = eligible(l, s, known);

        l->ngates = may < l->ngates ? may : l->ngates;
    }
    for (int s = 0; s < nsilos; s++)
        choose_gates(g, l, s, known, gate);
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

void frd_hops(frd_sched *s, const frd_group *g, const int way[4], frd_ref at)
{
    for (int hop = 0; hop < 3; hop++) {
        if (way[hop] == way[hop + 1])
            continue;
        if (g->rank == way[hop + 1])
            frd_recv(s, g->peer[way[hop]], at);
        if (g->rank == way[hop])
            frd_send(s, g->peer[way[hop + 1]], at);
    }
}
