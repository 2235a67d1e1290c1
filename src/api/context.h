/* SPDX-License-Identifier: BSD-3-Clause
 * context.h - a context: one rank's membership of one job; and how calls enter and leave it. */
#ifndef FRD_API_CONTEXT_H
#define FRD_API_CONTEXT_H

#include <pthread.h>

#include "api/policy.h"
#include "base/mem.h"
#include "boot/boot.h"
#include "collectives/coll.h"
#include "collectives/levels.h"
#include "run/engine.h"
#include "topo/silos.h"

struct frd_comm;

#define FRD_NAME_MAX 64      /* longest silo or node name, with its NUL */
#define FRD_PATH_TEXT_MAX 64 /* of the option topology, the same */
#define FRD_ALGO_TEXT_MAX 64 /* of the option algo, shown when ranks differ */

typedef struct frd_user_op {
    fedrdma_op_fn *fn;
    void *arg;
    bool commutative;
    uint32_t requests; /* that use it */
} frd_user_op;

/* The first handle of a user's operator. */
#define FRD_USER_OP_BASE 256

typedef struct frd_memory {
    struct frd_memory *next;
    void *start;
    size_t bytes;
} frd_memory;

/* What the world knows of each rank; goes over the rendezvous. The second half must be the same everywhere: it
 * decides what a call sends (`window` does so between silos). */
typedef struct frd_place {
    char silo[FRD_NAME_MAX];
    char node[FRD_NAME_MAX];
    char version[16];
    char algo[FRD_ALGO_TEXT_MAX]; /* the option, cut; algo_hash is of all of it */
    uint64_t algo_hash, fragment, window, gateways, check;
    char topology[FRD_PATH_TEXT_MAX]; /* the option, its end; "": none */
    uint64_t topology_hash;           /* of what the file says */
    uint64_t gateway; /* 1 + the index of its node among its silo's gateways there; 0: it is none */
    uint64_t is_near;                 /* to the card that leads to other silos, as far as is known */
} frd_place;

/* What levels.h calls known of it. */
static inline unsigned char frd_place_known(const frd_place *place)
{
    return (unsigned char)((place->gateway != 0 ? FRD_LEVELS_NAMED : 0) |
                           (place->is_near != 0 ? FRD_LEVELS_NEAR : 0));
}

struct fedrdma_context {
    frd_conf conf;
    frd_log log;
    frd_stat stat;
    frd_rules *rules;
    frd_silos *silos; /* of the topology file; NULL: none. Its links are measured by the transport between silos */
    frd_policy *policy;              /* what it lets us do towards other silos */
    const frd_silo_gateway *gateway; /* what it says of this rank's node; NULL: nothing */
    uint64_t gateway_number;         /* as in frd_place */
    frd_engine *engine;
    frd_fabric *fabric;
    frd_place *places; /* by world rank */
    fedrdma_comm *world;
    struct frd_comm *comms; /* all, the world included */
    frd_user_op **ops; /* by handle - FRD_USER_OP_BASE; NULL: free */
    size_t nops;
    frd_memory *memory;
    frd_pool requests;
    size_t active; /* requests in flight, blocking calls included */
    unsigned quick_calls; /* made by quick.c */
    struct fedrdma_request *persistent; /* list of all persistent requests, to free them at the end */

    bool shared; /* threads=multiple: calls take turns by ticket, first come first served */
    pthread_mutex_t lock;
    pthread_cond_t turn;
    uint64_t next_ticket, serving;
};

/* requests of the context (request.c) */
size_t frd_request_bytes(void);
void frd_request_destroy_all(fedrdma_context *ctx); /* the persistent ones, all inactive */

/* At the edge of every call that touches the context; free of cost unless threads=multiple. */
void frd_context_enter(fedrdma_context *ctx);
void frd_context_leave(fedrdma_context *ctx);

/* Drives the engine until `op` has ended; inside enter/leave, lets other threads in between. `now_ns`: the time,
 * which callers often know already. */
void frd_context_drive(fedrdma_context *ctx, const frd_op *op, uint64_t now_ns);

#endif
