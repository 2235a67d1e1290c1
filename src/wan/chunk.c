/* SPDX-License-Identifier: BSD-3-Clause
 * chunk.c - memory of messages and chunks: tables by id, pools by size, and the bytes of a message that is
 * coming in.
 *
 * A chunk is copied twice at most: into its datagram, and out of it into the receive's buffer, or the stash
 * when the receive is not there yet, and then once more. Except for messages above the largest class, that
 * are copied when they are sent (option eager), nothing is allocated unless more is in flight than ever
 * before. */
#include "wan/chunk.h"

#include <string.h>

#include "base/num.h"

enum {
    BUCKETS_FIRST = 64,
    STASH_CLASS = 2,          /* of the blocks that long chunks are kept in */
    RESERVE_DATAGRAMS = 1024, /* some 1.4 MB on its way */
    RESERVE_BLOCKS = 256,     /* 400 kB that wait for their receives */
    RESERVE_MESSAGES = 64,
    SPANS_MOST = 2048 /* holes in a message: a chunk that would make more is not taken */
};

/* Each less than twice the one before it, where chunks are: session_receive.c counts blocks, the sender
 * bytes. */
static const size_t class_bytes[FRD_WAN_CLASSES] = {
    160, 640, 1536 + 64, 2400, 3600, 5600, FRD_WAN_DATAGRAM_MAX + 64
};

/* ---- table ---- */

frd_wan_entry *frd_wan_table_find(const frd_wan_table *table, uint32_t id)
{
    frd_wan_entry *entry = table->bucket == NULL ? NULL : table->bucket[id & table->mask];

    while (entry != NULL && entry->id != id)
        entry = entry->next;
    return entry;
}

