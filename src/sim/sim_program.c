/* SPDX-License-Identifier: BSD-3-Clause
 * sim_program.c - what each rank does: the schedules as the library records them, and which receive meets which send.
 * Gateways are chosen once, and the arrays of that shared: done by each rank for itself it would cost the square of
 * their number. */
#include "sim/sim_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "collectives/levels.h"

int frd_sim_group(const frd_sim_world *w, frd_group *group, frd_levels **levels, int **peer)
{
    const int gateways = w->gateways > 0 ? w->gateways : 1;

    *levels = NULL;
    *peer = frd_calloc((size_t)w->ranks, sizeof(**peer));
    if (*peer == NULL)
        return FEDRDMA_ERR_NOMEM;
    for (int i = 0; i < w->ranks; i++)
        (*peer)[i] = i;
    *group = (frd_group){ .size = w->ranks, .rank = 0, .peer = *peer, .node = w->node, .silo = w->silo };
    if (w->silos < 2)
        return FEDRDMA_OK;
    *levels = frd_calloc(1, frd_levels_bytes(w->ranks, w->silos, gateways));
    if (*levels == NULL)
        return FEDRDMA_ERR_NOMEM;
    frd_levels_init(*levels, group, w->silos, gateways, NULL);
    (*levels)->forest = w->forest;
    group->levels = *levels;
    return FEDRDMA_OK;
}

static int record_all(const frd_sim_world *w, const frd_algo *algo, const frd_call *call, frd_group *group,
                      frd_levels *levels, frd_story *story, frd_sim_program *program)
{
    for (int r = 0; r < w->ranks; r++) {
        group->rank = r;
        if (levels != NULL)
            levels->silo = w->silo[r];
        const int rc = frd_coll_record(algo, call, group, story, &program[r].graph);
        if (rc != FEDRDMA_OK)
            return rc;
        program[r].partner = frd_calloc(program[r].graph->nsteps + (size_t)1, sizeof(*program[r].partner));
        if (program[r].partner == NULL)
            return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for %d schedules", w->ranks);
    }
    return FEDRDMA_OK;
}

/* ---- messages ---- */

typedef struct message {
    int peer;
    uint32_t idx, step;
} message;

/* Receives of one rank, by peer and number. */
typedef struct inbox {
    message *at;
    size_t count;
} inbox;

static int by_peer(const void *a, const void *b)
{
    const message *const x = a, *const y = b;

    if (x->peer != y->peer)
        return x->peer < y->peer ? -1 : 1;
    return (x->idx > y->idx) - (x->idx < y->idx);
}

static bool fill(inbox *in, const frd_graph *g)
{
    in->at = frd_calloc(g->nrecvs + (size_t)1, sizeof(*in->at));
    if (in->at == NULL)
        return false;
    for (uint32_t i = 0; i < g->nsteps; i++) {
        const frd_step *const s = &g->steps[i];

        if (s->kind == FRD_STEP_RECV)
            in->at[in->count++] = (message){ s->peer, s->idx, i };
    }
    qsort(in->at, in->count, sizeof(*in->at), by_peer);
    return true;
}

/* Marks each receive that was met with the sender's step + 1, so that what nobody sends shows. */
static int meet(int from, frd_sim_program *program, const inbox *in, frd_story *story)
{
    const frd_graph *const g = program[from].graph;

    for (uint32_t i = 0; i < g->nsteps; i++) {
        const frd_step *const s = &g->steps[i];
        const message key = { from, s->idx, 0 };

        if (s->kind != FRD_STEP_SEND)
            continue;
        const message *const at =
            in[s->peer].count == 0 ? NULL
                                   : bsearch(&key, in[s->peer].at, in[s->peer].count, sizeof(key), by_peer);
        if (at == NULL || program[s->peer].graph->steps[at->step].out.len != s->a.len)
            return frd_fail(story, FEDRDMA_ERR_INTERNAL, "rank %d has no receive for message %u of rank %d", s->peer,
                            s->idx, from);
        program[from].partner[i] = at->step;
        program[s->peer].partner[at->step] = i + 1;
    }
    return FEDRDMA_OK;
}

static int unmark(int rank, const frd_sim_program *program, frd_story *story)
{
    const frd_graph *const g = program->graph;

    for (uint32_t i = 0; i < g->nsteps; i++) {
        if (g->steps[i].kind != FRD_STEP_RECV)
            continue;
        if (program->partner[i]-- == 0)
            return frd_fail(story, FEDRDMA_ERR_INTERNAL, "rank %d waits for message %u of rank %d, which sends less",
                            rank, g->steps[i].idx, g->steps[i].peer);
    }
    return FEDRDMA_OK;
}

static int match(int ranks, frd_sim_program *program, frd_story *story)
{
    inbox *const in = frd_calloc((size_t)ranks, sizeof(*in));
    int rc = in == NULL ? FEDRDMA_ERR_NOMEM : FEDRDMA_OK;

    for (int r = 0; rc == FEDRDMA_OK && r < ranks; r++)
        rc = fill(&in[r], program[r].graph) ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
    if (rc != FEDRDMA_OK)
        rc = frd_fail(story, rc, "no memory for the messages of %d ranks", ranks);
    for (int r = 0; rc == FEDRDMA_OK && r < ranks; r++)
        rc = meet(r, program, in, story);
    for (int r = 0; rc == FEDRDMA_OK && r < ranks; r++)
        rc = unmark(r, &program[r], story);
    for (int r = 0; in != NULL && r < ranks; r++)
        frd_free(in[r].at);
    frd_free(in);
    return rc;
}

int frd_sim_programs(const frd_sim_world *w, const frd_algo *algo, const frd_call *call, size_t len,
                     frd_story *story, frd_sim_program *program)
{
    frd_call part = *call;
    frd_levels *levels;
    frd_group group;
    int *peer;
    int rc = frd_sim_group(w, &group, &levels, &peer);

    part.stride = call->len;
    part.len = len;
    if (rc != FEDRDMA_OK)
        rc = frd_fail(story, rc, "no memory for %d ranks", w->ranks);
    else
        rc = record_all(w, algo, &part, &group, levels, story, program);
    if (rc == FEDRDMA_OK)
        rc = match(w->ranks, program, story);
    frd_free(levels);
    frd_free(peer);
    return rc;
}
