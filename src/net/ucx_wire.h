/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_wire.h - what travels between two ranks over UCX: every message is one UCX active message with this
 * header, and payload behind it where the table says so.
 *
 *   kind       payload          id                 arg            meaning
 *   EAGER      the message                                        a small message, paid from the credit
 *   CONTROL    the message                                        one of the engine's own
 *   OFFER      none, or all     sender's                          a message of `len` bytes waits for its receive;
 *              of it (UCX's                                       with UCX's rendezvous the payload is fetched
 *              rendezvous)                                        through the descriptor that came along
 *   CLEAR      none             sender's           receiver's     the receive is there: send pieces
 *   PIECE      a part           receiver's         offset         `len` bytes of the message
 *   REFUSE     none             sender's                          nobody wants the (rest of the) message
 *   WITHDRAW   none             sender's                          the sender takes an offer back
 *   GONE       none             receiver's                        the sender stops in the middle, or was not there
 *   CREDIT     none                                               only the header's credit
 *   GOODBYE    none                                               the last message: the rank leaves the job
 *   HELLO      none                                               the first on a connection
 *
 * Ids are slots.h's, of the side named. A header that does not fit is dropped and counted (net_dropped). */
#ifndef FRD_NET_UCX_WIRE_H
#define FRD_NET_UCX_WIRE_H

#include <stdint.h>

#include "net/net.h"

/* The protocol's version is its last byte. Reads differently on a machine of the other byte order. */
#define FRD_UCX_MAGIC UINT32_C(0x46555801)

enum frd_ucx_kind {
    FRD_UCX_EAGER = 1,
    FRD_UCX_CONTROL,
    FRD_UCX_OFFER,
    FRD_UCX_CLEAR,
    FRD_UCX_PIECE,
    FRD_UCX_REFUSE,
    FRD_UCX_WITHDRAW,
    FRD_UCX_GONE,
    FRD_UCX_CREDIT,
    FRD_UCX_GOODBYE,
    FRD_UCX_HELLO
};

typedef struct frd_ucx_wire {
    uint32_t magic;
    uint32_t kind;
    uint32_t source; /* rank */
    uint32_t credit; /* eager bytes of the addressee's that `source` has consumed since it last told */
    frd_tag tag;     /* zero where there is none */
    uint64_t len;
    uint64_t id;
    uint64_t arg;
} frd_ucx_wire;
_Static_assert(sizeof(frd_ucx_wire) == 64, "wire format");

/* One address of a rank's host. */
typedef struct frd_ucx_place {
    uint16_t family; /* AF_INET or AF_INET6 */
    uint16_t prefix; /* bits of its subnet */
    uint32_t zero;
    uint8_t address[16]; /* in network order; IPv4: the first 4 */
} frd_ucx_place;
_Static_assert(sizeof(frd_ucx_place) == 24, "wire format");

enum { FRD_UCX_PLACES = 16 }; /* more than any host uses for one fabric */

/* What a rank tells the others when it starts. When it connects, its cookie and rank introduce it (as UCX's client
 * id), so that strangers at the port are turned away. */
typedef struct frd_ucx_card {
    uint32_t magic;
    uint32_t cookie;       /* random */
    uint64_t window_bytes; /* eager bytes that may wait unreceived at this rank, from each peer */
    char boot_id[40];      /* names the host, zero padded */
    uint64_t network;      /* inode of the network namespace */
    uint32_t port;
    uint32_t places;
    frd_ucx_place place[FRD_UCX_PLACES];
} frd_ucx_card;
_Static_assert(sizeof(frd_ucx_card) == 72 + 24 * FRD_UCX_PLACES, "wire format");

#endif
