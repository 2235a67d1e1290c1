/* SPDX-License-Identifier: BSD-3-Clause
 * test_net_life.c - the beginning and the end of ranks, and their sleep: who reaches whom, peers that are
 * killed in the middle of traffic, peers that leave, waiting in the kernel. */
#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/process.h"
#include "net_traffic.h"

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

static void start(rank *r, single *s, int peer, bool sending, uint32_t seq, void *buf, size_t len)
{
    *s = (single){
        .msg = { .tag = { .comm = 1, .seq = seq }, .peer = peer, .buf = buf, .len = len, .done = single_done }
    };
    if (sending)
        frd_fabric_send(r->fabric, &s->msg);
    else
        frd_fabric_recv(r->fabric, &s->msg);
}

static void turns_for(rank *r, uint64_t ns)
{
    const uint64_t begin = frd_now_ns();

    while (frd_now_ns() - begin < ns)
        world_turn(r);
}

/* ---- who reaches whom ----------------------------------------------------------------------------- */

static void two_nodes(rank *r)
{
    REQUIRE(frd_conf_set(&r->conf, "node", r->rank == 2 ? "other" : "one", "option", &r->story) == 0);
}

static void unreachable_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_UNREACHABLE && r->story.rc == r->open_rc);
    REQUIRE(strstr(r->story.text, "rank 2") != NULL || r->rank == 2);
    REQUIRE(strstr(r->story.text, "shm: it is on another node") != NULL);
}

START_TEST(test_unreachable)
{
    world w = {
        .transports = "shm", .size = 3, .body = unreachable_body, .prepare = two_nodes, .may_fail = true
    };

    world_run(&w);
}
END_TEST

/* Only ranks 1 and 2 can't talk; rank 0 fails as well, and knows who. */
static void rank_0_has_both(rank *r)
{
    REQUIRE(frd_conf_set(&r->conf, "node", r->rank == 2 ? "other" : "one", "option", &r->story) == 0);
    if (r->rank == 1)
        REQUIRE(frd_conf_set(&r->conf, "transports", "shm", "option", &r->story) == 0);
}

static void third_party_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_UNREACHABLE);
    REQUIRE(strstr(r->story.text, r->rank == 1 ? "rank 2" : "rank 1") != NULL);
    REQUIRE(r->rank != 0 || strstr(r->story.text, "rank 2") != NULL);
    REQUIRE(r->rank != 2 || strstr(r->story.text, "loop: that rank does not offer it") != NULL);
}

START_TEST(test_third_party)
{
    world w = { .transports = "shm,loop",
                .size = 3,
                .body = third_party_body,
                .prepare = rank_0_has_both,
                .may_fail = true };

    world_run(&w);
}
END_TEST

static void preference_body(rank *r)
{
    for (int peer = 0; peer < r->size; peer++) {
        const bool same = (peer == 2) == (r->rank == 2);

        REQUIRE(strcmp(frd_fabric_transport(r->fabric, peer), peer == r->rank ? "self"
                                                              : same          ? "shm"
                                                                              : "loop") == 0);
    }
}

START_TEST(test_preference)
{
    world w = { .transports = "shm,loop", .size = 3, .body = preference_body, .prepare = two_nodes };

    world_run(&w);
}
END_TEST

/* Rank 1 has no descriptors left to open rank 0's memory with, which could well open rank 1's. */
static void few_descriptors(rank *r)
{
    enum { OWN = 4 }; /* that shm opens for itself */
    const int next = dup(0);
    struct rlimit limit;

    close(next);
    REQUIRE(next >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)(next + OWN);
    if (r->rank == 1)
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void one_way_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_UNREACHABLE);
    REQUIRE(strstr(r->story.text, r->rank == 0 ? "it cannot reach us" : "can't be opened") != NULL);
}

START_TEST(test_one_way)
{
    world w = { .transports = "shm",
                .size = 2,
                .forked = true,
                .body = one_way_body,
                .prepare = few_descriptors,
                .may_fail = true };

    world_run(&w);
}
END_TEST

