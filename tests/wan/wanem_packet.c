/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_packet.c - lengths, headers and checksums of packets and super-packets.
 *
 * A super-packet carries one IP and TCP (or UDP) header for all its segments, and where the kernel should
 * finish the transport checksum, that field holds the sum of the pseudo header only. */
#include "tests/wan/wanem_packet.h"

#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* headers before Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static struct virtio_net_hdr vnet_of(const wanem_packet *p)
{
    struct virtio_net_hdr v;

    memcpy(&v, p->data, WANEM_VNET_BYTES);
    return v;
}

static struct iphdr ip_of(const wanem_packet *p)
{
    struct iphdr ip;

    memcpy(&ip, p->data + WANEM_VNET_BYTES, sizeof ip);
    return ip;
}

static uint32_t ip_header_bytes(const struct iphdr *ip)
{
    return (uint32_t)ip->ihl * 4;
}

/* Of the transport header at p's offset; 0 if it is not all there, or neither TCP nor UDP. */
static uint32_t transport_header_bytes(const wanem_packet *p, uint8_t protocol, uint32_t at)
{
    uint32_t bytes;

    if (protocol == IPPROTO_UDP)
        return p->bytes >= at + sizeof(struct udphdr) ? (uint32_t)sizeof(struct udphdr) : 0;
    if (protocol != IPPROTO_TCP || p->bytes < at + sizeof(struct tcphdr))
        return 0;
    bytes = (uint32_t)(p->data[at + 12] >> 4) * 4;
    return bytes >= sizeof(struct tcphdr) && p->bytes >= at + bytes ? bytes : 0;
}

bool wanem_packet_parse(wanem_packet *p)
{
    struct virtio_net_hdr v;
    struct iphdr ip;
    uint32_t headers, transport, payload;
    uint8_t gso;

    if (p->bytes < WANEM_VNET_BYTES + sizeof ip)
        return false;
    v = vnet_of(p);
    ip = ip_of(p);
    if (ip.version != 4 || ip.ihl < 5 || p->bytes - WANEM_VNET_BYTES < ip_header_bytes(&ip))
        return false;
    p->segments = 1;
    p->segment_bytes = p->header_bytes = 0;
    gso = v.gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
    if (gso == VIRTIO_NET_HDR_GSO_NONE)
        return true;
    if (v.gso_size == 0 || (gso == VIRTIO_NET_HDR_GSO_TCPV4 && ip.protocol != IPPROTO_TCP) ||
        (gso == VIRTIO_NET_HDR_GSO_UDP_L4 && ip.protocol != IPPROTO_UDP) ||
        (gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_UDP_L4))
        return false;
    headers = ip_header_bytes(&ip);
    transport = transport_header_bytes(p, ip.protocol, WANEM_VNET_BYTES + headers);
    if (transport == 0)
        return false;
    headers += transport;
    payload = p->bytes - WANEM_VNET_BYTES - headers;
    if (payload <= v.gso_size) { /* no super-packet after all */
        v.gso_type = VIRTIO_NET_HDR_GSO_NONE;
        v.gso_size = 0;
        memcpy(p->data, &v, WANEM_VNET_BYTES);
        return true;
    }
    p->segment_bytes = v.gso_size;
    p->header_bytes = headers;
    p->segments = (payload + v.gso_size - 1) / v.gso_size;
    return true;
}

in_addr_t wanem_packet_to(const wanem_packet *p)
{
    return ip_of(p).daddr;
}

/* Where the payload of segment i begins, counted from the first one's; past the end it is the end. */
static uint32_t payload_at(const wanem_packet *p, uint32_t i)
{
    const uint32_t payload = p->bytes - WANEM_VNET_BYTES - p->header_bytes;
    const uint32_t at = i * p->segment_bytes;

    return at < payload ? at : payload;
}

uint32_t wanem_packet_wire_bytes(const wanem_packet *p, uint32_t first, uint32_t count)
{
    if (p->segments == 1)
        return p->bytes - WANEM_VNET_BYTES;
    return payload_at(p, first + count) - payload_at(p, first) + count * p->header_bytes;
}

/* ---- checksums --------------------------------------------------------------------------------------------
 */

static uint32_t sum_bytes(uint32_t sum, const uint8_t *data, uint32_t bytes)
{
    uint64_t wide = sum;

    for (; bytes > 1; bytes -= 2, data += 2)
        wide += (uint32_t)data[0] << 8 | data[1];
    if (bytes == 1)
        wide += (uint32_t)data[0] << 8;
    while (wide >> 16 != 0)
        wide = (wide & 0xffff) + (wide >> 16);
    return (uint32_t)wide;
}

/* Of the pseudo header: both addresses, protocol, length. Not complemented. */
static uint32_t pseudo_sum(const struct iphdr *ip, uint32_t transport_bytes)
{
    uint32_t sum = sum_bytes(0, (const uint8_t *)&ip->saddr, 4);

    sum = sum_bytes(sum, (const uint8_t *)&ip->daddr, 4);
    sum += ip->protocol;
    sum += transport_bytes & 0xffff;
    return sum_bytes(sum, NULL, 0);
}

