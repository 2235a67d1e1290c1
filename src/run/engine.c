/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.c - operations, fragments and steps.
 *
 * Messages that complete queue the steps they release (finish_step); frd_engine_progress takes the runs with
 * queued steps one after the other and executes them. An operation keeps `window` fragments in flight; when
 * one ends the next starts. A failed operation only winds up: its messages are cancelled, and it ends when
 * the last of them is out of the fabric's hands, so that no buffer is touched after the user is told. */
#include "run/engine_impl.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/num.h"

/* Local work done for one run before the transports get a turn: about 20 us at memory bandwidth. */
#define LOCAL_WORK_BYTES (256 * 1024)
/* The clock is read on every idle call, and on every so many busy ones. */
#define BUSY_CALLS_PER_TICK 64

int frd_engine_create(const frd_conf *conf, const frd_log *log, frd_stat *stat, frd_engine **out)
{
    frd_engine *e = frd_calloc(1, sizeof(*e));

    if (e == NULL)
        return FEDRDMA_ERR_NOMEM;
    e->conf = conf;
    e->log = log;
    e->stat = stat;
    *out = e;
    frd_pool_init(&e->control_pool, sizeof(frd_msg) + sizeof(void *) + FRD_CONTROL_MAX);
    return FEDRDMA_OK;
}

void frd_engine_destroy(frd_engine *e)
{
    if (e == NULL)
        return;
    frd_engine_forget_early(e);
    frd_free(e->freed);
    frd_pool_free(&e->control_pool);
    frd_free(e);
}

void frd_engine_set_fabric(frd_engine *e, frd_fabric *fabric)
{
    e->fabric = fabric;
}

size_t frd_engine_pending_control(const frd_engine *e)
{
    return e->control_pending;
}

void frd_run_wake(frd_engine *e, frd_run *run)
{
    if (run->runnable)
        return;
    run->runnable = true;
    run->next_runnable = NULL;
    if (e->runnable_tail != NULL)
        e->runnable_tail->next_runnable = run;
    else
        e->runnable_head = run;
    e->runnable_tail = run;
}

static void finish_step(frd_run *run, uint32_t i)
{
    const frd_graph *g = run->plan->graph;
    const frd_step *step = &g->steps[i];

    run->left--;
    for (uint32_t k = 0; k < step->nnext; k++) {
        const uint32_t later = g->next[step->first_next + k];
        if (--run->waits[later] == 0)
            run->queue[run->tail++] = later;
    }
}

/* Why a message failed, in the user's words, into the channel's story. */
static int explain(frd_engine *e, frd_op *op, const frd_step *step, const frd_msg *msg, int rc)
{
    frd_channel *ch = op->channel;
    const char *verb = step->kind == FRD_STEP_SEND ? "sending to" : "receiving from";

    if (rc == FEDRDMA_ERR_RANK_LOST)
        return frd_channel_blame(e, ch, op->what, step->peer, verb);
    if (rc == FEDRDMA_ERR_MISMATCH)
        return frd_fail(&ch->story, rc,
                        "%s: rank %d sent %zu bytes where rank %d expects %zu: their counts or types "
                        "differ; set FEDRDMA_CHECK=1 to see which arguments",
                        op->what, step->peer, (size_t)msg->word[0], ch->rank, msg->len);
    return frd_fail(&ch->story, rc, "%s: %s rank %d over %s failed: %s", op->what, verb, step->peer,
                    frd_fabric_transport(e->fabric, msg->peer), frd_strerror(rc));
}

static void message_done(frd_msg *msg, int rc)
{
    frd_run_msg *rm = (frd_run_msg *)msg;
    frd_run *run = rm->run;
    frd_op *op = run->op;
    frd_engine *e = op->engine;
    const frd_step *step = &run->plan->graph->steps[rm->step];

    rm->active = false;
    run->inflight--;
    op->moved = true;
    if (rc == FEDRDMA_OK) {
        if (step->kind == FRD_STEP_SEND)
            op->sent_bytes += msg->len;
        else
            op->received_bytes += msg->len;
        finish_step(run, rm->step);
    } else if (op->rc == FEDRDMA_OK && rc != FEDRDMA_ERR_CANCELED) {
        frd_op_fail(e, op, explain(e, op, step, msg, rc), true);
    }
    /* Cancelled, but not by us: the peer withdrew it, because the operation failed there. Its notice, which tells
     * why, is on its way; until then, or the deadline, the step just stays undone. */
    frd_run_wake(e, run);
}

