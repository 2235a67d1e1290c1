/* SPDX-License-Identifier: BSD-3-Clause
 * plan_price.c - which tree is cheapest, when every byte on a link and through a silo's caps has a price? Up to
 * LISTED silos all trees are listed once (n^(n-2) a root) and the answer is exact. Above that, Edmonds' trees answer
 * where delay and policy let them, else the tree of the shortest ways, made cheaper step by step. */
#include <string.h>

#include "collectives/plan_impl.h"
#include "fedrdma.h"

enum {
    LISTED = 5,
    MANY = 16,  /* above so many silos, */
    ROOTS = 10, /* only so many roots a question: the ones that look cheapest, and others in turn */
    TURNS = 2
};

/* All trees of a root, one way; by rising delay. */
typedef struct listed {
    short hang[LISTED];
    double delay_ns;
} listed;

typedef struct list {
    listed *tree;
    int count;
    double *best; /* the cheapest so far, of those up to here, */
    int *at;      /* and which it is */
} list;

struct frd_forest_oracle {
    const frd_forest_model *m;
    list (*list)[FRD_WAYS]; /* by root; NULL: too many */
    frd_forest_edmonds *edmonds;
    double *cost[FRD_WAYS];
    double *open;                          /* the costs that a root's tree may use */
    double *cheapest[FRD_WAYS];            /* by child: its cheapest parent's cost */
    short *shortest;                       /* [(root * FRD_WAYS + way) * n + silo] */
    double (*least)[FRD_WAYS];             /* by root: delay of its shortest trees; below 0: none */
    int turn;
};

/* ---- the pool -------------------------------------------------------------------------------------------------- */

frd_forest_column *frd_forest_pool_add(frd_forest_pool *pool, const frd_forest_model *m, int root,
                                       const short *const hang[FRD_WAYS])
{
    const size_t bytes = (size_t)m->n * sizeof(short);
    frd_forest_column *c = frd_arena_alloc(&pool->arena, sizeof *c + FRD_WAYS * bytes);

    if (pool->count == pool->room) {
        const int room = pool->room * 2 + 64;
        frd_forest_column **bigger = frd_arena_alloc(&pool->arena, (size_t)room * sizeof *bigger);
        if (bigger == NULL)
            return NULL;
        for (int i = 0; i < pool->count; i++)
            bigger[i] = pool->column[i];
        pool->column = bigger;
        pool->room = room;
    }
    if (c == NULL)
        return NULL;
    c->root = root;
    for (int way = 0; way < FRD_WAYS; way++) {
        c->hang[way] = (short *)(c + 1) + way * m->n;
        memcpy(c->hang[way], hang[way], bytes);
        c->delay_ns += frd_forest_delay(m, way, root, hang[way]);
    }
    pool->column[pool->count++] = c;
    return c;
}

/* ---- few silos: all trees -------------------------------------------------------------------------------------- */

static void insert(list *l, const listed *t)
{
    int i = l->count++;

    for (; i > 0 && l->tree[i - 1].delay_ns > t->delay_ns; i--)
        l->tree[i] = l->tree[i - 1];
    l->tree[i] = *t;
}

/* Counts through all choices of parents, and keeps what is a tree. */
static void list_all(const frd_forest_model *m, int way, int root, list *l)
{
    const int n = m->n;
    int choices = 1;

    for (int v = 0; v < n; v++)
        choices *= v == root ? 1 : n;
    for (int choice = 0; choice < (m->ways[way] ? choices : 1); choice++) {
        listed t = { .hang = { 0 } };
        for (int v = 0, rest = choice; v < n; v++) {
            t.hang[v] = (short)(v == root || !m->ways[way] ? -1 : rest % n);
            rest = v == root ? rest : rest / n;
        }
        t.delay_ns = frd_forest_delay(m, way, root, t.hang);
        if (t.delay_ns >= 0)
            insert(l, &t);
    }
}

static bool list_roots(frd_forest_oracle *o, frd_arena *arena)
{
    enum { TREES = 125 }; /* of LISTED silos and a root: Cayley */
    const int n = o->m->n;

    o->list = frd_arena_alloc(arena, (size_t)n * sizeof *o->list);
    for (int i = 0; o->list != NULL && i < n * FRD_WAYS; i++) {
        list *l = &o->list[i / FRD_WAYS][i % FRD_WAYS];
        l->tree = frd_arena_alloc(arena, TREES * sizeof *l->tree);
        l->best = frd_arena_alloc(arena, TREES * sizeof *l->best);
        l->at = frd_arena_alloc(arena, TREES * sizeof *l->at);
        if (l->tree == NULL || l->best == NULL || l->at == NULL)
            return false;
        if (o->m->root[i / FRD_WAYS])
            list_all(o->m, i % FRD_WAYS, i / FRD_WAYS, l);
    }
    return o->list != NULL;
}

