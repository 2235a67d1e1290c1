/* SPDX-License-Identifier: BSD-3-Clause
 * boot_strangers.c - what may come to the store's port that is no rank. */
#include "boot_player.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/boot.h"

/* ---- strangers at the store's port ---- */

/* Rank 1 of 2 as a player, after the strangers came: the job must start all the same. */
static void job_starts(void)
{
    for (int rank = 0; rank < 2; rank++) {
        prepare(rank, rank, 2)->conf.rendezvous_server = "launcher";
        players[rank].rounds = 1;
        start(&players[rank]);
    }
    for (int rank = 0; rank < 2; rank++) {
        join(&players[rank]);
        assert_well(&players[rank]);
        ck_assert_uint_lt(players[rank].took_ns, SOON_NS);
    }
}

START_TEST(garbage_is_dropped_and_the_job_starts)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    unsigned char noise[4096];
    unsigned seed = 12345;

    for (int i = 0; i < 50; i++) {
        const int fd = connect_to(frd_store_port(store));

        for (size_t j = 0; j < sizeof noise; j++)
            noise[j] = (unsigned char)(rand_r(&seed) >> 8);
        (void)!send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        ck_assert(is_closed(fd));
        close(fd);
    }
    job_starts();
    frd_store_stop(store);
}
END_TEST

START_TEST(headers_with_any_field_wrong_are_survived)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    unsigned seed = 54321;

    for (int i = 0; i < 300; i++) {
        frd_wire_header header = frd_wire_make(FRD_WIRE_HELLO, sizeof(frd_wire_hello));
        unsigned char bytes[sizeof header + sizeof(frd_wire_hello)] = { 0 };
        const int fd = connect_to(frd_store_port(store));

        header = frd_wire_swap(header);
        memcpy(bytes, &header, sizeof header);
        bytes[sizeof header + 4] = 2; /* size; the rank is out of range */
        bytes[sizeof header] = 9;
        for (int k = 0; k < 1 + i % 3; k++)
            bytes[(unsigned)rand_r(&seed) % sizeof bytes] = (unsigned char)(rand_r(&seed) >> 8);
        if (bytes[sizeof header] < 2) /* by chance a rank */
            bytes[sizeof header] = 9;
        (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        ck_assert(is_closed(fd));
        close(fd);
    }
    job_starts();
    frd_store_stop(store);
}
END_TEST

START_TEST(silent_and_slow_strangers_dont_hold_the_job_up)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    const uint32_t magic = htole32(FRD_WIRE_MAGIC);
    const uint64_t before = frd_now_ns();
    int fds[200];

    for (int i = 0; i < 200; i++) {
        fds[i] = connect_to(frd_store_port(store));
        if (i % 2 == 0) /* begins like one of us */
            say(fds[i], &magic, sizeof magic);
    }
    job_starts();
    ck_assert(is_closed(fds[0])); /* the oldest had to go, long before its time was up */
    ck_assert_uint_lt(frd_now_ns() - before, 3 * FRD_NS_PER_S);
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    frd_store_stop(store);
}
END_TEST

START_TEST(silent_strangers_are_dropped_in_time)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    const int fd = connect_to(frd_store_port(store));
    const uint64_t before = frd_now_ns();

    ck_assert(is_closed(fd));
    ck_assert_uint_lt(frd_now_ns() - before, 8 * FRD_NS_PER_S);
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(dropped_strangers_are_in_the_story)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    const int fd = connect_to(frd_store_port(store));
    static const char garbage[64] = "SSH-2.0-client";

    say(fd, garbage, sizeof garbage);
    ck_assert(is_closed(fd));
    close(fd);
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_TIMEOUT, "1 connections that were no rank's were dropped");
    frd_store_stop(store);
}
END_TEST

START_TEST(other_versions_are_refused)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    frd_wire_header header = frd_wire_make(FRD_WIRE_HELLO, 500);
    const int fd = connect_to(frd_store_port(store));
    char text[FRD_WIRE_TEXT_MAX] = "";

    header.version = 9;
    header = frd_wire_swap(header);
    say(fd, &header, sizeof header);
    say(fd, text, 500);
    header = hear(fd);
    ck_assert_int_eq(header.type, FRD_WIRE_FAIL);
    ck_assert_int_eq(header.code, FEDRDMA_ERR_REFUSED);
    ck_assert_int_gt((int)recv(fd, text, (size_t)header.bytes, MSG_WAITALL), 0);
    ck_assert_ptr_nonnull(strstr(text, "speaks version 1 of the protocol, the rank version 9"));
    ck_assert(is_closed(fd));
    close(fd);
    job_starts();
    frd_store_stop(store);
}
END_TEST

START_TEST(a_slow_rank_is_served)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    const int fd = connect_to(frd_store_port(store)), little = 1 << 16;
    const size_t bytes = 8 << 20;
    size_t got = 0;
    char chunk[8192];

    /* 16 MiB don't fit into what the kernel buffers: the store has to wait for us. */
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    prepare(0, 0, 2)->conf.rendezvous_server = "launcher";
    players[0].rounds = 1;
    players[0].bytes = bytes;
    start(&players[0]);
    say_hello(fd, 1, 2, LONG_NS);
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_ACCEPTED);
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_READY);
    say_gather(fd, 0, bytes);
    for (size_t sent = 0; sent < bytes; sent += sizeof chunk) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = (char)pattern(1, 0, sent + i);
        say(fd, chunk, sizeof chunk);
    }
    join(&players[0]); /* is not held up by us */
    assert_well(&players[0]);
    ck_assert_int_eq(hear(fd).type, FRD_WIRE_GATHERED);
    while (got < 2 * bytes) {
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);

        ck_assert_int_gt((int)n, 0);
        for (size_t i = 0; i < (size_t)n; i++)
            if ((unsigned char)chunk[i] != pattern((int)((got + i) / bytes), 0, (got + i) % bytes))
                ck_abort_msg("byte %zu differs", got + i);
        got += (size_t)n;
    }
    close(fd);
    frd_store_stop(store);
}
END_TEST

START_TEST(a_stopped_store_sends_what_it_answered)
{
    frd_store *store = launcher_store(2, "", LONG_NS);
    const int fd = connect_to(frd_store_port(store));
    frd_wire_header header;

    say_hello(fd, 1, 7, LONG_NS); /* refused; and the store is stopped at once behind it */
    header = hear(fd);
    frd_store_stop(store);
    ck_assert_int_eq(header.type, FRD_WIRE_FAIL);
    ck_assert(is_closed(fd));
    close(fd);
}
END_TEST

void add_strangers(Suite *suite)
{
    TCase *tests = add_case(suite, "strangers");

    tcase_add_test(tests, garbage_is_dropped_and_the_job_starts);
    tcase_add_test(tests, headers_with_any_field_wrong_are_survived);
    tcase_add_test(tests, silent_and_slow_strangers_dont_hold_the_job_up);
    tcase_add_test(tests, silent_strangers_are_dropped_in_time);
    tcase_add_test(tests, dropped_strangers_are_in_the_story);
    tcase_add_test(tests, other_versions_are_refused);
    tcase_add_test(tests, a_slow_rank_is_served);
    tcase_add_test(tests, a_stopped_store_sends_what_it_answered);
}
