/* SPDX-License-Identifier: BSD-3-Clause
 * silos_links.c - the parts `links` and `policy` of a topology file. Each thing may be said of a direction
 * once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "topo/silos_impl.h"

/* ---- links ---------------------------------------------------------------------------------------- */

static const char *const said_keys[FRD_SAID_COUNT] = { "rate", "loss", "rtt", "talk", "dial" };

typedef struct row {
    int pair[2];
    bool one_way;
    frd_link_facts facts;
    bool talk;
    unsigned dial; /* 1: the first can, 2: the second */
} row;

static int read_rtt(frd_silos_draft *d, const frd_yaml_node *node, uint64_t *ns)
{
    const char *wrong =
        node->kind == FRD_YAML_SCALAR ? frd_value_time_ns(node->text, ns) : "must be one value";

    if (wrong == NULL && *ns == 0)
        wrong = "is faster than light";
    if (wrong == NULL)
        return FEDRDMA_OK;
    return frd_yaml_fail(&d->doc, node,
                         "rtt = \"%s\" %s; give the time there and back with its unit, e.g. 40ms",
                         node->kind == FRD_YAML_SCALAR ? frd_yaml_show(node->text).text : "...", wrong);
}

static int read_loss(frd_silos_draft *d, const frd_yaml_node *node, uint32_t *ppm)
{
    const char *wrong =
        node->kind == FRD_YAML_SCALAR ? frd_value_percent_ppm(node->text, ppm) : "must be one value";

    if (wrong == NULL && *ppm == 1000000)
        wrong = "lets nothing pass";
    if (wrong == NULL)
        return FEDRDMA_OK;
    return frd_yaml_fail(&d->doc, node, "loss = \"%s\" %s; give what is lost of 100 packets, e.g. 0.1%%",
                         node->kind == FRD_YAML_SCALAR ? frd_yaml_show(node->text).text : "...", wrong);
}

