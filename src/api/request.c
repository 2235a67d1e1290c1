/* SPDX-License-Identifier: BSD-3-Clause
 *
 * request.c - calls in flight.
 *
 * A request comes from the context's pool and holds a use of the plans it runs, so the schedule cache may
 * forget them meanwhile. A blocking call is a request that lives until the call returns. From the second
 * identical call on nothing here allocates. */
#include "api/request.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"

#define REQUEST_MAGIC UINT64_C(0x6664727265717374)

struct fedrdma_request {
    frd_op op; /* first: the engine's operation */
    uint64_t magic;
    frd_comm *comm;
    frd_args args; /* persistent: compared again at each start with the option check */
    frd_checked checked;
    size_t *lengths; /* persistent, with the option check: what checked.call.slens and rlens refer to */
    const char *algorithm;
    bool persistent, started; /* started: not yet completed by wait or test */
    uint64_t again_before, rerouted_before; /* the context's counts when it began */
    struct fedrdma_request *next, *prev; /* persistent ones, in the context's list */
};

size_t frd_request_bytes(void)
{
    return sizeof(struct fedrdma_request);
}

static void fill_op(fedrdma_request *r, const frd_recipe *recipe)
{
    frd_comm *comm = r->comm;
    const frd_checked *c = &r->checked;
    frd_op *op = &r->op;

    memset(op, 0, sizeof(*op));
    op->channel = &comm->channel;
    op->what = frd_entry_name(r->args.entry);
    op->timeout_ns = comm->ctx->conf.timeout;
    op->deadline_ns = comm->attr.deadline_ns;
    op->progress = comm->attr.progress;
    op->progress_arg = comm->attr.progress_arg;
    op->work = (frd_op_work){ .full = recipe->full,
                              .tail = recipe->tail,
                              .nfull = recipe->nfull,
                              .frag_bytes = recipe->frag_bytes,
                              .window = recipe->window,
                              .send = c->send,
                              .recv = c->recv };
    memcpy(op->work.arg, &c->weight, sizeof(c->weight));
    if (c->user != NULL) {
        op->work.user_fn = c->user->fn;
        op->work.user_arg = c->user->arg;
        c->user->requests++;
    }
    recipe->full->users++;
    if (recipe->tail != NULL)
        recipe->tail->users++;
    r->algorithm = recipe->algo->name;
}

static int request_create(frd_comm *comm, const frd_args *args, const frd_checked *checked,
                          fedrdma_request **out)
{
    fedrdma_context *ctx = comm->ctx;
    const frd_group group = frd_comm_group(comm);
    const frd_cache_env env = {
        .conf = &ctx->conf, .rules = ctx->rules, .stat = &ctx->stat, .group = &group,
        .node = comm->channel.team != NULL, .forests = comm->forests
    };
    frd_recipe *recipe;
    frd_story story = { .log = &ctx->log };

    int rc = frd_cache_get(&comm->cache, &env, &checked->call, &story, &recipe);
    if (rc != FEDRDMA_OK)
        return frd_comm_fail(comm, rc, "%s: %s", frd_entry_name(args->entry), story.text);
    fedrdma_request *r = frd_pool_get(&ctx->requests);
    if (r == NULL)
        return frd_comm_fail(comm, FEDRDMA_ERR_NOMEM, "%s: out of memory for a request",
                             frd_entry_name(args->entry));
    memset(r, 0, sizeof(*r));
    r->magic = REQUEST_MAGIC;
    r->comm = comm;
    r->args = *args;
    r->checked = *checked;
    /* what the user and comm->lengths own is not ours to look at later */
    r->args.sendcounts = r->args.sdispls = r->args.recvcounts = r->args.rdispls = NULL;
    r->checked.call.soffs = r->checked.call.slens = NULL;
    r->checked.call.roffs = r->checked.call.rlens = NULL;
    fill_op(r, recipe);
    *out = r;
    return FEDRDMA_OK;
}

