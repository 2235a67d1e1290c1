/* SPDX-License-Identifier: BSD-3-Clause
 * comm.h - a communicator's body: its ranks, its schedules, its last error. */
#ifndef FRD_API_COMM_H
#define FRD_API_COMM_H

#include "api/cache.h"
#include "api/context.h"
#include "api/forest.h"
#include "api/handle.h"
#include "api/quick.h"
#include "collectives/levels.h"

typedef struct frd_comm {
    fedrdma_context *ctx;
    fedrdma_comm *handle;
    frd_channel channel; /* id, size, rank, world[], silo[] */
    int *world;          /* rank -> world rank */
    int *identity;       /* 0, 1, 2, ... : the group of all */
    int *silo_of, *node_of;
    int nsilos, nnodes;
    frd_levels *levels; /* NULL: one silo */
    frd_forests *forests; /* NULL: nothing to plan by */
    const char **silo_by_rank; /* names, in ctx->places */
    frd_cache cache;
    fedrdma_attr attr;
    fedrdma_result last;
    frd_story story;   /* of the last failed call */
    size_t active;     /* requests in flight */
    size_t persistent; /* persistent requests, active or not */
    size_t *lengths;   /* 6 x size: byte offsets and lengths of an irregular call while it is made, room to sort */
    uint64_t splits;   /* communicators made from this one */
    frd_quick quick[FRD_QUICK_KINDS]; /* by entry */
    frd_team_patience patience;       /* of it */
    bool last_is_quick;               /* what quick.c doesn't change in `last` is set */
    struct frd_comm *next;
} frd_comm;

/* The body behind a handle; NULL with *rc set (and published) to INVALID or FINALIZED. `call` names the
 * public function for the story. */
frd_comm *frd_comm_of(const fedrdma_comm *handle, const char *call, int *rc);

/* Writes the story of a failed call into comm and this thread's slot, and returns rc. */
int frd_comm_fail(frd_comm *comm, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the engine's story of the channel. */
int frd_comm_fail_channel(frd_comm *comm, int rc, const char *call);

/* How ranks tell each other something while a communicator is made: among `ranks` of them, of which we are `rank`. */
typedef struct frd_team_exchange {
    int (*gather)(void *arg, void *all, size_t bytes, frd_story *story); /* allgather, in place */
    void *arg;
    int ranks, rank;
    const int *member; /* of the communicator: who that is in the exchange */
    void *room;        /* ranks x FRD_TEAM_EXCHANGE_BYTES, zero: so that nothing can fail between the exchanges */
} frd_team_exchange;

#define FRD_TEAM_EXCHANGE_BYTES (sizeof(frd_team_card) + sizeof(int32_t))

/* Makes a team of the communicator's ranks, if they all share a node; collective in the exchange. Where that does not
 * work the communicator does without. `comm` may be NULL. */
int frd_comm_join_team(frd_comm *comm, const frd_team_exchange *exchange, frd_story *story);

/* Its ranks as algorithms see them. */
frd_group frd_comm_group(const frd_comm *comm);

/* Makes a communicator of `size` world ranks, of which ours is the rank-th; local. */
int frd_comm_create(fedrdma_context *ctx, uint64_t id, const int *world, int size, int rank,
                    frd_comm **comm);
/* Frees the body; the handle is left to the caller. */
void frd_comm_destroy(frd_comm *comm);

#endif
