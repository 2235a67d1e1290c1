/* SPDX-License-Identifier: BSD-3-Clause
 * wire.h - what a rank and the rendezvous store say to each other over TCP. Little endian, fixed widths.
 *
 *     rank                    store
 *      | HELLO rank size job -> |
 *      | <- ACCEPTED            |   at once: this is a rendezvous of your job
 *      | <- READY               |   when all ranks have come
 *      | GATHER round, data ->  |   as often as wanted, each rank the same number of bytes
 *      | <- GATHERED round, all |   size x bytes, in rank order
 *      | <- FAIL code, story    |   in place of any answer; the job is over
 *
 * A rank whose start-up is over closes, and may say HELLO again for the next one.
 *
 * WHO instead of HELLO asks who meets here; INFO answers with a text.
 *
 * The header and FAIL are the same in every version of the protocol, so that ranks with different versions
 * of the library can tell each other so. */
#ifndef FRD_BOOT_WIRE_H
#define FRD_BOOT_WIRE_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#define FRD_WIRE_MAGIC UINT32_C(0x42445246) /* "FRDB" */
#define FRD_WIRE_VERSION 1
#define FRD_WIRE_JOB_BYTES 64                  /* with its final zero */
#define FRD_WIRE_TEXT_MAX 1024                 /* bytes of a FAIL's or INFO's text */
#define FRD_WIRE_ROUND_MAX (UINT64_C(1) << 30) /* bytes of a GATHERED: 10,000 ranks x 100 KiB */
#define FRD_WIRE_RANKS_MAX 1000000             /* larger sizes are a mistake or an attack */

enum frd_wire_type {
    FRD_WIRE_HELLO = 1,
    FRD_WIRE_ACCEPTED,
    FRD_WIRE_READY,
    FRD_WIRE_GATHER,
    FRD_WIRE_GATHERED,
    FRD_WIRE_FAIL,
    FRD_WIRE_WHO,
    FRD_WIRE_INFO
};

typedef struct frd_wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    int32_t code;      /* FAIL: FEDRDMA_ERR_*; else 0 */
    uint32_t reserved; /* 0 */
    uint64_t round;    /* GATHER, GATHERED: counted from 0; else 0 */
    uint64_t wait_ns;  /* HELLO, GATHER: how long the rank will wait for the answer; else 0 */
    uint64_t bytes;    /* of the body that follows */
} frd_wire_header;

typedef struct frd_wire_hello {
    int32_t rank;
    int32_t size;
    int32_t pid;                  /* for stories only */
    int32_t reserved;             /* 0 */
    char job[FRD_WIRE_JOB_BYTES]; /* zero filled */
} frd_wire_hello;

static_assert(sizeof(frd_wire_header) == 40, "the header has no padding");
static_assert(offsetof(frd_wire_header, code) == 8, "");
static_assert(offsetof(frd_wire_header, round) == 16, "");
static_assert(offsetof(frd_wire_header, bytes) == 32, "");
static_assert(sizeof(frd_wire_hello) == 80, "the hello has no padding");
static_assert(offsetof(frd_wire_hello, job) == 16, "");

/* Host order to wire order and back: the same operation. */
static inline frd_wire_header frd_wire_swap(frd_wire_header h)
{
    h.magic = htole32(h.magic);
    h.version = htole16(h.version);
    h.type = htole16(h.type);
    h.code = (int32_t)htole32((uint32_t)h.code);
    h.reserved = htole32(h.reserved);
    h.round = htole64(h.round);
    h.wait_ns = htole64(h.wait_ns);
    h.bytes = htole64(h.bytes);
    return h;
}

static inline frd_wire_hello frd_wire_swap_hello(frd_wire_hello h)
{
    h.rank = (int32_t)htole32((uint32_t)h.rank);
    h.size = (int32_t)htole32((uint32_t)h.size);
    h.pid = (int32_t)htole32((uint32_t)h.pid);
    return h;
}

/* A header in host order. */
static inline frd_wire_header frd_wire_make(enum frd_wire_type type, uint64_t bytes)
{
    frd_wire_header h = { .magic = FRD_WIRE_MAGIC, .version = FRD_WIRE_VERSION, .bytes = bytes };

    h.type = (uint16_t)type;
    return h;
}

#endif
