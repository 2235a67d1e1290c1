/* SPDX-License-Identifier: BSD-3-Clause
 * check.c - what must hold for committed graphs before anything runs: references inside their buffers, sound
 * edges and totals, and for each message one send and one receive of equal length. */
#include "tests/adversary/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "reduce/reduce.h"

static bool inside(const adv_rank *r, frd_ref ref)
{
    if (ref.space >= FRD_NSPACES)
        return false;
    if (ref.len == 0)
        return true;
    return ref.off + ref.len <= r->space[ref.space].len && ref.off + ref.len <= r->graph->extent[ref.space];
}

static bool whole_elements(const frd_step *s)
{
    const size_t element = frd_type_size(s->out.type);

    if (s->kind != FRD_STEP_REDUCE && s->kind != FRD_STEP_USER && s->kind != FRD_STEP_SCALE)
        return true;
    return element > 0 && s->out.len % element == 0 && s->out.len == s->a.len;
}

/* Totals, edges and references of one graph; what is wrong, or NULL. */
static const char *wrong_graph(const adv_rank *r, uint32_t *deps)
{
    const frd_graph *g = r->graph;
    uint32_t edges = 0, roots = 0, messages = 0;
    uint64_t sent = 0, received = 0;

    for (uint32_t i = 0; i < g->nsteps; i++) {
        const frd_step *s = &g->steps[i];

        if (s->kind >= FRD_NSTEPKINDS || !whole_elements(s))
            return "a malformed step";
        if (!inside(r, s->out) || !inside(r, s->a) || !inside(r, s->b))
            return "a reference outside of its buffer";
        if (s->first_next + s->nnext > g->nedges)
            return "edges out of range";
        for (uint32_t e = 0; e < s->nnext; e++) {
            if (g->next[s->first_next + e] <= i || g->next[s->first_next + e] >= g->nsteps)
                return "a step that waits for a later one";
            deps[g->next[s->first_next + e]]++;
        }
        edges += s->nnext;
        if (s->kind == FRD_STEP_SEND || s->kind == FRD_STEP_RECV) {
            if (s->msg != messages++)
                return "a message out of number";
            sent += s->kind == FRD_STEP_SEND ? s->a.len : 0;
            received += s->kind == FRD_STEP_RECV ? s->out.len : 0;
        }
    }
    for (uint32_t i = 0; i < g->nsteps; i++) {
        if (deps[i] != g->steps[i].ndeps)
            return "a wrong count of dependencies";
        if (deps[i] == 0 && (roots >= g->nroots || g->roots[roots++] != i))
            return "a missing root";
    }
    if (edges != g->nedges || roots != g->nroots || messages != g->nsends + g->nrecvs ||
        sent != g->sent_bytes || received != g->received_bytes)
        return "wrong totals";
    return g->extent[FRD_SPACE_TMP] > g->tmp_bytes ? "more scratch than it asks for" : NULL;
}

/* Lists the steps of `kind` of one rank by peer: those with peer p are list[start[p]] .. list[start[p + 1] -
 * 1]. False when their numbers aren't 0, 1, ... for each peer, or a peer isn't in the group. */
static bool list_messages(const adv_world *w, int rank, int kind, uint32_t *start, uint32_t *list)
{
    const frd_graph *g = w->ranks[rank].graph;

    for (uint32_t i = 0; i < g->nsteps; i++) {
        const int peer = g->steps[i].peer;

        if (g->steps[i].kind != kind)
            continue;
        if (peer < 0 || peer >= w->size || peer == rank || w->ranks[peer].graph == NULL)
            return false;
        if (g->steps[i].idx != start[peer + 1]++)
            return false;
    }
    for (int p = 0; p < w->size; p++)
        start[p + 1] += start[p];
    for (uint32_t i = 0; i < g->nsteps; i++)
        if (g->steps[i].kind == kind)
            list[start[g->steps[i].peer] + g->steps[i].idx] = i;
    return true;
}

/* The messages of one rank, both ways. */
typedef struct messages {
    uint32_t *start[2], *list[2]; /* by kind, as list_messages has them */
} messages;

