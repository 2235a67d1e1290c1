/* SPDX-License-Identifier: BSD-3-Clause
 * across_forest.c - vectors between silos along the planner's trees (plan.h). Each tree has its share of the vector:
 * silos add up what comes from below to their own and pass it on, then the root's result comes back down.
 *
 *     ways     the two longest of a tree, up and down
 *     bytes    by tree its share, once up and once down each of its links
 *     scratch  by tree its share for each silo that is below ours
 *     order    our own operand among those from below, by number; so for commutative operators */
#include "collectives/levels.h"
#include "collectives/plan.h"

/* In elements, by the shares. */
static frd_ref share_of(const frd_sched *s, frd_ref v, const frd_forest *f, int tree)
{
    uint32_t before = 0;

    for (int t = 0; t < tree; t++)
        before += f->tree[t].weight;
    return frd_parts(s, v, (int)f->weights, (int)before, (int)f->tree[tree].weight);
}

static void up(frd_sched *s, const frd_group *g, const frd_forest_tree *tree, frd_ref part)
{
    for (int from = 0; from < g->size; from++) {
        if (tree->up[from] != g->rank)
            continue;
        const frd_ref slot = frd_tmp_typed(s, part.len, part.type);

        frd_recv(s, g->peer[from], slot);
        frd_reduce(s, part, from < g->rank ? slot : part, from < g->rank ? part : slot);
    }
    if (g->rank != tree->root)
        frd_send(s, g->peer[tree->up[g->rank]], part);
}

static void down(frd_sched *s, const frd_group *g, const frd_forest_tree *tree, frd_ref part)
{
    if (g->rank != tree->root)
        frd_recv(s, g->peer[tree->down[g->rank]], part);
    for (int to = 0; to < g->size; to++) {
        if (tree->down[to] == g->rank)
            frd_send(s, g->peer[to], part);
    }
}

void frd_across_forest(frd_sched *s, const frd_group *g, frd_ref v, const frd_forest *f)
{
    for (int t = 0; g->size > 1 && t < f->count; t++)
        up(s, g, &f->tree[t], share_of(s, v, f, t));
    for (int t = 0; g->size > 1 && t < f->count; t++)
        down(s, g, &f->tree[t], share_of(s, v, f, t));
}
