/* SPDX-License-Identifier: BSD-3-Clause
 * slots.c - an array of slots with a free list. An id is generation << 32 | index + 1: the generation changes
 * with every removal, so an old id fits again only after 2^32 uses of its slot. */
#include "net/slots.h"

#include <assert.h>

#include "base/mem.h"

struct frd_slot {
    frd_msg *msg; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* index + 1 */
};

enum { SLOTS_FIRST = 16 };

static int grow(frd_slots *slots)
{
    const size_t room = slots->room == 0 ? SLOTS_FIRST : slots->room * 2;
    struct frd_slot *more;

    if (room >= UINT32_MAX)
        return FEDRDMA_ERR_NOMEM;
    more = frd_realloc(slots->slot, room * sizeof(*more));
    if (more == NULL)
        return FEDRDMA_ERR_NOMEM;
    for (size_t i = room; i-- > slots->room;) {
        more[i] = (struct frd_slot){ .next_free = slots->free_head };
        slots->free_head = (uint32_t)i + 1;
    }
    slots->slot = more;
    slots->room = room;
    return FEDRDMA_OK;
}

uint64_t frd_slots_add(frd_slots *slots, frd_msg *msg)
{
    uint32_t place;
    struct frd_slot *slot;

    if (slots->free_head == 0 && grow(slots) != FEDRDMA_OK)
        return 0;
    place = slots->free_head;
    slot = &slots->slot[place - 1];
    slots->free_head = slot->next_free;
    slot->msg = msg;
    return (uint64_t)slot->generation << 32 | place;
}

frd_msg *frd_slots_get(const frd_slots *slots, uint64_t id)
{
    const uint32_t place = (uint32_t)id;

    if (place == 0 || place > slots->room || slots->slot[place - 1].generation != id >> 32)
        return NULL;
    return slots->slot[place - 1].msg;
}

void frd_slots_remove(frd_slots *slots, uint64_t id)
{
    struct frd_slot *const slot = &slots->slot[(uint32_t)id - 1];

    assert(frd_slots_get(slots, id) != NULL);
    slot->msg = NULL;
    slot->generation++;
    slot->next_free = slots->free_head;
    slots->free_head = (uint32_t)id;
}

frd_msg *frd_slots_next(const frd_slots *slots, int peer, size_t *from, uint64_t *id)
{
    while (*from < slots->room) {
        const size_t i = (*from)++;
        const struct frd_slot *const slot = &slots->slot[i];

        if (slot->msg != NULL && slot->msg->peer == peer) {
            *id = (uint64_t)slot->generation << 32 | (uint64_t)(i + 1);
            return slot->msg;
        }
    }
    return NULL;
}

void frd_slots_free(frd_slots *slots)
{
    frd_free(slots->slot);
    *slots = (frd_slots){ 0 };
}
