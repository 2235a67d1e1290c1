/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_recv.c - arrivals, and receiving what was offered.
 *
 * UCX calls frd_ucx_on_arrival for every active message. Nothing in a header is believed before it was checked:
 * the source is a rank that we know, ids are slots.h's of that rank's messages, a piece lies within its message.
 * What fails is dropped and counted.
 *
 * Offers are kept until UCX has returned, and then brought to the match table, which accepts or refuses them
 * now or later. So a descriptor of UCX's is never fetched or released from within UCX. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "net/ucx_parts.h"

/* ---- eager ---- */

static void taken(frd_net *base, int rank, size_t len)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_peer *const peer = net->peer[rank];
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);

    frd_ucx_owe(peer, len);
    if (peer->active && !net->inside)
        frd_ucx_run_peer(peer);
    frd_ucx_log_leave(outer);
}

static bool on_eager(frd_ucx_peer *peer, const frd_ucx_wire *wire, const void *data, size_t len)
{
    frd_ucx *const net = peer->net;
    bool consumed;

    if (wire->len != len || wire->tag.comm == FRD_TAG_CONTROL)
        return false;
    net->env.stat->ucx_received_bytes += len;
    if (frd_match_eager(net->env.match, &net->base, peer->rank, &wire->tag, data, len, taken, &consumed) !=
        FEDRDMA_OK) {
        frd_logf(net->env.log, FEDRDMA_LOG_ERROR, "out of memory: dropped a message of %zu bytes from rank %d",
                 len, peer->rank);
        consumed = true;
    }
    if (consumed)
        frd_ucx_owe(peer, len);
    return true;
}

static bool on_control(frd_ucx_peer *peer, const frd_ucx_wire *wire, const void *data, size_t len)
{
    frd_net_env *const env = &peer->net->env;

    if (wire->len != len || len > FRD_CONTROL_MAX || wire->tag.comm != FRD_TAG_CONTROL)
        return false;
    env->stat->ucx_received_bytes += len;
    env->control(env->arg, peer->rank, &wire->tag, data, len);
    return true;
}

/* ---- offers ---- */

/* True when the descriptor was kept (or none came). */
static bool on_offer(frd_ucx_peer *peer, const frd_ucx_wire *wire, void *descriptor, size_t len)
{
    frd_ucx_op *op;

    if (wire->len > PTRDIFF_MAX || len != (descriptor != NULL ? wire->len : 0) ||
        wire->tag.comm == FRD_TAG_CONTROL)
        return false;
    op = frd_ucx_op_new(peer, FRD_UCX_OP_ARRIVED);
    if (op == NULL) {
        frd_ucx_break(peer, "out of memory");
        return false;
    }
    op->descriptor = descriptor;
    op->peer_id = wire->id;
    op->wire.tag = wire->tag;
    op->wire.len = wire->len;
    TAILQ_INSERT_TAIL(&peer->offers, op, link);
    TAILQ_INSERT_TAIL(&peer->net->arrived, op, queue);
    return true;
}

int frd_ucx_match_offers(frd_ucx *net)
{
    frd_ucx_op *op;
    int count = 0;

    while ((op = TAILQ_FIRST(&net->arrived)) != NULL) {
        const frd_offer offer = { .peer = op->peer->rank,
                                  .tag = op->wire.tag,
                                  .len = (size_t)op->wire.len,
                                  .handle = op };

        TAILQ_REMOVE(&net->arrived, op, queue);
        count++;
        if (frd_match_offer(net->env.match, &net->base, &offer) != FEDRDMA_OK)
            frd_logf(net->env.log, FEDRDMA_LOG_ERROR, "out of memory: dropped an offer of %zu bytes from rank %d",
                     offer.len, offer.peer);
    }
    return count;
}

static void release(frd_ucx_op *op)
{
    if (op->descriptor != NULL)
        ucp_am_data_release(op->peer->net->worker, op->descriptor);
    op->descriptor = NULL;
}

