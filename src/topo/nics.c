/* SPDX-License-Identifier: BSD-3-Clause
 * nics.c - the network interfaces and the NUMA node of each, from sysfs. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "topo/sysfile.h"
#include "topo/topo.h"

static void read_nic(const char *folder, const char *name, frd_topo_nic *nic)
{
    char path[PATH_MAX], state[16];

    snprintf(nic->name, sizeof nic->name, "%.*s", FRD_TOPO_NAME_MAX - 1, name);
    snprintf(path, sizeof path, "%s/%s/operstate", folder, name);
    frd_sysfile_line(path, state, sizeof state);
    nic->up = strcmp(state, "up") == 0 || strcmp(state, "unknown") == 0; /* tunnels don't know */
    snprintf(path, sizeof path, "%s/%s/device", folder, name);
    nic->physical = access(path, F_OK) == 0;
    snprintf(path, sizeof path, "%s/%s/speed", folder, name);
    const int mbps = frd_sysfile_int(path, 0);
    nic->mbps = mbps > 0 ? mbps : 0; /* the kernel says -1 for unknown */
    snprintf(path, sizeof path, "%s/%s/device/numa_node", folder, name);
    nic->numa = frd_sysfile_int(path, -1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const frd_topo_nic *)a)->name, ((const frd_topo_nic *)b)->name);
}

/* Room for one more; the list doubles. */
static bool make_room(frd_topo_nic **nics, size_t count, size_t *room)
{
    if (count < *room)
        return true;
    const size_t more = *room == 0 ? 8 : *room * 2;
    frd_topo_nic *grown = frd_realloc(*nics, more * sizeof *grown);
    if (grown == NULL)
        return false;
    *nics = grown;
    *room = more;
    return true;
}

int frd_topo_nics_find(const frd_topo_source *source, frd_story *story, frd_topo_nic **nics, size_t *count)
{
    char folder[PATH_MAX - 300]; /* names below fit behind it */
    frd_topo_nic *found = NULL;
    size_t n = 0, room = 0;

    snprintf(folder, sizeof folder, "%s/class/net",
             source != NULL && source->sys != NULL ? source->sys : "/sys");
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0)
            continue;
        if (!make_room(&found, n, &room)) {
            closedir(dir);
            frd_free(found);
            return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to list the network interfaces");
        }
        read_nic(folder, entry->d_name, &found[n++]);
    }
    if (dir != NULL)
        closedir(dir);
    if (n > 0)
        qsort(found, n, sizeof *found, by_name);
    *nics = found;
    *count = n;
    return FEDRDMA_OK;
}
