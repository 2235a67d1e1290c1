/* SPDX-License-Identifier: BSD-3-Clause
 * again.c - contexts one after the other: joins, sums and leaves as often as the argument says. Nothing holds
 * a fast rank back, so it begins the next context while others still leave the one before. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/mp/expect.h"

MP_EXPECT_DEFINE;

int main(int argc, char **argv)
{
    const long times = argc > 1 ? strtol(argv[1], NULL, 10) : 3;

    for (long i = 0; i < times && mp_expect_failures == 0; i++) {
        fedrdma_context *context = NULL;
        int one = 1, sum = 0;

        if (!EXPECT_OK(fedrdma_init(NULL, &context)))
            break;
        mp_expect_rank = fedrdma_comm_rank(fedrdma_world(context));
        EXPECT_OK(fedrdma_allreduce(&one, &sum, 1, FEDRDMA_INT, FEDRDMA_SUM, fedrdma_world(context)));
        EXPECT(sum == fedrdma_comm_size(fedrdma_world(context)));
        EXPECT_OK(fedrdma_finalize(&context));
    }
    return mp_expect_failures > 0;
}
