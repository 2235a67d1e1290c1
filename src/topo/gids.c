/* SPDX-License-Identifier: BSD-3-Clause
 * gids.c - the GIDs of a verbs port: the addresses that it has in its network, from sysfs. */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "topo/sysfile.h"
#include "topo/topo.h"

/* Tables have 16 to 1024 entries. */
enum { MOST_ENTRIES = 4096 };

/* "FOLDER/class/infiniband/DEVICE/ports/PORT/WHAT" */
static void path_of(const frd_topo_source *source, const char *device, int port, const char *what,
                    char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/class/infiniband/%s/ports/%d/%s",
             source != NULL && source->sys != NULL ? source->sys : "/sys", device, port, what);
}

/* False: there is no such entry. An entry without a GID is all zero. */
static bool read_entry(const frd_topo_source *source, const char *device, int port, int index, struct in6_addr *gid)
{
    char path[PATH_MAX], name[32], line[64];

    snprintf(name, sizeof name, "gids/%d", index);
    path_of(source, device, port, name, path);
    return frd_sysfile_line(path, line, sizeof line) && inet_pton(AF_INET6, line, gid) == 1;
}

static void describe(const frd_topo_source *source, const char *device, int port, const struct in6_addr *address,
                     frd_topo_gid *gid)
{
    char path[PATH_MAX], name[32];

    snprintf(name, sizeof name, "gid_attrs/types/%d", gid->index);
    path_of(source, device, port, name, path);
    frd_sysfile_line(path, gid->type, sizeof gid->type);
    snprintf(name, sizeof name, "gid_attrs/ndevs/%d", gid->index);
    path_of(source, device, port, name, path);
    frd_sysfile_line(path, gid->interface, sizeof gid->interface);
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, &address->s6_addr[12], gid->text, sizeof gid->text);
    else
        inet_ntop(AF_INET6, address, gid->text, sizeof gid->text);
}

int frd_topo_gids_find(const frd_topo_source *source, const char *device, int port, frd_story *story,
                       frd_topo_gid **gids, size_t *count)
{
    frd_topo_gid *found = NULL;
    struct in6_addr address;
    size_t n = 0;

    for (int i = 0; i < MOST_ENTRIES && read_entry(source, device, port, i, &address); i++) {
        if (IN6_IS_ADDR_UNSPECIFIED(&address))
            continue;
        frd_topo_gid *const grown = frd_realloc(found, (n + 1) * sizeof *grown);
        if (grown == NULL) {
            frd_free(found);
            return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to list the GIDs of %s", device);
        }
        found = grown;
        found[n] = (frd_topo_gid){ .index = i };
        describe(source, device, port, &address, &found[n++]);
    }
    *gids = found;
    *count = n;
    return FEDRDMA_OK;
}

bool frd_topo_has_address(const frd_topo_source *source, const char *device, int port)
{
    char path[PATH_MAX], link[32];
    struct in6_addr address;

    path_of(source, device, port, "link_layer", path);
    if (!frd_sysfile_line(path, link, sizeof link) || strcmp(link, "Ethernet") != 0)
        return true;
    for (int i = 0; i < MOST_ENTRIES && read_entry(source, device, port, i, &address); i++) {
        if (!IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LINKLOCAL(&address))
            return true;
    }
    return false;
}
