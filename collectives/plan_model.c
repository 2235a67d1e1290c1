/* SPDX-License-Identifier: BSD-3-Clause
 * plan_model.c - the net of a question as numbers, and what a forest costs on it (the model is told in plan.h). */
#include <float.h>

#include "base/num.h"
#include "collectives/plan_impl.h"
#include "fedrdma.h"

_Static_assert(FLT_EVAL_METHOD == 0, "plans are the same on all machines only where doubles are computed as such");
_Static_assert((int)FRD_FOREST_SILOS_MAX >= (int)FRD_SILOS_MAX, "every topology can be planned for");

static int check_ask(const frd_forest_net *net, const frd_forest_ask *ask, frd_story *story)
{
    const unsigned both = FRD_FOREST_UP | FRD_FOREST_DOWN;

    if (net->silos < 1 || net->silos > FRD_FOREST_SILOS_MAX)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "a plan for %d silos; give 1 to %d", net->silos,
                        FRD_FOREST_SILOS_MAX);
    if (ask->ways == 0 || (ask->ways & ~both) != 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "a plan for the ways %u; give up, down, or both", ask->ways);
    if (ask->root >= net->silos || (ask->root < 0 && (ask->root != -1 || ask->ways != both)))
        return frd_fail(story, FEDRDMA_ERR_INVALID, "a plan for root %d among %d silos; name one of them", ask->root,
                        net->silos);
    if (ask->root >= 0 && !net->silo[ask->root].root)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "silo %d may not be a root; name another one", ask->root);
    if (ask->bytes > FRD_FOREST_BYTES_MAX || ask->fragment_bytes == 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "a plan for %zu bytes in fragments of %zu; give at most 2^50, "
                        "and at least 1 a fragment", ask->bytes, ask->fragment_bytes);
    return FEDRDMA_OK;
}

static int check_net(const frd_forest_net *net, frd_story *story)
{
    for (int i = 0; i < net->silos; i++) {
        if (net->silo[i].egress_bps > FRD_FOREST_RATE_MAX || net->silo[i].ingress_bps > FRD_FOREST_RATE_MAX)
            return frd_fail(story, FEDRDMA_ERR_INVALID, "silo %d has a cap above 2^50 bit/s; give 0 for none", i);
        for (int k = 0; k < net->silos; k++) {
            const frd_forest_link *l = &net->link[i * net->silos + k];
            if (i == k || !l->talk)
                continue;
            if (l->rate_bps > FRD_FOREST_RATE_MAX)
                return frd_fail(story, FEDRDMA_ERR_INVALID,
                                "the link from silo %d to %d has a rate above 2^50 bit/s; give 0 for no cap", i, k);
            if (l->delay_ns > FRD_FOREST_DELAY_MAX)
                return frd_fail(story, FEDRDMA_ERR_INVALID, "the link from silo %d to %d takes more than an hour", i,
                                k);
        }
    }
    return FEDRDMA_OK;
}

