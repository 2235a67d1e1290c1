/* SPDX-License-Identifier: BSD-3-Clause
 * wan_rate.h - flows without end over modelled links, and what test_wan_rate and wan_bench measure with them.
 */
#ifndef FRD_TESTS_WAN_RATE_H
#define FRD_TESTS_WAN_RATE_H

#include "wan_model.h"

enum { RATE_FLOWS = 24 };

typedef struct rate_world {
    model m;
    struct {
        int from, to;
        uint64_t ahead_bytes; /* kept waiting */
        uint32_t serial;
    } flow[RATE_FLOWS];
    int flows;
    uint64_t got[MODEL_NODES][MODEL_NODES]; /* [to][from], of messages that are over */
} rate_world;

/* Ranks with the same line between each two: bytes per second, queue in shares of rate x round trip. Starts
 * them. */
void rate_begin(rate_world *w, int nodes, uint64_t seed, uint64_t rate, uint64_t rtt_ns, double queue);
void rate_end(rate_world *w);
/* The line from a rank changes; its answers, too. */
void rate_line(rate_world *w, int from, uint64_t rate, uint64_t rtt_ns, double queue);
/* From now on there is always something to send. */
void rate_flow(rate_world *w, int from, int to);
void rate_pass(rate_world *w, uint64_t ns);
/* Bytes of messages (in steps of 64 KiB) that have arrived. */
uint64_t rate_got(const rate_world *w, int to, int from);

/* ---- measurements, as shares ---- */

typedef struct rate_goodput {
    double whole, steady, again; /* of the line, of the line behind the first 30%, of the bytes */
    uint64_t median_ns;          /* in the queue */
} rate_goodput;

rate_goodput rate_transfer(uint64_t rate, uint64_t rtt_ns, double loss, size_t len);
/* Everyone sends MiB / nodes twice to everyone else, as an allreduce of so many MiB does, over lines of 300
 * Mbit/s: time by the bound, of a second time. */
double rate_exchange(int nodes, uint64_t seed, double loss, unsigned mib, double *cold);
/* What 0 -> 1 reaches through 2, whose queues hold so much of rate x round trip, of the line; and what the queues
 * drop, of what comes to them. */
double rate_relay(double loss, double queue, double *dropped);
/* Of the line to 0, what 1 -> 0 gets through 2, and 2 -> 0 beside it. */
double rate_relayed_gather(double *direct);
/* Allreduces among three ranks with lines of 300 Mbit/s. In the first, a link goes down, so that the third carries
 * for the two: what the bound is of the time of its rest from when that is noticed, and of that of a second one. */
double rate_relayed_allreduce(uint64_t seed, unsigned mib, double *rest);
/* What 0 -> 1 reaches while 0 -> 2 has a tenth of the rate, by what it reaches alone. */
double rate_slow_silo(double *slow);
/* Time of 256 KiB on a line that has just recovered. */
uint64_t rate_trap(uint64_t rate, uint64_t rtt_ns, double loss);

#endif
