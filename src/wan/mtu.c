/* SPDX-License-Identifier: BSD-3-Clause
 * mtu.c - how long a route's datagrams may be: what its path carries, found by asking it, as in RFC 8899.
 *
 * A route begins with what every path carries. Knocks that are padded ask for more, so that a path which
 * carries it is known to when the first data goes; PINGs that are padded ask again, where a knock was lost or
 * the path changed. All sizes of a round go at once, the longest that came through counts: that costs one
 * round trip, and some datagrams. A datagram that only asks is no loss when it does not come through.
 *
 * A path that carries less than it did swallows what is long and passes what is short (a black hole): when
 * GONE long ones in a row were lost, and a short one that left a round trip after the first of them arrived,
 * the route is back at its beginning, and asks. ICMP's word (too long, this much I carry) is a hint which
 * sizes to ask for, believed at once only where it is less than what we send.
 *
 * A relayed route finds the least of its hops: they are asked as one path. */
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "wan/core.h"

enum { GONE = 6 }; /* nobody loses so many by chance but in bursts, in which short ones are lost, too */

#define AGAIN_NS \
    (300 * FRD_NS_PER_MS) /* until a size that did not come through is asked for again; then doubled */
#define RAISE_NS (600 * FRD_NS_PER_S) /* RFC 8899's PMTU_RAISE_TIMER */

/* Less 28 bytes, UDP's over IPv4, or 48, over IPv6: jumbo frames and those of clouds, Ethernet, PPPoE,
 * tunnels (GRE, VXLAN, IPsec, WireGuard), the least of IPv6. In the first round only those that are common.
 */
static const struct {
    uint16_t bytes;
    bool common;
} usual[] = {
    { 8972, false }, { 8952, false }, { 8873, false }, { 4436, false }, { 1472, true },  { 1464, false },
    { 1452, false }, { 1444, false }, { 1432, false }, { 1422, false }, { 1410, false }, { 1392, true },
    { 1372, false }, { 1344, false }, { 1312, false }, { 1252, false },
};

static uint32_t base_of(const frd_wan_route *route)
{
    return route->session->node->params.datagram_bytes;
}

/* The longest size to ask for that is shorter than `below`; 0: none. */
static uint32_t next_size(const frd_wan_route *route, uint32_t below, bool all)
{
    const uint32_t known = route->datagram_bytes, hint = route->mtu.hint;
    uint32_t size = 0;

    if (known >= route->datagram_most)
        return 0;
    if (below > route->datagram_most)
        return route->datagram_most;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]) && size == 0; i++)
        size = usual[i].bytes < below && (all || usual[i].common) ? usual[i].bytes : 0;
    if (hint > size && hint < below)
        size = hint;
    return size > known ? size : 0;
}

static void begin_round(frd_wan_route *route, uint64_t at_ns)
{
    route->mtu.asked = UINT32_MAX;
    route->mtu.due_ns = at_ns;
}

void frd_wan_mtu_init(frd_wan_route *route)
{
    const frd_wan_params *const params = &route->session->node->params;

    route->datagram_bytes = params->datagram_bytes;
    route->datagram_most = params->datagram_most;
    route->mtu = (frd_wan_mtu){ .due_ns = UINT64_MAX };
}

void frd_wan_mtu_search(frd_wan_route *route, uint64_t now_ns)
{
    if (route->mtu.due_ns == UINT64_MAX && route->datagram_bytes < route->datagram_most)
        begin_round(route, now_ns);
}

void frd_wan_mtu_reset(frd_wan_route *route)
{
    frd_wan_mtu *const m = &route->mtu;

    route->datagram_bytes = base_of(route);
    *m = (frd_wan_mtu){ .due_ns = UINT64_MAX, .hint = m->hint };
}

void frd_wan_mtu_shown(frd_wan_route *route, uint32_t bytes)
{
    if (bytes <= route->datagram_bytes || bytes > route->datagram_most)
        return;
    route->datagram_bytes = bytes;
    if (bytes == route->datagram_most)
        route->mtu.due_ns = UINT64_MAX;
}

