/* SPDX-License-Identifier: BSD-3-Clause
 * sim.c - runs all ranks' schedules in virtual time. A rank is as the engine makes it: a window of fragments, each
 * with counters of what its steps wait for; what is ready is done in turn. */
#include "sim/sim_impl.h"

#include <string.h>

#include "base/mem.h"

enum { EAGER_BYTES = 8192, PROGRESS_EVENTS = 1 << 16 };

const frd_sim_costs frd_sim_costs_default = {
    .step_ns = 100,
    .copy_rate = 12e9,
    .reduce_rate = 9e9,
    .message_ns = 600,
    .node_ns = 400,
    .node_rate = 8e9,
    .fabric_ns = 15000,
    .fabric_rate = 1.1e9,
    .wan_ns = 60000,
    .gateway_rate = 0.6e9,
    .wan_share = 0.957,
    .call_ns = 150,
    .call_rate = 12e9,
    .notice_ns = 1.5e9,
};

/* A fragment in flight at a rank. */
typedef struct run {
    struct run *next;
    uint32_t frag, left;
    uint32_t waits[]; /* by step */
} run;

typedef struct rank {
    frd_sim_program program[2]; /* of a full fragment, and of the rest */
    run *live, *idle;
    uint32_t next_frag, lives;
    double busy_ns; /* until then */
    uint64_t scratch, early, scratch_most, early_most;
} rank;

/* A collective of a node's ranks, which goes on when the last has come. */
typedef struct node_call {
    int came;
    double last_ns;
} node_call;

typedef struct sim {
    const frd_sim_world *w;
    frd_sim_result *result;
    rank *ranks;
    frd_sim_net net;
    frd_sim_queue queue;
    frd_sim_pairs pairs;
    node_call *calls;
    uint32_t *call_steps; /* [call * ranks + rank] */
    uint32_t frags, full, window;
    uint64_t left; /* fragments, of all ranks */
    double now_ns, end_ns;
    bool nomem;
} sim;

static const frd_sim_program *program_of(const sim *s, int r, uint32_t frag)
{
    return &s->ranks[r].program[frag < s->full ? 0 : 1];
}

static const frd_step *step_of(const sim *s, int r, uint32_t frag, uint32_t step)
{
    return &program_of(s, r, frag)->graph->steps[step];
}

static void push(sim *s, const frd_sim_event *e)
{
    if (!frd_sim_push(&s->queue, e))
        s->nomem = true;
}

static void done_at(sim *s, double at_ns, int r, uint32_t frag, uint32_t step)
{
    push(s, &(frd_sim_event){ .at_ns = at_ns, .kind = FRD_SIM_DONE, .rank = r, .frag = frag, .step = step });
}

/* The rank works for so long, after what it has begun. Returns when it is done. */
static double work(sim *s, int r, double from_ns, double ns)
{
    rank *const k = &s->ranks[r];

    k->busy_ns = (k->busy_ns > from_ns ? k->busy_ns : from_ns) + ns;
    return k->busy_ns;
}

static double local_ns(const frd_sim_costs *costs, const frd_step *step)
{
    const double rate = step->kind == FRD_STEP_COPY ? costs->copy_rate : costs->reduce_rate;

    return costs->step_ns + (double)step->out.len * 1e9 / rate;
}

static double end_ns(const sim *s, int a, int b, size_t bytes)
{
    const frd_sim_costs *const costs = s->w->costs;

    return costs->message_ns + (s->w->node[a] == s->w->node[b] ? (double)bytes * 1e9 / costs->node_rate : 0);
}

/* Both halves are there: the message is received; small ones were over for the sender long ago. */
static void received(sim *s, int r, uint32_t frag, uint32_t step)
{
    const frd_step *const t = step_of(s, r, frag, step);

    done_at(s, s->now_ns, r, frag, step);
    if (t->out.len > EAGER_BYTES)
        done_at(s, s->now_ns + frd_sim_net_back(&s->net, t->peer, r), t->peer, frag,
                program_of(s, r, frag)->partner[step]);
}

