/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_send.c - sending. Three ways, by size and by what UCX has to work with:
 *
 *   eager       up to conf.eager bytes while the peer's credit lasts: one UCX eager message. The peer gives the
 *               credit back as receives take the messages.
 *   rendezvous  larger, with RDMA: one UCX rendezvous message; the peer's NIC reads our buffer.
 *   pieces      larger, over TCP alone: OFFER, and when the receive's CLEAR comes, eager pieces that land in the
 *               receive's buffer. A few are in flight at a time, so that small messages never wait behind a
 *               large one for longer than PIECES x PIECE_BYTES take. As fast as UCX's rendezvous over TCP or
 *               faster, and unlike that it can be stopped on both sides at any time.
 *
 * Taking a send back: what only waits for its receive goes at once (pieces), or when the peer has let go of it
 * (rendezvous); what UCX is working on ends soon if the peer lives, and breaks the peer if not. */
#include <assert.h>

#include "base/clock.h"
#include "base/num.h"
#include "net/ucx_parts.h"

enum {
    /* One TCP segment of UCX's as set in ucx_worker.c, less room for the headers. */
    PIECE_BYTES = 255 * 1024,
    /* In flight to one peer: one in the kernel, the others ready when it is through. */
    PIECES = 4,
    /* Sent to one peer before the others have their turn, when the kernel takes all at once. */
    BURST = 32
};

/* How long a cancelled message may take to end by itself: long enough for a busy peer to come back to its
 * progress, and for UCX to finish a transfer that it cannot stop, at a slow 100 MB/s. */
#define CANCEL_NS (2 * FRD_NS_PER_S)
#define CANCEL_NS_PER_BYTE UINT64_C(10)

/* ---- UCX's requests ---- */

static void count_out(frd_ucx_op *op, unsigned by)
{
    op->busy -= by;
    if (op->ending && op->busy == 0)
        frd_ucx_op_end(op, op->rc);
}

/* UCX has let go of the op's header and payload. */
static void on_submitted(frd_ucx_op *op, ucs_status_t status)
{
    frd_ucx_peer *const peer = op->peer;

    peer->net->requests--;
    /* Out of memory loses one message, all else the connection. But what the protocol or half a message
     * waits for may not get lost. */
    if (status != UCS_OK && op->kind != FRD_UCX_OP_HELLO &&
        (status != UCS_ERR_NO_MEMORY || op->kind != FRD_UCX_OP_SEND))
        frd_ucx_break(peer, ucs_status_string(status));
    if (op->kind == FRD_UCX_OP_PIECE) {
        peer->pieces--;
        frd_ucx_kick(peer);
        count_out(op->whole, 1);
    } else if (op->kind == FRD_UCX_OP_SEND) {
        if (!op->ending) {
            op->ending = true;
            op->rc = status == UCS_OK ? FEDRDMA_OK
                     : status == UCS_ERR_NO_MEMORY ? FEDRDMA_ERR_NOMEM
                                                   : FEDRDMA_ERR_RANK_LOST;
        }
        count_out(op, 1);
        return;
    } else if (op->kind == FRD_UCX_OP_HELLO) {
        frd_ucx_on_hello(peer, status);
    }
    frd_ucx_op_free(op);
}

static void on_sent(void *request, ucs_status_t status, void *user_data)
{
    ucp_request_free(request);
    on_submitted(user_data, status);
}

void frd_ucx_submit(frd_ucx_op *op)
{
    frd_ucx_peer *const peer = op->peer;
    const bool rendezvous = op->kind == FRD_UCX_OP_SEND && op->wire.kind == FRD_UCX_OFFER;
    ucp_request_param_t param = {
        .op_attr_mask =
            UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS,
        .cb.send = on_sent,
        .user_data = op,
        .flags = rendezvous ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER,
    };
    const char *data = NULL;
    size_t len = 0;
    ucs_status_ptr_t request;

    if (op->kind == FRD_UCX_OP_SEND) {
        data = op->msg->buf;
        len = op->msg->len;
    } else if (op->kind == FRD_UCX_OP_PIECE) {
        data = op->whole->msg->buf;
        data += op->wire.arg;
        len = op->wire.len;
    }
    if (rendezvous)
        frd_ucx_mem_use(peer->net, data, len, &param);
    op->wire.credit = (uint32_t)frd_min_size(peer->owed_bytes, UINT32_MAX);
    peer->owed_bytes -= op->wire.credit;
    op->busy++;
    peer->net->requests++;
    peer->net->unflushed = true;
    request = ucp_am_send_nbx(op->kind == FRD_UCX_OP_HELLO ? peer->own : peer->ep, 0, &op->wire,
                              sizeof(op->wire), data, len, &param);
    if (!UCS_PTR_IS_PTR(request))
        on_submitted(op, UCS_PTR_STATUS(request));
}

/* ---- pieces ---- */

static void send_piece(frd_ucx_op *whole)
{
    frd_ucx_peer *const peer = whole->peer;
    frd_ucx_op *const piece = frd_ucx_op_new(peer, FRD_UCX_OP_PIECE);
    const size_t len = frd_min_size(whole->msg->len - whole->offset_bytes, PIECE_BYTES);

    if (piece == NULL) {
        frd_ucx_break(peer, "out of memory");
        return;
    }
    piece->whole = whole;
    piece->wire.kind = FRD_UCX_PIECE;
    piece->wire.id = whole->peer_id;
    piece->wire.arg = whole->offset_bytes;
    piece->wire.len = len;
    whole->busy++;
    whole->offset_bytes += len;
    peer->pieces++;
    if (whole->offset_bytes == whole->msg->len) {
        TAILQ_REMOVE(&peer->stream, whole, queue);
        whole->ending = true; /* when the last piece is through */
        whole->rc = FEDRDMA_OK;
    }
    frd_ucx_submit(piece);
}