void frd_wan_mtu_told(frd_wan_route *route, uint64_t now_ns, uint32_t bytes)
{
    if (bytes < FRD_WAN_DATAGRAM_MIN || bytes == route->mtu.hint)
        return;
    route->mtu.hint = bytes;
    if (bytes < route->datagram_bytes) {
        frd_wan_mtu_reset(route);
        route->datagram_bytes = bytes > base_of(route) ? bytes : base_of(route);
        begin_round(route, now_ns + RAISE_NS);
    }
    if (route->state == FRD_WAN_ROUTE_UP && bytes > route->datagram_bytes && bytes < route->datagram_most)
        begin_round(route, now_ns);
    frd_wan_session_wake(route->session);
}

/* ---- the fate of datagrams ---- */

static void black_hole(frd_wan_route *route)
{
    frd_wan_mtu *const m = &route->mtu;

    if (m->gone < GONE || m->passed_ns <= m->gone_ns + route->path.smooth_ns ||
        route->datagram_bytes <= base_of(route))
        return;
    frd_wan_mtu_reset(route);
    frd_wan_mtu_search(route, 0); /* at once */
}

static uint32_t length_of(const frd_wan_packet *packet)
{
    return packet->stamp.bytes - FRD_WAN_BELOW;
}

void frd_wan_mtu_acked(frd_wan_route *route, const frd_wan_packet *packet)
{
    if (packet->probe_bytes > 0)
        frd_wan_mtu_shown(route, packet->probe_bytes);
    if (length_of(packet) > base_of(route)) {
        route->mtu.gone = 0;
        return;
    }
    if (packet->stamp.sent_ns > route->mtu.passed_ns)
        route->mtu.passed_ns = packet->stamp.sent_ns;
    black_hole(route);
}

void frd_wan_mtu_lost(frd_wan_route *route, const frd_wan_packet *packet)
{
    if (packet->probe_bytes > 0 || length_of(packet) <= base_of(route))
        return;
    if (route->mtu.gone++ == 0)
        route->mtu.gone_ns = packet->stamp.sent_ns;
    black_hole(route);
}

/* ---- what goes out ---- */

uint32_t frd_wan_mtu_knock(const frd_wan_route *route, uint32_t below)
{
    return route->hello_wait_ns < route->session->node->params.heartbeat_ns ? next_size(route, below, false)
                                                                            : 0;
}

/* The size of the next datagram that asks; 0: not now. */
static uint32_t next_probe(frd_wan_route *route, uint64_t now_ns)
{
    frd_wan_mtu *const m = &route->mtu;
    uint64_t wait = 2 * route->path.smooth_ns > AGAIN_NS ? 2 * route->path.smooth_ns : AGAIN_NS;

    if (m->due_ns > now_ns)
        return 0;
    m->asked = next_size(route, m->asked, m->rounds > 0);
    if (m->asked > 0)
        return m->asked;
    for (unsigned i = 0; i < m->rounds && wait < RAISE_NS; i++)
        wait *= 2;
    m->rounds++;
    begin_round(route, route->datagram_bytes >= route->datagram_most
                           ? UINT64_MAX
                           : now_ns + (wait < RAISE_NS ? wait : RAISE_NS));
    return 0;
}

bool frd_wan_mtu_write(frd_wan_route *route, uint64_t now_ns, frd_wan_batch *batch)
{
    frd_wan_session *const s = route->session;
    const size_t head = frd_wan_head_bytes(route->hops), tag = s->seal.ops->tag_bytes;
    const uint32_t all = next_probe(route, now_ns);
    frd_wan_wire_note note = { .type = FRD_WAN_PING };
    frd_wan_packet *packet;

    if (all == 0 || !frd_wan_route_address(route, &batch->to))
        return false;
    packet = frd_wan_rel_packet(&route->rel);
    if (packet == NULL)
        return false;
    note.padding = (uint16_t)(all - head - tag - sizeof(note));
    packet->probe_bytes = (uint16_t)all;
    route->rel.next++;
    (void)frd_wan_write_head(route, batch->data, FRD_WAN_DATA, FRD_WAN_ACK_NOW, packet->number);
    memcpy(batch->data + head, &note, sizeof(note));
    memset(batch->data + head + sizeof(note), 0, note.padding);
    s->seal.ops->seal(&s->seal, packet->number, batch->data, head, all - head - tag);
    frd_wan_rel_sent(&route->rel, &route->path, packet, now_ns, all + FRD_WAN_BELOW);
    s->node->counts.wan_datagrams_sent++;
    batch->bytes = batch->segment_bytes = all;
    batch->count = 1;
    return true;
}
