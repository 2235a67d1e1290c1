/* SPDX-License-Identifier: BSD-3-Clause
 * test_plan.c - the planner: what a plan must be on random nets, how far it is from the best one by brute force and
 * from cuts, the named forms, refusals, and when a plan is kept.
 *
 * Random nets come from seeds counted up from 1; a failure prints the seed, and FEDRDMA_TEST_SEED=n with CK_RUN_CASE
 * reruns that net alone. */
#include <check.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cases.h"
#include "collectives/plan_impl.h"
#include "fedrdma.h"
#include "plan_nets.h"

enum { RANDOM_NETS = 10000, BRUTE_NETS = 2000 };

static frd_forest *plan(const net *n)
{
    frd_forest *f = NULL;
    frd_story story = { 0 };

    ck_assert_msg(frd_forest_make(&n->net, &n->ask, &story, &f) == FEDRDMA_OK, "%s", story.text);
    return f;
}

static bool same(const frd_forest *a, const frd_forest *b)
{
    bool good = a->count == b->count && a->weights == b->weights && a->form == b->form;

    for (int t = 0; good && t < a->count; t++)
        good = a->tree[t].root == b->tree[t].root && a->tree[t].weight == b->tree[t].weight &&
               memcmp(a->tree[t].up, b->tree[t].up, (size_t)a->silos * sizeof(short)) == 0 &&
               memcmp(a->tree[t].down, b->tree[t].down, (size_t)a->silos * sizeof(short)) == 0;
    return good;
}

/* First and one more than the last seed to run. */
static void seeds(uint64_t count, uint64_t *first, uint64_t *end)
{
    const char *const text = getenv("FEDRDMA_TEST_SEED");

    *first = text != NULL ? strtoull(text, NULL, 10) : 1;
    *end = text != NULL ? *first + 1 : count + 1;
}

static void expect(bool good, const char *what, const char *test, uint64_t seed)
{
    ck_assert_msg(good, "%s; seed %llu: rerun with FEDRDMA_TEST_SEED=%llu CK_RUN_CASE=%s", what,
                  (unsigned long long)seed, (unsigned long long)seed, test);
}

/* ---- random nets ----------------------------------------------------------------------------------------------- */

/* Most are small, which are planned in a fraction of a millisecond. */
static int silos_of(rng *r)
{
    const uint64_t dice = rng_between(r, 0, 999);

    return (int)(dice < 20 ? rng_between(r, 6, 10) : dice < 300 ? 5 : dice < 310 ? 1 : rng_between(r, 2, 4));
}

static net *scaled(const net *n)
{
    net *x = net_equal(n->net.silos, 0, 0, n->ask.bytes * 4);
    const int cells = n->net.silos * n->net.silos;

    x->ask = n->ask;
    x->ask.bytes *= 4;
    x->ask.fragment_bytes *= 4;
    for (int i = 0; i < cells; i++) {
        x->link[i] = n->link[i];
        x->link[i].rate_bps *= 4;
        x->carry[i] = n->carry[i];
    }
    for (int i = 0; i < n->net.silos; i++)
        x->silo[i] = (frd_forest_silo){ n->silo[i].egress_bps * 4, n->silo[i].ingress_bps * 4, n->silo[i].root };
    return x;
}

static bool has_no_cap(const net *n)
{
    bool none = false;

    for (int i = 0; i < n->net.silos * n->net.silos; i++)
        none = none || n->link[i].rate_bps == 0 || n->silo[i % n->net.silos].egress_bps == 0 ||
               n->silo[i % n->net.silos].ingress_bps == 0;
    return none;
}

/* Again, and scaled (where the fragment is no rounded part), it is the same. */
static void check_same(const net *n, const frd_forest *f, uint64_t seed)
{
    frd_forest *again = plan(n);

    expect(same(f, again) && f->cost.time_ns == again->cost.time_ns, "twice is not the same", "random", seed);
    frd_forest_destroy(again);
    if (has_no_cap(n) || n->ask.bytes % (size_t)n->net.silos != 0)
        return;
    net *x = scaled(n);
    again = plan(x);
    expect(same(f, again), "not the same when scaled", "random", seed);
    frd_forest_destroy(again);
    net_free(x);
}

