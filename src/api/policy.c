/* SPDX-License-Identifier: BSD-3-Clause
 * policy.c - the topology file's rules, asked by rank. Everything is computed from what all ranks know alike,
 * so both ends of a link, and its relays, have the same opinion. */
#include "api/policy.h"

#include <string.h>

#include "api/context.h"
#include "base/mem.h"
#include "collectives/levels.h"

#define BITS_PER_BYTE 8
#define SPARE_SHARE 16 /* ranks that are no gateways have one part of so many of a cap */

typedef struct rank_row {
    int silo;   /* the lowest rank of its silo */
    int number; /* of the silo in the file; -1: no file */
    int ranks;  /* of the silo */
    bool gate;  /* one of its silo's gateways */
    bool relay; /* the first of them */
} rank_row;

struct frd_policy {
    frd_net_policy net;
    const frd_silos *silos;
    const frd_place *places;
    int size, rank, gates;
    uint64_t present[FRD_SILOS_WORDS]; /* silos of the file that have ranks */
    rank_row row[];
};

/* ---- caps ---- */

/* Our share of what the silo may send. */
static uint64_t share(const frd_policy *p, uint64_t bps)
{
    const rank_row *const own = &p->row[p->rank];
    const uint64_t gates = (uint64_t)p->gates, others = (uint64_t)(own->ranks - p->gates);
    const uint64_t all = bps / BITS_PER_BYTE, spare = others > 0 ? all / SPARE_SHARE : 0;
    const uint64_t mine = own->gate ? (all - spare) / gates : spare / (others > 0 ? others : 1);

    return bps == 0 || mine > 0 ? mine : 1; /* 0 would be no cap */
}

/* ---- who reaches whom ---- */

/* Is the rank where the file's addresses of its gateway lead? They are the first rank's of the host. */
static const frd_silo_gateway *named(const frd_policy *p, int rank)
{
    const frd_place *const place = &p->places[rank];
    const rank_row *const row = &p->row[rank];
    const frd_silo *const silo = row->number < 0 ? NULL : &p->silos->silo[row->number];

    if (silo == NULL || place->gateway == 0 || place->gateway > silo->ngateways)
        return NULL;
    for (int i = row->silo; i < rank; i++) {
        if (p->row[i].silo == row->silo && p->places[i].gateway == place->gateway)
            return NULL;
    }
    return &silo->gateways[place->gateway - 1];
}

static bool may_relay(void *arg, int from, int to, int via)
{
    const frd_policy *const p = arg;
    const rank_row *const a = &p->row[from], *const b = &p->row[to], *const c = &p->row[via];

    if (!c->relay || a->silo == b->silo || a->silo == c->silo || b->silo == c->silo)
        return false;
    return p->silos == NULL || (frd_silos_may_relay(p->silos, a->number, b->number, c->number) &&
                                frd_links_direct(p->silos->links, a->number, c->number) &&
                                frd_links_direct(p->silos->links, c->number, b->number));
}

/* The rank that relays for silo `number`. */
static int relay_of(const frd_policy *p, int number)
{
    int rank = 0;

    while (p->row[rank].number != number || !p->row[rank].relay)
        rank++;
    return rank;
}

static void find_way(void *arg, int peer, frd_net_way *way)
{
    const frd_policy *const p = arg;
    const rank_row *const own = &p->row[p->rank], *const its = &p->row[peer];

    *way = (frd_net_way){ .silo = its->silo };
    if (p->silos == NULL || own->silo == its->silo)
        return;
    const frd_silo_gateway *const gateway = named(p, peer);
    const int hops = frd_silos_way(p->silos, p->present, own->number, its->number, way->via, FRD_NET_HOPS);

    way->barred = hops != 0;
    way->hops = hops > 0 && hops <= FRD_NET_HOPS ? (unsigned)hops : 0;
    for (unsigned i = 0; i < way->hops; i++)
        way->via[i] = relay_of(p, way->via[i]);
    way->waits = (frd_links_get(p->silos->links, own->number, its->number)->flags & FRD_LINK_DIAL) == 0;
    way->rate = share(p, frd_silos_cap_bps(p->silos, own->number, its->number));
    way->addresses = gateway != NULL ? gateway->addresses : NULL;
    way->naddresses = gateway != NULL ? gateway->naddresses : 0;
}

/* Every rank looks at all pairs: one that looked only at its own would wait for others that have given up. */
static int check_ways(const frd_policy *p, frd_story *story)
{
    for (int i = 0; p->silos != NULL && i < p->size; i++) {
        if (p->row[i].number < 0)
            return frd_fail(story, FEDRDMA_ERR_MISMATCH,
                            "rank %d says that its silo is \"%.63s\", which is not in the "
                            "topology file; give all ranks the same file",
                            i, p->places[i].silo);
    }
    for (int a = 0; p->silos != NULL && a < p->silos->count; a++) {
        for (int b = 0; b < a; b++) {
            int via[FRD_NET_HOPS];

            if ((p->present[a / 64] >> a % 64 & p->present[b / 64] >> b % 64 & 1) == 0)
                continue;
            const int hops = frd_silos_way(p->silos, p->present, a, b, via, FRD_NET_HOPS);
            if (hops < 0)
                return frd_fail(
                    story, FEDRDMA_ERR_UNREACHABLE,
                    "silos \"%s\" and \"%s\" exchange nothing without a relay (topology file, talk or dial), "
                    "and no silo of this job that both reach may relay for them; start ranks in one, or let "
                    "the two talk",
                    p->silos->silo[b].name, p->silos->silo[a].name);
            if (hops > FRD_NET_HOPS)
                return frd_fail(
                    story, FEDRDMA_ERR_UNREACHABLE,
                    "between silos \"%s\" and \"%s\" the topology file needs %d relays in a row, and %d are "
                    "the most; let more silos talk to each other",
                    p->silos->silo[b].name, p->silos->silo[a].name, hops, FRD_NET_HOPS);
        }
    }
    return FEDRDMA_OK;
}