/* The match table still has the offer: it finds out when it accepts or refuses it. */
static void on_withdraw(frd_ucx_peer *peer, const frd_ucx_wire *wire)
{
    frd_ucx_op *op;

    TAILQ_FOREACH(op, &peer->offers, link)
    {
        if (op->peer_id == wire->id) {
            op->withdrawn = peer->withdrew = true;
            frd_ucx_kick(peer); /* its descriptor is released when UCX has returned */
            return;
        }
    }
}

void frd_ucx_release_withdrawn(frd_ucx_peer *peer)
{
    frd_ucx_op *op;

    TAILQ_FOREACH(op, &peer->offers, link)
    {
        if (op->withdrawn)
            release(op);
    }
    peer->withdrew = false;
}

/* ---- receiving ---- */

static void on_fetched(void *request, ucs_status_t status, size_t len, void *user_data)
{
    frd_ucx_op *const op = user_data;

    (void)len; /* UCX compares it with the descriptor's, we that with the receive's */
    if (request != NULL)
        ucp_request_free(request);
    op->peer->net->requests--;
    op->busy--;
    if (status != UCS_OK)
        frd_ucx_break(op->peer, ucs_status_string(status));
    frd_ucx_op_end(op, op->ending ? op->rc : status == UCS_OK ? FEDRDMA_OK : FEDRDMA_ERR_RANK_LOST);
}

static void fetch(frd_ucx_op *op)
{
    frd_ucx *const net = op->peer->net;
    frd_msg *const msg = op->msg;
    ucp_request_param_t param = {
        .op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA,
        .cb.recv_am = on_fetched,
        .user_data = op,
    };
    ucs_status_ptr_t request;

    op->kind = FRD_UCX_OP_FETCH;
    op->busy = 1;
    net->requests++;
    frd_ucx_mem_use(net, msg->buf, msg->len, &param);
    request = ucp_am_recv_data_nbx(net->worker, op->descriptor, msg->buf, msg->len, &param);
    if (!UCS_PTR_IS_PTR(request))
        on_fetched(NULL, UCS_PTR_STATUS(request), msg->len, op);
}

void frd_ucx_accept(frd_net *base, frd_msg *msg, const frd_offer *offer)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_op *const op = offer->handle;
    frd_ucx_peer *const peer = op->peer;
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);

    TAILQ_REMOVE(&peer->offers, op, link);
    TAILQ_INSERT_TAIL(&peer->receives, op, link);
    op->msg = msg;
    op->kind = FRD_UCX_OP_GATHER;
    msg->net = base;
    msg->handle = op;
    if (op->withdrawn || peer->lost || peer->broken) {
        release(op);
        frd_ucx_op_end(op, op->withdrawn ? FEDRDMA_ERR_CANCELED : FEDRDMA_ERR_RANK_LOST);
    } else if (op->descriptor != NULL) {
        fetch(op);
    } else {
        op->id = frd_slots_add(&net->in, msg);
        if (op->id != 0) {
            frd_ucx_note(peer, FRD_UCX_CLEAR, op->peer_id, op->id);
        } else {
            frd_ucx_note(peer, FRD_UCX_REFUSE, op->peer_id, 0);
            frd_ucx_op_end(op, FEDRDMA_ERR_NOMEM);
        }
    }
    frd_ucx_log_leave(outer);
}

void frd_ucx_refuse(frd_net *base, const frd_offer *offer)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_op *const op = offer->handle;
    frd_ucx_peer *const peer = op->peer;
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);
    const bool tell = op->descriptor == NULL && !op->withdrawn;
    const uint64_t id = op->peer_id;

    release(op); /* with a descriptor, that ends the peer's send */
    TAILQ_REMOVE(&peer->offers, op, link);
    frd_ucx_op_free(op);
    if (tell)
        frd_ucx_note(peer, FRD_UCX_REFUSE, id, 0);
    frd_ucx_log_leave(outer);
}

/* The receive that a peer speaks of, or NULL: it was cancelled, and the peer is only late. */
static frd_ucx_op *find(frd_ucx_peer *peer, uint64_t id)
{
    const frd_msg *const msg = frd_slots_get(&peer->net->in, id);
    frd_ucx_op *const op = msg == NULL ? NULL : msg->handle;

    return op != NULL && op->peer == peer ? op : NULL;
}

