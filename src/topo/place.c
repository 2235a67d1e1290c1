/* SPDX-License-Identifier: BSD-3-Clause
 * place.c - where this process sits: cores, NUMA node, package and caches under its CPU binding, from hwloc.
 * The topology is loaded without I/O devices, read, and closed again; nothing of hwloc is kept. */
#include <hwloc.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "topo/topo.h"

/* How many objects of `type` the CPUs of `set` belong to, and the first of them. */
static int touched(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_const_cpuset_t set,
                   hwloc_obj_t *first)
{
    const int all = hwloc_get_nbobjs_by_type(topology, type);
    int count = 0;

    *first = NULL;
    for (int i = 0; i < all; i++) {
        hwloc_obj_t obj = hwloc_get_obj_by_type(topology, type, (unsigned)i);
        if (obj->cpuset == NULL || !hwloc_bitmap_intersects(obj->cpuset, set))
            continue;
        if (count++ == 0)
            *first = obj;
    }
    return count;
}

static int count_all(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    const int n = hwloc_get_nbobjs_by_type(topology, type); /* -1: on several levels */
    return n > 0 ? n : 0;
}

static size_t cache_bytes(hwloc_obj_t cache)
{
    return cache != NULL ? (size_t)cache->attr->cache.size : 0;
}

static void read_caches(hwloc_topology_t topology, hwloc_const_cpuset_t set, frd_topo_place *place)
{
    static const hwloc_obj_type_t last_first[] = { HWLOC_OBJ_L5CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE,
                                                   HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE };
    hwloc_obj_t cache, core;

    touched(topology, HWLOC_OBJ_L1CACHE, set, &cache);
    place->l1_bytes = cache_bytes(cache);
    touched(topology, HWLOC_OBJ_L2CACHE, set, &cache);
    place->l2_bytes = cache_bytes(cache);
    for (size_t i = 0; i < sizeof last_first / sizeof last_first[0]; i++) {
        const int count = touched(topology, last_first[i], set, &cache);
        if (count == 0)
            continue;
        place->cache_groups = count_all(topology, last_first[i]);
        place->cache_group = count == 1 ? (int)cache->logical_index : -1;
        place->cache_cores = touched(topology, HWLOC_OBJ_CORE, cache->cpuset, &core);
        place->cache_bytes = cache_bytes(cache);
        return;
    }
}

static void read_place(hwloc_topology_t topology, hwloc_const_cpuset_t set, frd_topo_place *place)
{
    hwloc_obj_t first;

    *place = (frd_topo_place){ .numa = -1, .package = -1, .cache_group = -1 };
    place->cpus = touched(topology, HWLOC_OBJ_PU, set, &first);
    place->cores = touched(topology, HWLOC_OBJ_CORE, set, &first);
    place->machine_cores = count_all(topology, HWLOC_OBJ_CORE);
    if (touched(topology, HWLOC_OBJ_NUMANODE, set, &first) == 1)
        place->numa = (int)first->os_index;
    place->numa_nodes = count_all(topology, HWLOC_OBJ_NUMANODE);
    if (touched(topology, HWLOC_OBJ_PACKAGE, set, &first) == 1)
        place->package = (int)first->logical_index;
    place->packages = count_all(topology, HWLOC_OBJ_PACKAGE);
    read_caches(topology, set, place);
    if (place->cores == 0) { /* some virtual machines show threads only */
        place->cores = place->cpus;
        place->machine_cores = count_all(topology, HWLOC_OBJ_PU);
    }
}

static int load(const frd_topo_source *source, frd_story *story, hwloc_topology_t topology)
{
    if (source->synthetic != NULL && hwloc_topology_set_synthetic(topology, source->synthetic) != 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "hwloc does not understand the synthetic machine \"%s\"",
                        source->synthetic);
    if (hwloc_topology_load(topology) != 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "hwloc cannot read this machine: %s", strerror(errno));
    return FEDRDMA_OK;
}

/* The CPUs in question: given ones, the process's binding, or where neither is to be had all of the machine.
 */
static int choose_cpus(const frd_topo_source *source, frd_story *story, hwloc_topology_t topology,
                       hwloc_cpuset_t set)
{
    if (source->cpus != NULL && hwloc_bitmap_list_sscanf(set, source->cpus) != 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "\"%s\" is not a list of CPUs such as 0-3,8",
                        source->cpus);
    if (source->cpus == NULL &&
        (source->synthetic != NULL || hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_PROCESS) != 0))
        hwloc_bitmap_copy(set, hwloc_topology_get_topology_cpuset(topology));
    hwloc_bitmap_and(set, set, hwloc_topology_get_topology_cpuset(topology));
    if (hwloc_bitmap_iszero(set))
        return frd_fail(story, FEDRDMA_ERR_INVALID, "none of the CPUs %s is in this machine",
                        source->cpus != NULL ? source->cpus : "that the process is bound to");
    return FEDRDMA_OK;
}

/* What is known without hwloc, which prints a warning where /sys does not describe the CPUs. false: it does.
 */
static bool without_sys(frd_topo_place *place)
{
    char path[80];
    cpu_set_t mask;
    size_t first = 0;

    if (sched_getaffinity(0, sizeof mask, &mask) != 0) /* more CPUs than the mask has room for */
        return false;
    while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &mask))
        first++;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/topology", first);
    if (access(path, F_OK) == 0)
        return false;
    const long online = sysconf(_SC_NPROCESSORS_ONLN), cpus = CPU_COUNT(&mask);
    *place = (frd_topo_place){ .numa = -1, .package = -1, .cache_group = -1 };
    place->cpus = place->cores = (int)cpus;
    place->machine_cores = (int)(online > cpus ? online : cpus);
    return true;
}

int frd_topo_place_find(const frd_topo_source *source, frd_story *story, frd_topo_place *place)
{
    static const frd_topo_source here = { NULL, NULL, NULL };
    hwloc_topology_t topology = NULL;
    hwloc_cpuset_t set = hwloc_bitmap_alloc();
    int rc = FEDRDMA_OK;

    if (source == NULL)
        source = &here;
    if (source->synthetic == NULL && source->cpus == NULL && without_sys(place))
        goto out;
    if (set == NULL || hwloc_topology_init(&topology) != 0) {
        rc = frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the machine's topology");
        goto out;
    }
    rc = load(source, story, topology);
    if (rc != FEDRDMA_OK)
        goto out;
    rc = choose_cpus(source, story, topology, set);
    if (rc != FEDRDMA_OK)
        goto out;
    read_place(topology, set, place);
out:
    if (topology != NULL)
        hwloc_topology_destroy(topology);
    hwloc_bitmap_free(set);
    return rc;
}
