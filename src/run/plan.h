/* SPDX-License-Identifier: BSD-3-Clause
 * plan.h - a graph ready to run, and the pool of its runs. One run is one fragment in flight: counters,
 * messages and scratch, all sized by the graph, so that from the second use on nothing is allocated. */
#ifndef FRD_RUN_PLAN_H
#define FRD_RUN_PLAN_H

#include "base/stat.h"
#include "net/net.h"
#include "net/shm_team.h"
#include "sched/graph.h"

typedef struct frd_run frd_run;
struct frd_op;

/* A message of a run; its frd_msg comes first. */
typedef struct frd_run_msg {
    frd_msg msg;
    frd_run *run;
    uint32_t step;
    bool active;
} frd_run_msg;

/* A collective of the node's ranks, a step of a run. */
typedef struct frd_run_call {
    frd_team_call call;
    uint32_t step;
    uint64_t sent_bytes, received_bytes; /* counted so far */
    bool active; /* begun, or waiting for its turn */
} frd_run_call;

typedef struct frd_plan {
    frd_graph *graph; /* owned */
    frd_run *idle;    /* runs not in use */
    uint32_t users;   /* requests and the cache hold it */
    frd_stat *stat;
} frd_plan;

struct frd_run {
    frd_plan *plan;
    struct frd_op *op;
    frd_run *next, *prev;   /* in the plan's idle list, or among the operation's runs */
    frd_run *next_runnable; /* in the engine's list */
    bool runnable;
    bool canceled; /* its messages were asked to end early */
    uint32_t frag;
    uint32_t left;     /* steps not yet done */
    uint32_t inflight; /* messages given to the fabric */
    uint32_t head, tail;
    char *base[FRD_NSPACES];
    uint32_t *waits;   /* by step: dependencies still open */
    uint32_t *queue;   /* ready steps: queue[head .. tail); each step enters once */
    frd_run_msg *msgs;
    frd_run_call *calls;
    uint32_t polled; /* calls that are active */
    frd_run *next_polled; /* in the engine's list of runs with active calls */
    void *scratch;
};

/* Takes over `graph`, also when it fails. */
int frd_plan_create(frd_graph *graph, frd_stat *stat, frd_plan **plan);
/* Gives up one use; the last one frees it, when no run is in use any more. NULL is fine. */
void frd_plan_release(frd_plan *plan);

/* Frees the runs that are not in use; the next take makes one anew. */
void frd_plan_trim(frd_plan *plan);

/* A run with all counters set to the start; NULL when out of memory. */
frd_run *frd_plan_take(frd_plan *plan);
void frd_plan_give_back(frd_run *run);

#endif
