/* SPDX-License-Identifier: BSD-3-Clause
 * hello_allreduce.c - the sum of all ranks' numbers, on every rank: the smallest port of an MPI program. */
#include <stdio.h>

#include "fedrdma.h"

int main(void)
{
    fedrdma_context *ctx = NULL;
    int rc = fedrdma_init(NULL, &ctx);
    fedrdma_comm *world = fedrdma_world(ctx);
    int rank = fedrdma_comm_rank(world), size = fedrdma_comm_size(world);
    float mine = (float)(rank + 1), sum = 0;

    if (rc == FEDRDMA_OK)
        rc = fedrdma_allreduce(&mine, &sum, 1, FEDRDMA_F32, FEDRDMA_SUM, world);
    if (rc == FEDRDMA_OK)
        printf("rank %d of %d: the sum is %g\n", rank, size, (double)sum);
    else
        fprintf(stderr, "%s: %s\n", fedrdma_strerror(rc), fedrdma_last_error(NULL));
    fedrdma_finalize(&ctx);
    return rc != FEDRDMA_OK;
}
