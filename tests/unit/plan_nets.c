/* SPDX-License-Identifier: BSD-3-Clause
 * plan_nets.c - random nets, and what a plan must be: see plan_nets.h. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_nets.h"

/* SplitMix64 (Steele, Lea, Flood, 2014). */
uint64_t rng_next(rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_between(rng *r, uint64_t low, uint64_t high)
{
    return low + rng_next(r) % (high - low + 1);
}

static bool chance(rng *r, int percent)
{
    return rng_next(r) % 100 < (unsigned)percent;
}

net *net_equal(int silos, uint64_t rate_bps, uint64_t delay_ns, size_t bytes)
{
    const size_t n = (size_t)silos;
    net *x = calloc(1, sizeof *x);

    x->silo = calloc(n, sizeof *x->silo);
    x->link = calloc(n * n, sizeof *x->link);
    x->carry = calloc(n * n, sizeof *x->carry);
    for (size_t i = 0; i < n * n; i++) {
        x->link[i] = (frd_forest_link){ true, delay_ns, rate_bps };
        x->carry[i] = true;
    }
    for (size_t i = 0; i < n; i++)
        x->silo[i].root = true;
    x->net = (frd_forest_net){ .silos = silos, .silo = x->silo, .link = x->link, .carry = x->carry };
    x->ask = (frd_forest_ask){ FRD_FOREST_UP | FRD_FOREST_DOWN, -1, bytes, 1 << 20 };
    return x;
}

void net_free(net *n)
{
    free(n->silo);
    free(n->link);
    free(n->carry);
    free(n);
}

static void random_links(rng *r, net *x)
{
    const int n = x->net.silos, dead = chance(r, 40) ? (int)rng_between(r, 5, 50) : 0;
    const bool both = chance(r, 70), rates = chance(r, 70);

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            frd_forest_link *l = &x->link[i * n + k];
            *l = (frd_forest_link){ !chance(r, dead), rng_between(r, 100000, 75000000),
                                    rates ? rng_between(r, 50, 1000) * 1000000 : 0 };
            if (both && k < i)
                *l = x->link[k * n + i];
        }
}

static void random_policy(rng *r, net *x)
{
    const int n = x->net.silos, silent = chance(r, 40) ? 30 : 0, avoid = chance(r, 30) ? 15 : 0;
    const int rootless = chance(r, 20) ? 30 : 0;

    for (int i = 0; i < n; i++) {
        const bool quiet = chance(r, silent);
        for (int k = 0; k < n; k++)
            x->carry[i * n + k] = !quiet && !chance(r, avoid);
        x->silo[i].root = !chance(r, rootless);
    }
}

net *net_random(rng *r, int silos)
{
    net *x = net_equal(silos, 0, 0, (size_t)1 << rng_between(r, 3, 30));
    const bool caps = chance(r, 60);

    random_links(r, x);
    random_policy(r, x);
    for (int i = 0; i < silos && caps; i++) {
        x->silo[i].egress_bps = chance(r, 80) ? rng_between(r, 50, 2000) * 1000000 : 0;
        x->silo[i].ingress_bps = chance(r, 50) ? x->silo[i].egress_bps : rng_between(r, 50, 2000) * 1000000;
    }
    x->ask.bytes = chance(r, 5) ? 0 : x->ask.bytes + (size_t)rng_between(r, 0, 1000);
    x->ask.fragment_bytes = (size_t)1 << rng_between(r, 10, 21);
    if (chance(r, 35)) {
        x->ask.ways = (unsigned)rng_between(r, 1, 3);
        x->ask.root = (int)rng_between(r, 0, (uint64_t)silos - 1);
        x->silo[x->ask.root].root = true;
    }
    return x;
}

/* ---- what a plan must be --------------------------------------------------------------------------------------- */

static double rate_of(uint64_t bps)
{
    return (double)(bps == 0 ? FRD_FOREST_RATE_MAX : bps) / 8e9;
}

static double least_of(double a, double b)
{
    return a < b ? a : b;
}

static double fragment_of(const net *n)
{
    const size_t silos = (size_t)n->net.silos, part = (n->ask.bytes + silos - 1) / silos;

    return (double)(part < n->ask.fragment_bytes ? part : n->ask.fragment_bytes);
}

static double hop(const net *n, int from, int to)
{
    const frd_forest_link *l = &n->link[from * n->net.silos + to];
    const double rate = least_of(rate_of(l->rate_bps), least_of(rate_of(n->silo[from].egress_bps),
                                                                rate_of(n->silo[to].ingress_bps)));

    return (double)l->delay_ns + fragment_of(n) / rate;
}

