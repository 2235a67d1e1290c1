/* SPDX-License-Identifier: BSD-3-Clause
 * plan_world.c - makes the world that fedrdma-plan simulates. */
#include "plan_world.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/value.h"
#include "plan_say.h"

/* ---- costs ---- */

static const struct {
    const char *name;
    size_t offset;
    enum { TIME, RATE, SHARE } kind;
    const char *text;
} cost_table[] = {
#define COST(field, kind, text) { #field, offsetof(frd_sim_costs, field), kind, text }
    COST(step_ns, TIME, "a local step, beside its bytes"),
    COST(copy_rate, RATE, "a copy"),
    COST(reduce_rate, RATE, "a reduction"),
    COST(message_ns, TIME, "each end of a message"),
    COST(node_ns, TIME, "a message within a node: latency"),
    COST(node_rate, RATE, "and each end's rate"),
    COST(fabric_ns, TIME, "a message within a silo: latency"),
    COST(fabric_rate, RATE, "and a node's rate, each way"),
    COST(wan_ns, TIME, "a message between silos, beside the link's latency"),
    COST(gateway_rate, RATE, "and a gateway's rate, each way"),
    COST(wan_share, SHARE, "of a line's bytes that are payload"),
    COST(call_ns, TIME, "a collective of a node in shared memory"),
    COST(call_rate, RATE, "and its rate"),
    COST(notice_ns, TIME, "until a link that went down is left for a relay"),
#undef COST
};
enum { COSTS = sizeof cost_table / sizeof cost_table[0] };

static double *cost_at(frd_sim_costs *costs, size_t i)
{
    return (double *)(void *)((char *)costs + cost_table[i].offset);
}

void plan_costs_print(const frd_sim_costs *costs, FILE *out)
{
    frd_sim_costs copy = *costs;

    for (size_t i = 0; i < COSTS; i++) {
        const double value = *cost_at(&copy, i);

        if (cost_table[i].kind == TIME)
            fprintf(out, "  %-14s %10.0f ns     %s\n", cost_table[i].name, value, cost_table[i].text);
        else if (cost_table[i].kind == RATE)
            fprintf(out, "  %-14s %10.0f MB/s   %s\n", cost_table[i].name, value / 1e6, cost_table[i].text);
        else
            fprintf(out, "  %-14s %10.3f        %s\n", cost_table[i].name, value, cost_table[i].text);
    }
}

static bool cost_value(size_t i, const char *text, double *out)
{
    const char *wrong = NULL;
    uint64_t ns = 0;
    size_t bytes = 0;
    char *end = NULL;

    if (cost_table[i].kind == TIME) {
        wrong = frd_value_time_ns(text, &ns);
        *out = (double)ns;
    } else if (cost_table[i].kind == RATE) {
        wrong = frd_value_size(text, &bytes);
        *out = (double)bytes;
        wrong = wrong == NULL && bytes == 0 ? "is nothing" : wrong;
    } else {
        *out = strtod(text, &end);
        wrong = end == text || *end != '\0' || !(*out > 0 && *out <= 1) ? "is not above 0 and up to 1" : NULL;
    }
    if (wrong != NULL)
        plan_say("--cost %s: \"%s\" %s; give %s", cost_table[i].name, text, wrong,
                 cost_table[i].kind == TIME   ? "a time such as 600ns"
                 : cost_table[i].kind == RATE ? "bytes a second such as 900m"
                                              : "a share such as 0.95");
    return wrong == NULL;
}

bool plan_cost(const char *text, frd_sim_costs *costs)
{
    const size_t n = strcspn(text, "=");

    for (size_t i = 0; i < COSTS && text[n] == '='; i++) {
        double value;

        if (strlen(cost_table[i].name) != n || strncmp(text, cost_table[i].name, n) != 0)
            continue;
        if (!cost_value(i, text + n + 1, &value))
            return false;
        *cost_at(costs, i) = value;
        return true;
    }
    plan_say("--cost \"%s\" is unknown; give NAME=VALUE with a name of `fedrdma-plan simulate --costs`", text);
    return false;
}

/* ---- silos and links ---- */

static double bytes_per_s(uint64_t bps)
{
    return (double)bps / 8;
}

static void alike(const plan_options *o, frd_sim_silo *line, frd_sim_link *link, int silos)
{
    for (int i = 0; i < silos; i++)
        line[i] = (frd_sim_silo){ bytes_per_s(o->rate_bps), bytes_per_s(o->rate_bps), true };
    for (int i = 0; i < silos * silos; i++)
        link[i] = (frd_sim_link){ .latency_ns = (double)o->rtt_ns / 2,
                                  .jitter_ns = (double)o->jitter_ns,
                                  .loss = (double)o->loss_ppm / 1e6,
                                  .talk = true };
}

static void by_file(const frd_silos *file, frd_sim_silo *line, frd_sim_link *link)
{
    const int n = file->count;

    for (int i = 0; i < n; i++) {
        line[i].relay = file->silo[i].relay;
        if (file->silo[i].egress_bps > 0)
            line[i].egress = bytes_per_s(file->silo[i].egress_bps);
        if (file->silo[i].ingress_bps > 0)
            line[i].ingress = bytes_per_s(file->silo[i].ingress_bps);
    }
    for (int from = 0; from < n; from++) {
        for (int to = 0; to < n; to++) {
            frd_sim_link *const l = &link[from * n + to];
            frd_link_facts facts;

            if (from == to)
                continue;
            facts = frd_links_expect(file->links, from, to);
            l->talk = frd_links_direct(file->links, from, to);
            l->rate = bytes_per_s(facts.rate_bps);
            if (facts.rtt_ns > 0)
                l->latency_ns = (double)facts.rtt_ns / 2;
            if (facts.loss_ppm > 0)
                l->loss = (double)facts.loss_ppm / 1e6;
        }
    }
}