void frd_ucx_pump(frd_ucx_peer *peer)
{
    int burst = 0;

    while (!peer->broken && !TAILQ_EMPTY(&peer->stream) && peer->pieces < PIECES) {
        if (burst++ == BURST) {
            frd_ucx_kick(peer);
            break;
        }
        send_piece(TAILQ_FIRST(&peer->stream));
    }
}

/* ---- what the engine asks for ---- */

static void start_eager(frd_ucx_op *op)
{
    const bool control = op->msg->tag.comm == FRD_TAG_CONTROL;

    op->kind = FRD_UCX_OP_SEND;
    op->wire.kind = control ? FRD_UCX_CONTROL : FRD_UCX_EAGER;
    if (!control)
        op->peer->credit_bytes -= op->msg->len;
    frd_ucx_post(op);
}

static void start_offer(frd_ucx_op *op)
{
    frd_ucx_peer *const peer = op->peer;
    frd_ucx *const net = peer->net;
    frd_ucx_op *offer;

    net->env.stat->ucx_rendezvous++;
    op->wire.kind = FRD_UCX_OFFER;
    op->wire.id = op->id = frd_slots_add(&net->out, op->msg);
    if (op->id == 0) {
        frd_ucx_op_end(op, FEDRDMA_ERR_NOMEM);
        return;
    }
    if (!net->pieces) {
        frd_ucx_post(op);
        return;
    }
    op->kind = FRD_UCX_OP_OFFERED;
    offer = frd_ucx_op_new(peer, FRD_UCX_OP_NOTE);
    if (offer == NULL) {
        frd_ucx_op_end(op, FEDRDMA_ERR_NOMEM);
        return;
    }
    offer->wire = op->wire;
    frd_ucx_post(offer);
}

void frd_ucx_send(frd_net *base, frd_msg *msg)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_peer *const peer = net->peer[msg->peer];
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);
    frd_ucx_op *op;

    assert(peer != NULL && !net->inside);
    if (peer->left)
        frd_ucx_report(peer, "it has left the job");
    else if (peer->lost)
        frd_ucx_report(peer, peer->why);
    op = peer->lost || peer->left ? NULL : frd_ucx_op_new(peer, FRD_UCX_OP_SEND);
    if (op == NULL) {
        msg->done(msg, peer->lost || peer->left ? FEDRDMA_ERR_RANK_LOST : FEDRDMA_ERR_NOMEM);
    } else {
        net->env.stat->ucx_sent_messages++;
        msg->net = base;
        msg->handle = op;
        op->msg = msg;
        op->wire.tag = msg->tag;
        op->wire.len = msg->len;
        TAILQ_INSERT_TAIL(&peer->sends, op, link);
        if (msg->tag.comm == FRD_TAG_CONTROL ||
            (msg->len <= net->env.conf->eager && msg->len <= peer->credit_bytes))
            start_eager(op);
        else
            start_offer(op);
    }
    frd_ucx_log_leave(outer);
}

void frd_ucx_cancel(frd_net *base, frd_msg *msg)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_op *const op = msg->handle;
    frd_ucx_peer *const peer = op->peer;
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);
    const bool whole = op->kind == FRD_UCX_OP_SEND || op->kind == FRD_UCX_OP_FETCH;
    uint64_t id = op->peer_id;
    enum frd_ucx_kind kind = 0;

    if (op->ending || op->queued) {
        /* It ends already, only the limit is new; or nobody has heard of it. */
    } else if (op->kind == FRD_UCX_OP_STREAM) {
        kind = FRD_UCX_GONE;
    } else if (op->kind == FRD_UCX_OP_GATHER) {
        kind = FRD_UCX_REFUSE;
    } else if (op->wire.kind == FRD_UCX_OFFER) {
        kind = FRD_UCX_WITHDRAW;
        id = op->id;
    }
    frd_ucx_op_end_soon(op, FEDRDMA_ERR_CANCELED,
                        CANCEL_NS + (whole ? msg->len * CANCEL_NS_PER_BYTE : 0)); /* op may be gone */
    if (kind != 0)
        frd_ucx_note(peer, kind, id, 0);
    frd_ucx_log_leave(outer);
}

/* ---- what the peer says of our offers ---- */

/* The offered message that a peer speaks of, or NULL. It may have ended since: then the peer is only late. */
static frd_ucx_op *find(frd_ucx_peer *peer, uint64_t id)
{
    const frd_msg *const msg = frd_slots_get(&peer->net->out, id);
    frd_ucx_op *const op = msg == NULL ? NULL : msg->handle;

    return op != NULL && op->peer == peer && !op->ending ? op : NULL;
}

void frd_ucx_on_clear(frd_ucx_peer *peer, const frd_ucx_wire *wire)
{
    frd_ucx_op *const op = find(peer, wire->id);

    if (op == NULL) {
        frd_ucx_note(peer, FRD_UCX_GONE, wire->arg, 0);
    } else if (op->kind != FRD_UCX_OP_OFFERED) {
        peer->net->env.stat->net_dropped++;
    } else {
        op->kind = FRD_UCX_OP_STREAM;
        op->peer_id = wire->arg;
        TAILQ_INSERT_TAIL(&peer->stream, op, queue);
        frd_ucx_kick(peer);
    }
}

/* As sent: it is the receiver who knows why it does not want the message. */
void frd_ucx_on_refuse(frd_ucx_peer *peer, const frd_ucx_wire *wire)
{
    frd_ucx_op *const op = find(peer, wire->id);

    if (op != NULL && op->kind != FRD_UCX_OP_SEND)
        frd_ucx_op_end_soon(op, FEDRDMA_OK, CANCEL_NS);
}
