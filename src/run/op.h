/* SPDX-License-Identifier: BSD-3-Clause
 * op.h - an operation: one collective in flight on one communicator, as a row of fragments. */
#ifndef FRD_RUN_OP_H
#define FRD_RUN_OP_H

#include "run/plan.h"

struct frd_channel;

/* What an operation runs. Fragments 0 .. nfull-1 run `full` on consecutive pieces of frag_bytes, then `tail`
 * (may be NULL) runs once on the rest. */
typedef struct frd_op_work {
    frd_plan *full, *tail;
    uint32_t nfull;
    size_t frag_bytes;
    uint32_t window; /* fragments in flight, at least 1 */
    const void *send;
    void *recv;
    char arg[FRD_ARG_BYTES]; /* what FRD_SPACE_ARG refers to */
    fedrdma_op_fn *user_fn;
    void *user_arg;
} frd_op_work;

enum frd_op_state { FRD_OP_IDLE, FRD_OP_ACTIVE, FRD_OP_ENDED };

typedef struct frd_op {
    /* the starter sets these before frd_op_start */
    struct frd_channel *channel;
    frd_op_work work;
    uint64_t timeout_ns;  /* without progress */
    uint64_t deadline_ns; /* for all of it, from the start; 0: none */
    void (*progress)(uint64_t done_bytes, uint64_t total_bytes, void *arg); /* may be NULL */
    void *progress_arg;
    const char *what; /* for stories: "allreduce"; static */

    /* the engine's */
    struct frd_engine *engine;
    int state; /* frd_op_state */
    int rc;    /* valid when ENDED; the story is in the channel */
    uint32_t seq;
    uint32_t next_frag, nfrags, live_frags;
    frd_run *runs; /* in flight */
    struct frd_op *next, *prev; /* among the engine's active operations */
    uint64_t start_ns, end_ns, moved_ns, reported_ns;
    uint64_t sent_bytes, received_bytes, total_bytes;
    bool moved;  /* since the last tick */
    bool untold; /* failed, and the other ranks don't know yet */
} frd_op;

#endif
