/* SPDX-License-Identifier: BSD-3-Clause
 * test_net.c - what net.h promises of every transport, over each of them: random traffic with limits of all
 * sizes, cancelling at random moments, many messages in flight, lengths that differ, control messages,
 * operations that ended. Ranks are threads; where the transport allows it, also processes. */
#include <check.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "net_traffic.h"

/* Where everything here runs. */
static const struct ground {
    const char *transports;
    bool forked;
} ground[] = {
    { "loop", false },
    { "shm", false },
    { "shm", true },
    { "ucx", true },
    { "wan", false },
    { "wan", true },
};
enum { GROUNDS = sizeof(ground) / sizeof(ground[0]) };

/* Limits from the defaults down to what gives bugs a chance. */
static const char *const limits[][WORLD_OPTIONS][2] = {
    { { "loop_seed", "1" } },
    { { "loop_seed", "2" }, { "eager", "0" }, { "shm_ring", "2k" } },
    { { "loop_seed", "3" }, { "eager_credit", "0" }, { "shm_direct", "0" } },
    { { "loop_seed", "4" }, { "eager", "64" }, { "eager_credit", "100" }, { "shm_ring", "1" } },
    { { "loop_seed", "5" },
      { "shm_ring", "2k" },
      { "shm_direct", "0" },
      { "spin", "0us" },
      { "yield", "0us" } },
    { { "loop_seed", "6" },
      { "eager", "1m" },
      { "eager_credit", "1g" },
      { "spin", "0us" },
      { "yield", "0us" } },
};
enum { LIMITS = sizeof(limits) / sizeof(limits[0]) };

/* The _i-th combination of ground and limits. */
static world combination(int i, body_fn *body, int size)
{
    world w = { .transports = ground[i % GROUNDS].transports,
                .forked = ground[i % GROUNDS].forked,
                .size = size,
                .body = body,
                .seed = (unsigned)i + 1 };

    memcpy(w.option, limits[i / GROUNDS], sizeof(w.option));
    return w;
}

/* ---- traffic -------------------------------------------------------------------------------------- */

static void exchange_body(rank *r)
{
    const char *const name = r->world->transports;
    uint64_t sent = 0, received = 0;
    traffic t;

    traffic_plan_make(r, r->world->arg, &t);
    traffic_start_all(r, &t);
    world_until(r, &t.ended, t.items);
    for (int i = 0; i < t.items; i++) {
        REQUIRE(t.item[i].rc == FEDRDMA_OK);
        traffic_check(&t.item[i]);
        sent += t.item[i].sending ? t.item[i].msg.len : 0;
        received += t.item[i].sending ? 0 : t.item[i].msg.len;
        REQUIRE(strcmp(frd_fabric_transport(r->fabric, t.item[i].msg.peer), name) == 0);
    }
    if (strcmp(name, "loop") == 0)
        REQUIRE(r->stat.loop_sent_bytes == sent && r->stat.loop_received_bytes == received);
    if (strcmp(name, "wan") == 0)
        REQUIRE(r->stat.wan_received_bytes == received && r->stat.wan_corrupt == 0 && r->stat.wan_malformed == 0);
    if (strcmp(name, "shm") == 0)
        REQUIRE(r->stat.shm_sent_bytes == sent && r->stat.shm_received_bytes == received);
    REQUIRE(r->stat.net_dropped == 0);
    world_barrier(r);
    traffic_free(&t);
}

START_TEST(test_exchange)
{
    const traffic_plan plan = { .messages = 60, .len_max = 2 << 20 };
    world w = combination(_i, exchange_body, 2 + _i % 3);

    w.arg = &plan;
    world_run(&w);
}
END_TEST

static void cancel_body(rank *r)
{
    traffic t;

    traffic_plan_make(r, r->world->arg, &t);
    for (int next = 0; next < t.items || t.firm_ended < t.firm;) {
        item *const some = &t.item[world_below(r, (size_t)t.items)];

        if (next < t.items)
            traffic_start(&t, &t.item[next++]);
        if (some->started && some->cancels)
            traffic_cancel(r, some);
        if (world_below(r, 3) == 0)
            frd_fabric_progress(r->fabric);
    }
    /* What the other end cancelled may stand here for ever. */
    for (int i = 0; i < t.items; i++) {
        if (t.item[i].fragile)
            traffic_cancel(r, &t.item[i]);
    }
    world_barrier(r);
    for (int i = 0; i < 200; i++)
        frd_fabric_progress(r->fabric);
    world_barrier(r);
    for (int i = 0; i < t.items; i++)
        traffic_check(&t.item[i]);
    traffic_free(&t);
}

