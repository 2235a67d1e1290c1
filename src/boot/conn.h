/* SPDX-License-Identifier: BSD-3-Clause
 * conn.h - the store's side of one connection: frames in as their bytes come, frames out as the socket takes
 * them, never blocking. What frames mean is store.c's business. */
#ifndef FRD_BOOT_CONN_H
#define FRD_BOOT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/address.h"
#include "boot/wire.h"

/* Bytes that go to several connections; freed by the last of them. */
typedef struct frd_blob {
    int references;
    size_t bytes;
    unsigned char data[];
} frd_blob;

frd_blob *frd_blob_new(size_t bytes); /* zeroed, one reference; NULL when out of memory */
void frd_blob_drop(frd_blob *blob);   /* NULL is fine */

enum frd_conn_state {
    FRD_CONN_STRANGER, /* has not said HELLO yet */
    FRD_CONN_RANK,
    FRD_CONN_PAST,   /* a rank's in a meeting that others have left for the next one */
    FRD_CONN_LEAVING /* was answered finally; what it still sends is thrown away */
};

typedef struct frd_conn {
    struct frd_conn *next, *prev; /* in the order in which they came */
    int fd;                       /* -1: closed, to be freed */
    enum frd_conn_state state;
    int rank;             /* -1 for strangers */
    uint64_t deadline_ns; /* of all but ranks */
    char peer[FRD_ADDRESS_MAX];

    /* in */
    frd_wire_header raw, header; /* as it comes; in host order once it is whole */
    size_t header_got;
    unsigned char *body; /* where the body goes; NULL: nowhere */
    uint64_t body_got;
    frd_wire_hello hello;
    bool contributed; /* to the current round */

    /* out */
    struct frd_out *out, *out_last;
    bool wants_write; /* as last told to epoll */
} frd_conn;

frd_conn *frd_conn_new(int fd); /* takes the fd over on success */
void frd_conn_free(frd_conn *conn);

typedef enum frd_conn_event {
    FRD_CONN_NOTHING, /* no more bytes for now */
    FRD_CONN_HEADER,  /* conn->header is whole: judge it and set conn->body before the next read */
    FRD_CONN_FRAME,   /* so is the body */
    FRD_CONN_GONE     /* closed or broken */
} frd_conn_event;

/* Reads until the next event. */
frd_conn_event frd_conn_read(frd_conn *conn);

/* Queues a frame, with `bytes` of `data` copied, or with a reference to `blob` (one of the two, or none) as
 * its body. FEDRDMA_ERR_NOMEM. */
int frd_conn_queue(frd_conn *conn, frd_wire_header header, const void *data, frd_blob *blob);

/* Sends what the socket takes; false when the connection is gone. */
bool frd_conn_flush(frd_conn *conn);

#endif
