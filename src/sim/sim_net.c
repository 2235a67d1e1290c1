/* SPDX-License-Identifier: BSD-3-Clause
 * sim_net.c - what a message passes on its way, and how long that takes. Every place serves one message after the
 * other, in the order in which they come to it: that is why each silo's side of a long way is an event of its own. */
#include "sim/sim_impl.h"

#include <math.h>

#include "base/mem.h"

#define PACKET_BYTES 1400.
#define AGAIN 1.2 /* round trips until what was lost is there after all */

static double or_later(double a, double b)
{
    return a > b ? a : b;
}

/* Through a place of this rate (0: none): no sooner than it is free, no faster than it is, no sooner than it comes. */
static void pass(frd_sim_server *s, double rate, double bytes, frd_sim_span *span)
{
    const double first = or_later(span->first_ns, s->free_ns), takes = rate > 0 ? bytes * 1e9 / rate : 0;

    if (rate <= 0)
        return;
    s->free_ns = first + takes;
    span->first_ns = first;
    span->last_ns = or_later(first + takes, span->last_ns);
}

static void later(frd_sim_span *span, double ns)
{
    span->first_ns += ns;
    span->last_ns += ns;
}

static const frd_sim_link *link_of(const frd_sim_net *net, int from, int to)
{
    return &net->w->link[from * net->w->silos + to];
}

/* ---- ways ---- */

static bool carries(const frd_sim_net *net, int from, int to)
{
    return link_of(net, from, to)->talk;
}

static double least_rate(const frd_sim_net *net, int from, int to)
{
    const double rate[] = { link_of(net, from, to)->rate, net->w->line[from].egress, net->w->line[to].ingress };
    double least = INFINITY;

    for (int i = 0; i < 3; i++)
        least = rate[i] > 0 && rate[i] < least ? rate[i] : least;
    return least;
}

/* The relay over which most may pass; the first of equal ones. */
static int find_detour(const frd_sim_net *net, int from, int to)
{
    double best = 0;
    int relay = -1;

    for (int r = 0; r < net->w->silos; r++) {
        double rate;

        if (r == from || r == to || !net->w->line[r].relay || !carries(net, from, r) || !carries(net, r, to))
            continue;
        rate = fmin(least_rate(net, from, r), least_rate(net, r, to));
        if (rate > best) {
            best = rate;
            relay = r;
        }
    }
    return relay;
}

static int find_detours(frd_sim_net *net, frd_story *story)
{
    const int n = net->w->silos;
    bool wanted = net->w->outages > 0;

    for (int i = 0; i < n * n; i++) {
        net->detour[i] = -1;
        wanted = wanted || !net->w->link[i].talk;
    }
    for (int from = 0; wanted && from < n; from++) {
        for (int to = 0; to < n; to++) {
            if (from != to)
                net->detour[from * n + to] = find_detour(net, from, to);
            if (from != to && !carries(net, from, to) && net->detour[from * n + to] < 0)
                return frd_fail(story, FEDRDMA_ERR_INVALID,
                                "silos %d and %d may not talk, and no silo may relay between them", from, to);
        }
    }
    return FEDRDMA_OK;
}

/* When the link carries again; 0: it does. *since: when it went down. */
static double down_until(const frd_sim_net *net, int from, int to, double at_ns, double *since)
{
    for (size_t i = 0; i < net->w->outages; i++) {
        const frd_sim_outage *const o = &net->w->outage[i];

        if (((o->a == from && o->b == to) || (o->a == to && o->b == from)) && o->from_ns <= at_ns &&
            at_ns < o->until_ns) {
            *since = o->from_ns;
            return o->until_ns;
        }
    }
    return 0;
}

