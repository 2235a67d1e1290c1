/* SPDX-License-Identifier: BSD-3-Clause
 * wanflow_tcp.c - one TCP connection with the node's own settings; says how long it took to connect and what
 * arrived in each second. */
#include "tests/wan/wanflow.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PIECE_BYTES = 256 << 10, STALL_MS = 10000 };

static bool ready(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    return poll(&p, 1, STALL_MS) > 0;
}

static void send_all(int fd, const wanflow *f)
{
    static const char piece[PIECE_BYTES];
    const uint64_t start_ns = frd_now_ns(), end_ns = start_ns + (uint64_t)(f->seconds * 1e9);
    double sent = 0;

    while (frd_now_ns() < end_ns && ready(fd, POLLOUT)) {
        const size_t bytes = f->rate_bps > 0 ? 16384 : sizeof piece;
        const ssize_t n = send(fd, piece, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (double)n : 0;
        if (f->rate_bps > 0) {
            const uint64_t at_ns = start_ns + (uint64_t)(sent * 8e9 / f->rate_bps);
            const struct timespec at = { .tv_sec = (time_t)(at_ns / FRD_NS_PER_S),
                                         .tv_nsec = (long)(at_ns % FRD_NS_PER_S) };
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        }
    }
}

static int receive_all(int fd, const wanflow *f, uint64_t connect_ns)
{
    static char piece[PIECE_BYTES];
    const uint64_t start_ns = frd_now_ns(), from_ns = start_ns + (uint64_t)(f->skip_seconds * 1e9);
    const uint64_t to_ns = start_ns + (uint64_t)(f->seconds * 1e9);
    uint64_t bytes = 0, last_ns = from_ns, total = 0;
    ssize_t n;

    while (ready(fd, POLLIN) && (n = recv(fd, piece, sizeof piece, 0)) > 0) {
        const uint64_t now_ns = frd_now_ns();

        total += (uint64_t)n;
        if (now_ns < from_ns || now_ns > to_ns)
            continue;
        bytes += (uint64_t)n;
        last_ns = now_ns;
    }
    printf("cc=%s connect_us=%" PRIu64 " bytes=%" PRIu64 " goodput_bps=%.0f\n", f->cc, connect_ns / 1000,
           total, last_ns > from_ns ? (double)bytes * 8e9 / (double)(last_ns - from_ns) : 0);
    return total > 0 ? 0 : 1;
}

int wanflow_tcp(const wanflow *flow)
{
    wanflow f = *flow;
    socklen_t bytes = sizeof f.to;
    int listener = wanflow_socket(f.to_net, SOCK_STREAM, &f.to), out, in, status;
    uint64_t start_ns, connect_ns;
    pid_t sender;

    if (getsockname(listener, (struct sockaddr *)&f.to, &bytes) != 0 || listen(listener, 1) != 0)
        wanflow_fail("can't listen");
    out = wanflow_socket(f.from_net, SOCK_STREAM, &f.from);
    const struct timeval deadline = { .tv_sec = STALL_MS / 1000 };
    (void)setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    start_ns = frd_now_ns();
    if (connect(out, (const struct sockaddr *)&f.to, sizeof f.to) != 0)
        wanflow_fail("can't connect");
    connect_ns = frd_now_ns() - start_ns;
    if (!ready(listener, POLLIN) || (in = accept(listener, NULL, NULL)) < 0)
        wanflow_fail("can't accept");
    bytes = sizeof f.cc - 1;
    (void)getsockopt(out, IPPROTO_TCP, TCP_CONGESTION, f.cc, &bytes);
    sender = fork();
    if (sender < 0)
        wanflow_fail("can't start the sender");
    if (sender == 0) {
        send_all(out, &f);
        _exit(0);
    }
    close(out);
    status = receive_all(in, &f, connect_ns);
    (void)kill(sender, SIGKILL); /* it may sit before a stalled connection */
    (void)waitpid(sender, NULL, 0);
    return status;
}