static double cost_of(const frd_forest_oracle *o, int way, const short *hang)
{
    double sum = 0;

    for (int v = 0; v < o->m->n; v++)
        sum += hang[v] >= 0 ? o->cost[way][hang[v] * o->m->n + v] : 0;
    return sum;
}

static void price_list(const frd_forest_oracle *o, int way, list *l)
{
    for (int i = 0; i < l->count; i++) {
        const double cost = cost_of(o, way, l->tree[i].hang);
        const bool better = i == 0 || cost < l->best[i - 1];
        l->best[i] = better ? cost : l->best[i - 1];
        l->at[i] = better ? i : l->at[i - 1];
    }
}

/* The cheapest pair of a way up and a way down within the limit: as one gets longer, the other gets shorter. */
static int ask_lists(frd_forest_oracle *o, double below, double limit_ns, frd_forest_pool *pool)
{
    double best = below;
    int root = -1;
    const short *hang[FRD_WAYS] = { NULL };

    for (int r = 0; r < o->m->n; r++) {
        list *up = &o->list[r][FRD_WAY_UP], *down = &o->list[r][FRD_WAY_DOWN];
        price_list(o, FRD_WAY_UP, up);
        price_list(o, FRD_WAY_DOWN, down);
        for (int i = 0, k = down->count - 1; i < up->count; i++) {
            while (k >= 0 && up->tree[i].delay_ns + down->tree[k].delay_ns > limit_ns)
                k--;
            if (k < 0)
                break;
            if (up->best[i] + down->best[k] >= best)
                continue;
            best = up->best[i] + down->best[k];
            root = r;
            hang[FRD_WAY_UP] = up->tree[up->at[i]].hang;
            hang[FRD_WAY_DOWN] = down->tree[down->at[k]].hang;
        }
    }
    if (root < 0)
        return 0;
    return frd_forest_pool_add(pool, o->m, root, hang) != NULL ? 1 : FEDRDMA_ERR_NOMEM;
}

/* ---- many silos ------------------------------------------------------------------------------------------------ */

static short *shortest_of(const frd_forest_oracle *o, int root, int way)
{
    return &o->shortest[(root * FRD_WAYS + way) * o->m->n];
}

static void find_shortest(frd_forest_oracle *o)
{
    const frd_forest_model *m = o->m;

    for (int r = 0; r < m->n; r++)
        for (int way = 0; way < FRD_WAYS; way++) {
            short *hang = shortest_of(o, r, way);
            for (int v = 0; v < m->n; v++)
                hang[v] = -1;
            o->least[r][way] = m->root[r] ? 0 : -1;
            if (m->root[r] && m->ways[way])
                o->least[r][way] =
                    frd_forest_shortest(m, way, r, hang) ? frd_forest_delay(m, way, r, hang) : -1;
        }
}

/* The cheapest tree of a root that is found within the limit. Returns its delay. */
static double grow(frd_forest_oracle *o, int root, int way, double limit_ns, short *hang)
{
    const frd_forest_model *m = o->m;
    const int n = m->n;
    double delay;

    memcpy(hang, shortest_of(o, root, way), (size_t)n * sizeof *hang);
    if (!m->ways[way])
        return 0;
    for (int i = 0; i < n * n; i++)
        o->open[i] = m->hop[way][i] < 0 || (i / n != root && !m->net->carry[i]) ? -1 : o->cost[way][i];
    short best[FRD_FOREST_SILOS_MAX];
    if (frd_forest_cheapest(o->edmonds, root, o->open, best)) {
        delay = frd_forest_delay(m, way, root, best);
        if (delay >= 0 && delay <= limit_ns) {
            memcpy(hang, best, (size_t)n * sizeof *hang);
            return delay;
        }
    }
    frd_forest_improve(m, way, root, o->cost[way], limit_ns, hang);
    return frd_forest_delay(m, way, root, hang);
}

/* What the root's trees cost at least: every other silo's cheapest parent. */
static double promise(const frd_forest_oracle *o, int root)
{
    double sum = 0;

    for (int way = 0; way < FRD_WAYS; way++)
        for (int v = 0; v < o->m->n; v++)
            sum += v == root || !o->m->ways[way] ? 0 : o->cheapest[way][v];
    return sum;
}

static void find_cheapest(frd_forest_oracle *o)
{
    const int n = o->m->n;

    for (int way = 0; way < FRD_WAYS; way++)
        for (int v = 0; v < n; v++) {
            double best = -1;
            for (int p = 0; p < n; p++)
                if (o->m->hop[way][p * n + v] >= 0 && (best < 0 || o->cost[way][p * n + v] < best))
                    best = o->cost[way][p * n + v];
            o->cheapest[way][v] = best < 0 ? 0 : best;
        }
}