static bool is_name(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

/* "both", or "a -> b" with the two silos of the row. */
static int read_dial(frd_silos_draft *d, const frd_yaml_node *node, row *r)
{
    const char *text = node->kind == FRD_YAML_SCALAR ? node->text : "...";
    const char *arrow = strstr(text, "->"), *to = arrow != NULL ? arrow + 2 : "";
    size_t len = arrow != NULL ? (size_t)(arrow - text) : 0;

    to += strspn(to, " ");
    while (len > 0 && text[len - 1] == ' ')
        len--;
    r->dial = strcmp(text, "both") == 0 ? 3 : 0;
    for (int i = 0; i < 2 && arrow != NULL; i++)
        if (is_name(d->silo[r->pair[i]].name, text, len) && strcmp(d->silo[r->pair[1 - i]].name, to) == 0)
            r->dial = 1u << i;
    if (r->dial != 0)
        return FEDRDMA_OK;
    return frd_yaml_fail(
        &d->doc, node,
        "dial = \"%s\" does not say which of the two opens connections; give %s->%s, %s->%s or both",
        frd_yaml_show(text).text, d->silo[r->pair[0]].name, d->silo[r->pair[1]].name,
        d->silo[r->pair[1]].name, d->silo[r->pair[0]].name);
}

static int read_ends(frd_silos_draft *d, const frd_yaml_node *node, row *r)
{
    const frd_yaml_node *between = frd_yaml_child(node, "between");
    const frd_yaml_node *from = frd_yaml_child(node, "from"), *to = frd_yaml_child(node, "to");

    r->one_way = between == NULL;
    if (between != NULL && (from != NULL || to != NULL))
        return frd_yaml_fail_key(&d->doc, from != NULL ? from : to,
                                 "between means both directions, from and to one; give one of the two");
    if (between != NULL)
        return frd_silos_read_pair(d, between, r->pair);
    if (from == NULL || to == NULL)
        return frd_yaml_fail(&d->doc, node,
                             "a link without its silos; add between: [a, b], or from: a and to: b");
    int rc = frd_silos_read_silo(d, from, &r->pair[0]);
    if (rc == FEDRDMA_OK)
        rc = frd_silos_read_silo(d, to, &r->pair[1]);
    if (rc == FEDRDMA_OK && r->pair[0] == r->pair[1])
        return frd_yaml_fail(&d->doc, to, "silo \"%s\" has no link to itself; name another silo",
                             d->silo[r->pair[0]].name);
    return rc;
}

static int say(frd_silos_draft *d, const frd_yaml_node *node, int from, int to, int what)
{
    frd_silos_said *said = frd_silos_said_of(d, from, to);

    if (said->node[what] != NULL)
        return frd_yaml_fail_key(
            &d->doc, node, "%s from \"%s\" to \"%s\" is said twice, first in line %d; remove one",
            said_keys[what], d->silo[from].name, d->silo[to].name, said->node[what]->key_line);
    said->node[what] = node;
    return FEDRDMA_OK;
}

/* What the row says of one direction goes into the matrix. */
static int declare(frd_silos_draft *d, const frd_yaml_node *node, const row *r, int way)
{
    const int from = r->pair[way], to = r->pair[1 - way];
    frd_link link = *frd_links_get(d->out->links, from, to);

    for (int what = 0; what < FRD_SAID_COUNT; what++) {
        const frd_yaml_node *child = frd_yaml_child(node, said_keys[what]);
        const int rc = child == NULL ? FEDRDMA_OK : say(d, child, from, to, what);
        if (rc != FEDRDMA_OK)
            return rc;
        if (child == NULL)
            continue;
        if (what == FRD_SAID_RATE)
            link.declared.rate_bps = r->facts.rate_bps;
        else if (what == FRD_SAID_LOSS)
            link.declared.loss_ppm = r->facts.loss_ppm;
        else if (what == FRD_SAID_RTT)
            link.declared.rtt_ns = r->facts.rtt_ns;
        else if (what == FRD_SAID_TALK)
            link.flags = r->talk ? link.flags : link.flags & ~(unsigned)FRD_LINK_TALK;
        else if ((r->dial & (1u << way)) == 0)
            link.flags &= ~(unsigned)FRD_LINK_DIAL;
    }
    frd_links_declare(d->out->links, from, to, link.flags, &link.declared);
    return FEDRDMA_OK;
}

/* All values by themselves. */
static int read_values(frd_silos_draft *d, const frd_yaml_node *node, row *r)
{
    const frd_yaml_node *child[FRD_SAID_COUNT];
    int rc = FEDRDMA_OK, given = 0;

    for (int what = 0; what < FRD_SAID_COUNT; what++) {
        child[what] = frd_yaml_child(node, said_keys[what]);
        given += child[what] != NULL ? 1 : 0;
        if (child[what] != NULL && r->one_way && what != FRD_SAID_RATE && what != FRD_SAID_LOSS)
            return frd_yaml_fail_key(&d->doc, child[what],
                                     "%s is of both directions; say it in a row with between: [%s, %s]",
                                     said_keys[what], d->silo[r->pair[0]].name, d->silo[r->pair[1]].name);
    }
    if (given == 0)
        return frd_yaml_fail(&d->doc, node,
                             "a link of which nothing is said; add rate, rtt, loss, talk or dial");
    if (child[FRD_SAID_RATE] != NULL)
        rc = frd_silos_read_rate(d, child[FRD_SAID_RATE], &r->facts.rate_bps);
    if (rc == FEDRDMA_OK && child[FRD_SAID_LOSS] != NULL)
        rc = read_loss(d, child[FRD_SAID_LOSS], &r->facts.loss_ppm);
    if (rc == FEDRDMA_OK && child[FRD_SAID_RTT] != NULL)
        rc = read_rtt(d, child[FRD_SAID_RTT], &r->facts.rtt_ns);
    if (rc == FEDRDMA_OK && child[FRD_SAID_TALK] != NULL)
        rc = frd_silos_read_bool(d, child[FRD_SAID_TALK], &r->talk);
    if (rc == FEDRDMA_OK && child[FRD_SAID_DIAL] != NULL)
        rc = read_dial(d, child[FRD_SAID_DIAL], r);
    return rc;
}

static int read_row(frd_silos_draft *d, const frd_yaml_node *node)
{
    static const frd_silos_field fields[] = { { "between", NULL }, { "from", NULL }, { "to", NULL },
                                              { "rate", NULL },    { "rtt", NULL },  { "loss", NULL },
                                              { "talk", NULL },    { "dial", NULL }, { NULL, NULL } };
    row r = { .talk = true };

    int rc = frd_silos_read_map(d, node, "a link", fields, NULL);
    if (rc == FEDRDMA_OK)
        rc = read_ends(d, node, &r);
    if (rc == FEDRDMA_OK)
        rc = read_values(d, node, &r);
    if (rc == FEDRDMA_OK)
        rc = declare(d, node, &r, 0);
    if (rc == FEDRDMA_OK && !r.one_way)
        rc = declare(d, node, &r, 1);
    return rc;
}

int frd_silos_read_links(frd_silos_draft *d, const frd_yaml_node *node)
{
    if (frd_silos_is_empty(node))
        return FEDRDMA_OK;
    if (node->kind != FRD_YAML_LIST)
        return frd_yaml_fail(&d->doc, node, "links must be a list; begin each with `- between: [a, b]`");
    for (const frd_yaml_node *child = node->first; child != NULL; child = child->next) {
        int rc = read_row(d, child);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    return FEDRDMA_OK;
}

/* ---- policy --------------------------------------------------------------------------------------- */

typedef struct policy {
    frd_silo_detour *detours;
    size_t count;
} policy;

static int read_relay(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    (void)object;
    return frd_silos_read_bool(d, node, &d->relay);
}

static int compare_detours(const void *left, const void *right)
{
    const frd_silo_detour *a = left, *b = right;

    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return (a->through > b->through) - (a->through < b->through);
}

static int add_detour(frd_silos_draft *d, const frd_yaml_node *node, const int pair[2], policy *p)
{
    const int low = pair[0] < pair[1] ? 0 : 1;
    frd_silo_detour *detour = &p->detours[p->count];

    if (p->count == FRD_SILOS_DETOURS_MAX)
        return frd_yaml_fail(&d->doc, node, "more than %d silos to avoid", FRD_SILOS_DETOURS_MAX);
    int rc = frd_silos_read_silo(d, node, &detour->through);
    if (rc != FEDRDMA_OK)
        return rc;
    detour->a = pair[low];
    detour->b = pair[1 - low];
    if (detour->through == detour->a || detour->through == detour->b)
        return frd_yaml_fail(&d->doc, node,
                             "silo \"%s\" is an end of the traffic, not on its way; name a third silo",
                             d->silo[detour->through].name);
    p->count++;
    return FEDRDMA_OK;
}

static int read_avoid_row(frd_silos_draft *d, const frd_yaml_node *node, policy *p)
{
    static const frd_silos_field fields[] = { { "between", NULL }, { "through", NULL }, { NULL, NULL } };
    int pair[2];

    int rc = frd_silos_read_map(d, node, "a row of avoid", fields, NULL);
    if (rc != FEDRDMA_OK)
        return rc;
    const frd_yaml_node *between = frd_yaml_child(node, "between"),
                        *through = frd_yaml_child(node, "through");
    if (between == NULL || through == NULL)
        return frd_yaml_fail(&d->doc, node, "a row of avoid needs both, between: [a, b] and through: [c]");
    rc = frd_silos_read_pair(d, between, pair);
    const bool list = through->kind == FRD_YAML_LIST;
    for (const frd_yaml_node *child = list ? through->first : through; rc == FEDRDMA_OK && child != NULL;
         child = list ? child->next : NULL)
        rc = add_detour(d, child, pair, p);
    return rc;
}

static int read_avoid(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    policy *p = object;
    int rc = FEDRDMA_OK;

    if (node->kind != FRD_YAML_LIST)
        return frd_yaml_fail(&d->doc, node,
                             "avoid must be a list; write `- {between: [a, b], through: [c]}`");
    for (const frd_yaml_node *child = node->first; child != NULL && rc == FEDRDMA_OK; child = child->next)
        rc = read_avoid_row(d, child, p);
    return rc;
}

int frd_silos_read_policy(frd_silos_draft *d, const frd_yaml_node *node)
{
    static const frd_silos_field fields[] = { { "relay", read_relay },
                                              { "avoid", read_avoid },
                                              { NULL, NULL } };
    policy p = { .detours = frd_silos_borrow(d, FRD_SILOS_DETOURS_MAX, sizeof *p.detours) };

    if (p.detours == NULL)
        return frd_silos_nomem(d);
    int rc = frd_silos_read_map(d, node, "policy", fields, &p);
    if (rc != FEDRDMA_OK)
        return rc;
    qsort(p.detours, p.count, sizeof *p.detours, compare_detours);
    frd_silo_detour *own = frd_silos_keep(d, p.count, sizeof *own);
    if (own == NULL)
        return frd_silos_nomem(d);
    for (size_t i = 0; i < p.count; i++) /* what is said twice counts once */
        if (i == 0 || compare_detours(&p.detours[i - 1], &p.detours[i]) != 0)
            own[d->out->ndetours++] = p.detours[i];
    d->out->detours = own;
    return FEDRDMA_OK;
}
