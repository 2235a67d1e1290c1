/* SPDX-License-Identifier: BSD-3-Clause
 *
 * badmeeting.c - start-ups that can't succeed: impossible ranks, malformed addresses, and a rendezvous where
 * nobody, somebody else, too few or too many come. Ranks are threads; the peers that misbehave are plain
 * sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/mp/badinput.h"
#include "tests/mp/expect.h"
#include "tests/mp/threads.h"

#define DEADLINE "600ms"

/* Starts with these options (name, value, ..., NULL); the context, if there is one, is left to the caller. */
static int start(const char *const *settings, fedrdma_context **context)
{
    fedrdma_options *options = NULL;
    int rc = fedrdma_options_create(&options);

    for (; rc == FEDRDMA_OK && settings[0] != NULL; settings += 2)
        rc = fedrdma_options_set(options, settings[0], settings[1]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_init(options, context);
    fedrdma_options_destroy(options);
    return rc;
}

void bad_start_values(void)
{
    static const struct {
        const char *settings[11], *says[2];
    } bad[] = {
        { { "rank", "3", "size", "3", "rendezvous", "127.0.0.1:9" }, { "rank", "3" } },
        { { "rank", "7", "size", "2", "rendezvous", "127.0.0.1:9" }, { "7", "2" } },
        { { "rank", "0", "size", "0" }, { "size", "0" } },
        { { "rank", "-5", "size", "2", "rendezvous", "127.0.0.1:9" }, { "rank", "-5" } },
        { { "size", "2", "rendezvous", "127.0.0.1:9" }, { "rank", "" } },
        { { "rank", "0", "size", "2" }, { "FEDRDMA_RENDEZVOUS", "host:port" } },
        { { "rank", "1", "size", "2", "rendezvous", "nohost" }, { "nohost", "host:port" } },
        { { "rank", "1", "size", "2", "rendezvous", "127.0.0.1:" }, { "127.0.0.1:", "" } },
        { { "rank", "1", "size", "2", "rendezvous", ":80" }, { ":80", "" } },
        { { "rank", "1", "size", "2", "rendezvous", "127.0.0.1:99999" }, { "99999", "" } },
        { { "rank", "1", "size", "2", "rendezvous", "127.0.0.1:eighty" }, { "eighty", "" } },
        { { "rank", "1", "size", "2", "rendezvous", "[::1:80" }, { "[::1:80", "" } },
        { { "rank", "0", "size", "1", "transports", "shm,pigeon" }, { "pigeon", "" } },
        { { "rank", "0", "size", "1", "threads", "some" }, { "threads", "some" } },
        { { "rank", "0", "size", "1", "algo", "allreduce:0-:nosuch" }, { "nosuch", "allreduce" } },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fedrdma_context *context = NULL;
        /* Some values are refused when they are set, the rest by init. */
        if (EXPECT_CODE(start(bad[i].settings, &context), FEDRDMA_ERR_INVALID)) {
            EXPECT_STORY(NULL, bad[i].says[0]);
            EXPECT_STORY(NULL, bad[i].says[1]);
        } else {
            fprintf(mp_expect_out, "  with %s=%s %s=%s %s=%s\n", bad[i].settings[0], bad[i].settings[1],
                    bad[i].settings[2], bad[i].settings[3], bad[i].settings[4], bad[i].settings[5]);
        }
        EXPECT(context == NULL);
    }
    EXPECT_CODE(fedrdma_init(NULL, NULL), FEDRDMA_ERR_INVALID);
    EXPECT_CODE(fedrdma_finalize(NULL), FEDRDMA_ERR_INVALID);
}

/* ---- sockets that misbehave ----------------------------------------------------------------------- */

enum manner { SILENT, GARBAGE, HANGS_UP };

typedef struct host {
    int fd; /* listens */
    char address[32];
    enum manner manner;
    pthread_t thread;
} host;

/* Listens on a free port of this machine; `closed`: gives it back at once. */
static void host_open(host *h, bool closed)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof a;

    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(h->fd, 8) != 0 ||
        getsockname(h->fd, (struct sockaddr *)&a, &length) != 0)
        abort();
    snprintf(h->address, sizeof h->address, "127.0.0.1:%d", ntohs(a.sin_port));
    if (closed)
        close(h->fd);
}

static void *misbehave(void *arg)
{
    const host *h = arg;
    unsigned char bytes[2000];
    int fd;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
        if (h->manner == GARBAGE) {
            (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
            while (recv(fd, bytes, sizeof bytes, 0) > 0)
                ; /* until they have had enough */
        }
        close(fd);
    }
    return NULL;
}

static void expect_unreachable(void)
{
    host h = { .fd = -1 };
    fedrdma_context *context = NULL;
    const char *settings[] = { "rank",   "1", "size", "2", "rendezvous", h.address, "connect_timeout",
                               DEADLINE, NULL };

    host_open(&h, true);
    EXPECT_CODE(start(settings, &context), FEDRDMA_ERR_UNREACHABLE);
    EXPECT_STORY(NULL, h.address);
    host_open(&h, false); /* accepts by the kernel, says nothing */
    int rc = start(settings, &context);
    EXPECT(rc == FEDRDMA_ERR_UNREACHABLE || rc == FEDRDMA_ERR_PROTOCOL);
    EXPECT_STORY(NULL, h.address);
    settings[1] = "0"; /* listens there itself */
    EXPECT_CODE(start(settings, &context), FEDRDMA_ERR_UNREACHABLE);
    EXPECT_STORY(NULL, strchr(h.address, ':') + 1);
    EXPECT_STORY(NULL, "taken");
    close(h.fd);
    EXPECT(context == NULL);
}

