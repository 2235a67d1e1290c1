/* SPDX-License-Identifier: BSD-3-Clause
 * plan_seed.c - the forests that have names, and trees of shortest ways: candidates by themselves, and what the search
 * for mixtures starts from. */
#include "collectives/plan_impl.h"
#include "fedrdma.h"

typedef struct seeds {
    const frd_forest_model *m;
    frd_forest_pool *pool;
    frd_story *story;
    frd_forest_found *found;
    void *arg;
    const frd_forest_column *column[FRD_FOREST_SILOS_MAX]; /* of the form that is made */
    uint32_t weight[FRD_FOREST_SILOS_MAX];
    int count;
} seeds;

typedef struct pair {
    short hang[FRD_WAYS][FRD_FOREST_SILOS_MAX];
} pair;

/* Adds the tree to the form. 0: it may not be; 1; or a negative error. */
static int add(seeds *s, int root, pair *p)
{
    for (int way = 0; way < FRD_WAYS; way++) {
        for (int v = 0; v < s->m->n && !s->m->ways[way]; v++)
            p->hang[way][v] = -1;
        if (frd_forest_delay(s->m, way, root, p->hang[way]) < 0)
            return 0;
    }
    const frd_forest_column *c =
        frd_forest_pool_add(s->pool, s->m, root, (const short *const[]){ p->hang[0], p->hang[1] });
    if (c == NULL)
        return frd_fail(s->story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", s->m->n);
    s->column[s->count] = c;
    s->weight[s->count++] = 1;
    return 1;
}

static int tell(seeds *s, int form)
{
    const frd_forest_mix mix = { form, s->count, s->column, s->weight };
    const int count = s->count;

    s->count = 0;
    return count > 0 ? s->found(s->arg, &mix) : FEDRDMA_OK;
}

/* All hang from the root, by way of `via` if that is another. */
static void star(const frd_forest_model *m, int root, int via, pair *p)
{
    for (int v = 0; v < m->n; v++)
        for (int way = 0; way < FRD_WAYS; way++)
            p->hang[way][v] = (short)(v == root ? -1 : v == via ? root : via);
}

static int only_root(const frd_forest_model *m)
{
    int root = -1;

    for (int v = 0; v < m->n; v++) {
        if (m->root[v] && root >= 0)
            return -1;
        root = m->root[v] ? v : root;
    }
    return root;
}

/* A star for each silo; with one root, one for each other silo, that hangs from the root. */
static int direct(seeds *s)
{
    const int root = only_root(s->m);
    pair p;
    int rc = 1;

    for (int v = 0; v < s->m->n && rc == 1; v++) {
        if (v == root || (root < 0 && !s->m->root[v]))
            continue;
        star(s->m, root < 0 ? v : root, v, &p);
        rc = add(s, root < 0 ? v : root, &p);
    }
    if (rc == 0 || s->count < (root < 0 ? s->m->n : s->m->n - 1)) {
        s->count = 0;
        return rc < 0 ? rc : FEDRDMA_OK;
    }
    return rc < 0 ? rc : tell(s, s->m->n > 2 ? FRD_FOREST_DIRECT : root < 0 ? FRD_FOREST_DIRECT : FRD_FOREST_STAR);
}

/* The order of a ring: the silos' own, or each followed by the nearest, or by the one with the fastest link. */
enum { OWN, NEAR, FAST, ORDERS };

static void order_of(const frd_forest_model *m, int kind, int *order)
{
    const int n = m->n;
    bool used[FRD_FOREST_SILOS_MAX] = { true };

    order[0] = 0;
    for (int i = 1; i < n; i++) {
        const int last = order[i - 1];
        int best = -1;
        for (int v = 0; v < n; v++) {
            const double *hop = m->hop[FRD_WAY_DOWN] + last * n, *rate = m->rate + 2 * n + last * n;
            if (used[v])
                continue;
            if (best < 0 || (kind == NEAR && hop[v] >= 0 && (hop[best] < 0 || hop[v] < hop[best])) ||
                (kind == FAST && hop[v] >= 0 && (hop[best] < 0 || rate[v] > rate[best])))
                best = v;
        }
        used[best] = true;
        order[i] = best;
    }
}

/* A chain to each root and on from it, all the same way round. */
static int ring(seeds *s, const int *order)
{
    const int n = s->m->n;
    int count = 0, rc = 1;
    pair p;

    for (int r = 0; r < n && rc == 1; r++) {
        if (!s->m->root[order[r]])
            continue;
        for (int i = 0; i < n; i++) {
            p.hang[FRD_WAY_UP][order[i]] = (short)(i == r ? -1 : order[(i + 1) % n]);
            p.hang[FRD_WAY_DOWN][order[i]] = (short)(i == r ? -1 : order[(i + n - 1) % n]);
        }
        rc = add(s, order[r], &p);
        count++;
    }
    if (rc < 0)
        return rc;
    if (rc == 0 || (count < n && count != 1))
        s->count = 0;
    return tell(s, count == 1 ? FRD_FOREST_TREE : FRD_FOREST_RING);
}

static int single(seeds *s, int root)
{
    pair p;
    bool whole = true;

    star(s->m, root, root, &p);
    int rc = add(s, root, &p);
    if (rc >= 0)
        rc = tell(s, FRD_FOREST_STAR);
    for (int way = 0; way < FRD_WAYS; way++)
        whole = whole && (!s->m->ways[way] || frd_forest_shortest(s->m, way, root, p.hang[way]));
    if (rc == FEDRDMA_OK && whole)
        rc = add(s, root, &p);
    return rc < 0 ? rc : tell(s, FRD_FOREST_TREE);
}

int frd_forest_seed(const frd_forest_model *m, frd_forest_pool *pool, frd_story *story, frd_forest_found *found,
                    void *arg)
{
    seeds s = { .m = m, .pool = pool, .story = story, .found = found, .arg = arg };
    int order[FRD_FOREST_SILOS_MAX];

    int rc = direct(&s);
    for (int kind = OWN; rc == FEDRDMA_OK && kind < ORDERS; kind++) {
        order_of(m, kind, order);
        rc = ring(&s, order);
    }
    for (int root = 0; rc == FEDRDMA_OK && root < m->n; root++)
        rc = m->root[root] ? single(&s, root) : FEDRDMA_OK;
    return rc;
}
