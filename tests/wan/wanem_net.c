/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_net.c - the way of a packet. Most super-packets pass whole: only when chance hits one of its
 * segments, or the line is so slow that a burst of 64 KiB would be felt, it is cut. */
#include "tests/wan/wanem_net.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    NETWORK = 0x0a4d0000,
    MTU = 1500,
    LATE_BOUND_NS = 1000000,
    JITTER_PERIOD_NS = 5000000,
    REORDER_BY_NS = 2000000
};

void wanem_net_init(wanem_net *n)
{
    *n = (wanem_net){ .mtu = MTU, .late_bound_ns = LATE_BOUND_NS };
    for (int a = 0; a < WANEM_SILOS; a++) {
        n->silo[a].port.fd = n->silo[a].port.overflow_fd = -1;
        n->silo[a].egress.queue = n->silo[a].ingress.queue = 1;
        for (int b = 0; b < WANEM_SILOS; b++) {
            n->link[a][b].line.queue = 1;
            n->link[a][b].jitter_period_ns = JITTER_PERIOD_NS;
            n->link[a][b].reorder_by_ns = REORDER_BY_NS;
        }
    }
    wanem_random_seed(&n->random, 0);
}

void wanem_net_free(wanem_net *n)
{
    wanem_due_free(&n->due);
}

int wanem_net_silo(const wanem_net *n, const char *name)
{
    for (int i = 0; i < n->silos; i++)
        if (strcmp(n->silo[i].name, name) == 0)
            return i;
    return -1;
}

in_addr_t wanem_net_address(int silo, int node)
{
    return htonl(NETWORK + ((uint32_t)silo + 1) * 256 + (uint32_t)node + 1);
}

/* -1: nobody's. */
static int silo_at(const wanem_net *n, in_addr_t address)
{
    const uint32_t host = ntohl(address), silo = (host >> 8 & 0xff) - 1;

    return (host & 0xffff0000) == NETWORK && silo < (uint32_t)n->silos ? (int)silo : -1;
}

void wanem_net_fit(wanem_net *n)
{
    for (int a = 0; a < n->silos; a++) {
        double longest_ns = 0;

        for (int b = 0; b < n->silos; b++) {
            const double rtt_ns = n->link[a][b].delay_ns + n->link[b][a].delay_ns;

            if (a == b || !(n->link[a][b].declared || n->link[b][a].declared))
                continue;
            wanem_shaper_fit(&n->link[a][b].line, rtt_ns);
            if (rtt_ns > longest_ns)
                longest_ns = rtt_ns;
        }
        wanem_shaper_fit(&n->silo[a].egress, longest_ns);
        wanem_shaper_fit(&n->silo[a].ingress, longest_ns);
    }
}

void wanem_net_zero(wanem_net *n)
{
    wanem_shaper *lines[WANEM_SILOS * (WANEM_SILOS + 2)];
    int count = 0;

    for (int a = 0; a < n->silos; a++) {
        wanem_port_zero(&n->silo[a].port);
        lines[count++] = &n->silo[a].egress;
        lines[count++] = &n->silo[a].ingress;
        for (int b = 0; b < n->silos; b++) {
            lines[count++] = &n->link[a][b].line;
            n->link[a][b].count = (wanem_link_count){ 0 };
        }
    }
    for (int i = 0; i < count; i++) {
        lines[i]->packets = lines[i]->bytes = lines[i]->dropped = 0;
        lines[i]->waiting = (wanem_times){ 0 };
    }
    n->late = (wanem_times){ 0 };
}

/* ---- sending ----------------------------------------------------------------------------------------------
 */