static void other_process_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_UNREACHABLE);
    REQUIRE(strstr(r->story.text, "loop: it is another process") != NULL);
}

START_TEST(test_other_process)
{
    world w = {
        .transports = "loop", .size = 2, .body = other_process_body, .forked = true, .may_fail = true
    };

    world_run(&w);
}
END_TEST

static void no_such(rank *r)
{
    r->conf.transports = "shm,smh"; /* frd_conf_set would refuse it */
}

static void no_such_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_INVALID && strstr(r->story.text, "'smh'") != NULL);
}

START_TEST(test_no_such)
{
    world w = { .transports = "shm", .size = 2, .body = no_such_body, .prepare = no_such, .may_fail = true };

    world_run(&w);
}
END_TEST

static void none(rank *r)
{
    r->conf.transports = "";
}

static void none_body(rank *r)
{
    REQUIRE(r->open_rc == FEDRDMA_ERR_UNREACHABLE && r->story.text[0] != '\0');
}

START_TEST(test_none)
{
    world w = { .transports = "shm", .size = 2, .body = none_body, .prepare = none, .may_fail = true };

    world_run(&w);
}
END_TEST

static void alone_body(rank *r)
{
    void *memory;

    REQUIRE(strcmp(frd_fabric_transport(r->fabric, 0), "self") == 0);
    REQUIRE(frd_fabric_progress(r->fabric) == 0);
    frd_fabric_idle(r->fabric, 0, frd_now_ns() + FRD_NS_PER_MS);
    REQUIRE(frd_fabric_mem_add(r->fabric, 3 << 20, &memory, &r->story) == FEDRDMA_OK);
    memset(memory, 1, 3 << 20);
    frd_fabric_mem_remove(r->fabric, memory, 3 << 20);
}

START_TEST(test_alone)
{
    world w = { .transports = "shm", .size = 1, .body = alone_body };

    world_run(&w);
}
END_TEST

/* ---- sleep ---------------------------------------------------------------------------------------- */

static const char *const sleepy[] = { "loop", "shm", "ucx" };
enum { SLEEPY = sizeof(sleepy) / sizeof(sleepy[0]) };

/* Every message finds the other asleep. A wake-up that gets lost costs a fifth of a second, ROUNDS of them
 * more than the test may take. */
static void ping_pong_body(rank *r)
{
    enum { ROUNDS = 300 };
    static const size_t lens[] = { 0, 8, 5000, 100000 };
    unsigned char *const buf = calloc(1, 100000);
    const uint64_t begin = frd_now_ns();
    const int peer = 1 - r->rank;

    REQUIRE(buf != NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const bool sending = round % 2 == (uint32_t)r->rank;
        single s;

        start(r, &s, peer, sending, round, buf, lens[round / 2 % 4]);
        world_until(r, &s.ended, 1);
        REQUIRE(s.rc == FEDRDMA_OK);
    }
    REQUIRE(r->stat.net_sleeps > 0);
    REQUIRE(frd_now_ns() - begin < 20 * FRD_NS_PER_S);
    world_barrier(r);
    free(buf);
}

START_TEST(test_sleep)
{
    world w = {
        .transports = sleepy[_i % SLEEPY],
        .option = { { "spin", "0us" }, { "yield", "0us" }, { "shm_direct", _i < SLEEPY ? "1" : "0" } },
        .forked = strcmp(sleepy[_i % SLEEPY], "loop") != 0,
        .size = 2,
        .body = ping_pong_body
    };

    world_run(&w);
}
END_TEST

/* The ring is full most of the time, and both sides sleep whenever they can. Of two directions each wakes the
 * other, so there is a run with one. */
