/* SPDX-License-Identifier: BSD-3-Clause
 * net_traffic.h - random messages between all ranks of a world, checked byte for byte; the same on every rank
 * by the world's seed, so that both ends know what to expect. */
#ifndef FRD_TESTS_NET_TRAFFIC_H
#define FRD_TESTS_NET_TRAFFIC_H

#include "net_world.h"

enum { CANARY = 64 };

/* One end of a message. */
typedef struct item {
    frd_msg msg; /* first: done() gets this */
    rank *rank;
    bool sending;
    bool fragile; /* either end may cancel it */
    bool cancels; /* this end is to cancel it */
    bool started;
    int ended; /* times; 1 at most */
    int rc;
    unsigned char *block; /* buffer with canaries on both sides */
} item;

typedef struct traffic {
    item *item;
    int items;
    int started, ended;
    int firm, firm_ended; /* those that are not fragile */
} traffic;

/* What the items look like; world.arg of the tests that use this. */
typedef struct traffic_plan {
    int messages; /* per ordered pair */
    size_t len_max;
    int cancel_percent;
    int mortal; /* messages with this rank are fragile; 0: none */
} traffic_plan;

/* Makes the items of this rank, in random order; nothing is started. */
void traffic_plan_make(rank *r, const traffic_plan *plan, traffic *t);
void traffic_start(traffic *t, item *i);
/* Starts all, with turns in between. */
void traffic_start_all(rank *r, traffic *t);
/* Cancels and lets the end come; what is not ours any more is overwritten at once. */
void traffic_cancel(rank *r, item *i);
/* After the end: is what should be received there, and everything around it untouched? */
void traffic_check(const item *i);
void traffic_free(traffic *t);

#endif
