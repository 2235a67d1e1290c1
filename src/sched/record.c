/* SPDX-License-Identifier: BSD-3-Clause
 *
 * record.c - the recorder: straight-line program to dependency graph.
 *
 * Every verb appends one step (a user operator up to three) and asks the trackers which earlier steps it must
 * wait for. Edges are kept as (earlier, later) pairs and turned into one successor array at commit. Recording
 * costs some 100 ns a step; a graph is cached by its user, so this is not the hot path. */
#include "sched/sched.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "reduce/reduce.h"
#include "sched/track.h"

#define TMP_ALIGN 64

struct edge {
    uint32_t earlier, later;
};

struct frd_sched {
    frd_sched_params params;
    int op;
    int rc; /* sticky */
    frd_story story;

    frd_step *steps;
    size_t nsteps, steps_cap;
    struct edge *edges;
    size_t nedges, edges_cap;
    uint32_t *seen; /* seen[e] == later + 1: the edge (e, later) exists; as long as steps */
    uint32_t *sends, *recvs; /* messages so far, by peer */
    frd_node_call *calls;
    size_t ncalls;
    size_t tmp_bytes;
    size_t extent[FRD_NSPACES];
    frd_track track[FRD_NSPACES];
};

static void fail(frd_sched *s, int rc, const char *what)
{
    if (s->rc == FEDRDMA_OK)
        s->rc = frd_fail(&s->story, rc, "schedule, step %zu: %s", s->nsteps, what);
}

void frd_refuse(frd_sched *s, const char *why)
{
    fail(s, FEDRDMA_ERR_INTERNAL, why);
}

bool frd_commutative(const frd_sched *s)
{
    const bool builtin = s->op >= FEDRDMA_SUM && s->op <= FEDRDMA_LXOR;
    return builtin || s->params.commutative;
}

int frd_sched_create(const frd_sched_params *params, frd_sched **out)
{
    frd_sched *s = frd_calloc(1, sizeof(*s));

    if (s == NULL)
        return FEDRDMA_ERR_NOMEM;
    s->params = *params;
    s->op = params->op;
    s->sends = frd_calloc((size_t)params->size, sizeof(*s->sends));
    s->recvs = frd_calloc((size_t)params->size, sizeof(*s->recvs));
    if (s->sends == NULL || s->recvs == NULL) {
        frd_sched_destroy(s);
        return FEDRDMA_ERR_NOMEM;
    }
    *out = s;
    return FEDRDMA_OK;
}

void frd_sched_destroy(frd_sched *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < FRD_NSPACES; i++)
        frd_track_free(&s->track[i]);
    frd_free(s->steps);
    frd_free(s->edges);
    frd_free(s->seen);
    frd_free(s->sends);
    frd_free(s->recvs);
    frd_free(s->calls);
    frd_free(s);
}

void frd_sched_set_op(frd_sched *s, int op)
{
    s->op = op;
}

frd_ref frd_tmp_typed(frd_sched *s, size_t bytes, int type)
{
    const frd_ref r = { s->tmp_bytes, bytes, FRD_SPACE_TMP, (uint16_t)type };
    size_t end;

    if (bytes > SIZE_MAX - 2 * TMP_ALIGN ||
        frd_add_overflows(s->tmp_bytes, frd_round_up(bytes, TMP_ALIGN), &end))
        fail(s, FEDRDMA_ERR_NOMEM, "scratch does not fit the address space");
    else
        s->tmp_bytes = end;
    return r;
}

frd_ref frd_tmp(frd_sched *s, size_t bytes)
{
    return frd_tmp_typed(s, bytes, s->params.type);
}

static void depend(void *arg, uint32_t earlier)
{
    frd_sched *s = arg;
    const uint32_t later = (uint32_t)s->nsteps;

    if (earlier == later || s->seen[earlier] == later + 1)
        return;
    if (s->nedges == s->edges_cap) {
        size_t cap = s->edges_cap == 0 ? 64 : s->edges_cap * 2;
        struct edge *edges = frd_realloc(s->edges, cap * sizeof(*edges));
        if (edges == NULL) {
            fail(s, FEDRDMA_ERR_NOMEM, "out of memory");
            return;
        }
        s->edges = edges;
        s->edges_cap = cap;
    }
    s->seen[earlier] = later + 1;
    s->edges[s->nedges++] = (struct edge){ earlier, later };
    s->steps[earlier].nnext++;
    s->steps[later].ndeps++;
}

/* A reference that leaves its space is an algorithm's bug, caught here rather than as a wild write. */
static bool inside(frd_sched *s, frd_ref r)
{
    const size_t limit[FRD_NSPACES] = { 0, s->params.send_bytes, s->params.recv_bytes, s->tmp_bytes,
                                        FRD_ARG_BYTES };
    size_t end;

    if (r.space >= FRD_NSPACES || frd_add_overflows(r.off, r.len, &end) || end > limit[r.space]) {
        fail(s, FEDRDMA_ERR_INTERNAL, "reference outside of its buffer");
        return false;
    }
    s->extent[r.space] = frd_max_size(s->extent[r.space], end);
    return true;
}

