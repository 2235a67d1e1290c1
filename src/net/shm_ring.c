/* SPDX-License-Identifier: BSD-3-Clause
 * shm_ring.c - see shm_ring.h. A release store of an index publishes what was written before it, an acquire
 * load of the other's index makes it readable. The stores and loads that decide about sleeping (has_room,
 * has_data, and shm.c's flags) are sequentially consistent: of "I publish, then look whether you sleep" and
 * "I say that I sleep, then look for data", one must see the other. */
#include "net/shm_ring.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"

static uint64_t total(uint32_t payload_bytes)
{
    return frd_round_up(sizeof(frd_shm_record) + payload_bytes, FRD_SHM_RECORD_ALIGN);
}

/* Free bytes; a tail that cannot be leaves none, so that a corrupt ring just fills. */
static uint64_t room(const frd_shm_ring *ring)
{
    const uint64_t used = ring->own - ring->other;

    return used <= ring->size ? ring->size - used : 0;
}

unsigned char *frd_shm_ring_reserve(frd_shm_ring *ring, const frd_shm_record *record)
{
    const uint64_t offset = ring->own & (ring->size - 1);
    const uint64_t to_end = ring->size - offset, bytes = total(record->bytes);
    const uint64_t pad = bytes <= to_end ? 0 : to_end;
    unsigned char *at = ring->data + offset;

    assert(bytes <= ring->size / 2);
    if (room(ring) < pad + bytes) {
        ring->other = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
        if (room(ring) < pad + bytes)
            return NULL;
    }
    if (pad > 0) {
        const frd_shm_record filler = { .kind = FRD_SHM_PAD, .bytes = (uint32_t)(pad - sizeof(filler)) };

        memcpy(at, &filler, sizeof(filler));
        at = ring->data;
    }
    memcpy(at, record, sizeof(*record));
    ring->next = ring->own + pad + bytes;
    return at + sizeof(*record);
}

void frd_shm_ring_commit(frd_shm_ring *ring)
{
    ring->own = ring->next;
    atomic_store_explicit(&ring->shared->head, ring->own, memory_order_release);
}

bool frd_shm_ring_has_room(frd_shm_ring *ring)
{
    ring->other = atomic_load(&ring->shared->tail);
    /* Half the ring is a record of any size; padding can need as much again. */
    return room(ring) == ring->size || room(ring) >= ring->size / 2 + ring->size / 4;
}

/* Can this record, whose header we copied, be what the producer published? */
static bool plausible(const frd_shm_ring *ring, const frd_shm_record *record)
{
    const uint64_t there = ring->other - ring->own, to_end = ring->size - (ring->own & (ring->size - 1));

    return there <= ring->size && record->kind < FRD_SHM_KINDS && record->bytes <= ring->size &&
           total(record->bytes) <= there && total(record->bytes) <= to_end;
}

bool frd_shm_ring_peek(frd_shm_ring *ring, frd_shm_record *record, const unsigned char **payload)
{
    while (!ring->broken) {
        unsigned char *const at = ring->data + (ring->own & (ring->size - 1));

        if (ring->own == ring->other) {
            ring->other = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
            if (ring->own == ring->other)
                break;
        }
        memcpy(record, at, sizeof(*record));
        if (!plausible(ring, record)) {
            ring->broken = true;
            break;
        }
        ring->next = ring->own + total(record->bytes);
        if (record->kind != FRD_SHM_PAD) {
            *payload = at + sizeof(*record);
            return true;
        }
        frd_shm_ring_pop(ring);
    }
    return false;
}

void frd_shm_ring_pop(frd_shm_ring *ring)
{
    ring->own = ring->next;
    atomic_store_explicit(&ring->shared->tail, ring->own, memory_order_release);
}

bool frd_shm_ring_has_data(frd_shm_ring *ring)
{
    ring->other = atomic_load(&ring->shared->head);
    return ring->other != ring->own && !ring->broken;
}