static int ask_root(frd_forest_oracle *o, int r, double below, double limit_ns, frd_forest_pool *pool)
{
    const double spare = limit_ns - o->least[r][FRD_WAY_UP] - o->least[r][FRD_WAY_DOWN];
    const int first = o->turn % 2 == 0 || !o->m->ways[FRD_WAY_DOWN] ? FRD_WAY_UP : FRD_WAY_DOWN;
    const double part = o->m->ways[1 - first] ? spare / 2 : spare;
    short hang[FRD_WAYS][FRD_FOREST_SILOS_MAX];

    if (o->least[r][FRD_WAY_UP] < 0 || o->least[r][FRD_WAY_DOWN] < 0 || spare < 0)
        return 0;
    const double used = grow(o, r, first, o->least[r][first] + part, hang[first]);
    (void)grow(o, r, 1 - first, limit_ns - used, hang[1 - first]);
    if (cost_of(o, FRD_WAY_UP, hang[FRD_WAY_UP]) + cost_of(o, FRD_WAY_DOWN, hang[FRD_WAY_DOWN]) >= below)
        return 0;
    return frd_forest_pool_add(pool, o->m, r, (const short *const[]){ hang[0], hang[1] }) != NULL ? 1
                                                                                                 : FEDRDMA_ERR_NOMEM;
}

/* The roots that promise most and are under the price, then others in turn. */
static int pick_roots(const frd_forest_oracle *o, double below, int *root)
{
    const int n = o->m->n;
    bool used[FRD_FOREST_SILOS_MAX] = { false };
    double sum[FRD_FOREST_SILOS_MAX];
    int count = 0;

    for (int r = 0; r < n; r++) {
        sum[r] = promise(o, r);
        used[r] = !o->m->root[r] || sum[r] >= below;
    }
    for (int k = 0; k < n && count < (n > MANY ? ROOTS : n); k++) {
        int best = -1;
        for (int i = 0; i < n; i++) {
            const int r = count < ROOTS - TURNS || n <= MANY ? i : (i + o->turn * TURNS) % n;
            if (!used[r] && (best < 0 || (sum[r] < sum[best] && (count < ROOTS - TURNS || n <= MANY))))
                best = r;
        }
        if (best < 0)
            break;
        used[best] = true;
        root[count++] = best;
    }
    return count;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

int frd_forest_oracle_make(const frd_forest_model *m, frd_arena *arena, frd_story *story, frd_forest_oracle **oracle)
{
    const size_t n = (size_t)m->n;
    frd_forest_oracle *o = frd_arena_alloc(arena, sizeof *o);
    bool good = o != NULL;

    for (int way = 0; good && way < FRD_WAYS; way++) {
        o->cost[way] = frd_arena_alloc(arena, n * n * sizeof(double));
        o->cheapest[way] = frd_arena_alloc(arena, n * sizeof(double));
        good = o->cost[way] != NULL && o->cheapest[way] != NULL;
    }
    if (good) {
        o->m = m;
        o->open = frd_arena_alloc(arena, n * n * sizeof *o->open);
        o->shortest = frd_arena_alloc(arena, FRD_WAYS * n * n * sizeof *o->shortest);
        o->least = frd_arena_alloc(arena, n * sizeof *o->least);
        o->edmonds = frd_forest_edmonds_make(m->n, arena);
        good = o->open != NULL && o->shortest != NULL && o->least != NULL && o->edmonds != NULL &&
               (m->n > LISTED || list_roots(o, arena));
    }
    if (!good)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", m->n);
    find_shortest(o);
    *oracle = o;
    return FEDRDMA_OK;
}

int frd_forest_oracle_ask(frd_forest_oracle *o, const double *price, double below, double limit_ns,
                          frd_forest_pool *pool)
{
    const int n = o->m->n;
    int root[FRD_FOREST_SILOS_MAX], found = 0;

    for (int from = 0; from < n; from++)
        for (int to = 0; to < n; to++) {
            const double cost = price[from] + price[n + to] + price[2 * n + from * n + to];
            o->cost[FRD_WAY_UP][to * n + from] = cost;
            o->cost[FRD_WAY_DOWN][from * n + to] = cost;
        }
    if (o->list != NULL)
        return ask_lists(o, below, limit_ns, pool);
    find_cheapest(o);
    const int roots = pick_roots(o, below, root);
    for (int i = 0; i < roots; i++) {
        const int rc = ask_root(o, root[i], below, limit_ns, pool);
        if (rc < 0)
            return rc;
        found += rc;
    }
    o->turn++;
    return found;
}
