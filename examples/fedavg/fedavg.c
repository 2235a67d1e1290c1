/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fedavg.c - federated averaging on fedrdma; fedavg_mpi.c is the same program on MPI.
 *
 * Every rank trains on rows that never leave it, and only the models are averaged: McMahan and others,
 * "Communication-efficient learning of deep networks from decentralized data", 2017.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fedrdma.h"
#include "job.h"

/* Ends the program when a call failed, with the library's story of it (MPI does so by itself). */
static void check(int rc)
{
    if (rc == FEDRDMA_OK)
        return;
    fprintf(stderr, "fedavg: %s: %s\n", fedrdma_strerror(rc), fedrdma_last_error(NULL));
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    int rank, size, status = EXIT_SUCCESS;
    int32_t stopped;
    struct job job;
    fedrdma_context *context;

    check(fedrdma_init(NULL, &context));
    fedrdma_comm *world = fedrdma_world(context);
    rank = fedrdma_comm_rank(world);
    size = fedrdma_comm_size(world);
    if (job_create(&job, rank, size) != 0)
        return EXIT_FAILURE;
    for (int r = 0; r < size; r++)
        job.silo_of[r] = fedrdma_comm_silo(world, r);

    stopped = job_prepare(&job, argc, argv);
    check(fedrdma_allreduce(FEDRDMA_IN_PLACE, &stopped, 1, FEDRDMA_I32, FEDRDMA_MIN, world));
    if (stopped < size)
        status = job_farewell(&job, stopped);

    for (int round = 1; stopped == size && round <= job.options.rounds; round++) {
        double figures[2];

        job_train(&job, round);
        figures[0] = -job_seconds();
        check(fedrdma_allreduce_weighted(FEDRDMA_IN_PLACE, job.update, job.count, FEDRDMA_F32, job.weight,
                                         world));
        figures[0] += job_seconds();

        /* The rank that came last waited for nobody: its time is that of the communication. */
        figures[1] = -(double)job_count_wrong(&job, round);
        check(fedrdma_allreduce(FEDRDMA_IN_PLACE, figures, 2, FEDRDMA_F64, FEDRDMA_MIN, world));
        if (job_finish_round(&job, round, figures[0], -figures[1]) != 0) {
            stopped = rank;
            status = EXIT_FAILURE;
        }
    }

    if (stopped == size) {
        job_compare(&job);
        check(fedrdma_allreduce(FEDRDMA_IN_PLACE, job.curves, job.points, FEDRDMA_F64, FEDRDMA_SUM, world));
        status = job_report(&job);
    }
    job_destroy(&job);
    check(fedrdma_finalize(&context));
    return status;
}