static void start_message(frd_engine *e, frd_run *run, uint32_t i)
{
    const frd_step *step = &run->plan->graph->steps[i];
    const frd_op *op = run->op;
    const bool sends = step->kind == FRD_STEP_SEND;
    const frd_ref ref = sends ? step->a : step->out;
    frd_run_msg *rm = &run->msgs[step->msg];

    rm->run = run;
    rm->step = i;
    rm->active = true;
    rm->msg.tag = (frd_tag){ op->channel->id, op->seq, run->frag, step->idx, 0 };
    rm->msg.peer = op->channel->world[step->peer];
    rm->msg.buf = run->base[ref.space] + ref.off;
    rm->msg.len = ref.len;
    rm->msg.done = message_done;
    run->inflight++;
    if (sends)
        frd_fabric_send(e->fabric, &rm->msg);
    else
        frd_fabric_recv(e->fabric, &rm->msg);
}

/* ---- collectives of a node: steps that are polled ------------------------------------------------- */

static void start_call(frd_engine *e, frd_run *run, uint32_t i)
{
    const frd_step *step = &run->plan->graph->steps[i];
    frd_run_call *rc = &run->calls[step->msg];

    rc->step = i;
    rc->call.send = step->a.len > 0 ? run->base[step->a.space] + step->a.off : NULL;
    rc->call.recv = step->out.len > 0 ? run->base[step->out.space] + step->out.off : NULL;
    rc->call.user_fn = rc->call.what.op == 0 ? run->op->work.user_fn : NULL;
    rc->call.user_arg = run->op->work.user_arg;
    rc->active = true;
    if (run->polled++ == 0) {
        run->next_polled = e->polled;
        e->polled = run;
    }
}

/* Each run takes its places in the order of the team's calls when it is launched, which is in the same order on all
 * ranks. */
static void take_tickets(frd_run *run, frd_channel *ch)
{
    const frd_graph *g = run->plan->graph;

    for (uint32_t i = 0; i < g->ncalls; i++) {
        frd_team_call *const call = &run->calls[i].call;

        run->calls[i].active = false;
        run->calls[i].sent_bytes = run->calls[i].received_bytes = 0;
        if (ch->begun != NULL)
            frd_team_move(ch->team, ch->begun, call);
        else
            *call = (frd_team_call){ .what = g->calls[i], .ticket = frd_team_ticket(ch->team) };
        ch->begun = NULL;
        if (!call->shaped)
            frd_team_shape(ch->team, call);
        run->op->total_bytes += call->given_bytes + call->taken_bytes;
    }
}

/* An operation that never starts keeps the order, too. */
static void skip_tickets(const frd_op *op)
{
    const frd_graph *g = op->work.full->graph;

    for (uint32_t i = 0; i < g->ncalls; i++) {
        frd_team_call call = { .what = g->calls[i] };

        if (op->channel->begun != NULL)
            frd_team_move(op->channel->team, op->channel->begun, &call);
        else
            call.ticket = frd_team_ticket(op->channel->team);
        op->channel->begun = NULL;
        while (!frd_team_leave(op->channel->team, &call)) /* bounded, see there */
            frd_pause();
    }
}

bool frd_channel_is_calm(const frd_engine *e, const frd_channel *ch)
{
    return ch->broken == FEDRDMA_OK && e->active == NULL && e->nlost == 0 && !e->attention && ch->ncanceled == 0;
}

