/* SPDX-License-Identifier: BSD-3-Clause
 * pace.h - how fast a route sends: a rate, and a cap on what is on its way; by what path.h measured. */
#ifndef FRD_WAN_PACE_H
#define FRD_WAN_PACE_H

#include "wan/path.h"

enum frd_wan_pace_mode {
    FRD_WAN_PACE_START,  /* doubles every round trip, until the path is full */
    FRD_WAN_PACE_DRAIN,  /* lets go of the queue that this has made */
    FRD_WAN_PACE_CRUISE, /* keeps the path full, with a little queue in front of it */
    FRD_WAN_PACE_UP,     /* is there more? */
    FRD_WAN_PACE_DOWN    /* lets go of the queue, so that the bare round trip shows */
};

typedef struct frd_wan_pace {
    /* Given. */
    uint64_t start_bytes;  /* on its way in the first round trip */
    uint64_t most_rate;    /* bytes per second, 0: no limit but the path's */
    uint64_t inflight_max; /* never more on its way */
    /* Decided. */
    enum frd_wan_pace_mode mode;
    uint64_t rate; /* bytes per second */
    uint64_t cap;  /* bytes on their way */
    uint64_t quantum_bytes;
    uint64_t next_ns; /* when the next quantum may go */
    /* Remembered. */
    uint64_t full_rate;                      /* in START: the best rate when it last grew much */
    unsigned rounds;                         /* in this mode */
    unsigned flat_rounds;                    /* in START: without growth */
    unsigned idle_rounds;                    /* in CRUISE: without any queue */
    double surplus;                          /* share of CRUISE's gains above 1 that loss leaves it */
    unsigned grown;                          /* UPs in a row that found more */
    bool asked;                              /* an UP is just over */
    bool tested;                             /* a DOWN has shown what the path loses anyway */
    double loss_bare, loss_round, loss_mean; /* without a queue; in the last round; of many */
    unsigned cruise_rounds;                  /* until the next UP */
    uint64_t cruise_rtt_ns;                  /* in the last round of CRUISE */
    uint64_t queue_ns;                       /* in the last round, mean */
} frd_wan_pace;

void frd_wan_pace_init(frd_wan_pace *pace, uint64_t start_bytes, uint64_t most_rate, uint64_t inflight_max);
/* After an acknowledgement (with the round that it ended, or NULL): sets rate and cap. */
void frd_wan_pace_ack(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, uint64_t acked_bytes,
                      const frd_wan_round *round);
/* Bytes that may be sent now; 0: not before pace->next_ns (when there is room at all: *full tells that there
 * is not). */
uint64_t frd_wan_pace_room(const frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns, bool *full);
void frd_wan_pace_sent(frd_wan_pace *pace, uint64_t now_ns, uint64_t bytes);

#endif