typedef struct sums {
    double out[NET_MOST], in[NET_MOST];
    double *link;
    double delay_ns;
} sums;

static void add_tree(const net *n, const short *up, const short *down, double share, sums *s)
{
    const int silos = n->net.silos;
    double longest[2] = { 0, 0 };

    for (int v = 0; v < silos; v++) {
        double way[2] = { 0, 0 };
        for (int c = v; up[c] >= 0; c = up[c])
            way[0] += hop(n, c, up[c]);
        for (int c = v; down[c] >= 0; c = down[c])
            way[1] += hop(n, down[c], c);
        for (int k = 0; k < 2; k++)
            longest[k] = way[k] > longest[k] ? way[k] : longest[k];
        if (up[v] >= 0) {
            s->out[v] += share;
            s->in[up[v]] += share;
            s->link[v * silos + up[v]] += share;
        }
        if (down[v] >= 0) {
            s->out[down[v]] += share;
            s->in[v] += share;
            s->link[down[v] * silos + v] += share;
        }
    }
    if (longest[0] + longest[1] > s->delay_ns)
        s->delay_ns = longest[0] + longest[1];
}

static double finish(const net *n, sums *s)
{
    const int silos = n->net.silos;
    double most = 0;

    for (int i = 0; i < silos; i++) {
        const double out = s->out[i] / rate_of(n->silo[i].egress_bps);
        const double in = s->in[i] / rate_of(n->silo[i].ingress_bps);
        most = out > most ? out : most;
        most = in > most ? in : most;
        for (int k = 0; k < silos; k++) {
            const double link = s->link[i * silos + k] / rate_of(n->link[i * silos + k].rate_bps);
            most = link > most ? link : most;
        }
    }
    free(s->link);
    return most * (double)n->ask.bytes + s->delay_ns;
}

double net_time(const net *n, const frd_forest *f)
{
    sums s = { .link = calloc((size_t)(f->silos * f->silos), sizeof(double)) };

    for (int t = 0; t < f->count; t++)
        add_tree(n, f->tree[t].up, f->tree[t].down, (double)f->tree[t].weight / f->weights, &s);
    return finish(n, &s);
}

double net_time_of(const net *n, int trees, const short (*hang)[2][NET_MOST], const int *root)
{
    sums s = { .link = calloc((size_t)(n->net.silos * n->net.silos), sizeof(double)) };
    short none[NET_MOST];

    memset(none, -1, sizeof none);
    for (int t = 0; t < trees; t++) {
        for (int way = 0; way < 2; way++)
            for (int v = 0; v < n->net.silos; v++) {
                const int p = hang[t][way][v], from = way == 0 ? v : p, to = way == 0 ? p : v;
                if ((n->ask.ways & (1u << way)) == 0 || v == root[t])
                    continue;
                if (!n->link[from * n->net.silos + to].talk)
                    return free(s.link), DBL_MAX;
                for (int a = p; a != root[t]; a = hang[t][way][a])
                    if (!n->carry[a * n->net.silos + v])
                        return free(s.link), DBL_MAX;
            }
        if (!n->silo[root[t]].root || (n->ask.root >= 0 && n->ask.root != root[t]))
            return free(s.link), DBL_MAX;
        add_tree(n, (n->ask.ways & 1) != 0 ? hang[t][0] : none, (n->ask.ways & 2) != 0 ? hang[t][1] : none,
                 1.0 / trees, &s);
    }
    return finish(n, &s);
}

/* Contributions as bits: every silo sends once, when all below it have sent; no bit comes twice. */
static const char *follow_up(int silos, int root, const short *up)
{
    unsigned char has[NET_MOST][NET_MOST] = { { 0 } };
    bool sent[NET_MOST] = { false };
    int left = silos - 1;

    for (int v = 0; v < silos; v++)
        has[v][v] = 1;
    for (int round = 0; round < silos && left > 0; round++)
        for (int v = 0; v < silos; v++) {
            bool ready = v != root && !sent[v];
            for (int c = 0; c < silos && ready; c++)
                ready = c == root || up[c] != v || sent[c];
            if (!ready)
                continue;
            if (up[v] < 0 || up[v] >= silos || up[v] == v || sent[up[v]])
                return "a silo sends to nobody, or to one that is done";
            for (int bit = 0; bit < silos; bit++) {
                if (has[v][bit] != 0 && has[up[v]][bit] != 0)
                    return "a contribution comes twice";
                has[up[v]][bit] |= has[v][bit];
            }
            sent[v] = true;
            left--;
        }
    for (int bit = 0; bit < silos; bit++)
        if (has[root][bit] == 0)
            return "a contribution never comes";
    return up[root] != -1 ? "the root sends up" : NULL;
}

