/* SPDX-License-Identifier: BSD-3-Clause
 * store.c - the rendezvous store: a thread that moves bytes between sockets and the meeting.
 *
 * One epoll loop; every pass looks at all connections, which is fine for the few passes of a start-up. What
 * is no rank can't hold the store up: nothing blocks, strangers have seconds to say HELLO, and there are at
 * most STRANGERS_MAX of them beyond the number of ranks, which may all be knocking at the same moment. The
 * thread takes no signals and logs nothing. */
#include "boot/store.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "boot/io.h"
#include "boot/meeting.h"

#define STRANGERS_MAX 64       /* beyond the number of ranks; the oldest is dropped for the next one */
#define READS_PER_EVENT 64     /* then others have their turn */
#define EVENTS 64              /* per pass */
#define LISTEN_BACKLOG 4096    /* ranks that may knock at the same moment; the kernel bounds it */
#define LINGER_NS FRD_NS_PER_S /* frd_boot_close promises it */
#define ACCEPT_RETRY_NS (FRD_NS_PER_S / 10) /* out of descriptors */
#define WHO_NS FRD_NS_PER_S                 /* for who holds our port to answer */

struct frd_store {
    const frd_log *log;
    int listener, epoll, wake;
    uint16_t port;
    pthread_t thread;
    bool running;
    frd_meeting meeting;
    uint64_t accept_again_ns; /* 0: now */
    uint64_t stop_ns;         /* 0: go on; else when lingering ends */
};

/* ---- the thread ---- */

static bool is_stranger(const frd_conn *conn)
{
    return conn->fd >= 0 && conn->state != FRD_CONN_RANK && conn->state != FRD_CONN_PAST;
}

/* Makes room for one more descriptor or stranger; false when every connection is a rank's. */
static bool drop_oldest_stranger(frd_store *store, uint64_t now)
{
    for (frd_conn *conn = store->meeting.first; conn != NULL; conn = conn->next)
        if (is_stranger(conn)) {
            frd_meeting_drop(&store->meeting, conn, now);
            return true;
        }
    return false;
}

static int strangers_max(const frd_store *store)
{
    return STRANGERS_MAX + store->meeting.size;
}

/* Connections that are no rank's; 0 also when they are certainly few. */
static int strangers(const frd_store *store)
{
    int n = 0;

    if (store->meeting.connections - store->meeting.came < strangers_max(store)) /* no need to look */
        return 0;
    for (const frd_conn *conn = store->meeting.first; conn != NULL; conn = conn->next)
        n += is_stranger(conn);
    return n;
}

static void watch_listener(frd_store *store, bool on)
{
    struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.ptr = &store->listener };

    (void)epoll_ctl(store->epoll, EPOLL_CTL_MOD, store->listener, &event);
}

static void admit(frd_store *store, int fd, uint64_t now)
{
    struct epoll_event event = { .events = EPOLLIN };
    frd_conn *conn = frd_conn_new(fd);

    if (conn == NULL) {
        close(fd);
        return;
    }
    event.data.ptr = conn;
    if (epoll_ctl(store->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        frd_conn_free(conn);
        return;
    }
    if (strangers(store) >= strangers_max(store))
        (void)drop_oldest_stranger(store, now);
    frd_meeting_add(&store->meeting, conn, now);
}

static void accept_all(frd_store *store, uint64_t now)
{
    for (int i = 0; i < EVENTS; i++) {
        const int fd = accept4(store->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            admit(store, fd, now);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!drop_oldest_stranger(store, now)) {
                watch_listener(store, false);
                store->accept_again_ns = now + ACCEPT_RETRY_NS;
                store->meeting.starved = true;
                return;
            }
        } /* anything else is the fate of one connection that was on its way */
    }
}

static void serve(frd_store *store, frd_conn *conn, uint64_t now)
{
    for (int i = 0; i < READS_PER_EVENT && conn->fd >= 0; i++)
        switch (frd_conn_read(conn)) {
        case FRD_CONN_NOTHING:
            return;
        case FRD_CONN_HEADER:
            frd_meeting_header(&store->meeting, conn, now);
            break;
        case FRD_CONN_FRAME:
            frd_meeting_frame(&store->meeting, conn, now);
            break;
        case FRD_CONN_GONE:
            frd_meeting_drop(&store->meeting, conn, now);
            return;
        }
}

/* Sends what a connection has queued, and asks epoll for exactly what it waits for. */
static void push(frd_store *store, frd_conn *conn, uint64_t now)
{
    bool blocked;

    if (!frd_conn_flush(conn)) {
        frd_meeting_drop(&store->meeting, conn, now);
        return;
    }
    blocked = conn->out != NULL;
    if (blocked != conn->wants_write) {
        struct epoll_event event = { .events = EPOLLIN | (blocked ? EPOLLOUT : 0u), .data.ptr = conn };

        if (epoll_ctl(store->epoll, EPOLL_CTL_MOD, conn->fd, &event) < 0) {
            frd_meeting_drop(&store->meeting, conn, now);
            return;
        }
        conn->wants_write = blocked;
    }
    /* The end of the stream behind the last answer; the peer closes then. */
    if (!blocked && conn->state == FRD_CONN_LEAVING)
        (void)shutdown(conn->fd, SHUT_WR);
}

