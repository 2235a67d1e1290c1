/* SPDX-License-Identifier: BSD-3-Clause
 * plan_net.c - a topology with its links as the planner's net. */
#include "collectives/plan.h"
#include "fedrdma.h"

static frd_forest_link link_of(const frd_silos *silos, const frd_links *links, int from, int to)
{
    const frd_link_facts facts = frd_links_expect(links, from, to);
    uint64_t rate_bps = facts.rate_bps;

    if (rate_bps == 0 && silos->silo[from].egress_bps == 0 && silos->silo[to].ingress_bps == 0)
        rate_bps = FRD_FOREST_RATE;
    return (frd_forest_link){ .talk = frd_links_direct(links, from, to),
                              .delay_ns = facts.rtt_ns / 2,
                              .rate_bps = rate_bps < FRD_FOREST_RATE_MAX ? rate_bps : FRD_FOREST_RATE_MAX };
}

static uint64_t cap_of(uint64_t bps)
{
    return bps < FRD_FOREST_RATE_MAX ? bps : FRD_FOREST_RATE_MAX;
}

int frd_forest_net_of(const frd_silos *silos, const frd_links *links, frd_arena *arena, frd_story *story,
                      frd_forest_net *net)
{
    const int n = silos->count;
    const size_t cells = (size_t)n * (size_t)n;
    frd_forest_silo *silo = frd_arena_alloc(arena, (size_t)n * sizeof *silo);
    frd_forest_link *link = frd_arena_alloc(arena, cells * sizeof *link);
    const char **name = frd_arena_alloc(arena, (size_t)n * sizeof *name);
    bool *carry = frd_arena_alloc(arena, cells * sizeof *carry);

    if (silo == NULL || link == NULL || name == NULL || carry == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", n);
    for (int i = 0; i < n; i++) {
        silo[i] = (frd_forest_silo){ .egress_bps = cap_of(silos->silo[i].egress_bps),
                                     .ingress_bps = cap_of(silos->silo[i].ingress_bps),
                                     .root = true };
        name[i] = silos->silo[i].name;
        for (int k = 0; k < n; k++) {
            carry[i * n + k] = silos->silo[i].relay;
            if (i != k)
                link[i * n + k] = link_of(silos, links, i, k);
        }
    }
    for (size_t i = 0; i < silos->ndetours; i++) {
        const frd_silo_detour *d = &silos->detours[i];
        carry[d->through * n + d->a] = carry[d->through * n + d->b] = false;
    }
    *net = (frd_forest_net){ .silos = n, .name = name, .silo = silo, .link = link, .carry = carry };
    return FEDRDMA_OK;
}
