/* SPDX-License-Identifier: BSD-3-Clause
 * wanflow_udp.c - numbered datagrams at a steady rate, with segmentation offload as far as the rate lets
 * several go at once. The receiver knows every byte of each, so it sees what was lost, doubled, overtaken or
 * changed. */
#include "tests/wan/wanflow.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/wan/wanem_times.h"

enum {
    SEGMENTS = 64, /* the kernel's limit of one send */
    BATCH_BYTES = 65000,
    BATCH_NS = 500000, /* sent at once */
    IDLE_MS = 250,     /* after the sender's end nothing more is to be expected */
    PATTERN_BYTES = 65536 + 256,
    NUMBERS = 1 << 24, /* datagrams of one flow at most */
    SOCKET_BYTES = 64 << 20
};

typedef struct datagram {
    uint64_t number;
    int64_t sent_ns;
    uint64_t check; /* of both */
} datagram;

static uint8_t pattern[PATTERN_BYTES];

static uint64_t check_of(const datagram *d)
{
    return (d->number * UINT64_C(0x9E3779B97F4A7C15)) ^ ((uint64_t)d->sent_ns * UINT64_C(0xD1B54A32D192ED03));
}

static void fill_pattern(void)
{
    for (uint32_t i = 0, x = 1; i < PATTERN_BYTES; i++, x = x * 1103515245 + 12345)
        pattern[i] = (uint8_t)(x >> 16);
}

/* ---- sending ----------------------------------------------------------------------------------------------
 */

static void fill(uint8_t *out, size_t bytes, uint64_t number)
{
    datagram d = { .number = number, .sent_ns = (int64_t)frd_now_ns() };

    d.check = check_of(&d);
    memcpy(out, &d, sizeof d);
    memcpy(out + sizeof d, pattern + number % 256, bytes - sizeof d);
}

static void send_batch(int fd, const wanflow *f, uint8_t *data, size_t bytes)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct iovec part = { data, bytes };
    struct sockaddr_in to = f->to;
    struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1 };
    const uint16_t segment = (uint16_t)f->datagram_bytes;

    if (bytes > segment) {
        struct cmsghdr *c;

        message.msg_control = control;
        message.msg_controllen = sizeof control;
        c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof segment),
                               .cmsg_level = SOL_UDP,
                               .cmsg_type = UDP_SEGMENT };
        memcpy(CMSG_DATA(c), &segment, sizeof segment);
    }
    while (sendmsg(fd, &message, 0) < 0)
        if (errno != EINTR && errno != ENOBUFS)
            wanflow_fail("can't send");
}

/* The number of datagrams sent. */
static uint64_t send_all(int fd, const wanflow *f)
{
    static uint8_t data[BATCH_BYTES + 65536];
    const size_t size = (size_t)f->datagram_bytes;
    const double datagram_ns = (double)size * 8e9 / f->rate_bps;
    const int64_t start_ns = (int64_t)frd_now_ns();
    uint64_t sent = 0, batch = 1;

    if (f->offload) {
        batch = (uint64_t)(BATCH_NS / datagram_ns);
        batch = batch < 1 ? 1 : batch > SEGMENTS ? SEGMENTS : batch;
        batch = batch * size > BATCH_BYTES ? BATCH_BYTES / size : batch;
    }
    while ((double)sent * datagram_ns < f->seconds * 1e9 && sent + batch < NUMBERS) {
        const int64_t at_ns = start_ns + (int64_t)((double)sent * datagram_ns);
        const struct timespec at = { .tv_sec = at_ns / (int64_t)FRD_NS_PER_S,
                                     .tv_nsec = at_ns % (int64_t)FRD_NS_PER_S };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
            continue;
        for (uint64_t i = 0; i < batch; i++)
            fill(data + i * size, size, sent + i);
        send_batch(fd, f, data, batch * size);
        sent += batch;
    }
    return sent;
}

/* ---- receiving --------------------------------------------------------------------------------------------
 */

typedef struct counts {
    uint64_t received, unique, doubled, overtaken, corrupted, highest, bytes;
    int64_t first_ns, last_ns;
    uint8_t *seen; /* a bit for each number */
    wanem_times delay;
    int64_t least_ns;
} counts;

static void take_one(counts *c, const uint8_t *data, size_t bytes, const wanflow *f, int64_t now_ns)
{
    datagram d;

    c->received++;
    c->bytes += bytes;
    if (bytes != (size_t)f->datagram_bytes) {
        c->corrupted++;
        return;
    }
    memcpy(&d, data, sizeof d);
    if (d.check != check_of(&d) || d.number >= NUMBERS ||
        memcmp(data + sizeof d, pattern + d.number % 256, bytes - sizeof d) != 0) {
        c->corrupted++;
        return;
    }
    if ((c->seen[d.number / 8] >> d.number % 8 & 1) != 0) {
        c->doubled++;
        return;
    }
    c->seen[d.number / 8] = (uint8_t)(c->seen[d.number / 8] | 1 << d.number % 8);
    c->unique++;
    c->overtaken += d.number < c->highest;
    c->highest = d.number > c->highest ? d.number : c->highest;
    wanem_times_add(&c->delay, now_ns - d.sent_ns, 1);
    if (c->least_ns == 0 || now_ns - d.sent_ns < c->least_ns)
        c->least_ns = now_ns - d.sent_ns;
}

