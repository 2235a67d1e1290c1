/* SPDX-License-Identifier: BSD-3-Clause
 * boot_ranks.c - ranks that don't come to the rendezvous, or not rightly. */
#include "boot_player.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/io.h"

/* ---- ranks that don't come, or not rightly ---- */

static const struct {
    int size;
    const int come[5]; /* ends with -1 */
    const char *story;
} absences[] = {
    { 2, { 0, -1 }, "rank 1 of 2 has not come to 127.0.0.1:" },
    { 4, { 0, 1, 3, -1 }, "rank 2 of 4 has not come to" },
    { 12, { 0, 4, 6, 11, -1 }, "ranks 1-3, 5, 7-10 of 12 have not come to" },
};

START_TEST(missing_ranks_are_named_to_all)
{
    const int *come = absences[_i].come;

    meet_at_free_port();
    for (int i = 0; come[i] >= 0; i++) {
        prepare(i, come[i], absences[_i].size)->conf.connect_timeout = SHORT_NS;
        start(&players[i]);
    }
    for (int i = 0; come[i] >= 0; i++) {
        join(&players[i]);
        assert_fails(&players[i], FEDRDMA_ERR_TIMEOUT, absences[_i].story);
        assert_fails(&players[i], FEDRDMA_ERR_TIMEOUT, "FEDRDMA_CONNECT_TIMEOUT");
        ck_assert_uint_lt(players[i].took_ns, 10 * SHORT_NS);
    }
}
END_TEST

START_TEST(many_missing_ranks_are_cut)
{
    frd_store *store = launcher_store(5000, "", LONG_NS);

    /* every other rank would be 2500 runs; one comes, so 2 of them and the text stays short */
    prepare(0, 2500, 5000)->conf.connect_timeout = SHORT_NS;
    start(&players[0]);
    join(&players[0]);
    assert_fails(&players[0], FEDRDMA_ERR_TIMEOUT, "ranks 0-2499, 2501-4999 of 5000 have not come");
    frd_store_stop(store);

    store = launcher_store(200, "", LONG_NS);
    for (int rank = 0; rank < 200; rank += 2)
        say_hello(connect_to(frd_store_port(store)), rank, 200, FRD_NS_PER_MS * 400);
    prepare(0, 1, 200)->conf.connect_timeout = SHORT_NS;
    start(&players[0]);
    join(&players[0]);
    assert_fails(&players[0], FEDRDMA_ERR_TIMEOUT, "ranks 3, 5, 7, 9, 11");
    assert_fails(&players[0], FEDRDMA_ERR_TIMEOUT, ", ... of 200 have not come");
    frd_store_stop(store);
}
END_TEST

START_TEST(a_short_patience_is_told_before_it_ends)
{
    frd_store *store = launcher_store(3, "", LONG_NS);

    prepare(0, 0, 3)->conf.connect_timeout = SHORT_NS;
    players[0].conf.rendezvous_server = "launcher";
    prepare(1, 1, 3);
    start(&players[1]);
    start(&players[0]);
    join(&players[0]);
    join(&players[1]);
    assert_fails(&players[0], FEDRDMA_ERR_TIMEOUT, "rank 2 of 3 has not come");
    assert_fails(&players[1], FEDRDMA_ERR_TIMEOUT, "rank 2 of 3 has not come");
    ck_assert_uint_lt(players[1].took_ns, 10 * SHORT_NS);
    /* the late one learns why nobody is there */
    start(prepare(2, 2, 3));
    join(&players[2]);
    assert_fails(&players[2], FEDRDMA_ERR_TIMEOUT, "failed before rank 2 came: rank 2 of 3");
    frd_store_stop(store);
}
END_TEST

START_TEST(a_rank_twice_is_refused_and_named)
{
    frd_store *store = launcher_store(3, "", LONG_NS);
    const int first = connect_to(frd_store_port(store));
    char own[96];

    say_hello(first, 1, 3, LONG_NS);
    ck_assert_int_eq(hear(first).type, FRD_WIRE_ACCEPTED);
    start(prepare(1, 1, 3));
    join(&players[1]);
    snprintf(own, sizeof own, "rank 1 is taken at %s", rendezvous);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, own);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "process 1 at 127.0.0.1:");
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "if another job uses this port");
    /* the others go on */
    prepare(0, 0, 3)->conf.rendezvous_server = "launcher";
    start(&players[0]);
    start(prepare(2, 2, 3));
    join(&players[0]);
    join(&players[2]);
    assert_well(&players[0]);
    assert_well(&players[2]);
    close(first);
    frd_store_stop(store);
}
END_TEST

