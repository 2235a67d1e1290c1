/* SPDX-License-Identifier: BSD-3-Clause
 * test_match.c - the match table against a list that does the same by search, over random calls; a recording
 * transport stands behind it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/match.h"

enum { KEYS = 300, PEERS = 5, CALLS = 30000, LEN_MAX = 40000 };

/* What should be true of a key. */
typedef struct key {
    enum { IDLE, POSTED, ARRIVED, OFFERED } state;
    frd_tag tag;
    int peer;
    size_t len, posted_len;
    frd_msg msg;
    unsigned char *data; /* of the arrival */
    bool dead;
} key;

typedef struct fixture {
    frd_net net;
    frd_stat stat;
    frd_match *match;
    key key[KEYS];
    int done, done_rc;
    frd_msg *done_msg;
    int accepted, refused;
    uint64_t offer_word;
    uint64_t taken_bytes[PEERS];
} fixture;

static fixture f;

static void accept_offer(frd_net *net, frd_msg *msg, const frd_offer *offer)
{
    ck_assert_ptr_eq(net, &f.net);
    ck_assert_ptr_eq(msg->net, net);
    ck_assert_uint_eq(msg->len, offer->len);
    f.accepted++;
    f.offer_word = offer->word[3];
    f.done_msg = msg;
}

static void refuse(frd_net *net, const frd_offer *offer)
{
    ck_assert_ptr_eq(net, &f.net);
    f.refused++;
    f.offer_word = offer->word[3];
}

static const frd_net_ops ops = { .name = "test", .accept = accept_offer, .refuse = refuse };

static void done(frd_msg *msg, int rc)
{
    f.done++;
    f.done_rc = rc;
    f.done_msg = msg;
}

static void taken(frd_net *net, int peer, size_t len)
{
    ck_assert_ptr_eq(net, &f.net);
    f.taken_bytes[peer] += len;
}

static bool dead(void *arg, const frd_tag *tag)
{
    (void)arg;
    return f.key[tag->idx].dead;
}

static void set_up(void)
{
    memset(&f, 0, sizeof(f));
    f.net.ops = &ops;
    ck_assert_int_eq(frd_match_create(&f.stat, dead, NULL, &f.match), FEDRDMA_OK);
    for (unsigned i = 0; i < KEYS; i++) {
        /* Few bits differ, so that a poor hash would show in the time. */
        f.key[i].tag = (frd_tag){ .comm = i % 3, .seq = i / 7, .frag = i % 11, .idx = i };
        f.key[i].peer = (int)(i % PEERS);
        f.key[i].data = malloc(LEN_MAX);
        ck_assert_ptr_nonnull(f.key[i].data);
    }
}

static void tear_down(void)
{
    frd_match_destroy(f.match);
    for (int i = 0; i < KEYS; i++) {
        free(f.key[i].msg.buf);
        free(f.key[i].data);
    }
}

static size_t random_len(void)
{
    static const size_t edges[] = { 0,    1,    127,  128,  129,   512,   513,
                                    2048, 2049, 8192, 8193, 32768, 32769, LEN_MAX };

    return rand() % 2 ? (size_t)(rand() % 300) : edges[(size_t)rand() % (sizeof(edges) / sizeof(edges[0]))];
}

/* The receive of k must have ended just now with what arrived. */
static void expect_end(key *k, int done_before)
{
    ck_assert_int_eq(f.done, done_before + 1);
    ck_assert_ptr_eq(f.done_msg, &k->msg);
    if (k->len == k->msg.len) {
        ck_assert_int_eq(f.done_rc, FEDRDMA_OK);
        ck_assert(memcmp(k->msg.buf, k->data, k->len) == 0);
    } else {
        ck_assert_int_eq(f.done_rc, FEDRDMA_ERR_MISMATCH);
        ck_assert_uint_eq(k->msg.word[0], k->len);
    }
    k->state = IDLE;
}

static void expect_fetch(key *k, int accepted_before, int refused_before)
{
    if (k->len == k->msg.len) {
        ck_assert_int_eq(f.accepted, accepted_before + 1);
        ck_assert_ptr_eq(f.done_msg, &k->msg);
    } else {
        ck_assert_int_eq(f.refused, refused_before + 1);
        ck_assert_int_eq(f.done_rc, FEDRDMA_ERR_MISMATCH);
        ck_assert_uint_eq(k->msg.word[0], k->len);
    }
    ck_assert_uint_eq(f.offer_word, k->tag.idx);
    k->state = IDLE;
}

static void post(key *k)
{
    const int done_before = f.done, accepted = f.accepted, refused = f.refused;
    const uint64_t taken_before = f.taken_bytes[k->peer];

    free(k->msg.buf);
    memset(&k->msg, 0, sizeof(k->msg));
    k->msg.tag = k->tag;
    k->msg.peer = k->peer;
    k->msg.len = k->state == IDLE || rand() % 10 == 0 ? random_len() : k->len;
    k->msg.buf = malloc(k->msg.len + 1);
    k->msg.done = done;
    frd_match_post(f.match, &k->msg);
    if (k->state == ARRIVED) {
        ck_assert_uint_eq(f.taken_bytes[k->peer], taken_before + k->len);
        expect_end(k, done_before);
    } else if (k->state == OFFERED) {
        expect_fetch(k, accepted, refused);
    } else {
        ck_assert_int_eq(f.done, done_before);
        k->state = POSTED;
    }
}

