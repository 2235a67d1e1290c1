/* SPDX-License-Identifier: BSD-3-Clause
 * buffer.c - buffers with garbage around them, to see writes that leave them. */
#include "tests/adversary/world.h"

#include <stdlib.h>
#include <string.h>

#define CANARY_BYTES 64
#define CANARY 0xc5

bool adv_buffer_make(adv_buffer *b, size_t len, size_t skew, adv_rng *rng)
{
    unsigned char *block = malloc(len + skew + 2 * CANARY_BYTES);

    if (block == NULL)
        return false;
    memset(block, CANARY, len + skew + 2 * CANARY_BYTES);
    *b = (adv_buffer){ block + CANARY_BYTES + skew, len, block };
    for (size_t i = 0; i < len; i++)
        b->bytes[i] = (unsigned char)adv_random(rng);
    return true;
}

bool adv_buffer_intact(const adv_buffer *b)
{
    if (b->bytes == NULL)
        return true;
    for (size_t i = 0; i < CANARY_BYTES; i++)
        if (b->bytes[b->len + i] != CANARY || b->bytes[-1 - (ptrdiff_t)i] != CANARY)
            return false;
    return true;
}

void adv_buffer_free(adv_buffer *b)
{
    free(b->block);
    *b = (adv_buffer){ 0 };
}
