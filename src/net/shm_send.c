/* SPDX-License-Identifier: BSD-3-Clause
 * shm_send.c - the sender's half: puts messages into the peer's ring, or keeps them until there is room.
 *
 * Order of preference when room is short: notes (they free memory elsewhere), control messages, new messages,
 * and then the pieces of messages that the peer pulls, one piece of each in turn. A new message needs ring
 * space, and as an offer also a word in our segment; when words run out it waits for one of the offers to
 * end. */
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "net/shm_impl.h"

static void notes_add(frd_shm_peer *peer, frd_shm_note *note)
{
    note->next = NULL;
    if (peer->notes == NULL)
        peer->notes = note;
    else
        peer->notes_tail->next = note;
    peer->notes_tail = note;
}

void frd_shm_tell(frd_shm *shm, frd_shm_peer *peer, frd_shm_kind kind, uint64_t id, uint64_t arg,
                  uint64_t len)
{
    const frd_shm_record record = { .kind = (uint32_t)kind, .len = len, .id = id, .arg = arg };
    frd_shm_note *note;

    if (peer->lost)
        return;
    if (peer->notes == NULL && frd_shm_ring_reserve(&peer->out, &record) != NULL) {
        frd_shm_ring_commit(&peer->out);
        frd_shm_notify(peer);
        return;
    }
    note = frd_pool_get(&shm->notes);
    if (note == NULL) {
        frd_shm_lose(shm, peer, "no memory to answer it");
        return;
    }
    note->record = record;
    notes_add(peer, note);
}

static _Atomic uint64_t *offer_word(const frd_shm *shm, uint64_t id)
{
    return &shm->segment.head->offer[(uint32_t)id - 1];
}

void frd_shm_end_send(frd_shm *shm, frd_msg *msg, int rc)
{
    if (msg->word[FRD_SHM_STATE] == FRD_SHM_STREAMING)
        frd_shm_list_remove(&shm->by_rank[msg->peer]->streams, msg);
    frd_slots_remove(&shm->sends, msg->word[FRD_SHM_ID]);
    shm->offers--;
    msg->done(msg, rc);
}

/* May `len` more bytes be sent eagerly, as far as the peer has received the others? */
static bool has_credit(const frd_shm *shm, const frd_shm_peer *peer, size_t len)
{
    const uint64_t taken = atomic_load_explicit(&peer->out.shared->taken, memory_order_relaxed);
    const uint64_t waiting = peer->eager_sent - taken;

    return waiting <= shm->env->conf->eager_credit && len <= shm->env->conf->eager_credit - waiting;
}

static bool is_control(const frd_msg *msg)
{
    return msg->tag.comm == FRD_TAG_CONTROL;
}

static void count_sent(const frd_shm *shm, const frd_msg *msg)
{
    shm->env->stat->shm_sent_messages++;
    shm->env->stat->shm_sent_bytes += msg->len;
}

static bool push_eager(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    const frd_shm_record record = {
        .kind = FRD_SHM_EAGER, .bytes = (uint32_t)msg->len, .tag = msg->tag, .len = msg->len
    };
    unsigned char *const at = frd_shm_ring_reserve(&peer->out, &record);

    if (at == NULL)
        return false;
    if (msg->len > 0)
        memcpy(at, msg->buf, msg->len);
    frd_shm_ring_commit(&peer->out);
    if (!is_control(msg))
        peer->eager_sent += msg->len;
    count_sent(shm, msg);
    msg->done(msg, FEDRDMA_OK);
    return true;
}

static bool push_offer(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    frd_shm_record record = {
        .kind = FRD_SHM_OFFER, .tag = msg->tag, .len = msg->len, .arg = (uintptr_t)msg->buf
    };

    if (shm->offers == FRD_SHM_OFFERS || frd_shm_ring_reserve(&peer->out, &record) == NULL)
        return false;
    record.id = frd_slots_add(&shm->sends, msg);
    if (record.id == 0) {
        msg->done(msg, FEDRDMA_ERR_NOMEM);
        return true;
    }
    assert((uint32_t)record.id <= FRD_SHM_OFFERS);
    shm->offers++;
    msg->word[FRD_SHM_STATE] = FRD_SHM_OFFERED;
    msg->word[FRD_SHM_ID] = record.id;
    atomic_store_explicit(offer_word(shm, record.id), record.id, memory_order_relaxed);
    (void)frd_shm_ring_reserve(&peer->out, &record); /* the same place, now with the id */
    frd_shm_ring_commit(&peer->out);
    count_sent(shm, msg);
    return true;
}

/* Puts a new message into the ring; false when it has to wait. */
static bool push(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    if (is_control(msg) ||
        (msg->len <= shm->env->conf->eager && msg->len <= frd_shm_ring_payload_max(&peer->out) &&
         has_credit(shm, peer, msg->len)))
        return push_eager(shm, peer, msg);
    return push_offer(shm, peer, msg);
}

void frd_shm_send(frd_net *net, frd_msg *msg)
{
    frd_shm *const shm = (frd_shm *)net;
    frd_shm_peer *const peer = shm->by_rank[msg->peer];
    frd_shm_list *const list = is_control(msg) ? &peer->control : &peer->queue;

    assert(!is_control(msg) || msg->len <= FRD_CONTROL_MAX);
    if (peer->left && !is_control(msg))
        frd_shm_lose(shm, peer, "the rank left the job before it was sent a message");
    if (peer->lost || peer->left) {
        msg->done(msg, FEDRDMA_ERR_RANK_LOST);
        return;
    }
    if (list->head == NULL && push(shm, peer, msg)) {
        frd_shm_notify(peer);
        return;
    }
    msg->word[FRD_SHM_STATE] = FRD_SHM_QUEUED;
    frd_shm_list_add(list, msg);
}

