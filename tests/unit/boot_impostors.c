/* SPDX-License-Identifier: BSD-3-Clause
 * boot_impostors.c - what may answer at the rendezvous's address that is no store. */
#include "boot_player.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- strangers at the rendezvous's address ---- */

typedef struct impostor {
    int listener;
    const char *line; /* what it says to who connects; NULL: nothing, "": hangs up */
    pthread_t thread;
} impostor;

static void *impose(void *arg)
{
    const impostor *i = arg;

    for (;;) {
        const int fd = accept(i->listener, NULL, NULL);

        if (fd < 0)
            return NULL;
        if (i->line != NULL && i->line[0] != '\0')
            say(fd, i->line, strlen(i->line));
        if (i->line != NULL && i->line[0] == '\0')
            close(fd); /* else it leaks until the test's process ends */
    }
}

static void impostor_start(impostor *i, const char *line)
{
    uint16_t port;

    i->line = line;
    i->listener = bound_socket(8, &port);
    meet_at(port);
    ck_assert_int_eq(pthread_create(&i->thread, NULL, impose, i), 0);
}

static void impostor_stop(impostor *i)
{
    shutdown(i->listener, SHUT_RDWR);
    pthread_join(i->thread, NULL);
    close(i->listener);
}

static const char *const impostor_lines[] = { "SSH-2.0-OpenSSH_9\r\n", "2", "FRDX",
                                              "HTTP/1.0 400 Bad\r\n\r\n" };

START_TEST(garbage_from_the_rendezvous_is_known_at_once)
{
    impostor i;

    impostor_start(&i, impostor_lines[_i]);
    start(prepare(1, 1, 2));
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_PROTOCOL, "is no rendezvous of libfedrdma");
    ck_assert_uint_lt(players[1].took_ns, SOON_NS);
    impostor_stop(&i);
}
END_TEST

START_TEST(a_silent_rendezvous_ends_in_time)
{
    impostor i;

    impostor_start(&i, NULL);
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_PROTOCOL, "never answers");
    ck_assert_uint_ge(players[1].took_ns, SHORT_NS);
    ck_assert_uint_lt(players[1].took_ns, 10 * SHORT_NS);
    impostor_stop(&i);
}
END_TEST

START_TEST(a_rendezvous_that_hangs_up_ends_in_time)
{
    impostor i;

    impostor_start(&i, "");
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_PROTOCOL, "hangs up without an answer");
    ck_assert_uint_lt(players[1].took_ns, 10 * SHORT_NS);
    impostor_stop(&i);
}
END_TEST

START_TEST(one_that_hangs_up_and_goes_is_nobody)
{
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(listener);
    close(fd);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "nobody answers");
}
END_TEST

/* Plays the store for one connection up to the hello: returns the connection. */
static int accept_hello(int listener)
{
    char hello[sizeof(frd_wire_header) + sizeof(frd_wire_hello)];
    const int fd = accept(listener, NULL, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)recv(fd, hello, sizeof hello, MSG_WAITALL), (int)sizeof hello);
    return fd;
}

START_TEST(a_fail_with_strange_text_is_cleaned)
{
    frd_wire_header header = frd_wire_make(FRD_WIRE_FAIL, 7);
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    start(prepare(1, 1, 2));
    fd = accept_hello(listener);
    header.code = FEDRDMA_ERR_REFUSED;
    header = frd_wire_swap(header);
    say(fd, &header, sizeof header);
    say(fd, "a\033[2Jb\n", 7);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "a?[2Jb?");
    close(fd);
    close(listener);
}
END_TEST

/* type, code and bytes of an answer to the hello that no store gives */
static const frd_wire_header lies[] = {
    { .type = FRD_WIRE_READY },
    { .type = FRD_WIRE_INFO },
    { .type = 999 },
    { .type = FRD_WIRE_FAIL, .code = 5, .bytes = 4 },
    { .type = FRD_WIRE_FAIL, .code = -999, .bytes = 4 },
    { .type = FRD_WIRE_FAIL, .code = FEDRDMA_ERR_REFUSED, .bytes = UINT64_MAX },
};

START_TEST(answers_that_no_store_gives_are_a_protocol_error)
{
    frd_wire_header header = lies[_i];
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    start(prepare(1, 1, 2));
    fd = accept_hello(listener);
    header.magic = FRD_WIRE_MAGIC;
    header.version = FRD_WIRE_VERSION;
    header = frd_wire_swap(header);
    say(fd, &header, sizeof header);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_PROTOCOL, "is no rendezvous");
    close(fd);
    close(listener);
}
END_TEST

START_TEST(another_version_of_the_store_is_told)
{
    frd_wire_header header = frd_wire_make(FRD_WIRE_ACCEPTED, 0);
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    start(prepare(1, 1, 2));
    fd = accept_hello(listener);
    header.version = 7;
    header = frd_wire_swap(header);
    say(fd, &header, sizeof header);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_REFUSED, "speaks version 7 of the protocol, this rank version 1");
    close(fd);
    close(listener);
}
END_TEST

START_TEST(nobody_at_the_rendezvous_ends_in_time)
{
    meet_at_free_port();
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "nobody answers at the rendezvous 127.0.0.1:");
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "Connection refused");
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "start rank 0");
    ck_assert_uint_ge(players[1].took_ns, SHORT_NS);
    ck_assert_uint_lt(players[1].took_ns, 10 * SHORT_NS);
}
END_TEST

START_TEST(a_store_that_dies_is_told)
{
    const frd_wire_header accepted = frd_wire_swap(frd_wire_make(FRD_WIRE_ACCEPTED, 0));
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    start(prepare(1, 1, 2));
    fd = accept_hello(listener);
    say(fd, &accepted, sizeof accepted);
    close(fd);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_UNREACHABLE, "went away during start-up");
    close(listener);
}
END_TEST

START_TEST(a_store_that_falls_silent_ends_in_time)
{
    const frd_wire_header accepted = frd_wire_swap(frd_wire_make(FRD_WIRE_ACCEPTED, 0));
    uint16_t port;
    const int listener = bound_socket(1, &port);
    int fd;

    meet_at(port);
    prepare(1, 1, 2)->conf.connect_timeout = SHORT_NS;
    start(&players[1]);
    fd = accept_hello(listener);
    say(fd, &accepted, sizeof accepted);
    join(&players[1]);
    assert_fails(&players[1], FEDRDMA_ERR_TIMEOUT, "has stopped answering");
    ck_assert_uint_lt(players[1].took_ns, 10 * SHORT_NS);
    close(fd);
    close(listener);
}
END_TEST

void add_impostors(Suite *suite)
{
    TCase *tests = add_case(suite, "impostors");

    tcase_add_loop_test(tests, garbage_from_the_rendezvous_is_known_at_once, 0, COUNT(impostor_lines));
    tcase_add_test(tests, a_silent_rendezvous_ends_in_time);
    tcase_add_test(tests, a_rendezvous_that_hangs_up_ends_in_time);
    tcase_add_test(tests, one_that_hangs_up_and_goes_is_nobody);
    tcase_add_test(tests, a_fail_with_strange_text_is_cleaned);
    tcase_add_test(tests, nobody_at_the_rendezvous_ends_in_time);
    tcase_add_loop_test(tests, answers_that_no_store_gives_are_a_protocol_error, 0, COUNT(lies));
    tcase_add_test(tests, another_version_of_the_store_is_told);
    tcase_add_test(tests, a_store_that_dies_is_told);
    tcase_add_test(tests, a_store_that_falls_silent_ends_in_time);
}
