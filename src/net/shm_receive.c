/* SPDX-License-Identifier: BSD-3-Clause
 * shm_receive.c - the receiver's half: takes records out of the ring and fetches offers.
 *
 * An offer is read straight from the sender's memory where the kernel lets us, else pulled through the ring.
 * When a read fails in the middle (memory that cannot be read that way, a rule that changed) the rest is
 * pulled. What a record says is checked before it is used: it comes from memory that the peer can write. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "base/num.h"
#include "net/shm_impl.h"

enum {
    READ_PIECE = 1 << 20,  /* per system call: about 80 us, so that nothing else waits longer */
    READ_BUDGET = 1 << 20, /* per call of progress */
    RECORDS_MAX = 64       /* per peer and call of progress */
};

static void taken(frd_net *net, int rank, size_t len)
{
    frd_shm_peer *const peer = ((frd_shm *)net)->by_rank[rank];
    const uint64_t now = atomic_load_explicit(&peer->in.shared->taken, memory_order_relaxed);

    atomic_store_explicit(&peer->in.shared->taken, now + len, memory_order_relaxed);
}

static uint64_t offer_of(const frd_msg *msg)
{
    return (uintptr_t)msg->handle;
}

void frd_shm_end_receive(frd_shm *shm, frd_msg *msg, int rc)
{
    if (msg->word[FRD_SHM_STATE] == FRD_SHM_READING)
        frd_shm_list_remove(&shm->reads, msg);
    else
        frd_slots_remove(&shm->pulls, msg->word[FRD_SHM_ID]);
    if (rc == FEDRDMA_OK)
        shm->env->stat->shm_received_bytes += msg->len;
    msg->done(msg, rc);
}

/* Asks for what is still missing. */
static void pull(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    const uint64_t id = frd_slots_add(&shm->pulls, msg);

    msg->word[FRD_SHM_STATE] = FRD_SHM_PULLED;
    msg->word[FRD_SHM_ID] = id;
    if (id != 0) {
        frd_shm_tell(shm, peer, FRD_SHM_PULL, offer_of(msg), id, msg->word[FRD_SHM_OFFSET]);
        return;
    }
    frd_shm_tell(shm, peer, FRD_SHM_REFUSE, offer_of(msg), 0, 0);
    msg->done(msg, FEDRDMA_ERR_NOMEM);
}

static _Atomic uint64_t *offer_word(const frd_shm_peer *peer, uint64_t id)
{
    return &peer->segment.head->offer[(uint32_t)id - 1];
}

/* Reads the next piece of msg, at most `budget` bytes; returns how many came. */
static size_t read_piece(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg, size_t budget)
{
    const uint64_t offset = msg->word[FRD_SHM_OFFSET];
    const size_t want = frd_min_size(budget, frd_min_size(msg->len - offset, READ_PIECE));
    struct iovec local = { (unsigned char *)msg->buf + offset, want };
    struct iovec remote = { (void *)(uintptr_t)(msg->word[FRD_SHM_ADDRESS] + offset), want };
    const ssize_t got = process_vm_readv((pid_t)peer->pid, &local, 1, &remote, 1, 0);
    const uint64_t offer = offer_of(msg);
    uint64_t standing = offer;

    if (atomic_load(offer_word(peer, offer)) != offer) { /* what we read may be anything */
        frd_shm_end_receive(shm, msg, FEDRDMA_ERR_CANCELED);
        return 0;
    }
    if (got <= 0) {
        if (got < 0 && errno == EPERM)
            peer->direct = false;
        frd_shm_list_remove(&shm->reads, msg);
        pull(shm, peer, msg);
        return 0;
    }
    msg->word[FRD_SHM_OFFSET] += (uint64_t)got;
    shm->env->stat->shm_direct_bytes += (uint64_t)got;
    if (msg->word[FRD_SHM_OFFSET] < msg->len)
        return (size_t)got;
    if (atomic_compare_exchange_strong(offer_word(peer, offer), &standing, offer | FRD_SHM_OFFER_DONE)) {
        frd_shm_end_receive(shm, msg, FEDRDMA_OK);
        frd_shm_tell(shm, peer, FRD_SHM_FIN, offer, 0, 0);
    } else {
        frd_shm_end_receive(shm, msg, FEDRDMA_ERR_CANCELED);
    }
    return (size_t)got;
}

int frd_shm_read(frd_shm *shm)
{
    size_t budget = READ_BUDGET;
    int n = 0;

    for (frd_msg *msg; budget > 0 && (msg = shm->reads.head) != NULL; n++)
        budget -= read_piece(shm, shm->by_rank[msg->peer], msg, budget);
    return n;
}

