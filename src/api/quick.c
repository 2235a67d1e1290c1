/* SPDX-License-Identifier: BSD-3-Clause
 * quick.c - the short way for blocking calls inside a node that were made before with the same arguments but for the
 * buffers' addresses.
 *
 * An allreduce of 8 bytes between two ranks is one exchange of cache lines, 55 ns. Checking the arguments, finding the
 * schedule, making a request and running it through the engine costs 600 ns more; so the last such call of each kind is
 * remembered, and one like it polls its single step right away. Where that takes longer than a few microseconds it
 * becomes an ordinary operation, in the middle of what it is doing: only those wait, sleep, time out and fail. */
#include "api/quick.h"

#include <string.h>

#include "api/request.h"
#include "base/clock.h"

enum {
    LOOKS = 200,               /* for the others: some 3 us */
    LOOKS_ALONE = 8,           /* more ranks than cores: then they may be waiting for our core */
    LOOKS_CROWDED = 256,       /* those with the core given away take 0.4 us to 2 us */
    CALLS_PER_PROGRESS = 64,   /* the transports get a turn, though nothing of ours needs them */
    SHORT_BYTES = 8 * 1024,    /* longer data may be mapped */
    TIMED_BYTES = 32 * 1024    /* from this length on a look at the clock (22 ns) costs nothing */
};

_Static_assert((int)FRD_QUICK_KINDS == (int)FRD_NENTRIES, "one of each");

static bool equal_counts(const frd_args *args, int n, size_t count)
{
    for (int i = 0; i < n; i++) {
        if (args->recvcounts[i] != count)
            return false;
    }
    return true;
}

static bool same(const frd_quick *q, const frd_args *a, int n)
{
    const size_t differs = (size_t)(q->op ^ a->op) | (size_t)(q->root ^ a->root) | (size_t)(q->recvtype ^ a->recvtype) |
                           (size_t)(q->sendtype ^ a->sendtype) | (q->recvcount ^ a->recvcount) |
                           (q->sendcount ^ a->sendcount);

    return differs == 0 && q->send_in_place == (a->send == FEDRDMA_IN_PLACE) &&
           q->recv_in_place == (a->recv == FEDRDMA_IN_PLACE) &&
           (a->recvcounts == NULL) == (q->count == SIZE_MAX) &&
           (a->recvcounts == NULL || equal_counts(a, n, q->count));
}

/* Missing and overlapping buffers are left to the long way, which knows what to say. */
static bool usable(const frd_quick *q, const frd_args *a)
{
    const uintptr_t send = (uintptr_t)a->send, recv = (uintptr_t)a->recv;

    if ((q->send_bytes > 0 && send == 0) || (q->recv_bytes > 0 && recv == 0))
        return false;
    return q->send_bytes == 0 || q->recv_bytes == 0 || send + q->send_bytes <= recv || recv + q->recv_bytes <= send;
}

static char *bind(const frd_ref *ref, const frd_args *a)
{
    const void *const base = ref->space == FRD_SPACE_SEND ? a->send : a->recv;

    return ref->len > 0 ? (char *)(uintptr_t)base + ref->off : NULL;
}

/* Done before the wait for the others, where its time costs nothing. */
static void account(frd_comm *comm, const frd_team_call *call)
{
    fedrdma_result *const r = &comm->last;

    comm->channel.next_seq++;
    frd_engine_count_call(comm->ctx->engine, call, 1);
    r->sent_bytes = call->given_bytes;
    r->received_bytes = call->taken_bytes;
    r->time_ns = 0;
    r->rate_bps = 0;
    if (!comm->last_is_quick) {
        comm->last_is_quick = true;
        r->silos = r->silos_total = comm->nsilos;
        r->reroutes = r->retransmits = 0;
        memcpy(r->algorithm, "node", sizeof("node"));
    }
}

