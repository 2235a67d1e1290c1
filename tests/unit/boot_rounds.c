/* SPDX-License-Identifier: BSD-3-Clause
 * boot_rounds.c - allgathers through the rendezvous that can't end well. */
#include "boot_player.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/boot.h"

/* ---- rounds that fail ---- */

/* Players 0 and 1 gather; a bare socket is rank 2 and does what the test says. */
static int third_rank(frd_store **store, uint64_t timeout_ns)
{
    int fd;

    *store = launcher_store(3, "", LONG_NS);
    fd = connect_to(frd_store_port(*store));
    say_hello(fd, 2, 3, LONG_NS);
    for (int i = 0; i < 2; i++) {
        prepare(i, i, 3)->conf.rendezvous_server = "launcher";
        players[i].conf.connect_timeout = timeout_ns;
        players[i].rounds = 2;
        players[i].bytes = 8;
        start(&players[i]);
    }
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_ACCEPTED);
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_READY);
    return fd;
}

static void both_fail(int rc, const char *part)
{
    for (int i = 0; i < 2; i++) {
        join(&players[i]);
        assert_fails(&players[i], rc, part);
        ck_assert_uint_lt(players[i].took_ns, SOON_NS);
    }
}

START_TEST(a_silent_rank_is_named)
{
    frd_store *store;
    const int fd = third_rank(&store, SHORT_NS);

    both_fail(FEDRDMA_ERR_TIMEOUT, "rank 2 of 3 is behind at start-up");
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_that_stops_midway_is_named)
{
    frd_store *store;
    const int fd = third_rank(&store, SHORT_NS);

    say_gather(fd, 0, 8);
    say(fd, "1234", 4); /* of 8 */
    both_fail(FEDRDMA_ERR_TIMEOUT, "rank 2 of 3 is behind at start-up");
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_that_leaves_a_round_is_named)
{
    frd_store *store;
    const int fd = third_rank(&store, LONG_NS);

    close(fd);
    both_fail(FEDRDMA_ERR_UNREACHABLE, "rank 2");
    frd_store_stop(store);
}
END_TEST

START_TEST(sizes_that_differ_are_named)
{
    frd_store *store;
    const int fd = third_rank(&store, LONG_NS);

    say_gather(fd, 0, 9);
    both_fail(FEDRDMA_ERR_MISMATCH, "at start-up");
    close(fd);
    frd_store_stop(store);
}
END_TEST

static const uint64_t giants[] = { (UINT64_C(1) << 29) + 1, UINT64_MAX / 2 + 1, UINT64_MAX };

START_TEST(a_giant_contribution_is_refused)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    frd_wire_header heard;
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = connect_to(frd_store_port(store));
        say_hello(fds[i], i, 2, LONG_NS);
        ck_assert_int_eq(hear(fds[i]).type, FRD_WIRE_ACCEPTED);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(hear(fds[i]).type, FRD_WIRE_READY);
    say_gather(fds[0], 0, giants[_i]);
    for (int i = 0; i < 2; i++) {
        heard = hear(fds[i]);
        ck_assert_int_eq(heard.type, FRD_WIRE_FAIL);
        ck_assert_int_eq(heard.code, FEDRDMA_ERR_INVALID);
        close(fds[i]);
    }
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_out_of_turn_is_named)
{
    frd_store *store;
    const int fd = third_rank(&store, LONG_NS);

    say_gather(fd, 5, 8);
    both_fail(FEDRDMA_ERR_PROTOCOL, "rank 2 (process 1 at 127.0.0.1:");
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_that_talks_garbage_is_named)
{
    static const char garbage[64] = "GET / HTTP/1.1\r\n\r\n";
    frd_store *store;
    const int fd = third_rank(&store, LONG_NS);

    say(fd, garbage, sizeof garbage);
    both_fail(FEDRDMA_ERR_PROTOCOL, "rank 2 (process 1 at 127.0.0.1:");
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(too_much_is_refused_before_it_is_sent)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    player *p = prepare(0, 0, 2);
    frd_boot *boot = NULL;
    char c = 0;

    p->conf.rendezvous_server = "launcher";
    start(prepare(1, 1, 2));
    ck_assert_int_eq(frd_boot_open(&p->conf, NULL, NULL, NULL, &p->story, &boot), 0);
    p->rc = frd_boot_allgather(boot, &c, &c, SIZE_MAX / 2 + 1, &p->story);
    assert_fails(p, FEDRDMA_ERR_INVALID, "too many to gather");
    p->rc = frd_boot_allgather(boot, &c, &c, (size_t)1 << 30, &p->story);
    assert_fails(p, FEDRDMA_ERR_INVALID, "too many to gather");
    frd_boot_close(boot);
    join(&players[1]);
    frd_store_stop(store);
}
END_TEST

/* ---- one meeting after the other ---- */

/* The launcher's store, or one of rank 0's each time: ranks are as fast as they are, and a fast one finds the
 * others still in the meeting before. */
