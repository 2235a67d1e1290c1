/* SPDX-License-Identifier: BSD-3-Clause
 * wire.h - what travels between two ranks over the WAN: datagrams, and the frames in them.
 *
 *     DATA     head | hops, if relayed | frames ... | tag
 *     HELLO    head | hops, if relayed | hello | padding | tag
 *
 * The head stays readable: relays forward by it. The tag (seal.h) covers all but the place in the list of
 * hops. To whom a datagram goes that is not relayed, its address says; its session belongs to one pair of
 * processes only, so that one which went astray is noticed.
 *
 * What most datagrams are, the inner part of a long message, costs 24 bytes: the head's 12, a chunk's 8 and
 * the checksum's 4. Frames in a DATA datagram:
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
    FRD_WAN_VERSION = 2,
    FRD_WAN_DATA = 1, /* kinds of datagrams */
    FRD_WAN_HELLO = 2,
    FRD_WAN_HOPS = 3,      /* relays between two ranks, at most */
    FRD_WAN_ACK_NOW = 0x4, /* flag of a head: nothing follows soon, answer at once. Bits 0 and 1: key epoch */
    FRD_WAN_FLAGS = 0x7,
    FRD_WAN_ACK_RANGES = 32,
    FRD_WAN_DATAGRAM_MIN = 1200, /* every path carries so much UDP payload */
    FRD_WAN_DATAGRAM_MAX = 9000
};

typedef struct frd_wan_head {
    uint8_t kind;  /* version << 4 | FRD_WAN_DATA or FRD_WAN_HELLO */
    uint8_t way;   /* place in the list of hops << 6 | its length << 4 | flags; length 0: direct, no list */
    uint16_t from; /* rank: the end, not a hop */
    uint32_t session; /* both ends know it from their cards */
    uint32_t number;  /* of this datagram on its route and direction, low 32 bits; HELLO: 0 */
} frd_wan_head;
_Static_assert(sizeof(frd_wan_head) == 12, "wire format");

/* The relays in order; unused ones are 0xffff. Then the end. */
typedef struct frd_wan_hops {
    uint16_t rank[FRD_WAN_HOPS], to;
} frd_wan_hops;
_Static_assert(sizeof(frd_wan_hops) == 8 && FRD_WAN_HOPS < 4, "wire format");

/* As routes keep them; the last is 0xffff always. */
typedef struct frd_wan_via {
    uint16_t rank[FRD_WAN_HOPS + 1];
} frd_wan_via;

#define FRD_WAN_HELLO_MAGIC UINT32_C(0x46575702)

/* Opens a route, from either end, until something comes back. Padded, it asks what the path carries, too. */
typedef struct frd_wan_hello {
    uint32_t magic;
    uint8_t answer;          /* 0: please answer; 1: an answer; 2: refused, see why */
    uint8_t why;             /* frd_wan_refusal */
    uint16_t datagram_bytes; /* that its sender's lane carries, at most */
    uint16_t to;             /* rank */
    uint16_t bytes; /* of this datagram in all; in an answer: of the longest that came and is answered */
    uint32_t zero;
    uint64_t job;                  /* hash of the job's name */
    uint64_t epoch_from, epoch_to; /* random numbers of the two processes, as the sender knows them */
    uint64_t sent_ns;              /* the asker's clock; an answer brings it back */
} frd_wan_hello;
_Static_assert(sizeof(frd_wan_hello) == 48, "wire format");

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

/* A CHUNK, least significant bytes first:
 *
 *     type and flags  1   bits 0-3 FRD_WAN_CHUNK; 4-5 bytes of the offset: 0 (it is 0), 3, 4 or 8, as few as
 * hold it; bit 6 FRD_WAN_CHUNK_OPEN; bit 7 FRD_WAN_CHUNK_LAST id              4   of the message: counts up
 * per direction bytes           2   of data; not in the LAST one, which ends where the datagram does offset
 * 0, 3, 4, 8 opening         32  frd_wan_wire_open, where it is OPEN data */
enum { FRD_WAN_CHUNK_OPEN = 0x40, FRD_WAN_CHUNK_LAST = 0x80, FRD_WAN_CHUNK_WIDTH = 4 /* its place */ };

typedef struct frd_wan_chunk {
    bool opens;
    uint16_t bytes;
    uint32_t id;
    uint64_t offset;
} frd_wan_chunk;

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
    int to;                    /* rank; direct: -1, who has it */
    const unsigned char *body; /* behind the hops; the tag is at its end */
    size_t body_bytes;
} frd_wan_parsed;

typedef struct frd_wan_frame {
    enum frd_wan_type type;
    frd_wan_chunk chunk;
    frd_wan_wire_open open; /* of a chunk that opens */
    frd_wan_wire_note note;
    frd_wan_wire_ack ack;
    frd_wan_range range[FRD_WAN_ACK_RANGES];
    const unsigned char *data; /* of a chunk */
} frd_wan_frame;

/* False: malformed. */
bool frd_wan_parse(const void *datagram, size_t bytes, frd_wan_parsed *parsed);

/* The frame at *at, which moves behind it: 1; at the end 0; malformed -1. */
int frd_wan_next_frame(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame);

/* ---- encoding ---- */

/* Bytes of a head with `hops` relays. */
static inline size_t frd_wan_head_bytes(unsigned hops)
{
    return sizeof(frd_wan_head) + (hops > 0 ? sizeof(frd_wan_hops) : 0);
}

/* Bytes in front of a chunk's data. */
size_t frd_wan_chunk_bytes(uint64_t offset, bool opens, bool last);
/* Writes them; `open` NULL: it does not open a message. */
size_t frd_wan_write_chunk(unsigned char *at, const frd_wan_chunk *chunk, const frd_wan_wire_open *open,
                           bool last);

/* The 64-bit number nearest to `near` that ends with these 32 bits. */
static inline uint64_t frd_wan_widen(uint32_t low, uint64_t near)
{
    const int64_t number = (int64_t)near + (int32_t)(low - (uint32_t)near);

    return number < 0 ? (uint64_t)low : (uint64_t)number;
}

#endif
