/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_place.c - the addresses of a host, and which of a peer's to connect to.
 *
 * They serve only to meet: what the data then travels on is UCX's choice among all devices of both. (UCX refuses to
 * meet on a device that FEDRDMA_UCX_NET_DEVICES leaves out; the next address is tried then.) A peer on the same
 * host is met at the loopback address, or any of its own. Else come, in the order of the peer's interfaces, its
 * addresses in a subnet that we are in too, then its others; never one that is ours (bridges of containers and
 * virtual machines have the same address on every host).
 *
 * The option interface names one where that is wrong: then this rank is known by that one's addresses only, and its
 * connections leave from there, too, to peers on the same host as well. With RDMA the place is the device: a
 * connection from no place in particular to a host with several goes by the one that the kernel's routes say, which
 * for a peer on the same host may be none at all. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "net/process.h"
#include "net/ucx_parts.h"

static uint16_t prefix_of(const struct sockaddr *mask, size_t offset, size_t bytes)
{
    uint16_t bits = 0;

    for (size_t i = 0; mask != NULL && i < bytes; i++)
        bits = (uint16_t)(bits + __builtin_popcount(((const unsigned char *)mask)[offset + i]));
    return bits;
}

/* True when the address is one to be met at. */
static bool to_place(const struct ifaddrs *at, frd_ucx_place *place)
{
    const struct sockaddr *const address = at->ifa_addr;
    const struct sockaddr_in6 *const v6 = (const void *)address;
    size_t offset, bytes;

    if (address == NULL || (at->ifa_flags & IFF_UP) == 0)
        return false;
    if (address->sa_family == AF_INET) {
        offset = offsetof(struct sockaddr_in, sin_addr);
        bytes = 4;
    } else if (address->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) {
        offset = offsetof(struct sockaddr_in6, sin6_addr);
        bytes = 16;
    } else {
        return false;
    }
    *place = (frd_ucx_place){ .family = address->sa_family,
                              .prefix = prefix_of(at->ifa_netmask, offset, bytes) };
    memcpy(place->address, (const char *)address + offset, bytes);
    return true;
}

static bool is_named(const char *interface, const struct ifaddrs *at, const frd_ucx_place *place)
{
    char text[INET6_ADDRSTRLEN];

    if (strcmp(interface, at->ifa_name) == 0)
        return true;
    return inet_ntop(place->family, place->address, text, sizeof text) != NULL && strcmp(interface, text) == 0;
}

/* All of one family, since the listener has one: IPv4's where there is any but the loopback address. */
static void collect(const char *interface, const struct ifaddrs *list, sa_family_t family, frd_ucx_card *card)
{
    card->places = 0;
    for (const struct ifaddrs *at = list; at != NULL && card->places < FRD_UCX_PLACES; at = at->ifa_next) {
        frd_ucx_place place;

        if (!to_place(at, &place) || place.family != family)
            continue;
        if (interface[0] != '\0' ? is_named(interface, at, &place) : (at->ifa_flags & IFF_LOOPBACK) == 0)
            card->place[card->places++] = place;
    }
}

int frd_ucx_place_all(const frd_conf *conf, frd_ucx_card *card, frd_story *story)
{
    frd_process self;
    struct ifaddrs *list = NULL;
    struct stat network;

    frd_process_self(&self);
    memcpy(card->boot_id, self.boot_id, sizeof card->boot_id);
    card->network = stat("/proc/self/ns/net", &network) == 0 ? network.st_ino : 0;
    if (getifaddrs(&list) == 0) {
        collect(conf->interface, list, AF_INET, card);
        if (card->places == 0)
            collect(conf->interface, list, AF_INET6, card);
        freeifaddrs(list);
    }
    if (card->places == 0 && conf->interface[0] != '\0')
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "option interface is \"%s\": no interface that is up has this name or address",
                        conf->interface);
    if (card->places == 0)
        card->place[0].family = AF_INET; /* only this host will reach us */
    return FEDRDMA_OK;
}

static bool same_host(const frd_ucx_card *a, const frd_ucx_card *b)
{
    return a->boot_id[0] != '\0' && memcmp(a->boot_id, b->boot_id, sizeof a->boot_id) == 0 &&
           a->network == b->network;
}

static bool in_subnet(const frd_ucx_place *a, const frd_ucx_place *b, unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;

    return a->family == b->family && bits <= 128 && memcmp(a->address, b->address, whole) == 0 &&
           (rest == 0 || (a->address[whole] ^ b->address[whole]) >> (8 - rest) == 0);
}

/* 0: not to be tried; 1: somewhere; 2: near. */
static int rate(const frd_ucx_card *own, const frd_ucx_place *place)
{
    int best = 1;

    for (uint32_t i = 0; i < own->places; i++) {
        if (in_subnet(&own->place[i], place, 128))
            return 0;
        if (in_subnet(&own->place[i], place, own->place[i].prefix))
            best = 2;
    }
    return best;
}

static void to_address(const frd_ucx_place *place, uint32_t port, struct sockaddr_storage *address,
                       socklen_t *bytes)
{
    memset(address, 0, sizeof(*address));
    address->ss_family = place->family;
    if (place->family == AF_INET6) {
        struct sockaddr_in6 *const v6 = (void *)address;

        v6->sin6_port = htons((uint16_t)port);
        memcpy(&v6->sin6_addr, place->address, 16);
        *bytes = sizeof(*v6);
    } else {
        struct sockaddr_in *const v4 = (void *)address;

        v4->sin_port = htons((uint16_t)port);
        memcpy(&v4->sin_addr, place->address, 4);
        *bytes = sizeof(*v4);
    }
}

/* The k-th place to try; NULL: there are no more. */
static const frd_ucx_place *candidate(const frd_ucx_card *own, bool bound, const frd_ucx_card *its, int k)
{
    static const frd_ucx_place loopback[] = {
        { .family = AF_INET, .address = { 127, 0, 0, 1 } },
        { .family = AF_INET6, .address = { [15] = 1 } },
    };

    if (same_host(own, its)) {
        if (!bound && k-- == 0)
            return &loopback[its->place[0].family == AF_INET6];
        return k < (int)its->places ? &its->place[k] : NULL;
    }
    for (int wanted = 2; wanted >= 1; wanted--) {
        for (uint32_t i = 0; i < its->places; i++) {
            if (rate(own, &its->place[i]) == wanted && k-- == 0)
                return &its->place[i];
        }
    }
    return NULL;
}

/* The place of ours to connect to `to` from: in its subnet if there is one; NULL: none is of its family. */
static const frd_ucx_place *origin(const frd_ucx_card *own, const frd_ucx_place *to)
{
    const frd_ucx_place *found = NULL;

    for (uint32_t i = 0; i < own->places; i++) {
        const frd_ucx_place *const place = &own->place[i];

        if (in_subnet(place, to, place->prefix))
            return place;
        if (found == NULL && place->family == to->family)
            found = place;
    }
    return found;
}

bool frd_ucx_place_choose(const frd_ucx_card *own, bool bound, const frd_ucx_card *its, int k, frd_ucx_way *way)
{
    const frd_ucx_place *const to = candidate(own, bound, its, k);
    const frd_ucx_place *const from = to != NULL && bound ? origin(own, to) : NULL;

    if (to == NULL)
        return false;
    to_address(to, its->port, &way->to, &way->to_bytes);
    way->from_bytes = 0;
    if (from != NULL)
        to_address(from, 0, &way->from, &way->from_bytes);
    return true;
}