static int reserve_step(frd_sched *s)
{
    if (s->nsteps < s->steps_cap)
        return FEDRDMA_OK;
    size_t cap = s->steps_cap == 0 ? 32 : s->steps_cap * 2;
    frd_step *steps = frd_realloc(s->steps, cap * sizeof(*steps));
    if (steps == NULL)
        return FEDRDMA_ERR_NOMEM;
    s->steps = steps;
    uint32_t *seen = frd_realloc(s->seen, cap * sizeof(*seen));
    if (seen == NULL)
        return FEDRDMA_ERR_NOMEM;
    memset(seen + s->steps_cap, 0, (cap - s->steps_cap) * sizeof(*seen));
    s->seen = seen;
    s->steps_cap = cap;
    return FEDRDMA_OK;
}

/* What a step reads, then what it writes: a reduction into one of its operands does both. */
static int track_step(frd_sched *s, const frd_step *step)
{
    const uint32_t id = (uint32_t)s->nsteps;
    const frd_ref reads[3] = { step->a, step->b,
                               step->kind == FRD_STEP_USER ? step->out : (frd_ref){ 0 } };
    int rc = FEDRDMA_OK;

    for (int i = 0; i < 3 && rc == FEDRDMA_OK; i++) {
        const frd_ref r = reads[i];
        if (r.len > 0)
            rc = frd_track_read(&s->track[r.space], r.off, r.off + r.len, id, depend, s);
    }
    const frd_ref w = step->out;
    if (rc == FEDRDMA_OK && w.len > 0)
        rc = frd_track_write(&s->track[w.space], w.off, w.off + w.len, id, depend, s);
    return rc;
}

static void append(frd_sched *s, frd_step step)
{
    if (s->rc != FEDRDMA_OK || !inside(s, step.out) || !inside(s, step.a) || !inside(s, step.b))
        return;
    if (s->nsteps >= UINT32_MAX - 1 || reserve_step(s) != FEDRDMA_OK) {
        fail(s, FEDRDMA_ERR_NOMEM, "out of memory");
        return;
    }
    s->steps[s->nsteps] = step;
    const int rc = track_step(s, &step);
    if (rc != FEDRDMA_OK)
        fail(s, rc, "out of memory");
    s->nsteps++;
}

static bool bad_peer(frd_sched *s, int peer)
{
    const bool bad = peer < 0 || peer >= s->params.size || peer == s->params.rank;
    if (bad)
        fail(s, FEDRDMA_ERR_INTERNAL, "message to ourselves or to a rank that does not exist");
    return bad;
}

void frd_send(frd_sched *s, int peer, frd_ref src)
{
    if (src.len == 0 || s->rc != FEDRDMA_OK || bad_peer(s, peer))
        return;
    append(s, (frd_step){ .kind = FRD_STEP_SEND, .peer = peer, .idx = s->sends[peer]++, .a = src });
}

void frd_recv(frd_sched *s, int peer, frd_ref dst)
{
    if (dst.len == 0 || s->rc != FEDRDMA_OK || bad_peer(s, peer))
        return;
    append(s, (frd_step){ .kind = FRD_STEP_RECV, .peer = peer, .idx = s->recvs[peer]++, .out = dst });
}

static bool same(frd_ref a, frd_ref b)
{
    return a.space == b.space && a.off == b.off;
}

static bool overlap(frd_ref a, frd_ref b)
{
    return a.space == b.space && a.off < b.off + b.len && b.off < a.off + a.len;
}

void frd_copy(frd_sched *s, frd_ref dst, frd_ref src)
{
    if (dst.len != src.len)
        fail(s, FEDRDMA_ERR_INTERNAL, "copy between different lengths");
    else if (dst.len > 0 && !same(dst, src))
        append(s, (frd_step){ .kind = FRD_STEP_COPY, .out = dst, .a = src });
}

/* MPI's operator function has two operands: out = a op out. Where the result goes elsewhere it is made in two
 * or three steps. */
static void reduce_by_user(frd_sched *s, frd_ref out, frd_ref a, frd_ref b)
{
    const bool into_a = same(out, a);
    const frd_ref at = into_a ? frd_tmp_typed(s, out.len, out.type) : out;

    frd_copy(s, at, b);
    append(s, (frd_step){ .kind = FRD_STEP_USER, .out = at, .a = a });
    frd_copy(s, out, at);
}

