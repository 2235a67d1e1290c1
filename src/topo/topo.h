/* SPDX-License-Identifier: BSD-3-Clause
 * topo.h - facts about this process's host: who it is, where the process sits in it, which network cards are
 * near. Nothing here is cached or global; each call asks anew.
 *
 * Missing hardware, /sys or permissions are no errors: what cannot be found out is 0, -1 or an empty list. */
#ifndef FRD_TOPO_TOPO_H
#define FRD_TOPO_TOPO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* ---- the host ------------------------------------------------------------------------------------- */

#define FRD_TOPO_IDENTITY_MAX 48 /* longest identity with its NUL */

/* A short text that is equal for all processes of one host that see the same host name, and differs between
 * hosts and from one boot to the next: the name (cut), and a hash of name and boot id. So containers of one
 * machine with names of their own are hosts of their own. `bytes` is at least 18. Reads one file of /proc,
 * about 5 us. */
void frd_topo_node_identity(char *out, size_t bytes);

/* ---- the process's place -------------------------------------------------------------------------- */

typedef struct frd_topo_place {
    int cpus;                  /* hardware threads that the process may run on */
    int cores;                 /* cores that those belong to */
    int machine_cores;         /* cores of the whole machine, as far as it shows itself to us */
    int numa;                  /* the NUMA node (the OS's number) they belong to; -1: several, or unknown */
    int numa_nodes;            /* of the machine */
    int package;               /* the package they belong to, from 0; -1: several, or unknown */
    int packages;              /* of the machine */
    int cache_group;           /* the last-level cache that they share, from 0; -1: several, or unknown */
    int cache_groups;          /* last-level caches of the machine */
    int cache_cores;           /* cores that share one */
    size_t cache_bytes;        /* size of one */
    size_t l1_bytes, l2_bytes; /* one core's data caches */
} frd_topo_place;

/* Only for tests; all NULL is this process on this machine. */
typedef struct frd_topo_source {
    const char
        *synthetic;   /* a machine in hwloc's synthetic language, e.g. "package:2 numa:1 l3:2 core:4 pu:2" */
    const char *cpus; /* instead of the process's binding, e.g. "0-3,8" */
    const char *sys;  /* instead of "/sys" (network cards and GIDs) */
} frd_topo_source;

/* Opens and closes an hwloc topology: milliseconds, more on large machines; ask once. `source` may be NULL.
 * FEDRDMA_ERR_INVALID: bad source. FEDRDMA_ERR_NOMEM. FEDRDMA_ERR_SYSTEM: hwloc cannot read this machine. */
int frd_topo_place_find(const frd_topo_source *source, frd_story *story, frd_topo_place *place);

/* ---- network cards -------------------------------------------------------------------------------- */

#define FRD_TOPO_NAME_MAX 64

/* One port of a verbs device. */
typedef struct frd_topo_port {
    char device[FRD_TOPO_NAME_MAX]; /* "mlx5_0" */
    int port;                       /* from 1; 0: the device cannot be opened, and nothing below is known */
    const char *state; /* "active", "armed", "init", "down", ...; static; "unusable" for port 0 */
    const char *link;  /* "InfiniBand", "Ethernet", "?"; static */
    double gbps;       /* bits per second / 10^9; 0: unknown */
    int gids;          /* entries of the GID table that are set */
    int numa;          /* the OS's number; -1: unknown, or the same from everywhere */
} frd_topo_port;

/* The ports of all verbs devices, in the system's order, to be freed with frd_free; NULL and 0 when there
 * are none. Opens each device for a moment: milliseconds. FEDRDMA_ERR_NOMEM. */
int frd_topo_ports_find(frd_story *story, frd_topo_port **ports, size_t *count);

/* One entry of a port's GID table that is set: with RoCE, an address of the interface below. */
typedef struct frd_topo_gid {
    int index;
    char type[16];                     /* "RoCE v2", "IB/RoCE v1"; "": unknown */
    char interface[FRD_TOPO_NAME_MAX]; /* "eth0"; "": none */
    char text[48];                     /* "10.0.0.1", "fe80::1" */
} frd_topo_gid;

/* The GIDs of a port, by index, to be freed with frd_free; NULL and 0 when there are none. FEDRDMA_ERR_NOMEM. */
int frd_topo_gids_find(const frd_topo_source *source, const char *device, int port, frd_story *story,
                       frd_topo_gid **gids, size_t *count);

/* False: the port is Ethernet's, and has no GID but such as every interface gives itself (fe80::). Ranks can't meet
 * there. */
bool frd_topo_has_address(const frd_topo_source *source, const char *device, int port);

typedef struct frd_topo_nic {
    char name[FRD_TOPO_NAME_MAX]; /* "eth0" */
    bool up;
    bool physical; /* backed by a device, not a bridge, tunnel or veth */
    int mbps;      /* 0: unknown */
    int numa;      /* as above */
} frd_topo_nic;

/* Network interfaces except loopback, by name, to be freed with frd_free; NULL and 0 when there are none. */
int frd_topo_nics_find(const frd_topo_source *source, frd_story *story, frd_topo_nic **nics, size_t *count);

/* Is this process on the NUMA node of the card `name`: an interface ("eth1"), the address of one, or a verbs
 * device, port or not ("mlx5_0:1")? "": of any physical interface that is up. Yes where the card is there but
 * its place is not known, no where nothing has the name. Milliseconds. */
bool frd_topo_is_near_card(const frd_topo_source *source, const char *name);

/* Is a card on NUMA node `numa` as near as can be to a process there? Yes also where either is unknown. */
static inline bool frd_topo_is_near(const frd_topo_place *place, int numa)
{
    return place->numa < 0 || numa < 0 || place->numa == numa;
}

#endif
