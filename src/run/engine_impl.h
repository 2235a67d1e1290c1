/* SPDX-License-Identifier: BSD-3-Clause
 * engine_impl.h - the engine's own state, shared by engine.c, channel.c and deadline.c. */
#ifndef FRD_RUN_ENGINE_IMPL_H
#define FRD_RUN_ENGINE_IMPL_H

#include "run/engine.h"

struct frd_engine {
    const frd_conf *conf;
    const frd_log *log;
    frd_stat *stat;
    frd_fabric *fabric;
    frd_channel *channels;
    frd_op *active;
    frd_run *runnable_head, *runnable_tail;
    frd_run *polled; /* runs with active calls of a team */
    frd_pool control_pool;
    size_t control_pending;
    uint32_t control_idx;
    uint32_t calls; /* of progress, to look at the clock only now and then */
    uint64_t next_tick_ns;
    struct early *early; /* news of channels that are not made yet (channel.c) */
    size_t nearly;
    uint64_t *freed; /* numbers of channels that were removed */
    size_t nfreed, freed_cap;
    unsigned drivers; /* between frd_engine_enter and leave */
    uint64_t left_ns; /* when the last one left */
    size_t nlost;   /* peers lost so far */
    bool attention; /* an operation failed, or a peer was lost, since the last look */
};

/* Notes the failure of an active operation; its runs are wound up by frd_engine_progress. `tell` says whether
 * the other ranks have to be told. A no-op when it failed before. */
void frd_op_fail(frd_engine *e, frd_op *op, int rc, bool tell);

/* Takes an operation without live fragments out of the active ones and marks it ENDED. */
void frd_op_end(frd_engine *e, frd_op *op);

/* Puts a run into the list of those that frd_engine_progress looks at. */
void frd_run_wake(frd_engine *e, frd_run *run);

/* Deals with failed operations and lost peers (channel.c). */
void frd_engine_attend(frd_engine *e);

/* Deadlines and progress reports of all active operations (deadline.c). */
void frd_engine_tick(frd_engine *e, uint64_t now_ns);

/* Drops kept news, at the end. */
void frd_engine_forget_early(frd_engine *e);

/* Did the channel lose a rank? Its number, or -1. */
int frd_channel_lost_rank(const frd_engine *e, const frd_channel *ch);
/* Writes the story of a lost rank into the channel and returns RANK_LOST or SILO_LOST. */
int frd_channel_blame(frd_engine *e, frd_channel *ch, const char *what, int rank, const char *why);
/* True, once, when another rank cancelled operation `seq` before it was started here. */
bool frd_channel_take_canceled(frd_channel *ch, uint32_t seq);

#endif