static int64_t due_after(wanem_net *n, wanem_link *link, int64_t sent_ns, double extra_ns)
{
    int64_t due = sent_ns + (int64_t)link->delay_ns;

    if (link->jitter_ns > 0) {
        if (sent_ns >= link->jitter_until_ns) {
            link->jitter_now_ns = (int64_t)(wanem_random_unit(&n->random) * link->jitter_ns);
            link->jitter_until_ns = sent_ns + (int64_t)link->jitter_period_ns;
        }
        due += link->jitter_now_ns;
    }
    if (extra_ns > 0)
        return due + (int64_t)extra_ns;
    if (due < link->last_due_ns)
        due = link->last_due_ns;
    link->last_due_ns = due;
    return due;
}

typedef struct way {
    int from, to; /* silos */
    wanem_silo *source, *target;
    wanem_link *link;
    int64_t now_ns;
} way;

/* Segments first..first+count-1 of the packet, in pieces that don't burst. */
static void send_run(wanem_net *n, const way *w, const wanem_packet *p, uint32_t first, uint32_t count,
                     double extra_ns)
{
    uint32_t piece = wanem_shaper_burst(&w->source->egress, p);
    uint32_t other = wanem_shaper_burst(&w->link->line, p);

    piece = other < piece ? other : piece;
    other = wanem_shaper_burst(&w->target->ingress, p);
    piece = other < piece ? other : piece;
    for (const uint32_t end = first + count; first < end; first += piece) {
        wanem_flight f = { .from = (uint16_t)w->from, .to = (uint16_t)w->to };
        int64_t sent_ns = w->now_ns;
        uint32_t taken = end - first < piece ? end - first : piece;

        taken = wanem_shaper_take(&w->source->egress, p, first, taken, &sent_ns);
        if (taken > 0)
            taken = wanem_shaper_take(&w->link->line, p, first, taken, &sent_ns);
        if (taken == 0)
            continue;
        f.due_ns = due_after(n, w->link, sent_ns, extra_ns);
        f.packet = wanem_packet_slice(p, first, taken);
        wanem_due_add(&n->due, &f);
    }
}

static bool loses(wanem_net *n, wanem_link *link)
{
    wanem_gilbert *g = &link->gilbert;

    if (!g->on)
        return wanem_chance_hits(&link->loss, &n->random);
    if (wanem_random_unit(&n->random) <= (g->bad ? g->to_good : g->to_bad))
        g->bad = !g->bad;
    return wanem_random_unit(&n->random) <= (g->bad ? g->loss_bad : g->loss_good);
}

/* What chance has for a segment. */
typedef struct fate {
    bool lost, late, twice, wrong;
} fate;

static fate draw(wanem_net *n, wanem_link *link)
{
    fate f = { .lost = loses(n, link) };

    if (f.lost)
        return f;
    f.late = wanem_chance_hits(&link->reorder, &n->random);
    f.twice = wanem_chance_hits(&link->duplicate, &n->random);
    f.wrong = wanem_chance_hits(&link->corrupt, &n->random);
    return f;
}

static void send_corrupted(wanem_net *n, const way *w, const wanem_packet *p, uint32_t segment,
                           double extra_ns)
{
    wanem_packet wrong = wanem_packet_slice(p, segment, 1);

    if (wanem_packet_corrupt(&wrong, w->link->checksum, wanem_random_next(&n->random)))
        w->link->count.corrupted++;
    send_run(n, w, &wrong, 0, 1, extra_ns);
    free(wrong.data);
}

/* Sends it as it is meant to be: late, wrong, and once more. The copy is right. */
static void send_fated(wanem_net *n, const way *w, const wanem_packet *p, uint32_t segment, fate f)
{
    const double extra_ns = f.late ? w->link->reorder_by_ns : 0;

    w->link->count.reordered += f.late;
    w->link->count.duplicated += f.twice;
    if (f.wrong)
        send_corrupted(n, w, p, segment, extra_ns);
    else
        send_run(n, w, p, segment, 1, extra_ns);
    if (f.twice)
        send_run(n, w, p, segment, 1, extra_ns);
}

