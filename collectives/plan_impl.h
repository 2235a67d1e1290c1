/* SPDX-License-Identifier: BSD-3-Clause
 * plan_impl.h - what the parts of plan.h share: the net as numbers, trees as columns of a linear program. */
#ifndef FRD_COLLECTIVES_PLAN_IMPL_H
#define FRD_COLLECTIVES_PLAN_IMPL_H

#include "collectives/plan.h"

enum { FRD_WAY_UP, FRD_WAY_DOWN, FRD_WAYS };

/* The net for one question. Resources have numbers: egress of silo i is i, its ingress silos + i, the link from i to j
 * 2 silos + i silos + j. Trees of both ways hang from their root: in [parent * n + child] a child sends on the way up,
 * and its parent on the way down. */
typedef struct frd_forest_model {
    const frd_forest_net *net;
    int n, resources;
    bool ways[FRD_WAYS];
    bool uniform;          /* who may stand between some silo and its root may do so for all */
    double bytes;
    double fragment_bytes;
    double *rate;          /* bytes per ns, by resource */
    double *hop[FRD_WAYS]; /* ns, by parent and child; below 0: may not be */
    bool *root;            /* by silo: may be one here */
} frd_forest_model;

/* A tree with both its ways. */
typedef struct frd_forest_column {
    int root;
    short *hang[FRD_WAYS]; /* by silo: its parent, or -1 */
    double delay_ns;
} frd_forest_column;

typedef struct frd_forest_pool {
    frd_forest_column **column;
    int count, room;
    frd_arena arena;
} frd_forest_pool;

/* Adds up what the tree loads, by resource, times `amount`. */
void frd_forest_load(const frd_forest_model *m, const short *const hang[FRD_WAYS], double amount, double *load);

/* Sum of `price` over all that the tree loads. */
double frd_forest_price(const frd_forest_model *m, const frd_forest_column *c, const double *price);

static inline int frd_forest_link_number(int n, int way, int parent, int child)
{
    return way == FRD_WAY_UP ? 2 * n + child * n + parent : 2 * n + parent * n + child;
}

/* ---- plan_model.c ---- */

/* FEDRDMA_ERR_INVALID with a story: a net or question that can't be. */
int frd_forest_model_make(const frd_forest_net *net, const frd_forest_ask *ask, frd_arena *arena, frd_story *story,
                          frd_forest_model *m);

/* ---- plan_tree.c ---- */

/* May child hang from parent in the tree `hang`, as far as that is known? */
bool frd_forest_may_hang(const frd_forest_model *m, int way, const short *hang, int root, int parent, int child);

/* A tree of the shortest ways to or from the root; false: some silo has none. */
bool frd_forest_shortest(const frd_forest_model *m, int way, int root, short *hang);

/* The longest way; below 0: no tree of the root, or it may not be. */
double frd_forest_delay(const frd_forest_model *m, int way, int root, const short *hang);

/* Makes the tree cheaper by moving one silo with all below it at a time, while its delay stays within the limit. Costs
 * are by parent and child. */
void frd_forest_improve(const frd_forest_model *m, int way, int root, const double *cost, double limit_ns, short *hang);

/* ---- plan_edmonds.c ---- */

enum { FRD_EDMONDS_LEVELS = 256 };

/* The cheapest tree that hangs from root by links with costs not below 0, which `work` destroys: n x n costs by parent
 * and child. false: there is none. */
typedef struct frd_forest_edmonds frd_forest_edmonds;
frd_forest_edmonds *frd_forest_edmonds_make(int n, frd_arena *arena);
bool frd_forest_cheapest(frd_forest_edmonds *e, int root, const double *cost, short *hang);

/* ---- plan_price.c ---- */

/* Finds trees that are cheap at given prices. */
typedef struct frd_forest_oracle frd_forest_oracle;
int frd_forest_oracle_make(const frd_forest_model *m, frd_arena *arena, frd_story *story, frd_forest_oracle **oracle);

/* Adds to the pool what costs less than `below`, with a delay within the limit. Returns how many, or a negative
 * error. */
int frd_forest_oracle_ask(frd_forest_oracle *o, const double *price, double below, double limit_ns,
                          frd_forest_pool *pool);

/* A copy of a tree in the pool, with its delay; NULL: no memory. */
frd_forest_column *frd_forest_pool_add(frd_forest_pool *pool, const frd_forest_model *m, int root,
                                       const short *const hang[FRD_WAYS]);

/* ---- plan_seed.c ---- */

/* What a forest is made of: columns with weights. */
typedef struct frd_forest_mix {
    int form, count;
    const frd_forest_column **column;
    uint32_t *weight;
} frd_forest_mix;

/* Calls `found` for each named form that the question and the net allow, and for each tree of shortest ways; all their
 * trees are in the pool then. `found` returns 0 or a negative error. */
typedef int frd_forest_found(void *arg, const frd_forest_mix *mix);
int frd_forest_seed(const frd_forest_model *m, frd_forest_pool *pool, frd_story *story, frd_forest_found *found,
                    void *arg);

/* ---- plan_pack.c ---- */

/* How much flows through which trees, so that all together is the most that the net carries. */
typedef struct frd_forest_flow {
    int count;
    int *column;  /* in the pool */
    double *rate; /* bytes per ns */
    double sum;
} frd_forest_flow;

/* Uses the pool's trees with a delay within the limit, and with an oracle those that it adds. Arrays are the pool's
 * arena's. */
int frd_forest_pack(const frd_forest_model *m, frd_forest_pool *pool, frd_forest_oracle *oracle, double limit_ns,
                    frd_story *story, frd_forest_flow *flow);

#endif