START_TEST(random_plans_are_right)
{
    uint64_t first, end;
    int refused = 0, forms[FRD_FOREST_NFORMS] = { 0 };

    seeds(RANDOM_NETS, &first, &end);
    for (uint64_t seed = first; seed < end; seed++) {
        rng r = { seed };
        net *n = net_random(&r, silos_of(&r));
        frd_forest *f = NULL;
        frd_story story = { 0 };
        double low, high;
        const int rc = frd_forest_make(&n->net, &n->ask, &story, &f);

        if (rc == FEDRDMA_OK) {
            const char *wrong = net_check(n, f);
            expect(wrong == NULL, wrong, "random", seed);
            expect(f->cost.time_ns >= net_cuts(n) * (1 - 1e-9), "faster than a cut", "random", seed);
            forms[f->form]++;
            if (seed % 8 == 0)
                check_same(n, f, seed);
        } else {
            expect(rc == FEDRDMA_ERR_INVALID && story.text[0] != '\0' && f == NULL, "refused without a word", "random",
                   seed);
            if (n->net.silos <= 5)
                expect(!brute_best(n, DBL_MAX, 0.02, &low, &high), "refused, but there is a tree", "random", seed);
            refused++;
        }
        frd_forest_destroy(f);
        net_free(n);
    }
    printf("random: seeds %llu-%llu, %d without any tree;", (unsigned long long)first, (unsigned long long)end - 1,
           refused);
    for (int i = 0; i < FRD_FOREST_NFORMS; i++)
        printf(" %s %d", frd_forest_form_name(i), forms[i]);
    printf("\n");
}
END_TEST

START_TEST(near_the_best_forest)
{
    uint64_t first, end, worst_seed = 0;
    double worst = 1;
    int count = 0;

    seeds(BRUTE_NETS, &first, &end);
    for (uint64_t seed = first; seed < end; seed++) {
        rng r = { seed + 1000000 };
        net *n = net_random(&r, (int)rng_between(&r, 3, 5));
        frd_forest *f = NULL;
        frd_story story = { 0 };
        double low, high;

        if (frd_forest_make(&n->net, &n->ask, &story, &f) == FEDRDMA_OK) {
            const double time = f->cost.time_ns;
            expect(brute_best(n, time, 0.01, &low, &high), "a plan where no tree is", "brute", seed);
            if (time / high > worst) {
                worst = time / high;
                worst_seed = seed;
            }
            expect(time <= 1.05 * high && time <= 1.065 * low, "more than 5% above the best", "brute", seed);
            expect(low >= net_cuts(n) * (1 - 1e-6), "the brute force beats a cut", "brute", seed);
            count++;
        }
        frd_forest_destroy(f);
        net_free(n);
    }
    printf("brute: seeds %llu-%llu, %d plans, the worst %.4f of the best (seed %llu)\n", (unsigned long long)first,
           (unsigned long long)end - 1, count, worst, (unsigned long long)worst_seed);
}
END_TEST

/* ---- named forms ----------------------------------------------------------------------------------------------- */

static void make_star(int n, int root, short (*hang)[NET_MOST])
{
    for (int v = 0; v < n; v++)
        hang[0][v] = hang[1][v] = (short)(v == root ? -1 : root);
}

static void make_chain(int n, int root, short (*hang)[NET_MOST])
{
    for (int v = 0; v < n; v++) {
        hang[0][v] = (short)(v == root ? -1 : (v + 1) % n);
        hang[1][v] = (short)(v == root ? -1 : (v + n - 1) % n);
    }
}

START_TEST(never_slower_than_named_forms)
{
    static short star[20][2][NET_MOST], chain[20][2][NET_MOST];
    uint64_t first, end;
    int root[20];

    seeds(1000, &first, &end);
    for (uint64_t seed = first; seed < end; seed++) {
        rng r = { seed + 2000000 };
        net *n = net_random(&r, (int)rng_between(&r, 2, 5) + (seed % 100 == 0 ? 12 : 0));
        const int silos = n->net.silos;
        frd_forest *f = NULL;
        frd_story story = { 0 };

        for (int i = 0; i < silos; i++) {
            make_star(silos, i, star[i]);
            make_chain(silos, i, chain[i]);
            root[i] = i;
        }
        if (frd_forest_make(&n->net, &n->ask, &story, &f) == FEDRDMA_OK) {
            const double time = f->cost.time_ns * (1 - 1e-9);
            expect(time <= net_time_of(n, silos, (const short (*)[2][NET_MOST])star, root), "slower than direct",
                   "forms", seed);
            expect(time <= net_time_of(n, silos, (const short (*)[2][NET_MOST])chain, root), "slower than the ring",
                   "forms", seed);
            for (int i = 0; i < silos; i++)
                expect(time <= net_time_of(n, 1, (const short (*)[2][NET_MOST])star[i], &root[i]),
                       "slower than a star", "forms", seed);
        }
        frd_forest_destroy(f);
        net_free(n);
    }
}
END_TEST

