/* SPDX-License-Identifier: BSD-3-Clause
 * users.c - user operators: 2x2 matrices, affine maps, and a commutative one; all modulo a power of two. */
#include "tests/adversary/users.h"

#include <string.h>

#include "fedrdma.h"

/* A u64 is a 2x2 matrix of u16, row by row from the lowest bits. */
static void multiply(const void *in, void *inout, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        uint16_t a[4], b[4], c[4];

        memcpy(a, (const char *)in + k * sizeof a, sizeof a);
        memcpy(b, (const char *)inout + k * sizeof b, sizeof b);
        for (int i = 0; i < 4; i++) {
            const int row = i & 2, column = i & 1;

            c[i] = (uint16_t)((uint32_t)a[row] * b[column] + (uint32_t)a[row + 1] * b[column + 2]);
        }
        memcpy((char *)inout + k * sizeof c, c, sizeof c);
    }
}

/* An i32 is the map x -> a x + b, a and b u16; the lower rank's map is applied first. */
static void compose(const void *in, void *inout, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        uint16_t first[2], then[2], both[2];

        memcpy(first, (const char *)in + k * sizeof first, sizeof first);
        memcpy(then, (const char *)inout + k * sizeof then, sizeof then);
        both[0] = (uint16_t)((uint32_t)first[0] * then[0]);
        both[1] = (uint16_t)((uint32_t)then[0] * first[1] + then[1]);
        memcpy((char *)inout + k * sizeof both, both, sizeof both);
    }
}

/* u16: a + b + ab, which is (1 + a)(1 + b) - 1. */
static void join(const void *in, void *inout, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        uint16_t a, b;

        memcpy(&a, (const char *)in + k * sizeof a, sizeof a);
        memcpy(&b, (const char *)inout + k * sizeof b, sizeof b);
        b = (uint16_t)((uint32_t)a + b + (uint32_t)a * b);
        memcpy((char *)inout + k * sizeof b, &b, sizeof b);
    }
}

const adv_user *adv_user_at(int index)
{
    static const adv_user users[ADV_USERS] = {
        [ADV_USER_MATRIX] = { multiply, FEDRDMA_U64, false },
        [ADV_USER_AFFINE] = { compose, FEDRDMA_I32, false },
        [ADV_USER_COMMUTATIVE] = { join, FEDRDMA_U16, true },
    };

    return &users[index];
}
