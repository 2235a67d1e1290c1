/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_peer.c - one peer: what is in flight with it, what waits to be sent to it, and its end.
 *
 * A peer ends in two steps, since an endpoint cannot be closed from within UCX: broken (UCX reported an error,
 * or the protocol cannot go on), then lost: the endpoints are closed by force, which makes UCX give back all
 * buffers, messages end with FEDRDMA_ERR_RANK_LOST, and the layer above is told; unless the peer said goodbye
 * and nothing was outstanding, which is how a job ends. A lost peer never comes back. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/ucx_parts.h"

static const char left_text[] = "it has left the job";

/* ---- operations ---- */

frd_ucx_op *frd_ucx_op_new(frd_ucx_peer *peer, enum frd_ucx_op_kind kind)
{
    frd_ucx *const net = peer->net;
    frd_ucx_op *const op = frd_pool_get(&net->ops);

    if (op == NULL)
        return NULL;
    memset(op, 0, sizeof(*op));
    op->peer = peer;
    op->kind = kind;
    op->wire.magic = FRD_UCX_MAGIC;
    op->wire.source = (uint32_t)net->env.rank;
    return op;
}

void frd_ucx_op_free(frd_ucx_op *op)
{
    frd_pool_put(&op->peer->net->ops, op);
}

static bool is_receive(const frd_ucx_op *op)
{
    return op->kind == FRD_UCX_OP_FETCH || op->kind == FRD_UCX_OP_GATHER;
}

void frd_ucx_op_end(frd_ucx_op *op, int rc)
{
    frd_ucx_peer *const peer = op->peer;
    frd_ucx *const net = peer->net;
    frd_msg *const msg = op->msg;
    const bool receive = is_receive(op);

    assert(op->busy == 0);
    if (op->id != 0)
        frd_slots_remove(op->kind == FRD_UCX_OP_GATHER ? &net->in : &net->out, op->id);
    if (op->queued)
        TAILQ_REMOVE(&peer->outbox, op, queue);
    if (op->give_up_ns != 0)
        TAILQ_REMOVE(&net->endings, op, queue);
    TAILQ_REMOVE(receive ? &peer->receives : &peer->sends, op, link);
    frd_ucx_op_free(op);
    if (net->closing)
        return;
    if (rc == FEDRDMA_OK && receive)
        net->env.stat->ucx_received_bytes += msg->len;
    else if (rc == FEDRDMA_OK)
        net->env.stat->ucx_sent_bytes += msg->len;
    msg->done(msg, rc);
}

void frd_ucx_op_end_soon(frd_ucx_op *op, int rc, uint64_t limit_ns)
{
    frd_ucx *const net = op->peer->net;
    frd_ucx_op *before;

    if (!op->ending && op->kind == FRD_UCX_OP_STREAM)
        TAILQ_REMOVE(&op->peer->stream, op, queue);
    /* An end without error may still turn into one while its last pieces are on their way. */
    if (!op->ending || op->rc == FEDRDMA_OK)
        op->rc = rc;
    op->ending = true;
    if (op->busy == 0) {
        frd_ucx_op_end(op, op->rc);
        return;
    }
    if (op->give_up_ns != 0)
        return;
    op->give_up_ns = frd_now_ns() + limit_ns;
    before = TAILQ_LAST(&net->endings, frd_ucx_ops);
    while (before != NULL && before->give_up_ns > op->give_up_ns)
        before = TAILQ_PREV(before, frd_ucx_ops, queue);
    if (before != NULL)
        TAILQ_INSERT_AFTER(&net->endings, before, op, queue);
    else
        TAILQ_INSERT_HEAD(&net->endings, op, queue);
}

int frd_ucx_give_up(frd_ucx *net)
{
    const uint64_t now = TAILQ_EMPTY(&net->endings) ? 0 : frd_now_ns();
    frd_ucx_op *op;
    int count = 0;

    while ((op = TAILQ_FIRST(&net->endings)) != NULL && op->give_up_ns <= now) {
        TAILQ_REMOVE(&net->endings, op, queue);
        op->give_up_ns = 0;
        frd_ucx_break(op->peer, "a cancelled transfer did not end");
        count++;
    }
    return count;
}

/* ---- what waits to be sent ---- */

void frd_ucx_kick(frd_ucx_peer *peer)
{
    if (peer->active)
        return;
    peer->active = true;
    TAILQ_INSERT_TAIL(&peer->net->active, peer, active_link);
}

void frd_ucx_post(frd_ucx_op *op)
{
    frd_ucx_peer *const peer = op->peer;

    TAILQ_INSERT_TAIL(&peer->outbox, op, queue);
    op->queued = true;
    frd_ucx_kick(peer);
    if (!peer->net->inside)
        frd_ucx_run_peer(peer);
}