/* One pass over all connections: what is late goes, what is queued is sent. Dropping one may queue a story
 * for those before it: again until nothing is dropped. */
static void push_all(frd_store *store, uint64_t now)
{
    bool again;

    do {
        again = false;
        for (frd_conn *conn = store->meeting.first; conn != NULL; conn = conn->next) {
            if (conn->fd < 0)
                continue;
            if (conn->state != FRD_CONN_RANK && now >= conn->deadline_ns)
                frd_meeting_drop(&store->meeting, conn, now);
            else if (conn->out != NULL)
                push(store, conn, now);
            again = again || conn->fd < 0;
        }
    } while (again);
}

/* Frees what was closed; returns when the next deadline is, and whether anything is still to be sent. */
static uint64_t reap(frd_store *store, bool *unsent)
{
    uint64_t next = store->meeting.deadline_ns;
    frd_conn *conn = store->meeting.first;

    *unsent = false;
    while (conn != NULL) {
        frd_conn *const after = conn->next;

        if (conn->fd < 0) {
            frd_meeting_remove(&store->meeting, conn);
        } else {
            *unsent = *unsent || conn->out != NULL;
            next = conn->deadline_ns < next && conn->state != FRD_CONN_RANK ? conn->deadline_ns : next;
        }
        conn = after;
    }
    if (store->accept_again_ns != 0 && store->accept_again_ns < next)
        next = store->accept_again_ns;
    if (store->stop_ns != 0 && store->stop_ns < next)
        next = store->stop_ns;
    return next;
}

static int timeout_ms(uint64_t until)
{
    const uint64_t now = frd_now_ns();

    if (until <= now)
        return 0;
    return until - now > 60 * FRD_NS_PER_S ? 60000 : (int)((until - now) / FRD_NS_PER_MS) + 1;
}

static void handle(frd_store *store, const struct epoll_event *event, uint64_t now)
{
    uint64_t woken;

    if (event->data.ptr == &store->listener) {
        accept_all(store, now);
    } else if (event->data.ptr == &store->wake) {
        if (read(store->wake, &woken, sizeof woken) > 0 && store->stop_ns == 0) {
            store->stop_ns = now + LINGER_NS;
            watch_listener(store, false);
        }
    } else {
        serve(store, event->data.ptr, now);
    }
}

static void *run(void *arg)
{
    frd_store *store = arg;
    struct epoll_event events[EVENTS];
    bool unsent = false;

    for (;;) {
        const uint64_t next = reap(store, &unsent);
        uint64_t now;
        int n;

        if (store->stop_ns != 0 && (!unsent || frd_now_ns() >= store->stop_ns))
            return NULL;
        n = epoll_wait(store->epoll, events, EVENTS, timeout_ms(next));
        now = frd_now_ns();
        for (int i = 0; i < n; i++)
            handle(store, &events[i], now);
        if (store->accept_again_ns != 0 && now >= store->accept_again_ns && store->stop_ns == 0) {
            store->accept_again_ns = 0;
            watch_listener(store, true);
        }
        frd_meeting_expire(&store->meeting, now);
        push_all(store, now);
    }
}

/* ---- starting and stopping ---- */

/* Who listens on our port, as far as it tells. */
static void ask_who(const struct addrinfo *address, char text[FRD_WIRE_TEXT_MAX])
{
    const uint64_t deadline = frd_now_ns() + WHO_NS;
    const frd_wire_header who = frd_wire_swap(frd_wire_make(FRD_WIRE_WHO, 0));
    frd_wire_header answer;
    int fd = -1;

    strcpy(text, "another program (`ss -ltnp` shows which)");
    if (frd_io_connect(address, deadline, &fd) != FRD_IO_OK)
        return;
    if (frd_io_send(fd, &who, sizeof who, deadline) == FRD_IO_OK &&
        frd_io_recv_header(fd, &answer, deadline) == FRD_IO_OK && answer.type == FRD_WIRE_INFO &&
        answer.bytes > 0 && answer.bytes < FRD_WIRE_TEXT_MAX) {
        char info[FRD_WIRE_TEXT_MAX];

        if (frd_io_recv(fd, info, (size_t)answer.bytes, deadline) == FRD_IO_OK) {
            info[answer.bytes] = '\0';
            strcpy(text, info);
        }
    }
    close(fd);
}