static void request_destroy(fedrdma_request *r)
{
    fedrdma_context *ctx = r->comm->ctx;

    frd_plan_release(r->op.work.full);
    frd_plan_release(r->op.work.tail);
    if (r->checked.user != NULL)
        r->checked.user->requests--;
    if (r->persistent) {
        r->comm->persistent--;
        if (r->prev != NULL)
            r->prev->next = r->next;
        else
            ctx->persistent = r->next;
        if (r->next != NULL)
            r->next->prev = r->prev;
    }
    frd_free(r->lengths);
    r->magic = 0;
    frd_pool_put(&ctx->requests, r);
}

void frd_request_destroy_all(fedrdma_context *ctx)
{
    while (ctx->persistent != NULL)
        request_destroy(ctx->persistent);
}

static int start(fedrdma_request *r)
{
    frd_comm *comm = r->comm;

    r->again_before = comm->ctx->stat.wan_again_chunks;
    r->rerouted_before = comm->ctx->stat.wan_rerouted_chunks;
    const int rc = frd_op_start(comm->ctx->engine, &r->op);
    if (rc != FEDRDMA_OK)
        return frd_comm_fail_channel(comm, rc, r->op.what);
    r->started = true;
    comm->active++;
    comm->ctx->active++;
    return FEDRDMA_OK;
}

static void describe(const fedrdma_request *r, fedrdma_result *result)
{
    const frd_op *op = &r->op;
    const frd_stat *const stat = &r->comm->ctx->stat;
    const uint64_t ns = op->end_ns - op->start_ns;

    *result = (fedrdma_result){ .silos = op->rc == FEDRDMA_OK ? r->comm->nsilos : 0,
                                .silos_total = r->comm->nsilos,
                                .time_ns = ns,
                                .sent_bytes = op->sent_bytes,
                                .received_bytes = op->received_bytes,
                                .reroutes = stat->wan_rerouted_chunks - r->rerouted_before,
                                .retransmits = stat->wan_again_chunks - r->again_before };
    if (ns > 0)
        result->rate_bps = (double)(op->sent_bytes + op->received_bytes) * 8e9 / (double)ns;
    snprintf(result->algorithm, sizeof(result->algorithm), "%s", r->algorithm);
}

/* One round of progress in a call that doesn't wait. */
static void look_once(fedrdma_context *ctx, uint64_t now_ns)
{
    frd_engine_enter(ctx->engine, now_ns);
    frd_engine_progress(ctx->engine);
    frd_engine_leave(ctx->engine, now_ns);
}

/* The operation has ended: the caller's share of its completion. */
static int complete(fedrdma_request *r, fedrdma_result *result)
{
    frd_comm *comm = r->comm;
    const int rc = r->op.rc;

    r->started = false;
    r->op.state = FRD_OP_IDLE;
    comm->active--;
    comm->ctx->active--;
    if (result != NULL)
        describe(r, result);
    if (rc != FEDRDMA_OK)
        frd_comm_fail_channel(comm, rc, r->op.what);
    if (!r->persistent)
        request_destroy(r);
    return rc;
}

/* A persistent call is compared with the other ranks' at each start, so it keeps its blocks' lengths. */
static int keep_lengths(fedrdma_request *r, const frd_checked *checked)
{
    const size_t n = (size_t)r->comm->channel.size;
    frd_call *call = &r->checked.call;

    if (!r->comm->ctx->conf.check || !call->irregular)
        return FEDRDMA_OK;
    r->lengths = frd_calloc(2 * n, sizeof(size_t));
    if (r->lengths == NULL)
        return frd_comm_fail(r->comm, FEDRDMA_ERR_NOMEM, "%s: out of memory for a request",
                             frd_entry_name(r->args.entry));
    if (checked->call.slens != NULL)
        call->slens = memcpy(r->lengths, checked->call.slens, n * sizeof(size_t));
    if (checked->call.rlens != NULL)
        call->rlens = memcpy(r->lengths + n, checked->call.rlens, n * sizeof(size_t));
    return FEDRDMA_OK;
}

static void make_persistent(fedrdma_request *r)
{
    fedrdma_context *ctx = r->comm->ctx;

    r->persistent = true;
    r->comm->persistent++;
    r->next = ctx->persistent;
    if (r->next != NULL)
        r->next->prev = r;
    ctx->persistent = r;
}

/* The request is made before the ranks compare the call, which lets other threads in: from then on nothing looks at
 * comm->lengths any more. */