START_TEST(equal_links_are_direct)
{
    for (int silos = 2; silos <= 24; silos++) {
        net *n = net_equal(silos, silos % 3 == 0 ? 0 : 100000000, 20000000, (size_t)128 << 20);
        for (int i = 0; i < silos && silos % 2 == 0; i++)
            n->silo[i].egress_bps = n->silo[i].ingress_bps = 300000000;
        frd_forest *f = plan(n);

        ck_assert_int_eq(f->form, FRD_FOREST_DIRECT);
        ck_assert_int_eq(f->count, silos);
        ck_assert_uint_eq(f->weights, (unsigned)silos);
        for (int t = 0; t < silos; t++) {
            ck_assert_uint_eq(f->tree[t].weight, 1);
            for (int v = 0; v < silos; v++) {
                ck_assert_int_eq(f->tree[t].up[v], v == f->tree[t].root ? -1 : f->tree[t].root);
                ck_assert_int_eq(f->tree[t].down[v], v == f->tree[t].root ? -1 : f->tree[t].root);
            }
        }
        ck_assert_ptr_null(net_check(n, f));
        frd_forest_destroy(f);
        net_free(n);
    }
}
END_TEST

/* A ring of fast links among slow ones. */
START_TEST(fast_neighbours_are_a_ring)
{
    net *n = net_equal(5, 10000000, 10000000, (size_t)128 << 20);

    for (int i = 0; i < 5; i++)
        n->link[i * 5 + (i + 1) % 5].rate_bps = 1000000000;
    frd_forest *f = plan(n);
    ck_assert_int_eq(f->form, FRD_FOREST_RING);
    frd_forest_destroy(f);
    net_free(n);
}
END_TEST

START_TEST(short_vectors_take_short_trees)
{
    net *n = net_equal(5, 1000000000, 80000000, 8);

    for (int i = 0; i < 5; i++) /* silo 2 is in the middle */
        n->link[i * 5 + 2].delay_ns = n->link[2 * 5 + i].delay_ns = 10000000;
    frd_forest *f = plan(n);
    ck_assert_int_eq(f->form, FRD_FOREST_STAR);
    ck_assert_int_eq(f->tree[0].root, 2);
    frd_forest_destroy(f);
    n->ask.bytes = (size_t)1 << 30; /* a long one is worth the delay */
    f = plan(n);
    ck_assert_int_gt(f->count, 1);
    ck_assert_double_lt(f->cost.load_ns * 1.9, (double)n->ask.bytes * 8);
    frd_forest_destroy(f);
    net_free(n);
}
END_TEST

/* What a tree costs; below 0: it is none. */
static double cost_of_tree(int n, int root, const double *cost, const short *hang)
{
    double sum = 0;

    for (int v = 0; v < n; v++) {
        int steps = 0;
        for (int c = v; c != root; c = hang[c])
            if (steps++ == n || hang[c] < 0 || hang[c] == c || cost[hang[c] * n + c] < 0)
                return -1;
        sum += v == root ? 0 : cost[hang[v] * n + v];
    }
    return sum;
}

/* Of all choices of parents; below 0: there is no tree. */
static double cheapest_of_all(int n, int root, const double *cost)
{
    short hang[6];
    double best = -1;
    int choices = 1;

    for (int v = 1; v < n; v++)
        choices *= n;
    for (int c = 0; c < choices; c++) {
        for (int v = 0, rest = c; v < n; v++) {
            hang[v] = (short)(v == root ? -1 : rest % n);
            rest = v == root ? rest : rest / n;
        }
        const double sum = cost_of_tree(n, root, cost, hang);
        best = sum >= 0 && (best < 0 || sum < best) ? sum : best;
    }
    return best;
}

/* Whole numbers as costs, so that sums are exact. */
START_TEST(cheapest_trees)
{
    uint64_t first, end;

    seeds(3000, &first, &end);
    for (uint64_t seed = first; seed < end; seed++) {
        rng r = { seed + 3000000 };
        const int n = (int)rng_between(&r, 2, 6), root = (int)rng_between(&r, 0, (uint64_t)n - 1);
        const uint64_t most = rng_between(&r, 1, 30);
        frd_arena arena = { 0 };
        double cost[36];
        short found[6];

        for (int i = 0; i < n * n; i++)
            cost[i] = rng_between(&r, 0, 9) == 0 ? -1 : (double)rng_between(&r, 0, most);
        const double best = cheapest_of_all(n, root, cost);
        frd_forest_edmonds *e = frd_forest_edmonds_make(n, &arena);
        const bool good = frd_forest_cheapest(e, root, cost, found);
        expect(good == (best >= 0), "a tree where none is, or none where one is", "edmonds", seed);
        expect(!good || cost_of_tree(n, root, cost, found) == best, "not the cheapest tree", "edmonds", seed);
        frd_arena_free(&arena);
    }
}
END_TEST