static bool name_silos(plan_world *w)
{
    const int n = w->sim.silos;

    w->name = frd_calloc((size_t)n, sizeof(*w->name));
    for (int i = 0; w->name != NULL && i < n; i++) {
        char text[32];

        snprintf(text, sizeof text, "silo%d", i);
        w->name[i] = strdup(w->file != NULL ? w->file->silo[i].name : text);
        if (w->name[i] == NULL)
            return false;
    }
    return w->name != NULL;
}

static int find_silo(const plan_world *w, const char *name, size_t n)
{
    for (int i = 0; i < w->sim.silos; i++) {
        if (strlen(w->name[i]) == n && strncmp(w->name[i], name, n) == 0)
            return i;
    }
    return -1;
}

/* "a-b from 2s for 10s"; a silo's name may have a hyphen, too. */
static bool parse_down(const plan_world *w, const char *text, frd_sim_outage *out)
{
    char when[2][32];
    uint64_t ns[2];
    const size_t pair = strcspn(text, " ");

    if (sscanf(text + pair, " from %31s for %31s", when[0], when[1]) != 2 ||
        frd_value_time_ns(when[0], &ns[0]) != NULL || frd_value_time_ns(when[1], &ns[1]) != NULL) {
        plan_say("--down \"%s\" is not understood; give e.g. --down '%s-%s from 2s for 10s'", text, w->name[0],
                 w->name[w->sim.silos - 1]);
        return false;
    }
    for (size_t i = 1; i + 1 < pair; i++) {
        out->a = text[i] == '-' ? find_silo(w, text, i) : -1;
        out->b = text[i] == '-' ? find_silo(w, text + i + 1, pair - i - 1) : -1;
        if (out->a >= 0 && out->b >= 0 && out->a != out->b) {
            out->from_ns = (double)ns[0];
            out->until_ns = (double)ns[0] + (double)ns[1];
            return true;
        }
    }
    plan_say("--down \"%s\": no two silos are called %.*s; they are %s to %s", text, (int)pair, text, w->name[0],
             w->name[w->sim.silos - 1]);
    return false;
}

static bool take_down(const plan_options *o, plan_world *w)
{
    size_t n = 0;
    frd_sim_outage *outage;

    while (o->down != NULL && o->down[n] != NULL)
        n++;
    outage = frd_calloc(n + 1, sizeof(*outage));
    w->sim.outage = outage;
    w->sim.outages = n;
    for (size_t i = 0; outage != NULL && i < n; i++) {
        if (!parse_down(w, o->down[i], &outage[i]))
            return false;
    }
    return outage != NULL;
}

static bool fill(const plan_options *o, plan_world *w)
{
    const int silos = w->file != NULL ? w->file->count : o->silos;
    const size_t n = (size_t)silos, ranks = n * (size_t)o->nodes * (size_t)o->ranks;
    frd_sim_silo *const line = frd_calloc(n, sizeof(*line));
    frd_sim_link *const link = frd_calloc(n * n, sizeof(*link));
    int *const silo = frd_calloc(ranks, sizeof(*silo)), *const node = frd_calloc(ranks, sizeof(*node));

    w->sim = (frd_sim_world){ .ranks = (int)ranks,
                              .silos = silos,
                              .silo = silo,
                              .node = node,
                              .line = line,
                              .link = link,
                              .gateways = o->gateways,
                              .fragment = o->fragment,
                              .window = o->window,
                              .seed = o->seed,
                              .costs = &o->costs };
    if (line == NULL || link == NULL || silo == NULL || node == NULL || !name_silos(w)) {
        plan_say("out of memory for %zu ranks in %d silos", ranks, silos);
        return false;
    }
    for (size_t i = 0; i < ranks; i++) {
        node[i] = (int)(i / (size_t)o->ranks);
        silo[i] = node[i] / o->nodes;
    }
    alike(o, line, link, silos);
    if (w->file != NULL)
        by_file(w->file, line, link);
    return take_down(o, w);
}

bool plan_world_make(const plan_options *o, plan_world *w)
{
    frd_story story = { .log = NULL };

    *w = (plan_world){ .file = NULL };
    if (o->topology != NULL && frd_silos_load(o->topology, &story, &w->file) != FEDRDMA_OK) {
        plan_say("%s", story.text);
        return false;
    }
    if (fill(o, w))
        return true;
    plan_world_free(w);
    return false;
}

void plan_world_free(plan_world *w)
{
    for (int i = 0; w->name != NULL && i < w->sim.silos; i++)
        free((void *)(uintptr_t)w->name[i]);
    frd_free(w->name);
    frd_free((void *)(uintptr_t)w->sim.silo);
    frd_free((void *)(uintptr_t)w->sim.node);
    frd_free((void *)(uintptr_t)w->sim.line);
    frd_free((void *)(uintptr_t)w->sim.link);
    frd_free((void *)(uintptr_t)w->sim.outage);
    frd_silos_destroy(w->file);
    *w = (plan_world){ .file = NULL };
}
