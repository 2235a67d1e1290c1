/* SPDX-License-Identifier: BSD-3-Clause
 * chunk.c - memory of messages and chunks: tables by id, pools by size, and the bytes of a message that is
 * coming in.
 *
 * A chunk is copied twice at most: into its datagram, and out of it into the receive's buffer, or the stash
 * when the receive is not there yet, and then once more. */
#include "wan/chunk.h"

#include <string.h>

#include "base/num.h"
#include "wan/node.h"
#include "wan/rel.h"

enum {
    BUCKETS_FIRST = 64,
    RESERVE_BYTES = 1 << 20, /* in flight, see chunk.h */
    RESERVE_MESSAGE = 4096,  /* of a message on the mean */
    RESERVE_TIMES = 2        /* what was taken for lost and sent again is remembered, too */
};

/* A chunk of n bytes takes no more than twice n + FRD_WAN_STASH_COST, which is what both ends count. */
static const size_t class_bytes[FRD_WAN_CLASSES] = {
    160, 480, 1088, 1536 + 64, 3400, 6400, FRD_WAN_DATAGRAM_MAX + 64
};

/* Intervals of a message that has more than FRD_WAN_SPANS_FEW; a chunk that would make even more holes is not
 * taken. */
static const uint32_t spans_room[FRD_WAN_SPANS] = { 256, 2048 };

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
    *memory = (frd_wan_memory){ .large = { NULL } };
    frd_pool_init(&memory->items, sizeof(frd_wan_item));
    frd_pool_init(&memory->packets, sizeof(frd_wan_packet));
    frd_pool_init(&memory->outs, sizeof(frd_wan_out));
    frd_pool_init(&memory->ins, sizeof(frd_wan_in));
    for (int i = 0; i < FRD_WAN_CLASSES; i++)
        frd_pool_init(&memory->bytes[i], class_bytes[i]);
    for (int i = 0; i < FRD_WAN_SPANS; i++)
        frd_pool_init(&memory->spans[i], spans_room[i] * sizeof(frd_wan_span));
}

void frd_wan_memory_free(frd_wan_memory *memory)
{
    frd_pool_free(&memory->items);
    frd_pool_free(&memory->packets);
    frd_pool_free(&memory->outs);
    frd_pool_free(&memory->ins);
    for (int i = 0; i < FRD_WAN_CLASSES; i++)
        frd_pool_free(&memory->bytes[i]);
    for (int i = 0; i < FRD_WAN_SPANS; i++)
        frd_pool_free(&memory->spans[i]);
    for (int i = 0; i < FRD_WAN_LARGE; i++) {
        for (void *block = memory->large[i], *next; block != NULL; block = next) {
            memcpy(&next, block, sizeof(next));
            frd_free(block);
        }
        memory->large[i] = NULL;
    }
}

static int class_of(size_t bytes)
{
    int i = 0;

    while (i < FRD_WAN_CLASSES && bytes > class_bytes[i])
        i++;
    return i;
}

void frd_wan_memory_reserve(frd_wan_memory *memory, uint64_t early_bytes, uint32_t datagram_bytes,
                            uint32_t datagram_most)
{
    const size_t bytes = frd_min_size(early_bytes, RESERVE_BYTES), messages = bytes / RESERVE_MESSAGE,
                 chunks = bytes / datagram_bytes + messages;

    if (memory->items.grown > 0)
        return;
    frd_pool_reserve(&memory->items, RESERVE_TIMES * chunks);
    frd_pool_reserve(&memory->packets, RESERVE_TIMES * chunks);
    frd_pool_reserve(&memory->outs, messages);
    frd_pool_reserve(&memory->ins, messages);
    frd_pool_reserve(&memory->spans[0], 1);
    for (int i = 0; i <= class_of(datagram_most); i++) /* a message's end may be of any size */
        frd_pool_reserve(&memory->bytes[i], messages / 4);
    frd_pool_reserve(&memory->bytes[class_of(datagram_bytes)], bytes / datagram_bytes);
    frd_pool_reserve(&memory->bytes[class_of(datagram_most)], bytes / datagram_most);
}

/* Which list of large blocks; FRD_WAN_LARGE: none is that large. */
static int large_of(size_t bytes)
{
    int i = 0;

    while (i < FRD_WAN_LARGE && bytes > class_bytes[FRD_WAN_CLASSES - 1] << (i + 1))
        i++;
    return i;
}

static void *large_get(frd_wan_memory *memory, size_t bytes)
{
    const int i = large_of(bytes);
    void *const block = i < FRD_WAN_LARGE ? memory->large[i] : NULL;

    if (block == NULL)
        return frd_alloc_aligned(64, i < FRD_WAN_LARGE ? class_bytes[FRD_WAN_CLASSES - 1] << (i + 1) : bytes);
    memcpy(&memory->large[i], block, sizeof(memory->large[i]));
    return block;
}

