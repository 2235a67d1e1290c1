/* SPDX-License-Identifier: BSD-3-Clause
 * wire.h - what travels between two ranks over the WAN: datagrams, and the frames in them.
 *
 *     DATA     head | hops, if relayed | frames ... | tag          HELLO    head | hops, if relayed | hello |
 * tag
 *
 * The head stays readable: relays forward by it. The tag (seal.h) covers all but the place in the list of
 * hops. Frames in a DATA datagram:
 *
 *   ACK       which datagrams of this route have arrived, latest first
 *   CHUNK     bytes of a message; the one at offset 0 has the message's tag and length in front of them
 *   VERDICT   the receiver's word on a message: its receive is there (send all of it), or nobody wants it
 *   RESET     the sender takes a message back
 *   PING      asks for an ACK; padded, it asks whether the path carries that many bytes
 *   BYE       the rank leaves the job
 *
 * All in this machine's byte order: HELLO and the cards (wan.c) turn away the other one. Every field that
 * comes from the network is checked in wire.c or where it is used; nothing is trusted because it was sealed.
 */
#ifndef FRD_WAN_WIRE_H
#define FRD_WAN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

enum {
    FRD_WAN_VERSION = 1,
    FRD_WAN_DATA = 1, /* kinds of datagrams */
    FRD_WAN_HELLO = 2,
    FRD_WAN_HOPS = 3,      /* relays between two ranks, at most */
    FRD_WAN_ACK_NOW = 0x4, /* flag of a head: nothing follows soon, answer at once. Bits 0 and 1: key epoch */
    FRD_WAN_ACK_RANGES = 32,
    FRD_WAN_DATAGRAM_MIN = 1200, /* every path carries so much UDP payload */
    FRD_WAN_DATAGRAM_MAX = 9000
};

typedef struct frd_wan_head {
    uint8_t kind; /* version << 4 | FRD_WAN_DATA or FRD_WAN_HELLO */
    uint8_t hops; /* place in the list << 4 | length of the list; 0: direct, no list */
    uint8_t flags;
    uint8_t zero;
    uint16_t from, to; /* ranks: ends, not hops */
    uint32_t session;  /* both ends know it from their cards */
    uint32_t number;   /* of this datagram on its route and direction, low 32 bits; HELLO: 0 */
} frd_wan_head;
_Static_assert(sizeof(frd_wan_head) == 16, "wire format");

/* The relays, from `from` to `to`; unused ones are 0xffff. */
typedef struct frd_wan_via {
    uint16_t rank[4];
} frd_wan_via;
_Static_assert(sizeof(frd_wan_via) == 8 && FRD_WAN_HOPS < 4, "wire format");

#define FRD_WAN_HELLO_MAGIC UINT32_C(0x46575701)

/* Opens a route, from either end, until something comes back. */
typedef struct frd_wan_hello {
    uint32_t magic;
    uint8_t answer; /* 0: please answer; 1: an answer; 2: refused, see why */
    uint8_t why;    /* frd_wan_refusal */
    uint16_t datagram_bytes;
    uint64_t job;                  /* hash of the job's name */
    uint64_t epoch_from, epoch_to; /* random numbers of the two processes, as the sender knows them */
    uint64_t sent_ns;              /* the asker's clock; an answer brings it back */
} frd_wan_hello;
_Static_assert(sizeof(frd_wan_hello) == 40, "wire format");

enum frd_wan_refusal { FRD_WAN_OTHER_JOB = 1, FRD_WAN_OTHER_PROCESS, FRD_WAN_OTHER_RANK, FRD_WAN_GIVEN_UP };

enum frd_wan_type {
    FRD_WAN_ACK = 1,
    FRD_WAN_CHUNK,
    FRD_WAN_VERDICT,
    FRD_WAN_RESET,
    FRD_WAN_PING,
    FRD_WAN_BYE
};

typedef struct frd_wan_range {
    uint32_t first, last; /* datagram numbers, low 32 bits, both included */
} frd_wan_range;

typedef struct frd_wan_wire_ack {
    uint8_t type, ranges; /* frd_wan_range follow, latest first, apart from each other */
    uint16_t delay_16us;  /* since the latest came */
    uint32_t came_us; /* when it did, by the receiver's clock, low 32 bits: differences show the queue on the
                         way there */
} frd_wan_wire_ack;
_Static_assert(sizeof(frd_wan_wire_ack) == 8 && sizeof(frd_wan_range) == 8, "wire format");

enum { FRD_WAN_CHUNK_OPEN = 1, FRD_WAN_CHUNK_CONTROL = 2 };

typedef struct frd_wan_wire_chunk {
    uint8_t type, flags;
    uint16_t bytes; /* of data, behind this and the opening */
    uint32_t id;    /* of the message: counts up per direction */
    uint64_t offset;
} frd_wan_wire_chunk;
_Static_assert(sizeof(frd_wan_wire_chunk) == 16, "wire format");

typedef struct frd_wan_wire_open {
    frd_tag tag;
    uint64_t len;
} frd_wan_wire_open;
_Static_assert(sizeof(frd_wan_wire_open) == 32, "wire format");

enum { FRD_WAN_ACCEPT = 1, FRD_WAN_REFUSE = 2 };

/* VERDICT, RESET, PING, BYE. */
typedef struct frd_wan_wire_note {
    uint8_t type, verdict;
    uint16_t padding; /* bytes behind this that mean nothing */
    uint32_t id;
} frd_wan_wire_note;
_Static_assert(sizeof(frd_wan_wire_note) == 8, "wire format");

/* ---- decoding ---- */

/* A datagram's head and hops, taken apart and checked. */
typedef struct frd_wan_parsed {
    frd_wan_head head;
    frd_wan_via via;
    unsigned kind, hops, place;
    const unsigned char *body; /* behind the hops; the tag is at its end */
    size_t body_bytes;
} frd_wan_parsed;

typedef struct frd_wan_frame {
    enum frd_wan_type type;
    frd_wan_wire_chunk chunk;
    frd_wan_wire_open open; /* of a chunk with FRD_WAN_CHUNK_OPEN */
    frd_wan_wire_note note;
    frd_wan_wire_ack ack;
    frd_wan_range range[FRD_WAN_ACK_RANGES];
    const unsigned char *data; /* of a chunk */
} frd_wan_frame;

/* False: malformed. */
bool frd_wan_parse(const void *datagram, size_t bytes, frd_wan_parsed *parsed);

/* The frame at *at, which moves behind it: 1; at the end 0; malformed -1. */
int frd_wan_next_frame(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame);

/* Bytes of a head with `hops` relays. */
static inline size_t frd_wan_head_bytes(unsigned hops)
{
    return sizeof(frd_wan_head) + (hops > 0 ? sizeof(frd_wan_via) : 0);
}

/* The 64-bit number nearest to `near` that ends with these 32 bits. */
static inline uint64_t frd_wan_widen(uint32_t low, uint64_t near)
{
    const int64_t number = (int64_t)near + (int32_t)(low - (uint32_t)near);

    return number < 0 ? (uint64_t)low : (uint64_t)number;
}

#endif