static void count_call(frd_stat *stat, const frd_team_call *call, uint64_t one)
{
    stat->node_calls += one;
    stat->node_given_bytes += call->given_bytes * one;
    stat->node_taken_bytes += call->taken_bytes * one;
    if (call->mapped) {
        stat->node_mapped += one;
        stat->node_pushed += call->push ? one : 0;
    } else if (call->small) {
        stat->node_inline += one;
    } else {
        stat->node_staged += one;
    }
}

void frd_engine_count_call(frd_engine *e, const frd_team_call *call, int sign)
{
    e->stat->run_operations += (uint64_t)(int64_t)sign;
    count_call(e->stat, call, (uint64_t)(int64_t)sign);
}

static int explain_call(frd_op *op, const frd_team_call *call, int rc, const frd_story *why)
{
    frd_channel *ch = op->channel;

    if (rc != FEDRDMA_ERR_MISMATCH)
        return frd_fail(&ch->story, rc, "%s: %s", op->what, why->text);
    if (call->bad_len == call->what.len)
        return frd_fail(&ch->story, rc,
                        "%s: rank %d makes another call than rank %d: their collectives, operators, types or roots "
                        "differ; set FEDRDMA_CHECK=1 to see which",
                        op->what, call->bad, ch->rank);
    return frd_fail(&ch->story, rc,
                    "%s: rank %d sent %llu bytes where rank %d expects %zu: their counts or types differ; set "
                    "FEDRDMA_CHECK=1 to see which arguments",
                    op->what, call->bad, (unsigned long long)call->bad_len, ch->rank, call->what.len);
}

/* Counts what a call has moved since the last look, by its rounds. */
static void note_bytes(frd_op *op, frd_run_call *rc, bool over)
{
    const frd_team_call *const c = &rc->call;
    const uint64_t sent = over ? c->given_bytes : c->given_bytes / c->rounds * c->given;
    const uint64_t received = over ? c->taken_bytes : c->taken_bytes / c->rounds * c->shown;

    op->sent_bytes += sent - rc->sent_bytes;
    op->received_bytes += received - rc->received_bytes;
    rc->sent_bytes = sent;
    rc->received_bytes = received;
}

/* Moves a run's active calls on; true when something happened. */
static bool poll_calls(frd_engine *e, frd_run *run)
{
    frd_op *op = run->op;
    bool moved = false;

    for (uint32_t i = 0; i < run->plan->graph->ncalls && op->rc == FEDRDMA_OK; i++) {
        frd_run_call *rc = &run->calls[i];
        frd_story story = { .log = NULL };

        if (!rc->active)
            continue;
        const int state = frd_team_poll(op->channel->team, &rc->call, &story);
        if (state == FRD_TEAM_IDLE)
            continue;
        moved = op->moved = true;
        note_bytes(op, rc, state == FRD_TEAM_OVER);
        if (state < 0) {
            frd_op_fail(e, op, explain_call(op, &rc->call, state, &story), true);
        } else if (state == FRD_TEAM_OVER) {
            rc->active = false;
            run->polled--;
            count_call(e->stat, &rc->call, 1);
            finish_step(run, rc->step);
            frd_run_wake(e, run);
        }
    }
    return moved;
}

static int poll_all_calls(frd_engine *e)
{
    int events = 0;

    for (frd_run **at = &e->polled; *at != NULL;) {
        frd_run *const run = *at;

        events += poll_calls(e, run);
        if (run->polled == 0)
            *at = run->next_polled;
        else
            at = &run->next_polled;
    }
    return events;
}

/* Ends what is left of a failed run's calls; false while others may still store into its buffers. */
static bool leave_calls(frd_engine *e, frd_run *run)
{
    frd_team *const team = run->op->channel->team;
    bool left = true;

    for (uint32_t i = 0; i < run->plan->graph->ncalls; i++) {
        if (run->calls[i].call.ticket >= team->serving || run->calls[i].call.done)
            left = frd_team_leave(team, &run->calls[i].call) && left;
    }
    if (!left)
        return false;
    for (frd_run **at = &e->polled; *at != NULL; at = &(*at)->next_polled) {
        if (*at == run) {
            *at = run->next_polled;
            break;
        }
    }
    run->polled = 0;
    return true;
}

