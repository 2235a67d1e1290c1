/* SPDX-License-Identifier: BSD-3-Clause
 * plan_edmonds.c - the cheapest tree that hangs from a root: Chu and Liu (Scientia Sinica 14, 1965), Edmonds (J. Res.
 * NBS 71B, 1967). Every silo takes its cheapest parent; cycles become one node, in whose costs each of its members'
 * choice is taken back; and again, until there is no cycle. Then cycles are opened where they are entered, the last
 * ones first. Dense: n^2 a round, and rarely more than five. */
#include <string.h>

#include "collectives/plan_impl.h"

/* A link that enters a node, as it is in the net. */
typedef struct entry {
    double cost; /* below 0: none */
    short parent, child;
} entry;

typedef struct level {
    int nodes;
    entry taken[FRD_FOREST_SILOS_MAX]; /* by node */
    short into[FRD_FOREST_SILOS_MAX];  /* by node: the node of the next level */
    short node[FRD_FOREST_SILOS_MAX];  /* by silo */
} level;

struct frd_forest_edmonds {
    int n;
    entry *cell, *next; /* by parent node * nodes + child node */
    level *level[FRD_EDMONDS_LEVELS];
    frd_arena *arena;
};

frd_forest_edmonds *frd_forest_edmonds_make(int n, frd_arena *arena)
{
    const size_t cells = (size_t)n * (size_t)n;
    frd_forest_edmonds *e = frd_arena_alloc(arena, sizeof *e);

    if (e == NULL)
        return NULL;
    e->n = n;
    e->arena = arena;
    e->cell = frd_arena_alloc(arena, cells * sizeof *e->cell);
    e->next = frd_arena_alloc(arena, cells * sizeof *e->next);
    return e->cell != NULL && e->next != NULL ? e : NULL;
}

/* Every node but the root's takes its cheapest parent. false: one has none. */
static bool take(const entry *cell, level *l, int root)
{
    const int n = l->nodes;

    for (int v = 0; v < n; v++) {
        l->taken[v] = (entry){ .cost = -1, .parent = -1, .child = -1 };
        for (int p = 0; p < n && v != root; p++) {
            const entry *c = &cell[p * n + v];
            if (p != v && c->cost >= 0 && (l->taken[v].cost < 0 || c->cost < l->taken[v].cost))
                l->taken[v] = *c;
        }
        if (v != root && l->taken[v].cost < 0)
            return false;
    }
    return true;
}

/* Numbers the nodes of the next level: cycles become one each. Returns how many there are. */
static int join(level *l, int root)
{
    short seen[FRD_FOREST_SILOS_MAX];
    int count = 0;

    for (int v = 0; v < l->nodes; v++)
        l->into[v] = seen[v] = -1;
    for (int v = 0; v < l->nodes; v++) {
        int c = v;
        while (c != root && seen[c] < 0) {
            seen[c] = (short)v;
            c = l->node[l->taken[c].parent];
        }
        if (c == root || seen[c] != v || l->into[c] >= 0)
            continue;
        for (int k = c; l->into[k] < 0; k = l->node[l->taken[k].parent])
            l->into[k] = (short)count;
        count++;
    }
    if (count == 0)
        return l->nodes;
    for (int v = 0; v < l->nodes; v++)
        if (l->into[v] < 0)
            l->into[v] = (short)count++;
    return count;
}

/* Costs between the nodes of the next level. */
static void contract(const entry *cell, const level *l, int count, entry *next)
{
    const int n = l->nodes;

    for (int i = 0; i < count * count; i++)
        next[i].cost = -1;
    for (int p = 0; p < n; p++)
        for (int v = 0; v < n; v++) {
            const entry *from = &cell[p * n + v];
            entry *to = &next[l->into[p] * count + l->into[v]];
            if (from->cost < 0 || l->into[p] == l->into[v] || l->taken[v].cost < 0)
                continue;
            const double cost = from->cost - l->taken[v].cost;
            if (to->cost < 0 || cost < to->cost)
                *to = (entry){ cost, from->parent, from->child };
        }
}

static bool start(frd_forest_edmonds *e, const double *cost)
{
    const int n = e->n;

    for (int p = 0; p < n; p++)
        for (int v = 0; v < n; v++)
            e->cell[p * n + v] = (entry){ cost[p * n + v], (short)p, (short)v };
    if (e->level[0] == NULL)
        e->level[0] = frd_arena_alloc(e->arena, sizeof *e->level[0]);
    if (e->level[0] == NULL)
        return false;
    e->level[0]->nodes = n;
    for (int v = 0; v < n; v++)
        e->level[0]->node[v] = (short)v;
    return true;
}

/* The next level, of `count` nodes. false: no memory. */
static bool rise(frd_forest_edmonds *e, int at, int count)
{
    entry *const old = e->cell;

    if (e->level[at + 1] == NULL)
        e->level[at + 1] = frd_arena_alloc(e->arena, sizeof *e->level[0]);
    if (e->level[at + 1] == NULL)
        return false;
    contract(e->cell, e->level[at], count, e->next);
    e->cell = e->next;
    e->next = old;
    e->level[at + 1]->nodes = count;
    for (int s = 0; s < e->n; s++)
        e->level[at + 1]->node[s] = e->level[at]->into[e->level[at]->node[s]];
    return true;
}

bool frd_forest_cheapest(frd_forest_edmonds *e, int root, const double *cost, short *hang)
{
    int at = 0;

    if (!start(e, cost))
        return false;
    for (;; at++) {
        level *l = e->level[at];
        if (!take(e->cell, l, l->node[root]))
            return false;
        const int count = join(l, l->node[root]);
        if (count == l->nodes)
            break;
        if (at + 1 == FRD_EDMONDS_LEVELS || !rise(e, at, count))
            return false;
    }
    /* What enters a node of many enters one of its members, whose own choice it replaces. */
    for (; at > 0; at--) {
        const level *l = e->level[at];
        for (int v = 0; v < l->nodes; v++)
            if (l->taken[v].parent >= 0)
                e->level[at - 1]->taken[e->level[at - 1]->node[l->taken[v].child]] = l->taken[v];
    }
    for (int v = 0; v < e->n; v++)
        hang[v] = e->level[0]->taken[v].parent;
    return true;
}
