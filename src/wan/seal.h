/* SPDX-License-Identifier: BSD-3-Clause
 * seal.h - what protects a datagram: a tag behind it, over all of it but the place in the list of hops, which
 * relays change. A session has one seal. Now there is one kind, a checksum; one that encrypts in place and
 * authenticates fills the same table (the head is what it authenticates only, the head's key epoch and number
 * make its nonce). */
#ifndef FRD_WAN_SEAL_H
#define FRD_WAN_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRD_WAN_TAG_MAX = 16 }; /* bytes of the longest tag */

typedef struct frd_wan_seal frd_wan_seal;

typedef struct frd_wan_seal_ops {
    const char *name;
    size_t tag_bytes;
    /* Seals head[0..head_bytes) and body[0..body_bytes) for the wire; writes the tag behind the body.
     * `number` is the datagram's whole number on its route. */
    void (*seal)(const frd_wan_seal *seal, uint64_t number, void *datagram, size_t head_bytes,
                 size_t body_bytes);
    /* Opens it in place; body_bytes without the tag. False: it is not what was sent. */
    bool (*open)(const frd_wan_seal *seal, uint64_t number, void *datagram, size_t head_bytes,
                 size_t body_bytes);
} frd_wan_seal_ops;

struct frd_wan_seal {
    const frd_wan_seal_ops *ops;
    uint64_t secret; /* of the session: a datagram of another one does not pass */
};

extern const frd_wan_seal_ops frd_wan_seal_crc;

#endif
