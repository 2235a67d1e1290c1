/* SPDX-License-Identifier: BSD-3-Clause
 * silos_check.c - what the values of a topology file say together. Names, addresses and ranks are sorted and
 * neighbours compared; routes are searched on bit sets, about silos^2 operations for each pair that has no
 * direct link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "topo/silos_impl.h"

/* A host, an address or a range of ranks, and where it stands. */
typedef struct mention {
    const char *name;
    int first, last; /* ranks; of an address the port, in both */
    int silo;
    bool gateway;
    const frd_yaml_node *node;
    size_t order;
} mention;

typedef struct mentions {
    mention *at;
    size_t count;
} mentions;

static int fail_mention(const frd_silos_draft *d, const mention *m, const char *text)
{
    return m->gateway ? frd_yaml_fail_key(&d->doc, m->node, "%s", text)
                      : frd_yaml_fail(&d->doc, m->node, "%s", text);
}

static int line_of(const mention *m)
{
    return m->gateway ? m->node->key_line : m->node->line;
}

static int by_order(const mention *a, const mention *b)
{
    return (a->order > b->order) - (a->order < b->order);
}

/* ---- hosts ---------------------------------------------------------------------------------------- */

static int by_name(const void *left, const void *right)
{
    const mention *a = left, *b = right;
    const int names = strcasecmp(a->name, b->name);

    return names != 0 ? names : by_order(a, b);
}

static void mention_hosts(const frd_silos_draft *d, int silo, mentions *all)
{
    const frd_yaml_node *hosts = frd_yaml_child(d->node[silo], "hosts");
    const frd_yaml_node *gateways = frd_yaml_child(d->node[silo], "gateways");

    for (const frd_yaml_node *n = hosts != NULL ? hosts->first : NULL; n != NULL; n = n->next, all->count++)
        all->at[all->count] = (mention){ .name = n->text, .silo = silo, .node = n, .order = all->count };
    for (const frd_yaml_node *n = gateways != NULL ? gateways->first : NULL; n != NULL;
         n = n->next, all->count++)
        all->at[all->count] =
            (mention){ .name = n->key, .silo = silo, .gateway = true, .node = n, .order = all->count };
}

static int check_hosts(const frd_silos_draft *d, mentions *all)
{
    char text[FRD_STORY_MAX];

    for (int i = 0; i < d->out->count; i++)
        mention_hosts(d, i, all);
    qsort(all->at, all->count, sizeof *all->at, by_name);
    for (size_t i = 1; i < all->count; i++) {
        const mention *a = &all->at[i - 1], *b = &all->at[i];
        if (strcasecmp(a->name, b->name) != 0 || (a->silo == b->silo && a->gateway != b->gateway))
            continue;
        if (a->silo == b->silo)
            snprintf(text, sizeof text, "host \"%s\" is there twice, first in line %d; remove one",
                     frd_yaml_show(b->name).text, line_of(a));
        else
            snprintf(text, sizeof text,
                     "host \"%s\" is in silo \"%s\" and, in line %d, in silo \"%s\"; a host is in one silo",
                     frd_yaml_show(b->name).text, d->silo[b->silo].name, line_of(a), d->silo[a->silo].name);
        return fail_mention(d, b, text);
    }
    return FEDRDMA_OK;
}

/* ---- addresses ------------------------------------------------------------------------------------ */

static int by_address(const void *left, const void *right)
{
    const mention *a = left, *b = right;
    const int names = strcasecmp(a->name, b->name);

    if (names != 0)
        return names;
    return a->first != b->first ? (a->first > b->first) - (a->first < b->first) : by_order(a, b);
}

static void mention_addresses(const frd_silos_draft *d, int silo, mentions *all)
{
    const frd_silo_gateway *gateway = d->silo[silo].gateways;
    const frd_yaml_node *gateways = frd_yaml_child(d->node[silo], "gateways");

    for (const frd_yaml_node *n = gateways != NULL ? gateways->first : NULL; n != NULL;
         n = n->next, gateway++) {
        const frd_yaml_node *list = n->kind == FRD_YAML_MAP ? frd_yaml_child(n, "addresses") : n;
        const frd_yaml_node *one = list != NULL && list->kind == FRD_YAML_LIST ? list->first : list;
        for (size_t k = 0; k < gateway->naddresses; k++, one = one->next, all->count++)
            all->at[all->count] = (mention){ .name = gateway->addresses[k].host,
                                             .first = gateway->addresses[k].port,
                                             .silo = silo,
                                             .node = one,
                                             .order = all->count };
    }
}