static void arrive(key *k, bool offered)
{
    const int done_before = f.done, accepted = f.accepted, refused = f.refused;
    const uint64_t dropped = f.stat.net_dropped, unexpected = f.stat.net_unexpected;
    bool consumed = false;

    k->len = k->state == POSTED && rand() % 10 ? k->msg.len : random_len();
    for (size_t i = 0; i < k->len; i++)
        k->data[i] = (unsigned char)(i * 13 + k->tag.idx + (size_t)f.done);
    if (offered) {
        const frd_offer offer = {
            .peer = k->peer, .tag = k->tag, .len = k->len, .word = { 0, 0, 0, k->tag.idx }
        };

        ck_assert_int_eq(frd_match_offer(f.match, &f.net, &offer), FEDRDMA_OK);
    } else {
        ck_assert_int_eq(
            frd_match_eager(f.match, &f.net, k->peer, &k->tag, k->data, k->len, taken, &consumed),
            FEDRDMA_OK);
        ck_assert(consumed == (k->state == POSTED || k->dead));
    }
    if (k->state == POSTED && !offered) {
        expect_end(k, done_before);
    } else if (k->state == POSTED) {
        expect_fetch(k, accepted, refused);
    } else if (k->dead) {
        ck_assert_uint_eq(f.stat.net_dropped, dropped + 1);
        ck_assert_int_eq(f.refused, refused + offered);
    } else {
        ck_assert_uint_eq(f.stat.net_unexpected, unexpected + 1);
        ck_assert_int_eq(f.done, done_before);
        k->state = offered ? OFFERED : ARRIVED;
    }
}

static void purge(int peer)
{
    uint64_t dropped = f.stat.net_dropped, bytes = 0, taken_before = 0, taken_after = 0;
    int refused = f.refused;

    for (int i = 0; i < PEERS; i++)
        taken_before += f.taken_bytes[i];
    for (int i = 0; i < KEYS; i++) {
        key *const k = &f.key[i];

        if ((k->state != ARRIVED && k->state != OFFERED) || (!k->dead && k->peer != peer))
            continue;
        dropped++;
        if (k->state == OFFERED)
            refused++;
        else
            bytes += k->len;
        k->state = IDLE;
    }
    frd_match_purge(f.match, peer);
    for (int i = 0; i < PEERS; i++)
        taken_after += f.taken_bytes[i];
    ck_assert_uint_eq(f.stat.net_dropped, dropped);
    ck_assert_int_eq(f.refused, refused);
    ck_assert_uint_eq(taken_after, taken_before + bytes);
}

static void random_call(void)
{
    key *const k = &f.key[rand() % KEYS];
    const int what = rand() % 100;

    if (what < 45) {
        if (k->state != POSTED)
            post(k);
    } else if (what < 90) {
        if (k->state == IDLE || k->state == POSTED)
            arrive(k, what % 2);
    } else if (what < 95) {
        ck_assert(frd_match_cancel(f.match, &k->msg) == (k->state == POSTED));
        if (k->state == POSTED)
            k->state = IDLE;
    } else if (what < 97) {
        ck_assert_ptr_eq(frd_match_take(f.match, k->peer, &k->tag), k->state == POSTED ? &k->msg : NULL);
        if (k->state == POSTED)
            k->state = IDLE;
    } else if (what < 98) {
        k->dead = rand() % 4 == 0;
    } else if (what < 99) {
        bool expected = false;

        for (int i = 0; i < KEYS; i++)
            expected = expected || (f.key[i].state == POSTED && f.key[i].peer == k->peer);
        ck_assert(frd_match_expects(f.match, k->peer) == expected);
    } else if (rand() % 20 == 0) {
        purge(rand() % (2 * PEERS) - PEERS);
    }
}

START_TEST(test_random_calls)
{
    srand((unsigned)_i + 1);
    for (int i = 0; i < CALLS; i++)
        random_call();
}
END_TEST

/* More keys than buckets, and then all the others: the table grows and still finds everything. */
START_TEST(test_many)
{
    enum { MANY = 20000 };
    frd_msg *const msg = calloc(MANY, sizeof(*msg));
    unsigned got[1] = { 0 };
    uint64_t allocations;

    ck_assert_ptr_nonnull(msg);
    for (int round = 0; round < 2; round++) {
        allocations = frd_mem_allocations();
        for (unsigned i = 0; i < MANY; i++) {
            msg[i] = (frd_msg){ .tag = { .comm = 1, .seq = 2, .frag = i / 100, .idx = i % 100 },
                                .buf = got,
                                .len = sizeof(got),
                                .done = done };
            frd_match_post(f.match, &msg[i]);
        }
        for (unsigned i = MANY; i-- > 0;) {
            bool consumed;

            ck_assert_int_eq(frd_match_eager(f.match, &f.net, 0, &msg[i].tag, &i, sizeof(i), NULL, &consumed),
                             0);
            ck_assert(consumed && f.done_msg == &msg[i] && got[0] == i && f.done_rc == FEDRDMA_OK);
        }
    }
    ck_assert_int_eq(f.done, 2 * MANY);
    ck_assert_uint_eq(frd_mem_allocations(), allocations); /* the second round made none */
    free(msg);
}
END_TEST

/* What nobody received is given back when the table goes. */
START_TEST(test_destroy)
{
    for (int i = 0; i < KEYS; i++)
        arrive(&f.key[i], i % 2);
    frd_match_destroy(f.match);
    f.match = NULL;
    ck_assert_int_eq(f.refused, KEYS / 2);
    frd_match_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("match");
    TCase *const tcase = tcase_create("match");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_random_calls, 0, 5);
    tcase_add_test(tcase, test_many);
    tcase_add_test(tcase, test_destroy);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
