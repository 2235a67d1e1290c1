/* SPDX-License-Identifier: BSD-3-Clause
 * world.c - runs all ranks' graphs in one random legal order.
 *
 * What may happen next is a list of events: a rank starts, or a step whose dependencies have ended takes
 * effect. A receive joins the list when it is ready and its send has started. One event is picked at a time,
 * so the only memory order is that of the list. */
#include "tests/adversary/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"

#define START UINT32_MAX /* as step of an event: the rank starts */

typedef struct event {
    int rank;
    uint32_t step;
} event;

/* Which event is picked. */
enum policy { UNIFORM, NEWEST, OLDEST, BY_RANK, LATE_RANK, NPOLICIES };

enum step_state { WAITING, READY, STARTED, DONE };

typedef struct step {
    uint32_t deps;
    int state;
    unsigned char *snapshot; /* eager send: its bytes */
} step;

typedef struct progress {
    step *steps;
    uint32_t left; /* steps not done */
    bool started;
    int priority; /* BY_RANK: lowest first */
} progress;

typedef struct run {
    const adv_world *w;
    adv_rng rng;
    progress *ranks;
    event *events;
    size_t nevents;
    int policy, late_percent;
    int held; /* rank that starts only when nothing else can happen, or -1 */
    char *story;
    bool failed;
} run;

static const frd_step *step_of(const run *u, event e)
{
    return &u->w->ranks[e.rank].graph->steps[e.step];
}

static step *state_of(const run *u, event e)
{
    return &u->ranks[e.rank].steps[e.step];
}

static unsigned char *bytes_at(const run *u, int rank, frd_ref ref)
{
    return u->w->ranks[rank].space[ref.space].bytes + ref.off;
}

static event partner_of(const run *u, event e)
{
    return (event){ step_of(u, e)->peer, u->w->ranks[e.rank].partner[e.step] };
}

static void push(run *u, event e)
{
    u->events[u->nevents++] = e;
}

static void poison(run *u, int rank, frd_ref ref)
{
    unsigned char *bytes = bytes_at(u, rank, ref);
    const unsigned char garbage = (unsigned char)adv_random(&u->rng);

    memset(bytes, garbage, ref.len);
}

static bool same(frd_ref a, frd_ref b)
{
    return a.len > 0 && b.len > 0 && a.space == b.space && a.off == b.off;
}

/* A step's dependencies have ended: from now on its output may hold anything. */
static void make_ready(run *u, event e)
{
    const frd_step *s = step_of(u, e);
    step *state = state_of(u, e);

    state->state = READY;
    if (s->kind != FRD_STEP_SEND && s->kind != FRD_STEP_USER && !same(s->out, s->a) && !same(s->out, s->b))
        poison(u, e.rank, s->out);
    if (s->kind == FRD_STEP_RECV && state_of(u, partner_of(u, e))->state != STARTED &&
        state_of(u, partner_of(u, e))->state != DONE)
        return; /* its send will push it */
    push(u, e);
}

static void check_barrier(run *u, int ended)
{
    for (int r = 0; u->w->barrier && r < u->w->size; r++)
        if (u->w->ranks[r].graph != NULL && !u->ranks[r].started && !u->failed) {
            snprintf(u->story, ADV_STORY_MAX, "rank %d left the barrier before rank %d came", ended, r);
            u->failed = true;
        }
}

static void complete(run *u, event e)
{
    const frd_graph *g = u->w->ranks[e.rank].graph;
    const frd_step *s = step_of(u, e);

    state_of(u, e)->state = DONE;
    for (uint32_t i = 0; i < s->nnext; i++) {
        const event next = { e.rank, g->next[s->first_next + i] };

        if (--state_of(u, next)->deps == 0)
            make_ready(u, next);
    }
    if (--u->ranks[e.rank].left == 0)
        check_barrier(u, e.rank);
}

static void start_rank(run *u, int r)
{
    const frd_graph *g = u->w->ranks[r].graph;

    u->ranks[r].started = true;
    for (uint32_t i = 0; i < g->nroots; i++)
        make_ready(u, (event){ r, g->roots[i] });
    if (g->nsteps == 0)
        check_barrier(u, r);
}