START_TEST(test_cancel)
{
    const traffic_plan plan = { .messages = 100, .len_max = 2 << 20, .cancel_percent = 60 };
    world w = combination(_i, cancel_body, 2 + _i % 2);

    w.arg = &plan;
    world_run(&w);
}
END_TEST

/* Everything is sent before anything is received. */
static void many_body(rank *r)
{
    traffic t;

    traffic_plan_make(r, r->world->arg, &t);
    for (int i = 0; i < t.items; i++) {
        if (t.item[i].sending)
            traffic_start(&t, &t.item[i]);
    }
    while (r->stat.net_unexpected < 100)
        world_turn(r);
    world_barrier(r);
    for (int i = t.items; i-- > 0;) {
        if (!t.item[i].sending)
            traffic_start(&t, &t.item[i]);
    }
    world_until(r, &t.ended, t.items);
    for (int i = 0; i < t.items; i++)
        traffic_check(&t.item[i]);
    world_barrier(r);
    traffic_free(&t);
}

START_TEST(test_many)
{
    const traffic_plan plan = { .messages = 10000, .len_max = 300 };
    world w = combination(_i, many_body, 2);

    w.arg = &plan;
    world_run(&w);
}
END_TEST

/* ---- single messages ------------------------------------------------------------------------------ */

typedef struct single {
    frd_msg msg;
    int ended, rc;
} single;

static void single_done(frd_msg *msg, int rc)
{
    single *const s = (single *)msg;

    s->ended++;
    s->rc = rc;
}

static void single_start(rank *r, single *s, bool sending, frd_tag tag, void *buf, size_t len)
{
    *s = (single){ .msg = { .tag = tag, .peer = 1 - r->rank, .buf = buf, .len = len, .done = single_done } };
    if (sending)
        frd_fabric_send(r->fabric, &s->msg);
    else
        frd_fabric_recv(r->fabric, &s->msg);
}

static void mismatch_body(rank *r)
{
    static const size_t lens[][2] = { { 0, 1 },        { 5, 0 },        { 100, 101 },
                                      { 100000, 100 }, { 100, 100000 }, { 300000, 300001 } };
    enum { CASES = sizeof(lens) / sizeof(lens[0]) };
    unsigned char *const buf = calloc(1, 400000);
    single send[CASES], recv[CASES];

    REQUIRE(buf != NULL);
    for (unsigned order = 0; order < 2; order++) { /* the receive first, or the message */
        for (unsigned i = 0; i < CASES && order == 0; i++)
            single_start(r, &recv[i], false, (frd_tag){ .comm = order, .idx = i }, buf, lens[i][1]);
        world_barrier(r);
        for (unsigned i = 0; i < CASES; i++)
            single_start(r, &send[i], true, (frd_tag){ .comm = order, .idx = i }, buf, lens[i][0]);
        for (unsigned i = 0; i < 100; i++)
            frd_fabric_progress(r->fabric);
        world_barrier(r);
        for (unsigned i = 0; i < CASES && order == 1; i++)
            single_start(r, &recv[i], false, (frd_tag){ .comm = order, .idx = i }, buf, lens[i][1]);
        for (unsigned i = 0; i < CASES; i++) {
            world_until(r, &send[i].ended, 1);
            world_until(r, &recv[i].ended, 1);
            REQUIRE(send[i].rc == FEDRDMA_OK);
            REQUIRE(recv[i].rc == FEDRDMA_ERR_MISMATCH && recv[i].msg.word[0] == lens[i][0]);
        }
    }
    world_barrier(r);
    free(buf);
}

START_TEST(test_mismatch)
{
    world w = combination(_i, mismatch_body, 2);

    world_run(&w);
}
END_TEST

