/* SPDX-License-Identifier: BSD-3-Clause
 * plan_tree.c - single trees: may they be, how long are they, the shortest, and cheaper ones within a limit. Policy is
 * looked up while a tree grows from its root, when all that will stand above a silo is known. */
#include "collectives/plan_impl.h"

bool frd_forest_may_hang(const frd_forest_model *m, int way, const short *hang, int root, int parent, int child)
{
    if (m->hop[way][parent * m->n + child] < 0)
        return false;
    for (int a = parent; a != root; a = hang[a])
        if (!m->net->carry[a * m->n + child])
            return false;
    return true;
}

/* Dijkstra's algorithm. */
bool frd_forest_shortest(const frd_forest_model *m, int way, int root, short *hang)
{
    const int n = m->n;
    double far[FRD_FOREST_SILOS_MAX];
    bool done[FRD_FOREST_SILOS_MAX] = { false };

    for (int v = 0; v < n; v++) {
        hang[v] = -1;
        far[v] = -1;
    }
    far[root] = 0;
    for (int round = 0; round < n; round++) {
        int p = -1;
        for (int v = 0; v < n; v++)
            if (!done[v] && far[v] >= 0 && (p < 0 || far[v] < far[p]))
                p = v;
        if (p < 0)
            return false;
        done[p] = true;
        for (int v = 0; v < n; v++) {
            const double way_on = far[p] + m->hop[way][p * n + v];
            if (done[v] || (far[v] >= 0 && far[v] <= way_on) || !frd_forest_may_hang(m, way, hang, root, p, v))
                continue;
            far[v] = way_on;
            hang[v] = (short)p;
        }
    }
    return true;
}

double frd_forest_delay(const frd_forest_model *m, int way, int root, const short *hang)
{
    const int n = m->n;
    double most = 0;

    if (!m->ways[way])
        return 0;
    for (int v = 0; v < n; v++) {
        double sum = 0;
        int steps = 0;
        for (int c = v; c != root; c = hang[c]) {
            const int p = hang[c];
            if (p < 0 || steps++ == n || m->hop[way][p * n + c] < 0)
                return -1;
            if (p != root && !m->net->carry[p * n + v])
                return -1;
            sum += m->hop[way][p * n + c];
        }
        most = sum > most ? sum : most;
    }
    return hang[root] == -1 ? most : -1;
}

typedef struct shape {
    double depth[FRD_FOREST_SILOS_MAX], height[FRD_FOREST_SILOS_MAX];
} shape;

/* Depths and heights, each by walking up. */
static void measure(const frd_forest_model *m, int way, int root, const short *hang, shape *s)
{
    const double *hop = m->hop[way];

    for (int v = 0; v < m->n; v++)
        s->height[v] = 0;
    for (int v = 0; v < m->n; v++) {
        double sum = 0;
        for (int c = v; c != root; c = hang[c]) {
            sum += hop[hang[c] * m->n + c];
            if (sum > s->height[hang[c]])
                s->height[hang[c]] = sum;
        }
        s->depth[v] = sum;
    }
}

/* Is v, or is it above, p? */
static bool is_above(const short *hang, int v, int p)
{
    while (p >= 0 && p != v)
        p = hang[p];
    return p == v;
}

/* The cheapest parent for v within the limit: its own, or another. */
static int best_parent(const frd_forest_model *m, int way, int root, const double *cost, double limit_ns, short *hang,
                       const shape *s, int v)
{
    const int n = m->n, old = hang[v];
    int best = old;

    for (int p = 0; p < n; p++) {
        if (p == old || m->hop[way][p * n + v] < 0 || cost[p * n + v] >= cost[best * n + v] ||
            s->depth[p] + m->hop[way][p * n + v] + s->height[v] > limit_ns || is_above(hang, v, p))
            continue;
        hang[v] = (short)p;
        if (m->uniform ? frd_forest_may_hang(m, way, hang, root, p, v) : frd_forest_delay(m, way, root, hang) >= 0)
            best = p;
        hang[v] = (short)old;
    }
    return best;
}

void frd_forest_improve(const frd_forest_model *m, int way, int root, const double *cost, double limit_ns, short *hang)
{
    enum { PASSES = 6 }; /* hardly a tree changes in a later one */
    shape s;
    bool moved = true;

    measure(m, way, root, hang, &s);
    for (int pass = 0; pass < PASSES && moved; pass++) {
        moved = false;
        for (int v = 0; v < m->n; v++) {
            const int p = v == root ? -1 : best_parent(m, way, root, cost, limit_ns, hang, &s, v);
            if (p < 0 || p == hang[v])
                continue;
            hang[v] = (short)p;
            measure(m, way, root, hang, &s);
            moved = true;
        }
    }
}
