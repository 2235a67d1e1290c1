/* SPDX-License-Identifier: BSD-3-Clause
 * net_world.h - a few ranks with a fabric each, as threads of one process or as forked processes, for tests
 * of transports. A failed REQUIRE ends the whole test process with the place and the seed on standard error.
 */
#ifndef FRD_TESTS_NET_WORLD_H
#define FRD_TESTS_NET_WORLD_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/fabric.h"

enum { WORLD_MAX = 16, WORLD_OPTIONS = 8 };

typedef struct world world;

typedef struct rank {
    world *world;
    int rank, size;
    frd_conf conf;
    frd_stat stat;
    frd_log log;
    frd_fabric *fabric;
    frd_story story;
    int open_rc; /* of frd_fabric_open */
    uint64_t random;
    int lost[WORLD_MAX]; /* times peer_lost came */
    uint64_t lost_ns[WORLD_MAX];
    int controls; /* control messages that came and were right */
    bool (*dead)(const frd_tag *tag);
    uint64_t idle_since_ns;
    void *user;
} rank;

typedef void body_fn(rank *r);

struct world {
    const char *transports;
    const char *option[WORLD_OPTIONS][2]; /* name and value; ends with NULL */
    int size;
    bool forked; /* processes instead of threads */
    body_fn *body;
    /* Changes options of one rank before the fabric opens; may be NULL. */
    void (*prepare)(rank *r);
    unsigned seed;
    const void *arg;  /* the body's */
    bool may_fail;    /* a failed open is the body's business (rank.open_rc) */
    bool any_control; /* control messages are not checked */
    int killed;       /* rank that ends by SIGKILL, when forked; -1 (or unset 0 with forked false) none */
    struct shared *shared; /* set by world_run */
};

#define REQUIRE(condition) ((condition) ? (void)0 : world_failed(__FILE__, __LINE__, #condition))
_Noreturn void world_failed(const char *file, int line, const char *what);

/* Runs body on every rank and waits for them. */
void world_run(world *w);

/* For bodies. */
uint64_t world_draw(uint64_t *random);                    /* 64 random bits */
size_t world_below(rank *r, size_t limit);                /* 0 .. limit - 1 */
void world_barrier(rank *r);                              /* without the fabric; makes progress meanwhile */
void world_turn(rank *r);                                 /* one round of progress, waiting when idle */
void world_until(rank *r, const int *counter, int value); /* turns until *counter == value; at most 60 s */
atomic_int *world_flags(rank *r);                         /* 16 shared integers, 0 at first */

#endif