static double bytes_per_ns(uint64_t bps)
{
    return (double)(bps != 0 ? bps : FRD_FOREST_RATE_MAX) / 8e9;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static size_t fragment_of(const frd_forest_net *net, const frd_forest_ask *ask)
{
    const size_t n = (size_t)net->silos, part = ask->bytes / n + (ask->bytes % n != 0 ? 1 : 0);

    return frd_min_size(ask->fragment_bytes, part);
}

static double rate_of(const frd_forest_net *net, int resource)
{
    const int n = net->silos, link = resource - 2 * n;

    if (resource < n)
        return bytes_per_ns(net->silo[resource].egress_bps);
    if (resource < 2 * n)
        return bytes_per_ns(net->silo[resource - n].ingress_bps);
    return bytes_per_ns(net->link[link].rate_bps);
}

/* What a hop costs; below 0: it may not be. */
static double hop_of(const frd_forest_net *net, double fragment_bytes, int from, int to)
{
    const frd_forest_link *l = &net->link[from * net->silos + to];
    const double caps = least(bytes_per_ns(net->silo[from].egress_bps), bytes_per_ns(net->silo[to].ingress_bps));

    if (from == to || !l->talk)
        return -1;
    return (double)l->delay_ns + fragment_bytes / least(caps, bytes_per_ns(l->rate_bps));
}

int frd_forest_model_make(const frd_forest_net *net, const frd_forest_ask *ask, frd_arena *arena, frd_story *story,
                          frd_forest_model *m)
{
    int rc = check_ask(net, ask, story);
    if (rc == FEDRDMA_OK)
        rc = check_net(net, story);
    if (rc != FEDRDMA_OK)
        return rc;
    const int n = net->silos;
    const size_t cells = (size_t)n * (size_t)n;

    *m = (frd_forest_model){ .net = net, .n = n, .resources = 2 * n + n * n, .uniform = true };
    m->ways[FRD_WAY_UP] = (ask->ways & FRD_FOREST_UP) != 0;
    m->ways[FRD_WAY_DOWN] = (ask->ways & FRD_FOREST_DOWN) != 0;
    m->bytes = (double)ask->bytes;
    m->fragment_bytes = (double)fragment_of(net, ask);
    m->rate = frd_arena_alloc(arena, (size_t)m->resources * sizeof *m->rate);
    m->hop[FRD_WAY_UP] = frd_arena_alloc(arena, cells * sizeof(double));
    m->hop[FRD_WAY_DOWN] = frd_arena_alloc(arena, cells * sizeof(double));
    m->root = frd_arena_alloc(arena, (size_t)n * sizeof *m->root);
    if (m->rate == NULL || m->hop[FRD_WAY_UP] == NULL || m->hop[FRD_WAY_DOWN] == NULL || m->root == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to plan for %d silos", n);
    for (int i = 0; i < m->resources; i++)
        m->rate[i] = rate_of(net, i);
    for (int i = 0; i < n; i++) {
        m->root[i] = ask->root < 0 ? net->silo[i].root : i == ask->root;
        for (int k = 0, one = -1; k < n; k++) {
            m->hop[FRD_WAY_UP][k * n + i] = hop_of(net, m->fragment_bytes, i, k);
            m->hop[FRD_WAY_DOWN][i * n + k] = hop_of(net, m->fragment_bytes, i, k);
            if (k == i)
                continue;
            m->uniform = m->uniform && (one < 0 || one == net->carry[i * n + k]);
            one = net->carry[i * n + k];
        }
    }
    return FEDRDMA_OK;
}

/* ---- costs ----------------------------------------------------------------------------------------------------- */

void frd_forest_load(const frd_forest_model *m, const short *const hang[FRD_WAYS], double amount, double *load)
{
    const int n = m->n;

    for (int way = 0; way < FRD_WAYS; way++)
        for (int v = 0; v < n; v++) {
            const int p = hang[way][v], from = way == FRD_WAY_UP ? v : p, to = way == FRD_WAY_UP ? p : v;
            if (p < 0)
                continue;
            load[from] += amount;
            load[n + to] += amount;
            load[2 * n + from * n + to] += amount;
        }
}

double frd_forest_price(const frd_forest_model *m, const frd_forest_column *c, const double *price)
{
    const int n = m->n;
    double sum = 0;

    for (int way = 0; way < FRD_WAYS; way++)
        for (int v = 0; v < n; v++) {
            const int p = c->hang[way][v], from = way == FRD_WAY_UP ? v : p, to = way == FRD_WAY_UP ? p : v;
            if (p >= 0)
                sum += price[from] + price[n + to] + price[2 * n + from * n + to];
        }
    return sum;
}

static double cell_load(const frd_forest *f, const uint64_t *weight, int resource)
{
    return (double)f->ask.bytes * ((double)weight[resource] / (double)f->weights);
}

/* Weights are whole numbers, so their sums are exact in any order. */
static void weigh(const frd_forest *f, uint64_t *weight)
{
    const int n = f->silos;

    for (int t = 0; t < f->count; t++)
        for (int way = 0; way < FRD_WAYS; way++) {
            const short *hang = way == FRD_WAY_UP ? f->tree[t].up : f->tree[t].down;
            for (int v = 0; v < n; v++) {
                const int p = hang[v], from = way == FRD_WAY_UP ? v : p, to = way == FRD_WAY_UP ? p : v;
                if (p < 0)
                    continue;
                weight[from] += f->tree[t].weight;
                weight[n + to] += f->tree[t].weight;
                weight[2 * n + from * n + to] += f->tree[t].weight;
            }
        }
}

/* The longest way of a tree that is one. */
static double longest(const frd_forest *f, const frd_forest_net *net, const short *hang, int way)
{
    double most = 0;

    for (int v = 0; v < f->silos; v++) {
        double sum = 0;
        for (int c = v; hang[c] >= 0; c = hang[c])
            sum += way == FRD_WAY_UP ? hop_of(net, (double)f->fragment_bytes, c, hang[c])
                                     : hop_of(net, (double)f->fragment_bytes, hang[c], c);
        most = sum > most ? sum : most;
    }
    return most;
}

static void find_limit(const frd_forest *f, int resource, frd_forest_cost *cost)
{
    const int n = f->silos, link = resource - 2 * n;

    cost->limit = resource < n ? FRD_FOREST_EGRESS : resource < 2 * n ? FRD_FOREST_INGRESS : FRD_FOREST_LINK;
    cost->from = resource < n ? resource : resource < 2 * n ? -1 : link / n;
    cost->to = resource < n ? -1 : resource < 2 * n ? resource - n : link % n;
}

frd_forest_cost frd_forest_assess(const frd_forest_net *net, const frd_forest *f)
{
    frd_forest_cost cost = { .limit = FRD_FOREST_NOTHING, .from = -1, .to = -1 };
    uint64_t *weight = frd_calloc((size_t)(f->silos * f->silos + 2 * f->silos), sizeof *weight);

    if (weight == NULL) {
        cost.time_ns = cost.load_ns = DBL_MAX; /* nobody takes such a plan */
        return cost;
    }
    weigh(f, weight);
    for (int r = 0; r < f->silos * f->silos + 2 * f->silos; r++) {
        const double ns = weight[r] == 0 ? 0 : cell_load(f, weight, r) / rate_of(net, r);
        if (ns <= cost.load_ns)
            continue;
        cost.load_ns = ns;
        find_limit(f, r, &cost);
    }
    frd_free(weight);
    for (int t = 0; t < f->count; t++) {
        const double up = longest(f, net, f->tree[t].up, FRD_WAY_UP);
        const double down = longest(f, net, f->tree[t].down, FRD_WAY_DOWN);
        cost.delay_ns = up + down > cost.delay_ns ? up + down : cost.delay_ns;
    }
    cost.time_ns = cost.load_ns + cost.delay_ns;
    return cost;
}