static void large_put(frd_wan_memory *memory, void *block, size_t bytes)
{
    const int i = large_of(bytes);

    if (i == FRD_WAN_LARGE) {
        frd_free(block);
        return;
    }
    memcpy(block, &memory->large[i], sizeof(memory->large[i]));
    memory->large[i] = block;
}

void *frd_wan_bytes_get(frd_wan_memory *memory, size_t bytes, size_t *room)
{
    const int i = class_of(bytes);

    *room = i < FRD_WAN_CLASSES ? class_bytes[i] : bytes;
    return i < FRD_WAN_CLASSES ? frd_pool_get(&memory->bytes[i]) : large_get(memory, bytes);
}

void frd_wan_bytes_put(frd_wan_memory *memory, void *block, size_t bytes)
{
    const int i = class_of(bytes);

    if (i < FRD_WAN_CLASSES)
        frd_pool_put(&memory->bytes[i], block);
    else
        large_put(memory, block, bytes);
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
    frd_wan_in *const in = frd_pool_get(&memory->ins);

    if (in == NULL)
        return NULL;
    memset(in, 0, offsetof(frd_wan_in, few));
    in->spans = (frd_wan_spans){ .at = in->few, .room = FRD_WAN_SPANS_FEW };
    return in;
}

static void spans_put(frd_wan_memory *memory, const frd_wan_spans *spans)
{
    for (int i = 0; i < FRD_WAN_SPANS; i++) {
        if (spans->room == spans_room[i])
            frd_pool_put(&memory->spans[i], spans->at);
    }
}

void frd_wan_in_free(frd_wan_memory *memory, frd_wan_in *in)
{
    frd_wan_stash_free_all(memory, in->stash);
    spans_put(memory, &in->spans);
    frd_pool_put(&memory->ins, in);
}

/* False: a message has no more intervals than this one has, or there is no memory. */
static bool widen(frd_wan_memory *memory, frd_wan_spans *spans)
{
    frd_wan_spans more = *spans;
    int i = 0;

    while (i < FRD_WAN_SPANS && spans_room[i] <= spans->room)
        i++;
    more.at = i < FRD_WAN_SPANS ? frd_pool_get(&memory->spans[i]) : NULL;
    if (more.at == NULL)
        return false;
    more.room = spans_room[i];
    memcpy(more.at, spans->at, spans->count * sizeof(*spans->at));
    spans_put(memory, spans);
    *spans = more;
    return true;
}

static int64_t add_span(frd_wan_memory *memory, frd_wan_spans *spans, uint64_t lo, uint64_t hi)
{
    const int64_t fresh = frd_wan_spans_add(spans, lo, hi);

    return fresh >= 0 || !widen(memory, spans) ? fresh : frd_wan_spans_add(spans, lo, hi);
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
        fresh = add_span(memory, &in->spans, offset, offset + bytes);
        if (fresh > 0)
            memcpy(in->buf + offset, data, bytes);
    } else {
        stash = frd_wan_stash_new(memory, data, bytes, offset);
        if (stash == NULL)
            return FEDRDMA_ERR_NOMEM;
        fresh = add_span(memory, &in->spans, offset, offset + bytes);
        if (fresh <= 0) {
            frd_wan_stash_free(memory, stash);
            return fresh;
        }
        stash->next = in->stash;
        in->stash = stash;
        in->stash_bytes += stash->bytes + FRD_WAN_STASH_COST;
    }
    in->got += fresh > 0 ? (uint64_t)fresh : 0;
    return fresh;
}

void frd_wan_early_move(const frd_wan_early *early, void *buf)
{
    for (; early != NULL; early = early->next)
        memcpy((unsigned char *)buf + early->offset, early->data, early->bytes);
}

void frd_wan_stash_free_all(frd_wan_memory *memory, frd_wan_stash *stash)
{
    for (frd_wan_stash *next; stash != NULL; stash = next) {
        next = stash->next;
        frd_wan_stash_free(memory, stash);
    }
}

void frd_wan_in_unstash(frd_wan_memory *memory, frd_wan_in *in, unsigned char *to)
{
    if (to != NULL)
        frd_wan_early_move(in->stash, to);
    frd_wan_stash_free_all(memory, in->stash);
    in->stash = NULL;
    in->stash_bytes = 0;
}

frd_wan_stash *frd_wan_in_detach(frd_wan_in *in, uint64_t bytes)
{
    frd_wan_stash *const all = in->stash, *last = all;

    in->moving_bytes = last->bytes + FRD_WAN_STASH_COST;
    while (last->next != NULL && in->moving_bytes < bytes) {
        last = last->next;
        in->moving_bytes += last->bytes + FRD_WAN_STASH_COST;
    }
    in->stash = last->next;
    last->next = NULL;
    in->stash_bytes -= in->moving_bytes;
    return all;
}