static void send(sim *s, int r, uint32_t frag, uint32_t step)
{
    const frd_step *const t = step_of(s, r, frag, step);
    const double begun = s->ranks[r].busy_ns > s->now_ns ? s->ranks[r].busy_ns : s->now_ns;
    const double away = work(s, r, s->now_ns, end_ns(s, r, t->peer, t->a.len));
    const bool near = s->w->node[r] == s->w->node[t->peer];
    frd_sim_event e = { .rank = t->peer, .frag = frag, .step = program_of(s, r, frag)->partner[step] };

    s->result->messages++;
    frd_sim_net_send(&s->net, r, near ? begun : away, t->a.len, &e);
    e.last_ns = near ? away : e.last_ns;
    push(s, &e);
    if (t->a.len <= EAGER_BYTES)
        done_at(s, away, r, frag, step);
}

/* A collective of all ranks as one step: the schedules of all have the same ones. */
static void join(sim *s, int r, uint32_t frag, const frd_step *t, uint32_t step)
{
    const frd_node_call *const call = &program_of(s, r, frag)->graph->calls[t->msg];
    node_call *const c = &s->calls[t->msg];
    const double came = work(s, r, s->now_ns, s->w->costs->step_ns);

    c->last_ns = came > c->last_ns ? came : c->last_ns;
    s->call_steps[(size_t)t->msg * (size_t)s->w->ranks + (size_t)r] = step;
    if (++c->came < s->w->ranks)
        return;
    for (int i = 0; i < s->w->ranks; i++)
        done_at(s, c->last_ns + s->w->costs->call_ns + (double)call->len * 1e9 / s->w->costs->call_rate, i, frag,
                s->call_steps[(size_t)t->msg * (size_t)s->w->ranks + (size_t)i]);
}

static void begin(sim *s, int r, uint32_t frag, uint32_t step)
{
    const frd_step *const t = step_of(s, r, frag, step);

    if (t->kind == FRD_STEP_SEND) {
        send(s, r, frag, step);
    } else if (t->kind == FRD_STEP_NODE) {
        join(s, r, frag, t, step);
    } else if (t->kind != FRD_STEP_RECV) {
        done_at(s, work(s, r, s->now_ns, local_ns(s->w->costs, t)), r, frag, step);
    } else if (frd_sim_meet(&s->pairs, r, frag, step, &s->nomem)) {
        s->ranks[r].early -= t->out.len;
        received(s, r, frag, step);
    }
}

static void end_run(sim *s, int r, run **at)
{
    rank *const k = &s->ranks[r];
    run *const ended = *at;

    *at = ended->next;
    k->scratch -= program_of(s, r, ended->frag)->graph->tmp_bytes;
    k->lives--;
    s->left--;
    s->end_ns = s->now_ns > s->end_ns ? s->now_ns : s->end_ns;
    ended->next = k->idle;
    k->idle = ended;
}

static run *take_run(rank *k)
{
    const uint32_t a = k->program[0].graph->nsteps,
                   b = k->program[1].graph != NULL ? k->program[1].graph->nsteps : 0;
    run *u = k->idle;

    if (u != NULL)
        k->idle = u->next;
    else
        u = frd_calloc(1, sizeof(*u) + (a > b ? a : b) * sizeof(u->waits[0]));
    return u;
}