START_TEST(ranks_meet_again_and_again)
{
    frd_store *store = NULL;

    if (_i == 0)
        store = launcher_store(3, "", LONG_NS);
    else
        meet_at_free_port();
    for (int rank = 0; rank < 3; rank++) {
        player *p = prepare(rank, rank, 3);

        p->conf.rendezvous_server = _i == 0 ? "launcher" : "auto";
        p->rounds = 2;
        p->bytes = 100;
        p->meetings = _i == 0 ? 200 : 20;
        start(p);
    }
    for (int rank = 0; rank < 3; rank++) {
        join(&players[rank]);
        assert_well(&players[rank]);
    }
    frd_store_stop(store);
}
END_TEST

static int come(const frd_store *store, int rank)
{
    const int fd = connect_to(frd_store_port(store));

    say_hello(fd, rank, 2, LONG_NS);
    return fd;
}

static void both_ready(const int fds[2])
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(hear(fds[i]).type, FRD_WIRE_ACCEPTED);
        ck_assert_int_eq(hear(fds[i]).type, FRD_WIRE_READY);
    }
}

START_TEST(a_fast_rank_opens_the_next_meeting)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    int slow[2], fast[2];
    frd_wire_header heard;

    for (int i = 0; i < 2; i++)
        slow[i] = come(store, i);
    both_ready(slow);
    for (int i = 0; i < 2; i++)
        say_gather(slow[i], 0, 0);
    ck_assert_int_eq(hear(slow[0]).type, FRD_WIRE_GATHERED);
    fast[0] = come(store, 0); /* its old connection is not even closed for the store yet */
    ck_assert_int_eq(hear(fast[0]).type, FRD_WIRE_ACCEPTED);
    /* Rank 1 still gets its answer, but may not go on in what rank 0 has left. */
    ck_assert_int_eq(hear(slow[1]).type, FRD_WIRE_GATHERED);
    say_gather(slow[1], 1, 0);
    heard = hear(slow[1]);
    ck_assert_int_eq(heard.type, FRD_WIRE_FAIL);
    ck_assert_int_eq(heard.code, FEDRDMA_ERR_UNREACHABLE);
    close(slow[0]);
    close(slow[1]);
    fast[1] = come(store, 1);
    ck_assert_int_eq(hear(fast[1]).type, FRD_WIRE_ACCEPTED);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(hear(fast[i]).type, FRD_WIRE_READY);
    for (int i = 0; i < 2; i++)
        say_gather(fast[i], 0, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(hear(fast[i]).type, FRD_WIRE_GATHERED);
        close(fast[i]);
    }
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_twice_in_the_second_meeting_is_named)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    int fds[2];

    for (int i = 0; i < 2; i++)
        fds[i] = come(store, i);
    both_ready(fds);
    close(fds[0]);
    close(fds[1]);
    fds[1] = come(store, 1);
    ck_assert_int_eq(hear(fds[1]).type, FRD_WIRE_ACCEPTED);
    start(prepare(1, 1, 2));
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "rank 1 is taken at 127.0.0.1:");
    fds[0] = come(store, 0);
    ck_assert_int_eq(hear(fds[0]).type, FRD_WIRE_ACCEPTED);
    ck_assert_int_eq(hear(fds[0]).type, FRD_WIRE_READY);
    close(fds[0]);
    close(fds[1]);
    frd_store_stop(store);
}
END_TEST

START_TEST(a_stranger_to_a_complete_meeting_is_refused)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    int fds[2];

    for (int i = 0; i < 2; i++)
        fds[i] = come(store, i);
    both_ready(fds);
    start(prepare(1, 1, 2)); /* another process than the rank's, which is still there */
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "rank 1 is taken at 127.0.0.1:");
    for (int i = 0; i < 2; i++)
        say_gather(fds[i], 0, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(hear(fds[i]).type, FRD_WIRE_GATHERED);
        close(fds[i]);
    }
    frd_store_stop(store);
}
END_TEST

void add_rounds(Suite *suite)
{
    TCase *tests = add_case(suite, "rounds");

    tcase_add_test(tests, a_silent_rank_is_named);
    tcase_add_test(tests, a_rank_that_stops_midway_is_named);
    tcase_add_test(tests, a_rank_that_leaves_a_round_is_named);
    tcase_add_test(tests, sizes_that_differ_are_named);
    tcase_add_loop_test(tests, a_giant_contribution_is_refused, 0, COUNT(giants));
    tcase_add_test(tests, a_rank_out_of_turn_is_named);
    tcase_add_test(tests, a_rank_that_talks_garbage_is_named);
    tcase_add_test(tests, too_much_is_refused_before_it_is_sent);
    tcase_add_loop_test(tests, ranks_meet_again_and_again, 0, 2);
    tcase_add_test(tests, a_fast_rank_opens_the_next_meeting);
    tcase_add_test(tests, a_rank_twice_in_the_second_meeting_is_named);
    tcase_add_test(tests, a_stranger_to_a_complete_meeting_is_refused);
}