/* One receive: a datagram, or several of one size that came as one. False: there is none now. */
static bool take(int fd, counts *c, const wanflow *f)
{
    static uint8_t data[65536];
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = { data, sizeof data };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    const ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
    const int64_t now_ns = (int64_t)frd_now_ns();
    size_t segment = n > 0 ? (size_t)n : 0;

    if (n <= 0)
        return false;
    for (struct cmsghdr *m = CMSG_FIRSTHDR(&message); m != NULL; m = CMSG_NXTHDR(&message, m)) {
        int size;

        if (m->cmsg_level != SOL_UDP || m->cmsg_type != UDP_GRO)
            continue;
        memcpy(&size, CMSG_DATA(m), sizeof size);
        segment = (size_t)size;
    }
    if (c->received == 0)
        c->first_ns = now_ns;
    c->last_ns = now_ns;
    for (size_t at = 0; at < (size_t)n; at += segment)
        take_one(c, data + at, (size_t)n - at < segment ? (size_t)n - at : segment, f, now_ns);
    return true;
}

/* Until the sender has told how many it sent, and nothing came for a while after. */
static uint64_t receive_all(int fd, int told, counts *c, const wanflow *f)
{
    const uint64_t deadline_ns = frd_now_ns() + (uint64_t)((f->seconds + 10) * 1e9);
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = told, .events = POLLIN } };
    uint64_t sent = 0;
    bool ended = false;

    while (frd_now_ns() < deadline_ns) {
        const int n = poll(fds, 2, IDLE_MS);

        if (n < 0 && errno != EINTR)
            wanflow_fail("can't wait");
        if (n == 0 && ended)
            break;
        if (fds[1].revents != 0) {
            if (read(told, &sent, sizeof sent) != (ssize_t)sizeof sent)
                break;
            ended = true;
            fds[1].fd = -1;
        }
        while (take(fd, c, f) && frd_now_ns() < deadline_ns)
            continue;
    }
    return sent;
}

/* How many times in a row datagrams are missing: lost by this is the mean length of a loss. */
static uint64_t losses(const counts *c, uint64_t sent)
{
    uint64_t n = 0;
    bool here = true;

    for (uint64_t i = 0; i < sent; i++) {
        const bool before = here;

        here = (c->seen[i / 8] >> i % 8 & 1) != 0;
        n += before && !here;
    }
    return n;
}

static void print(const counts *c, uint64_t sent)
{
    const double seconds = (double)(c->last_ns - c->first_ns) / 1e9;

    printf("sent=%" PRIu64 " received=%" PRIu64 " unique=%" PRIu64 " lost=%" PRIu64, sent, c->received,
           c->unique, sent - c->unique - c->corrupted);
    printf(" losses=%" PRIu64, losses(c, sent));
    printf(" doubled=%" PRIu64 " overtaken=%" PRIu64 " corrupted=%" PRIu64, c->doubled, c->overtaken,
           c->corrupted);
    printf(" goodput_bps=%.0f delay_min_us=%.0f delay_p50_us=%.0f delay_p99_us=%.0f delay_max_us=%.0f\n",
           seconds > 0 ? (double)c->bytes * 8 / seconds : 0, (double)c->least_ns / 1e3,
           wanem_times_percentile_us(&c->delay, 0.5), wanem_times_percentile_us(&c->delay, 0.99),
           (double)c->delay.max_ns / 1e3);
}

int wanflow_udp(const wanflow *flow)
{
    static counts c;
    wanflow f = *flow;
    const int bytes = SOCKET_BYTES, one = 1;
    socklen_t address_bytes = sizeof f.to;
    int in = wanflow_socket(f.to_net, SOCK_DGRAM, &f.to), out, told[2], status = 0;
    uint64_t sent;
    pid_t sender;

    fill_pattern();
    if (getsockname(in, (struct sockaddr *)&f.to, &address_bytes) != 0 || pipe(told) != 0)
        wanflow_fail("can't set up");
    if (setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)setsockopt(in, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (f.offload && setsockopt(in, SOL_UDP, UDP_GRO, &one, sizeof one) != 0)
        wanflow_fail("can't receive with offload (--plain goes without)");
    out = wanflow_socket(f.from_net, SOCK_DGRAM, &f.from);
    c.seen = calloc(NUMBERS / 8, 1);
    sender = c.seen == NULL ? -1 : fork();
    if (sender < 0)
        wanflow_fail("can't start the sender");
    if (sender == 0) {
        sent = send_all(out, &f);
        _exit(write(told[1], &sent, sizeof sent) != (ssize_t)sizeof sent);
    }
    close(told[1]);
    sent = receive_all(in, told[0], &c, &f);
    if (waitpid(sender, &status, 0) == sender && status == 0)
        print(&c, sent);
    free(c.seen);
    return status == 0 ? 0 : 1;
}
