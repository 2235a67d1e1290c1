/* SPDX-License-Identifier: BSD-3-Clause
 * test_sim.c - the simulator: times that can be computed by hand, bytes that each algorithm is known to send, every
 * algorithm in random worlds, and what it says of worlds that can't be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectives/plan.h"
#include "sim/sim.h"
#include "tests/unit/cases.h"
#include "fedrdma.h"

#define MS 1e6
#define MIB ((size_t)1 << 20)

enum { RANKS = 4096, SILOS = 64 };

static int silo_of[RANKS], node_of[RANKS];
static frd_sim_silo line[SILOS];
static frd_sim_link links[SILOS * SILOS];
static frd_sim_world world;
static frd_sim_result result;
static frd_story story;

/* Ranks in blocks over silos, a node each silo; every line has `rate`, every link `latency_ns`. */
static void lay_out(int ranks, int silos, double rate, double latency_ns)
{
    ck_assert_int_le(ranks, RANKS);
    ck_assert_int_le(silos, SILOS);
    for (int i = 0; i < ranks; i++)
        silo_of[i] = node_of[i] = i * silos / ranks;
    for (int i = 0; i < silos; i++)
        line[i] = (frd_sim_silo){ .egress = rate, .ingress = rate, .relay = true };
    for (int i = 0; i < silos * silos; i++)
        links[i] = (frd_sim_link){ .latency_ns = latency_ns, .talk = true };
    world = (frd_sim_world){ .ranks = ranks,
                             .silos = silos,
                             .silo = silo_of,
                             .node = node_of,
                             .line = line,
                             .link = links,
                             .gateways = 1,
                             .fragment = MIB,
                             .window = 16 * MIB,
                             .seed = 1,
                             .costs = &frd_sim_costs_default };
}

static const frd_algo *algo(int coll, const char *name)
{
    for (size_t i = 0; i < frd_algo_count(); i++) {
        if (frd_algo_at(i)->coll == coll && strcmp(frd_algo_at(i)->name, name) == 0)
            return frd_algo_at(i);
    }
    ck_abort_msg("no algorithm %s", name);
    return NULL;
}

static frd_call call_of(int coll, size_t len)
{
    return (frd_call){ .coll = coll, .type = FEDRDMA_F32, .op = FEDRDMA_SUM, .commutative = true, .len = len };
}

static double seconds(int coll, const char *name, size_t len)
{
    const frd_call call = call_of(coll, len);

    ck_assert_msg(frd_sim_run(&world, algo(coll, name), &call, &story, &result) == FEDRDMA_OK, "%s", story.text);
    return result.seconds;
}

static void is_near(double got, double expected, double share)
{
    ck_assert_msg(fabs(got - expected) <= share * expected, "%.9f s instead of %.9f", got, expected);
}

START_TEST(one_message)
{
    const frd_sim_costs *const c = &frd_sim_costs_default;
    const double bytes = 8e6, away = c->message_ns + c->wan_ns + 20 * MS, there = bytes / c->wan_share / 10e6 * 1e9;

    lay_out(2, 2, 10e6, 20 * MS);
    world.fragment = 0;
    is_near(seconds(FRD_COLL_BROADCAST, "binomial", (size_t)bytes),
            (away + there + c->message_ns + 20 * MS) / 1e9, 1e-9);
    ck_assert_uint_eq(result.messages, 1);
    ck_assert_uint_eq(result.fragments, 1);
    lay_out(2, 1, 10e6, 0); /* within a node: both ends are busy for its length, at the same time */
    world.fragment = 0;
    is_near(seconds(FRD_COLL_BROADCAST, "binomial", (size_t)bytes),
            (c->message_ns + bytes / c->node_rate * 1e9 + c->node_ns) / 1e9, 0.01);
    node_of[1] = 1; /* another node of the silo */
    is_near(seconds(FRD_COLL_BROADCAST, "binomial", (size_t)bytes),
            (2 * c->message_ns + bytes / c->fabric_rate * 1e9 + 2 * c->fabric_ns) / 1e9, 1e-6);
}
END_TEST

