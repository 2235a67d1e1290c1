/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ucx_transfer.c - the least that one would write with UCX: one endpoint, one tagged message of BYTES from a
 * sender to a receiver, compared there. Addresses travel through a socket of their own, which also tells when
 * both are ready and that all has come. Every wait ends with --timeout.
 *
 * The time is the sender's, from the call until it knows that the message was received. Before it, a message
 * of eight bytes opens the endpoint's connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

static const char help[] = "Usage: ucx_transfer receive ADDRESS:PORT BYTES TIMEOUT_S\n"
                           "       ucx_transfer send ADDRESS:PORT BYTES TIMEOUT_S\n"
                           "\n"
                           "The sender prints \"seconds=S verified=yes|no\". UCX_TLS, UCX_NET_DEVICES and "
                           "the like choose the network.\n";

enum { ADDRESS_MOST = 64 << 10, TAG_FIRST = 1, TAG_DATA = 2 };

typedef struct transfer {
    int fd; /* to the other */
    uint64_t deadline_ns;
    ucp_context_h context;
    ucp_worker_h worker;
    ucp_ep_h ep;
} transfer;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static bool fail(const char *what, const char *why)
{
    fprintf(stderr, "ucx_transfer: %s: %s\n", what, why);
    return false;
}

/* ---- the socket ----------------------------------------------------------------------------------- */

static bool ready_for(const transfer *t, int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    const uint64_t now = now_ns();
    int n = 0;

    if (now < t->deadline_ns)
        n = poll(&p, 1, (int)((t->deadline_ns - now) / 1000000) + 1);
    return n > 0 || fail("waiting for the other side", "no answer within the timeout");
}

