/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_net.h - silos, their nodes, and a link for each ordered pair of silos: what happens to a packet on
 * its way.
 *
 * A packet of a silo's node passes: the link's loss, duplication and corruption; the silo's egress line; the
 * link's own line; its delay; the other silo's ingress line. The lines are shared by all that passes them. */
#ifndef WANEM_NET_H
#define WANEM_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/wan/wanem_due.h"
#include "tests/wan/wanem_flows.h"
#include "tests/wan/wanem_port.h"
#include "tests/wan/wanem_random.h"
#include "tests/wan/wanem_shaper.h"

enum { WANEM_SILOS = 16, WANEM_NODES = 64, WANEM_NAME = 16 };

/* Loss in two states, as Gilbert and Elliott had it; the state may change before each segment. */
typedef struct wanem_gilbert {
    bool on, bad;
    double to_bad, to_good, loss_bad, loss_good;
} wanem_gilbert;

/* What a link counts, in segments (bytes: of IP). */
typedef struct wanem_link_count {
    uint64_t packets, bytes; /* offered */
    uint64_t lost, down, closed, duplicated, corrupted,
        reordered; /* dropped by chance, by being down, by a NAT; mistreated */
    uint64_t delivered, delivered_bytes;
} wanem_link_count;

typedef struct wanem_link {
    bool declared, down;
    double nat_ns; /* only flows come in that were used from the other end within that; 0: all */
    wanem_shaper line;
    double delay_ns;
    double jitter_ns,
        jitter_period_ns; /* an extra delay of up to that, drawn anew each period; keeps the order */
    double reorder_by_ns; /* how late a reordered segment is */
    wanem_chance loss, duplicate, corrupt, reorder;
    wanem_checksum checksum;
    wanem_gilbert gilbert; /* in place of loss */
    int64_t jitter_until_ns, jitter_now_ns, last_due_ns;
    wanem_link_count count;
} wanem_link;

typedef struct wanem_silo {
    char name[WANEM_NAME], cc[WANEM_NAME]; /* cc: of its nodes' TCP; empty: the lab's */
    int nodes;
    wanem_port port; /* where its packets come from and go to: 10.77.SILO.0/24, the first silo is 1 */
    wanem_shaper egress, ingress;
} wanem_silo;

typedef struct wanem_net {
    wanem_silo silo[WANEM_SILOS];
    wanem_link link[WANEM_SILOS][WANEM_SILOS]; /* from, to */
    int silos;
    int mtu;
    uint64_t seed;
    char cc[WANEM_NAME];
    wanem_random random;
    wanem_due due;
    wanem_flows inside[WANEM_SILOS]; /* flows that a silo has used, where a link to it has a NAT */
    wanem_times late;                /* how long after their time packets were delivered */
    int64_t late_bound_ns;           /* later than that is too late */
} wanem_net;

void wanem_net_init(wanem_net *net);
void wanem_net_free(wanem_net *net);

/* The silo's number, or -1. */
int wanem_net_silo(const wanem_net *net, const char *name);

/* The address of a silo's node; both count from 0. */
in_addr_t wanem_net_address(int silo, int node);

/* After rates, delays or queues have changed: how long the queues are. */
void wanem_net_fit(wanem_net *net);

/* A packet that a silo has sent. */
void wanem_net_take(wanem_net *net, int from, wanem_packet *packet, int64_t now_ns);

/* What is due: one event; nothing if its time has not come. */
void wanem_net_deliver(wanem_net *net, int64_t now_ns);

void wanem_net_zero(wanem_net *net);

#endif