void frd_ucx_note(frd_ucx_peer *peer, enum frd_ucx_kind kind, uint64_t id, uint64_t arg)
{
    frd_ucx_op *op;

    if (peer->lost || peer->broken || (peer->left && kind != FRD_UCX_GOODBYE))
        return;
    op = frd_ucx_op_new(peer, FRD_UCX_OP_NOTE);
    if (op == NULL) {
        frd_ucx_break(peer, "out of memory");
        return;
    }
    op->wire.kind = kind;
    op->wire.id = id;
    op->wire.arg = arg;
    frd_ucx_post(op);
}

/* ---- its end ---- */

void frd_ucx_break(frd_ucx_peer *peer, const char *why)
{
    if (peer->lost || peer->broken)
        return;
    peer->broken = true;
    peer->why = why;
    frd_ucx_kick(peer);
}

void frd_ucx_report(frd_ucx_peer *peer, const char *why)
{
    frd_net_env *const env = &peer->net->env;

    if (peer->reported || peer->net->closing)
        return;
    peer->reported = true;
    env->peer_lost(env->arg, peer->rank, why);
}

bool frd_ucx_deserted(const frd_ucx_peer *peer)
{
    const frd_ucx_op *op;

    if (!TAILQ_EMPTY(&peer->receives))
        return true;
    TAILQ_FOREACH(op, &peer->sends, link)
    {
        if (op->wire.kind == FRD_UCX_OFFER)
            return true;
    }
    return frd_match_expects(peer->net->env.match, peer->rank);
}

static void end_all(struct frd_ucx_ops *ops)
{
    frd_ucx_op *op, *next;

    for (op = TAILQ_FIRST(ops); op != NULL; op = next) {
        next = TAILQ_NEXT(op, link); /* done() only notes, so next stays */
        frd_ucx_op_end_soon(op, FEDRDMA_ERR_RANK_LOST, UINT64_MAX / 2);
    }
}

static void lose(frd_ucx_peer *peer)
{
    const bool missed = !peer->left || !TAILQ_EMPTY(&peer->sends) || frd_ucx_deserted(peer);
    frd_ucx_op *op;

    peer->broken = false;
    peer->lost = true;
    while ((op = TAILQ_FIRST(&peer->outbox)) != NULL) {
        TAILQ_REMOVE(&peer->outbox, op, queue);
        op->queued = false;
        if (op->kind == FRD_UCX_OP_NOTE)
            frd_ucx_op_free(op);
    }
    end_all(&peer->sends);
    end_all(&peer->receives);
    frd_ucx_disconnect(peer);
    if (missed)
        frd_ucx_report(peer, peer->left ? left_text : peer->why);
}

/* ---- doing what is wanted ---- */

/* Half a window is often enough that the peer seldom runs dry, and rare enough to cost nothing. */
static bool owes(const frd_ucx_peer *peer)
{
    return peer->owed_bytes > 0 && peer->owed_bytes >= peer->net->card.window_bytes / 2;
}

void frd_ucx_owe(frd_ucx_peer *peer, size_t len)
{
    peer->owed_bytes += len;
    if (owes(peer))
        frd_ucx_kick(peer);
}

static bool usable(const frd_ucx_peer *peer)
{
    return peer->ep != NULL && !peer->lost && !peer->broken;
}

void frd_ucx_run_peer(frd_ucx_peer *peer)
{
    frd_ucx_op *op;

    if (peer->active) {
        peer->active = false;
        TAILQ_REMOVE(&peer->net->active, peer, active_link);
    }
    if (peer->withdrew)
        frd_ucx_release_withdrawn(peer);
    frd_ucx_connect(peer);
    while (usable(peer) && (op = TAILQ_FIRST(&peer->outbox)) != NULL) {
        TAILQ_REMOVE(&peer->outbox, op, queue);
        op->queued = false;
        frd_ucx_submit(op);
    }
    if (usable(peer) && !peer->net->closing)
        frd_ucx_pump(peer);
    if (usable(peer) && owes(peer))
        frd_ucx_note(peer, FRD_UCX_CREDIT, 0, 0);
    if (peer->broken)
        lose(peer);
}

int frd_ucx_run(frd_ucx *net)
{
    frd_ucx_peer *const last = TAILQ_LAST(&net->active, frd_ucx_peers);
    frd_ucx_peer *peer;
    int count = 0;

    /* Peers may kick themselves again: those wait for the next round. */
    while ((peer = TAILQ_FIRST(&net->active)) != NULL) {
        frd_ucx_run_peer(peer);
        count++;
        if (peer == last)
            break;
    }
    return count;
}