void frd_shm_accept(frd_net *net, frd_msg *msg, const frd_offer *offer)
{
    frd_shm *const shm = (frd_shm *)net;
    frd_shm_peer *const peer = shm->by_rank[offer->peer];

    msg->handle = (void *)(uintptr_t)offer->word[0];
    msg->word[FRD_SHM_OFFSET] = 0;
    msg->word[FRD_SHM_ADDRESS] = offer->word[1];
    if (peer->lost) {
        msg->done(msg, FEDRDMA_ERR_RANK_LOST);
    } else if (!peer->direct) {
        pull(shm, peer, msg);
    } else {
        msg->word[FRD_SHM_STATE] = FRD_SHM_READING;
        frd_shm_list_add(&shm->reads, msg);
        if (shm->reads.head == msg)
            (void)read_piece(shm, peer, msg, READ_BUDGET);
    }
}

void frd_shm_refuse(frd_net *net, const frd_offer *offer)
{
    frd_shm *const shm = (frd_shm *)net;

    frd_shm_tell(shm, shm->by_rank[offer->peer], FRD_SHM_REFUSE, offer->word[0], 0, 0);
}

void frd_shm_cancel_receive(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    const uint64_t offer = offer_of(msg);

    frd_shm_end_receive(shm, msg, FEDRDMA_ERR_CANCELED);
    frd_shm_tell(shm, peer, FRD_SHM_REFUSE, offer, 0, 0);
}

static void on_eager(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *r, const unsigned char *payload)
{
    bool consumed;

    if (r->tag.comm == FRD_TAG_CONTROL) {
        shm->env->control(shm->env->arg, peer->rank, &r->tag, payload, r->bytes);
        return;
    }
    shm->env->stat->shm_received_bytes += r->bytes;
    (void)frd_match_eager(shm->env->match, &shm->net, peer->rank, &r->tag, payload, r->bytes, taken,
                          &consumed);
    if (consumed)
        taken(&shm->net, peer->rank, r->bytes);
}

static void on_offer(frd_shm *shm, const frd_shm_peer *peer, const frd_shm_record *r)
{
    const frd_offer offer = { .peer = peer->rank, .tag = r->tag, .len = r->len, .word = { r->id, r->arg } };

    (void)frd_match_offer(shm->env->match, &shm->net, &offer);
}

/* DATA and GONE. */
static void on_data(frd_shm *shm, const frd_shm_peer *peer, const frd_shm_record *r,
                    const unsigned char *payload)
{
    frd_msg *const msg = frd_slots_get(&shm->pulls, r->id);

    if (msg == NULL) /* cancelled meanwhile */
        return;
    if (msg->peer != peer->rank ||
        (r->kind == FRD_SHM_DATA && (r->arg != msg->word[FRD_SHM_OFFSET] || r->bytes > msg->len - r->arg))) {
        shm->env->stat->net_dropped++;
        return;
    }
    if (r->kind == FRD_SHM_GONE) {
        frd_shm_end_receive(shm, msg, FEDRDMA_ERR_CANCELED);
        return;
    }
    memcpy((unsigned char *)msg->buf + r->arg, payload, r->bytes);
    msg->word[FRD_SHM_OFFSET] += r->bytes;
    if (msg->word[FRD_SHM_OFFSET] == msg->len)
        frd_shm_end_receive(shm, msg, FEDRDMA_OK);
}

/* Does what is in the record fit together? */
static bool sound(const frd_shm_record *r)
{
    switch (r->kind) {
    case FRD_SHM_EAGER:
        return r->len == r->bytes && (r->tag.comm != FRD_TAG_CONTROL || r->bytes <= FRD_CONTROL_MAX);
    case FRD_SHM_OFFER:
        return r->bytes == 0 && r->tag.comm != FRD_TAG_CONTROL && (uint32_t)r->id - 1 < FRD_SHM_OFFERS;
    case FRD_SHM_DATA:
        return r->bytes > 0;
    default:
        return r->bytes == 0;
    }
}

static void handle(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *r, const unsigned char *payload)
{
    switch (r->kind) {
    case FRD_SHM_EAGER:
        on_eager(shm, peer, r, payload);
        break;
    case FRD_SHM_OFFER:
        on_offer(shm, peer, r);
        break;
    case FRD_SHM_PULL:
        frd_shm_on_pull(shm, peer, r);
        break;
    case FRD_SHM_DATA:
    case FRD_SHM_GONE:
        on_data(shm, peer, r, payload);
        break;
    default:
        frd_shm_on_end(shm, peer, r);
        break;
    }
}

int frd_shm_receive(frd_shm *shm, frd_shm_peer *peer)
{
    const unsigned char *payload;
    frd_shm_record record;
    int n = 0;

    while (n < RECORDS_MAX && !peer->lost && frd_shm_ring_peek(&peer->in, &record, &payload)) {
        if (sound(&record))
            handle(shm, peer, &record, payload);
        else
            shm->env->stat->net_dropped++;
        frd_shm_ring_pop(&peer->in);
        n++;
    }
    if (n > 0) {
        /* Again, in the order that sleeping needs: see shm_ring.c. */
        atomic_store(&peer->in.shared->tail, peer->in.own);
        if (atomic_load(&peer->in.shared->waiting) != 0)
            frd_shm_notify(peer);
    }
    if (peer->in.broken && !peer->lost) {
        shm->env->stat->net_dropped++;
        frd_shm_lose(shm, peer, "its messages in shared memory are malformed");
    }
    return n;
}
