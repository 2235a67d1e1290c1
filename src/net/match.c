/* SPDX-License-Identifier: BSD-3-Clause
 * match.c - the table where arrivals and posted receives meet, by (peer, tag).
 *
 * Two hash tables with chains: receives without a message, and messages without a receive. Every call looks
 * into one and, when that has nothing, adds to the other, so a key is never in both. Both hold frd_msg (an
 * arrival is one with more behind it), so there is one table code. Cost O(1); chains are as long as keys
 * collide. Keys in flight are unique by the tag's definition; of equal keys the latest is found first.
 *
 * Posting and matching never allocate, except that the table doubles when it fills. Unexpected data goes to
 * pools by size class, so that a steady run stops allocating there too.
 *
 * Not here: any protocol. Transports decide what is eager; offers go back to the transport they came from. */
#include "net/match.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum {
    BUCKETS_FIRST = 64, /* small enough for a context that sends nothing */
    CLASSES = 5,        /* 128 B, 512 B, 2 KiB, 8 KiB (the default of conf.eager), 32 KiB */
    /* Early messages whose memory is there from the start, of 128 B; half as many in each larger class up to
     * 8 KiB, 120 KiB in all: a steady run then doesn't allocate when by chance more is early than before. */
    EARLY_ARRIVALS = 64
};

typedef struct table {
    frd_msg **bucket;
    size_t mask, count;
} table;

/* A message without a receive. `head` holds its key, length, transport and (eager) data. */
typedef struct arrival {
    frd_msg head;
    frd_match_taken_fn *taken; /* may be NULL */
    frd_offer offer;
    bool offered;
} arrival;

struct frd_match {
    frd_stat *stat;
    frd_match_dead_fn *dead;
    void *arg;
    table posted, arrived;
    frd_pool arrivals;
    frd_pool data[CLASSES];
};

static size_t hash(int peer, const frd_tag *tag)
{
    uint64_t h = (tag->comm ^ (uint64_t)tag->seq << 32) + (uint64_t)peer * UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h ^= (uint64_t)tag->frag << 32 | tag->idx;
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(h ^ h >> 29);
}

static bool same(const frd_msg *msg, int peer, const frd_tag *tag)
{
    return msg->peer == peer && memcmp(&msg->tag, tag, sizeof(*tag)) == 0;
}

static frd_msg *table_find(const table *t, int peer, const frd_tag *tag)
{
    frd_msg *msg = t->bucket[hash(peer, tag) & t->mask];

    while (msg != NULL && !same(msg, peer, tag))
        msg = msg->next;
    return msg;
}

static void table_link(table *t, frd_msg *msg)
{
    frd_msg **head = &t->bucket[hash(msg->peer, &msg->tag) & t->mask];

    msg->prev = NULL;
    msg->next = *head;
    if (*head != NULL)
        (*head)->prev = msg;
    *head = msg;
}

/* Doubles the buckets; without memory the chains just get longer. */
static void table_grow(table *t)
{
    const size_t old = t->mask + 1;
    frd_msg **const from = t->bucket;
    frd_msg **to = frd_calloc(old * 2, sizeof(frd_msg *));

    if (to == NULL)
        return;
    t->bucket = to;
    t->mask = old * 2 - 1;
    for (size_t i = 0; i < old; i++) {
        for (frd_msg *msg = from[i], *next; msg != NULL; msg = next) {
            next = msg->next;
            table_link(t, msg);
        }
    }
    frd_free(from);
}

static void table_add(table *t, frd_msg *msg)
{
    if (++t->count > t->mask)
        table_grow(t);
    table_link(t, msg);
}

static void table_remove(table *t, frd_msg *msg)
{
    if (msg->prev != NULL)
        msg->prev->next = msg->next;
    else
        t->bucket[hash(msg->peer, &msg->tag) & t->mask] = msg->next;
    if (msg->next != NULL)
        msg->next->prev = msg->prev;
    msg->next = msg->prev = NULL;
    t->count--;
}

/* The size class of `len` bytes; CLASSES when it is too long for a pool. */
static unsigned class_of(size_t len)
{
    unsigned k = 0;

    while (k < CLASSES && len > (size_t)128 << 2 * k)
        k++;
    return k;
}

