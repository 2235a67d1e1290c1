/* SPDX-License-Identifier: BSD-3-Clause
 * shm_ring.h - records from one rank to another through shared memory: one producer, one consumer, no locks.
 *
 * Indices count bytes and only grow. A record is a header and its payload, rounded up to a cache line, never
 * wrapped: where the rest of the ring is too short, a PAD record fills it. An 8-byte message is one line of
 * data, and the index line. Either side works on its own index and looks at the other's only when it runs
 * out. The consumer believes nothing: lengths and indices are checked, and a header is copied before it is.
 */
#ifndef FRD_NET_SHM_RING_H
#define FRD_NET_SHM_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "net/net.h"

enum {
    FRD_SHM_RING_MIN = 2048, /* half of it must hold a control message */
    FRD_SHM_RECORD_ALIGN = 64
};

/* In shared memory, in front of the data. */
typedef struct frd_shm_ring_shared {
    alignas(128) _Atomic uint64_t head; /* producer */
    _Atomic uint32_t waiting;           /* producer: sleeps, and wants to be woken when there is room */
    alignas(128) _Atomic uint64_t tail; /* consumer */
    _Atomic uint64_t taken;             /* consumer: eager bytes received so far; returns credit */
} frd_shm_ring_shared;
_Static_assert(sizeof(frd_shm_ring_shared) == 256, "shared layout");

typedef enum frd_shm_kind {
    FRD_SHM_PAD,
    FRD_SHM_EAGER,  /* tag, len; the payload is the message */
    FRD_SHM_OFFER,  /* tag, len; id: the offer; arg: address of the data */
    FRD_SHM_PULL,   /* id: send that offer; arg: into that receive; len: from that offset on */
    FRD_SHM_DATA,   /* id: the receive; arg: offset; the payload is a piece */
    FRD_SHM_GONE,   /* id: the receive; its offer was cancelled */
    FRD_SHM_FIN,    /* id: the offer; read completely */
    FRD_SHM_REFUSE, /* id: the offer; nobody wants it (any more) */
    FRD_SHM_KINDS
} frd_shm_kind;

typedef struct frd_shm_record {
    uint32_t kind;
    uint32_t bytes; /* of payload */
    frd_tag tag;
    uint64_t len, id, arg;
} frd_shm_record;
_Static_assert(sizeof(frd_shm_record) == 56, "shared layout");

/* One side's view of a ring. */
typedef struct frd_shm_ring {
    frd_shm_ring_shared *shared;
    unsigned char *data;
    uint64_t size;  /* power of two */
    uint64_t own;   /* producer: head, with what is reserved; consumer: tail */
    uint64_t other; /* the other's index as last seen */
    uint64_t next;  /* of the record that is reserved or looked at: where it ends */
    bool broken;    /* consumer: the producer wrote what can't be; nothing more is read */
} frd_shm_ring;

/* Largest payload of a record: two fit, so that one is filled while the other is emptied. */
static inline size_t frd_shm_ring_payload_max(const frd_shm_ring *ring)
{
    return (size_t)ring->size / 2 - sizeof(frd_shm_record);
}

/* Producer: where to write a record's payload of `bytes`, NULL when there is no room. Publish with commit. */
unsigned char *frd_shm_ring_reserve(frd_shm_ring *ring, const frd_shm_record *record);
void frd_shm_ring_commit(frd_shm_ring *ring);
/* Producer: is there room for any record now? */
bool frd_shm_ring_has_room(frd_shm_ring *ring);

/* Consumer: copies the next record's header and finds its payload, valid until pop. false: nothing there, or
 * (ring->broken) something that can't be. */
bool frd_shm_ring_peek(frd_shm_ring *ring, frd_shm_record *record, const unsigned char **payload);
void frd_shm_ring_pop(frd_shm_ring *ring);
/* Consumer: is there anything to peek at? */
bool frd_shm_ring_has_data(frd_shm_ring *ring);

#endif
