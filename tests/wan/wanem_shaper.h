/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_shaper.h - a line of a certain rate behind a finite drop-tail queue. It holds no packets: it knows
 * until when the line is busy, and says when a packet will have passed, or that there is no room for it. */
#ifndef WANEM_SHAPER_H
#define WANEM_SHAPER_H

#include <stdint.h>

#include "tests/wan/wanem_packet.h"
#include "tests/wan/wanem_times.h"

typedef enum wanem_queue_unit { WANEM_QUEUE_BDP, WANEM_QUEUE_BYTES, WANEM_QUEUE_TIME } wanem_queue_unit;

typedef struct wanem_shaper {
    double rate_bps; /* 0: no limit, no queue */
    wanem_queue_unit queue_unit;
    double queue; /* round trips' worth, bytes, or nanoseconds; see wanem_shaper_fit */
    double queue_bytes;
    int64_t busy_until_ns;
    uint64_t packets, bytes, dropped; /* segments and IP bytes that passed; segments that found no room */
    wanem_times waiting;              /* in the queue, of each segment that passed */
} wanem_shaper;

/* Computes queue_bytes from queue, its unit, the rate and the round trip time. At least two packets fit. */
void wanem_shaper_fit(wanem_shaper *shaper, double rtt_ns);

/* Takes the first of `count` segments of the packet from `first` on that arrive at *time: returns how many
 * have room (the rest is dropped and counted), with *time the moment at which they have passed. */
uint32_t wanem_shaper_take(wanem_shaper *shaper, const wanem_packet *packet, uint32_t first, uint32_t count,
                           int64_t *time_ns);

/* How many segments of this packet may travel as one: no longer than a millisecond on the line. */
uint32_t wanem_shaper_burst(const wanem_shaper *shaper, const wanem_packet *packet);

#endif