static void cancel_messages(frd_engine *e, frd_run *run)
{
    const frd_graph *g = run->plan->graph;

    run->canceled = true;
    for (uint32_t i = 0; i < g->nsends + g->nrecvs && run->inflight > 0; i++)
        if (run->msgs[i].active)
            frd_fabric_cancel(e->fabric, &run->msgs[i].msg);
}

static void unlink_op(frd_engine *e, frd_op *op)
{
    if (op->prev != NULL)
        op->prev->next = op->next;
    else
        e->active = op->next;
    if (op->next != NULL)
        op->next->prev = op->prev;
}

void frd_op_end(frd_engine *e, frd_op *op)
{
    unlink_op(e, op);
    op->end_ns = frd_now_ns();
    op->state = FRD_OP_ENDED;
    if (op->rc == FEDRDMA_OK) {
        e->stat->run_operations++;
    } else {
        e->stat->run_failed++;
        op->channel->shown = op->channel->shown || op->channel->broken != FEDRDMA_OK;
    }
    if (op->rc == FEDRDMA_OK && op->progress != NULL)
        op->progress(op->total_bytes, op->total_bytes, op->progress_arg);
}

/* Starts fragments up to the window. */
static void launch(frd_engine *e, frd_op *op)
{
    const frd_op_work *w = &op->work;

    while (op->rc == FEDRDMA_OK && op->live_frags < w->window && op->next_frag < op->nfrags) {
        const uint32_t frag = op->next_frag++;
        frd_run *run = frd_plan_take(frag < w->nfull ? w->full : w->tail);
        if (run == NULL) {
            frd_op_fail(e, op,
                        frd_fail(&op->channel->story, FEDRDMA_ERR_NOMEM,
                                 "%s: out of memory for a fragment; lower FEDRDMA_WINDOW", op->what),
                        true);
            return;
        }
        const size_t shift = frag * w->frag_bytes;
        run->op = op;
        run->frag = frag;
        run->base[FRD_SPACE_SEND] = (char *)(uintptr_t)w->send + shift;
        run->base[FRD_SPACE_RECV] = (char *)w->recv + shift;
        run->base[FRD_SPACE_TMP] = run->scratch;
        run->base[FRD_SPACE_ARG] = op->work.arg;
        take_tickets(run, op->channel);
        run->next = op->runs;
        run->prev = NULL;
        if (op->runs != NULL)
            op->runs->prev = run;
        op->runs = run;
        op->live_frags++;
        e->stat->run_fragments++;
        frd_run_wake(e, run);
    }
}

static void retire(frd_engine *e, frd_run *run)
{
    frd_op *op = run->op;

    if (run->prev != NULL)
        run->prev->next = run->next;
    else
        op->runs = run->next;
    if (run->next != NULL)
        run->next->prev = run->prev;
    op->live_frags--;
    frd_plan_give_back(run);
    launch(e, op);
    if (op->live_frags == 0 && !op->untold)
        frd_op_end(e, op);
}

/* Executes what is ready in a run; puts it back into the list when it had more local work than its share. */
static void advance(frd_engine *e, frd_run *run)
{
    const frd_graph *g = run->plan->graph;
    frd_op *op = run->op;
    size_t local_bytes = 0;

    while (op->rc == FEDRDMA_OK && run->head < run->tail && local_bytes < LOCAL_WORK_BYTES) {
        const uint32_t i = run->queue[run->head++];
        const frd_step *step = &g->steps[i];

        e->stat->run_steps++;
        if (step->kind == FRD_STEP_SEND || step->kind == FRD_STEP_RECV) {
            start_message(e, run, i);
        } else if (step->kind == FRD_STEP_NODE) {
            start_call(e, run, i);
        } else {
            frd_local_step(step, run->base, &op->work, e->stat);
            local_bytes += step->out.len;
            op->moved = true;
            finish_step(run, i);
        }
    }
    if (op->rc != FEDRDMA_OK && !run->canceled)
        cancel_messages(e, run);
    const bool left = op->rc == FEDRDMA_OK || g->ncalls == 0 || leave_calls(e, run);
    run->runnable = false;
    if (!left)
        frd_run_wake(e, run);
    else if (run->inflight == 0 && (run->left == 0 || op->rc != FEDRDMA_OK))
        retire(e, run);
    else if (op->rc == FEDRDMA_OK && run->head < run->tail)
        frd_run_wake(e, run);
}