static bool spares_all(const wanem_link *l, uint32_t count)
{
    return !l->gilbert.on && wanem_chance_spares(&l->loss, count) &&
           wanem_chance_spares(&l->duplicate, count) && wanem_chance_spares(&l->corrupt, count) &&
           wanem_chance_spares(&l->reorder, count);
}

static void send_all(wanem_net *n, const way *w, const wanem_packet *p)
{
    wanem_link *link = w->link;
    uint32_t first = 0;

    if (spares_all(link, p->segments)) {
        wanem_chance_pass(&link->loss, p->segments);
        wanem_chance_pass(&link->duplicate, p->segments);
        wanem_chance_pass(&link->corrupt, p->segments);
        wanem_chance_pass(&link->reorder, p->segments);
        send_run(n, w, p, 0, p->segments, 0);
        return;
    }
    for (uint32_t i = 0; i < p->segments; i++) {
        const fate f = draw(n, link);

        if (!f.lost && !f.late && !f.twice && !f.wrong)
            continue;
        if (i > first) /* the lines are first come, first served */
            send_run(n, w, p, first, i - first, 0);
        first = i + 1;
        if (f.lost)
            link->count.lost++;
        else
            send_fated(n, w, p, i, f);
    }
    if (first < p->segments)
        send_run(n, w, p, first, p->segments - first, 0);
}

void wanem_net_take(wanem_net *n, int from, wanem_packet *p, int64_t now_ns)
{
    way w = { .from = from, .now_ns = now_ns, .source = &n->silo[from] };

    w.to = wanem_packet_parse(p) ? silo_at(n, wanem_packet_to(p)) : -1;
    if (w.to < 0 || w.to == from || !n->link[from][w.to].declared) {
        w.source->port.foreign++;
        return;
    }
    w.target = &n->silo[w.to];
    w.link = &n->link[from][w.to];
    w.link->count.packets += p->segments;
    w.link->count.bytes += wanem_packet_wire_bytes(p, 0, p->segments);
    if (n->link[w.to][from].nat_ns > 0) /* we are inside */
        wanem_flows_open(&n->inside[from], p, now_ns);
    if (w.link->down)
        w.link->count.down += p->segments;
    else if (w.link->nat_ns > 0 && !wanem_flows_admit(&n->inside[w.to], p, w.link->nat_ns, now_ns))
        w.link->count.closed += p->segments;
    else
        send_all(n, &w, p);
}

/* ---- arriving ---------------------------------------------------------------------------------------------
 */

/* Through the ingress line, where it may have to wait. True: it is through. */
static bool arrive(wanem_net *n, wanem_flight *f)
{
    wanem_shaper *ingress = &n->silo[f->to].ingress;
    const uint32_t taken = wanem_shaper_take(ingress, &f->packet, 0, f->packet.segments, &f->due_ns);

    f->arrived = 1;
    if (taken < f->packet.segments) {
        const wanem_packet whole = f->packet;

        if (taken > 0)
            f->packet = wanem_packet_slice(&whole, 0, taken);
        free(whole.data);
        if (taken == 0)
            return false;
    }
    if (ingress->rate_bps <= 0)
        return true;
    wanem_due_add(&n->due, f);
    return false;
}

void wanem_net_deliver(wanem_net *n, int64_t now_ns)
{
    wanem_flight f;
    wanem_link *link;

    if (wanem_due_next_ns(&n->due) > now_ns)
        return;
    f = wanem_due_take(&n->due);
    link = &n->link[f.from][f.to];
    if (link->down) { /* what was under way is gone, too */
        link->count.down += f.packet.segments;
        free(f.packet.data);
        return;
    }
    if (f.arrived == 0 && !arrive(n, &f))
        return;
    wanem_times_add(&n->late, now_ns - f.due_ns, 1);
    link->count.delivered += f.packet.segments;
    link->count.delivered_bytes += wanem_packet_wire_bytes(&f.packet, 0, f.packet.segments);
    wanem_port_write(&n->silo[f.to].port, &f.packet);
    free(f.packet.data);
}
