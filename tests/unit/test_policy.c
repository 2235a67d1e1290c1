/* SPDX-License-Identifier: BSD-3-Clause
 * test_policy.c - what ranks of different silos may do, from a topology file and the ranks' places. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/policy.h"

enum { N = 8 };

static frd_place places[N];
static frd_silos *silos;
static frd_policy *policy;
static const frd_net_policy *net;
static frd_story story;

/* Rank i is on node `node`, in silo `silo`; `gateway` as in frd_place. */
static void put(int i, const char *silo, const char *node, unsigned gateway)
{
    snprintf(places[i].silo, sizeof places[i].silo, "%s", silo);
    snprintf(places[i].node, sizeof places[i].node, "%s", node);
    places[i].gateway = gateway;
}

static void read_file(const char *text)
{
    ck_assert_msg(frd_silos_parse("t.yaml", text, strlen(text), &story, &silos) == FEDRDMA_OK, "%s",
                  story.text);
}

static int make(int rank, int size, int gateways)
{
    const frd_policy_facts facts = { silos, places, size, rank, gateways };

    frd_policy_free(policy);
    policy = NULL;
    story = (frd_story){ .log = NULL };
    const int rc = frd_policy_create(&facts, &story, &policy);
    net = rc == FEDRDMA_OK ? frd_policy_net(policy) : NULL;
    return rc;
}

static frd_net_way way_to(int peer)
{
    frd_net_way way;

    net->way(net->arg, peer, &way);
    return way;
}

static bool relays(int from, int to, int via)
{
    return net->relays(net->arg, from, to, via);
}

static void setup(void)
{
    memset(places, 0, sizeof places);
    silos = NULL;
    policy = NULL;
}

static void teardown(void)
{
    frd_policy_free(policy);
    frd_silos_destroy(silos);
}

START_TEST(without_a_file)
{
    for (int i = 0; i < 6; i++)
        put(i, i < 2 ? "a" : i < 4 ? "b" : "c", &"abcdef"[i], 0);
    places[1].is_near = 1;
    ck_assert_int_eq(make(0, 6, 0), FEDRDMA_OK);
    ck_assert(relays(2, 4, 1) && relays(3, 5, 1) && relays(0, 4, 2) && relays(1, 2, 4)); /* first gateways */
    ck_assert(!relays(2, 4, 0) && !relays(0, 4, 3));                                     /* others */
    ck_assert(!relays(0, 1, 2) && !relays(0, 2, 1) && !relays(2, 0, 1) &&
              !relays(0, 0, 2)); /* not a third silo */
    const frd_net_way way = way_to(4);
    ck_assert(!way.barred && !way.waits && way.rate == 0 && way.naddresses == 0 && way.silo == 4);
    ck_assert(!net->relay && net->rate == 0 && net->port == 0);
    ck_assert_int_eq(make(1, 6, 0), FEDRDMA_OK);
    ck_assert(net->relay);
}
END_TEST

#define FOUR \
    "version: 1\n" \
    "silos:\n" \
    "  a: {gateways: {a1: [192.0.2.1:7100, 192.0.2.2], a2: 192.0.2.3:7101}, egress: 800M, hosts: [a3]}\n" \
    "  b: {gateways: {b1: 192.0.2.4:7100}, ingress: 80M}\n" \
    "  c: {gateways: {c1: 192.0.2.5:7100}}\n" \
    "  d: {gateways: {d1: }, dial_in: no, relay: no}\n"

static void four(void)
{
    put(0, "a", "a3", 0);
    put(1, "a", "a1", 1);
    put(2, "a", "a1", 1);
    put(3, "a", "a2", 2);
    put(4, "b", "b1", 1);
    put(5, "b", "x", 0);
    put(6, "c", "c1", 1);
    put(7, "d", "d1", 1);
}