/* From 0 to 1. */
static double random_share(frd_sim_net *net)
{
    uint64_t x = net->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* What the link's jitter and losses do to a message in the end. */
static double lateness(frd_sim_net *net, int from, int to, double bytes)
{
    const frd_sim_link *const link = link_of(net, from, to);
    double late = link->jitter_ns > 0 ? random_share(net) * link->jitter_ns : 0;

    if (link->loss > 0) {
        const double rtt = link->latency_ns + link_of(net, to, from)->latency_ns;
        const double last = fmin(bytes, least_rate(net, from, to) * rtt / 1e9) / PACKET_BYTES;

        if (random_share(net) < 1 - pow(1 - link->loss, last + 1))
            late += AGAIN * rtt;
    }
    return late;
}

/* Leaves silo `from` for `goal`, or for a relay on the way there. */
static void leave(frd_sim_net *net, int from, int goal, double bytes, frd_sim_span span, frd_sim_event *event)
{
    const int n = net->w->silos, relay = net->detour[from * n + goal];
    int to = carries(net, from, goal) ? goal : relay;
    double since, until;

    pass(&net->egress[from], net->w->line[from].egress, bytes, &span);
    until = down_until(net, from, to, span.first_ns, &since);
    if (until > 0 && to == goal && relay >= 0) {
        later(&span, or_later(0, since + net->w->costs->notice_ns - span.first_ns));
        to = relay;
    } else if (until > 0) {
        later(&span, until - span.first_ns);
    }
    const frd_sim_link *const link = link_of(net, from, to);

    pass(&net->link[from * n + to], link->rate, bytes / (1 - link->loss), &span);
    later(&span, link->latency_ns);
    event->late_ns += lateness(net, from, to, bytes);
    if (net->link_bytes != NULL)
        net->link_bytes[from * n + to] += (uint64_t)(bytes * net->w->costs->wan_share + 0.5);
    event->kind = FRD_SIM_ARRIVE;
    event->place = to;
    event->at_ns = span.first_ns;
    event->last_ns = span.last_ns;
}

void frd_sim_net_send(frd_sim_net *net, int from, double now_ns, size_t bytes, frd_sim_event *event)
{
    const frd_sim_world *const w = net->w;
    const int to = event->rank;
    frd_sim_span span = { now_ns, now_ns };

    event->late_ns = 0;
    if (w->node[from] == w->node[to]) {
        event->kind = FRD_SIM_DELIVER;
        event->at_ns = now_ns + w->costs->node_ns;
    } else if (w->silo[from] == w->silo[to]) {
        pass(&net->node_out[w->node[from]], w->costs->fabric_rate, (double)bytes, &span);
        later(&span, w->costs->fabric_ns);
        event->kind = FRD_SIM_ENTER;
        event->at_ns = span.first_ns;
        event->last_ns = span.last_ns;
    } else {
        later(&span, w->costs->wan_ns);
        pass(&net->out[from], w->costs->gateway_rate, (double)bytes, &span);
        leave(net, w->silo[from], w->silo[to], (double)bytes / w->costs->wan_share, span, event);
    }
}

void frd_sim_net_pass(frd_sim_net *net, size_t bytes, frd_sim_event *event)
{
    const frd_sim_world *const w = net->w;
    const int to = event->rank;
    const double line_bytes = (double)bytes / w->costs->wan_share;
    frd_sim_span span = { event->at_ns, event->last_ns };

    if (event->kind == FRD_SIM_ENTER) {
        pass(&net->node_in[w->node[to]], w->costs->fabric_rate, (double)bytes, &span);
    } else {
        pass(&net->ingress[event->place], w->line[event->place].ingress, line_bytes, &span);
        if (event->place != w->silo[to]) {
            leave(net, event->place, w->silo[to], line_bytes, span, event);
            return;
        }
        pass(&net->in[to], w->costs->gateway_rate, (double)bytes, &span);
    }
    event->kind = FRD_SIM_DELIVER;
    event->at_ns = span.last_ns + event->late_ns;
}

double frd_sim_net_back(const frd_sim_net *net, int from, int to)
{
    const frd_sim_world *const w = net->w;

    if (w->node[from] == w->node[to])
        return 0;
    return w->silo[from] == w->silo[to] ? w->costs->fabric_ns : link_of(net, w->silo[to], w->silo[from])->latency_ns;
}

/* ---- */

static int check(const frd_sim_world *w, frd_story *story)
{
    for (int i = 0; i < w->silos * w->silos; i++) {
        const frd_sim_link *const link = &w->link[i];

        if (!(link->loss >= 0 && link->loss < 1) || !(link->latency_ns >= 0) || !(link->rate >= 0) ||
            !(link->jitter_ns >= 0))
            return frd_fail(story, FEDRDMA_ERR_INVALID,
                            "link of silos %d and %d: rates and times from 0, loss from 0 to less than 1",
                            i / w->silos, i % w->silos);
    }
    for (int i = 0; i < w->silos; i++) {
        if (!(w->line[i].egress >= 0) || !(w->line[i].ingress >= 0))
            return frd_fail(story, FEDRDMA_ERR_INVALID, "silo %d: rates from 0", i);
    }
    for (int i = 0; i < w->ranks; i++) {
        if (w->silo[i] < 0 || w->silo[i] >= w->silos || w->node[i] < 0 || w->node[i] >= w->ranks)
            return frd_fail(story, FEDRDMA_ERR_INVALID, "rank %d: no such silo or node", i);
    }
    return FEDRDMA_OK;
}

int frd_sim_net_create(const frd_sim_world *w, frd_story *story, frd_sim_net *net)
{
    const size_t ranks = (size_t)w->ranks, silos = (size_t)w->silos;
    const int rc = check(w, story);

    *net = (frd_sim_net){ .w = w, .random = w->seed };
    if (rc != FEDRDMA_OK)
        return rc;
    net->out = frd_calloc(ranks, sizeof(*net->out));
    net->in = frd_calloc(ranks, sizeof(*net->in));
    net->node_out = frd_calloc(ranks, sizeof(*net->node_out));
    net->node_in = frd_calloc(ranks, sizeof(*net->node_in));
    net->egress = frd_calloc(silos, sizeof(*net->egress));
    net->ingress = frd_calloc(silos, sizeof(*net->ingress));
    net->link = frd_calloc(silos * silos, sizeof(*net->link));
    net->detour = frd_calloc(silos * silos, sizeof(*net->detour));
    if (net->out == NULL || net->in == NULL || net->node_out == NULL || net->node_in == NULL ||
        net->egress == NULL || net->ingress == NULL || net->link == NULL || net->detour == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for %d ranks in %d silos", w->ranks, w->silos);
    return find_detours(net, story);
}

void frd_sim_net_free(frd_sim_net *net)
{
    frd_free(net->out);
    frd_free(net->in);
    frd_free(net->node_out);
    frd_free(net->node_in);
    frd_free(net->egress);
    frd_free(net->ingress);
    frd_free(net->link);
    frd_free(net->detour);
}
