/* SPDX-License-Identifier: BSD-3-Clause
 * plan.c - makes a plan: the named forms are candidates; mixtures come from packing trees (plan_pack.c) whose delay is
 * within a limit. Load falls as the limit rises, so limits are tried from the longest delay down, by halves, only where
 * what is known of a limit's load leaves room for a better time. A mixture then loses its smallest shares. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "collectives/plan_impl.h"
#include "fedrdma.h"

#define GAIN 0.99   /* a mixture must be this much faster than a named form */
#define CLOSE 0.975 /* no limit is tried for less */
#define SMALL (1.0 / 256) /* the smallest share of a mixture */
enum { FEW = 5, MANY = 16, TRIES_FEW = 32, TRIES = 10, TRIES_MANY = 4 };

typedef struct planner {
    const frd_forest_net *net;
    const frd_forest_ask *ask;
    frd_story *story;
    frd_forest_model model;
    frd_forest_pool pool;
    frd_forest_oracle *oracle;
    frd_arena arena;
    frd_forest *named, *mixed; /* the best so far */
    int tries;
} planner;

static int no_memory(const planner *p)
{
    return frd_fail(p->story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", p->net->silos);
}

/* ---- forests --------------------------------------------------------------------------------------------------- */

void frd_forest_destroy(frd_forest *forest)
{
    if (forest != NULL)
        frd_arena_free(&forest->arena);
    frd_free(forest);
}

static const short *copy_hang(frd_forest *f, const short *hang)
{
    short *copy = frd_arena_alloc(&f->arena, (size_t)f->silos * sizeof *copy);

    if (copy != NULL)
        memcpy(copy, hang, (size_t)f->silos * sizeof *copy);
    return copy;
}

static bool fill(frd_forest *f, const frd_forest_mix *mix)
{
    frd_forest_tree *tree = frd_arena_alloc(&f->arena, (size_t)mix->count * sizeof *tree);

    f->tree = tree;
    for (int i = 0; tree != NULL && i < mix->count; i++) {
        const frd_forest_column *c = mix->column[i];
        tree[i] = (frd_forest_tree){ .root = c->root,
                                     .weight = mix->weight[i],
                                     .up = copy_hang(f, c->hang[FRD_WAY_UP]),
                                     .down = copy_hang(f, c->hang[FRD_WAY_DOWN]),
                                     .delay_ns = c->delay_ns };
        if (tree[i].up == NULL || tree[i].down == NULL)
            return false;
        f->weights += mix->weight[i];
    }
    return tree != NULL;
}

/* NULL: no memory. */
static frd_forest *forest_of(const planner *p, const frd_forest_mix *mix)
{
    frd_forest *f = frd_calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->silos = p->net->silos;
    f->form = mix->form;
    f->ask = *p->ask;
    f->fragment_bytes = (size_t)p->model.fragment_bytes;
    f->count = mix->count;
    if (!fill(f, mix)) {
        frd_forest_destroy(f);
        return NULL;
    }
    f->cost = frd_forest_assess(p->net, f);
    return f;
}

/* Keeps the faster of the two; of equals the one that was first. */
static int offer(planner *p, const frd_forest_mix *mix, frd_forest **best)
{
    frd_forest *f = forest_of(p, mix);

    if (f == NULL)
        return no_memory(p);
    if (*best == NULL || f->cost.time_ns < (*best)->cost.time_ns) {
        frd_forest_destroy(*best);
        *best = f;
    } else {
        frd_forest_destroy(f);
    }
    return FEDRDMA_OK;
}

static int offer_named(void *arg, const frd_forest_mix *mix)
{
    planner *p = arg;

    return offer(p, mix, &p->named);
}

/* ---- mixtures -------------------------------------------------------------------------------------------------- */

typedef struct part {
    double rate;
    int column;
} part;

static int by_rate(const void *left, const void *right)
{
    const part *a = left, *b = right;

    if (a->rate != b->rate)
        return a->rate > b->rate ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

/* The flow's trees by falling rate. NULL: no memory. */
static part *sorted(const frd_forest_flow *flow, frd_arena *arena)
{
    part *parts = frd_arena_alloc(arena, (size_t)flow->count * sizeof *parts);

    for (int i = 0; parts != NULL && i < flow->count; i++)
        parts[i] = (part){ flow->rate[i], flow->column[i] };
    if (parts != NULL)
        qsort(parts, (size_t)flow->count, sizeof *parts, by_rate);
    return parts;
}

/* The flow without its smallest shares, packed again with what is left. */
static int trim(planner *p, const frd_forest_pool *pool, frd_forest_flow *flow, frd_forest_pool *left)
{
    const int most = 2 * p->net->silos + 4;
    const part *parts = sorted(flow, &left->arena);
    int keep = flow->count < most ? flow->count : most;

    left->column = frd_arena_alloc(&left->arena, (size_t)(keep + 1) * sizeof(frd_forest_column *));
    if (parts == NULL || left->column == NULL)
        return no_memory(p);
    while (keep > 1 && parts[keep - 1].rate < SMALL / (1 + keep / 64) * flow->sum)
        keep--;
    for (int i = 0; i < keep; i++)
        left->column[left->count++] = pool->column[parts[i].column];
    left->room = left->count;
    return frd_forest_pack(&p->model, left, NULL, DBL_MAX, p->story, flow);
}

static int offer_flow(planner *p, const frd_forest_pool *pool, const frd_forest_flow *flow, frd_arena *arena)
{
    const part *parts = sorted(flow, arena);
    frd_forest_mix mix = { .form = flow->count == 1 ? FRD_FOREST_TREE : FRD_FOREST_TREES };

    mix.column = frd_arena_alloc(arena, (size_t)flow->count * sizeof *mix.column);
    mix.weight = frd_arena_alloc(arena, (size_t)flow->count * sizeof *mix.weight);
    if (parts == NULL || mix.column == NULL || mix.weight == NULL)
        return no_memory(p);
    for (int i = 0; i < flow->count; i++) {
        mix.weight[mix.count] = (uint32_t)(parts[i].rate / flow->sum * FRD_FOREST_WEIGHTS + 0.5);
        mix.column[mix.count] = pool->column[parts[i].column];
        mix.count += mix.weight[mix.count] > 0 ? 1 : 0;
    }
    return offer(p, &mix, &p->mixed);
}

/* What came out of a limit. */
typedef struct tried {
    double load_ns, delay_ns; /* below 0: nothing is within the limit */
} tried;

static int try_limit(planner *p, double limit_ns, tried *t)
{
    frd_forest_flow flow;
    frd_forest_pool left = { 0 };

    *t = (tried){ -1, -1 };
    p->tries++;
    int rc = frd_forest_pack(&p->model, &p->pool, p->oracle, limit_ns, p->story, &flow);
    if (rc != FEDRDMA_OK || flow.count == 0 || flow.sum <= 0)
        return rc;
    t->load_ns = p->model.bytes / flow.sum;
    for (int i = 0; i < flow.count; i++) {
        const double delay_ns = p->pool.column[flow.column[i]]->delay_ns;
        t->delay_ns = delay_ns > t->delay_ns ? delay_ns : t->delay_ns;
    }
    rc = trim(p, &p->pool, &flow, &left);
    if (rc == FEDRDMA_OK && flow.count > 0)
        rc = offer_flow(p, &left, &flow, &left.arena);
    frd_arena_free(&left.arena);
    return rc;
}

static double best_ns(const planner *p)
{
    const double named = p->named != NULL ? p->named->cost.time_ns : DBL_MAX;

    return p->mixed != NULL && p->mixed->cost.time_ns < named ? p->mixed->cost.time_ns : named;
}

/* Limits above `low`, below the delay of what was tried: no load is less there. */
static int try_between(planner *p, double low, tried high)
{
    const int most = p->net->silos <= FEW ? TRIES_FEW : p->net->silos <= MANY ? TRIES : TRIES_MANY;
    const double middle = (low + high.delay_ns) / 2;
    tried t;

    if (high.load_ns + low >= CLOSE * best_ns(p) || p->tries >= most || middle <= low || middle >= high.delay_ns)
        return FEDRDMA_OK;
    int rc = try_limit(p, middle, &t);
    if (rc == FEDRDMA_OK && t.delay_ns > low)
        rc = try_between(p, low, t);
    return rc == FEDRDMA_OK ? try_between(p, middle, high) : rc;
}

/* Single trees that were found on the way may be better than all else where delay counts. */
static int offer_trees(planner *p)
{
    int rc = FEDRDMA_OK;

    for (int i = 0; i < p->pool.count && rc == FEDRDMA_OK; i++) {
        const frd_forest_column *column = p->pool.column[i];
        uint32_t one = 1;
        const frd_forest_mix mix = { FRD_FOREST_TREE, 1, &column, &one };
        if (column->delay_ns < best_ns(p))
            rc = offer(p, &mix, &p->named);
    }
    return rc;
}

static int try_mixtures(planner *p)
{
    double low = DBL_MAX;
    tried t;

    for (int i = 0; i < p->pool.count; i++)
        low = p->pool.column[i]->delay_ns < low ? p->pool.column[i]->delay_ns : low;
    if (p->ask->bytes == 0)
        return FEDRDMA_OK;
    int rc = try_limit(p, DBL_MAX, &t);
    if (rc == FEDRDMA_OK && t.delay_ns > low)
        rc = try_between(p, low, t);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

/* Names a silo that no tree of the first possible root reaches. */
static int unreachable(const planner *p)
{
    const frd_forest_model *m = &p->model;
    short hang[FRD_FOREST_SILOS_MAX];
    int root = 0, lost = -1;
    char number[2][16];

    while (root < m->n && !m->root[root])
        root++;
    if (root == m->n)
        return frd_fail(p->story, FEDRDMA_ERR_INVALID, "no silo may be a root; let one of them");
    for (int way = 0; way < FRD_WAYS && lost < 0; way++) {
        if (!m->ways[way] || frd_forest_shortest(m, way, root, hang))
            continue;
        for (int v = 0; v < m->n && lost < 0; v++)
            lost = v != root && hang[v] < 0 ? v : -1;
    }
    lost = lost < 0 ? (root + 1) % m->n : lost;
    snprintf(number[0], sizeof number[0], "%d", lost);
    snprintf(number[1], sizeof number[1], "%d", root);
    return frd_fail(p->story, FEDRDMA_ERR_INVALID,
                    "no tree reaches all silos: \"%s\" has no way to \"%s\" that links and policy allow; let them "
                    "talk, or let a silo that talks to both relay for them",
                    p->net->name != NULL ? p->net->name[lost] : number[0],
                    p->net->name != NULL ? p->net->name[root] : number[1]);
}

/* One silo: a tree of nothing else. */
static int alone(planner *p)
{
    const frd_forest_column *column =
        frd_forest_pool_add(&p->pool, &p->model, 0, (const short *const[]){ (short[]){ -1 }, (short[]){ -1 } });
    uint32_t one = 1;
    const frd_forest_mix mix = { FRD_FOREST_ALONE, 1, &column, &one };

    return column != NULL ? offer(p, &mix, &p->named) : no_memory(p);
}

static int search(planner *p)
{
    int rc = frd_forest_model_make(p->net, p->ask, &p->arena, p->story, &p->model);

    if (rc != FEDRDMA_OK)
        return rc;
    if (p->net->silos == 1)
        return p->model.root[0] ? alone(p) : unreachable(p);
    rc = frd_forest_seed(&p->model, &p->pool, p->story, offer_named, p);
    if (rc == FEDRDMA_OK)
        rc = frd_forest_oracle_make(&p->model, &p->arena, p->story, &p->oracle);
    double *nothing = frd_arena_alloc(&p->arena, (size_t)p->model.resources * sizeof *nothing);
    if (rc == FEDRDMA_OK && nothing == NULL)
        rc = no_memory(p);
    if (rc == FEDRDMA_OK && p->pool.count == 0 && frd_forest_oracle_ask(p->oracle, nothing, 1, DBL_MAX, &p->pool) < 0)
        rc = no_memory(p);
    if (rc == FEDRDMA_OK && p->pool.count == 0)
        rc = unreachable(p);
    if (rc == FEDRDMA_OK)
        rc = try_mixtures(p);
    return rc == FEDRDMA_OK ? offer_trees(p) : rc;
}

int frd_forest_make(const frd_forest_net *net, const frd_forest_ask *ask, frd_story *story, frd_forest **forest)
{
    planner p = { .net = net, .ask = ask, .story = story };

    const int rc = search(&p);
    frd_arena_free(&p.arena);
    frd_arena_free(&p.pool.arena);
    if (rc == FEDRDMA_OK) {
        const bool mix = p.mixed != NULL && (p.named == NULL || p.mixed->cost.time_ns < GAIN * p.named->cost.time_ns);
        *forest = mix ? p.mixed : p.named;
        p.mixed = mix ? NULL : p.mixed;
        p.named = mix ? p.named : NULL;
    }
    frd_forest_destroy(p.named);
    frd_forest_destroy(p.mixed);
    return rc;
}