/* As many fragments as the window takes. */
static void start_runs(sim *s, int r)
{
    rank *const k = &s->ranks[r];

    while (k->lives < s->window && k->next_frag < s->frags && !s->nomem) {
        const uint32_t frag = k->next_frag++;
        const frd_graph *const g = program_of(s, r, frag)->graph;
        run *const u = take_run(k);

        if (u == NULL) {
            s->nomem = true;
            return;
        }
        u->frag = frag;
        u->left = g->nsteps;
        for (uint32_t i = 0; i < g->nsteps; i++)
            u->waits[i] = g->steps[i].ndeps;
        u->next = k->live;
        k->live = u;
        k->lives++;
        k->scratch += g->tmp_bytes;
        k->scratch_most = k->scratch > k->scratch_most ? k->scratch : k->scratch_most;
        if (g->nsteps == 0)
            end_run(s, r, &k->live);
        for (uint32_t i = 0; i < g->nroots; i++)
            begin(s, r, frag, g->roots[i]);
    }
}

static void done(sim *s, const frd_sim_event *e)
{
    const int r = e->rank;
    const frd_graph *const g = program_of(s, r, e->frag)->graph;
    const frd_step *const t = &g->steps[e->step];
    run **at = &s->ranks[r].live;

    while (*at != NULL && (*at)->frag != e->frag)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    run *const u = *at;
    for (uint32_t i = 0; i < t->nnext; i++) {
        const uint32_t next = g->next[t->first_next + i];

        if (--u->waits[next] == 0)
            begin(s, r, e->frag, next);
    }
    if (--u->left > 0)
        return;
    end_run(s, r, at);
    start_runs(s, r);
}

/* Its last byte is there, and the receiver turns to it. */
static void deliver(sim *s, const frd_sim_event *e)
{
    rank *const k = &s->ranks[e->rank];
    const frd_step *const t = step_of(s, e->rank, e->frag, e->step);
    const double taken = work(s, e->rank, e->at_ns, end_ns(s, t->peer, e->rank, t->out.len));

    s->now_ns = taken > e->last_ns ? taken : e->last_ns;
    if (frd_sim_meet(&s->pairs, e->rank, e->frag, e->step, &s->nomem)) {
        received(s, e->rank, e->frag, e->step);
        return;
    }
    k->early += t->out.len;
    k->early_most = k->early > k->early_most ? k->early : k->early_most;
}

static void run_event(sim *s, frd_sim_event *e)
{
    s->now_ns = e->at_ns;
    switch (e->kind) {
    case FRD_SIM_DONE:
        done(s, e);
        break;
    case FRD_SIM_DELIVER:
        deliver(s, e);
        break;
    default:
        frd_sim_net_pass(&s->net, step_of(s, e->rank, e->frag, e->step)->out.len, e);
        push(s, e);
        break;
    }
}

static int run_all(sim *s, frd_story *story)
{
    const uint64_t all = s->left;
    frd_sim_event e;

    for (int r = 0; r < s->w->ranks; r++)
        start_runs(s, r);
    while (!s->nomem && frd_sim_pop(&s->queue, &e)) {
        run_event(s, &e);
        if (++s->result->events % PROGRESS_EVENTS == 0 && s->w->progress != NULL)
            s->w->progress((double)(all - s->left) / (double)all, s->w->arg);
    }
    if (s->nomem)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for %zu events at once", s->queue.count);
    if (s->left > 0)
        return frd_fail(story, FEDRDMA_ERR_INTERNAL, "the schedules wait for each other: %llu of %llu fragments left",
                        (unsigned long long)s->left, (unsigned long long)all);
    if (s->w->progress != NULL)
        s->w->progress(1, s->w->arg);
    return FEDRDMA_OK;
}

/* ---- */

