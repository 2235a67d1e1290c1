/* SPDX-License-Identifier: BSD-3-Clause
 * slots.h - names for messages in flight that may be told to a peer: an id stops being valid when its message
 * is taken out, so an answer that comes late, twice or corrupt finds nothing instead of a freed message. */
#ifndef FRD_NET_SLOTS_H
#define FRD_NET_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

/* All zero is valid and empty. O(1) each; grows by doubling, never shrinks. */
typedef struct frd_slots {
    struct frd_slot *slot;
    size_t room;
    uint32_t free_head; /* index + 1; 0: none */
} frd_slots;

/* The id of `msg` (never 0) until it is removed; 0 when out of memory. */
uint64_t frd_slots_add(frd_slots *slots, frd_msg *msg);
/* The message, or NULL when `id` is not (any more) valid. */
frd_msg *frd_slots_get(const frd_slots *slots, uint64_t id);
/* Makes a valid id invalid. */
void frd_slots_remove(frd_slots *slots, uint64_t id);
/* A message for `peer`, or NULL: to end them one by one. O(room); *from (0 at first) keeps the place. */
frd_msg *frd_slots_next(const frd_slots *slots, int peer, size_t *from, uint64_t *id);
void frd_slots_free(frd_slots *slots);

#endif
