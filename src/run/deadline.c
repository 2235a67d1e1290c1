/* SPDX-License-Identifier: BSD-3-Clause
 *
 * deadline.c - no operation waits for ever: each has a deadline that its progress pushes forward, and perhaps
 * a fixed one. Looked at about every millisecond, O(active operations). */
#include <stdio.h>

#include "base/clock.h"
#include "run/engine_impl.h"

#define TICK_NS (1 * FRD_NS_PER_MS)
#define REPORT_NS (50 * FRD_NS_PER_MS) /* between two calls of a progress callback */
#define NAMED_MAX 8 /* ranks named in a story */

/* "meeting rank 3, 5 in shared memory". */
static size_t describe_calls(const frd_op *op, char *text, size_t size)
{
    const frd_team *const team = op->channel->team;
    size_t used = 0;

    for (const frd_run *run = op->runs; run != NULL; run = run->next) {
        for (uint32_t i = 0; i < run->plan->graph->ncalls; i++) {
            for (int m = 0, named = 0; run->calls[i].active && m < team->size && named < NAMED_MAX; m++) {
                if (!frd_team_waits_for(team, &run->calls[i].call, m))
                    continue;
                const int n = snprintf(text + used, size - used, "%s %d", used > 0 ? "," : "meeting rank", m);
                used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
                named++;
            }
        }
    }
    return used;
}

/* "receiving from ranks 3, 5; sending to rank 2": what an operation is waiting for. */
static void describe_waits(const frd_op *op, char *text, size_t size)
{
    const char *const verbs[2] = { "receiving from rank", "sending to rank" };
    const int kinds[2] = { FRD_STEP_RECV, FRD_STEP_SEND };
    size_t used = 0;

    text[0] = '\0';
    for (int k = 0; k < 2; k++) {
        int named[NAMED_MAX], nnamed = 0;
        for (const frd_run *run = op->runs; run != NULL; run = run->next) {
            const frd_graph *g = run->plan->graph;
            for (uint32_t i = 0; i < g->nsends + g->nrecvs && nnamed < NAMED_MAX; i++) {
                const frd_run_msg *rm = &run->msgs[i];
                if (!rm->active || g->steps[rm->step].kind != kinds[k])
                    continue;
                const int peer = g->steps[rm->step].peer;
                int at = 0;
                while (at < nnamed && named[at] != peer)
                    at++;
                if (at < nnamed)
                    continue;
                named[nnamed++] = peer;
                const int n = snprintf(text + used, size - used, "%s%s %d",
                                       nnamed > 1 ? "," : (used > 0 ? "; " : ""),
                                       nnamed > 1 ? "" : verbs[k], peer);
                used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
            }
        }
    }
    if (used == 0)
        used = describe_calls(op, text, size);
    if (used == 0)
        snprintf(text, size, "local work");
}

static void fail_late(frd_engine *e, frd_op *op, const char *limit, uint64_t ns)
{
    char waits[256];

    describe_waits(op, waits, sizeof(waits));
    frd_op_fail(e, op,
                frd_fail(&op->channel->story, FEDRDMA_ERR_TIMEOUT,
                         "%s: %s of %.3g s passed while %s; is that rank alive and in the same call? "
                         "Otherwise allow more time",
                         op->what, limit, (double)ns / (double)FRD_NS_PER_S, waits),
                true);
}

void frd_engine_tick(frd_engine *e, uint64_t now)
{
    if (now < e->next_tick_ns)
        return;
    e->next_tick_ns = now + TICK_NS;
    for (frd_op *op = e->active; op != NULL; op = op->next) {
        if (op->moved) {
            op->moved = false;
            op->moved_ns = now;
        }
        if (op->rc != FEDRDMA_OK)
            continue;
        if (op->deadline_ns > 0 && now - op->start_ns >= op->deadline_ns)
            fail_late(e, op, "the call's deadline", op->deadline_ns);
        else if (now - op->moved_ns >= op->timeout_ns)
            fail_late(e, op, "FEDRDMA_TIMEOUT", op->timeout_ns);
        else if (op->progress != NULL && now - op->reported_ns >= REPORT_NS) {
            op->reported_ns = now;
            op->progress(op->sent_bytes + op->received_bytes, op->total_bytes, op->progress_arg);
        }
    }
}

void frd_engine_enter(frd_engine *e, uint64_t now)
{
    if (e->drivers++ > 0)
        return;
    for (frd_op *op = e->active; op != NULL; op = op->next) {
        const uint64_t since = op->moved_ns > e->left_ns ? op->moved_ns : e->left_ns;
        if (now > since)
            op->moved_ns += now - since;
    }
}

void frd_engine_leave(frd_engine *e, uint64_t now)
{
    if (--e->drivers == 0)
        e->left_ns = now;
}

static uint64_t later(uint64_t at, uint64_t by)
{
    return by > UINT64_MAX - at ? UINT64_MAX : at + by;
}

uint64_t frd_engine_deadline(const frd_engine *e)
{
    uint64_t nearest = UINT64_MAX;

    for (const frd_op *op = e->active; op != NULL; op = op->next) {
        /* a failed operation only winds up: the transports bound that, we look again every tick */
        uint64_t at = op->rc != FEDRDMA_OK ? e->next_tick_ns : later(op->moved_ns, op->timeout_ns);
        if (op->deadline_ns > 0 && later(op->start_ns, op->deadline_ns) < at)
            at = later(op->start_ns, op->deadline_ns);
        if (op->progress != NULL && op->reported_ns + REPORT_NS < at)
            at = op->reported_ns + REPORT_NS;
        if (at < nearest)
            nearest = at;
    }
    return nearest;
}
