/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_port.h - the emulator's end of a silo's interface wan0: a TUN device that it makes inside the node's
 * network namespace, or (without /dev/net/tun) an AF_PACKET socket on the near end of a veth pair. Both carry
 * super-packets in both directions. */
#ifndef WANEM_PORT_H
#define WANEM_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/wan/wanem_packet.h"

typedef struct wanem_port {
    int fd;
    bool veth;
    uint8_t near_mac[6], far_mac[6]; /* veth: ours, the silo's */
    int overflow_fd;                 /* TUN: the kernel's counter of packets that we did not fetch in time */
    uint64_t overflow_sum, overflow_start;
    uint64_t read, written, failed, foreign; /* foreign: packets for nobody we know */
} wanem_port;

/* The MAC address of a veth port's far end, from the silo's first address: 02:00 and that. */
void wanem_port_mac(in_addr_t address, uint8_t mac[6]);

/* Opens the TUN device wan0 in the network namespace of process pid, or, with `veth` not NULL, the near end
 * of that name in ours. 0, or -1 after a message. */
int wanem_port_open(wanem_port *port, pid_t pid, const char *veth, in_addr_t address);

/* The next packet into `data` (WANEM_PACKET_BYTES long); its length, or 0 when there is none. */
uint32_t wanem_port_read(wanem_port *port, uint8_t *data);

void wanem_port_write(wanem_port *port, const wanem_packet *packet);

/* Packets lost for want of speed since the last wanem_port_zero. */
uint64_t wanem_port_overflow(wanem_port *port);

void wanem_port_zero(wanem_port *port);

#endif
