/* SPDX-License-Identifier: BSD-3-Clause
 * test_boot.c - the rendezvous when all is well, and its addresses; boot_*.c have all that is not. */
#include "boot_player.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/boot.h"

/* ---- what works ---- */

static const size_t sizes[] = { 0, 1, 7, 1000, 65536, 1 << 20 };

START_TEST(allgather_of_all_sizes)
{
    const int n = _i + 1;

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        meet_at_free_port();
        for (int rank = 0; rank < n; rank++) {
            player *p = prepare(rank, rank, n);
            p->bytes = sizes[s];
            p->rounds = sizes[s] < 1 << 20 ? 3 : 1;
            start(p);
        }
        for (int rank = 0; rank < n; rank++) {
            join(&players[rank]);
            assert_well(&players[rank]);
        }
    }
}
END_TEST

START_TEST(ranks_wait_for_the_store_to_open)
{
    uint16_t port;
    const int early = bound_socket(1, &port);
    int fd;

    /* What listens first hangs up: from then on rank 1 is known to have come before rank 0. */
    meet_at(port);
    start(prepare(1, 1, 2));
    fd = accept(early, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(early);
    close(fd);
    start(prepare(0, 0, 2));
    join(&players[0]);
    join(&players[1]);
    assert_well(&players[0]);
    assert_well(&players[1]);
    ck_assert_uint_lt(players[1].took_ns, SOON_NS);
}
END_TEST

START_TEST(a_launcher_can_hold_the_store)
{
    frd_store *store = launcher_store(3, "j", LONG_NS);

    for (int rank = 0; rank < 3; rank++) {
        player *p = prepare(rank, rank, 3);
        p->conf.rendezvous_server = "launcher";
        p->conf.job = "j";
        p->rounds = 2;
        p->bytes = 100;
        start(p);
    }
    for (int rank = 0; rank < 3; rank++) {
        join(&players[rank]);
        assert_well(&players[rank]);
    }
    frd_store_stop(store);
    frd_store_stop(NULL);
}
END_TEST

START_TEST(a_port_can_be_used_again_at_once)
{
    meet_at_free_port();
    for (int job = 0; job < 5; job++) {
        for (int rank = 0; rank < 2; rank++) {
            prepare(rank, rank, 2)->rounds = 1;
            start(&players[rank]);
        }
        for (int rank = 0; rank < 2; rank++) {
            join(&players[rank]);
            assert_well(&players[rank]);
        }
    }
}
END_TEST

START_TEST(names_and_ipv6_are_addresses)
{
    uint16_t port;

    for (int form = 0; form < 2; form++) {
        close(bound_socket(0, &port));
        snprintf(rendezvous, sizeof rendezvous, form == 0 ? "localhost:%u" : "[::1]:%u", port);
        for (int rank = 0; rank < 2; rank++) {
            prepare(rank, rank, 2)->rounds = 1;
            players[rank].conf.connect_timeout = 2 * FRD_NS_PER_S;
            start(&players[rank]);
        }
        for (int rank = 0; rank < 2; rank++)
            join(&players[rank]);
        if (form == 1 && players[0].rc == FEDRDMA_ERR_UNREACHABLE)
            continue; /* a host without IPv6 says so */
        assert_well(&players[0]);
        assert_well(&players[1]);
    }
}
END_TEST

START_TEST(a_job_of_one_needs_no_rendezvous)
{
    player *p = prepare(0, 0, 1);

    p->conf.rendezvous = "";
    p->rounds = 2;
    p->bytes = 10;
    start(p);
    join(p);
    assert_well(p);
    frd_boot_close(NULL);
}
END_TEST

static int oob_copy(const void *mine, void *all, size_t bytes, void *arg)
{
    (*(int *)arg)++;
    for (int r = 0; r < 3; r++)
        memcpy((char *)all + (size_t)r * bytes, mine, bytes);
    return 0;
}

static int oob_broken(const void *mine, void *all, size_t bytes, void *arg)
{
    (void)mine, (void)all, (void)bytes, (void)arg;
    return 42;
}

START_TEST(the_users_allgather_is_used)
{
    player *p = prepare(0, 1, 3);
    frd_boot *boot = NULL;
    char all[6];
    int calls = 0;

    p->conf.rendezvous = "nonsense";
    ck_assert_int_eq(frd_boot_open(&p->conf, oob_copy, &calls, NULL, &p->story, &boot), 0);
    ck_assert_int_eq(frd_boot_allgather(boot, "ab", all, 2, &p->story), 0);
    ck_assert_int_eq(calls, 1);
    ck_assert_mem_eq(all, "ababab", 6);
    frd_boot_close(boot);

    ck_assert_int_eq(frd_boot_open(&p->conf, oob_broken, NULL, NULL, &p->story, &boot), 0);
    p->rc = frd_boot_allgather(boot, "ab", all, 2, &p->story);
    assert_fails(p, FEDRDMA_ERR_UNREACHABLE, "returned 42");
    frd_boot_close(boot);
}
END_TEST

/* ---- addresses ---- */

static const char *const malformed[][2] = {
    { "localhost", "has no port" },
    { "localhost:", "has no port" },
    { ":7000", "has no host" },
    { "localhost:seven", "port that is no number" },
    { "localhost:70x", "port that is no number" },
    { "localhost:0", "outside 1 to 65535" },
    { "localhost:-1", "outside 1 to 65535" },
    { "localhost:65536", "outside 1 to 65535" },
    { "localhost:99999999999999999999", "port that is no number" },
    { "::1:7000", "needs brackets" },
    { "[::1]", "has no port" },
    { "[::1]7000", "has no port" },
    { "[::1:7000", "has no ]" },
    { "[]:7000", "has no host" },
    { "http://host:7000", "more than one colon" },
    { "user@host:7000", "space, / or @" },
    { "my host:7000", "space, / or @" },
    { ":", "has no host" },
    { "[", "has no ]" },
};

START_TEST(malformed_addresses_are_explained)
{
    snprintf(rendezvous, sizeof rendezvous, "%s", malformed[_i][0]);
    for (int rank = 0; rank < 2; rank++) {
        start(prepare(rank, rank, 2));
        join(&players[rank]);
        assert_fails(&players[rank], FEDRDMA_ERR_INVALID, malformed[_i][0]);
        assert_fails(&players[rank], FEDRDMA_ERR_INVALID, malformed[_i][1]);
        assert_fails(&players[rank], FEDRDMA_ERR_INVALID, "give host:port, e.g. 10.1.2.3:7000");
    }
}
END_TEST

START_TEST(a_missing_or_giant_address_is_explained)
{
    static char giant[1000];
    player *p = prepare(0, 0, 2);

    p->conf.rendezvous = "";
    start(p);
    join(p);
    assert_fails(p, FEDRDMA_ERR_INVALID, "set FEDRDMA_RENDEZVOUS to host:port");
    assert_fails(p, FEDRDMA_ERR_INVALID, "fedrdma-run");
    memset(giant, 'a', sizeof giant - 1);
    memcpy(giant + sizeof giant - 4, ":70", 4);
    p = prepare(0, 0, 2);
    p->conf.rendezvous = giant;
    start(p);
    join(p);
    assert_fails(p, FEDRDMA_ERR_INVALID, "too long");
}
END_TEST

START_TEST(bad_store_parameters_are_refused)
{
    frd_store_params params = { .host = "127.0.0.1", .size = 0, .job = "", .timeout_ns = LONG_NS };
    char longjob[FRD_WIRE_JOB_BYTES + 1];
    frd_store *store = NULL;
    frd_story story = { 0 };

    ck_assert_int_eq(frd_store_start(&params, NULL, &story, &store), FEDRDMA_ERR_INVALID);
    params.size = 2;
    memset(longjob, 'j', sizeof longjob - 1);
    longjob[sizeof longjob - 1] = '\0';
    params.job = longjob;
    ck_assert_int_eq(frd_store_start(&params, NULL, &story, &store), FEDRDMA_ERR_INVALID);
    params.job = "";
    params.host = "";
    ck_assert_int_eq(frd_store_start(&params, NULL, &story, &store), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_null(store);
}
END_TEST

static void add_working(Suite *suite)
{
    TCase *tests = add_case(suite, "working");

    tcase_add_loop_test(tests, allgather_of_all_sizes, 0, RANKS_MAX);
    tcase_add_test(tests, ranks_wait_for_the_store_to_open);
    tcase_add_test(tests, a_launcher_can_hold_the_store);
    tcase_add_test(tests, a_port_can_be_used_again_at_once);
    tcase_add_test(tests, names_and_ipv6_are_addresses);
    tcase_add_test(tests, a_job_of_one_needs_no_rendezvous);
    tcase_add_test(tests, the_users_allgather_is_used);
}

static void add_addresses(Suite *suite)
{
    TCase *tests = add_case(suite, "addresses");

    tcase_add_loop_test(tests, malformed_addresses_are_explained, 0, COUNT(malformed));
    tcase_add_test(tests, a_missing_or_giant_address_is_explained);
    tcase_add_test(tests, bad_store_parameters_are_refused);
}

int main(void)
{
    Suite *suite = suite_create("boot");
    SRunner *runner = srunner_create(suite);
    int failed;

    add_working(suite);
    add_ranks(suite);
    add_rounds(suite);
    add_strangers(suite);
    add_impostors(suite);
    add_addresses(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
