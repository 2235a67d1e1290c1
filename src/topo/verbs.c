/* SPDX-License-Identifier: BSD-3-Clause
 * verbs.c - the ports of this host's RDMA devices, from libibverbs; their NUMA nodes from sysfs. */
#include <infiniband/verbs.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "topo/sysfile.h"
#include "topo/topo.h"

/* A list that doubles. */
typedef struct {
    frd_topo_port *port;
    size_t count, room;
} list;

static bool append(list *l, const frd_topo_port *port)
{
    if (l->count == l->room) {
        const size_t room = l->room == 0 ? 4 : l->room * 2;
        frd_topo_port *grown = frd_realloc(l->port, room * sizeof *grown);
        if (grown == NULL)
            return false;
        l->port = grown;
        l->room = room;
    }
    l->port[l->count++] = *port;
    return true;
}

static const char *state_name(enum ibv_port_state state)
{
    static const char *const names[] = {
        [IBV_PORT_NOP] = "none",    [IBV_PORT_DOWN] = "down",     [IBV_PORT_INIT] = "init",
        [IBV_PORT_ARMED] = "armed", [IBV_PORT_ACTIVE] = "active", [IBV_PORT_ACTIVE_DEFER] = "deferred"
    };

    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "?";
}

static const char *link_name(uint8_t link_layer)
{
    return link_layer == IBV_LINK_LAYER_INFINIBAND ? "InfiniBand"
           : link_layer == IBV_LINK_LAYER_ETHERNET ? "Ethernet"
                                                   : "?";
}

/* Rate of a lane x number of lanes, by their codes in the InfiniBand specification, volume 1, PortInfo. */
static double rate_gbps(const struct ibv_port_attr *attr)
{
    static const struct {
        int code;
        double gbps;
    } speeds[] = { { 1, 2.5 }, { 2, 5 },   { 4, 10 },  { 8, 10 },
                   { 16, 14 }, { 32, 25 }, { 64, 50 }, { 128, 100 } };
    static const struct {
        int code, lanes;
    } widths[] = { { 1, 1 }, { 2, 4 }, { 4, 8 }, { 8, 12 }, { 16, 2 } };
    double gbps = 0;
    int lanes = 0;

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        gbps = speeds[i].code == attr->active_speed ? speeds[i].gbps : gbps;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        lanes = widths[i].code == attr->active_width ? widths[i].lanes : lanes;
    return gbps * lanes;
}

static int count_gids(struct ibv_context *context, uint8_t port, int table_entries)
{
    static const union ibv_gid unset;
    int count = 0;

    for (int i = 0; i < table_entries; i++) {
        union ibv_gid gid;
        if (ibv_query_gid(context, port, i, &gid) == 0 && memcmp(&gid, &unset, sizeof gid) != 0)
            count++;
    }
    return count;
}

static int numa_of(struct ibv_device *device)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/device/numa_node", device->ibdev_path);
    return frd_sysfile_int(path, -1);
}

/* false: out of memory. */
static bool append_device(list *l, struct ibv_device *device)
{
    frd_topo_port port = { .state = "unusable", .link = "?", .numa = numa_of(device) };
    struct ibv_context *context = ibv_open_device(device);
    struct ibv_device_attr attr;

    snprintf(port.device, sizeof port.device, "%s", ibv_get_device_name(device));
    if (context == NULL || ibv_query_device(context, &attr) != 0)
        attr.phys_port_cnt = 0;
    bool fits = attr.phys_port_cnt > 0 || append(l, &port);
    for (uint8_t i = 1; i <= attr.phys_port_cnt && fits; i++) {
        struct ibv_port_attr port_attr;
        if (ibv_query_port(context, i, &port_attr) != 0)
            continue;
        port.port = i;
        port.state = state_name(port_attr.state);
        port.link = link_name(port_attr.link_layer);
        port.gbps = rate_gbps(&port_attr);
        port.gids = count_gids(context, i, port_attr.gid_tbl_len);
        fits = append(l, &port);
    }
    if (context != NULL)
        ibv_close_device(context);
    return fits;
}

int frd_topo_ports_find(frd_story *story, frd_topo_port **ports, size_t *count)
{
    int ndevices = 0;
    struct ibv_device **devices = ibv_get_device_list(&ndevices); /* NULL also where the kernel has no RDMA */
    list l = { NULL, 0, 0 };
    bool fits = true;

    for (int i = 0; devices != NULL && i < ndevices && fits; i++)
        fits = append_device(&l, devices[i]);
    if (devices != NULL)
        ibv_free_device_list(devices);
    if (!fits) {
        frd_free(l.port);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to list the RDMA devices");
    }
    *ports = l.port;
    *count = l.count;
    return FEDRDMA_OK;
}
