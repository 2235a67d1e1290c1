/* SPDX-License-Identifier: BSD-3-Clause
 * plan_pack.c - how much can flow at once through trees that share links and caps: the most of sum x, where for each
 * resource e the sum of load(e, tree) x(tree) is at most rate(e). All data at that rate is the plan's load.
 *
 * A linear program with few rows that bind and more columns than can be written down: the simplex method (Dantzig)
 * on the rows that bind and the trees that flow, as many of both (a working basis), columns as the oracle finds them at
 * the rows' prices (Dantzig and Wolfe, 1960). It starts from nothing flowing; the basis is factored anew at each step,
 * so that no error builds up. Rates get a tiny bit each, so that no two rows bind at once by chance. */
#include <string.h>

#include "collectives/plan_impl.h"
#include "fedrdma.h"

#define TINY 1e-9   /* of numbers that should be 0 */
#define ENOUGH 0.005 /* who finds no tree that is so much cheaper is done */
enum { STEPS_FEW = 600, STEPS_MANY = 260, MANY = 16, BASIS_MAX = 400 };

typedef struct packing {
    const frd_forest_model *m;
    frd_forest_pool *pool;
    double limit_ns;
    int k;            /* rows that bind, trees that flow */
    int room;
    int *row, *tree;
    double *x;        /* flow of each tree */
    double *matrix;   /* k x k, factored */
    int *swap;
    double *y, *w, *v; /* by row or tree of the basis */
    double *rate;     /* by resource, with its tiny bit */
    double *load, *change, *price, *column; /* by resource */
} packing;

static double tiny_bit(int i)
{
    return 1e-7 * ((double)(((uint32_t)i + 1u) * 2654435769u) / 4294967296.0);
}

static bool prepare(packing *p)
{
    const size_t n = (size_t)p->m->resources, room = (size_t)p->room;
    frd_arena *a = &p->pool->arena;
    double **const by_resource[] = { &p->rate, &p->load, &p->change, &p->price, &p->column };
    double **const by_basis[] = { &p->x, &p->y, &p->w, &p->v };

    for (size_t i = 0; i < sizeof by_resource / sizeof by_resource[0]; i++)
        if ((*by_resource[i] = frd_arena_alloc(a, n * sizeof(double))) == NULL)
            return false;
    for (size_t i = 0; i < sizeof by_basis / sizeof by_basis[0]; i++)
        if ((*by_basis[i] = frd_arena_alloc(a, room * sizeof(double))) == NULL)
            return false;
    p->matrix = frd_arena_alloc(a, room * room * sizeof *p->matrix);
    p->row = frd_arena_alloc(a, room * sizeof *p->row);
    p->tree = frd_arena_alloc(a, room * sizeof *p->tree);
    p->swap = frd_arena_alloc(a, room * sizeof *p->swap);
    for (int i = 0; i < p->m->resources; i++)
        p->rate[i] = p->m->rate[i] * (1 + tiny_bit(i));
    return p->matrix != NULL && p->row != NULL && p->tree != NULL && p->swap != NULL;
}

static void load_tree(const packing *p, int tree, double amount, double *load)
{
    const frd_forest_column *c = p->pool->column[tree];

    frd_forest_load(p->m, (const short *const[]){ c->hang[0], c->hang[1] }, amount, load);
}

static void clear(const packing *p, double *by_resource)
{
    memset(by_resource, 0, (size_t)p->m->resources * sizeof *by_resource);
}

/* ---- the basis ------------------------------------------------------------------------------------------------- */

/* Gaussian elimination with row exchanges. false: singular. */
static bool factor(packing *p)
{
    const int k = p->k;
    double *a = p->matrix;

    for (int c = 0; c < k; c++) {
        load_tree(p, p->tree[c], 1, p->column);
        for (int r = 0; r < k; r++)
            a[r * k + c] = p->column[p->row[r]];
        clear(p, p->column);
    }
    for (int c = 0; c < k; c++) {
        int best = c;
        for (int r = c + 1; r < k; r++) {
            const double mine = a[r * k + c] < 0 ? -a[r * k + c] : a[r * k + c];
            const double top = a[best * k + c] < 0 ? -a[best * k + c] : a[best * k + c];
            best = mine > top ? r : best;
        }
        p->swap[c] = best;
        for (int i = 0; i < k && best != c; i++) {
            const double keep = a[c * k + i];
            a[c * k + i] = a[best * k + i];
            a[best * k + i] = keep;
        }
        if (a[c * k + c] > -TINY && a[c * k + c] < TINY)
            return false;
        for (int r = c + 1; r < k; r++) {
            const double f = a[r * k + c] / a[c * k + c];
            a[r * k + c] = f;
            for (int i = c + 1; i < k && f != 0; i++)
                a[r * k + i] -= f * a[c * k + i];
        }
    }
    return true;
}

