/* SPDX-License-Identifier: BSD-3-Clause
 * record_rank.c - are the result records true? A rank of a job over links that lose: some calls of each kind;
 * their records' retransmissions and reroutes must sum up to the counters'. Prints the sums. Exit status 0:
 * they do. */
#include <fedrdma.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 1 << 19, CALLS = 6, ALARM_S = 50 };

int main(void)
{
    fedrdma_context *context = NULL;
    float *const in = calloc(COUNT, sizeof(*in)), *const out = calloc(COUNT, sizeof(*out));
    uint64_t again[2] = { 0 }, rerouted[2] = { 0 }, sum_again = 0, sum_rerouted = 0;
    fedrdma_result result;

    alarm(ALARM_S);
    if (in == NULL || out == NULL || fedrdma_init(NULL, &context) != FEDRDMA_OK)
        return 2;
    fedrdma_comm *const world = fedrdma_world(context);
    for (int k = 0; k < CALLS; k++) {
        fedrdma_request *request = NULL;
        int rc;

        if (k == 0) {
            fedrdma_counter(context, "wan.retransmitted_chunks", &again[0]);
            fedrdma_counter(context, "wan.rerouted_chunks", &rerouted[0]);
        }
        if (k % 2 == 0) {
            rc = fedrdma_allreduce(in, out, COUNT, FEDRDMA_F32, FEDRDMA_SUM, world);
            rc = rc == FEDRDMA_OK ? fedrdma_comm_last_result(world, &result) : rc;
        } else {
            rc = fedrdma_iallreduce(in, out, COUNT, FEDRDMA_F32, FEDRDMA_SUM, world, &request);
            rc = rc == FEDRDMA_OK ? fedrdma_wait(&request, &result) : rc;
        }
        if (rc != FEDRDMA_OK) {
            printf("record: %s\n", fedrdma_last_error(world));
            return 2;
        }
        sum_again += result.retransmits;
        sum_rerouted += result.reroutes;
    }
    fedrdma_counter(context, "wan.retransmitted_chunks", &again[1]);
    fedrdma_counter(context, "wan.rerouted_chunks", &rerouted[1]);
    printf("record: %llu sent again, %llu rerouted; counters %llu %llu\n", (unsigned long long)sum_again,
           (unsigned long long)sum_rerouted, (unsigned long long)(again[1] - again[0]),
           (unsigned long long)(rerouted[1] - rerouted[0]));
    fflush(stdout);
    free(in);
    free(out);
    fedrdma_finalize(&context);
    return sum_again == again[1] - again[0] && sum_rerouted == rerouted[1] - rerouted[0] ? EXIT_SUCCESS
                                                                                         : EXIT_FAILURE;
}