static bool grow(frd_wan_table *table)
{
    const uint32_t old = table->bucket == NULL ? 0 : table->mask + 1,
                   room = old == 0 ? BUCKETS_FIRST : 2 * old;
    frd_wan_entry **const to = frd_calloc(room, sizeof(*to));

    if (to == NULL)
        return false;
    for (uint32_t i = 0; i < old; i++) {
        for (frd_wan_entry *entry = table->bucket[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            entry->next = to[entry->id & (room - 1)];
            to[entry->id & (room - 1)] = entry;
        }
    }
    frd_free(table->bucket);
    table->bucket = to;
    table->mask = room - 1;
    return true;
}

bool frd_wan_table_add(frd_wan_table *table, frd_wan_entry *entry)
{
    frd_wan_entry **head;

    if (table->count >= (table->bucket == NULL ? 0 : table->mask + 1) && !grow(table) &&
        table->bucket == NULL)
        return false;
    head = &table->bucket[entry->id & table->mask];
    entry->next = *head;
    *head = entry;
    table->count++;
    return true;
}

void frd_wan_table_remove(frd_wan_table *table, frd_wan_entry *entry)
{
    frd_wan_entry **at = &table->bucket[entry->id & table->mask];

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    table->count--;
}

void frd_wan_table_free(frd_wan_table *table)
{
    frd_free(table->bucket);
    *table = (frd_wan_table){ .count = 0 };
}

/* ---- memory ---- */

void frd_wan_memory_init(frd_wan_memory *memory)
{
    frd_pool_init(&memory->items, sizeof(frd_wan_item));
    frd_pool_init(&memory->outs, sizeof(frd_wan_out));
    frd_pool_init(&memory->ins, sizeof(frd_wan_in));
    for (int i = 0; i < FRD_WAN_CLASSES; i++)
        frd_pool_init(&memory->bytes[i], class_bytes[i]);
}

void frd_wan_memory_reserve(frd_wan_memory *memory)
{
    frd_pool_reserve(&memory->items, RESERVE_DATAGRAMS);
    frd_pool_reserve(&memory->packets, RESERVE_DATAGRAMS);
    frd_pool_reserve(&memory->outs, RESERVE_MESSAGES);
    frd_pool_reserve(&memory->ins, RESERVE_MESSAGES);
    for (int i = 0; i < FRD_WAN_CLASSES; i++)
        frd_pool_reserve(&memory->bytes[i], i == STASH_CLASS ? RESERVE_BLOCKS : RESERVE_MESSAGES / 4);
}

void frd_wan_memory_free(frd_wan_memory *memory)
{
    frd_pool_free(&memory->items);
    frd_pool_free(&memory->packets);
    frd_pool_free(&memory->outs);
    frd_pool_free(&memory->ins);
    for (int i = 0; i < FRD_WAN_CLASSES; i++)
        frd_pool_free(&memory->bytes[i]);
}

static int class_of(size_t bytes)
{
    int i = 0;

    while (i < FRD_WAN_CLASSES && bytes > class_bytes[i])
        i++;
    return i;
}

void *frd_wan_bytes_get(frd_wan_memory *memory, size_t bytes, size_t *room)
{
    const int i = class_of(bytes);

    *room = i < FRD_WAN_CLASSES ? class_bytes[i] : bytes;
    return i < FRD_WAN_CLASSES ? frd_pool_get(&memory->bytes[i]) : frd_alloc_aligned(64, bytes);
}

void frd_wan_bytes_put(frd_wan_memory *memory, void *block, size_t bytes)
{
    const int i = class_of(bytes);

    if (i < FRD_WAN_CLASSES)
        frd_pool_put(&memory->bytes[i], block);
    else
        frd_free(block);
}

/* A long chunk is kept in several blocks: so blocks of one size do for datagrams of all sizes. */
static frd_wan_stash *stash_new(frd_wan_memory *memory, const unsigned char *data, uint32_t bytes,
                                uint64_t offset)
{
    frd_wan_stash *list = NULL;

    for (uint32_t at = 0; at < bytes;) {
        const size_t part = frd_min_size(bytes - at, class_bytes[STASH_CLASS] - sizeof(frd_wan_stash));
        size_t room;
        frd_wan_stash *const stash = frd_wan_bytes_get(memory, sizeof(*stash) + part, &room);

        if (stash == NULL) {
            frd_wan_stash_free(memory, list);
            return NULL;
        }
        stash->next = list;
        stash->offset = offset + at;
        stash->bytes = (uint32_t)part;
        stash->room = (uint32_t)room;
        memcpy(stash->data, data + at, part);
        list = stash;
        at += (uint32_t)part;
    }
    return list;
}

void frd_wan_stash_copy(const frd_wan_stash *stash, unsigned char *to, uint64_t len)
{
    for (; stash != NULL; stash = stash->next) {
        if (stash->offset <= len && stash->bytes <= len - stash->offset)
            memcpy(to + stash->offset, stash->data, stash->bytes);
    }
}

void frd_wan_stash_free(frd_wan_memory *memory, frd_wan_stash *stash)
{
    for (frd_wan_stash *next; stash != NULL; stash = next) {
        next = stash->next;
        frd_wan_bytes_put(memory, stash, stash->room);
    }
}

frd_wan_in *frd_wan_in_new(frd_wan_memory *memory)
{
    frd_wan_in *const in = frd_pool_get(&memory->ins);

    if (in == NULL)
        return NULL;
    *in = (frd_wan_in){ .spans = { .at = in->few, .room = FRD_WAN_FEW_SPANS } };
    return in;
}

static void spans_put(frd_wan_memory *memory, frd_wan_in *in)
{
    if (in->spans.at != in->few)
        frd_wan_bytes_put(memory, in->spans.at, in->spans.room * sizeof(frd_wan_span));
}

void frd_wan_in_free(frd_wan_memory *memory, frd_wan_in *in)
{
    frd_wan_stash_free(memory, in->stash);
    spans_put(memory, in);
    frd_pool_put(&memory->ins, in);
}

/* Room for one hole more, if that can be. */
static void grow_spans(frd_wan_memory *memory, frd_wan_in *in)
{
    const size_t most = SPANS_MOST * sizeof(frd_wan_span), now = in->spans.room * sizeof(frd_wan_span);
    size_t room;
    frd_wan_span *more;

    if (in->spans.count < in->spans.room || now >= most)
        return;
    more = frd_wan_bytes_get(memory, frd_min_size(2 * now, most), &room);
    if (more == NULL)
        return;
    memcpy(more, in->spans.at, in->spans.count * sizeof(*more));
    spans_put(memory, in);
    in->spans.at = more;
    in->spans.room = (uint32_t)(room / sizeof(*more));
}

int64_t frd_wan_in_take(frd_wan_memory *memory, frd_wan_in *in, uint64_t offset, const void *data,
                        uint32_t bytes)
{
    int64_t fresh;
    frd_wan_stash *stash, *last;

    if (in->opened && (offset > in->len || bytes > in->len - offset))
        return FEDRDMA_ERR_INVALID;
    if (bytes == 0)
        return 0;
    grow_spans(memory, in);
    if (in->state == FRD_WAN_IN_ACCEPTED) {
        fresh = frd_wan_spans_add(&in->spans, offset, offset + bytes);
        if (fresh > 0)
            memcpy(in->buf + offset, data, bytes);
    } else {
        stash = stash_new(memory, data, bytes, offset);
        if (stash == NULL)
            return FEDRDMA_ERR_NOMEM;
        fresh = frd_wan_spans_add(&in->spans, offset, offset + bytes);
        if (fresh <= 0) {
            frd_wan_stash_free(memory, stash);
            return fresh;
        }
        for (last = stash; last->next != NULL;)
            last = last->next;
        last->next = in->stash;
        in->stash = stash;
        in->stash_bytes += bytes + FRD_WAN_STASH_COST;
    }
    in->got += fresh > 0 ? (uint64_t)fresh : 0;
    return fresh;
}

frd_wan_stash *frd_wan_in_unstash(frd_wan_in *in)
{
    frd_wan_stash *const stash = in->stash;

    in->stash = NULL;
    in->stash_bytes = 0;
    return stash;
}