/* B v = v: by rows of the basis before, by trees after. */
static void solve(const packing *p, double *v)
{
    const int k = p->k;
    const double *a = p->matrix;

    for (int c = 0; c < k; c++) {
        const double keep = v[c];
        v[c] = v[p->swap[c]];
        v[p->swap[c]] = keep;
    }
    for (int r = 0; r < k; r++)
        for (int i = 0; i < r; i++)
            v[r] -= a[r * k + i] * v[i];
    for (int r = k - 1; r >= 0; r--) {
        for (int i = r + 1; i < k; i++)
            v[r] -= a[r * k + i] * v[i];
        v[r] /= a[r * k + r];
    }
}

/* v B = v: by trees before, by rows after. */
static void solve_left(const packing *p, double *v)
{
    const int k = p->k;
    const double *a = p->matrix;

    for (int c = 0; c < k; c++) {
        for (int i = 0; i < c; i++)
            v[c] -= v[i] * a[i * k + c];
        v[c] /= a[c * k + c];
    }
    for (int c = k - 1; c >= 0; c--)
        for (int i = c + 1; i < k; i++)
            v[c] -= v[i] * a[i * k + c];
    for (int c = k - 1; c >= 0; c--) {
        const double keep = v[c];
        v[c] = v[p->swap[c]];
        v[p->swap[c]] = keep;
    }
}

/* ---- a step ---------------------------------------------------------------------------------------------------- */

/* Flows, loads and prices of the basis. false: it is singular. */
static bool settle(packing *p)
{
    if (!factor(p))
        return false;
    for (int i = 0; i < p->k; i++) {
        p->x[i] = p->rate[p->row[i]];
        p->y[i] = 1;
    }
    solve(p, p->x);
    solve_left(p, p->y);
    clear(p, p->load);
    clear(p, p->price);
    for (int i = 0; i < p->k; i++) {
        p->x[i] = p->x[i] > 0 ? p->x[i] : 0;
        load_tree(p, p->tree[i], p->x[i], p->load);
        p->price[p->row[i]] = p->y[i] > 0 ? p->y[i] : 0;
    }
    return true;
}

/* The row whose price is most below 0; -1: none. It should not bind. */
static int loose_row(const packing *p)
{
    int worst = -1;
    double least = -TINY;

    for (int i = 0; i < p->k; i++) {
        const double worth = p->y[i] * p->rate[p->row[i]];
        if (worth < least) {
            least = worth;
            worst = i;
        }
    }
    return worst;
}

/* The tree of the pool, from `first` on, that costs least, if that is less than `below`. */
static int cheap_tree(const packing *p, int first, double below)
{
    int best = -1;

    for (int i = first; i < p->pool->count; i++) {
        const frd_forest_column *c = p->pool->column[i];
        if (c->delay_ns > p->limit_ns)
            continue;
        const double cost = frd_forest_price(p->m, c, p->price);
        if (cost < below) {
            below = cost;
            best = i;
        }
    }
    return best;
}

/* Who ends the change: a tree that stops flowing (an index of the basis), or a row that binds now (resource). */
typedef struct leaving {
    int tree, row;
} leaving;

/* `w` is what each flow loses, and `change` what each load gains, for one unit of what enters. */
static leaving leave(const packing *p)
{
    leaving l = { -1, -1 };
    double most = -1;

    for (int i = 0; i < p->k; i++) {
        if (p->w[i] <= TINY || (most >= 0 && p->x[i] >= most * p->w[i]))
            continue;
        most = p->x[i] / p->w[i];
        l.tree = i;
    }
    for (int i = 0; i < p->k; i++)
        p->change[p->row[i]] = 0;
    for (int r = 0; r < p->m->resources; r++) {
        const double room = p->rate[r] - p->load[r];
        if (p->change[r] <= TINY || (most >= 0 && room >= most * p->change[r]))
            continue;
        most = room > 0 ? room / p->change[r] : 0;
        l = (leaving){ -1, r };
    }
    return l;
}

