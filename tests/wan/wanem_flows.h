/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_flows.h - what a NAT or a firewall that lets only answers in remembers: flows that were used from
 * inside, each for some time. Inside it changes nothing: addresses and ports stay as they are. */
#ifndef WANEM_FLOWS_H
#define WANEM_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/wan/wanem_packet.h"

enum { WANEM_FLOWS = 128 };

typedef struct wanem_flow {
    uint64_t ends; /* addresses */
    uint32_t ports;
    uint8_t protocol;
    int64_t used_ns;
} wanem_flow;

typedef struct wanem_flows {
    wanem_flow flow[WANEM_FLOWS];
    int count;
} wanem_flows;

/* A packet from inside: its flow is open from now on. When there are too many, the one that was unused for
 * longest is forgotten. */
void wanem_flows_open(wanem_flows *flows, const wanem_packet *packet, int64_t now_ns);

/* Does a packet from outside belong to a flow that was used from inside within `lasts_ns`? */
bool wanem_flows_admit(const wanem_flows *flows, const wanem_packet *packet, double lasts_ns, int64_t now_ns);

#endif