START_TEST(addresses_are_of_the_first_rank_there)
{
    four();
    read_file(FOUR);
    ck_assert_int_eq(make(4, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(way_to(0).naddresses, 0);
    ck_assert_uint_eq(way_to(1).naddresses, 2);
    ck_assert_str_eq(way_to(1).addresses[1].host, "192.0.2.2");
    ck_assert_uint_eq(way_to(2).naddresses, 0);
    ck_assert_str_eq(way_to(3).addresses[0].host, "192.0.2.3");
    ck_assert_uint_eq(net->port, 7100);
    ck_assert_int_eq(make(2, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(net->port, 0);
    ck_assert_int_eq(make(3, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(net->port, 7101);
}
END_TEST

/* The caps of a silo, summed over its ranks, are not more than the file's, and not much less for its
 * gateways. */
START_TEST(shares_add_up)
{
    const int gateways = 1 + _i; /* 1, 2 */
    uint64_t egress = 0, to_b = 0, most = 0;

    four();
    put(4, "b", "b1", 1);
    put(5, "b", "b1", 1);
    put(7, "c", "c1", 1);
    read_file(FOUR);
    for (int rank = 0; rank < 4; rank++) {
        ck_assert_int_eq(make(rank, N, gateways), FEDRDMA_OK);
        egress += net->rate;
        to_b += way_to(4).rate;
        most = net->rate > most ? net->rate : most;
        ck_assert_uint_eq(way_to(4).rate, way_to(5).rate);
        ck_assert_int_eq(way_to(4).silo, way_to(5).silo);
        ck_assert_uint_eq(way_to(3 - rank).rate, 0); /* within the silo */
        ck_assert_uint_gt(way_to(4).rate, 0);
    }
    ck_assert_uint_le(egress, 100000000);
    ck_assert_uint_ge(egress, 99999000);
    ck_assert_uint_le(to_b, 10000000);
    ck_assert_uint_ge(to_b, 9999000);
    ck_assert_uint_ge(most, 100000000 / (uint64_t)gateways * 15 / 16 - 1);
}
END_TEST

START_TEST(a_small_cap_is_none_the_less_one)
{
    four();
    read_file(
        "version: 1\nsilos:\n  a: {gateways: {a1: h:1}}\n  b: {gateways: {b1: h:2}}\n  c: {gateways: {c1: "
        "h:3}}\n"
        "  d: {gateways: {d1: h:4}}\nlinks: [{from: a, to: b, rate: 10bit/s}, {from: c, to: a, rate: 8k}]\n");
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(way_to(4).rate, 1);
    ck_assert_uint_eq(way_to(6).rate, 0); /* the other direction is capped */
    ck_assert_int_eq(make(6, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(way_to(0).rate, 1000);
}
END_TEST

START_TEST(who_dials)
{
    four();
    read_file(FOUR "links: [{between: [a, b], dial: a->b}]\n");
    ck_assert_int_eq(make(1, N, 0), FEDRDMA_OK);
    ck_assert(!way_to(4).waits && !way_to(5).waits && way_to(7).waits && !way_to(6).waits &&
              !way_to(0).waits);
    ck_assert_int_eq(make(4, N, 0), FEDRDMA_OK);
    ck_assert(way_to(0).waits && !way_to(6).waits);
    ck_assert_int_eq(make(7, N, 0), FEDRDMA_OK);
    ck_assert(!way_to(0).waits && !way_to(4).waits);
}
END_TEST

/* a and b may not talk: c relays for them, d does not relay, and c does not reach d. */
START_TEST(who_may_not_talk)
{
    four();
    read_file(FOUR "links: [{between: [a, b], talk: no}, {between: [c, d], talk: no}]\n");
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_OK);
    ck_assert(way_to(4).barred && way_to(5).barred && !way_to(6).barred && !way_to(1).barred);
    ck_assert_uint_eq(way_to(5).hops, 1);
    ck_assert_int_eq(way_to(5).via[0], 6);
    ck_assert(relays(0, 4, 6) && relays(5, 2, 6) && !relays(0, 4, 7));
    ck_assert(!relays(0, 7, 6));                            /* it may not talk to d */
    ck_assert(!relays(4, 6, 1));                            /* a may not talk to b */
    ck_assert(relays(4, 7, 1) == false && relays(6, 7, 1)); /* a relays for c and d, not for b */
    ck_assert_int_eq(make(6, N, 0), FEDRDMA_OK);
    ck_assert(way_to(7).barred);
    ck_assert_int_eq(way_to(7).via[0], 1); /* a's first gateway */
}
END_TEST

START_TEST(several_relays)
{
    four();
    read_file(
        "version: 1\nsilos:\n  a: {gateways: {a1: h:1}}\n  b: {gateways: {b1: h:2}}\n  c: {gateways: {c1: "
        "h:3}}\n"
        "  d: {gateways: {d1: h:4}}\n"
        "links: [{between: [a, c], talk: no}, {between: [a, d], talk: no}, {between: [b, d], talk: no}]\n");
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(way_to(7).hops, 2);
    ck_assert(way_to(7).via[0] == 4 && way_to(7).via[1] == 6);
    ck_assert_int_eq(make(7, N, 0), FEDRDMA_OK);
    ck_assert(way_to(3).via[0] == 6 && way_to(3).via[1] == 4);
    put(6, "a", "a9", 0); /* nobody of c is here */
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_ERR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(story.text, "silos \"a\" and \"d\" exchange nothing without a relay"));
    put(7, "b", "b9", 0);
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_OK);
}
END_TEST

START_TEST(a_rank_of_no_silo)
{
    four();
    put(5, "e", "b1", 0);
    read_file(FOUR);
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_ERR_MISMATCH);
    ck_assert_ptr_nonnull(strstr(story.text, "rank 5 says that its silo is \"e\""));
    put(5, "b", "b1", 77); /* a gateway that is none */
    ck_assert_int_eq(make(0, N, 0), FEDRDMA_OK);
    ck_assert_uint_eq(way_to(5).naddresses, 0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("policy");
    TCase *const tcase = tcase_create("policy");
    SRunner *const runner = srunner_create(suite);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_a_file);
    tcase_add_test(tcase, addresses_are_of_the_first_rank_there);
    tcase_add_loop_test(tcase, shares_add_up, 0, 2);
    tcase_add_test(tcase, a_small_cap_is_none_the_less_one);
    tcase_add_test(tcase, who_dials);
    tcase_add_test(tcase, who_may_not_talk);
    tcase_add_test(tcase, several_relays);
    tcase_add_test(tcase, a_rank_of_no_silo);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
