/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_due.h - the packets in flight, by the time at which something is to happen to them: a heap, O(log n).
 */
#ifndef WANEM_DUE_H
#define WANEM_DUE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/wan/wanem_packet.h"

typedef struct wanem_flight {
    int64_t due_ns;
    uint64_t order; /* of equal times the first comes first */
    wanem_packet packet;
    uint16_t from, to; /* silos */
    uint8_t arrived;   /* at the silo's ingress line, and through it */
} wanem_flight;

typedef struct wanem_due {
    wanem_flight *heap;
    size_t count, room;
    uint64_t order;
} wanem_due;

void wanem_due_add(wanem_due *due, const wanem_flight *flight);

/* The next one's time; INT64_MAX without any. */
int64_t wanem_due_next_ns(const wanem_due *due);

/* Takes the next one out; there must be one. */
wanem_flight wanem_due_take(wanem_due *due);

void wanem_due_free(wanem_due *due);

#endif
