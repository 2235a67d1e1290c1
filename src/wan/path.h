/* SPDX-License-Identifier: BSD-3-Clause
 * path.h - what one direction of a route has shown of itself: round trip, delivery rate, loss; measured from
 * the datagrams' own acknowledgements. pace.h decides by it. Times come in from outside, there is no clock
 * here. */
#ifndef FRD_WAN_PATH_H
#define FRD_WAN_PATH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FRD_WAN_RATE_ROUNDS = 3, /* the best delivery rate of so many round trips counts */
    FRD_WAN_BASE_SLOTS = 10  /* the least round trip of so many seconds counts, as BBR's */
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
    uint64_t rtt_ns;   /* mean of its samples; 0: none */
    uint64_t queue_ns; /* on the way there, mean */
    uint64_t rate;     /* best, bytes per second */
    uint64_t acked, lost;
    bool limited;
} frd_wan_round;

typedef struct frd_wan_path {
    uint64_t latest_ns, smooth_ns, var_ns; /* round trip, as RFC 6298; 0: unknown */
    uint64_t least_ns;                     /* the least sample of all */
    uint64_t base_ns; /* without queues: the least mean of a part of a round in the last seconds */
    /* The way there: by two clocks, so that only differences mean anything. Queues on the way back, where
     * what others send us stands before our acknowledgements, are not in it. */
    uint32_t way_zero_us; /* the first one: all others are relative to it */
    bool way_known;
    int64_t way_smooth_ns, way_base_ns;
    uint64_t way_var_ns;
    bool settled; /* until then the least samples count, too, few as they are */
    uint64_t base_second;
    uint64_t base_slot[FRD_WAN_BASE_SLOTS]; /* by second; 0: none */
    int64_t way_slot[FRD_WAN_BASE_SLOTS];
    struct {
        uint64_t since_ns, samples, rtt_sum_ns;
        int64_t way_sum_ns;
    } part, whole;          /* of a round; the round */
    uint64_t part_queue_ns; /* in the last part */
    uint64_t delivered, delivered_ns, first_ns;
    uint64_t lost_bytes;    /* taken for lost; what comes late all the same stays among them */
    uint64_t inflight;      /* bytes */
    uint64_t limited_until; /* samples are limited until so many bytes are delivered */
    uint64_t round_at;      /* the round ends with what was sent when so much was delivered */
    uint64_t rounds;
    uint64_t rate_of[FRD_WAN_RATE_ROUNDS], latest_rate; /* of rounds; of the last acknowledgement */
    bool hold;           /* we send less than we could: a round must not lower the estimate of the rate */
    frd_wan_round round; /* the one that is under way */
} frd_wan_path;

void frd_wan_path_sent(frd_wan_path *path, uint64_t now_ns, uint32_t bytes, frd_wan_stamp *stamp);
/* There is room on the path and nothing to fill it with. */
void frd_wan_path_limited(frd_wan_path *path);
/* The first round trip, from before there were datagrams. */
void frd_wan_path_first(frd_wan_path *path, uint64_t rtt_ns);
/* A sample of the round trip, without the receiver's delay, and of the way there (any two clocks; wraps). */
void frd_wan_path_rtt(frd_wan_path *path, uint64_t now_ns, uint64_t rtt_ns, uint32_t way_us);
void frd_wan_path_acked(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *stamp);
void frd_wan_path_lost(frd_wan_path *path, const frd_wan_stamp *stamp);
/* It is gone, and its loss is none of the path's. */
void frd_wan_path_unsent(frd_wan_path *path, const frd_wan_stamp *stamp);
/* Behind all of one acknowledgement, `newest` being the last sent of what it newly acknowledged. True: a
 * round is over, *round is it. */
bool frd_wan_path_ack(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *newest, frd_wan_round *round);

/* The rounds by now have shown the bare round trip: single samples count no more. */
void frd_wan_path_settle(frd_wan_path *path, uint64_t now_ns);
/* The path is another one than we thought: as it is now, there is no queue. */
void frd_wan_path_rebase(frd_wan_path *path, uint64_t now_ns);
/* The queue on the way there by the last samples, and what acknowledgements wait on the way back. */
uint64_t frd_wan_path_queue(const frd_wan_path *path);
uint64_t frd_wan_path_back(const frd_wan_path *path);

/* Bytes per second that the path has delivered at its best lately; 0: unknown. */
uint64_t frd_wan_path_rate(const frd_wan_path *path);

#endif