void frd_reduce(frd_sched *s, frd_ref out, frd_ref a, frd_ref b)
{
    if (out.len != a.len || out.len != b.len) {
        fail(s, FEDRDMA_ERR_INTERNAL, "reduction of different lengths");
        return;
    }
    if (out.len == 0)
        return;
    if ((overlap(out, a) && !same(out, a)) || (overlap(out, b) && !same(out, b))) {
        fail(s, FEDRDMA_ERR_INTERNAL, "reduction into a part of its operand");
        return;
    }
    if (s->op < FEDRDMA_SUM || s->op > FEDRDMA_LXOR)
        reduce_by_user(s, out, a, b);
    else
        append(s, (frd_step){
                      .kind = FRD_STEP_REDUCE, .op = (uint8_t)s->op, .out = out, .a = a, .b = b });
}

void frd_node(frd_sched *s, frd_node_call call, frd_ref out, frd_ref in)
{
    frd_node_call *const calls = frd_realloc(s->calls, (s->ncalls + 1) * sizeof(*calls));

    if (calls == NULL) {
        fail(s, FEDRDMA_ERR_NOMEM, "out of memory");
        return;
    }
    s->calls = calls;
    call.type = (uint8_t)s->params.type;
    call.op = s->op >= FEDRDMA_SUM && s->op <= FEDRDMA_LXOR ? (uint8_t)s->op : 0;
    calls[s->ncalls++] = call;
    append(s, (frd_step){ .kind = FRD_STEP_NODE, .peer = call.root, .out = out, .a = in });
}

static void scale(frd_sched *s, frd_step step)
{
    if (step.out.len != step.a.len)
        fail(s, FEDRDMA_ERR_INTERNAL, "scaling between different lengths");
    else if (step.out.len > 0)
        append(s, step);
}

void frd_scale_by(frd_sched *s, frd_ref out, frd_ref a, frd_ref factor)
{
    scale(s, (frd_step){
                 .kind = FRD_STEP_SCALE, .how = FRD_SCALE_BY_REF, .out = out, .a = a, .b = factor });
}

void frd_scale_over(frd_sched *s, frd_ref out, frd_ref a, frd_ref divisor)
{
    scale(s, (frd_step){
                 .kind = FRD_STEP_SCALE, .how = FRD_SCALE_OVER_REF, .out = out, .a = a, .b = divisor });
}

void frd_scale_over_count(frd_sched *s, frd_ref out, frd_ref a, int n)
{
    scale(s, (frd_step){ .kind = FRD_STEP_SCALE,
                         .how = FRD_SCALE_OVER_COUNT,
                         .count = (uint32_t)n,
                         .out = out,
                         .a = a });
}

/* Edges come ordered by their later step; a counting pass by the earlier one gives the successor array. */
static void fill_graph(const frd_sched *s, frd_graph *g)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < g->nsteps; i++) {
        frd_step *step = &g->steps[i];
        step->first_next = at;
        at += step->nnext;
        step->nnext = 0; /* counted again below */
        if (step->ndeps == 0)
            g->roots[g->nroots++] = i;
        step->msg = g->nsends + g->nrecvs;
        if (step->kind == FRD_STEP_SEND) {
            g->nsends++;
            g->sent_bytes += step->a.len;
        } else if (step->kind == FRD_STEP_RECV) {
            g->nrecvs++;
            g->received_bytes += step->out.len;
        } else if (step->kind == FRD_STEP_NODE) {
            step->msg = g->ncalls++;
        }
    }
    for (size_t e = 0; e < s->nedges; e++) {
        frd_step *step = &g->steps[s->edges[e].earlier];
        g->next[step->first_next + step->nnext++] = s->edges[e].later;
    }
}

int frd_sched_commit(frd_sched *s, frd_story *story, frd_graph **out)
{
    if (s->rc != FEDRDMA_OK)
        return frd_fail(story, s->rc, "%s", s->story.text);
    if (s->nedges > UINT32_MAX)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "schedule with more than 2^32 dependencies");

    frd_graph *g = frd_calloc(1, sizeof(*g));
    if (g == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for a schedule");
    g->next = frd_calloc(s->nedges + 1, sizeof(*g->next));
    g->roots = frd_calloc(s->nsteps + 1, sizeof(*g->roots));
    g->steps = frd_calloc(s->nsteps + 1, sizeof(*g->steps));
    if (g->next == NULL || g->roots == NULL || g->steps == NULL) {
        frd_graph_destroy(g);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for a schedule of %zu steps",
                        s->nsteps);
    }
    g->nsteps = (uint32_t)s->nsteps;
    g->nedges = (uint32_t)s->nedges;
    g->tmp_bytes = s->tmp_bytes;
    memcpy(g->extent, s->extent, sizeof(g->extent));
    if (s->ncalls > 0) {
        g->calls = s->calls;
        s->calls = NULL;
    }
    if (s->nsteps > 0)
        memcpy(g->steps, s->steps, s->nsteps * sizeof(*g->steps));
    fill_graph(s, g);
    *out = g;
    return FEDRDMA_OK;
}
