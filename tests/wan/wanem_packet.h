/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_packet.h - packets as the kernel hands them over: a virtio_net_hdr, then IPv4. TCP and UDP come as
 * super-packets of up to 64 KiB that stand for many segments; what happens to a segment (loss, tail drop)
 * cuts the super-packet around it, so most bytes pass in one read and one write. */
#ifndef WANEM_PACKET_H
#define WANEM_PACKET_H

#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    WANEM_VNET_BYTES = 10,          /* struct virtio_net_hdr */
    WANEM_PACKET_BYTES = 10 + 65536 /* the longest packet with its header */
};

typedef struct wanem_packet {
    uint8_t *data;          /* virtio_net_hdr, IPv4 header, ... */
    uint32_t bytes;         /* of all that */
    uint32_t segments;      /* what it stands for on the wire; at least 1 */
    uint32_t segment_bytes; /* payload of each segment but the last; 0 unless a super-packet */
    uint32_t header_bytes;  /* IPv4 and TCP or UDP header of each segment; 0 unless a super-packet */
} wanem_packet;

typedef enum wanem_checksum {
    WANEM_AUTO,   /* UDP mended, TCP broken: what is on top of UDP must see it, TCP must not lie */
    WANEM_MENDED, /* the receiving program gets the wrong bytes */
    WANEM_BROKEN  /* the receiving kernel finds out and drops it */
} wanem_checksum;

/* Fills in the rest from data and bytes. False: not IPv4, or its lengths contradict each other. */
bool wanem_packet_parse(wanem_packet *packet);

in_addr_t wanem_packet_to(const wanem_packet *packet);

/* The IP bytes of `count` segments from `first` on. */
uint32_t wanem_packet_wire_bytes(const wanem_packet *packet, uint32_t first, uint32_t count);

/* A copy of these segments as a packet of its own, headers and partial checksums mended; free() its data. */
wanem_packet wanem_packet_slice(const wanem_packet *packet, uint32_t first, uint32_t count);

/* Changes one payload byte of a packet of one segment, the one that `random` picks. False: it has no payload,
 * and stays as it was. Of an IP fragment the checksum can't be mended. */
bool wanem_packet_corrupt(wanem_packet *packet, wanem_checksum checksum, uint64_t random);

#endif