static void run_send(run *u, event e)
{
    const frd_step *s = step_of(u, e);
    step *state = state_of(u, e);
    const event to = partner_of(u, e);
    const bool late = adv_below(&u->rng, 100) < u->late_percent;

    if (!late && (state->snapshot = malloc(s->a.len)) != NULL)
        memcpy(state->snapshot, bytes_at(u, e.rank, s->a), s->a.len);
    state->state = STARTED;
    if (state_of(u, to)->state == READY)
        push(u, to);
    if (state->snapshot != NULL)
        complete(u, e);
}

static void run_recv(run *u, event e)
{
    const frd_step *s = step_of(u, e);
    const event from = partner_of(u, e);
    step *sent = state_of(u, from);

    if (sent->snapshot != NULL) {
        memcpy(bytes_at(u, e.rank, s->out), sent->snapshot, s->out.len);
        complete(u, e);
    } else {
        memcpy(bytes_at(u, e.rank, s->out), bytes_at(u, from.rank, step_of(u, from)->a), s->out.len);
        complete(u, e);
        complete(u, from);
    }
}

static void run_scale(run *u, int rank, const frd_step *s)
{
    const int how = s->how == FRD_SCALE_BY_REF ? FRD_SCALE_MUL : FRD_SCALE_DIV;
    frd_scale_fn *scale = frd_scale_kernel(s->out.type, how);
    double factor = s->count;

    if (s->how != FRD_SCALE_OVER_COUNT)
        memcpy(&factor, bytes_at(u, rank, s->b), sizeof factor);
    if (scale != NULL)
        scale(bytes_at(u, rank, s->out), bytes_at(u, rank, s->a), factor,
              s->out.len / frd_type_size(s->out.type));
}

static void run_local(run *u, event e)
{
    const frd_step *s = step_of(u, e);
    unsigned char *out = bytes_at(u, e.rank, s->out), *a = bytes_at(u, e.rank, s->a);
    frd_reduce_fn *reduce;

    if (s->kind == FRD_STEP_COPY) {
        memmove(out, a, s->out.len);
    } else if (s->kind == FRD_STEP_USER) {
        u->w->user(a, out, s->out.len / frd_type_size(s->out.type));
    } else if (s->kind == FRD_STEP_SCALE) {
        run_scale(u, e.rank, s);
    } else {
        reduce = frd_reduce_kernel(s->out.type, s->op);
        if (reduce != NULL)
            reduce(out, a, bytes_at(u, e.rank, s->b), s->out.len / frd_type_size(s->out.type));
    }
    complete(u, e);
}

static size_t lowest_rank(const run *u)
{
    size_t best = 0;

    for (size_t i = 1; i < u->nevents; i++)
        if (u->ranks[u->events[i].rank].priority < u->ranks[u->events[best].rank].priority)
            best = i;
    return best;
}

static event pick(run *u)
{
    const bool stray = adv_below(&u->rng, 8) == 0; /* no policy is followed to the letter */
    size_t i = (size_t)adv_below(&u->rng, (int)u->nevents);
    event e;

    if (u->policy == NEWEST && !stray)
        i = u->nevents - 1;
    else if (u->policy == OLDEST && !stray)
        i = 0;
    else if (u->policy == BY_RANK && !stray)
        i = lowest_rank(u);
    e = u->events[i];
    memmove(&u->events[i], &u->events[i + 1], (--u->nevents - i) * sizeof e);
    return e;
}

static bool next_event(run *u, event *e)
{
    if (u->nevents == 0 && u->held >= 0) {
        push(u, (event){ u->held, START });
        u->held = -1;
    }
    if (u->nevents == 0)
        return false;
    *e = pick(u);
    return true;
}

static void run_event(run *u, event e)
{
    if (e.step == START)
        start_rank(u, e.rank);
    else if (step_of(u, e)->kind == FRD_STEP_SEND)
        run_send(u, e);
    else if (step_of(u, e)->kind == FRD_STEP_RECV)
        run_recv(u, e);
    else
        run_local(u, e);
}

