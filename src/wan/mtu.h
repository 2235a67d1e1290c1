/* SPDX-License-Identifier: BSD-3-Clause
 * mtu.h - how long the datagrams of a route may be: the search for what its path carries. */
#ifndef FRD_WAN_MTU_H
#define FRD_WAN_MTU_H

#include "wan/node.h"
#include "wan/rel.h"

typedef struct frd_wan_route frd_wan_route;

typedef struct frd_wan_mtu {
    uint64_t due_ns;             /* when to ask; UINT64_MAX: not */
    uint32_t asked;              /* size of the last one in this round; UINT32_MAX: it begins */
    uint32_t hint;               /* what ICMP said last */
    unsigned rounds;             /* over */
    unsigned gone;               /* long datagrams lost in a row */
    uint64_t gone_ns, passed_ns; /* when the first of them left; the last short one that arrived */
} frd_wan_mtu;

void frd_wan_mtu_init(frd_wan_route *route);
/* Asks for what is not known yet, unless that is done already. */
void frd_wan_mtu_search(frd_wan_route *route, uint64_t now_ns);
/* Nothing is known any more. */
void frd_wan_mtu_reset(frd_wan_route *route);
/* A datagram of so many bytes came through. */
void frd_wan_mtu_shown(frd_wan_route *route, uint32_t bytes);
/* A host on the way says that it carries so many. */
void frd_wan_mtu_told(frd_wan_route *route, uint64_t now_ns, uint32_t bytes);
void frd_wan_mtu_acked(frd_wan_route *route, const frd_wan_packet *packet);
void frd_wan_mtu_lost(frd_wan_route *route, const frd_wan_packet *packet);
/* How long the next of several knocks is, shorter than `below`; 0: not padded. */
uint32_t frd_wan_mtu_knock(const frd_wan_route *route, uint32_t below);
/* Writes a datagram that asks; true: it did. */
bool frd_wan_mtu_write(frd_wan_route *route, uint64_t now_ns, frd_wan_batch *batch);

#endif
