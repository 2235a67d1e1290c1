/* SPDX-License-Identifier: BSD-3-Clause
 * conn.c - one nonblocking connection of the store. Memory is what is queued for sending; bodies are received
 * where store.c says, so a contribution to a round is never copied. */
#include "boot/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define SINK_BYTES 4096

typedef struct frd_out {
    struct frd_out *next;
    frd_blob *blob; /* sent behind the bytes below; may be NULL */
    size_t bytes, sent;
    unsigned char data[];
} frd_out;

frd_blob *frd_blob_new(size_t bytes)
{
    size_t total;
    frd_blob *blob = NULL;

    if (!frd_add_overflows(bytes, sizeof *blob, &total))
        blob = frd_calloc(1, total);
    if (blob != NULL) {
        blob->references = 1;
        blob->bytes = bytes;
    }
    return blob;
}

void frd_blob_drop(frd_blob *blob)
{
    if (blob != NULL && --blob->references == 0)
        frd_free(blob);
}

frd_conn *frd_conn_new(int fd)
{
    frd_conn *conn = frd_calloc(1, sizeof *conn);
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;

    if (conn == NULL)
        return NULL;
    conn->fd = fd;
    conn->rank = -1;
    strcpy(conn->peer, "?");
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        frd_address_text((struct sockaddr *)&peer, len, conn->peer);
    return conn;
}

static void out_pop(frd_conn *conn)
{
    frd_out *out = conn->out;

    conn->out = out->next;
    if (conn->out == NULL)
        conn->out_last = NULL;
    frd_blob_drop(out->blob);
    frd_free(out);
}

void frd_conn_free(frd_conn *conn)
{
    if (conn == NULL)
        return;
    while (conn->out != NULL)
        out_pop(conn);
    if (conn->fd >= 0)
        close(conn->fd);
    frd_free(conn);
}

/* Bytes received to `to`; 0 when there are none for now, -1 when the connection is gone. */
static ssize_t recv_some(frd_conn *conn, void *to, size_t bytes)
{
    ssize_t n;

    do
        n = recv(conn->fd, to, bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    return n < 0 && errno == EAGAIN ? 0 : -1;
}

static frd_conn_event read_header(frd_conn *conn)
{
    while (conn->header_got < sizeof conn->raw) {
        const ssize_t n =
            recv_some(conn, (char *)&conn->raw + conn->header_got, sizeof conn->raw - conn->header_got);
        if (n <= 0)
            return n == 0 ? FRD_CONN_NOTHING : FRD_CONN_GONE;
        conn->header_got += (size_t)n;
    }
    conn->header = frd_wire_swap(conn->raw);
    conn->body = NULL;
    conn->body_got = 0;
    return FRD_CONN_HEADER;
}

frd_conn_event frd_conn_read(frd_conn *conn)
{
    unsigned char sink[SINK_BYTES];

    if (conn->header_got < sizeof conn->raw)
        return read_header(conn);
    while (conn->body_got < conn->header.bytes) {
        const uint64_t left = conn->header.bytes - conn->body_got;
        const size_t most = conn->body == NULL ? sizeof sink : SIZE_MAX;
        ssize_t n;

        n = recv_some(conn, conn->body == NULL ? sink : conn->body + conn->body_got,
                      left < most ? (size_t)left : most);
        if (n <= 0)
            return n == 0 ? FRD_CONN_NOTHING : FRD_CONN_GONE;
        conn->body_got += (uint64_t)n;
    }
    conn->header_got = 0;
    return FRD_CONN_FRAME;
}

int frd_conn_queue(frd_conn *conn, frd_wire_header header, const void *data, frd_blob *blob)
{
    const frd_wire_header raw = frd_wire_swap(header);
    const size_t bytes = data == NULL ? 0 : (size_t)header.bytes;
    frd_out *out = frd_calloc(1, sizeof *out + sizeof raw + bytes);

    if (out == NULL)
        return FEDRDMA_ERR_NOMEM;
    memcpy(out->data, &raw, sizeof raw);
    if (bytes > 0)
        memcpy(out->data + sizeof raw, data, bytes);
    out->bytes = sizeof raw + bytes;
    out->blob = blob;
    if (blob != NULL)
        blob->references++;
    if (conn->out_last == NULL)
        conn->out = out;
    else
        conn->out_last->next = out;
    conn->out_last = out;
    return FEDRDMA_OK;
}

/* The next bytes of `out`: its own first, then the blob's. */
static size_t out_rest(const frd_out *out, const unsigned char **at)
{
    const size_t sent_of_blob = out->sent > out->bytes ? out->sent - out->bytes : 0;

    if (out->sent < out->bytes) {
        *at = out->data + out->sent;
        return out->bytes - out->sent;
    }
    *at = out->blob == NULL ? NULL : out->blob->data + sent_of_blob;
    return out->blob == NULL ? 0 : out->blob->bytes - sent_of_blob;
}

bool frd_conn_flush(frd_conn *conn)
{
    while (conn->out != NULL) {
        const unsigned char *at;
        const size_t bytes = out_rest(conn->out, &at);
        ssize_t n;

        if (bytes == 0) {
            out_pop(conn);
            continue;
        }
        n = send(conn->fd, at, bytes, MSG_NOSIGNAL);
        if (n >= 0)
            conn->out->sent += (size_t)n;
        else if (errno == EAGAIN)
            return true;
        else if (errno != EINTR)
            return false;
    }
    return true;
}
