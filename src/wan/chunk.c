/* SPDX-License-Identifier: BSD-3-Clause
 * chunk.c - memory of messages and chunks: tables by id, pools by size, and the bytes of a message that is
 * coming in.
 *
 * A chunk is copied twice at most: into its datagram, and out of it into the receive's buffer, or the stash
 * when the receive is not there yet, and then once more. */
#include "wan/chunk.h"

#include <string.h>

#include "base/num.h"

enum {
    BUCKETS_FIRST = 64,
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
    memory->spare = NULL;
}

void frd_wan_memory_free(frd_wan_memory *memory)
{
    for (frd_wan_in *in = memory->spare; in != NULL; in = (frd_wan_in *)in->entry.next)
        frd_wan_spans_free(&in->spans);
    memory->spare = NULL;
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

frd_wan_stash *frd_wan_stash_new(frd_wan_memory *memory, const void *data, uint32_t bytes, uint64_t offset)
{
    size_t room;
    frd_wan_stash *const stash = frd_wan_bytes_get(memory, sizeof(*stash) + bytes, &room);

    if (stash == NULL)
        return NULL;
    stash->offset = offset;
    stash->bytes = bytes;
    stash->room = (uint32_t)room;
    memcpy(stash->data, data, bytes);
    return stash;
}

void frd_wan_stash_free(frd_wan_memory *memory, frd_wan_stash *stash)
{
    frd_wan_bytes_put(memory, stash, stash->room);
}

frd_wan_in *frd_wan_in_new(frd_wan_memory *memory)
{
    frd_wan_in *in = memory->spare;
    frd_wan_spans spans = { .most = SPANS_MOST };

    if (in != NULL) {
        memory->spare = (frd_wan_in *)in->entry.next;
        spans = in->spans;
        frd_wan_spans_clear(&spans);
    } else {
        in = frd_pool_get(&memory->ins);
        if (in == NULL)
            return NULL;
    }
    *in = (frd_wan_in){ .spans = spans };
    return in;
}

void frd_wan_in_free(frd_wan_memory *memory, frd_wan_in *in)
{
    for (frd_wan_stash *stash = in->stash, *next; stash != NULL; stash = next) {
        next = stash->next;
        frd_wan_stash_free(memory, stash);
    }
    in->stash = NULL;
    in->entry.next = (frd_wan_entry *)memory->spare;
    memory->spare = in;
}

int64_t frd_wan_in_take(frd_wan_memory *memory, frd_wan_in *in, uint64_t offset, const void *data,
                        uint32_t bytes)
{
    int64_t fresh;
    frd_wan_stash *stash;

    if (in->opened && (offset > in->len || bytes > in->len - offset))
        return FEDRDMA_ERR_INVALID;
    if (bytes == 0)
        return 0;
    if (in->state == FRD_WAN_IN_ACCEPTED) {
        fresh = frd_wan_spans_add(&in->spans, offset, offset + bytes);
        if (fresh > 0)
            memcpy(in->buf + offset, data, bytes);
    } else {
        stash = frd_wan_stash_new(memory, data, bytes, offset);
        if (stash == NULL)
            return FEDRDMA_ERR_NOMEM;
        fresh = frd_wan_spans_add(&in->spans, offset, offset + bytes);
        if (fresh <= 0) {
            frd_wan_stash_free(memory, stash);
            return fresh;
        }
        stash->next = in->stash;
        in->stash = stash;
        in->stash_bytes += stash->room;
    }
    in->got += fresh > 0 ? (uint64_t)fresh : 0;
    return fresh;
}

void frd_wan_in_unstash(frd_wan_memory *memory, frd_wan_in *in, unsigned char *to)
{
    for (frd_wan_stash *stash = in->stash, *next; stash != NULL; stash = next) {
        next = stash->next;
        if (to != NULL && stash->offset <= in->len && stash->bytes <= in->len - stash->offset)
            memcpy(to + stash->offset, stash->data, stash->bytes);
        frd_wan_stash_free(memory, stash);
    }
    in->stash = NULL;
    in->stash_bytes = 0;
}