static bool on_piece(frd_ucx_peer *peer, const frd_ucx_wire *wire, const void *data, size_t len)
{
    frd_ucx_op *const op = find(peer, wire->id);

    if (op == NULL || wire->len != len || wire->arg > op->msg->len || len > op->msg->len - wire->arg ||
        len > op->msg->len - op->offset_bytes)
        return false;
    if (len > 0)
        memcpy((char *)op->msg->buf + wire->arg, data, len);
    op->offset_bytes += len;
    if (op->offset_bytes == op->msg->len)
        frd_ucx_op_end(op, FEDRDMA_OK);
    return true;
}

static void on_gone(frd_ucx_peer *peer, const frd_ucx_wire *wire)
{
    frd_ucx_op *const op = find(peer, wire->id);

    if (op != NULL)
        frd_ucx_op_end(op, FEDRDMA_ERR_CANCELED);
}

/* ---- any message ---- */

static void on_goodbye(frd_ucx_peer *peer)
{
    if (!peer->left)
        peer->net->left++;
    peer->left = true;
}

/* False: not one of ours. *keep: UCX must keep the data for us. */
static bool dispatch(frd_ucx_peer *peer, const frd_ucx_wire *wire, void *data, size_t len, bool rendezvous,
                     bool *keep)
{
    if (rendezvous) {
        /* A small message that a UCX sent by rendezvous although we asked for eager is an offer as well. */
        if (wire->kind != FRD_UCX_OFFER && wire->kind != FRD_UCX_EAGER)
            return false;
        *keep = on_offer(peer, wire, data, len);
        if (*keep && wire->kind == FRD_UCX_EAGER)
            frd_ucx_owe(peer, len);
        return *keep;
    }
    switch ((enum frd_ucx_kind)wire->kind) {
    case FRD_UCX_EAGER:
        return on_eager(peer, wire, data, len);
    case FRD_UCX_CONTROL:
        return on_control(peer, wire, data, len);
    case FRD_UCX_PIECE:
        return on_piece(peer, wire, data, len);
    case FRD_UCX_OFFER:
        return on_offer(peer, wire, NULL, len);
    case FRD_UCX_CLEAR:
        frd_ucx_on_clear(peer, wire);
        return true;
    case FRD_UCX_REFUSE:
        frd_ucx_on_refuse(peer, wire);
        return true;
    case FRD_UCX_WITHDRAW:
        on_withdraw(peer, wire);
        return true;
    case FRD_UCX_GONE:
        on_gone(peer, wire);
        return true;
    case FRD_UCX_CREDIT:
    case FRD_UCX_HELLO:
        return true;
    case FRD_UCX_GOODBYE:
        on_goodbye(peer);
        return true;
    }
    return false;
}

/* The peer that a header says it is from; NULL when it is none of ours. */
static frd_ucx_peer *source(const frd_ucx *net, const frd_ucx_wire *wire)
{
    frd_ucx_peer *peer;

    if (wire->magic != FRD_UCX_MAGIC || wire->source >= (uint32_t)net->env.size)
        return NULL;
    peer = net->peer[wire->source];
    return peer != NULL && !peer->lost && !peer->broken ? peer : NULL;
}

ucs_status_t frd_ucx_on_arrival(void *arg, const void *header, size_t header_bytes, void *data, size_t len,
                                const ucp_am_recv_param_t *param)
{
    frd_ucx *const net = arg;
    frd_ucx_peer *peer = NULL;
    frd_ucx_wire wire;
    bool keep = false;

    if (header_bytes == sizeof(wire)) {
        memcpy(&wire, header, sizeof(wire)); /* it need not be aligned */
        peer = source(net, &wire);
    }
    if (peer == NULL) {
        net->env.stat->net_dropped++;
        return UCS_OK;
    }
    peer->credit_bytes += frd_min_size(wire.credit, peer->window_bytes - peer->credit_bytes);
    if (net->closing && wire.kind != FRD_UCX_GOODBYE)
        return UCS_OK;
    if (!dispatch(peer, &wire, data, len, (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0, &keep))
        net->env.stat->net_dropped++;
    return keep ? UCS_INPROGRESS : UCS_OK;
}
