/* SPDX-License-Identifier: BSD-3-Clause
 * silos_text.c - a topology as text: the normal form of its file, which is hashed, and a table for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "topo/silos.h"

/* ---- the normal form ------------------------------------------------------------------------------ */

static void write_ranks(const frd_silo *silo, FILE *out)
{
    for (size_t i = 0; i < silo->nranks; i++) {
        const frd_silo_ranks *r = &silo->ranks[i];
        fprintf(out, r->first == r->last ? "%s%d" : "%s%d-%d", i > 0 ? "," : "", r->first, r->last);
    }
}

static void write_address(const frd_silo_address *address, FILE *out)
{
    const bool v6 = strchr(address->host, ':') != NULL;

    fprintf(out, "%s%s%s", v6 ? "[" : "", address->host, v6 ? "]" : "");
    if (address->port != 0)
        fprintf(out, ":%u", address->port);
}

static void write_gateway(const frd_silo_gateway *gateway, FILE *out)
{
    fprintf(out, "      %s:\n        addresses: [", gateway->host);
    for (size_t i = 0; i < gateway->naddresses; i++) {
        fputs(i > 0 ? ", \"" : "\"", out);
        write_address(&gateway->addresses[i], out);
        fputc('"', out);
    }
    fputs("]\n", out);
    if (gateway->device[0] != '\0')
        fprintf(out, "        device: %s\n", gateway->device);
}

static void write_silo(const frd_silo *silo, FILE *out)
{
    fprintf(out, "  %s:\n    relay: %s\n    dial_in: %s\n", silo->name, silo->relay ? "yes" : "no",
            silo->dial_in ? "yes" : "no");
    if (silo->egress_bps != 0)
        fprintf(out, "    egress: %" PRIu64 "bit/s\n", silo->egress_bps);
    if (silo->ingress_bps != 0)
        fprintf(out, "    ingress: %" PRIu64 "bit/s\n", silo->ingress_bps);
    if (silo->nranks > 0) {
        fputs("    ranks: \"", out);
        write_ranks(silo, out);
        fputs("\"\n", out);
    }
    for (size_t i = 0; i < silo->nhosts; i++)
        fprintf(out, "%s%s%s", i == 0 ? "    hosts: [" : ", ", silo->hosts[i],
                i + 1 == silo->nhosts ? "]\n" : "");
    for (size_t i = 0; i < silo->ngateways; i++) {
        fputs(i == 0 ? "    gateways:\n" : "", out);
        write_gateway(&silo->gateways[i], out);
    }
}

/* What the pair has that it would not have anyway. */
static bool has_pair(const frd_silos *silos, int a, int b)
{
    const frd_link *there = frd_links_get(silos->links, a, b), *back = frd_links_get(silos->links, b, a);
    const unsigned mine = FRD_LINK_TALK | (silos->silo[b].dial_in ? FRD_LINK_DIAL : 0u);
    const unsigned other = FRD_LINK_TALK | (silos->silo[a].dial_in ? FRD_LINK_DIAL : 0u);

    return there->flags != mine || back->flags != other || there->declared.rtt_ns != 0;
}

static void write_pair(const frd_silos *silos, int a, int b, FILE *out)
{
    const frd_link *there = frd_links_get(silos->links, a, b), *back = frd_links_get(silos->links, b, a);
    const bool dial = (there->flags & FRD_LINK_DIAL) != 0, dialed = (back->flags & FRD_LINK_DIAL) != 0;

    fprintf(out, "  - between: [%s, %s]\n", silos->silo[a].name, silos->silo[b].name);
    if ((there->flags & FRD_LINK_TALK) == 0) {
        fputs("    talk: no\n", out);
        return;
    }
    if (there->declared.rtt_ns != 0)
        fprintf(out, "    rtt: %" PRIu64 "ns\n", there->declared.rtt_ns);
    if (dial && !dialed && silos->silo[a].dial_in)
        fprintf(out, "    dial: %s->%s\n", silos->silo[a].name, silos->silo[b].name);
    if (dialed && !dial && silos->silo[b].dial_in)
        fprintf(out, "    dial: %s->%s\n", silos->silo[b].name, silos->silo[a].name);
}

static void write_way(const frd_silos *silos, int from, int to, FILE *out)
{
    const frd_link_facts *facts = &frd_links_get(silos->links, from, to)->declared;
    const unsigned loss = facts->loss_ppm;

    if (facts->rate_bps == 0 && loss == 0)
        return;
    fprintf(out, "  - from: %s\n    to: %s\n", silos->silo[from].name, silos->silo[to].name);
    if (facts->rate_bps != 0)
        fprintf(out, "    rate: %" PRIu64 "bit/s\n", facts->rate_bps);
    if (loss != 0)
        fprintf(out, "    loss: %u.%04u%%\n", loss / 10000, loss % 10000);
}