/* One piece of a pulled message; false when there is no room. */
static bool push_piece(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    const uint64_t offset = msg->word[FRD_SHM_OFFSET];
    const size_t bytes = frd_min_size(msg->len - offset, frd_shm_ring_payload_max(&peer->out) / 2);
    const frd_shm_record record = {
        .kind = FRD_SHM_DATA, .bytes = (uint32_t)bytes, .id = (uintptr_t)msg->handle, .arg = offset
    };
    unsigned char *const at = frd_shm_ring_reserve(&peer->out, &record);

    if (at == NULL)
        return false;
    memcpy(at, (const unsigned char *)msg->buf + offset, bytes);
    frd_shm_ring_commit(&peer->out);
    msg->word[FRD_SHM_OFFSET] += bytes;
    if (msg->word[FRD_SHM_OFFSET] == msg->len) {
        frd_shm_end_send(shm, msg, FEDRDMA_OK);
    } else { /* the others' turn */
        frd_shm_list_remove(&peer->streams, msg);
        frd_shm_list_add(&peer->streams, msg);
    }
    return true;
}

static int flush_notes(frd_shm *shm, frd_shm_peer *peer)
{
    int n = 0;

    for (frd_shm_note *note; (note = peer->notes) != NULL; n++) {
        if (frd_shm_ring_reserve(&peer->out, &note->record) == NULL)
            break;
        frd_shm_ring_commit(&peer->out);
        peer->notes = note->next;
        frd_pool_put(&shm->notes, note);
    }
    return n;
}

static int flush_list(frd_shm *shm, frd_shm_peer *peer, frd_shm_list *list)
{
    int n = 0;

    for (frd_msg *msg; (msg = list->head) != NULL; n++) {
        frd_shm_list_remove(list, msg); /* push may end it, or put it elsewhere */
        if (!push(shm, peer, msg)) {
            msg->next = list->head;
            msg->prev = NULL;
            if (list->head != NULL)
                list->head->prev = msg;
            else
                list->tail = msg;
            list->head = msg;
            break;
        }
    }
    return n;
}

int frd_shm_flush(frd_shm *shm, frd_shm_peer *peer)
{
    int n = flush_notes(shm, peer);

    if (peer->notes == NULL)
        n += flush_list(shm, peer, &peer->control);
    if (peer->notes == NULL && peer->control.head == NULL) {
        n += flush_list(shm, peer, &peer->queue);
        for (frd_msg *msg; (msg = peer->streams.head) != NULL && push_piece(shm, peer, msg);)
            n++;
    }
    if (n > 0)
        frd_shm_notify(peer);
    return n;
}

void frd_shm_cancel_send(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg)
{
    uint64_t standing = msg->word[FRD_SHM_ID];
    const uint64_t into = (uintptr_t)msg->handle;

    if (msg->word[FRD_SHM_STATE] == FRD_SHM_QUEUED) {
        frd_shm_list_remove(is_control(msg) ? &peer->control : &peer->queue, msg);
        msg->done(msg, FEDRDMA_ERR_CANCELED);
    } else if (msg->word[FRD_SHM_STATE] == FRD_SHM_STREAMING) {
        frd_shm_end_send(shm, msg, FEDRDMA_ERR_CANCELED);
        frd_shm_tell(shm, peer, FRD_SHM_GONE, into, 0, 0);
    } else if (atomic_compare_exchange_strong(offer_word(shm, standing), &standing,
                                              standing | FRD_SHM_OFFER_CANCELED)) {
        frd_shm_end_send(shm, msg, FEDRDMA_ERR_CANCELED);
    } else { /* read completely; FIN is on its way, and will find nothing */
        frd_shm_end_send(shm, msg, FEDRDMA_OK);
    }
}

/* The send that `id` names if it is one to this peer. */
static frd_msg *find_send(const frd_shm *shm, const frd_shm_peer *peer, uint64_t id)
{
    frd_msg *const msg = frd_slots_get(&shm->sends, id);

    return msg != NULL && msg->peer == peer->rank ? msg : NULL;
}

void frd_shm_on_pull(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *record)
{
    frd_msg *const msg = find_send(shm, peer, record->id);

    if (msg == NULL) { /* cancelled */
        frd_shm_tell(shm, peer, FRD_SHM_GONE, record->arg, 0, 0);
    } else if (msg->word[FRD_SHM_STATE] != FRD_SHM_OFFERED || record->len >= msg->len) {
        shm->env->stat->net_dropped++;
    } else {
        msg->word[FRD_SHM_STATE] = FRD_SHM_STREAMING;
        msg->word[FRD_SHM_OFFSET] = record->len;
        msg->handle = (void *)(uintptr_t)record->arg;
        frd_shm_list_add(&peer->streams, msg);
    }
}

void frd_shm_on_end(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *record)
{
    frd_msg *const msg = find_send(shm, peer, record->id);

    if (msg != NULL)
        frd_shm_end_send(shm, msg, FEDRDMA_OK);
}