static const char *const kinds[FRD_NSTEPKINDS] = { "send", "recv", "copy", "reduce", "user", "scale" };
static const char *const states[] = { "waits", "is ready", "has started" };

/* Names the steps that are not done, as many as there is room for. */
static void tell_stuck(run *u)
{
    size_t used = (size_t)snprintf(u->story, ADV_STORY_MAX, "deadlock:");

    for (int r = 0; r < u->w->size; r++)
        for (uint32_t i = 0; u->w->ranks[r].graph != NULL && i < u->w->ranks[r].graph->nsteps; i++) {
            const frd_step *s = step_of(u, (event){ r, i });
            const step *state = state_of(u, (event){ r, i });
            char peer[16] = "";

            if (state->state == DONE || state->state == WAITING || used + 80 > ADV_STORY_MAX)
                continue;
            if (s->kind == FRD_STEP_SEND || s->kind == FRD_STEP_RECV)
                snprintf(peer, sizeof peer, " %d", s->peer);
            used += (size_t)snprintf(u->story + used, ADV_STORY_MAX - used, " rank %d step %u %s%s %s;", r, i,
                                     kinds[s->kind], peer, states[state->state]);
        }
    u->failed = true;
}

static void check_end(run *u)
{
    for (int r = 0; r < u->w->size && !u->failed; r++) {
        if (u->w->ranks[r].graph != NULL && u->ranks[r].left > 0)
            tell_stuck(u);
        for (int space = 0; space < FRD_NSPACES && !u->failed; space++)
            if (!adv_buffer_intact(&u->w->ranks[r].space[space])) {
                snprintf(u->story, ADV_STORY_MAX, "rank %d wrote outside of a buffer (space %d)", r, space);
                u->failed = true;
            }
    }
}

/* Memory for the run and the first events; false when out of memory. */
static bool prepare(run *u)
{
    size_t events = 0;

    u->ranks = calloc((size_t)u->w->size, sizeof *u->ranks);
    for (int r = 0; u->ranks != NULL && r < u->w->size; r++) {
        const frd_graph *g = u->w->ranks[r].graph;

        if (g == NULL)
            continue;
        u->ranks[r].left = g->nsteps;
        u->ranks[r].priority = adv_below(&u->rng, 1 << 20);
        u->ranks[r].steps = calloc((size_t)g->nsteps + 1, sizeof(step));
        if (u->ranks[r].steps == NULL)
            return false;
        for (uint32_t i = 0; i < g->nsteps; i++)
            u->ranks[r].steps[i].deps = g->steps[i].ndeps;
        events += (size_t)g->nsteps + 1;
    }
    u->events = calloc(events + 1, sizeof *u->events);
    return u->ranks != NULL && u->events != NULL;
}

static void first_events(run *u)
{
    const int skip = u->policy == LATE_RANK ? adv_below(&u->rng, u->w->size) : -1;

    for (int r = 0; r < u->w->size; r++) {
        if (u->w->ranks[r].graph == NULL)
            continue;
        if (r == skip)
            u->held = r;
        else
            push(u, (event){ r, START });
    }
}

static void release(run *u)
{
    for (int r = 0; u->ranks != NULL && r < u->w->size; r++) {
        for (uint32_t i = 0; u->ranks[r].steps != NULL && i < u->w->ranks[r].graph->nsteps; i++)
            free(u->ranks[r].steps[i].snapshot);
        free(u->ranks[r].steps);
    }
    free(u->ranks);
    free(u->events);
}

bool adv_world_run(const adv_world *w, uint64_t seed, char story[ADV_STORY_MAX])
{
    static const int percents[] = { 0, 50, 100, 100 }; /* late sends are the hard ones */
    run u = { .w = w, .rng = { seed }, .held = -1, .story = story };
    event e;

    u.policy = adv_below(&u.rng, NPOLICIES);
    u.late_percent = percents[adv_below(&u.rng, 4)];
    if (prepare(&u)) {
        first_events(&u);
        while (!u.failed && next_event(&u, &e))
            run_event(&u, e);
        check_end(&u);
    } else {
        snprintf(story, ADV_STORY_MAX, "no memory");
        u.failed = true;
    }
    release(&u);
    return !u.failed;
}
