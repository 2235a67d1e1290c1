/* SPDX-License-Identifier: BSD-3-Clause
 * line.c - what leaves a rank for a silo: never faster than the cap of that silo's line, and never faster
 * than the rank's own; and what is forwarded for others, which waits here for its turn, as in a router's
 * queue.
 *
 * A cap is kept by the time at which the next bytes may go: what was sent moves it on. Idle time is not saved
 * up, but for a millisecond, so that a late timer costs nothing. Acknowledgements and heartbeats are counted,
 * but don't wait: they are few, and what waits for them is more.
 *
 * A relay sends on what it gets in order; it neither acknowledges nor keeps it. The ends' own rate control
 * sees the relay's links as part of the path. What does not leave in time is dropped at a bound, as in any
 * router. */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "wan/core.h"

enum { LINE_QUANTUM_US = 500 }; /* of forwarded datagrams that leave at once */
#define SAVED_NS FRD_NS_PER_MS

int frd_wan_lines_new(frd_wan_node *node)
{
    const size_t n = (size_t)node->params.size + 1;

    node->egress.rate = node->params.rate;
    TAILQ_INIT(&node->egress.waiting);
    node->line = frd_calloc(n, sizeof(*node->line));
    for (size_t i = 0; node->line != NULL && i < n; i++) {
        STAILQ_INIT(&node->line[i].relayed);
        TAILQ_INIT(&node->line[i].gate.waiting);
    }
    return node->line != NULL ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
}

static frd_wan_line *open_line(const frd_wan_node *node)
{
    return &node->line[node->params.size]; /* of silos without a cap */
}

frd_wan_line *frd_wan_line_to(const frd_wan_node *node, int rank)
{
    const frd_wan_session *const s = node->session[rank];

    return s != NULL && s->line != NULL ? s->line : open_line(node);
}

frd_wan_line *frd_wan_line_of(const frd_wan_route *route)
{
    return frd_wan_line_to(route->session->node, route->hops > 0 ? route->via.rank[0] : route->session->rank);
}

void frd_wan_node_cap(frd_wan_node *node, int rank, int silo, uint64_t rate)
{
    node->line[silo].gate.rate = rate;
    node->session[rank]->line = &node->line[silo];
}

uint64_t frd_wan_line_rate(const frd_wan_route *route)
{
    const uint64_t line = frd_wan_line_of(route)->gate.rate, all = route->session->node->params.rate;

    return all == 0 || (line > 0 && line < all) ? line : all;
}

static uint64_t gate_due(const frd_wan_gate *gate)
{
    return gate->rate > 0 ? gate->next_ns : 0;
}

uint64_t frd_wan_line_due(const frd_wan_node *node, const frd_wan_line *line)
{
    const uint64_t egress = gate_due(&node->egress), own = gate_due(&line->gate);

    return egress > own ? egress : own;
}

static void leave(frd_wan_gate *gate, frd_wan_wait *wait)
{
    if (wait->queued)
        TAILQ_REMOVE(&gate->waiting, wait, link);
    wait->queued = false;
}

/* Who is first, and finds the gate open, passes. Others see to it that the first one comes. */
static bool may(frd_wan_gate *gate, frd_wan_wait *wait, frd_wan_route *route, uint64_t now_ns)
{
    frd_wan_wait *const first = TAILQ_FIRST(&gate->waiting);

    if (gate->rate == 0 || (gate->next_ns <= now_ns && (first == NULL || first == wait)))
        return true;
    if (!wait->queued) {
        wait->route = route;
        wait->queued = true;
        TAILQ_INSERT_TAIL(&gate->waiting, wait, link);
    }
    if (gate->next_ns <= now_ns)
        frd_wan_session_wake(first->route->session);
    return false;
}

void frd_wan_line_leave(frd_wan_route *route)
{
    leave(&frd_wan_line_of(route)->gate, &route->wait_line);
    leave(&route->session->node->egress, &route->wait_egress);
}

bool frd_wan_line_may(frd_wan_route *route, uint64_t now_ns)
{
    frd_wan_gate *const egress = &route->session->node->egress;

    if (!may(&frd_wan_line_of(route)->gate, &route->wait_line, route, now_ns)) {
        leave(egress, &route->wait_egress); /* nobody else may send because of us */
        return false;
    }
    return may(egress, &route->wait_egress, route, now_ns);
}

static void charge(frd_wan_gate *gate, uint64_t now_ns, uint64_t bytes)
{
    if (gate->rate == 0)
        return;
    if (gate->next_ns + SAVED_NS < now_ns)
        gate->next_ns = now_ns - SAVED_NS;
    gate->next_ns += (uint64_t)((double)bytes * (double)FRD_NS_PER_S / (double)gate->rate);
}