static void drop(packing *p, int row, int tree)
{
    p->k--;
    for (int i = row; i < p->k; i++)
        p->row[i] = p->row[i + 1];
    for (int i = tree; i < p->k; i++)
        p->tree[i] = p->tree[i + 1];
}

/* One change of the basis: `tree` starts to flow, or the row `loose` of the basis does not bind any more. false: the
 * basis is full. */
static bool step(packing *p, int tree, int loose)
{
    clear(p, p->change);
    if (loose < 0)
        load_tree(p, tree, 1, p->change);
    for (int i = 0; i < p->k; i++)
        p->w[i] = loose < 0 ? p->change[p->row[i]] : i == loose ? 1 : 0;
    solve(p, p->w);
    for (int i = 0; i < p->k; i++)
        load_tree(p, p->tree[i], -p->w[i], p->change);
    const leaving l = leave(p);
    if (l.tree >= 0 && loose < 0) {
        p->tree[l.tree] = tree;
    } else if (l.tree >= 0) {
        drop(p, loose, l.tree);
    } else if (l.row < 0 || (loose < 0 && p->k == p->room)) {
        return false;
    } else if (loose >= 0) {
        p->row[loose] = l.row;
    } else {
        p->row[p->k] = l.row;
        p->tree[p->k++] = tree;
    }
    return true;
}

/* What enters next: a tree of the pool, or one that the oracle finds now. -1: none; or a negative error below that. */
static int next_tree(packing *p, frd_forest_oracle *oracle)
{
    const int known = p->pool->count;
    int tree = cheap_tree(p, 0, 1 - ENOUGH / 2);

    if (tree >= 0 || oracle == NULL)
        return tree;
    const int found = frd_forest_oracle_ask(oracle, p->price, 1 - ENOUGH, p->limit_ns, p->pool);
    if (found < 0)
        return found - 1;
    tree = found > 0 ? cheap_tree(p, known, 1 - ENOUGH) : -1;
    return tree;
}

static int run(packing *p, frd_forest_oracle *oracle)
{
    const int steps = p->m->n > MANY ? STEPS_MANY : STEPS_FEW;

    for (int i = 0; i < steps && settle(p); i++) {
        const int loose = loose_row(p), tree = loose >= 0 ? -1 : next_tree(p, oracle);
        if (tree < -1)
            return tree + 1;
        if ((loose < 0 && tree < 0) || !step(p, tree, loose))
            break;
    }
    return FEDRDMA_OK;
}

/* The flows, scaled so that no rate is exceeded. */
static void report(packing *p, frd_forest_flow *flow)
{
    flow->count = 0;
    flow->sum = 0;
    for (int i = 0; i < p->k; i++) {
        if (p->x[i] <= 0)
            continue;
        flow->column[flow->count] = p->tree[i];
        flow->rate[flow->count++] = p->x[i];
        flow->sum += p->x[i];
    }
}

int frd_forest_pack(const frd_forest_model *m, frd_forest_pool *pool, frd_forest_oracle *oracle, double limit_ns,
                    frd_story *story, frd_forest_flow *flow)
{
    const int most = m->resources < BASIS_MAX ? m->resources : BASIS_MAX;
    packing p = { .m = m, .pool = pool, .limit_ns = limit_ns, .room = most };

    flow->column = frd_arena_alloc(&pool->arena, (size_t)most * sizeof *flow->column);
    flow->rate = frd_arena_alloc(&pool->arena, (size_t)most * sizeof *flow->rate);
    if (flow->column == NULL || flow->rate == NULL || !prepare(&p))
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", m->n);
    const int rc = run(&p, oracle);
    if (rc != FEDRDMA_OK)
        return frd_fail(story, rc, "no memory to plan for %d silos", m->n);
    report(&p, flow);
    return FEDRDMA_OK;
}