static void store16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Where in the transport header the checksum is. */
static uint32_t check_offset(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? 16 : 6;
}

/* The whole transport checksum in place, so that nobody else has to finish it. */
static void complete_checksum(wanem_packet *p)
{
    const struct iphdr ip = ip_of(p);
    const uint32_t at = WANEM_VNET_BYTES + ip_header_bytes(&ip), bytes = p->bytes - at;
    uint8_t *check = p->data + at + check_offset(ip.protocol);
    uint32_t sum;

    store16(check, 0);
    sum = ~sum_bytes(pseudo_sum(&ip, bytes), p->data + at, bytes) & 0xffff;
    store16(check, sum == 0 && ip.protocol == IPPROTO_UDP ? 0xffff : sum);
}

/* ---- cutting ----------------------------------------------------------------------------------------------
 */

/* A TCP header for segments first..first+count-1 of p: later sequence number, FIN and PSH on the last, CWR on
 * the first only. */
static void cut_tcp(const wanem_packet *p, uint8_t *header, uint32_t first, uint32_t count)
{
    uint32_t sequence;

    memcpy(&sequence, header + 4, sizeof sequence);
    sequence = htonl(ntohl(sequence) + payload_at(p, first));
    memcpy(header + 4, &sequence, sizeof sequence);
    if (first + count < p->segments)
        header[13] &= (uint8_t) ~(TH_FIN | TH_PUSH);
    if (first > 0)
        header[13] &= (uint8_t)~0x80;
}

static void cut_headers(const wanem_packet *p, wanem_packet *out, uint32_t first, uint32_t count)
{
    struct virtio_net_hdr v = vnet_of(p);
    struct iphdr ip = ip_of(p);
    const uint32_t ip_bytes = ip_header_bytes(&ip);
    const uint32_t transport_bytes = out->bytes - WANEM_VNET_BYTES - ip_bytes;
    uint8_t *const ip_at = out->data + WANEM_VNET_BYTES, *const transport = ip_at + ip_bytes;

    if (count == 1) {
        v.gso_type = VIRTIO_NET_HDR_GSO_NONE;
        v.gso_size = 0;
    }
    v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    v.csum_start = (uint16_t)ip_bytes;
    v.csum_offset = (uint16_t)check_offset(ip.protocol);
    memcpy(out->data, &v, WANEM_VNET_BYTES);

    ip.tot_len = htons((uint16_t)(ip_bytes + transport_bytes));
    ip.id = htons((uint16_t)(ntohs(ip.id) + first));
    ip.check = 0;
    memcpy(ip_at, &ip, sizeof ip);
    store16(ip_at + 10, ~sum_bytes(0, ip_at, ip_bytes) & 0xffff);

    if (ip.protocol == IPPROTO_TCP)
        cut_tcp(p, transport, first, count);
    else
        store16(transport + 4, transport_bytes);
    store16(transport + check_offset(ip.protocol), pseudo_sum(&ip, transport_bytes));
}

static uint8_t *allocate(size_t bytes)
{
    uint8_t *data = malloc(bytes);

    if (data == NULL) {
        fputs("wanem: out of memory\n", stderr);
        exit(1);
    }
    return data;
}

wanem_packet wanem_packet_slice(const wanem_packet *p, uint32_t first, uint32_t count)
{
    const uint32_t headers = WANEM_VNET_BYTES + p->header_bytes;
    wanem_packet out = *p;
    uint32_t from, to;

    if (count == p->segments) {
        out.data = allocate(p->bytes);
        memcpy(out.data, p->data, p->bytes);
        return out;
    }
    from = payload_at(p, first);
    to = payload_at(p, first + count);
    out.bytes = headers + to - from;
    out.segments = count;
    out.data = allocate(out.bytes);
    memcpy(out.data, p->data, headers);
    memcpy(out.data + headers, p->data + headers + from, to - from);
    cut_headers(p, &out, first, count);
    if (count == 1)
        out.segment_bytes = out.header_bytes = 0;
    return out;
}

bool wanem_packet_corrupt(wanem_packet *p, wanem_checksum checksum, uint64_t random)
{
    struct virtio_net_hdr v = vnet_of(p);
    const struct iphdr ip = ip_of(p);
    const uint32_t at = WANEM_VNET_BYTES + ip_header_bytes(&ip);
    const uint32_t headers = at + transport_header_bytes(p, ip.protocol, at);
    const bool fragment = (ntohs(ip.frag_off) & 0x3fff) != 0;
    const bool partial = (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;

    if (checksum == WANEM_AUTO)
        checksum = ip.protocol == IPPROTO_UDP ? WANEM_MENDED : WANEM_BROKEN;
    if (headers == at || headers >= p->bytes)
        return false;
    if (checksum == WANEM_BROKEN && partial) {
        complete_checksum(p);
        v.flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
        memcpy(p->data, &v, WANEM_VNET_BYTES);
    }
    p->data[headers + random % (p->bytes - headers)] ^= (uint8_t)(1 + (random >> 32) % 255);
    if (checksum == WANEM_MENDED && !partial && !fragment)
        complete_checksum(p);
    return true;
}
