/* SPDX-License-Identifier: BSD-3-Clause
 * path.h - what one direction of a route has shown of itself: round trip, delivery rate, loss; measured from
 * the datagrams' own acknowledgements. pace.h decides by it. Times come in from outside, there is no clock
 * here. */
#ifndef FRD_WAN_PATH_H
#define FRD_WAN_PATH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FRD_WAN_RATE_ROUNDS = 10, /* the best delivery rate of so many round trips counts, as BBR's */
    FRD_WAN_BASE_SLOTS = 10   /* the least round trip of so many seconds counts, as BBR's */
};

/* What a datagram remembers of the moment it was sent. */
typedef struct frd_wan_stamp {
    uint64_t sent_ns;
    uint64_t delivered;    /* bytes that were delivered by then */
    uint64_t delivered_ns; /* when the last of these was */
    uint64_t first_ns;     /* when the oldest datagram then on its way had been sent */
    uint32_t bytes;        /* on the wire, with the headers below */
    bool limited;          /* there was not enough to send: says nothing about the path's rate */
} frd_wan_stamp;

/* A round trip that is over: from a datagram's sending to its acknowledgement. */
typedef struct frd_wan_round {
    uint64_t rtt_ns; /* mean of its samples; 0: none */
    uint64_t rate;   /* best, bytes per second */
    uint64_t acked, lost;
    bool limited;
} frd_wan_round;

typedef struct frd_wan_path {
    uint64_t latest_ns, smooth_ns, var_ns; /* round trip, as RFC 6298; 0: unknown */
    uint64_t least_ns;                     /* the least sample of all */
    uint64_t base_ns;                      /* without queues: the least mean of a round of the last seconds */
    uint64_t base_slot[FRD_WAN_BASE_SLOTS], base_second;
    uint64_t delivered, delivered_ns, first_ns;
    uint64_t lost_bytes;    /* taken for lost; what comes late all the same stays among them */
    uint64_t inflight;      /* bytes */
    uint64_t limited_until; /* samples are limited until so many bytes are delivered */
    uint64_t round_at;      /* the round ends with what was sent when so much was delivered */
    uint64_t rounds;
    uint64_t rate_of[FRD_WAN_RATE_ROUNDS];
    uint64_t rtt_sum_ns, rtt_samples;
    bool hold;           /* we send less than we could: a round must not lower the estimate of the rate */
    frd_wan_round round; /* the one that is under way */
} frd_wan_path;

void frd_wan_path_sent(frd_wan_path *path, uint64_t now_ns, uint32_t bytes, frd_wan_stamp *stamp);
/* There is room on the path and nothing to fill it with. */
void frd_wan_path_limited(frd_wan_path *path);
/* A sample of the round trip, without the receiver's delay. */
void frd_wan_path_rtt(frd_wan_path *path, uint64_t now_ns, uint64_t rtt_ns);
void frd_wan_path_acked(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *stamp);
void frd_wan_path_lost(frd_wan_path *path, const frd_wan_stamp *stamp);
/* Behind all of one acknowledgement, `newest` being the last sent of what it newly acknowledged. True: a
 * round is over, *round is it. */
bool frd_wan_path_ack(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *newest, frd_wan_round *round);

/* The bare round trip is another one than we thought. */
void frd_wan_path_rebase(frd_wan_path *path, uint64_t now_ns, uint64_t base_ns);

/* Bytes per second that the path has delivered at its best lately; 0: unknown. */
uint64_t frd_wan_path_rate(const frd_wan_path *path);

#endif
