/* SPDX-License-Identifier: BSD-3-Clause
 * silos.h - the topology file: which silos there are, their gateways, what their links may carry, who may
 * relay for whom. The format is told in fedrdma-topology(5).
 *
 * A file is read whole, checked whole and then never changes, except for what is measured of its links. Files
 * come from other organisations: everything about them is bounded, and what is wrong is told as
 * path:line:column. */
#ifndef FRD_TOPO_SILOS_H
#define FRD_TOPO_SILOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "topo/links.h"

enum {
    FRD_SILOS_MAX = FRD_LINKS_MAX,
    FRD_SILOS_WORDS = FRD_SILOS_MAX / 64,
    FRD_SILO_NAME_MAX = 64,       /* with the NUL, as everywhere */
    FRD_SILO_GATEWAYS_MAX = 64,   /* of a silo */
    FRD_SILO_ADDRESSES_MAX = 16,  /* of a gateway */
    FRD_SILO_HOSTS_MAX = 4096,    /* of a silo */
    FRD_SILO_RANGES_MAX = 1024,   /* of ranks, of a silo */
    FRD_SILO_HOST_NAME_MAX = 254, /* a DNS name, with the NUL */
    FRD_SILOS_FILE_MAX = 4 << 20, /* bytes: 200 silos with all links spelled out are half of it */
    FRD_SILOS_DETOURS_MAX = 4096  /* rows of policy: avoid */
};

/* Where a gateway is reached. */
typedef struct frd_silo_address {
    const char *host; /* name, IPv4 or IPv6 address without brackets */
    uint16_t port;    /* 0: not said */
} frd_silo_address;

typedef struct frd_silo_gateway {
    const char *host;   /* the node that it runs on: FEDRDMA_NODE or the host's name */
    const char *device; /* the card of its WAN side, e.g. eth1 or mlx5_0:1; "": not said */
    const frd_silo_address *addresses;
    size_t naddresses; /* 0 only where nobody dials in */
} frd_silo_gateway;

typedef struct frd_silo_ranks {
    int first, last;
} frd_silo_ranks;

typedef struct frd_silo {
    const char *name;
    const char *const *hosts; /* nodes of the silo; gateways are, listed or not */
    size_t nhosts;
    const frd_silo_ranks *ranks; /* rising; none: not said */
    size_t nranks;               /* ranges */
    const frd_silo_gateway *gateways;
    size_t ngateways;                 /* 0 only in a file with one silo */
    uint64_t egress_bps, ingress_bps; /* caps of the whole silo; 0: none */
    bool relay;                       /* may carry (sealed) traffic between others */
    bool dial_in;                     /* others can open connections to it (before links are looked at) */
} frd_silo;

/* Traffic between a and b (both ways) must not pass `through`. */
typedef struct frd_silo_detour {
    int a, b, through; /* a < b */
} frd_silo_detour;

typedef struct frd_silos {
    int count;
    const frd_silo *silo;           /* in the file's order, which numbers them */
    frd_links *links;               /* declared from the file; measured by whoever measures */
    const frd_silo_detour *detours; /* sorted, each once */
    size_t ndetours;
    const uint64_t (*direct)[FRD_SILOS_WORDS]; /* bit b of row a: frd_links_direct(links, a, b) */
    uint64_t relays[FRD_SILOS_WORDS];          /* bit a: silo[a].relay */
    uint64_t hash; /* of all of the above but what was measured: equal for files that say the same */
    frd_arena arena;
} frd_silos;

/* Reads and checks the file at `path`.
 * FEDRDMA_ERR_INVALID: the story is "path:line:column: what; what to do". FEDRDMA_ERR_SYSTEM: it can't be
 * read. FEDRDMA_ERR_NOMEM. */
int frd_silos_load(const char *path, frd_story *story, frd_silos **silos);

/* The same of a text in memory; `path` is for stories. */
int frd_silos_parse(const char *path, const void *text, size_t bytes, frd_story *story, frd_silos **silos);

void frd_silos_destroy(frd_silos *silos); /* NULL is fine */

/* ---- who is where ---------------------------------------------------------------------------------- */

/* The silo's number, or -1. */
int frd_silos_find(const frd_silos *silos, const char *name);

/* The silo that has `host` among its hosts or gateways, or -1: the same name, whatever case; else, if `host`
 * has a domain, the part before it. */
int frd_silos_find_host(const frd_silos *silos, const char *host);

/* The silo whose `ranks` have this one, or -1. */
int frd_silos_find_rank(const frd_silos *silos, int rank);

/* What a process knows of itself; texts are never NULL. */
typedef struct frd_silos_who {
    const char *silo, *node; /* the options; "": not given */
    const char *hostname;
    int rank;
} frd_silos_who;

/* A rank's silo: as it says itself, else that of its node, of its host, of its rank, or the only one. `path`
 * is for stories. FEDRDMA_ERR_INVALID: not in the file (the story lists the names), or the file says
 * otherwise of this rank. */
int frd_silos_place(const frd_silos *silos, const char *path, const frd_silos_who *who, frd_story *story,
                    int *silo);

/* The silo's gateway that is the rank's node (the option, if it is in the file, else the host's name), or
 * NULL. */
const frd_silo_gateway *frd_silos_gateway(const frd_silos *silos, int silo, const frd_silos_who *who);

/* ---- what links carry ------------------------------------------------------------------------------ */

/* The least of the link's, the sender's egress and the receiver's ingress cap; 0: none. */
uint64_t frd_silos_cap_bps(const frd_silos *silos, int from, int to);

/* May traffic between the two pass `via` (none of the two)? Says nothing about links. */
bool frd_silos_may_relay(const frd_silos *silos, int from, int to, int via);

/* The shortest way from one to the other, straight or through relays among the `present` silos (a bit each;
 * NULL: all): how many relays, or -1. They are in `via`, if there are at most so many. Both ends find the
 * same one relay. */
int frd_silos_way(const frd_silos *silos, const uint64_t *present, int from, int to, int *via, int most);

/* Is there any? Always true of a file that was loaded. */
bool frd_silos_reachable(const frd_silos *silos, int from, int to);

/* ---- texts ----------------------------------------------------------------------------------------- */

/* As a topology file in one normal form: what it says again when parsed, equal to the byte if it says the
 * same. */
void frd_silos_write(const frd_silos *silos, FILE *out);

/* For people: silos, gateways, links, policy. */
void frd_silos_print(const frd_silos *silos, FILE *out);

#endif