static int submit_checked(frd_comm *comm, const frd_args *args, const frd_checked *checked, int mode,
                          fedrdma_request **request)
{
    fedrdma_context *ctx = comm->ctx;
    fedrdma_request *r;

    int rc = request_create(comm, args, checked, &r);
    if (rc != FEDRDMA_OK)
        return rc;
    if (mode == FRD_MODE_PERSISTENT) {
        rc = keep_lengths(r, checked);
        if (rc == FEDRDMA_OK) {
            make_persistent(r);
            *request = r;
        } else {
            request_destroy(r);
        }
        return rc;
    }
    if (ctx->conf.check)
        rc = frd_check_agreement(comm, args, checked);
    if (rc == FEDRDMA_OK)
        rc = start(r);
    if (rc != FEDRDMA_OK) {
        request_destroy(r);
        return rc;
    }
    if (mode == FRD_MODE_NONBLOCKING) {
        look_once(ctx, r->op.start_ns); /* the first messages leave now, before the user computes */
        *request = r;
        return FEDRDMA_OK;
    }
    frd_context_drive(ctx, &r->op, r->op.start_ns);
    comm->last_is_quick = false;
    if (r->op.rc == FEDRDMA_OK)
        frd_quick_learn(comm, args, &r->op.work);
    return complete(r, &comm->last);
}

/* What quick.c had begun when the long way found no memory. */
static void drop_begun(frd_channel *ch)
{
    while (ch->begun != NULL && !frd_team_leave(ch->team, ch->begun))
        frd_pause();
    ch->begun = NULL;
}

int frd_submit(const frd_args *args, fedrdma_comm *handle, int mode, fedrdma_request **request)
{
    frd_checked checked;
    int rc = FEDRDMA_OK;

    if (mode == FRD_MODE_BLOCKING && handle != NULL && handle->magic == FRD_HANDLE_LIVE && !handle->comm->ctx->shared &&
        frd_quick_run(handle->comm, args))
        return FEDRDMA_OK;
    frd_comm *comm = frd_comm_of(handle, frd_entry_name(args->entry), &rc);
    if (comm == NULL)
        return rc;
    fedrdma_context *ctx = comm->ctx;
    frd_context_enter(ctx);
    if (mode != FRD_MODE_BLOCKING && request == NULL)
        rc = frd_comm_fail(comm, FEDRDMA_ERR_INVALID, "%s: request is NULL",
                           frd_entry_name(args->entry));
    if (rc == FEDRDMA_OK)
        rc = frd_args_check(comm, args, &checked);
    if (rc == FEDRDMA_OK)
        rc = submit_checked(comm, args, &checked, mode, request);
    drop_begun(&comm->channel);
    frd_context_leave(ctx);
    return rc;
}

int frd_comm_allgather(frd_comm *comm, void *all, size_t bytes, const char *what)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHER };
    const frd_checked checked = { .call = { .coll = FRD_COLL_ALLGATHER,
                                            .type = FEDRDMA_U8,
                                            .op = FEDRDMA_SUM,
                                            .commutative = true,
                                            .in_place = true,
                                            .len = bytes,
                                            .stride = bytes },
                                  .recv = all };
    fedrdma_request *r;

    int rc = request_create(comm, &args, &checked, &r);
    if (rc != FEDRDMA_OK)
        return rc;
    r->op.what = what;
    rc = start(r);
    if (rc != FEDRDMA_OK) {
        request_destroy(r);
        return rc;
    }
    frd_context_drive(comm->ctx, &r->op, r->op.start_ns);
    return complete(r, NULL);
}

/* ---- public ---- */

static int refuse(const char *call, const char *text)
{
    frd_story story = { 0 };

    frd_fail(&story, FEDRDMA_ERR_INVALID, "%s: %s", call, text);
    frd_story_publish(&story);
    return FEDRDMA_ERR_INVALID;
}

static bool is_request(const fedrdma_request *r)
{
    return r != NULL && r->magic == REQUEST_MAGIC;
}