static void *data_get(frd_match *match, size_t len)
{
    const unsigned k = class_of(len);

    return k < CLASSES ? frd_pool_get(&match->data[k]) : frd_alloc_aligned(64, len);
}

static void data_put(frd_match *match, void *data, size_t len)
{
    const unsigned k = class_of(len);

    if (data == NULL)
        return;
    if (k < CLASSES)
        frd_pool_put(&match->data[k], data);
    else
        frd_free(data);
}

/* Ends a receive with the data of an eager message. */
static void deliver(frd_msg *msg, const void *data, size_t len)
{
    int rc = FEDRDMA_OK;

    if (len != msg->len) {
        msg->word[0] = len;
        rc = FEDRDMA_ERR_MISMATCH;
    } else if (len > 0) {
        memcpy(msg->buf, data, len);
    }
    msg->done(msg, rc);
}

static void accept_offer(frd_msg *msg, const frd_offer *offer, frd_net *net)
{
    if (offer->len != msg->len) {
        net->ops->refuse(net, offer);
        msg->word[0] = offer->len;
        msg->done(msg, FEDRDMA_ERR_MISMATCH);
        return;
    }
    msg->net = net;
    net->ops->accept(net, msg, offer);
}

/* Takes an arrival out and gives its memory back; the caller has used or copied what it needs. */
static void arrival_free(frd_match *match, arrival *a)
{
    table_remove(&match->arrived, &a->head);
    if (!a->offered)
        data_put(match, a->head.buf, a->head.len);
    frd_pool_put(&match->arrivals, a);
}

static void arrival_drop(frd_match *match, arrival *a)
{
    frd_net *const net = a->head.net;

    if (a->offered)
        net->ops->refuse(net, &a->offer);
    else if (a->taken != NULL)
        a->taken(net, a->head.peer, a->head.len);
    arrival_free(match, a);
}

static arrival *arrival_new(frd_match *match, frd_net *net, int peer, const frd_tag *tag, size_t len)
{
    arrival *a = frd_pool_get(&match->arrivals);

    if (a == NULL)
        return NULL;
    memset(a, 0, sizeof(*a));
    a->head.peer = peer;
    a->head.tag = *tag;
    a->head.len = len;
    a->head.net = net;
    return a;
}

int frd_match_create(frd_stat *stat, frd_match_dead_fn *dead, void *arg, frd_match **match)
{
    frd_match *m = frd_calloc(1, sizeof(*m));

    if (m == NULL)
        return FEDRDMA_ERR_NOMEM;
    m->stat = stat;
    m->dead = dead;
    m->arg = arg;
    frd_pool_init(&m->arrivals, sizeof(arrival));
    frd_pool_reserve(&m->arrivals, EARLY_ARRIVALS);
    for (unsigned k = 0; k < CLASSES; k++) {
        frd_pool_init(&m->data[k], (size_t)128 << 2 * k);
        if (k < CLASSES - 1)
            frd_pool_reserve(&m->data[k], EARLY_ARRIVALS >> k);
    }
    m->posted.mask = m->arrived.mask = BUCKETS_FIRST - 1;
    m->posted.bucket = frd_calloc(BUCKETS_FIRST, sizeof(frd_msg *));
    m->arrived.bucket = frd_calloc(BUCKETS_FIRST, sizeof(frd_msg *));
    if (m->posted.bucket == NULL || m->arrived.bucket == NULL) {
        frd_match_destroy(m);
        return FEDRDMA_ERR_NOMEM;
    }
    *match = m;
    return FEDRDMA_OK;
}

void frd_match_clear(frd_match *match)
{
    for (size_t i = 0; match->arrived.bucket != NULL && i <= match->arrived.mask; i++) {
        while (match->arrived.bucket[i] != NULL)
            arrival_drop(match, (arrival *)match->arrived.bucket[i]);
    }
    for (size_t i = 0; match->posted.bucket != NULL && i <= match->posted.mask; i++) {
        while (match->posted.bucket[i] != NULL)
            table_remove(&match->posted, match->posted.bucket[i]);
    }
}

void frd_match_destroy(frd_match *match)
{
    if (match == NULL)
        return;
    frd_match_clear(match);
    frd_pool_free(&match->arrivals);
    for (unsigned k = 0; k < CLASSES; k++)
        frd_pool_free(&match->data[k]);
    frd_free(match->posted.bucket);
    frd_free(match->arrived.bucket);
    frd_free(match);
}