/* Without a port an address is all of the host's ports; such come first among equals. */
static int check_addresses(const frd_silos_draft *d, mentions *all)
{
    char text[FRD_STORY_MAX];
    size_t head = 0;

    for (int i = 0; i < d->out->count; i++)
        mention_addresses(d, i, all);
    qsort(all->at, all->count, sizeof *all->at, by_address);
    for (size_t i = 1; i < all->count; i++) {
        const mention *b = &all->at[i];
        if (strcasecmp(all->at[head].name, b->name) != 0)
            head = i;
        if (head == i || (all->at[head].first != 0 && all->at[i - 1].first != b->first))
            continue;
        const mention *a = all->at[head].first == 0 ? &all->at[head] : &all->at[i - 1];
        const mention *early = a->order < b->order ? a : b, *late = early == a ? b : a;
        snprintf(text, sizeof text, "address \"%s\" is there twice, first in line %d; %s",
                 frd_yaml_show(late->node->text).text, early->node->line,
                 a->first == b->first ? "remove one" : "give both a port");
        return fail_mention(d, late, text);
    }
    return FEDRDMA_OK;
}

/* ---- ranks ---------------------------------------------------------------------------------------- */

static int by_rank(const void *left, const void *right)
{
    const mention *a = left, *b = right;

    return a->first != b->first ? (a->first > b->first) - (a->first < b->first) : by_order(a, b);
}

/* Two may overlap that are not neighbours, but then two neighbours do, too. */
static int check_ranks(const frd_silos_draft *d, mentions *all)
{
    for (int i = 0; i < d->out->count; i++)
        for (size_t k = 0; k < d->silo[i].nranks; k++, all->count++)
            all->at[all->count] = (mention){ .first = d->silo[i].ranks[k].first,
                                             .last = d->silo[i].ranks[k].last,
                                             .silo = i,
                                             .node = frd_yaml_child(d->node[i], "ranks"),
                                             .order = all->count };
    qsort(all->at, all->count, sizeof *all->at, by_rank);
    for (size_t i = 1; i < all->count; i++) {
        const mention *a = &all->at[i - 1], *b = &all->at[i];
        if (b->first > a->last)
            continue;
        const mention *early = a->order < b->order ? a : b, *late = early == a ? b : a;
        return frd_yaml_fail(&d->doc, late->node,
                             "rank %d is in silo \"%s\" and, in line %d, in silo \"%s\"; a rank "
                             "is in one silo",
                             b->first, d->silo[late->silo].name, early->node->line,
                             d->silo[early->silo].name);
    }
    return FEDRDMA_OK;
}

/* Room for every host, gateway, address and range, in turn. */
static int check_mentions(frd_silos_draft *d)
{
    size_t hosts = 0, addresses = 0, ranks = 0;
    mentions all = { 0 };
    int rc;

    for (int i = 0; i < d->out->count; i++) {
        hosts += d->silo[i].nhosts + d->silo[i].ngateways;
        ranks += d->silo[i].nranks;
        for (size_t g = 0; g < d->silo[i].ngateways; g++)
            addresses += d->silo[i].gateways[g].naddresses;
    }
    const size_t most = hosts > addresses ? hosts : addresses;
    all.at = frd_silos_borrow(d, most > ranks ? most : ranks, sizeof *all.at);
    if (all.at == NULL)
        return frd_silos_nomem(d);
    rc = check_hosts(d, &all);
    all.count = 0;
    if (rc == FEDRDMA_OK)
        rc = check_addresses(d, &all);
    all.count = 0;
    return rc == FEDRDMA_OK ? check_ranks(d, &all) : rc;
}

/* ---- links ---------------------------------------------------------------------------------------- */

static int check_pair(const frd_silos_draft *d, int from, int to)
{
    const frd_silos_said *said = frd_silos_said_of(d, from, to);
    const bool talk = (frd_links_get(d->out->links, from, to)->flags & FRD_LINK_TALK) != 0;

    for (int what = 0; what < FRD_SAID_COUNT && !talk; what++)
        if (what != FRD_SAID_TALK && said->node[what] != NULL)
            return frd_yaml_fail_key(
                &d->doc, said->node[what],
                "\"%s\" and \"%s\" may not talk (line %d), so nothing else may be said of their "
                "link; remove one of the two",
                d->silo[from].name, d->silo[to].name, said->node[FRD_SAID_TALK]->key_line);
    if (said->node[FRD_SAID_DIAL] != NULL && !d->silo[to].dial_in &&
        (frd_links_get(d->out->links, from, to)->flags & FRD_LINK_DIAL) != 0)
        return frd_yaml_fail(
            &d->doc, said->node[FRD_SAID_DIAL],
            "dial lets \"%s\" open connections to \"%s\", which takes none (dial_in: no); give "
            "%s->%s, or remove dial",
            d->silo[from].name, d->silo[to].name, d->silo[to].name, d->silo[from].name);
    return FEDRDMA_OK;
}

