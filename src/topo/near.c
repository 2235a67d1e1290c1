/* SPDX-License-Identifier: BSD-3-Clause
 * near.c - is a card, by whatever name options and files have for it, near this process? */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "topo/topo.h"

/* The interface that has the address, or the name itself. */
static void interface_of(const char *name, char interface[IFNAMSIZ])
{
    struct ifaddrs *list = NULL;
    char text[INET6_ADDRSTRLEN];

    snprintf(interface, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, name);
    if (getifaddrs(&list) != 0)
        return;
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        const int family = i->ifa_addr != NULL ? i->ifa_addr->sa_family : AF_UNSPEC;
        const void *const at =
            family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr
                : (const void *)&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;

        if ((family == AF_INET || family == AF_INET6) && inet_ntop(family, at, text, sizeof text) != NULL &&
            strcmp(text, name) == 0)
            snprintf(interface, IFNAMSIZ, "%s", i->ifa_name);
    }
    freeifaddrs(list);
}

static bool near_interface(const frd_topo_source *source, const frd_topo_place *place, const char *name)
{
    frd_story unknown = { .log = NULL };
    char interface[IFNAMSIZ];
    frd_topo_nic *nics;
    size_t count;
    bool near = false;

    if (frd_topo_nics_find(source, &unknown, &nics, &count) != FEDRDMA_OK)
        return false;
    interface_of(name, interface);
    for (size_t i = 0; i < count; i++) {
        const bool meant =
            name[0] != '\0' ? strcmp(nics[i].name, interface) == 0 : nics[i].up && nics[i].physical;

        near = near || (meant && frd_topo_is_near(place, nics[i].numa));
    }
    frd_free(nics);
    return near;
}

/* "device" or "device:port". */
static bool near_port(const frd_topo_place *place, const char *name)
{
    const size_t device = strcspn(name, ":");
    frd_story unknown = { .log = NULL };
    frd_topo_port *ports;
    size_t count;
    bool near = false;

    if (name[0] == '\0' || frd_topo_ports_find(&unknown, &ports, &count) != FEDRDMA_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        near = near || (strlen(ports[i].device) == device && memcmp(ports[i].device, name, device) == 0 &&
                        frd_topo_is_near(place, ports[i].numa));
    frd_free(ports);
    return near;
}

bool frd_topo_is_near_card(const frd_topo_source *source, const char *name)
{
    frd_story unknown = { .log = NULL };
    frd_topo_place place;

    if (frd_topo_place_find(source, &unknown, &place) != FEDRDMA_OK)
        return false;
    return near_interface(source, &place, name) || near_port(&place, name);
}
