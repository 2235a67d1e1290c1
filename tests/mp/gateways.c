/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gateways.c - a rank that takes part in some allreduces, and prints what it has sent to other silos. */
#include <stdio.h>
#include <stdlib.h>

#include "fedrdma.h"

enum { COUNT = 1 << 18, ROUNDS = 2 };

int main(void)
{
    static float vector[COUNT];
    fedrdma_context *context = NULL;
    uint64_t sent = 0;
    int rc = fedrdma_init(NULL, &context);

    for (int i = 0; i < ROUNDS && rc == FEDRDMA_OK; i++)
        rc = fedrdma_allreduce(FEDRDMA_IN_PLACE, vector, COUNT, FEDRDMA_F32, FEDRDMA_SUM,
                               fedrdma_world(context));
    if (rc == FEDRDMA_OK)
        rc = fedrdma_barrier(
            fedrdma_world(context)); /* which counts what came with the last acknowledgements */
    if (rc == FEDRDMA_OK)
        rc = fedrdma_counter(context, "wan.sent_bytes", &sent);
    if (rc != FEDRDMA_OK)
        fprintf(stderr, "%s\n", fedrdma_last_error(NULL));
    printf("wan.sent_bytes %llu\n", (unsigned long long)sent);
    if (context != NULL)
        (void)fedrdma_finalize(&context);
    return rc == FEDRDMA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