START_TEST(many_silos_in_time)
{
    rng r = { 7 };
    net *n = net_equal(200, 0, 0, (size_t)128 << 20);

    for (int i = 0; i < 200; i++) {
        n->silo[i].egress_bps = rng_between(&r, 200, 2000) * 1000000;
        n->silo[i].ingress_bps = rng_between(&r, 200, 2000) * 1000000;
        for (int k = 0; k < 200; k++)
            n->link[i * 200 + k].delay_ns = rng_between(&r, 5, 75) * 1000000;
    }
    const uint64_t start_ns = frd_now_ns();
    frd_forest *f = plan(n);
    printf("many: 200 silos, %s of %d in %llu ms, %.3f times the bound\n", frd_forest_form_name(f->form), f->count,
           (unsigned long long)(frd_now_ns() - start_ns) / 1000000,
           f->cost.time_ns / frd_forest_bound_ns(&n->net, &n->ask));
    ck_assert_ptr_null(net_check(n, f));
    ck_assert_double_le(f->cost.time_ns, 1.25 * frd_forest_bound_ns(&n->net, &n->ask));
    frd_forest_destroy(f);
    net_free(n);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------------------------- */

static void refused(const net *n, const char *why)
{
    frd_forest *f = NULL;
    frd_story story = { 0 };

    ck_assert_int_eq(frd_forest_make(&n->net, &n->ask, &story, &f), FEDRDMA_ERR_INVALID);
    ck_assert_msg(strstr(story.text, why) != NULL, "\"%s\" does not say \"%s\"", story.text, why);
    ck_assert_ptr_null(f);
}

START_TEST(bad_input_is_refused)
{
    static const char *const names[] = { "north", "south", "west" };
    net *n = net_equal(3, 1000000, 1000000, 1000);
    const net good = *n;

#define REFUSED(change, why) \
    do { \
        change; \
        refused(n, why); \
        n->net = good.net; \
        n->ask = good.ask; \
    } while (0)
    REFUSED(n->net.silos = 0, "0 silos");
    REFUSED(n->net.silos = FRD_FOREST_SILOS_MAX + 1, "257 silos");
    REFUSED(n->ask.ways = 0, "ways");
    REFUSED(n->ask.ways = 4, "ways");
    REFUSED(n->ask.root = 3, "root 3");
    REFUSED(n->ask.root = -2, "root -2");
    REFUSED(n->ask.ways = FRD_FOREST_UP, "root -1");
    REFUSED(n->ask.bytes = (size_t)FRD_FOREST_BYTES_MAX + 1, "bytes");
    REFUSED(n->ask.fragment_bytes = 0, "fragment");
    n->silo[1].root = false;
    REFUSED(n->ask.root = 1, "may not be a root");
    n->silo[0].root = n->silo[2].root = false;
    refused(n, "no silo may be a root");
    n->silo[0].root = n->silo[1].root = n->silo[2].root = true;
    n->silo[1].egress_bps = FRD_FOREST_RATE_MAX + 1;
    refused(n, "silo 1 has a cap");
    n->silo[1].egress_bps = 0;
    n->link[1].rate_bps = FRD_FOREST_RATE_MAX + 1;
    refused(n, "from silo 0 to 1");
    n->link[1].rate_bps = 0;
    n->link[5].delay_ns = FRD_FOREST_DELAY_MAX + 1;
    refused(n, "from silo 1 to 2");
    n->link[5].delay_ns = 0;
    for (int i = 0; i < 3; i++)
        n->link[2 * 3 + i].talk = n->link[i * 3 + 2].talk = false;
    n->net.name = names;
    refused(n, "\"west\" has no way to \"north\"");
#undef REFUSED
    net_free(n);
    frd_forest_destroy(NULL);
}
END_TEST

/* ---- keeping a plan -------------------------------------------------------------------------------------------- */

START_TEST(plans_are_kept_while_good)
{
    net *n = net_equal(4, 100000000, 10000000, (size_t)64 << 20);
    frd_forest *old = plan(n), *fresh;

    n->link[1].rate_bps = 92000000; /* 0 to 1, a little less */
    fresh = plan(n);
    ck_assert(frd_forest_keep(&n->net, old, fresh));
    frd_forest_destroy(fresh);
    n->link[1].rate_bps = 10000000; /* a tenth */
    fresh = plan(n);
    ck_assert(!frd_forest_keep(&n->net, old, fresh));
    ck_assert_double_lt(fresh->cost.time_ns * 2, frd_forest_assess(&n->net, old).time_ns);
    ck_assert_int_eq(frd_forest_assess(&n->net, old).limit, FRD_FOREST_LINK);
    ck_assert_int_eq(frd_forest_assess(&n->net, old).from, 0);
    ck_assert_int_eq(frd_forest_assess(&n->net, old).to, 1);
    ck_assert(frd_forest_keep(&n->net, fresh, fresh));
    frd_forest_destroy(fresh);
    n->link[1].rate_bps = 100000000;
    n->link[1].talk = false;
    fresh = plan(n);
    ck_assert(!frd_forest_keep(&n->net, old, fresh));
    n->link[1].talk = true;
    frd_forest_destroy(fresh);
    n->ask.bytes++;
    fresh = plan(n);
    ck_assert(!frd_forest_keep(&n->net, old, fresh));
    frd_forest_destroy(fresh);
    frd_forest_destroy(old);
    net_free(n);
}
END_TEST

/* ---- the net of a topology ------------------------------------------------------------------------------------- */

START_TEST(a_topology_is_a_net)
{
    static const char text[] = "version: 1\n"
                               "silos:\n"
                               "  a: {gateways: {ga: 192.0.2.1}, egress: 1G, ingress: 2G}\n"
                               "  b: {gateways: {gb: 192.0.2.2}, relay: no}\n"
                               "  c: {gateways: {gc: 192.0.2.3}}\n"
                               "  d: {gateways: {gd: 192.0.2.4}}\n"
                               "links:\n"
                               "  - {between: [a, b], rtt: 40ms, rate: 300M}\n"
                               "  - {between: [b, c], talk: no}\n"
                               "policy:\n"
                               "  avoid:\n"
                               "    - {between: [a, b], through: [c]}\n";
    frd_silos *silos = NULL;
    frd_story story = { 0 };
    frd_arena arena = { 0 };
    frd_forest_net made;
    const frd_link_facts seen = { .rate_bps = 50000000, .rtt_ns = 60000000 };

    ck_assert_msg(frd_silos_parse("t", text, sizeof text - 1, &story, &silos) == FEDRDMA_OK, "%s", story.text);
    frd_links_measure(silos->links, 1, 0, &seen, 1);
    ck_assert_int_eq(frd_forest_net_of(silos, silos->links, &arena, &story, &made), FEDRDMA_OK);
    ck_assert_int_eq(made.silos, 4);
    ck_assert_str_eq(made.name[3], "d");
    ck_assert_uint_eq(made.silo[0].egress_bps, 1000000000);
    ck_assert_uint_eq(made.silo[0].ingress_bps, 2000000000);
    ck_assert(made.silo[1].root);
    ck_assert_uint_eq(made.link[0 * 4 + 1].delay_ns, 20000000);
    ck_assert_uint_eq(made.link[0 * 4 + 1].rate_bps, 300000000);
    ck_assert_uint_eq(made.link[1 * 4 + 0].delay_ns, 30000000); /* measured */
    ck_assert_uint_eq(made.link[1 * 4 + 0].rate_bps, 50000000);
    ck_assert_uint_eq(made.link[0 * 4 + 2].rate_bps, 0); /* a's egress is known */
    ck_assert_uint_eq(made.link[2 * 4 + 3].rate_bps, FRD_FOREST_RATE);
    ck_assert(!made.link[1 * 4 + 2].talk && !made.link[2 * 4 + 1].talk && made.link[2 * 4 + 3].talk);
    ck_assert(!made.carry[1 * 4 + 0] && !made.carry[1 * 4 + 3]); /* b relays for nobody */
    ck_assert(!made.carry[2 * 4 + 0] && !made.carry[2 * 4 + 1] && made.carry[2 * 4 + 3]);
    ck_assert(made.carry[0 * 4 + 1] && made.carry[3 * 4 + 1]);
    frd_arena_free(&arena);
    frd_silos_destroy(silos);
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "random", random_plans_are_right, 1 },
        { "brute", near_the_best_forest, 1 },
        { "forms", never_slower_than_named_forms, 1 },
        { "equal", equal_links_are_direct, 1 },
        { "ring", fast_neighbours_are_a_ring, 1 },
        { "short", short_vectors_take_short_trees, 1 },
        { "edmonds", cheapest_trees, 1 },
        { "many", many_silos_in_time, 1 },
        { "refused", bad_input_is_refused, 1 },
        { "keep", plans_are_kept_while_good, 1 },
        { "topology", a_topology_is_a_net, 1 },
    };

    return cases_run("plan", rows, sizeof rows / sizeof rows[0]);
}