void frd_silos_write(const frd_silos *silos, FILE *out)
{
    const int n = silos->count;

    fputs("version: 1\nsilos:\n", out);
    for (int i = 0; i < n; i++)
        write_silo(&silos->silo[i], out);
    fputs("links:\n", out);
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) {
            if (has_pair(silos, a, b))
                write_pair(silos, a, b, out);
            write_way(silos, a, b, out);
            write_way(silos, b, a, out);
        }
    if (silos->ndetours > 0)
        fputs("policy:\n  avoid:\n", out);
    for (size_t i = 0; i < silos->ndetours; i++) {
        const frd_silo_detour *d = &silos->detours[i];
        fprintf(out, "    - {between: [%s, %s], through: %s}\n", silos->silo[d->a].name,
                silos->silo[d->b].name, silos->silo[d->through].name);
    }
}

/* ---- for people ----------------------------------------------------------------------------------- */

static int widest_name(const frd_silos *silos)
{
    size_t width = sizeof "Gateway" - 1;

    for (int i = 0; i < silos->count; i++) {
        const frd_silo *s = &silos->silo[i];
        width = strlen(s->name) > width ? strlen(s->name) : width;
        for (size_t g = 0; g < s->ngateways; g++)
            width = strlen(s->gateways[g].host) > width ? strlen(s->gateways[g].host) : width;
    }
    return (int)width;
}

static void print_silos(const frd_silos *silos, int width, FILE *out)
{
    char egress[FRD_FACT_MAX], ingress[FRD_FACT_MAX];

    fprintf(out, "%-*s  %-8s  %-5s  %-14s  %-14s  %-6s  %-7s  %s\n", width, "Silo", "Gateways", "Hosts",
            "Egress", "Ingress", "Relays", "Dial in", "Ranks");
    for (int i = 0; i < silos->count; i++) {
        const frd_silo *s = &silos->silo[i];
        frd_rate_text(s->egress_bps, egress);
        frd_rate_text(s->ingress_bps, ingress);
        fprintf(out, "%-*s  %-8zu  %-5zu  %-14s  %-14s  %-6s  %-7s  ", width, s->name, s->ngateways,
                s->nhosts, egress, ingress, s->relay ? "yes" : "no", s->dial_in ? "yes" : "no");
        if (s->nranks == 0)
            fputc('-', out);
        write_ranks(s, out);
        fputc('\n', out);
    }
}

static void print_gateways(const frd_silos *silos, int width, FILE *out)
{
    fprintf(out, "\n%-*s  %-*s  %-10s  %s\n", width, "Gateway", width, "Silo", "Device", "Addresses");
    for (int i = 0; i < silos->count; i++)
        for (size_t g = 0; g < silos->silo[i].ngateways; g++) {
            const frd_silo_gateway *gateway = &silos->silo[i].gateways[g];
            fprintf(out, "%-*s  %-*s  %-10s  ", width, gateway->host, width, silos->silo[i].name,
                    gateway->device[0] != '\0' ? gateway->device : "-");
            fputs(gateway->naddresses == 0 ? "-" : "", out);
            for (size_t k = 0; k < gateway->naddresses; k++) {
                fputs(k > 0 ? ", " : "", out);
                write_address(&gateway->addresses[k], out);
            }
            fputc('\n', out);
        }
}

static void print_policy(const frd_silos *silos, FILE *out)
{
    const char *comma = "";
    int relays = 0;

    fputs("\nRelays: ", out);
    for (int i = 0; i < silos->count; i++)
        if (silos->silo[i].relay) {
            fprintf(out, "%s%s", comma, silos->silo[i].name);
            comma = ", ";
            relays++;
        }
    fputs(relays == 0 ? "none\n" : "\n", out);
    for (size_t i = 0; i < silos->ndetours; i++)
        fprintf(out, "Not through %s: %s and %s\n", silos->silo[silos->detours[i].through].name,
                silos->silo[silos->detours[i].a].name, silos->silo[silos->detours[i].b].name);
}

void frd_silos_print(const frd_silos *silos, FILE *out)
{
    const char *names[FRD_SILOS_MAX];
    const int width = widest_name(silos);

    for (int i = 0; i < silos->count; i++)
        names[i] = silos->silo[i].name;
    print_silos(silos, width, out);
    print_gateways(silos, width, out);
    if (silos->count > 1) {
        fputc('\n', out);
        frd_links_print(silos->links, names, out);
        print_policy(silos, out);
    }
}
