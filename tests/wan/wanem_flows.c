/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_flows.c - a table that is searched from end to end: a lab has some dozens of flows. */
#include "tests/wan/wanem_flows.h"

#include <netinet/ip.h>
#include <string.h>

/* The flow of a packet; `back`: of one that answers it. */
static wanem_flow flow_of(const wanem_packet *p, bool back)
{
    struct iphdr ip;
    uint16_t port[2] = { 0, 0 };
    wanem_flow f;

    memcpy(&ip, p->data + WANEM_VNET_BYTES, sizeof ip);
    const uint32_t at = WANEM_VNET_BYTES + 4u * ip.ihl;
    if ((ip.protocol == IPPROTO_UDP || ip.protocol == IPPROTO_TCP) && at + sizeof port <= p->bytes)
        memcpy(port, p->data + at, sizeof port);
    const uint32_t from = back ? ip.daddr : ip.saddr, to = back ? ip.saddr : ip.daddr;
    f = (wanem_flow){ .ends = (uint64_t)from << 32 | to, .protocol = ip.protocol };
    f.ports = back ? (uint32_t)port[1] << 16 | port[0] : (uint32_t)port[0] << 16 | port[1];
    return f;
}

static bool same(const wanem_flow *a, const wanem_flow *b)
{
    return a->ends == b->ends && a->ports == b->ports && a->protocol == b->protocol;
}

void wanem_flows_open(wanem_flows *flows, const wanem_packet *packet, int64_t now_ns)
{
    wanem_flow f = flow_of(packet, false), *oldest = &flows->flow[0];

    f.used_ns = now_ns;
    for (int i = 0; i < flows->count; i++) {
        wanem_flow *const other = &flows->flow[i];

        if (same(other, &f)) {
            *other = f;
            return;
        }
        if (other->used_ns < oldest->used_ns)
            oldest = other;
    }
    if (flows->count < WANEM_FLOWS)
        oldest = &flows->flow[flows->count++];
    *oldest = f;
}

bool wanem_flows_admit(const wanem_flows *flows, const wanem_packet *packet, double lasts_ns, int64_t now_ns)
{
    const wanem_flow f = flow_of(packet, true);

    for (int i = 0; i < flows->count; i++) {
        if (same(&flows->flow[i], &f))
            return (double)(now_ns - flows->flow[i].used_ns) < lasts_ns;
    }
    return false;
}