#define START_OF(m, kind) ((m)->start[(kind) == FRD_STEP_RECV])
#define LIST_OF(m, kind) ((m)->list[(kind) == FRD_STEP_RECV])

static bool messages_make(const adv_world *w, int rank, messages *m)
{
    for (int kind = FRD_STEP_SEND; kind <= FRD_STEP_RECV; kind++) {
        START_OF(m, kind) = calloc((size_t)w->size + 1, sizeof(uint32_t));
        LIST_OF(m, kind) = calloc((size_t)w->ranks[rank].graph->nsteps + 1, sizeof(uint32_t));
        if (START_OF(m, kind) == NULL || LIST_OF(m, kind) == NULL ||
            !list_messages(w, rank, kind, START_OF(m, kind), LIST_OF(m, kind)))
            return false;
    }
    return true;
}

/* Messages from rank a to rank b: as many on both sides, as long; makes their steps partners. */
static bool match_pair(const adv_world *w, int a, int b, const messages all[], char story[ADV_STORY_MAX])
{
    const uint32_t *sends = all[a].start[0] + b, *recvs = all[b].start[1] + a;
    const uint32_t nsends = sends[1] - sends[0], nrecvs = recvs[1] - recvs[0];

    for (uint32_t i = 0; i < nsends && i < nrecvs; i++) {
        const uint32_t s = all[a].list[0][sends[0] + i], r = all[b].list[1][recvs[0] + i];
        const size_t sent = w->ranks[a].graph->steps[s].a.len, expected = w->ranks[b].graph->steps[r].out.len;

        w->ranks[a].partner[s] = r;
        w->ranks[b].partner[r] = s;
        if (sent != expected) {
            snprintf(story, ADV_STORY_MAX, "message %u from rank %d to %d: %zu bytes sent, %zu expected", i,
                     a, b, sent, expected);
            return false;
        }
    }
    if (nsends != nrecvs)
        snprintf(story, ADV_STORY_MAX, "from rank %d to %d: %u messages sent, %u expected", a, b, nsends,
                 nrecvs);
    return nsends == nrecvs;
}

static bool match_all(const adv_world *w, messages all[], char story[ADV_STORY_MAX])
{
    for (int r = 0; r < w->size; r++)
        if (w->ranks[r].graph != NULL && !messages_make(w, r, &all[r])) {
            snprintf(story, ADV_STORY_MAX, "rank %d: the graph has messages that are badly numbered", r);
            return false;
        }
    for (int a = 0; a < w->size; a++)
        for (int b = 0; b < w->size; b++)
            if (w->ranks[a].graph != NULL && w->ranks[b].graph != NULL && !match_pair(w, a, b, all, story))
                return false;
    return true;
}

static bool check_graph(const adv_world *w, int rank, char story[ADV_STORY_MAX])
{
    const adv_rank *r = &w->ranks[rank];
    uint32_t *deps = calloc((size_t)r->graph->nsteps + 1, sizeof *deps);
    const char *wrong = deps == NULL ? "no memory to be checked" : wrong_graph(r, deps);

    free(deps);
    if (wrong != NULL)
        snprintf(story, ADV_STORY_MAX, "rank %d: the graph has %s", rank, wrong);
    return wrong == NULL;
}

bool adv_world_check(adv_world *w, char story[ADV_STORY_MAX])
{
    messages *all = calloc((size_t)w->size, sizeof *all);
    bool good = all != NULL;

    snprintf(story, ADV_STORY_MAX, "no memory");
    for (int r = 0; good && r < w->size; r++) {
        if (w->ranks[r].graph == NULL)
            continue;
        w->ranks[r].partner = calloc((size_t)w->ranks[r].graph->nsteps + 1, sizeof(uint32_t));
        good = w->ranks[r].partner != NULL && check_graph(w, r, story);
    }
    good = good && match_all(w, all, story);
    for (int r = 0; all != NULL && r < w->size; r++)
        for (int i = 0; i < 2; i++) {
            free(all[r].start[i]);
            free(all[r].list[i]);
        }
    free(all);
    return good;
}