static void full_ring_body(rank *r)
{
    enum { MESSAGES = 8, LEN = 200000 };
    unsigned char *const buf = calloc(2, LEN);
    const uint64_t begin = frd_now_ns();
    const bool sends = r->world->seed == 0 || r->rank == 0, receives = r->world->seed == 0 || r->rank == 1;
    single s[2][MESSAGES] = { 0 };

    REQUIRE(buf != NULL);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (sends)
            start(r, &s[0][i], 1 - r->rank, true, i, buf, LEN);
        if (receives)
            start(r, &s[1][i], 1 - r->rank, false, i, buf + LEN, LEN);
    }
    for (int i = 0; i < MESSAGES; i++) {
        world_until(r, &s[0][i].ended, sends);
        world_until(r, &s[1][i].ended, receives);
    }
    REQUIRE(r->stat.net_sleeps > 0);
    REQUIRE(frd_now_ns() - begin < 20 * FRD_NS_PER_S);
    world_barrier(r);
    free(buf);
}

START_TEST(test_full_ring)
{
    world w = {
        .transports = "shm",
        .option = { { "spin", "0us" }, { "yield", "0us" }, { "shm_direct", "0" }, { "shm_ring", "2k" } },
        .forked = true,
        .size = 2,
        .body = full_ring_body,
        .seed = (unsigned)_i
    };

    world_run(&w);
}
END_TEST

/* ---- death ---------------------------------------------------------------------------------------- */

static const char *const mortal[] = { "shm", "ucx" };
enum { MORTAL = sizeof(mortal) / sizeof(mortal[0]), VICTIM = 1 };

/* Milliseconds since some time, for flags. */
static int now_ms(void)
{
    return (int)(frd_now_ns() / FRD_NS_PER_MS & INT32_MAX);
}

/* UCX 1.13.1 fails an assertion of its own when a peer dies while they connect to each other: a message each
 * way first. */
static void connect_all(rank *r)
{
    single s[2][WORLD_MAX];

    for (int i = 0; i < r->size; i++) {
        if (i == r->rank)
            continue;
        start(r, &s[0][i], i, true, 999999, NULL, 0);
        start(r, &s[1][i], i, false, 999999, NULL, 0);
    }
    for (int i = 0; i < r->size; i++) {
        if (i == r->rank)
            continue;
        world_until(r, &s[0][i].ended, 1);
        world_until(r, &s[1][i].ended, 1);
    }
    world_barrier(r);
}

static void victim(rank *r, traffic *t)
{
    const int last = (int)world_below(r, (size_t)t->items) + 1;

    for (int i = 0; i < last; i++) {
        traffic_start(t, &t->item[i]);
        if (world_below(r, 3) == 0)
            frd_fabric_progress(r->fabric);
    }
    for (size_t turns = world_below(r, 100); turns > 0; turns--)
        frd_fabric_progress(r->fabric);
    world_flags(r)[0] = now_ms();
    raise(SIGKILL);
}

static void survivor(rank *r, traffic *t)
{
    const int other = 2 - r->rank;
    single s[2];

    traffic_start_all(r, t);
    while (r->lost[VICTIM] == 0) {
        world_turn(r);
        REQUIRE(world_flags(r)[0] == 0 || now_ms() - world_flags(r)[0] < 1000);
    }
    for (int i = 0; i < t->items; i++) {
        item *const it = &t->item[i];

        if (it->msg.peer == VICTIM) /* sends ended by themselves, receives wait to be cancelled */
            traffic_cancel(r, it);
        else
            world_until(r, &it->ended, 1);
        REQUIRE(it->msg.peer == VICTIM || it->rc == FEDRDMA_OK);
        traffic_check(it);
    }
    /* New messages end at once, and the others can still talk. */
    start(r, &s[0], VICTIM, true, 1000000, NULL, 0);
    start(r, &s[1], VICTIM, false, 1000001, NULL, 0);
    REQUIRE(s[0].ended == 1 && s[0].rc == FEDRDMA_ERR_RANK_LOST);
    REQUIRE(s[1].ended == 1 && s[1].rc == FEDRDMA_ERR_RANK_LOST);
    start(r, &s[0], other, true, 1000002, NULL, 0);
    start(r, &s[1], other, false, 1000002, NULL, 0);
    world_until(r, &s[0].ended, 1);
    world_until(r, &s[1].ended, 1);
    REQUIRE(r->lost[VICTIM] == 1 && r->lost[other] == 0 && frd_fabric_lost(r->fabric, VICTIM));
    atomic_fetch_add(&world_flags(r)[1], 1);
    while (world_flags(r)[1] < 2)
        world_turn(r);
}

