/* SPDX-License-Identifier: BSD-3-Clause
 * io.h - a rank's side of the connection to the store: blocking calls that end at a deadline. */
#ifndef FRD_BOOT_IO_H
#define FRD_BOOT_IO_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/wire.h"

typedef enum frd_io {
    FRD_IO_OK,
    FRD_IO_LATE,    /* the deadline passed; nothing else happened */
    FRD_IO_CLOSED,  /* the other side closed or reset the connection */
    FRD_IO_GARBAGE, /* what came does not begin with our magic number */
    FRD_IO_FAILED   /* errno tells */
} frd_io;

/* Connects to one address; *fd is nonblocking. A connection of a socket with itself, which loopback allows
 * while nobody listens on a port of the ephemeral range, counts as refused. */
frd_io frd_io_connect(const struct addrinfo *address, uint64_t deadline_ns, int *fd);

frd_io frd_io_send(int fd, const void *data, size_t bytes, uint64_t deadline_ns);
frd_io frd_io_recv(int fd, void *data, size_t bytes, uint64_t deadline_ns);

/* Receives a header in host order. Garbage is known from its first byte on, not only when 40 have come. */
frd_io frd_io_recv_header(int fd, frd_wire_header *header, uint64_t deadline_ns);

/* Waits for *pause_ns, at most until the deadline, and doubles it up to a quarter of a second. For waiting on
 * what can't be polled: a peer that doesn't listen yet. FRD_IO_LATE when the deadline has passed. */
frd_io frd_io_pause(uint64_t *pause_ns, uint64_t deadline_ns);
#define FRD_IO_PAUSE_FIRST_NS UINT64_C(2000000) /* ranks of one host usually start within this */

#endif
