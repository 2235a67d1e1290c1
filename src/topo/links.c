/* SPDX-License-Identifier: BSD-3-Clause
 * links.c - the matrix is one block, row by row, the diagonal unused; every access is O(1). */
#include "topo/links.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

struct frd_links {
    int count;
    frd_link link[];
};

static size_t matrix_bytes(int silos)
{
    return sizeof(frd_links) + (size_t)silos * (size_t)silos * sizeof(frd_link);
}

int frd_links_create(int silos, frd_links **out)
{
    if (silos < 1 || silos > FRD_LINKS_MAX)
        return FEDRDMA_ERR_INVALID;
    frd_links *links = frd_calloc(1, matrix_bytes(silos));
    if (links == NULL)
        return FEDRDMA_ERR_NOMEM;
    links->count = silos;
    for (int i = 0; i < silos * silos; i++)
        links->link[i].flags = FRD_LINK_TALK | FRD_LINK_DIAL;
    *out = links;
    return FEDRDMA_OK;
}

int frd_links_copy(const frd_links *links, frd_links **out)
{
    frd_links *copy = frd_calloc(1, matrix_bytes(links->count));

    if (copy == NULL)
        return FEDRDMA_ERR_NOMEM;
    memcpy(copy, links, matrix_bytes(links->count));
    *out = copy;
    return FEDRDMA_OK;
}

void frd_links_destroy(frd_links *links)
{
    frd_free(links);
}

int frd_links_count(const frd_links *links)
{
    return links->count;
}

static size_t place(const frd_links *links, int from, int to)
{
    assert(from >= 0 && from < links->count && to >= 0 && to < links->count && from != to);
    return (size_t)from * (size_t)links->count + (size_t)to;
}

const frd_link *frd_links_get(const frd_links *links, int from, int to)
{
    return &links->link[place(links, from, to)];
}

void frd_links_declare(frd_links *links, int from, int to, unsigned flags, const frd_link_facts *facts)
{
    frd_link *l = &links->link[place(links, from, to)];

    l->flags = flags;
    l->declared = *facts;
}

void frd_links_measure(frd_links *links, int from, int to, const frd_link_facts *facts, uint64_t now_ns)
{
    frd_link *l = &links->link[place(links, from, to)];

    assert(now_ns > 0);
    if (facts->rate_bps != 0)
        l->measured.rate_bps = facts->rate_bps;
    if (facts->rtt_ns != 0)
        l->measured.rtt_ns = facts->rtt_ns;
    if (facts->loss_ppm != 0 || facts->rate_bps != 0 || facts->rtt_ns != 0)
        l->measured.loss_ppm = facts->loss_ppm;
    l->measured_at_ns = now_ns;
}

void frd_links_measure_route(frd_links *links, int from, int to, const int *via, unsigned hops)
{
    frd_link *l = &links->link[place(links, from, to)];

    assert(hops <= FRD_LINK_HOPS);
    l->hops = hops;
    for (unsigned i = 0; i < hops; i++)
        l->via[i] = via[i];
}

bool frd_links_direct(const frd_links *links, int from, int to)
{
    const unsigned there = frd_links_get(links, from, to)->flags,
                   back = frd_links_get(links, to, from)->flags;

    return (there & back & FRD_LINK_TALK) != 0 && ((there | back) & FRD_LINK_DIAL) != 0;
}

frd_link_facts frd_links_expect(const frd_links *links, int from, int to)
{
    const frd_link *l = frd_links_get(links, from, to);
    frd_link_facts facts = l->declared;

    if (l->measured_at_ns == 0)
        return facts;
    if (l->measured.rate_bps != 0 && (facts.rate_bps == 0 || l->measured.rate_bps < facts.rate_bps))
        facts.rate_bps = l->measured.rate_bps;
    if (l->measured.rtt_ns != 0)
        facts.rtt_ns = l->measured.rtt_ns;
    if (l->measured.rate_bps != 0 || l->measured.rtt_ns != 0)
        facts.loss_ppm = l->measured.loss_ppm;
    return facts;
}

/* ---- texts ---------------------------------------------------------------------------------------- */

/* Three digits behind the point where there are any, and no zero at the end. */
static void decimal(char text[FRD_FACT_MAX], uint64_t value, uint64_t unit, const char *name)
{
    const uint64_t thousandths = (uint64_t)(((__uint128_t)value * 1000 + unit / 2) / unit);
    char digits[FRD_FACT_MAX - 10];

    int used = snprintf(digits, sizeof digits, "%llu.%03u", (unsigned long long)(thousandths / 1000),
                        (unsigned)(thousandths % 1000));
    while (digits[used - 1] == '0')
        used--;
    used -= digits[used - 1] == '.' ? 1 : 0;
    snprintf(text, FRD_FACT_MAX, "%.*s%s", used, digits, name);
}

typedef struct scale {
    uint64_t unit;
    const char *name;
} scale;

/* In the largest unit that leaves a whole number before the point. */
static void scaled(char text[FRD_FACT_MAX], uint64_t value, const scale *scales)
{
    while (scales->unit > 1 && value < scales->unit)
        scales++;
    if (value == 0)
        snprintf(text, FRD_FACT_MAX, "-");
    else
        decimal(text, value, scales->unit, scales->name);
}