static const char *follow_down(int silos, int root, const short *down)
{
    bool has[NET_MOST] = { false };
    int left = silos - 1;

    has[root] = true;
    for (int round = 0; round < silos && left > 0; round++)
        for (int v = 0; v < silos; v++) {
            if (has[v] || down[v] < 0 || down[v] >= silos || !has[down[v]])
                continue;
            has[v] = true;
            left--;
        }
    return left > 0 ? "a silo never gets the result" : down[root] != -1 ? "the root gets the result" : NULL;
}

/* Links that may talk, and nobody in between who may not be. */
static const char *check_policy(const net *n, int root, const short *hang, int way)
{
    const int silos = n->net.silos;

    for (int v = 0; v < silos; v++) {
        if (v == root)
            continue;
        const int from = way == 0 ? v : hang[v], to = way == 0 ? hang[v] : v;
        if (!n->link[from * silos + to].talk)
            return "a pair that may not talk does";
        for (int a = hang[v]; a != root; a = hang[a])
            if (!n->carry[a * silos + v])
                return "a silo stands where it may not";
    }
    return NULL;
}

static const char *check_tree(const net *n, const frd_forest_tree *t)
{
    const int silos = n->net.silos;
    const char *wrong = NULL;

    if (t->weight == 0)
        return "a tree without a share";
    if (t->root < 0 || t->root >= silos || !n->silo[t->root].root || (n->ask.root >= 0 && t->root != n->ask.root))
        return "a root that may not be one";
    for (int way = 0; way < 2 && wrong == NULL; way++) {
        const short *hang = way == 0 ? t->up : t->down;
        if ((n->ask.ways & (1u << way)) == 0) {
            for (int v = 0; v < silos; v++)
                wrong = hang[v] != -1 ? "a way that was not asked for" : wrong;
            continue;
        }
        wrong = way == 0 ? follow_up(silos, t->root, hang) : follow_down(silos, t->root, hang);
        wrong = wrong == NULL ? check_policy(n, t->root, hang, way) : wrong;
    }
    return wrong;
}

static bool is_near(double a, double b)
{
    return a - b <= 1e-9 * (a + b) && b - a <= 1e-9 * (a + b);
}

const char *net_check(const net *n, const frd_forest *f)
{
    uint64_t sum = 0;

    if (f->silos != n->net.silos || f->count < 1 || f->form < 0 || f->form >= FRD_FOREST_NFORMS)
        return "no plan for these silos";
    for (int t = 0; t < f->count; t++) {
        const char *wrong = check_tree(n, &f->tree[t]);
        if (wrong != NULL)
            return wrong;
        sum += f->tree[t].weight;
        if (t > 0 && f->tree[t].weight > f->tree[t - 1].weight)
            return "shares do not fall";
    }
    if (sum != f->weights)
        return "shares do not add up to 1";
    if (!is_near(f->cost.time_ns, net_time(n, f)))
        return "the time is not that of the model";
    if (!is_near(f->cost.time_ns, f->cost.load_ns + f->cost.delay_ns))
        return "time is not load and delay";
    if (!frd_forest_allowed(&n->net, f))
        return "the planner does not allow its own plan";
    if (frd_forest_bound_ns(&n->net, &n->ask) > f->cost.time_ns * (1 + 1e-9))
        return "faster than the planner's own bound";
    return NULL;
}

/* ---- bounds ---------------------------------------------------------------------------------------------------- */

double net_cuts(const net *n)
{
    const int silos = n->net.silos;
    double slowest = 0;

    for (unsigned set = 1; set + 1 < 1u << silos; set++) {
        const bool has_root = n->ask.root >= 0 && (set >> n->ask.root & 1) != 0;
        double links = 0, out = 0, in = 0;
        /* One way only: up, data comes to the root's side; down, it leaves it. */
        if ((n->ask.ways == FRD_FOREST_UP && has_root) || (n->ask.ways == FRD_FOREST_DOWN && !has_root))
            continue;
        for (int i = 0; i < silos; i++) {
            out += (set >> i & 1) != 0 ? rate_of(n->silo[i].egress_bps) : 0;
            in += (set >> i & 1) == 0 ? rate_of(n->silo[i].ingress_bps) : 0;
            for (int k = 0; k < silos; k++)
                if ((set >> i & 1) != 0 && (set >> k & 1) == 0 && n->link[i * silos + k].talk)
                    links += rate_of(n->link[i * silos + k].rate_bps);
        }
        const double rate = least_of(links, least_of(out, in));
        if (rate > 0 && 1 / rate > slowest)
            slowest = 1 / rate;
    }
    return slowest * (double)n->ask.bytes;
}
