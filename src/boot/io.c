/* SPDX-License-Identifier: BSD-3-Clause
 * io.c - nonblocking sockets and poll, one deadline per call; never raises SIGPIPE. */
#include "boot/io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

#define PAUSE_MAX_NS UINT64_C(250000000) /* a rendezvous that opens is found this late at worst */

/* Milliseconds until the deadline, rounded up; 0 when it has passed. */
static int left_ms(uint64_t deadline_ns)
{
    const uint64_t now = frd_now_ns();
    const uint64_t ms = now >= deadline_ns ? 0 : (deadline_ns - now + FRD_NS_PER_MS - 1) / FRD_NS_PER_MS;

    return ms > 1000000 ? 1000000 : (int)ms;
}

static frd_io wait_for(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = events };
        const int ms = left_ms(deadline_ns);
        const int n = poll(&p, 1, ms);

        if (n > 0)
            return FRD_IO_OK;
        if (n < 0 && errno != EINTR)
            return FRD_IO_FAILED;
        if (n == 0 && ms == 0)
            return FRD_IO_LATE;
    }
}

/* What errno means after send, recv or connect. */
static frd_io verdict(void)
{
    return errno == ECONNRESET || errno == EPIPE ? FRD_IO_CLOSED : FRD_IO_FAILED;
}

static bool is_connected_to_itself(int fd)
{
    struct sockaddr_storage mine, other;
    socklen_t mine_len = sizeof mine, other_len = sizeof other;

    memset(&mine, 0, sizeof mine);
    memset(&other, 0, sizeof other);
    return getsockname(fd, (struct sockaddr *)&mine, &mine_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&other, &other_len) == 0 && mine_len == other_len &&
           memcmp(&mine, &other, mine_len) == 0;
}

static frd_io finish_connect(int fd, const struct addrinfo *address, uint64_t deadline_ns)
{
    int error = 0;
    socklen_t len = sizeof error;
    frd_io io;

    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
        if (errno != EINPROGRESS && errno != EINTR)
            return FRD_IO_FAILED;
        io = wait_for(fd, POLLOUT, deadline_ns);
        if (io != FRD_IO_OK)
            return io;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            return FRD_IO_FAILED;
    }
    if (error == 0 && is_connected_to_itself(fd))
        error = ECONNREFUSED;
    errno = error;
    return error == 0 ? FRD_IO_OK : FRD_IO_FAILED;
}

frd_io frd_io_connect(const struct addrinfo *address, uint64_t deadline_ns, int *fd)
{
    const int s = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    int saved;
    frd_io io;

    if (s < 0)
        return FRD_IO_FAILED;
    io = finish_connect(s, address, deadline_ns);
    if (io != FRD_IO_OK) {
        saved = errno;
        close(s);
        errno = saved;
        return io;
    }
    /* Only speed is lost when this fails. */
    (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *fd = s;
    return FRD_IO_OK;
}

frd_io frd_io_send(int fd, const void *data, size_t bytes, uint64_t deadline_ns)
{
    const char *at = data;

    while (bytes > 0) {
        const ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
        frd_io io;

        if (n >= 0) {
            at += n;
            bytes -= (size_t)n;
        } else if (errno == EAGAIN) {
            io = wait_for(fd, POLLOUT, deadline_ns);
            if (io != FRD_IO_OK)
                return io;
        } else if (errno != EINTR) {
            return verdict();
        }
    }
    return FRD_IO_OK;
}

/* At least one byte, at most `bytes`. */
static frd_io recv_some(int fd, void *data, size_t bytes, uint64_t deadline_ns, size_t *got)
{
    for (;;) {
        const ssize_t n = recv(fd, data, bytes, 0);
        frd_io io;

        if (n > 0) {
            *got = (size_t)n;
            return FRD_IO_OK;
        }
        if (n == 0)
            return FRD_IO_CLOSED;
        if (errno == EAGAIN) {
            io = wait_for(fd, POLLIN, deadline_ns);
            if (io != FRD_IO_OK)
                return io;
        } else if (errno != EINTR) {
            return verdict();
        }
    }
}

frd_io frd_io_recv(int fd, void *data, size_t bytes, uint64_t deadline_ns)
{
    char *at = data;

    while (bytes > 0) {
        size_t n = 0;
        const frd_io io = recv_some(fd, at, bytes, deadline_ns, &n);

        if (io != FRD_IO_OK)
            return io;
        at += n;
        bytes -= n;
    }
    return FRD_IO_OK;
}

frd_io frd_io_recv_header(int fd, frd_wire_header *header, uint64_t deadline_ns)
{
    const uint32_t magic = htole32(FRD_WIRE_MAGIC);
    frd_wire_header raw;
    size_t got = 0;

    while (got < sizeof raw) {
        size_t n = 0;
        const frd_io io = recv_some(fd, (char *)&raw + got, sizeof raw - got, deadline_ns, &n);

        if (io != FRD_IO_OK)
            return io;
        got += n;
        if (memcmp(&raw, &magic, frd_min_size(got, sizeof magic)) != 0)
            return FRD_IO_GARBAGE;
    }
    *header = frd_wire_swap(raw);
    return FRD_IO_OK;
}

frd_io frd_io_pause(uint64_t *pause_ns, uint64_t deadline_ns)
{
    const uint64_t now = frd_now_ns();

    if (now >= deadline_ns)
        return FRD_IO_LATE;
    (void)wait_for(-1, 0, deadline_ns - now < *pause_ns ? deadline_ns : now + *pause_ns);
    *pause_ns = *pause_ns > PAUSE_MAX_NS / 2 ? PAUSE_MAX_NS : *pause_ns * 2;
    return FRD_IO_OK;
}