START_TEST(other_jobs_and_sizes_are_refused)
{
    frd_store *store = launcher_store(4, "alpha", LONG_NS);

    prepare(0, 1, 4)->conf.job = "beta";
    prepare(1, 1, 4);
    prepare(2, 1, 6)->conf.job = "alpha";
    for (int i = 0; i < 3; i++) {
        start(&players[i]);
        join(&players[i]);
    }
    assert_fails(&players[0], FEDRDMA_ERR_REFUSED, "job \"beta\" came to 127.0.0.1:");
    assert_fails(&players[0], FEDRDMA_ERR_REFUSED, "where job \"alpha\" meets");
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "job \"\" came");
    assert_fails(&players[2], FEDRDMA_ERR_REFUSED, "rank 1 of a job of 6");
    assert_fails(&players[2], FEDRDMA_ERR_REFUSED, "where a job of 4 meets");
    assert_fails(&players[2], FEDRDMA_ERR_REFUSED, "another port in FEDRDMA_RENDEZVOUS");
    frd_store_stop(store);
}
END_TEST

/* Returns when someone listens at the rendezvous. */
static void wait_for_a_store(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    const struct addrinfo address = { .ai_family = AF_INET,
                                      .ai_addr = (struct sockaddr *)&in,
                                      .ai_addrlen = sizeof in };
    uint64_t pause_ns = FRD_IO_PAUSE_FIRST_NS;
    const uint64_t deadline = frd_now_ns() + LONG_NS;
    int fd;

    in.sin_port = htons((uint16_t)atoi(strchr(rendezvous, ':') + 1));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (frd_io_connect(&address, deadline, &fd) != FRD_IO_OK)
        ck_assert_int_eq(frd_io_pause(&pause_ns, deadline), FRD_IO_OK);
    close(fd);
}

START_TEST(two_jobs_on_one_port_are_told_apart)
{
    meet_at_free_port();
    prepare(0, 0, 2)->conf.job = "a";
    prepare(1, 1, 2)->conf.job = "a";
    prepare(2, 0, 2)->conf.job = "b";
    start(&players[0]);
    wait_for_a_store(); /* the first job's, which waits for its rank 1 */
    start(&players[2]);
    join(&players[2]);
    assert_fails(&players[2], FEDRDMA_ERR_UNREACHABLE, "is taken by the rendezvous of job \"a\" of 2 ranks");
    assert_fails(&players[2], FEDRDMA_ERR_UNREACHABLE, "FEDRDMA_RENDEZVOUS");
    start(&players[1]);
    join(&players[0]);
    join(&players[1]);
    assert_well(&players[0]);
    assert_well(&players[1]);
}
END_TEST

START_TEST(a_port_taken_by_others_is_told)
{
    uint16_t port;
    const int fd = bound_socket(1, &port);

    meet_at(port);
    start(prepare(0, 0, 2));
    join(&players[0]);
    assert_fails(&players[0], FEDRDMA_ERR_UNREACHABLE, "is taken by another program");
    ck_assert_uint_lt(players[0].took_ns, SOON_NS);
    close(fd);
}
END_TEST

START_TEST(a_host_that_is_not_ours_is_told)
{
    strcpy(rendezvous, "192.0.2.1:7000"); /* for documentation: nobody's */
    start(prepare(0, 0, 2));
    join(&players[0]);
    assert_fails(&players[0], FEDRDMA_ERR_UNREACHABLE, "192.0.2.1 is no address of this host");
}
END_TEST

START_TEST(a_rank_that_leaves_early_fails_all_at_once)
{
    frd_store *store = launcher_store(3, "", LONG_NS);
    const int fd = connect_to(frd_store_port(store));

    say_hello(fd, 2, 3, LONG_NS);
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_ACCEPTED);
    start(prepare(1, 1, 3));
    close(fd);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "rank 2 (process 1 at 127.0.0.1:");
    ck_assert_uint_lt(players[1].took_ns, SOON_NS);
    frd_store_stop(store);
}
END_TEST

void add_ranks(Suite *suite)
{
    TCase *tests = add_case(suite, "ranks");

    tcase_add_loop_test(tests, missing_ranks_are_named_to_all, 0, COUNT(absences));
    tcase_add_test(tests, many_missing_ranks_are_cut);
    tcase_add_test(tests, a_short_patience_is_told_before_it_ends);
    tcase_add_test(tests, a_rank_twice_is_refused_and_named);
    tcase_add_test(tests, other_jobs_and_sizes_are_refused);
    tcase_add_test(tests, two_jobs_on_one_port_are_told_apart);
    tcase_add_test(tests, a_port_taken_by_others_is_told);
    tcase_add_test(tests, a_host_that_is_not_ours_is_told);
    tcase_add_test(tests, a_rank_that_leaves_early_fails_all_at_once);
}