/* Control messages pass data that nobody receives. */
static void control_body(rank *r)
{
    enum { DATA = 300, CONTROLS = 200 };
    unsigned char buf[FRD_CONTROL_MAX], data[1000] = { 0 };
    single *const s = calloc(DATA, sizeof(*s));
    single c;

    REQUIRE(s != NULL);
    for (unsigned i = 0; i < DATA; i++)
        single_start(r, &s[i], true, (frd_tag){ .comm = 1, .idx = i }, data, i * 3);
    for (unsigned i = 0; i < CONTROLS; i++) {
        const uint32_t len = i * FRD_CONTROL_MAX / (CONTROLS - 1);

        memset(buf, (int)(i & 0xff), len);
        single_start(r, &c, true, (frd_tag){ .comm = FRD_TAG_CONTROL, .seq = len, .idx = i }, buf, len);
        world_until(r, &c.ended, 1);
        REQUIRE(c.rc == FEDRDMA_OK);
    }
    world_until(r, &r->controls, CONTROLS);
    world_barrier(r);
    for (unsigned i = 0; i < DATA; i++) {
        if (s[i].ended == 0)
            frd_fabric_cancel(r->fabric, &s[i].msg);
        world_until(r, &s[i].ended, 1);
    }
    world_barrier(r);
    free(s);
}

START_TEST(test_control)
{
    world w = combination(_i, control_body, 2);

    world_run(&w);
}
END_TEST

static bool odd_is_dead(const frd_tag *tag)
{
    return tag->comm % 2 == 1;
}

/* Messages of operations that ended: they go nowhere, and their senders are not kept. */
static void dead_body(rank *r)
{
    static const size_t lens[] = { 0, 10, 5000, 200000 };
    unsigned char *const buf = calloc(1, 200000);
    single s[2][4], last;

    REQUIRE(buf != NULL);
    r->dead = odd_is_dead;
    world_barrier(r);
    for (unsigned i = 0; i < 4; i++)
        single_start(r, &s[0][i], true, (frd_tag){ .comm = 1, .idx = i }, buf,
                     lens[i]); /* dead when it comes */
    for (unsigned i = 0; i < 4; i++) {
        world_until(r, &s[0][i].ended, 1);
        REQUIRE(s[0][i].rc == FEDRDMA_OK);
        single_start(r, &s[1][i], true, (frd_tag){ .comm = 2, .idx = i }, buf,
                     lens[i]); /* dies in the table */
    }
    while (r->stat.net_dropped < 4 || r->stat.net_unexpected < 4)
        world_turn(r);
    r->dead = NULL;
    frd_fabric_purge(r->fabric, -1);
    REQUIRE(r->stat.net_dropped == 4); /* none was dead any more */
    frd_fabric_purge(r->fabric, 1 - r->rank);
    REQUIRE(r->stat.net_dropped == 8);
    for (unsigned i = 0; i < 4; i++) {
        world_until(r, &s[1][i].ended, 1);
        REQUIRE(s[1][i].rc == FEDRDMA_OK);
    }
    single_start(r, &last, false, (frd_tag){ .comm = 2, .idx = 1 }, buf, lens[1]);
    for (int i = 0; i < 100; i++)
        frd_fabric_progress(r->fabric);
    REQUIRE(last.ended == 0);
    frd_fabric_cancel(r->fabric, &last.msg);
    REQUIRE(last.ended == 1 && last.rc == FEDRDMA_ERR_CANCELED);
    world_barrier(r);
    free(buf);
}

START_TEST(test_dead)
{
    world w = combination(_i, dead_body, 2);

    world_run(&w);
}
END_TEST

/* A message that is cancelled after its offer arrived: its receive ends, and not as if it had come. */
static void withdrawn_body(rank *r)
{
    enum { LEN = 300000 };
    const bool over_wan = strcmp(r->world->transports, "wan") == 0;
    unsigned char *const buf = calloc(1, LEN);
    single s;

    REQUIRE(buf != NULL);
    if (r->rank == 0) {
        single_start(r, &s, true, (frd_tag){ .comm = 1 }, buf, LEN);
        while (world_flags(r)[0] == 0)
            world_turn(r);
        frd_fabric_cancel(r->fabric, &s.msg);
        world_until(r, &s.ended, 1);
        /* The WAN takes so much before it is accepted, and may have had all of it: then that was the normal end, or
         * the receiver may take it for that. */
        REQUIRE(s.rc == FEDRDMA_ERR_CANCELED || (over_wan && s.rc == FEDRDMA_OK));
        world_flags(r)[1] = s.rc == FEDRDMA_OK ? 2 : 1;
    } else {
        while (r->stat.net_unexpected == 0)
            world_turn(r);
        world_flags(r)[0] = 1;
        while (world_flags(r)[1] == 0)
            world_turn(r);
        single_start(r, &s, false, (frd_tag){ .comm = 1 }, buf, LEN);
        world_until(r, &s.ended, 1);
        REQUIRE(s.rc == FEDRDMA_ERR_CANCELED ? world_flags(r)[1] == 1 : over_wan && s.rc == FEDRDMA_OK);
    }
    world_barrier(r);
    free(buf);
}