static void kill_body(rank *r)
{
    traffic t;

    traffic_plan_make(r, r->world->arg, &t);
    if (strcmp(r->world->transports, "ucx") == 0)
        connect_all(r);
    if (r->rank == VICTIM)
        victim(r, &t);
    survivor(r, &t);
    traffic_free(&t);
}

START_TEST(test_kill)
{
    static const char *const options[][WORLD_OPTIONS][2] = {
        { { "spin", "20us" } },
        { { "spin", "0us" }, { "yield", "0us" } },
        { { "shm_ring", "2k" }, { "shm_direct", "0" } },
        { { "spin", "1s" }, { "eager_credit", "0" } },
    };
    /* Fragile: what the victim leaves behind is cancelled. */
    const traffic_plan plan = { .messages = 40, .len_max = 2 << 20, .mortal = VICTIM };
    world w = { .transports = mortal[_i % MORTAL],
                .forked = true,
                .size = 3,
                .body = kill_body,
                .killed = VICTIM,
                .seed = (unsigned)_i + 1,
                .arg = &plan };

    memcpy(w.option, options[_i / MORTAL % 4], sizeof(w.option));
    world_run(&w);
}
END_TEST

/* What a rank sent before it was killed still arrives, however late we look. */
static void last_words_body(rank *r)
{
    enum { WORDS = 1000 };
    static single s[WORDS];

    world_barrier(r);
    if (r->rank == VICTIM) {
        for (uint32_t i = 0; i < WORDS; i++) {
            start(r, &s[i], 0, true, i, NULL, 0);
            REQUIRE(s[i].ended == 1 && s[i].rc == FEDRDMA_OK);
        }
        world_flags(r)[0] = (int)getpid();
        raise(SIGKILL);
    }
    for (uint32_t i = 0; i < WORDS; i++)
        start(r, &s[i], VICTIM, false, i, NULL, 0);
    while (world_flags(r)[0] == 0 ||
           frd_process_alive(world_flags(r)[0], frd_process_start(world_flags(r)[0])))
        ;
    frd_fabric_idle(r->fabric, 0, UINT64_MAX); /* so that the next progress looks for deaths */
    world_until(r, &r->lost[VICTIM], 1);
    for (int i = 0; i < WORDS; i++)
        REQUIRE(s[i].ended == 1 && s[i].rc == FEDRDMA_OK);
}

START_TEST(test_last_words)
{
    world w = { .transports = "shm",
                .option = { { "spin", "0us" }, { "yield", "0us" } },
                .forked = true,
                .size = 2,
                .killed = VICTIM,
                .body = last_words_body };

    world_run(&w);
}
END_TEST

/* ---- leaving -------------------------------------------------------------------------------------- */