/* Where nobody can dial in, no link is dialed to, whatever the pair says. */
static void close_doors(frd_silos_draft *d)
{
    for (int from = 0; from < d->out->count; from++)
        for (int to = 0; to < d->out->count; to++) {
            if (from == to || d->silo[to].dial_in)
                continue;
            const frd_link *l = frd_links_get(d->out->links, from, to);
            frd_links_declare(d->out->links, from, to, l->flags & ~(unsigned)FRD_LINK_DIAL, &l->declared);
        }
}

static int check_pairs(frd_silos_draft *d)
{
    const int n = d->out->count;
    uint64_t(*direct)[FRD_SILOS_WORDS] = frd_silos_keep(d, (size_t)n, sizeof *direct);

    if (direct == NULL)
        return frd_silos_nomem(d);
    for (int i = 0; i < n * n; i++) {
        const int rc = i / n == i % n ? FEDRDMA_OK : check_pair(d, i / n, i % n);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    close_doors(d);
    for (int i = 0; i < n * n; i++)
        if (i / n != i % n && frd_links_direct(d->out->links, i / n, i % n))
            direct[i / n][i % n / 64] |= UINT64_C(1) << i % n % 64;
    d->out->direct = (const uint64_t(*)[FRD_SILOS_WORDS])direct;
    return FEDRDMA_OK;
}

/* ---- gateways ------------------------------------------------------------------------------------- */

static bool is_dialed(const frd_silos_draft *d, int silo)
{
    for (int i = 0; i < d->out->count; i++)
        if (i != silo && frd_links_get(d->out->links, i, silo)->flags == (FRD_LINK_TALK | FRD_LINK_DIAL))
            return true;
    return false;
}

static int check_gateways(const frd_silos_draft *d, int silo)
{
    const frd_silo *s = &d->silo[silo];
    const bool dialed = is_dialed(d, silo);

    if (s->ngateways == 0)
        return frd_yaml_fail_key(
            &d->doc, d->node[silo],
            "silo \"%s\" has no gateway; add gateways: with a host and its address, e.g. "
            "`node1: 198.51.100.7:7100`",
            s->name);
    const frd_yaml_node *node = frd_yaml_child(d->node[silo], "gateways")->first;
    for (size_t i = 0; i < s->ngateways && dialed; i++, node = node->next)
        if (s->gateways[i].naddresses == 0)
            return frd_yaml_fail_key(
                &d->doc, node,
                "gateway \"%s\" has no address; add one, e.g. `%s: 198.51.100.7:7100`, or say "
                "dial_in: no of silo \"%s\" if nobody can open connections to it",
                frd_yaml_show(s->gateways[i].host).text, frd_yaml_show(s->gateways[i].host).text, s->name);
    return FEDRDMA_OK;
}

/* ---- routes --------------------------------------------------------------------------------------- */

/* The pair that has no route, at the best place there is. */
static int fail_route(const frd_silos_draft *d, int from, int to)
{
    const frd_yaml_node *talk = frd_silos_said_of(d, from, to)->node[FRD_SAID_TALK];
    const char *a = d->silo[from].name, *b = d->silo[to].name;
    static const char mend[] = "let a third silo that both reach relay for them (relay, policy: avoid)";

    if ((frd_links_get(d->out->links, from, to)->flags & FRD_LINK_TALK) == 0)
        return frd_yaml_fail_key(&d->doc, talk, "no way from \"%s\" to \"%s\": they may not talk; %s", a, b,
                                 mend);
    return frd_yaml_fail_key(
        &d->doc, d->node[to],
        "no way from \"%s\" to \"%s\": neither can open connections to the other; let one "
        "(dial_in), or %s",
        a, b, mend);
}

int frd_silos_check(frd_silos_draft *d)
{
    int rc = check_mentions(d);

    if (rc == FEDRDMA_OK)
        rc = check_pairs(d);
    for (int i = 0; i < d->out->count && rc == FEDRDMA_OK && d->out->count > 1; i++)
        rc = check_gateways(d, i);
    for (int from = 0; from < d->out->count && rc == FEDRDMA_OK; from++)
        for (int to = from + 1; to < d->out->count && rc == FEDRDMA_OK; to++)
            if (!frd_silos_reachable(d->out, from, to))
                rc = fail_route(d, from, to);
    return rc;
}
