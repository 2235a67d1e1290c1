/* SPDX-License-Identifier: BSD-3-Clause
 * plan_brute.c - the best forest by brute force: all rooted trees of at most 5 silos, both ways in all pairs, are the
 * columns of a linear program, which a simplex method with a dense inverse solves for a limit of delay. No forest with
 * a delay above `lo` and at most `hi` is faster than lo + the load for `hi`: intervals are halved until that says
 * enough. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "plan_nets.h"

enum { N = 5, TREES = 125, ROWS = N * N + 2 * N, STEPS = 3000 };

typedef struct tree {
    signed char parent[N];
    double delay;
    double load[ROWS];
} tree;

typedef struct brute {
    const net *n;
    int silos, rows;
    double rate[ROWS];
    tree *tree[N][2];
    int count[N][2];
    double best, low; /* the least time found; the least that is possible */
    bool any;
} brute;

static double rate_of(uint64_t bps)
{
    return (double)(bps == 0 ? FRD_FOREST_RATE_MAX : bps) / 8e9;
}

static double hop(const brute *b, int from, int to)
{
    const size_t silos = (size_t)b->silos, part = (b->n->ask.bytes + silos - 1) / silos;
    const double bytes = (double)(part < b->n->ask.fragment_bytes ? part : b->n->ask.fragment_bytes);
    double rate = b->rate[from * b->silos + to];

    rate = b->rate[b->silos * b->silos + from] < rate ? b->rate[b->silos * b->silos + from] : rate;
    rate = b->rate[b->silos * b->silos + N + to] < rate ? b->rate[b->silos * b->silos + N + to] : rate;
    return (double)b->n->link[from * b->silos + to].delay_ns + bytes / rate;
}

/* Is the choice of parents a tree that may be? Its loads and delay, if it is. */
static bool measure(const brute *b, int root, int way, tree *t)
{
    const int s = b->silos;

    memset(t->load, 0, sizeof t->load);
    t->delay = 0;
    for (int v = 0; v < s && (b->n->ask.ways & (1u << way)) != 0; v++) {
        double far = 0;
        int steps = 0;
        for (int c = v; c != root; c = t->parent[c]) {
            const int p = t->parent[c], from = way == 0 ? c : p, to = way == 0 ? p : c;
            if (p == c || ++steps > s || !b->n->link[from * s + to].talk || (p != root && !b->n->carry[p * s + v]))
                return false;
            far += hop(b, from, to);
        }
        t->delay = far > t->delay ? far : t->delay;
        if (v == root)
            continue;
        const int from = way == 0 ? v : t->parent[v], to = way == 0 ? t->parent[v] : v;
        t->load[from * s + to]++;
        t->load[s * s + from]++;
        t->load[s * s + N + to]++;
    }
    return true;
}

