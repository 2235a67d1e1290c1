/* SPDX-License-Identifier: BSD-3-Clause
 * sim_impl.h - the simulator's parts: programs (sim_program.c), the model of what carries messages (sim_net.c), the
 * queue of events (sim_queue.c), and who runs them (sim.c). */
#ifndef FRD_SIM_SIM_IMPL_H
#define FRD_SIM_SIM_IMPL_H

#include "sim/sim.h"

/* ---- programs ---- */

/* One rank's schedule of a fragment. */
typedef struct frd_sim_program {
    frd_graph *graph;
    uint32_t *partner; /* by step: of a send its receive, of a receive its send, at that peer */
} frd_sim_program;

/* Records what each rank does of a fragment of `len` bytes, and matches their messages. `program` is by rank, and the
 * caller's to free, also after an error. */
int frd_sim_programs(const frd_sim_world *w, const frd_algo *algo, const frd_call *call, size_t len,
                     frd_story *story, frd_sim_program *program);

/* The group of all ranks; rank and levels->silo are to be set for each. *levels is to be freed. */
int frd_sim_group(const frd_sim_world *w, frd_group *group, frd_levels **levels, int **peer);

/* ---- events ---- */

enum frd_sim_kind {
    FRD_SIM_DONE,    /* a step of `rank` has ended */
    FRD_SIM_ARRIVE,  /* a message's first byte comes to silo `place` */
    FRD_SIM_ENTER,   /* the same, to a node within its silo */
    FRD_SIM_DELIVER  /* its last byte is there */
};

typedef struct frd_sim_event {
    double at_ns;
    uint64_t order; /* among those of the same time */
    uint8_t kind;
    int32_t rank;  /* whose step; of messages: the receiver */
    uint32_t frag, step;
    int32_t place;
    double last_ns, late_ns; /* messages: when the last byte comes; what loss and jitter add in the end */
} frd_sim_event;

typedef struct frd_sim_queue {
    frd_sim_event *heap;
    size_t count, room;
    uint64_t next;
} frd_sim_queue;

bool frd_sim_push(frd_sim_queue *q, const frd_sim_event *event); /* false: out of memory */
bool frd_sim_pop(frd_sim_queue *q, frd_sim_event *event);        /* false: empty */

/* What waits for its other half: a receive for its message, or the other way round. */
typedef struct frd_sim_pairs {
    struct frd_sim_pair {
        uint64_t key; /* 0: free */
        uint32_t step;
    } *at;
    size_t count, room; /* a power of two */
} frd_sim_pairs;

/* The first half is kept, and false returned; the second finds and removes it, and true is returned. *nomem is set
 * where there is no room. */
bool frd_sim_meet(frd_sim_pairs *p, int rank, uint32_t frag, uint32_t step, bool *nomem);

/* ---- what carries messages ---- */

/* A message on its way: its first and last byte. */
typedef struct frd_sim_span {
    double first_ns, last_ns;
} frd_sim_span;

/* Serves one after the other. */
typedef struct frd_sim_server {
    double free_ns;
} frd_sim_server;

typedef struct frd_sim_net {
    const frd_sim_world *w;
    frd_sim_server *out, *in;           /* by rank, gateways */
    frd_sim_server *node_out, *node_in; /* by node */
    frd_sim_server *egress, *ingress;   /* by silo */
    frd_sim_server *link;               /* [from * silos + to] */
    int *detour; /* the same: the relay where they may not talk, or the link is down; -1: none */
    uint64_t random;
    uint64_t *link_bytes;
} frd_sim_net;

int frd_sim_net_create(const frd_sim_world *w, frd_story *story, frd_sim_net *net);
void frd_sim_net_free(frd_sim_net *net);

/* A message of `bytes` leaves rank `from` for the event's: fills in when, where and as what it shows up next. */
void frd_sim_net_send(frd_sim_net *net, int from, double now_ns, size_t bytes, frd_sim_event *event);
/* It has come to where the event says: the same. */
void frd_sim_net_pass(frd_sim_net *net, size_t bytes, frd_sim_event *event);
/* How long until a sender knows that its message was taken. */
double frd_sim_net_back(const frd_sim_net *net, int from, int to);

#endif