static bool give(const transfer *t, const void *data, size_t bytes)
{
    const char *at = data;

    for (ssize_t n; bytes > 0; at += n, bytes -= (size_t)n) {
        n = send(t->fd, at, bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return fail("send", strerror(errno));
    }
    return true;
}

/* The worker goes on meanwhile: UCX moves nothing by itself. */
static bool take(const transfer *t, void *data, size_t bytes)
{
    char *at = data;

    while (bytes > 0) {
        const ssize_t n = recv(t->fd, at, bytes, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return fail("the other side", n == 0 ? "it has gone" : strerror(errno));
        if (n > 0) {
            at += n;
            bytes -= (size_t)n;
        } else if (t->worker == NULL) {
            if (!ready_for(t, t->fd, POLLIN))
                return false;
        } else if (ucp_worker_progress(t->worker) == 0 && now_ns() > t->deadline_ns) {
            return fail("waiting for the other side", "no answer within the timeout");
        }
    }
    return true;
}

static bool parse_address(char *text, struct sockaddr_in *address)
{
    char *colon = strrchr(text, ':');

    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    if (colon == NULL)
        return false;
    *colon = '\0';
    address->sin_port = htons((uint16_t)atoi(colon + 1));
    return address->sin_port != 0 && inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

static bool meet(transfer *t, bool sender, const struct sockaddr_in *address)
{
    const int on = 1;
    int listener;

    if (sender) { /* the receiver may not be there yet */
        do {
            if (t->fd > 0)
                close(t->fd);
            t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (connect(t->fd, (const struct sockaddr *)address, sizeof *address) == 0)
                return setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
        } while (errno == ECONNREFUSED && now_ns() < t->deadline_ns);
        return fail("connect", strerror(errno));
    }
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)address, sizeof *address) != 0 || listen(listener, 1) != 0) {
        close(listener);
        return fail("listen", strerror(errno));
    }
    if (ready_for(t, listener, POLLIN))
        t->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    return t->fd > 0 && setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* ---- UCX ------------------------------------------------------------------------------------------ */

static bool open_worker(transfer *t)
{
    const ucp_params_t params = { .field_mask = UCP_PARAM_FIELD_FEATURES, .features = UCP_FEATURE_TAG };
    const ucp_worker_params_t worker = { .field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE,
                                         .thread_mode = UCS_THREAD_MODE_SINGLE };
    ucs_status_t status = ucp_init(&params, NULL, &t->context);

    if (status == UCS_OK)
        status = ucp_worker_create(t->context, &worker, &t->worker);
    return status == UCS_OK || fail("opening UCX", ucs_status_string(status));
}

/* Exchanges addresses and opens the endpoint. */
static bool open_endpoint(transfer *t)
{
    ucp_address_t *mine = NULL;
    size_t bytes = 0;
    uint64_t length = 0;
    char *theirs = NULL;
    bool good = false;
    ucs_status_t status = ucp_worker_get_address(t->worker, &mine, &bytes);

    if (status != UCS_OK)
        return fail("the worker's address", ucs_status_string(status));
    length = bytes;
    if (!give(t, &length, sizeof length) || !give(t, mine, bytes) || !take(t, &length, sizeof length))
        goto out;
    if (length == 0 || length > ADDRESS_MOST || (theirs = malloc(length)) == NULL) {
        fail("the other side's address", "no such length");
        goto out;
    }
    if (!take(t, theirs, length))
        goto out;
    const ucp_ep_params_t params = { .field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS,
                                     .address = (const ucp_address_t *)theirs };
    status = ucp_ep_create(t->worker, &params, &t->ep);
    good = status == UCS_OK || fail("the endpoint", ucs_status_string(status));
out:
    ucp_worker_release_address(t->worker, mine);
    free(theirs);
    return good;
}

static bool finish(const transfer *t, ucs_status_ptr_t request, const char *what)
{
    ucs_status_t status = UCS_OK;

    if (UCS_PTR_IS_ERR(request))
        return fail(what, ucs_status_string(UCS_PTR_STATUS(request)));
    if (request == NULL)
        return true;
    while ((status = ucp_request_check_status(request)) == UCS_INPROGRESS) {
        if (ucp_worker_progress(t->worker) == 0 && now_ns() > t->deadline_ns) {
            fail(what, "not done within the timeout");
            exit(1); /* what is under way can't be taken back without an error handler */
        }
    }
    ucp_request_free(request);
    return status == UCS_OK || fail(what, ucs_status_string(status));
}

static bool send_message(const transfer *t, ucp_tag_t tag, const void *data, size_t bytes)
{
    const ucp_request_param_t none = { 0 };
    return finish(t, ucp_tag_send_nbx(t->ep, data, bytes, tag, &none), "sending");
}

static bool receive_message(const transfer *t, ucp_tag_t tag, void *data, size_t bytes)
{
    const ucp_request_param_t none = { 0 };
    return finish(t, ucp_tag_recv_nbx(t->worker, data, bytes, tag, (ucp_tag_t)-1, &none), "receiving");
}

/* Either closes when both are done, as the other's last bytes may need it. */
static void close_all(transfer *t, bool good)
{
    const ucp_request_param_t none = { 0 };
    char bye = 0;

    if (good && t->ep != NULL && give(t, &bye, 1) && take(t, &bye, 1))
        finish(t, ucp_ep_close_nbx(t->ep, &none), "closing");
    if (t->worker != NULL)
        ucp_worker_destroy(t->worker);
    if (t->context != NULL)
        ucp_cleanup(t->context);
    if (t->fd > 0)
        close(t->fd);
}

/* ---- the transfer ---------------------------------------------------------------------------------- */

static unsigned char wanted(size_t at)
{
    return (unsigned char)(((uint64_t)at * UINT64_C(0x9E3779B97F4A7C15)) >> 56);
}

static bool run_sender(transfer *t, unsigned char *data, size_t bytes)
{
    uint64_t start;
    char arrived, verified;

    for (size_t i = 0; i < bytes; i++)
        data[i] = wanted(i);
    if (!send_message(t, TAG_FIRST, data, bytes < 8 ? bytes : 8) || !take(t, &arrived, 1))
        return false;
    start = now_ns();
    if (!send_message(t, TAG_DATA, data, bytes) || !take(t, &arrived, 1))
        return false;
    start = now_ns() - start;
    if (!take(t, &verified, 1))
        return false;
    printf("seconds=%.6f verified=%s\n", (double)start * 1e-9, verified == 'y' ? "yes" : "no");
    return verified == 'y';
}

static bool run_receiver(transfer *t, unsigned char *data, size_t bytes)
{
    unsigned char first[8];
    size_t at = 0;

    memset(data, 0xA5, bytes);
    if (!receive_message(t, TAG_FIRST, first, sizeof first) || !give(t, "r", 1) ||
        !receive_message(t, TAG_DATA, data, bytes) || !give(t, "a", 1))
        return false;
    while (at < bytes && data[at] == wanted(at))
        at++;
    if (at < bytes)
        fprintf(stderr, "ucx_transfer: byte %zu is wrong\n", at);
    return give(t, at == bytes ? "y" : "n", 1);
}

int main(int argc, char **argv)
{
    transfer t = { 0 };
    struct sockaddr_in address;
    const bool sender = argc > 1 && strcmp(argv[1], "send") == 0;
    size_t bytes = argc == 5 ? strtoull(argv[3], NULL, 10) : 0;
    const int timeout_s = argc == 5 ? atoi(argv[4]) : 0;
    unsigned char *data;
    bool good;

    if (argc != 5 || (!sender && strcmp(argv[1], "receive") != 0) || !parse_address(argv[2], &address) ||
        bytes == 0 || timeout_s <= 0) {
        fputs(help, argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    data = malloc(bytes);
    if (data == NULL) {
        fail("memory", "there is not enough");
        return 1;
    }
    t.deadline_ns = now_ns() + (uint64_t)timeout_s * UINT64_C(1000000000);
    good = meet(&t, sender, &address) && open_worker(&t) && open_endpoint(&t) &&
           (sender ? run_sender(&t, data, bytes) : run_receiver(&t, data, bytes));
    close_all(&t, good);
    free(data);
    return good ? 0 : 1;
}