void frd_match_post(frd_match *match, frd_msg *msg)
{
    arrival *const a = (arrival *)table_find(&match->arrived, msg->peer, &msg->tag);

    msg->net = NULL;
    if (a == NULL) {
        table_add(&match->posted, msg);
    } else if (a->offered) {
        const frd_offer offer = a->offer;
        frd_net *const net = a->head.net;

        arrival_free(match, a);
        accept_offer(msg, &offer, net);
    } else {
        deliver(msg, a->head.buf, a->head.len);
        if (a->taken != NULL)
            a->taken(a->head.net, a->head.peer, a->head.len);
        arrival_free(match, a);
    }
}

int frd_match_eager(frd_match *match, frd_net *net, int peer, const frd_tag *tag, const void *data,
                    size_t len, frd_match_taken_fn *taken, bool *consumed)
{
    frd_msg *const msg = frd_match_take(match, peer, tag);
    bool unused;
    arrival *a;

    if (consumed == NULL)
        consumed = &unused;
    *consumed = true;
    if (msg != NULL) {
        deliver(msg, data, len);
        return FEDRDMA_OK;
    }
    if (match->dead != NULL && match->dead(match->arg, tag)) {
        match->stat->net_dropped++;
        return FEDRDMA_OK;
    }
    a = arrival_new(match, net, peer, tag, len);
    if (a == NULL)
        goto fail;
    if (len > 0) {
        a->head.buf = data_get(match, len);
        if (a->head.buf == NULL)
            goto fail;
        memcpy(a->head.buf, data, len);
    }
    a->taken = taken;
    table_add(&match->arrived, &a->head);
    match->stat->net_unexpected++;
    *consumed = false;
    return FEDRDMA_OK;
fail:
    if (a != NULL)
        frd_pool_put(&match->arrivals, a);
    match->stat->net_dropped++;
    return FEDRDMA_ERR_NOMEM;
}

int frd_match_offer(frd_match *match, frd_net *net, const frd_offer *offer)
{
    frd_msg *const msg = frd_match_take(match, offer->peer, &offer->tag);
    arrival *a;

    if (msg != NULL) {
        accept_offer(msg, offer, net);
        return FEDRDMA_OK;
    }
    if (match->dead != NULL && match->dead(match->arg, &offer->tag)) {
        match->stat->net_dropped++;
        net->ops->refuse(net, offer);
        return FEDRDMA_OK;
    }
    a = arrival_new(match, net, offer->peer, &offer->tag, offer->len);
    if (a == NULL) {
        match->stat->net_dropped++;
        net->ops->refuse(net, offer);
        return FEDRDMA_ERR_NOMEM;
    }
    a->offer = *offer;
    a->offered = true;
    table_add(&match->arrived, &a->head);
    match->stat->net_unexpected++;
    return FEDRDMA_OK;
}

frd_msg *frd_match_take(frd_match *match, int peer, const frd_tag *tag)
{
    frd_msg *const msg = table_find(&match->posted, peer, tag);

    if (msg != NULL)
        table_remove(&match->posted, msg);
    return msg;
}

bool frd_match_cancel(frd_match *match, frd_msg *msg)
{
    const frd_msg *found = match->posted.bucket[hash(msg->peer, &msg->tag) & match->posted.mask];

    while (found != NULL && found != msg)
        found = found->next;
    if (found == NULL)
        return false;
    table_remove(&match->posted, msg);
    return true;
}

bool frd_match_expects(const frd_match *match, int peer)
{
    for (size_t i = 0; i <= match->posted.mask; i++) {
        for (const frd_msg *msg = match->posted.bucket[i]; msg != NULL; msg = msg->next) {
            if (msg->peer == peer)
                return true;
        }
    }
    return false;
}

void frd_match_purge(frd_match *match, int peer)
{
    for (size_t i = 0; i <= match->arrived.mask; i++) {
        for (frd_msg *msg = match->arrived.bucket[i], *next; msg != NULL; msg = next) {
            next = msg->next;
            if (msg->peer == peer || (match->dead != NULL && match->dead(match->arg, &msg->tag))) {
                match->stat->net_dropped++;
                arrival_drop(match, (arrival *)msg);
            }
        }
    }
}