static int record(sim *s, const frd_algo *algo, const frd_call *call, const frd_cut *cut, frd_story *story)
{
    const size_t len[2] = { cut->slice, cut->rest };

    for (int i = 0; i < (cut->rest > 0 ? 2 : 1); i++) {
        frd_sim_program *const program = frd_calloc((size_t)s->w->ranks, sizeof(*program));
        const int rc = program == NULL ? frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for %d ranks", s->w->ranks)
                                       : frd_sim_programs(s->w, algo, call, len[i], story, program);

        for (int r = 0; program != NULL && r < s->w->ranks; r++)
            s->ranks[r].program[i] = program[r];
        frd_free(program);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    return FEDRDMA_OK;
}

static int cut_call(sim *s, const frd_algo *algo, const frd_call *call, frd_cut *cut, frd_story *story)
{
    frd_levels *levels;
    frd_group group;
    int *peer, rc = frd_sim_group(s->w, &group, &levels, &peer);

    if (rc == FEDRDMA_OK)
        *cut = frd_coll_cut(algo, call, &group, s->w->fragment, s->w->window);
    else
        rc = frd_fail(story, rc, "no memory for %d ranks", s->w->ranks);
    frd_free(levels);
    frd_free(peer);
    return rc;
}

static int prepare(sim *s, const frd_algo *algo, const frd_call *call, frd_story *story)
{
    frd_cut cut = { .full = 0 };
    int rc = frd_sim_net_create(s->w, story, &s->net);

    if (rc == FEDRDMA_OK)
        rc = cut_call(s, algo, call, &cut, story);
    if (rc != FEDRDMA_OK)
        return rc;
    if (cut.full >= UINT32_MAX - 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "more than 2^32 fragments");
    s->full = (uint32_t)cut.full;
    s->frags = s->full + (cut.rest > 0);
    s->window = cut.window < UINT32_MAX ? (uint32_t)cut.window : UINT32_MAX;
    s->left = (uint64_t)s->frags * (uint64_t)s->w->ranks;
    rc = record(s, algo, call, &cut, story);
    if (rc != FEDRDMA_OK)
        return rc;
    const uint32_t calls = s->ranks[0].program[0].graph->ncalls;

    s->calls = frd_calloc(calls + (size_t)1, sizeof(*s->calls));
    s->call_steps = frd_calloc((size_t)calls * (size_t)s->w->ranks + 1, sizeof(*s->call_steps));
    s->net.link_bytes = s->result->link_bytes;
    return s->calls != NULL && s->call_steps != NULL ? FEDRDMA_OK
                                                     : frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for calls");
}

static void free_runs(run *u)
{
    while (u != NULL) {
        run *const next = u->next;

        frd_free(u);
        u = next;
    }
}

static void end(sim *s)
{
    for (int r = 0; s->ranks != NULL && r < s->w->ranks; r++) {
        rank *const k = &s->ranks[r];

        if (k->scratch_most > s->result->scratch_bytes)
            s->result->scratch_bytes = k->scratch_most;
        if (k->early_most > s->result->early_bytes)
            s->result->early_bytes = k->early_most;
        free_runs(k->live);
        free_runs(k->idle);
        for (int i = 0; i < 2; i++) {
            frd_graph_destroy(k->program[i].graph);
            frd_free(k->program[i].partner);
        }
    }
    frd_free(s->ranks);
    frd_free(s->queue.heap);
    frd_free(s->pairs.at);
    frd_free(s->calls);
    frd_free(s->call_steps);
    frd_sim_net_free(&s->net);
}

int frd_sim_run(const frd_sim_world *world, const frd_algo *algo, const frd_call *call, frd_story *story,
                frd_sim_result *result)
{
    sim s = { .w = world, .result = result };
    uint64_t *const link_bytes = result->link_bytes;
    int rc;

    *result = (frd_sim_result){ .link_bytes = link_bytes };
    if (world->ranks < 1 || world->silos < 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "%d ranks in %d silos: at least one", world->ranks, world->silos);
    if (link_bytes != NULL)
        memset(link_bytes, 0, (size_t)world->silos * (size_t)world->silos * sizeof(*link_bytes));
    s.ranks = frd_calloc((size_t)world->ranks, sizeof(*s.ranks));
    rc = s.ranks == NULL ? frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for %d ranks", world->ranks)
                         : prepare(&s, algo, call, story);
    if (rc == FEDRDMA_OK)
        rc = run_all(&s, story);
    result->seconds = s.end_ns / 1e9;
    result->fragments = s.frags;
    end(&s);
    return rc;
}
