/* SPDX-License-Identifier: BSD-3-Clause
 * pace.h - how fast a route sends: a window, that is a cap on what is on its way, and a rate that spreads it;
 * by what path.h measured. */
#ifndef FRD_WAN_PACE_H
#define FRD_WAN_PACE_H

#include "wan/path.h"

enum frd_wan_pace_mode {
    FRD_WAN_PACE_START,  /* doubles every round trip, until the path is full */
    FRD_WAN_PACE_DRAIN,  /* sees how fast the full path delivers, and lets go of the queue that this has made
                          */
    FRD_WAN_PACE_CRUISE, /* steers towards a short queue in front of the path */
    FRD_WAN_PACE_DOWN    /* lets go of that queue, too, so that the bare round trip shows */
};

typedef struct frd_wan_pace {
    /* Given. */
    uint64_t start_bytes;  /* on its way in the first round trip */
    uint64_t most_rate;    /* bytes per second, 0: no limit but the path's */
    uint64_t inflight_max; /* never more on its way */
    double lines;  /* this many times the queue is wanted: a way through relays crosses others' queues, too */
    double favour; /* of the queue that it would keep, by what our other routes carry and have left; 1: as
                      they */
    /* Decided. */
    enum frd_wan_pace_mode mode;
    double window; /* bytes on their way, but for DRAIN and DOWN */
    uint64_t rate; /* bytes per second */
    uint64_t cap;  /* bytes on their way */
    uint64_t quantum_bytes;
    uint64_t next_ns; /* when the next quantum may go */
    /* Remembered. */
    unsigned rounds;                         /* in this mode */
    unsigned since;                          /* rounds since the last DOWN */
    unsigned flat_rounds;                    /* START: without growth */
    unsigned idle_rounds;                    /* CRUISE: without a queue */
    unsigned high_rounds;                    /* CRUISE: with a queue far above what we steer to */
    bool used;                               /* this round has filled the window */
    bool cut;                                /* this round has cut it */
    bool tested;                             /* a DOWN has shown what the path loses anyway */
    uint64_t full_rate;                      /* START: the best rate when it last grew much */
    uint64_t mark_ns, mark_bytes;            /* DRAIN: when and where it began to measure; 0: it has */
    uint64_t low_ns;                         /* when there was last no queue */
    uint64_t down_ns;                        /* DOWN: since when */
    int64_t down_way_ns;                     /* DOWN: what we took for bare before it */
    double down_cap;                         /* and its cap, in shares of the path's content */
    double down_queue_ns;                    /* and the queue then */
    bool doubt;                              /* and whether that queue was too long to be ours */
    double share;                            /* of the queue that we would keep, that loss leaves us */
    double loss_bare, loss_round, loss_mean; /* without a queue; in the last round; of many */
    double loss_chance;                      /* so much more a round may have by chance */
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