/* Lines are full while a direct allreduce goes on: 2 (S - 1) / S of the vector each way. */
START_TEST(lines_bound_an_allreduce)
{
    const int silos[] = { 2, 3, 5, 8 };
    const double rate = 37.5e6, bytes = 128. * MIB;

    for (int i = 0; i < 4; i++) {
        const int n = silos[i];
        const double bound = 2. * (n - 1) / n * bytes / rate / frd_sim_costs_default.wan_share + 0.04;
        uint64_t sent[SILOS * SILOS], all = 0;

        lay_out(n, n, rate, 20 * MS);
        result.link_bytes = sent;
        is_near(seconds(FRD_COLL_ALLREDUCE, "silo", 128 * MIB), bound, 0.04);
        ck_assert_double_ge(result.seconds, bound);
        for (int k = 0; k < n * n; k++)
            all += sent[k];
        is_near((double)all, 2. * (n - 1) * bytes, 1e-6);
        result.link_bytes = NULL;
    }
}
END_TEST

/* A window that is shorter than the path holds bounds it instead. */
START_TEST(windows_bound_long_paths)
{
    lay_out(2, 2, 1e9, 100 * MS);
    world.costs = &(frd_sim_costs){ .copy_rate = 1e12, .reduce_rate = 1e12, .node_rate = 1e12, .gateway_rate = 1e12,
                                    .wan_share = 1, .fabric_rate = 1e12, .call_rate = 1e12 };
    is_near(seconds(FRD_COLL_BROADCAST, "silo", 256 * MIB), 256. / 16 * 0.2, 0.1);
}
END_TEST

START_TEST(a_root_is_bound_by_its_line)
{
    lay_out(5, 5, 10e6, 5 * MS);
    is_near(seconds(FRD_COLL_GATHER, "silo", 8 * MIB), 4 * 8. * MIB / 10e6 / frd_sim_costs_default.wan_share, 0.03);
    lay_out(5, 5, 10e6, 5 * MS);
    links[1 * 5 + 0].rate = 1e6; /* a slow link to the root, beside the others */
    is_near(seconds(FRD_COLL_GATHER, "silo", 8 * MIB), 8. * MIB / 1e6 / frd_sim_costs_default.wan_share, 0.05);
}
END_TEST

START_TEST(links_go_down)
{
    const frd_sim_outage outage = { 1, 0, 0.5e9, 3.5e9 };
    double whole, through;

    lay_out(3, 3, 37.5e6, 20 * MS);
    whole = seconds(FRD_COLL_ALLREDUCE, "silo", 128 * MIB);
    world.outage = &outage;
    world.outages = 1;
    through = seconds(FRD_COLL_ALLREDUCE, "silo", 128 * MIB);
    printf("%.3f s, with a relay for some time %.3f\n", whole, through);
    ck_assert_double_ge(through, whole + 0.5);
    ck_assert_double_le(through, whole + 3.5);
    for (int i = 0; i < 3; i++)
        line[i].relay = false;
    is_near(seconds(FRD_COLL_ALLREDUCE, "silo", 128 * MIB), whole + 3, 0.03);
}
END_TEST

START_TEST(who_may_not_talk_is_relayed)
{
    uint64_t sent[9];

    lay_out(3, 3, 37.5e6, 20 * MS);
    links[0 * 3 + 1].talk = links[1 * 3 + 0].talk = false;
    result.link_bytes = sent;
    (void)seconds(FRD_COLL_ALLREDUCE, "silo", 32 * MIB);
    ck_assert_uint_eq(sent[1], 0);
    is_near((double)sent[2], 4. / 3 * 32 * MIB, 1e-6); /* 0's share of two, to c, */
    is_near((double)sent[5], 4. / 3 * 32 * MIB, 1e-6);
    line[2].relay = false;
    const frd_call call = call_of(FRD_COLL_ALLREDUCE, 32 * MIB);
    ck_assert_int_eq(frd_sim_run(&world, algo(FRD_COLL_ALLREDUCE, "silo"), &call, &story, &result),
                     FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "silos 0 and 1 may not talk"));
    result.link_bytes = NULL;
}
END_TEST

START_TEST(loss_and_jitter_cost_time)
{
    double bare, lossy, late;

    lay_out(3, 3, 37.5e6, 20 * MS);
    bare = seconds(FRD_COLL_ALLREDUCE, "silo", 64 * MIB);
    for (int i = 0; i < 9; i++)
        links[i].loss = 0.01;
    lossy = seconds(FRD_COLL_ALLREDUCE, "silo", 64 * MIB);
    for (int i = 0; i < 9; i++) {
        links[i].loss = 0;
        links[i].jitter_ns = 30 * MS;
    }
    late = seconds(FRD_COLL_ALLREDUCE, "silo", 64 * MIB);
    printf("%.3f s, with loss %.3f, with jitter %.3f\n", bare, lossy, late);
    ck_assert_double_gt(lossy, bare);
    ck_assert_double_lt(lossy, bare * 1.15);
    ck_assert_double_gt(late, bare);
    ck_assert_double_lt(late, bare * 1.15);
    world.seed = 2;
    ck_assert_double_ne(seconds(FRD_COLL_ALLREDUCE, "silo", 64 * MIB), late);
}
END_TEST