void frd_rate_text(uint64_t bps, char text[FRD_FACT_MAX])
{
    static const scale scales[] = {
        { 1000000000, " Gbit/s" }, { 1000000, " Mbit/s" }, { 1000, " kbit/s" }, { 1, " bit/s" }
    };
    scaled(text, bps, scales);
}

void frd_rtt_text(uint64_t ns, char text[FRD_FACT_MAX])
{
    static const scale scales[] = { { 1000000000, " s" }, { 1000000, " ms" }, { 1000, " us" }, { 1, " ns" } };
    scaled(text, ns, scales);
}

void frd_loss_text(uint32_t ppm, char text[FRD_FACT_MAX])
{
    if (ppm == 0)
        snprintf(text, FRD_FACT_MAX, "-");
    else if (ppm % 10000 == 0)
        snprintf(text, FRD_FACT_MAX, "%u%%", (unsigned)ppm / 10000);
    else { /* all that there is: parts of a million are four digits behind the point */
        int used = snprintf(text, FRD_FACT_MAX, "%u.%04u", (unsigned)ppm / 10000, (unsigned)ppm % 10000);
        while (text[used - 1] == '0')
            used--;
        snprintf(text + used, FRD_FACT_MAX - (size_t)used, "%%");
    }
}

static int widest(const frd_links *links, const char *const *names)
{
    size_t width = sizeof "Dials" - 1;

    for (int i = 0; i < links->count; i++)
        width = strlen(names[i]) > width ? strlen(names[i]) : width;
    return (int)width;
}

/* Who opens connections. */
static const char *dialer(const frd_links *links, const char *const *names, int from, int to)
{
    const bool there = (frd_links_get(links, from, to)->flags & FRD_LINK_DIAL) != 0;
    const bool back = (frd_links_get(links, to, from)->flags & FRD_LINK_DIAL) != 0;

    if (!frd_links_direct(links, from, to))
        return "-";
    return there && back ? "both" : names[there ? from : to];
}

static void print_declared(const frd_link_facts *facts, bool last, FILE *out)
{
    char rate[FRD_FACT_MAX], rtt[FRD_FACT_MAX], loss[FRD_FACT_MAX];

    frd_rate_text(facts->rate_bps, rate);
    frd_rtt_text(facts->rtt_ns, rtt);
    frd_loss_text(facts->loss_ppm, loss);
    fprintf(out, "  %-14s  %-10s  %-*s", rate, rtt, last ? 0 : 7, loss);
}

void frd_links_route_text(const frd_links *links, const char *const *names, int from, int to, char *text,
                          size_t bytes)
{
    const frd_link *l = frd_links_get(links, from, to);
    size_t used;

    snprintf(text, bytes, "%s", l->measured_at_ns == 0 ? "-" : l->hops == 0 ? "direct" : "via ");
    for (unsigned i = 0; i < l->hops; i++) {
        used = strlen(text);
        snprintf(text + used, bytes - used, "%s%s", i > 0 ? ", " : "", names[l->via[i]]);
    }
}

static void print_measured(const frd_links *links, const char *const *names, int from, int to, FILE *out)
{
    const frd_link *l = frd_links_get(links, from, to);
    char rate[FRD_FACT_MAX], rtt[FRD_FACT_MAX], loss[FRD_FACT_MAX], route[300];

    frd_rate_text(l->measured.rate_bps, rate);
    frd_rtt_text(l->measured.rtt_ns, rtt);
    frd_loss_text(l->measured.loss_ppm, loss);
    if (l->measured.loss_ppm == 0 && l->measured_at_ns != 0)
        snprintf(loss, sizeof loss, "0%%"); /* seen to be none */
    frd_links_route_text(links, names, from, to, route, sizeof route);
    fprintf(out, "  %-14s  %-10s  %-7s  %s", rate, rtt, loss, route);
}

static bool is_declared(const frd_links *links, int i)
{
    const frd_link *l = &links->link[i];

    return l->declared.rate_bps != 0 || l->declared.rtt_ns != 0 || l->declared.loss_ppm != 0 ||
           (i / links->count != i % links->count && l->flags != (FRD_LINK_TALK | FRD_LINK_DIAL));
}

void frd_links_print(const frd_links *links, const char *const *names, FILE *out)
{
    const int width = widest(links, names), n = links->count;
    bool measured = false, declared = false;

    for (int i = 0; i < n * n; i++) {
        measured = measured || links->link[i].measured_at_ns != 0;
        declared = declared || is_declared(links, i);
    }
    declared = declared || !measured;
    fprintf(out, "%-*s  %-*s", width, "From", width, "To");
    if (declared)
        fprintf(out, "  %-6s  %-*s  %-14s  %-10s  %-*s", "Direct", width, "Dials", "Declared rate", "RTT",
                measured ? 7 : 0, "Loss");
    fprintf(out, "%s\n", measured ? "  Measured rate   RTT         Loss     Route" : "");
    for (int from = 0; from < n; from++)
        for (int to = 0; to < n; to++) {
            if (from == to)
                continue;
            fprintf(out, "%-*s  %-*s", width, names[from], width, names[to]);
            if (declared) {
                fprintf(out, "  %-6s  %-*s", frd_links_direct(links, from, to) ? "yes" : "no", width,
                        dialer(links, names, from, to));
                print_declared(&frd_links_get(links, from, to)->declared, !measured, out);
            }
            if (measured)
                print_measured(links, names, from, to, out);
            fprintf(out, "\n");
        }
}
