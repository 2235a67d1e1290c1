/* SPDX-License-Identifier: BSD-3-Clause
 * graph.h - a recorded schedule: one rank's steps of one collective (or one fragment of it) and which step
 * waits for which. Immutable, without pointers into user memory, so it is cached and run many times, also
 * several times at once. */
#ifndef FRD_SCHED_GRAPH_H
#define FRD_SCHED_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a reference points; the engine binds a base address to each for every run. */
enum frd_space {
    FRD_SPACE_NONE, /* nothing: length 0 */
    FRD_SPACE_SEND, /* the call's send buffer */
    FRD_SPACE_RECV, /* the call's receive buffer (also the send buffer when in place) */
    FRD_SPACE_TMP,  /* scratch of the run, graph->tmp_bytes */
    FRD_SPACE_ARG,  /* a few bytes of arguments of the call: weighted average: the weight, f64 */
    FRD_NSPACES
};

#define FRD_ARG_BYTES 8

/* len bytes at off of a space, elements of a datatype. */
typedef struct frd_ref {
    size_t off, len;
    uint16_t space;
    uint16_t type;
} frd_ref;

enum frd_step_kind {
    FRD_STEP_SEND,   /* a to peer */
    FRD_STEP_RECV,   /* out from peer */
    FRD_STEP_COPY,   /* out = a */
    FRD_STEP_REDUCE, /* out = a op b, builtin; out may be a or b */
    FRD_STEP_USER,   /* out = a op out, the user's function */
    FRD_STEP_SCALE,  /* out = a x or / a factor: the number of ranks (how) or the f64 that b refers to */
    FRD_STEP_NODE,   /* a collective of the communicator's ranks on this node: graph->calls[msg], a to out */
    FRD_NSTEPKINDS
};

enum frd_scale_how {
    FRD_SCALE_BY_REF, /* out = a * b[0] */
    FRD_SCALE_OVER_REF, /* out = a / b[0]; 0 when b[0] is 0 */
    FRD_SCALE_OVER_COUNT /* out = a / step->count */
};

/* Collectives that the ranks of a node run together in shared memory, as one step. */
enum frd_node_coll {
    FRD_NODE_BARRIER,
    FRD_NODE_BROADCAST,
    FRD_NODE_REDUCE,
    FRD_NODE_ALLREDUCE,
    FRD_NODE_GATHER,
    FRD_NODE_SCATTER,
    FRD_NODE_ALLGATHER,
    FRD_NODE_REDUCE_SCATTER,
    FRD_NODE_ALLTOALL,
    FRD_NODE_COLLS
};

typedef struct frd_node_call {
    uint8_t coll;  /* frd_node_coll */
    uint8_t op;    /* builtin operator; 0: the user's, or none */
    uint8_t type;  /* of the data */
    bool in_place; /* reduce_scatter: the result goes to where the data begins */
    int32_t root;  /* among the ranks of the node */
    size_t len;    /* bytes of the vector, or of a block; blocks lie side by side */
} frd_node_call;

typedef struct frd_step {
    uint8_t kind; /* frd_step_kind */
    uint8_t op;   /* REDUCE: builtin operator */
    uint8_t how;  /* SCALE */
    uint8_t unused;
    int32_t peer;   /* SEND, RECV: rank in the communicator */
    uint32_t idx;   /* SEND, RECV: i-th message to (from) that peer in this schedule */
    uint32_t msg;   /* SEND, RECV: number among the schedule's messages, both directions; NODE: of the call */
    uint32_t count; /* SCALE: the divisor */
    uint32_t ndeps; /* steps that must end first */
    uint32_t nnext; /* steps that wait for this one: graph->next[first_next ..] */
    uint32_t first_next;
    frd_ref out, a, b;
} frd_step;

typedef struct frd_graph {
    uint32_t nsteps, nedges, nroots, nsends, nrecvs, ncalls;
    frd_step *steps;
    frd_node_call *calls;
    uint32_t *next;  /* edges */
    uint32_t *roots; /* steps without dependencies, in program order */
    size_t tmp_bytes;
    size_t extent[FRD_NSPACES]; /* one past the last byte referred to */
    uint64_t sent_bytes, received_bytes;
} frd_graph;

void frd_graph_destroy(frd_graph *graph); /* NULL is fine */

#endif