/* ---- set-up ---- */

int frd_policy_gateways(const frd_silos *silos, const frd_place *places, const int *ranks, int size,
                        int option)
{
    size_t least = 0;

    if (option > 0)
        return option;
    for (int i = 0; silos != NULL && i < size; i++) {
        const int silo = frd_silos_find(silos, places[ranks != NULL ? ranks[i] : i].silo);

        if (silo >= 0 && (least == 0 || silos->silo[silo].ngateways < least))
            least = silos->silo[silo].ngateways;
    }
    return least > 0 ? (int)least : 1;
}

static void fill_rows(frd_policy *p)
{
    for (int i = 0; i < p->size; i++) {
        rank_row *const row = &p->row[i];

        while (strcmp(p->places[row->silo].silo, p->places[i].silo) != 0)
            row->silo++;
        p->row[row->silo].ranks++;
        row->number = p->silos != NULL ? frd_silos_find(p->silos, p->places[i].silo) : -1;
        if (row->number >= 0)
            p->present[row->number / 64] |= UINT64_C(1) << row->number % 64;
    }
    for (int i = 0; i < p->size; i++)
        p->row[i].ranks = p->row[p->row[i].silo].ranks;
}

/* Numbers of silos and nodes as levels.h wants them, and who is known to be what. */
static int number_ranks(const frd_policy *p, int *silo, int *node, int *peer, unsigned char *known)
{
    int silos = 0;

    for (int i = 0; i < p->size; i++) {
        const frd_place *const place = &p->places[i];
        int first = 0;

        silo[i] = p->row[i].silo == i ? silos++ : silo[p->row[i].silo];
        while (strcmp(p->places[first].node, place->node) != 0)
            first++;
        node[i] = first;
        peer[i] = i;
        known[i] = frd_place_known(place);
    }
    return silos;
}

/* The gateways of the world: smaller communicators may have others, which are counted among the silo's other
 * ranks. */
static int choose_gates(frd_policy *p, int wanted)
{
    const size_t n = (size_t)p->size;
    int *const room = frd_calloc(3 * n, sizeof(*room));
    unsigned char *const known = frd_calloc(n, 1);
    frd_levels *levels = NULL;
    int silos = 0;

    if (room != NULL && known != NULL) {
        silos = number_ranks(p, room, room + n, room + 2 * n, known);
        levels = frd_calloc(1, frd_levels_bytes(p->size, silos, wanted));
    }
    if (levels != NULL) {
        const frd_group world = {
            .size = p->size, .rank = p->rank, .peer = room + 2 * n, .node = room + n, .silo = room
        };

        frd_levels_init(levels, &world, silos, wanted, known);
        p->gates = levels->ngates;
        for (int i = 0; i < levels->ngates * silos; i++) {
            p->row[levels->gate[i]].gate = true;
            p->row[levels->gate[i]].relay = i < silos;
        }
    }
    frd_free(room);
    frd_free(known);
    frd_free(levels);
    return levels != NULL ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
}

static void fill_net(frd_policy *p)
{
    const int own = p->row[p->rank].number;
    const frd_silo_gateway *const gateway = named(p, p->rank);

    p->net =
        (frd_net_policy){ .relays = may_relay, .way = find_way, .relay = p->row[p->rank].relay, .arg = p };
    if (own < 0)
        return;
    p->net.relay = p->net.relay && p->silos->silo[own].relay;
    p->net.rate = share(p, p->silos->silo[own].egress_bps);
    for (size_t i = 0; gateway != NULL && i < gateway->naddresses && p->net.port == 0; i++)
        p->net.port = gateway->addresses[i].port;
}

int frd_policy_create(const frd_policy_facts *facts, frd_story *story, frd_policy **out)
{
    frd_policy *const p = frd_calloc(1, sizeof(*p) + (size_t)facts->size * sizeof(p->row[0]));
    int rc = FEDRDMA_ERR_NOMEM;

    if (p == NULL)
        return frd_fail(story, rc, "links of %d ranks", facts->size);
    p->silos = facts->silos;
    p->places = facts->places;
    p->size = facts->size;
    p->rank = facts->rank;
    fill_rows(p);
    rc = choose_gates(p, frd_policy_gateways(p->silos, p->places, NULL, p->size, facts->gateways));
    if (rc == FEDRDMA_OK)
        rc = check_ways(p, story);
    else
        (void)frd_fail(story, rc, "links of %d ranks", p->size);
    if (rc != FEDRDMA_OK) {
        frd_policy_free(p);
        return rc;
    }
    fill_net(p);
    *out = p;
    return FEDRDMA_OK;
}

void frd_policy_free(frd_policy *policy)
{
    frd_free(policy);
}

const frd_net_policy *frd_policy_net(const frd_policy *policy)
{
    return &policy->net;
}
