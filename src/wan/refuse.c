/* SPDX-License-Identifier: BSD-3-Clause
 * refuse.c - a host that refuses what we send to a rank: is the rank's process gone, or is that a stray?
 *
 * Hosts answer a datagram to a port where nobody listens with an ICMP message that quotes its beginning.
 * Anybody can write such a message, but only who saw our datagrams can quote one: others are not believed.
 * One that is believed makes us ask the rank, every ASK_NS. If nothing at all is heard of it, and a datagram
 * that left SURE_NS and two round trips later is refused as well, its process has ended. (Hosts limit how
 * many they refuse, often to one in a second: so not every question can be required to be.)
 *
 * Only an address that the rank named itself, and that has worked, counts: what a NAT in front of it refuses
 * means that it forgot, and the rank will knock. */
#include "base/clock.h"
#include "wan/core.h"

#include <string.h>

#define ASK_NS (30 * FRD_NS_PER_MS)
#define SURE_NS (200 * FRD_NS_PER_MS)
#define GIVE_UP_NS \
    (3 * FRD_NS_PER_S) /* no other refusal: it was a stray, or the host is silent; heartbeats go on */

static bool is_named(const frd_wan_session *s, const frd_wan_addr *addr)
{
    for (unsigned i = 0; i < s->addrs; i++) {
        if (s->addr[i].len == addr->len && memcmp(s->addr[i].bytes, addr->bytes, addr->len) == 0)
            return true;
    }
    return false;
}

void frd_wan_session_refused(frd_wan_session *s, uint64_t now_ns, uint64_t number)
{
    const frd_wan_route *const route = s->route[0];
    frd_wan_doubt *const r = &s->doubt;

    s->node->counts.wan_refused++;
    if (s->lost || s->left || route->state == FRD_WAN_ROUTE_NEW || number >= route->rel.next ||
        !is_named(s, &route->addr))
        return;
    if (r->since_ns == 0)
        r->since_ns = r->ask_ns = now_ns;
    else if (r->sure_number > 0 && number >= r->sure_number)
        frd_wan_session_lose(s, "its process has ended: nobody listens at its UDP port any more");
    frd_wan_session_wake(s);
}

void frd_wan_doubt_run(frd_wan_session *s, uint64_t now_ns)
{
    frd_wan_route *const route = s->route[0];
    frd_wan_doubt *const r = &s->doubt;

    if (frd_wan_doubt_due(r) > now_ns)
        return;
    if (now_ns - r->since_ns > GIVE_UP_NS) {
        frd_wan_doubt_end(r);
        return;
    }
    if (r->sure_number == 0 && now_ns - r->since_ns >= SURE_NS + 2 * route->path.smooth_ns)
        r->sure_number = route->rel.next;
    r->ask_ns = now_ns + ASK_NS;
    route->ping = true;
}