static void list(brute *b, int root, int way)
{
    int choices = 1;

    b->tree[root][way] = calloc(TREES, sizeof(tree));
    if (!b->n->silo[root].root || (b->n->ask.root >= 0 && b->n->ask.root != root))
        return;
    for (int v = 1; v < b->silos; v++)
        choices *= b->silos;
    for (int c = 0; c < ((b->n->ask.ways & (1u << way)) != 0 ? choices : 1); c++) {
        tree t = { .parent = { 0 } };
        for (int v = 0, rest = c; v < b->silos; v++) {
            if (v == root)
                continue;
            t.parent[v] = (signed char)(rest % b->silos);
            rest /= b->silos;
        }
        if (measure(b, root, way, &t))
            b->tree[root][way][b->count[root][way]++] = t;
    }
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The cheapest pair within the limit. */
static double price(const brute *b, const double *y, double limit, double *column, double *delay)
{
    double best = DBL_MAX, cost[2][TREES];

    for (int r = 0; r < b->silos; r++) {
        for (int way = 0; way < 2; way++)
            for (int i = 0; i < b->count[r][way]; i++)
                cost[way][i] = dot(y, b->tree[r][way][i].load, b->rows);
        for (int i = 0; i < b->count[r][0]; i++)
            for (int k = 0; k < b->count[r][1]; k++) {
                const tree *up = &b->tree[r][0][i], *down = &b->tree[r][1][k];
                if (cost[0][i] + cost[1][k] >= best || up->delay + down->delay > limit)
                    continue;
                best = cost[0][i] + cost[1][k];
                *delay = up->delay + down->delay;
                for (int e = 0; e < b->rows; e++)
                    column[e] = up->load[e] + down->load[e];
            }
    }
    return best;
}

typedef struct lp {
    double inverse[ROWS][ROWS], x[ROWS], worth[ROWS], delay[ROWS];
    double y[ROWS], column[ROWS], w[ROWS];
} lp;

static bool pivot(const brute *b, lp *p, double worth, double delay)
{
    int out = -1;

    for (int i = 0; i < b->rows; i++) {
        p->w[i] = dot(p->inverse[i], p->column, b->rows);
        if (p->w[i] > 1e-9 && (out < 0 || p->x[i] * p->w[out] < p->x[out] * p->w[i]))
            out = i;
    }
    if (out < 0)
        return false;
    const double by = p->w[out];
    p->x[out] /= by;
    for (int e = 0; e < b->rows; e++)
        p->inverse[out][e] /= by;
    for (int i = 0; i < b->rows; i++) {
        if (i == out || p->w[i] == 0)
            continue;
        p->x[i] -= p->w[i] * p->x[out];
        for (int e = 0; e < b->rows; e++)
            p->inverse[i][e] -= p->w[i] * p->inverse[out][e];
    }
    p->worth[out] = worth;
    p->delay[out] = delay;
    return true;
}

/* The least load within the limit, from below; and the delay of a forest that has about that. DBL_MAX: no tree. */
static double solve(const brute *b, double limit, double *delay)
{
    lp *p = calloc(1, sizeof *p);
    double flow = 0, cheapest = 0;

    for (int i = 0; i < b->rows; i++) {
        p->inverse[i][i] = 1;
        p->x[i] = b->rate[i] * (1 + 1e-8 * (i + 1)); /* against ties */
    }
    for (int step = 0; step < STEPS; step++) {
        double enter_delay = 0;
        int loose = -1;
        for (int e = 0; e < b->rows; e++) {
            p->y[e] = 0;
            for (int i = 0; i < b->rows; i++)
                p->y[e] += p->worth[i] * p->inverse[i][e];
            if (p->y[e] * b->rate[e] < -1e-9 && (loose < 0 || p->y[e] * b->rate[e] < p->y[loose] * b->rate[loose]))
                loose = e;
        }
        flow = dot(p->worth, p->x, b->rows);
        cheapest = loose >= 0 ? 0 : price(b, p->y, limit, p->column, &enter_delay);
        if (cheapest > 1 - 1e-6)
            break;
        for (int e = 0; e < b->rows && loose >= 0; e++)
            p->column[e] = e == loose;
        if (!pivot(b, p, loose >= 0 ? 0 : 1, enter_delay))
            break;
    }
    *delay = 0;
    for (int i = 0; i < b->rows; i++)
        if (p->worth[i] > 0 && p->x[i] > 1e-12 && p->delay[i] > *delay)
            *delay = p->delay[i];
    free(p);
    if (cheapest == DBL_MAX && flow <= 0)
        return DBL_MAX;
    return (double)b->n->ask.bytes / flow;
}

/* Forests with a delay above `lo` and at most `hi`, for whose load is `load`. */
static void between(brute *b, double lo, double hi, double load, double gap)
{
    const double middle = (lo + hi) / 2;
    double delay;

    if (load + lo >= (1 - gap) * b->best || middle <= lo || middle >= hi) {
        b->low = load + lo < b->low ? load + lo : b->low;
        return;
    }
    const double less = solve(b, middle, &delay);
    if (less < DBL_MAX) {
        b->best = less + delay < b->best ? less + delay : b->best;
        between(b, lo, middle, less, gap);
    }
    between(b, middle, hi, load, gap);
}

/* The shortest delay of all pairs of trees. */
static double shortest(brute *b)
{
    double least = DBL_MAX;

    for (int r = 0; r < b->silos; r++)
        for (int i = 0; i < b->count[r][0]; i++)
            for (int k = 0; k < b->count[r][1]; k++) {
                const double delay = b->tree[r][0][i].delay + b->tree[r][1][k].delay;
                least = delay < least ? delay : least;
                b->any = true;
            }
    return least;
}

bool brute_best(const net *n, double known, double gap, double *low, double *high)
{
    const int s = n->net.silos;
    brute b = { .n = n, .silos = s, .rows = s * s + 2 * N, .best = known, .low = DBL_MAX };
    double delay;

    for (int i = 0; i < ROWS; i++)
        b.rate[i] = rate_of(0);
    for (int i = 0; i < s; i++) {
        b.rate[s * s + i] = rate_of(n->silo[i].egress_bps);
        b.rate[s * s + N + i] = rate_of(n->silo[i].ingress_bps);
        for (int k = 0; k < s; k++)
            b.rate[i * s + k] = rate_of(n->link[i * s + k].rate_bps);
    }
    for (int r = 0; r < s; r++)
        for (int way = 0; way < 2; way++)
            list(&b, r, way);
    const double least = shortest(&b);
    if (b.any && n->ask.bytes == 0) {
        b.best = b.low = least;
    } else if (b.any) {
        const double load = solve(&b, DBL_MAX, &delay);
        b.best = load + delay < b.best ? load + delay : b.best;
        between(&b, least, delay, load, gap);
        b.low = b.low < load + delay ? b.low : load + delay; /* longer ones carry no more */
    }
    for (int r = 0; r < s; r++)
        for (int way = 0; way < 2; way++)
            free(b.tree[r][way]);
    *low = b.low;
    *high = b.best;
    return b.any;
}
