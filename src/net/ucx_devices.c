/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_devices.c - what UCX found to use, and whether verbs devices have what they need.
 *
 * Both needs are looked at when the transport opens, because UCX 1.13 finds out later, and badly: where memory can't be
 * locked it fails to post receives and goes on without, so that the first messages never arrive, or their sender spins
 * inside UCX. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/ucx_parts.h"
#include "topo/topo.h"

/* What UCX 1.13 locks of its own for one device: 38 MiB of receives for RC, 20 MiB for UD, and what it sends from. */
#define LOCKED_BYTES ((size_t)64 << 20)

/* ---- what is there ---- */

/* One line: "#      resource 0  :  md 0  dev 0  flags -- rc_verbs/mlx5_0:1" */
typedef struct resource {
    char transport[32], device[FRD_TOPO_NAME_MAX];
} resource;

/* UCX has no call that tells, so this reads what it prints for people. When that changes nothing is found: we believe
 * in fast hardware then, and large messages go by UCX's rendezvous: slower over TCP, but right. NULL: out of memory. */
static char *describe(ucp_context_h context)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    if (stream == NULL)
        return NULL;
    ucp_context_print_info(context, stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

/* Finds the next one and moves *at behind it. */
static bool next_resource(const char **at, resource *found)
{
    while ((*at = strstr(*at, " resource ")) != NULL) {
        const char *const end = *at + strcspn(*at, "\n");
        const char *const name = strstr(*at, "-- ");

        *at = end;
        if (name != NULL && name < end &&
            sscanf(name, "-- %31[^/\n]/%63[^ \n]", found->transport, found->device) == 2)
            return true;
    }
    return false;
}

bool frd_ucx_devices_only_tcp(ucp_context_h context)
{
    char *const text = describe(context);
    const char *at = text;
    resource found;
    size_t all = 0, tcp = 0;

    while (at != NULL && next_resource(&at, &found)) {
        all++;
        tcp += strcmp(found.transport, "tcp") == 0;
    }
    free(text);
    return all > 0 && all == tcp;
}

static bool is_verbs(const resource *r)
{
    return strncmp(r->transport, "rc_", 3) == 0 || strncmp(r->transport, "ud_", 3) == 0 ||
           strncmp(r->transport, "dc_", 3) == 0;
}

/* ---- what verbs devices need ---- */

/* Does FEDRDMA_UCX_TLS say what to use, rather than what not? Then nothing else is used in its place. */
static bool are_named(void)
{
    const char *const tls = frd_conf_getenv("FEDRDMA_UCX_TLS");

    return tls != NULL && tls[0] != '\0' && tls[0] != '^' && strcmp(tls, "all") != 0;
}

/* May this process lock what UCX needs? Where the limit says no, it may be allowed all the same (CAP_IPC_LOCK): that
 * shows when a little more than the limit is registered. If not, TCP does, unless verbs was asked for. */
static int check_locked(frd_ucx *net, const char *device, bool tcp, frd_story *story)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= LOCKED_BYTES)
        return FEDRDMA_OK;

    const size_t bytes = (size_t)limit.rlim_cur + (size_t)sysconf(_SC_PAGESIZE);
    ucp_mem_map_params_t params = {
        .field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH,
        .address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        .length = bytes,
    };
    ucp_mem_h memh;
    ucs_status_t status = UCS_ERR_NO_MEMORY;

    if (params.address != MAP_FAILED) {
        status = ucp_mem_map(net->context, &params, &memh);
        if (status == UCS_OK)
            ucp_mem_unmap(net->context, memh);
        munmap(params.address, bytes);
    }
    if (status == UCS_OK)
        return FEDRDMA_OK;
    if (tcp && !are_named()) {
        frd_logf(net->env.log, FEDRDMA_LOG_WARN,
                 "verbs devices such as %s are not used, but TCP: this process may lock %zu KiB of memory, and UCX "
                 "needs %zu KiB (ulimit -l unlimited)",
                 device, (size_t)limit.rlim_cur >> 10, LOCKED_BYTES >> 10);
        net->verbs = false;
        return FEDRDMA_OK;
    }
    return frd_fail(story, FEDRDMA_ERR_SYSTEM,
                    "this process may lock %zu KiB of memory, and UCX needs %zu KiB for a verbs device such as "
                    "%s: raise that limit (ulimit -l unlimited), or do without such devices (FEDRDMA_UCX_TLS=tcp)",
                    (size_t)limit.rlim_cur >> 10, LOCKED_BYTES >> 10, device);
}

/* A device with RoCE is met at an address of the interface below. With TCP beside it, it is only left unused. */
static int check_address(frd_ucx *net, const char *name, bool alone, frd_story *story)
{
    char device[FRD_TOPO_NAME_MAX];
    int port;

    if (sscanf(name, "%63[^:]:%d", device, &port) != 2 || frd_topo_has_address(NULL, device, port))
        return FEDRDMA_OK;
    if (alone)
        return frd_fail(story, FEDRDMA_ERR_NET,
                        "verbs device %s has no GID that others could reach: give the interface below an IP "
                        "address, or choose other devices by FEDRDMA_UCX_NET_DEVICES (fedrdma-info --devices "
                        "lists GIDs)",
                        name);
    frd_logf(net->env.log, FEDRDMA_LOG_WARN, "verbs device %s has no GID: its interface has no IP address", name);
    return FEDRDMA_OK;
}

int frd_ucx_devices_check(frd_ucx *net, bool *without, frd_story *story)
{
    char *const text = describe(net->context);
    const char *at = text;
    bool tcp = false, found_any;
    resource found, first;
    int rc = FEDRDMA_OK;

    while (at != NULL && next_resource(&at, &found)) {
        tcp = tcp || strcmp(found.transport, "tcp") == 0;
        if (is_verbs(&found) && !net->verbs) {
            net->verbs = true;
            first = found;
        }
    }
    found_any = net->verbs;
    if (net->verbs)
        rc = check_locked(net, first.device, tcp, story);
    at = text;
    while (rc == FEDRDMA_OK && net->verbs && at != NULL && next_resource(&at, &found)) {
        if (is_verbs(&found))
            rc = check_address(net, found.device, !tcp, story);
    }
    *without = found_any && !net->verbs;
    free(text);
    return rc;
}

/* ---- what there would be ---- */

const char *frd_ucx_devices_ports(char *text, size_t room)
{
    frd_story unknown = { .log = NULL };
    frd_topo_port *ports = NULL;
    size_t count = 0, at = 0;

    text[0] = '\0';
    if (frd_topo_ports_find(&unknown, &ports, &count) != FEDRDMA_OK)
        return text;
    for (size_t i = 0; i < count && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s:%d %s, %d GID%s", i == 0 ? "; verbs ports here: " : "; ",
                               ports[i].device, ports[i].port, ports[i].state, ports[i].gids,
                               ports[i].gids == 1 ? "" : "s");
    frd_free(ports);
    return text;
}
