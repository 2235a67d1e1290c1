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
}