/* It takes longer: the long way goes on with it, and accounts for it. */
static bool give_up(frd_comm *comm, frd_team_call *call, bool accounted)
{
    if (accounted) {
        comm->channel.next_seq--;
        frd_engine_count_call(comm->ctx->engine, call, -1);
    }
    comm->channel.begun = call;
    return false;
}

static bool run_short(frd_comm *comm, frd_team_call *call)
{
    if (!frd_team_short_give(comm->channel.team, call))
        return give_up(comm, call, false);
    account(comm, call);
    if (!frd_team_short_take(comm->channel.team, call, comm->patience))
        return give_up(comm, call, true);
    return true;
}

static bool run_long(frd_comm *comm, frd_team_call *call)
{
    const uint64_t start = call->what.len >= TIMED_BYTES ? frd_now_ns() : 0;
    fedrdma_result *const r = &comm->last;
    int state;

    for (int idle = 0; (state = frd_team_poll(comm->channel.team, call, NULL)) != FRD_TEAM_OVER; idle++) {
        if (state == FRD_TEAM_MOVED)
            idle = 0;
        if (state < 0 || !frd_team_rest(comm->channel.team, call, comm->patience, idle))
            return give_up(comm, call, false); /* an error comes again, with its story */
    }
    account(comm, call);
    if (start != 0) {
        r->time_ns = frd_now_ns() - start;
        r->rate_bps = (double)(r->sent_bytes + r->received_bytes) * 8e9 / (double)(r->time_ns + 1);
    }
    return true;
}

bool frd_quick_run(frd_comm *comm, const frd_args *args)
{
    frd_quick *const q = &comm->quick[args->entry];
    frd_team_call *const call = &q->call;

    if (!q->valid || comm->ctx->active > 0 || !same(q, args, comm->channel.size) || !usable(q, args) ||
        comm->attr.deadline_ns != 0 || comm->attr.progress != NULL ||
        !frd_channel_is_calm(comm->ctx->engine, &comm->channel))
        return false;
    call->send = bind(&q->in, args);
    call->recv = bind(&q->out, args);
    call->begun = call->done = false;
    call->ticket = frd_team_ticket(comm->channel.team);
    const bool is_short = call->rounds == 1 && !call->results && call->what.len < SHORT_BYTES;
    if (!(is_short ? run_short(comm, call) : run_long(comm, call)))
        return false;
    if (++comm->ctx->quick_calls % CALLS_PER_PROGRESS == 0)
        frd_engine_progress(comm->ctx->engine);
    return true;
}

void frd_quick_learn(frd_comm *comm, const frd_args *args, const frd_op_work *work)
{
    const frd_graph *const g = work->full->graph;
    frd_quick *const q = &comm->quick[args->entry];

    if (g->nsteps != 1 || g->ncalls != 1 || work->tail != NULL || work->user_fn != NULL || comm->ctx->conf.check)
        return;
    *q = (frd_quick){ .valid = true,
                      .send_in_place = args->send == FEDRDMA_IN_PLACE,
                      .recv_in_place = args->recv == FEDRDMA_IN_PLACE,
                      .op = args->op,
                      .root = args->root,
                      .sendtype = args->sendtype,
                      .recvtype = args->recvtype,
                      .sendcount = args->sendcount,
                      .recvcount = args->recvcount,
                      .count = args->recvcounts != NULL ? args->recvcounts[0] : SIZE_MAX,
                      .send_bytes = g->extent[FRD_SPACE_SEND],
                      .recv_bytes = g->extent[FRD_SPACE_RECV],
                      .call = { .what = g->calls[0] },
                      .in = g->steps[0].a,
                      .out = g->steps[0].out };
    frd_team_shape(comm->channel.team, &q->call);
    comm->patience = frd_fabric_crowded(comm->ctx->fabric) ? (frd_team_patience){ LOOKS_CROWDED, LOOKS_ALONE }
                                                           : (frd_team_patience){ LOOKS, LOOKS };
}