void frd_op_fail(frd_engine *e, frd_op *op, int rc, bool tell)
{
    if (op->state != FRD_OP_ACTIVE || op->rc != FEDRDMA_OK)
        return;
    op->rc = rc;
    op->untold = tell;
    e->attention = true;
    for (frd_run *run = op->runs; run != NULL; run = run->next)
        frd_run_wake(e, run);
}

static uint64_t total_bytes(const frd_op_work *w)
{
    const frd_graph *full = w->full != NULL ? w->full->graph : NULL;
    const frd_graph *tail = w->tail != NULL ? w->tail->graph : NULL;
    uint64_t total = 0;

    if (full != NULL)
        total += w->nfull * (full->sent_bytes + full->received_bytes);
    if (tail != NULL)
        total += tail->sent_bytes + tail->received_bytes;
    return total;
}

int frd_op_start(frd_engine *e, frd_op *op)
{
    frd_channel *ch = op->channel;

    if (ch->broken != FEDRDMA_OK) {
        const int rc = ch->shown ? FEDRDMA_ERR_BROKEN : ch->broken; /* it broke between two calls */
        ch->shown = true;
        return rc;
    }
    const uint32_t calls = op->work.full->graph->ncalls;
    if (calls > 0 && frd_team_reserve(ch->team, calls * (size_t)(op->work.nfull + 1)) != FEDRDMA_OK)
        return frd_fail(&ch->story, FEDRDMA_ERR_NOMEM, "%s: out of memory", op->what);
    op->engine = e;
    op->state = FRD_OP_ACTIVE;
    op->rc = FEDRDMA_OK;
    op->seq = ch->next_seq++;
    op->next_frag = op->live_frags = 0;
    op->nfrags = op->work.nfull + (op->work.tail != NULL ? 1 : 0);
    op->runs = NULL;
    op->sent_bytes = op->received_bytes = 0;
    op->total_bytes = total_bytes(&op->work);
    op->start_ns = op->moved_ns = op->reported_ns = frd_now_ns();
    op->moved = op->untold = false;
    op->prev = NULL;
    op->next = e->active;
    if (e->active != NULL)
        e->active->prev = op;
    e->active = op;

    const int lost = e->nlost > 0 ? frd_channel_lost_rank(e, ch) : -1;
    if (frd_channel_take_canceled(ch, op->seq))
        frd_op_fail(e, op, FEDRDMA_ERR_CANCELED, false);
    else if (lost >= 0)
        frd_op_fail(e, op, frd_channel_blame(e, ch, op->what, lost, "starting with"), true);
    if (op->rc == FEDRDMA_OK)
        launch(e, op);
    else
        skip_tickets(op);
    if (op->live_frags == 0 && op->rc == FEDRDMA_OK)
        frd_op_end(e, op);
    return FEDRDMA_OK;
}

void frd_op_abort(frd_engine *e, frd_op *op, int rc)
{
    frd_op_fail(e, op, rc, true);
}

int frd_engine_progress(frd_engine *e)
{
    int events = frd_fabric_progress(e->fabric);
    events += poll_all_calls(e);
    frd_run *last = e->runnable_tail;

    if (e->attention) {
        frd_engine_attend(e);
        last = e->runnable_tail;
    }
    /* One pass over what is in the list now: runs that go back into it wait for the next call. */
    for (bool more = last != NULL; more;) {
        frd_run *run = e->runnable_head;
        more = run != last;
        e->runnable_head = run->next_runnable;
        if (e->runnable_head == NULL)
            e->runnable_tail = NULL;
        advance(e, run);
        events++;
    }
    if (events == 0 || ++e->calls % BUSY_CALLS_PER_TICK == 0)
        frd_engine_tick(e, frd_now_ns());
    return events;
}