int fedrdma_start(fedrdma_request *r)
{
    if (!is_request(r))
        return refuse("fedrdma_start", "this is no request, or it was freed");
    if (!r->persistent)
        return frd_comm_fail(r->comm, FEDRDMA_ERR_INVALID,
                             "fedrdma_start: not a persistent request (of fedrdma_..._init)");
    if (r->started)
        return frd_comm_fail(r->comm, FEDRDMA_ERR_BUSY,
                             "fedrdma_start: the request is active; complete it with fedrdma_wait first");
    int rc = FEDRDMA_OK;
    frd_context_enter(r->comm->ctx);
    if (r->comm->ctx->conf.check)
        rc = frd_check_agreement(r->comm, &r->args, &r->checked);
    if (rc == FEDRDMA_OK)
        rc = start(r);
    if (rc == FEDRDMA_OK)
        look_once(r->comm->ctx, r->op.start_ns);
    frd_context_leave(r->comm->ctx);
    return rc;
}

int fedrdma_wait(fedrdma_request **request, fedrdma_result *result)
{
    if (request == NULL)
        return refuse("fedrdma_wait", "request is NULL; pass the address of the request");
    fedrdma_request *r = *request;
    if (r == NULL)
        return FEDRDMA_OK;
    if (!is_request(r))
        return refuse("fedrdma_wait", "this is no request, or it was freed");
    if (!r->started)
        return FEDRDMA_OK;

    fedrdma_context *ctx = r->comm->ctx;
    frd_context_enter(ctx);
    frd_context_drive(ctx, &r->op, frd_now_ns());
    if (!r->persistent)
        *request = NULL;
    const int rc = complete(r, result);
    frd_context_leave(ctx);
    return rc;
}

int fedrdma_test(fedrdma_request **request, int *done, fedrdma_result *result)
{
    if (request == NULL || done == NULL)
        return refuse("fedrdma_test", "request or done is NULL");
    fedrdma_request *r = *request;
    *done = 1;
    if (r == NULL)
        return FEDRDMA_OK;
    if (!is_request(r))
        return refuse("fedrdma_test", "this is no request, or it was freed");
    if (!r->started)
        return FEDRDMA_OK;

    fedrdma_context *ctx = r->comm->ctx;
    int rc = FEDRDMA_OK;
    frd_context_enter(ctx);
    if (r->op.state == FRD_OP_ACTIVE)
        look_once(ctx, frd_now_ns());
    *done = r->op.state == FRD_OP_ENDED;
    if (*done) {
        if (!r->persistent)
            *request = NULL;
        rc = complete(r, result);
    }
    frd_context_leave(ctx);
    return rc;
}

int fedrdma_waitall(size_t count, fedrdma_request *requests[], fedrdma_result results[])
{
    int first = FEDRDMA_OK;

    if (count > 0 && requests == NULL)
        return refuse("fedrdma_waitall", "requests is NULL");
    for (size_t i = 0; i < count; i++) {
        const int rc = fedrdma_wait(&requests[i], results != NULL ? &results[i] : NULL);
        if (first == FEDRDMA_OK)
            first = rc;
    }
    return first;
}

int fedrdma_cancel(fedrdma_request *r)
{
    if (!is_request(r))
        return refuse("fedrdma_cancel", "this is no request, or it was freed");
    frd_context_enter(r->comm->ctx);
    if (r->started && r->op.state == FRD_OP_ACTIVE) {
        frd_fail(&r->comm->channel.story, FEDRDMA_ERR_CANCELED, "%s: cancelled by this rank",
                 r->op.what);
        frd_op_abort(r->comm->ctx->engine, &r->op, FEDRDMA_ERR_CANCELED);
        look_once(r->comm->ctx, frd_now_ns());
    }
    frd_context_leave(r->comm->ctx);
    return FEDRDMA_OK;
}

int fedrdma_request_free(fedrdma_request **request)
{
    if (request == NULL || *request == NULL)
        return FEDRDMA_OK;
    fedrdma_request *r = *request;
    if (!is_request(r))
        return refuse("fedrdma_request_free", "this is no request, or it was freed");
    if (r->started)
        return frd_comm_fail(r->comm, FEDRDMA_ERR_BUSY,
                             "fedrdma_request_free: the request is active; wait for it first");
    fedrdma_context *ctx = r->comm->ctx;
    frd_context_enter(ctx);
    request_destroy(r);
    *request = NULL;
    frd_context_leave(ctx);
    return FEDRDMA_OK;
}
