/* SPDX-License-Identifier: BSD-3-Clause
 * boot_player.c - the rendezvous's test players and raw sockets. */
#include "boot_player.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "boot/boot.h"

player players[RANKS_MAX + 1];
char rendezvous[64];

/* ---- sockets of our own ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET };

    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A socket bound to a free port of loopback, listening when `backlog` is above 0. */
int bound_socket(int backlog, uint16_t *port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    if (backlog > 0)
        ck_assert_int_eq(listen(fd, backlog), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

void meet_at(uint16_t port)
{
    snprintf(rendezvous, sizeof rendezvous, "127.0.0.1:%u", port);
}

void meet_at_free_port(void)
{
    uint16_t port;

    close(bound_socket(0, &port));
    meet_at(port);
}

int connect_to(uint16_t port)
{
    const struct sockaddr_in a = loopback(port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

void say(int fd, const void *data, size_t bytes)
{
    ck_assert_int_eq((int)send(fd, data, bytes, MSG_NOSIGNAL), (int)bytes);
}

void say_hello(int fd, int rank, int size, uint64_t wait_ns)
{
    frd_wire_header header = frd_wire_make(FRD_WIRE_HELLO, sizeof(frd_wire_hello));
    frd_wire_hello hello = { .rank = rank, .size = size, .pid = 1 };

    header.wait_ns = wait_ns;
    header = frd_wire_swap(header);
    hello = frd_wire_swap_hello(hello);
    say(fd, &header, sizeof header);
    say(fd, &hello, sizeof hello);
}

void say_gather(int fd, uint64_t round, uint64_t bytes)
{
    frd_wire_header header = frd_wire_make(FRD_WIRE_GATHER, bytes);

    header.round = round;
    header.wait_ns = LONG_NS;
    header = frd_wire_swap(header);
    say(fd, &header, sizeof header);
}

/* The next header on `fd`; its type is 0 at the end of the stream. */
frd_wire_header hear(int fd)
{
    frd_wire_header header;

    if (recv(fd, &header, sizeof header, MSG_WAITALL) != (ssize_t)sizeof header)
        return (frd_wire_header){ 0 };
    return frd_wire_swap(header);
}

/* Waits for the store to close `fd`; the test's time limit bounds it. */
bool is_closed(int fd)
{
    char c[256];
    ssize_t n;

    while ((n = recv(fd, c, sizeof c, 0)) > 0)
        continue;
    return n == 0 || errno == ECONNRESET;
}

/* ---- players ---- */

unsigned char pattern(int rank, int round, size_t i)
{
    return (unsigned char)((size_t)(rank * 31 + round * 7) + i + i / 255);
}

static const char *gather_once(player *p, frd_boot *boot, int round)
{
    const size_t n = p->bytes, size = (size_t)p->conf.size;
    unsigned char *mine = frd_calloc(1, n), *all = frd_calloc(size, n);
    const char *wrong = NULL;

    for (size_t i = 0; i < n; i++)
        mine[i] = pattern(p->conf.rank, round, i);
    p->rc = frd_boot_allgather(boot, mine, all, n, &p->story);
    for (size_t r = 0; r < size && p->rc == 0; r++)
        for (size_t i = 0; i < n; i++)
            if (all[r * n + i] != pattern((int)r, round, i))
                wrong = "gathered bytes differ";
    frd_free(mine);
    frd_free(all);
    return wrong;
}

static void meet(player *p)
{
    frd_boot *boot = NULL;

    p->rc = frd_boot_open(&p->conf, NULL, NULL, NULL, &p->story, &boot);
    for (int round = 0; round < p->rounds && p->rc == 0 && p->wrong == NULL; round++)
        p->wrong = gather_once(p, boot, round);
    frd_boot_close(boot);
}

static void *play(void *arg)
{
    player *p = arg;
    const uint64_t start = frd_now_ns();

    meet(p);
    for (int i = 1; i < p->meetings && p->rc == 0 && p->wrong == NULL; i++)
        meet(p);
    p->took_ns = frd_now_ns() - start;
    return NULL;
}

player *prepare(int index, int rank, int size)
{
    player *p = &players[index];

    memset(p, 0, sizeof *p);
    p->conf.rank = rank;
    p->conf.size = size;
    p->conf.rendezvous = rendezvous;
    p->conf.rendezvous_server = "auto";
    p->conf.job = "";
    p->conf.connect_timeout = LONG_NS;
    return p;
}

void start(player *p)
{
    ck_assert_int_eq(pthread_create(&p->thread, NULL, play, p), 0);
}

void join(player *p)
{
    ck_assert_int_eq(pthread_join(p->thread, NULL), 0);
    ck_assert_msg(p->wrong == NULL, "rank %d: %s", p->conf.rank, p->wrong);
}

void assert_fails(const player *p, int rc, const char *part)
{
    ck_assert_msg(p->rc == rc, "rank %d: %d, not %d: %s", p->conf.rank, p->rc, rc, p->story.text);
    ck_assert_int_eq(p->story.rc, rc);
    ck_assert_msg(strstr(p->story.text, part) != NULL, "rank %d: no \"%s\" in \"%s\"", p->conf.rank, part,
                  p->story.text);
}

void assert_well(const player *p)
{
    ck_assert_msg(p->rc == FEDRDMA_OK, "rank %d: %s", p->conf.rank, p->story.text);
}

/* A store as fedrdma-run has it; the players meet there. */
frd_store *launcher_store(int size, const char *job, uint64_t timeout_ns)
{
    const frd_store_params params = {
        .host = "127.0.0.1", .size = size, .job = job, .timeout_ns = timeout_ns
    };
    frd_store *store = NULL;
    frd_story story = { 0 };

    ck_assert_msg(frd_store_start(&params, NULL, &story, &store) == 0, "%s", story.text);
    meet_at(frd_store_port(store));
    return store;
}

TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_set_timeout(tests, 30);
    suite_add_tcase(suite, tests);
    return tests;
}