static void leave_body(rank *r)
{
    enum { EARLY = 50 };
    unsigned char buf[100] = { 0 };
    single s, early[EARLY];

    for (uint32_t i = 0; i < EARLY && r->rank == 0; i++)
        start(r, &early[i], 1, false, 100 + i, NULL, 0);
    world_barrier(r);
    if (r->rank == 1) { /* sends, and goes */
        for (uint32_t i = 0; i < EARLY; i++)
            start(r, &early[i], 0, true, 100 + i, NULL, 0);
        start(r, &s, 0, true, 1, buf, sizeof(buf));
        world_until(r, &s.ended, 1);
        frd_fabric_close(r->fabric);
        r->fabric = NULL;
        world_flags(r)[0] = 1;
        while (world_flags(r)[1] == 0)
            ;
        return;
    }
    while (world_flags(r)[0] == 0)
        world_turn(r);
    turns_for(r, 300 * FRD_NS_PER_MS);
    REQUIRE(r->lost[1] == 0); /* nothing is missing */
    for (int i = 0; i < EARLY; i++)
        REQUIRE(early[i].ended == 1 && early[i].rc == FEDRDMA_OK);
    start(r, &s, 1, false, 1, buf, sizeof(buf));
    world_until(r, &s.ended, 1);
    REQUIRE(s.rc == FEDRDMA_OK && r->lost[1] == 0);
    if (r->world->seed % 2 == 0) {
        start(r, &s, 1, false, 2, buf, sizeof(buf)); /* will never come */
        world_until(r, &r->lost[1], 1);
        frd_fabric_cancel(r->fabric, &s.msg);
        REQUIRE(s.ended == 1 && s.rc == FEDRDMA_ERR_CANCELED);
    } else {
        start(r, &s, 1, true, 2, buf, sizeof(buf)); /* will never be received */
        world_until(r, &r->lost[1], 1);
        REQUIRE(s.ended == 1 && s.rc == FEDRDMA_ERR_RANK_LOST);
    }
    turns_for(r, 100 * FRD_NS_PER_MS);
    REQUIRE(r->lost[1] == 1);
    world_flags(r)[1] = 1;
}

START_TEST(test_leave)
{
    static const struct {
        const char *transports;
        bool forked;
    } ground[] = { { "loop", false }, { "shm", false }, { "shm", true } };
    world w = { .transports = ground[_i / 2].transports,
                .forked = ground[_i / 2].forked,
                .option = { { "loop_seed", "7" } },
                .size = 2,
                .body = leave_body,
                .seed = (unsigned)_i };

    world_run(&w);
}
END_TEST

/* A message whose sender is gone, and its buffer is something else by now. */
static void gone_body(rank *r)
{
    enum { LEN = 300000 };
    unsigned char *const buf = calloc(1, LEN);
    single s;

    REQUIRE(buf != NULL);
    if (r->rank == 1) {
        start(r, &s, 0, true, 1, buf, LEN);
        while (world_flags(r)[0] == 0)
            world_turn(r);
        frd_fabric_close(r->fabric);
        r->fabric = NULL;
        memset(buf, 1, LEN);
        world_flags(r)[0] = 2;
        while (world_flags(r)[0] == 2)
            ;
    } else {
        while (r->stat.net_unexpected == 0)
            frd_fabric_progress(r->fabric);
        world_flags(r)[0] = 1;
        while (world_flags(r)[0] == 1)
            ;
        start(r, &s, 1, false, 1, buf, LEN);
        world_until(r, &s.ended, 1);
        REQUIRE(s.rc == FEDRDMA_ERR_CANCELED || s.rc == FEDRDMA_ERR_RANK_LOST);
        world_flags(r)[0] = 3;
    }
    free(buf);
}

START_TEST(test_gone)
{
    world w = { .transports = _i == 0 ? "loop" : "shm",
                .option = { { "shm_direct", _i == 1 ? "1" : "0" } },
                .size = 2,
                .body = gone_body };

    world_run(&w);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("net life");
    TCase *const tcase = tcase_create("net life");
    SRunner *const runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, test_unreachable);
    tcase_add_test(tcase, test_third_party);
    tcase_add_test(tcase, test_preference);
    tcase_add_test(tcase, test_one_way);
    tcase_add_test(tcase, test_other_process);
    tcase_add_test(tcase, test_no_such);
    tcase_add_test(tcase, test_none);
    tcase_add_test(tcase, test_alone);
    tcase_add_loop_test(tcase, test_sleep, 0, 2 * SLEEPY);
    tcase_add_loop_test(tcase, test_full_ring, 0, 2);
    tcase_add_loop_test(tcase, test_kill, 0, 8 * MORTAL);
    tcase_add_test(tcase, test_last_words);
    tcase_add_loop_test(tcase, test_leave, 0, 6);
    tcase_add_loop_test(tcase, test_gone, 0, 3);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
