/* SPDX-License-Identifier: BSD-3-Clause
 * engine.h - runs operations: event driven, O(1) for each event, never re-entrant. A message's completion only
 * decrements counters and queues steps; frd_engine_progress() does everything else.
 *
 * A channel is the engine's side of a communicator: its number, its ranks in the world, and whether it still
 * works. When an operation fails for another reason than a wrong call, the channel's other ranks are told
 * (control message), so that they fail with the same story instead of waiting for their deadline. */
#ifndef FRD_RUN_ENGINE_H
#define FRD_RUN_ENGINE_H

#include "base/mem.h"
#include "net/fabric.h"
#include "run/op.h"

typedef struct frd_engine frd_engine;

typedef struct frd_channel {
    uint64_t id;
    int size, rank;
    const int *world;         /* channel rank -> world rank; the owner's */
    const char *const *silo;  /* channel rank -> silo name, for stories; the owner's */
    frd_team *team;           /* of its ranks, where they share a node; the owner's */
    frd_team_call *begun;     /* call that the next operation goes on with (quick.c) */
    uint32_t next_seq;        /* of the next operation started */
    int broken;               /* 0, or why nothing can be started any more */
    bool shown;               /* a call has returned that; later ones return BROKEN */
    frd_story story;          /* of the last failure */
    bool pass_on;             /* we were told that it is broken, and have not told it on yet */
    uint32_t news_seq;
    uint32_t *canceled;       /* operations that another rank cancelled before we started them */
    size_t ncanceled, canceled_cap;
    struct frd_channel *next; /* engine's list */
} frd_channel;

int frd_engine_create(const frd_conf *conf, const frd_log *log, frd_stat *stat, frd_engine **engine);
/* Drops all that is left, without done callbacks; NULL is fine. The fabric is closed by its owner, first. */
void frd_engine_destroy(frd_engine *engine);
void frd_engine_set_fabric(frd_engine *engine, frd_fabric *fabric);

/* The callbacks to hand to frd_fabric_open, with the engine as argument. */
bool frd_engine_dead(void *engine, const frd_tag *tag);
void frd_engine_peer_lost(void *engine, int peer, const char *why);
void frd_engine_control(void *engine, int peer, const frd_tag *tag, const void *data, size_t len);

/* The channel is the caller's memory until it removes it, without active operations. */
void frd_engine_add_channel(frd_engine *engine, frd_channel *channel);
void frd_engine_remove_channel(frd_engine *engine, frd_channel *channel);

/* Starts; never blocks. Takes the channel's next sequence number. FEDRDMA_ERR_BROKEN or NOMEM: not started.
 * Otherwise op->state becomes ENDED in this or a later frd_engine_progress. */
int frd_op_start(frd_engine *engine, frd_op *op);

/* Ends an active operation early with `rc`, here and on the other ranks; it is ENDED soon. rc CANCELED leaves
 * the channel usable, any other breaks it. The story must be in channel->story. */
void frd_op_abort(frd_engine *engine, frd_op *op, int rc);

/* Around every stretch of calls of frd_engine_progress, with the time: what passes outside, while the user computes,
 * does not count as time without progress. Stretches of several threads may overlap. */
void frd_engine_enter(frd_engine *engine, uint64_t now_ns);
void frd_engine_leave(frd_engine *engine, uint64_t now_ns);

/* Moves everything on: transports, ready steps, deadlines. Number of events, 0 when idle. */
int frd_engine_progress(frd_engine *engine);

/* The nearest moment at which a deadline of an active operation passes; UINT64_MAX when there is none. */
uint64_t frd_engine_deadline(const frd_engine *engine);

/* Control sends still under way; finalize waits for them. */
size_t frd_engine_pending_control(const frd_engine *engine);

/* Nothing is under way, and nothing went wrong, that an operation on the channel would have to look at. */
bool frd_channel_is_calm(const frd_engine *engine, const frd_channel *channel);
/* Counts an operation that was made without the engine; sign 1, or -1 to take that back. */
void frd_engine_count_call(frd_engine *engine, const frd_team_call *call, int sign);

/* Runs a step that needs no peer (local.c). */
void frd_local_step(const frd_step *step, char *const base[], const frd_op_work *work, frd_stat *stat);

#endif