START_TEST(test_withdrawn)
{
    world w = combination(_i, withdrawn_body, 2);

    world_run(&w);
}
END_TEST

static bool all_dead(const frd_tag *tag)
{
    return tag->comm != FRD_TAG_CONTROL;
}

/* A receive that is cancelled at any moment, and nobody will post it again: its sender is told. */
static void revoked_body(rank *r)
{
    enum { ROUNDS = 12, LEN = 8 << 20 };
    unsigned char *const buf = calloc(1, LEN);

    REQUIRE(buf != NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const frd_tag tag = { .comm = 1, .seq = round };
        single s;

        if (r->rank == 0) {
            single_start(r, &s, true, tag, buf, LEN);
            world_until(r, &s.ended, 1);
            REQUIRE(s.rc == FEDRDMA_OK);
            world_flags(r)[0] = (int)round + 1;
        } else {
            single_start(r, &s, false, tag, buf, LEN);
            for (size_t turns = world_below(r, 12); turns > 0; turns--)
                world_turn(r);
            if (s.ended == 0)
                frd_fabric_cancel(r->fabric, &s.msg);
            world_until(r, &s.ended, 1);
            r->dead = all_dead;
            while (world_flags(r)[0] <= (int)round) {
                frd_fabric_purge(r->fabric, -1);
                frd_fabric_progress(r->fabric);
            }
            r->dead = NULL;
        }
        world_barrier(r);
    }
    free(buf);
}

START_TEST(test_revoked)
{
    world w = combination(_i, revoked_body, 2);

    world_run(&w);
}
END_TEST

/* Receives come first: then a round like one before allocates nothing. */
static void steady_body(rank *r)
{
    static const size_t lens[] = { 0, 8, 1000, 8192, 30000, 1 << 18 };
    enum { CASES = sizeof(lens) / sizeof(lens[0]), ROUNDS = 40, WARM = 10 };
    unsigned char *const buf = calloc(2, 2 << 20);
    single send[CASES], recv[CASES];
    uint64_t allocations = 0;

    REQUIRE(buf != NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round == WARM)
            allocations = frd_mem_allocations();
        for (unsigned i = 0; i < CASES; i++)
            single_start(r, &recv[i], false, (frd_tag){ .comm = 1, .seq = round, .idx = i },
                         buf + ((size_t)i << 18), lens[i]);
        world_barrier(r);
        for (unsigned i = 0; i < CASES; i++)
            single_start(r, &send[i], true, (frd_tag){ .comm = 1, .seq = round, .idx = i }, buf + (2 << 20),
                         lens[i]);
        for (unsigned i = 0; i < CASES; i++) {
            world_until(r, &send[i].ended, 1);
            world_until(r, &recv[i].ended, 1);
            REQUIRE(send[i].rc == FEDRDMA_OK && recv[i].rc == FEDRDMA_OK);
        }
        world_barrier(r);
    }
    REQUIRE(frd_mem_allocations() == allocations);
    /* Credit came back: only what is too long for eager went otherwise. */
    if (r->conf.eager == 8192 && r->conf.eager_credit > 0 && strcmp(r->world->transports, "shm") == 0)
        REQUIRE(r->stat.shm_direct_bytes == ROUNDS * (30000 + (1 << 18)));
    world_barrier(r);
    free(buf);
}

START_TEST(test_steady)
{
    world w = combination(_i, steady_body, 2);

    world_run(&w);
}
END_TEST

int main(void)
{
    const struct {
        const char *name;
        const TTest *test;
        int limits;
    } tests[] = {
        { "exchange", test_exchange, LIMITS }, { "cancel", test_cancel, LIMITS },
        { "many", test_many, LIMITS },         { "mismatch", test_mismatch, 2 },
        { "control", test_control, LIMITS },   { "dead", test_dead, 3 },
        { "steady", test_steady, 3 },          { "withdrawn", test_withdrawn, 3 },
        { "revoked", test_revoked, 3 },
    };
    Suite *const suite = suite_create("net");
    SRunner *const runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        TCase *const tcase = tcase_create(tests[i].name);

        tcase_set_timeout(tcase, 100);
        tcase_add_loop_test(tcase, tests[i].test, 0, GROUNDS * tests[i].limits);
        suite_add_tcase(suite, tcase);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