static void expect_stranger(enum manner manner)
{
    host h = { .fd = -1 };
    fedrdma_context *context = NULL;
    const char *settings[] = { "rank",   "1", "size", "2", "rendezvous", h.address, "connect_timeout",
                               DEADLINE, NULL };

    host_open(&h, false);
    h.manner = manner;
    if (pthread_create(&h.thread, NULL, misbehave, &h) != 0)
        abort();
    int rc = start(settings, &context);
    EXPECT(manner == GARBAGE ? rc == FEDRDMA_ERR_PROTOCOL
                             : rc == FEDRDMA_ERR_PROTOCOL || rc == FEDRDMA_ERR_UNREACHABLE);
    EXPECT_STORY(NULL, h.address);
    shutdown(h.fd, SHUT_RDWR);
    pthread_join(h.thread, NULL);
    close(h.fd);
}

/* ---- ranks that don't fit together ---------------------------------------------------------------- */

typedef struct guest {
    const char *rank, *size, *job;
    int code;         /* expected; TAKEN: refused or in time for the deadline, whoever comes first */
    const char *says; /* in the story */
} guest;

enum { TAKEN = 1 };

typedef struct party {
    char address[32];
    const guest *guests;
    bool noise; /* the last guest is a stranger that sends garbage instead */
    atomic_int refused;
} party;

static void make_noise(const char *address)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    unsigned char bytes[3000];

    a.sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1));
    memset(bytes, 0xfe, sizeof bytes);
    for (int tries = 0, sent = 0; tries < 100000 && sent < 3; tries++) { /* the store may not be there yet */
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) {
            (void)!send(fd, bytes, sent == 0 ? 3 : sizeof bytes, MSG_NOSIGNAL);
            sent++;
        }
        close(fd);
    }
}

static void attend(mp_job *job, int index, void *arg)
{
    party *p = arg;
    const guest *g = &p->guests[index];
    const char *settings[] = {
        "rank", g->rank, "size",       g->size, "rendezvous",      p->address,
        "job",  g->job,  "transports", "loop",  "connect_timeout", g->code == FEDRDMA_OK ? "10s" : DEADLINE,
        NULL
    };
    fedrdma_context *context = NULL;

    mp_expect_rank = index;
    if (p->noise && index == mp_threads_size(job) - 1) {
        make_noise(p->address);
        return;
    }
    int rc = start(settings, &context);
    if (g->code == TAKEN) {
        atomic_fetch_add(&p->refused, rc == FEDRDMA_ERR_REFUSED);
        EXPECT(rc == FEDRDMA_ERR_REFUSED || rc == FEDRDMA_ERR_TIMEOUT);
    } else {
        EXPECT_CODE(rc, g->code);
    }
    if (rc != FEDRDMA_OK)
        EXPECT_STORY(NULL, g->says);
    if (context != NULL) {
        EXPECT_OK(fedrdma_barrier(fedrdma_world(context)));
        EXPECT_OK(fedrdma_finalize(&context));
    }
}

/* Returns how many TAKEN guests were refused. */
static int hold(const guest *guests, int count, bool noise)
{
    host h = { .fd = -1 };
    party p = { .guests = guests, .noise = noise };

    host_open(&h, true);
    memcpy(p.address, h.address, sizeof p.address);
    mp_threads_run(count, attend, &p);
    return atomic_load(&p.refused);
}

void bad_meetings(void)
{
    static const guest missing[] = { { "0", "3", "a", FEDRDMA_ERR_TIMEOUT, "2" },
                                     { "1", "3", "a", FEDRDMA_ERR_TIMEOUT, "2" } };
    static const guest other_job[] = { { "0", "2", "alpha", FEDRDMA_ERR_TIMEOUT, "1" },
                                       { "1", "2", "beta", FEDRDMA_ERR_REFUSED, "alpha" } };
    static const guest other_size[] = { { "0", "2", "a", FEDRDMA_ERR_TIMEOUT, "1" },
                                        { "1", "3", "a", FEDRDMA_ERR_REFUSED, "job of 3" } };
    static const guest twice[] = { { "0", "3", "a", FEDRDMA_ERR_TIMEOUT, "2" },
                                   { "1", "3", "a", TAKEN, "" },
                                   { "1", "3", "a", TAKEN, "" } };
    static const guest noisy[] = { { "0", "2", "a", FEDRDMA_OK, "" },
                                   { "1", "2", "a", FEDRDMA_OK, "" },
                                   { "", "", "", FEDRDMA_OK, "" } };

    expect_unreachable();
    expect_stranger(GARBAGE);
    expect_stranger(HANGS_UP);
    hold(missing, 2, false);
    hold(other_job, 2, false);
    hold(other_size, 2, false);
    EXPECT(hold(twice, 3, false) == 1);
    hold(noisy, 3, true);
}
