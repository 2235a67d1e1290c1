/* SPDX-License-Identifier: BSD-3-Clause
 * plan_use.c - what to do with a plan once it is there: is it allowed, is it good enough still, how far
 * is it from what can't be beaten. */
#include "base/num.h"
#include "collectives/cut.h"
#include "collectives/plan_impl.h"
#include "fedrdma.h"

static const struct {
    const char *name, *text;
} forms[] = {
#define ROW(NAME, name, text) { name, text },
    FRD_FOREST_FORMS(ROW)
#undef ROW
};

const char *frd_forest_form_name(int form)
{
    return forms[form].name;
}

const char *frd_forest_form_text(int form)
{
    return forms[form].text;
}

frd_forest_ask frd_forest_allreduce(int silos, size_t bytes, size_t fragment, size_t window)
{
    const size_t longest = frd_silo_fragment(silos, fragment, window);

    return (frd_forest_ask){ .ways = FRD_FOREST_UP | FRD_FOREST_DOWN,
                             .root = -1,
                             .bytes = bytes,
                             .fragment_bytes = longest > 0 ? longest : frd_max_size(bytes, 1) };
}

bool frd_forest_allowed(const frd_forest_net *net, const frd_forest *f)
{
    frd_arena arena = { 0 };
    frd_forest_model m;
    bool good = net->silos == f->silos && frd_forest_model_make(net, &f->ask, &arena, NULL, &m) == FEDRDMA_OK;

    for (int t = 0; good && t < f->count; t++)
        good = m.root[f->tree[t].root] && frd_forest_delay(&m, FRD_WAY_UP, f->tree[t].root, f->tree[t].up) >= 0 &&
               frd_forest_delay(&m, FRD_WAY_DOWN, f->tree[t].root, f->tree[t].down) >= 0;
    frd_arena_free(&arena);
    return good;
}

static bool is_same_ask(const frd_forest_ask *a, const frd_forest_ask *b)
{
    return a->ways == b->ways && a->root == b->root && a->bytes == b->bytes && a->fragment_bytes == b->fragment_bytes;
}

bool frd_forest_keep(const frd_forest_net *net, const frd_forest *old, const frd_forest *fresh)
{
    return old->silos == fresh->silos && is_same_ask(&old->ask, &fresh->ask) && frd_forest_allowed(net, old) &&
           frd_forest_assess(net, old).time_ns <= FRD_FOREST_KEEP * frd_forest_assess(net, fresh).time_ns;
}

/* ---- what can't be beaten -------------------------------------------------------------------------------------- */

/* What a silo can send (or receive) at most, by its cap and its links. */
static double outlet(const frd_forest_model *m, int silo, bool out)
{
    const double cap = m->rate[out ? silo : m->n + silo];
    double sum = 0;

    for (int v = 0; v < m->n; v++) {
        const int link = out ? silo * m->n + v : v * m->n + silo;
        sum += m->hop[FRD_WAY_DOWN][link] >= 0 ? m->rate[2 * m->n + link] : 0;
    }
    return sum < cap ? sum : cap;
}

/* Everybody's data must leave it once unless it is the root of all, to which all must come once; and back. */
static double load_bound(const frd_forest_model *m, int root)
{
    const bool both = m->ways[FRD_WAY_UP] && m->ways[FRD_WAY_DOWN];
    double slowest = 0, sum[2] = { 0, 0 };

    for (int v = 0; v < m->n; v++)
        for (int out = 0; out < 2; out++) {
            const double rate = outlet(m, v, out != 0);
            const int ways = both || (m->ways[FRD_WAY_UP] == (v != root)) == (out != 0) ? 1 : 0;
            sum[out] += rate;
            if (ways > 0 && rate > 0 && 1 / rate > slowest)
                slowest = 1 / rate;
        }
    for (int out = 0; out < 2; out++)
        if (sum[out] > 0 && (m->n - 1) * (both ? 2 : 1) / sum[out] > slowest)
            slowest = (m->n - 1) * (both ? 2 : 1) / sum[out];
    return slowest * m->bytes;
}

static double delay_bound(const frd_forest_model *m)
{
    double least = -1;
    short hang[FRD_FOREST_SILOS_MAX];

    for (int r = 0; r < m->n && m->uniform; r++) {
        double sum = m->root[r] ? 0 : -1;
        for (int way = 0; way < FRD_WAYS && sum >= 0; way++)
            if (m->ways[way])
                sum = frd_forest_shortest(m, way, r, hang) ? sum + frd_forest_delay(m, way, r, hang) : -1;
        if (sum >= 0 && (least < 0 || sum < least))
            least = sum;
    }
    return least < 0 ? 0 : least;
}

double frd_forest_bound_ns(const frd_forest_net *net, const frd_forest_ask *ask)
{
    frd_arena arena = { 0 };
    frd_forest_model m;
    double bound = 0;

    if (net->silos > 1 && frd_forest_model_make(net, ask, &arena, NULL, &m) == FEDRDMA_OK)
        bound = load_bound(&m, ask->root) + delay_bound(&m);
    frd_arena_free(&arena);
    return bound;
}
