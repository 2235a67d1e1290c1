/* SPDX-License-Identifier: BSD-3-Clause
 * wanflow.h - one flow of data from a node of a lab to another, measured at both ends of one clock. */
#ifndef WANFLOW_H
#define WANFLOW_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct wanflow {
    struct sockaddr_in from, to;
    int from_net, to_net; /* network namespaces */
    double rate_bps;      /* of payload; 0: as fast as it goes */
    double seconds, skip_seconds;
    int datagram_bytes;
    bool offload; /* UDP_SEGMENT and UDP_GRO */
    char cc[20];  /* TCP's, of the sender */
} wanflow;

/* A socket in that network namespace, bound to that address. Exits after a message if there is none. */
int wanflow_socket(int net, int type, const struct sockaddr_in *address);

/* Says what errno is about and exits. */
void wanflow_fail(const char *what) __attribute__((noreturn));

/* Each prints its line of results and returns the exit status. */
int wanflow_udp(const wanflow *flow);
int wanflow_tcp(const wanflow *flow);

#endif