/* 0, or errno. */
static int listen_on(frd_store *store, const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    int error = 0;

    if (fd < 0)
        return errno;
    /* A job that follows another on the same port must not wait for the old connections to be forgotten. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        error = errno;
    if (error == 0)
        store->listener = fd;
    else
        close(fd);
    return error;
}

static int open_failed(const frd_address *at, const struct addrinfo *address, int error, frd_story *story)
{
    char who[FRD_WIRE_TEXT_MAX];

    switch (error) {
    case EADDRINUSE:
        ask_who(address, who);
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "%s is taken by %.200s; set FEDRDMA_RENDEZVOUS to a free port", at->text, who);
    case EADDRNOTAVAIL:
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "%s is no address of this host, where rank 0 runs; set FEDRDMA_RENDEZVOUS to an "
                        "address of rank 0's host",
                        at->host);
    case EACCES:
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "this user may not listen on port %u; set FEDRDMA_RENDEZVOUS to a port above 1023",
                        at->port);
    default:
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "can't listen on %s: %s", at->text, strerror(error));
    }
}

static int open_listener(frd_store *store, frd_address *at, frd_story *story)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *list = NULL, *address;
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char port[8];
    int rc, error = 0;

    snprintf(port, sizeof port, "%u", at->port);
    rc = getaddrinfo(at->host, port, &hints, &list);
    if (rc != 0)
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "host \"%s\" of the rendezvous can't be found (%s); correct FEDRDMA_RENDEZVOUS",
                        at->host, gai_strerror(rc));
    for (address = list; address != NULL; address = address->ai_next) {
        error = listen_on(store, address);
        /* A port that is taken on one of the host's addresses must not be opened on another: ranks that look
         * the name up would meet two different jobs. */
        if (error == 0 || error == EADDRINUSE || address->ai_next == NULL)
            break;
    }
    rc = error == 0 ? FEDRDMA_OK : open_failed(at, address, error, story);
    freeaddrinfo(list);
    if (rc < 0)
        return rc;
    if (getsockname(store->listener, (struct sockaddr *)&bound, &len) < 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "getsockname: %s", strerror(errno));
    store->port = bound.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&bound)->sin6_port)
                                              : ntohs(((struct sockaddr_in *)&bound)->sin_port);
    return frd_address_make(at->host, store->port, at, story);
}

static int watch(frd_store *store, int *fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };

    return epoll_ctl(store->epoll, EPOLL_CTL_ADD, *fd, &event);
}

/* The application's signal handlers must not run on our thread: it starts with all signals blocked. */
static int start_thread(frd_store *store)
{
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&store->thread, NULL, run, store);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    store->running = error == 0;
    return error;
}

static int check(const frd_store_params *params, frd_story *story)
{
    if (params->size < 1 || params->size > FRD_WIRE_RANKS_MAX)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "a job of %d ranks can't meet; 1 to %d can", params->size,
                        FRD_WIRE_RANKS_MAX);
    if (strlen(params->job) >= FRD_WIRE_JOB_BYTES)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "the job's name has more than %d bytes",
                        FRD_WIRE_JOB_BYTES - 1);
    return FEDRDMA_OK;
}

int frd_store_start(const frd_store_params *params, const frd_log *log, frd_story *story, frd_store **out)
{
    frd_address at = { 0 };
    frd_store *store;
    int error, rc = check(params, story);

    if (rc < 0)
        return rc;
    rc = frd_address_make(params->host, params->port, &at, story);
    if (rc < 0)
        return rc;
    store = frd_calloc(1, sizeof *store);
    if (store == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the rendezvous");
    store->log = log;
    store->listener = -1;
    store->epoll = epoll_create1(EPOLL_CLOEXEC);
    store->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = open_listener(store, &at, story);
    if (rc == FEDRDMA_OK && frd_meeting_init(&store->meeting, params, at.text, frd_now_ns()) < 0)
        rc = frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the rendezvous of %d ranks", params->size);
    if (rc == FEDRDMA_OK && (watch(store, &store->listener) < 0 || watch(store, &store->wake) < 0))
        rc = frd_fail(story, FEDRDMA_ERR_SYSTEM, "can't watch the rendezvous's sockets: %s", strerror(errno));
    if (rc < 0)
        goto fail;
    error = start_thread(store);
    if (error != 0) {
        rc = frd_fail(story, FEDRDMA_ERR_SYSTEM, "can't start the rendezvous's thread: %s", strerror(error));
        goto fail;
    }
    *out = store;
    return FEDRDMA_OK;
fail:
    frd_store_stop(store);
    return rc;
}

uint16_t frd_store_port(const frd_store *store)
{
    return store->port;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void frd_store_stop(frd_store *store)
{
    const uint64_t one = 1;

    if (store == NULL)
        return;
    if (store->running) {
        /* An eventfd takes this until its counter is full, which one writer can't do. */
        if (write(store->wake, &one, sizeof one) == (ssize_t)sizeof one)
            pthread_join(store->thread, NULL);
    }
    if (store->meeting.dropped > 0)
        frd_logf(store->log, FEDRDMA_LOG_WARN,
                 "rendezvous dropped %llu connections that were no rank's, the last from %s",
                 (unsigned long long)store->meeting.dropped, store->meeting.dropped_peer);
    frd_meeting_free(&store->meeting);
    close_if_open(store->listener);
    close_if_open(store->epoll);
    close_if_open(store->wake);
    frd_free(store);
}
