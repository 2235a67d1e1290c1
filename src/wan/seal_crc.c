/* SPDX-License-Identifier: BSD-3-Clause
 * seal_crc.c - the seal that finds accidents: CRC32C (Castagnoli) over the session's secret, the head and the
 * body. It does not stop anybody who wants to forge. */
#include <string.h>

#include "reduce/crc32c.h"
#include "wan/seal.h"
#include "wan/wire.h"

static uint32_t tag_of(const frd_wan_seal *seal, uint64_t number, const unsigned char *datagram,
                       size_t head_bytes, size_t body_bytes)
{
    unsigned char head[sizeof(frd_wan_head) + sizeof(frd_wan_hops)];
    const uint64_t salt[2] = { seal->secret, number };
    uint32_t crc = frd_crc32c(0, salt, sizeof(salt));

    memcpy(head, datagram, head_bytes);
    head[offsetof(frd_wan_head, way)] &= 0x3f;
    crc = frd_crc32c(crc, head, head_bytes);
    return frd_crc32c(crc, datagram + head_bytes, body_bytes);
}

static void crc_seal(const frd_wan_seal *seal, uint64_t number, void *datagram, size_t head_bytes,
                     size_t body_bytes)
{
    const uint32_t tag = tag_of(seal, number, datagram, head_bytes, body_bytes);

    memcpy((unsigned char *)datagram + head_bytes + body_bytes, &tag, sizeof(tag));
}

static bool crc_open(const frd_wan_seal *seal, uint64_t number, void *datagram, size_t head_bytes,
                     size_t body_bytes)
{
    const uint32_t tag = tag_of(seal, number, datagram, head_bytes, body_bytes);

    return memcmp((unsigned char *)datagram + head_bytes + body_bytes, &tag, sizeof(tag)) == 0;
}

const frd_wan_seal_ops frd_wan_seal_crc = {
    .name = "crc32c",
    .tag_bytes = sizeof(uint32_t),
    .seal = crc_seal,
    .open = crc_open,
};