/* ---- every algorithm ---- */

static uint64_t random_of(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = *state;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int below(uint64_t *state, int n)
{
    return (int)(random_of(state) % (uint64_t)n);
}

static void random_world(uint64_t *state, int silos)
{
    const int ranks = silos + below(state, 12);

    lay_out(ranks, silos, 1e6 + below(state, 1000) * 1e6, below(state, 100) * MS);
    for (int i = silos; i < ranks; i++)
        silo_of[i] = below(state, silos);
    for (int i = 0; i < silos; i++)
        silo_of[i] = i;
    for (int i = 0; i < ranks; i++) /* up to three nodes a silo */
        node_of[i] = silo_of[i] + silos * below(state, 1 + (ranks - silos) / silos);
    for (int i = 0; i < silos * silos; i++) {
        links[i].rate = below(state, 3) * 5e7;
        links[i].latency_ns = below(state, 100) * MS;
        links[i].loss = below(state, 3) * 0.01;
    }
    world.gateways = 1 + below(state, 3);
    world.seed = random_of(state);
    world.fragment = (size_t)below(state, 3) * 65536;
}

/* Trees for the world's links; without one for others. */
static frd_forest *plan_of(const frd_algo *a, size_t len)
{
    static frd_forest_silo silo[SILOS];
    static frd_forest_link way[SILOS * SILOS];
    static bool carry[SILOS * SILOS];
    const frd_forest_net net = { .silos = world.silos, .silo = silo, .link = way, .carry = carry };
    const frd_forest_ask ask = { .ways = FRD_FOREST_UP | FRD_FOREST_DOWN, .root = -1, .bytes = len,
                                 .fragment_bytes = 4 * MIB };
    frd_forest *forest = NULL;

    if ((a->flags & FRD_ALGO_PLANNED) != FRD_ALGO_PLANNED)
        return NULL;
    for (int i = 0; i < world.silos; i++)
        silo[i] = (frd_forest_silo){ (uint64_t)line[i].egress * 8, (uint64_t)line[i].ingress * 8, true };
    for (int i = 0; i < world.silos * world.silos; i++) {
        way[i] = (frd_forest_link){ true, (uint64_t)links[i].latency_ns, (uint64_t)links[i].rate * 8 };
        carry[i] = true;
    }
    ck_assert_msg(frd_forest_make(&net, &ask, &story, &forest) == FEDRDMA_OK, "%s", story.text);
    return forest;
}

/* A planned allreduce takes what its plan says: both are models, of the same links. */
START_TEST(plans_hold)
{
    const double bytes = 64. * MIB;

    lay_out(5, 5, 0, 10 * MS);
    for (int i = 0; i < 25; i++) {
        const int a = i / 5, b = i % 5;

        links[i].rate = (a == 4 || b == 4 ? 6e6 + (a + b) * 1e6 : 30e6 + (a * b % 7) * 1e7);
        links[i].latency_ns = a == 4 || b == 4 ? 60 * MS : 10 * MS;
    }
    frd_forest *const forest = plan_of(algo(FRD_COLL_ALLREDUCE, "silo_planned"), (size_t)bytes);
    const double direct = seconds(FRD_COLL_ALLREDUCE, "silo", (size_t)bytes);

    world.forest = forest;
    const double planned = seconds(FRD_COLL_ALLREDUCE, "silo_planned", (size_t)bytes);
    const double expected = forest->cost.load_ns / 1e9 / frd_sim_costs_default.wan_share;

    printf("direct %.3f s, planned %.3f, by the plan %.3f + %.3f\n", direct, planned, expected,
           forest->cost.delay_ns / 1e9);
    ck_assert_double_le(planned, 0.7 * direct);
    ck_assert_double_ge(planned, 0.98 * expected);
    ck_assert_double_le(planned, 1.25 * expected);
    frd_forest_destroy(forest);
}
END_TEST

START_TEST(every_algorithm_ends)
{
    const frd_algo *const a = frd_algo_at((size_t)_i);
    const char *const given = getenv("FRD_SEED");
    uint64_t state = given != NULL ? strtoull(given, NULL, 0) : 1;

    for (int k = 0; k < 40; k++) {
        const uint64_t seed = state;
        const bool between = (a->flags & FRD_ALGO_SILOS) != 0, within = (a->flags & FRD_ALGO_NODE) != 0;
        frd_sim_result again;

        random_world(&state, between ? 2 + below(&state, 4) : 1);
        if (within)
            memset(node_of, 0, sizeof(node_of));
        if ((a->flags & FRD_ALGO_POW2) != 0) {
            lay_out(1 << below(&state, 5), 1, 1e8, 0);
            for (int i = 0; i < world.ranks; i++)
                node_of[i] = i % 2 * (world.ranks > 1);
        }
        const size_t len = a->coll == FRD_COLL_BARRIER ? 0 : 4 * (size_t)below(&state, 200000);
        frd_call call = call_of(a->coll, len);

        call.root = below(&state, world.ranks);
        frd_forest *const forest = plan_of(a, len);
        world.forest = forest;
        ck_assert_msg(frd_sim_run(&world, a, &call, &story, &result) == FEDRDMA_OK, "%s %s: %s; FRD_SEED=%llu",
                      frd_coll_name(a->coll), a->name, story.text, (unsigned long long)seed);
        again.link_bytes = NULL;
        ck_assert_int_eq(frd_sim_run(&world, a, &call, &story, &again), FEDRDMA_OK);
        ck_assert_msg(memcmp(&again, &result, sizeof(again)) == 0, "not the same twice; FRD_SEED=%llu",
                      (unsigned long long)seed);
        frd_forest_destroy(forest);
    }
}
END_TEST

START_TEST(many_ranks)
{
    lay_out(4096, 64, 1.25e8, 20 * MS);
    (void)seconds(FRD_COLL_ALLREDUCE, "silo", 16 * MIB);
    printf("4096 ranks in 64 silos: %.3f s, %llu messages, %llu events, %.1f MiB of scratch\n", result.seconds,
           (unsigned long long)result.messages, (unsigned long long)result.events,
           (double)result.scratch_bytes / MIB);
    ck_assert_double_ge(result.seconds, 2. * 63 / 64 * 16 * MIB / 1.25e8);
    ck_assert_uint_ge(result.scratch_bytes, 16 * MIB);
}
END_TEST

static double shown;

static void note(double share, void *arg)
{
    ck_assert_ptr_eq(arg, &shown);
    ck_assert_double_ge(share, shown);
    shown = share;
}

START_TEST(progress_is_told)
{
    lay_out(300, 30, 1.25e8, 20 * MS);
    world.progress = note;
    world.arg = &shown;
    (void)seconds(FRD_COLL_ALLREDUCE, "silo", 64 * MIB);
    ck_assert_double_eq(shown, 1);
}
END_TEST

START_TEST(bad_worlds_are_refused)
{
    const frd_call call = call_of(FRD_COLL_ALLREDUCE, MIB);
    const frd_algo *const a = algo(FRD_COLL_ALLREDUCE, "silo");

    lay_out(0, 1, 1e6, 0);
    ck_assert_int_eq(frd_sim_run(&world, a, &call, &story, &result), FEDRDMA_ERR_INVALID);
    lay_out(3, 3, 1e6, 0);
    links[5].loss = 1;
    ck_assert_int_eq(frd_sim_run(&world, a, &call, &story, &result), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "silos 1 and 2"));
    lay_out(3, 3, NAN, 0);
    ck_assert_int_eq(frd_sim_run(&world, a, &call, &story, &result), FEDRDMA_ERR_INVALID);
    lay_out(3, 3, 1e6, 0);
    silo_of[2] = 3;
    ck_assert_int_eq(frd_sim_run(&world, a, &call, &story, &result), FEDRDMA_ERR_INVALID);
    lay_out(3, 1, 1e6, 0); /* the algorithm says so */
    ck_assert_int_ne(frd_sim_run(&world, a, &call, &story, &result), FEDRDMA_OK);
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "one_message", one_message, 1 },
        { "lines", lines_bound_an_allreduce, 1 },
        { "windows", windows_bound_long_paths, 1 },
        { "root", a_root_is_bound_by_its_line, 1 },
        { "down", links_go_down, 1 },
        { "relay", who_may_not_talk_is_relayed, 1 },
        { "loss", loss_and_jitter_cost_time, 1 },
        { "plans", plans_hold, 1 },
        { "every", every_algorithm_ends, (int)frd_algo_count() },
        { "many", many_ranks, 1 },
        { "progress", progress_is_told, 1 },
        { "bad", bad_worlds_are_refused, 1 },
    };

    return cases_run("sim", rows, sizeof(rows) / sizeof(rows[0]));
}