void frd_wan_line_sent(frd_wan_node *node, frd_wan_line *line, uint64_t now_ns, const frd_wan_batch *batch)
{
    const uint64_t bytes = batch->bytes + (uint64_t)batch->count * FRD_WAN_BELOW;

    charge(&node->egress, now_ns, bytes);
    charge(&line->gate, now_ns, bytes);
}

/* ---- for others ---- */

bool frd_wan_line_queue(frd_wan_node *node, frd_wan_line *line, const frd_wan_addr *to, const void *datagram,
                        size_t bytes)
{
    size_t room;
    frd_wan_relayed *r;

    if (node->relayed_bytes + bytes > FRD_WAN_RELAYED_BYTES)
        return false;
    r = frd_wan_bytes_get(&node->memory, sizeof(*r) + bytes, &room);
    if (r == NULL)
        return false;
    r->to = *to;
    r->bytes = (uint32_t)bytes;
    r->room = (uint32_t)room;
    memcpy(r->data, datagram, bytes);
    STAILQ_INSERT_TAIL(&line->relayed, r, link);
    node->relayed_bytes += bytes;
    return true;
}

bool frd_wan_line_answer(frd_wan_node *node, const frd_wan_addr *to, const void *datagram, size_t bytes)
{
    return frd_wan_line_queue(node, open_line(node), to, datagram, bytes);
}

void frd_wan_line_forward(frd_wan_node *node, const frd_wan_parsed *parsed, unsigned char *datagram,
                          size_t bytes)
{
    const unsigned next = parsed->place + 1;
    const int to = next < parsed->hops ? parsed->via.rank[next] : parsed->to;
    const frd_wan_session *const s = to < node->params.size ? node->session[to] : NULL;
    frd_wan_addr addr = { .len = 0 };

    if (s != NULL && !s->barred)
        addr = s->route[0]->addr.len > 0 ? s->route[0]->addr : s->addr[0];
    datagram[offsetof(frd_wan_head, way)] = (uint8_t)(next << 6 | (parsed->head.way & 0x3f));
    if (!node->params.relay || addr.len == 0 ||
        !frd_wan_line_queue(node, frd_wan_line_to(node, to), &addr, datagram, bytes))
        node->counts.wan_relay_dropped++;
    else
        node->counts.wan_relayed++;
}

/* As many datagrams for one address as may go at once. */
static void take(frd_wan_node *node, frd_wan_line *line, frd_wan_batch *batch)
{
    const uint64_t most = line->gate.rate > 0 ? line->gate.rate * LINE_QUANTUM_US / 1000000 : UINT64_MAX;
    frd_wan_relayed *r;

    while ((r = STAILQ_FIRST(&line->relayed)) != NULL && batch->count < batch->most &&
           r->bytes <= batch->room - batch->bytes && (batch->count == 0 || batch->bytes + r->bytes <= most)) {
        if (batch->count == 0) {
            batch->to = r->to;
            batch->segment_bytes = r->bytes;
        } else if (r->bytes > batch->segment_bytes || batch->bytes % batch->segment_bytes != 0 ||
                   memcmp(&batch->to, &r->to, sizeof(r->to)) != 0) {
            break;
        }
        memcpy(batch->data + batch->bytes, r->data, r->bytes);
        batch->bytes += r->bytes;
        batch->count++;
        node->relayed_bytes -= r->bytes;
        STAILQ_REMOVE_HEAD(&line->relayed, link);
        frd_wan_bytes_put(&node->memory, r, r->room);
    }
}

bool frd_wan_lines_pull(frd_wan_node *node, uint64_t now_ns, frd_wan_batch *batch)
{
    const unsigned lines = (unsigned)node->params.size + 1;

    batch->bytes = batch->segment_bytes = batch->count = 0;
    for (unsigned i = 0; node->relayed_bytes > 0 && i < lines; i++) {
        frd_wan_line *const line = &node->line[(node->line_turn + i) % lines];

        if (STAILQ_EMPTY(&line->relayed) || frd_wan_line_due(node, line) > now_ns)
            continue;
        take(node, line, batch);
        frd_wan_line_sent(node, line, now_ns, batch);
        node->line_turn = (node->line_turn + i + 1) % lines;
        return true;
    }
    return false;
}

uint64_t frd_wan_lines_due(const frd_wan_node *node)
{
    uint64_t due = UINT64_MAX;

    for (int i = 0; node->relayed_bytes > 0 && i <= node->params.size; i++) {
        const frd_wan_line *const line = &node->line[i];
        const uint64_t own = STAILQ_EMPTY(&line->relayed) ? UINT64_MAX : frd_wan_line_due(node, line);

        due = own < due ? own : due;
    }
    return due;
}
