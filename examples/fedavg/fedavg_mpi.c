/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fedavg_mpi.c - federated averaging on MPI; fedavg.c is the same program on fedrdma.
 *
 * Every rank trains on rows that never leave it, and only the models are averaged: McMahan and others,
 * "Communication-efficient learning of deep networks from decentralized data", 2017.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <mpi.h>
#include "job.h"

/* values = sum of weight x values over all ranks, divided by the sum of the weights. */
static void average(float *values, size_t count, double weight, MPI_Comm comm)
{
    double weights;

    for (size_t i = 0; i < count; i++)
        values[i] *= (float)weight;
    MPI_Allreduce(&weight, &weights, 1, MPI_DOUBLE, MPI_SUM, comm);
    MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, comm);
    for (size_t i = 0; i < count; i++)
        values[i] /= (float)weights;
}

int main(int argc, char **argv)
{
    int rank, size, status = EXIT_SUCCESS;
    int32_t stopped;
    struct job job;

    MPI_Init(&argc, &argv);
    MPI_Comm world = MPI_COMM_WORLD;
    MPI_Comm_rank(world, &rank);
    MPI_Comm_size(world, &size);
    if (job_create(&job, rank, size) != 0)
        return EXIT_FAILURE;

    stopped = job_prepare(&job, argc, argv);
    MPI_Allreduce(MPI_IN_PLACE, &stopped, 1, MPI_INT32_T, MPI_MIN, world);
    if (stopped < size)
        status = job_farewell(&job, stopped);

    for (int round = 1; stopped == size && round <= job.options.rounds; round++) {
        double figures[2];

        job_train(&job, round);
        figures[0] = -job_seconds();
        average(job.update, job.count, job.weight, world);
        figures[0] += job_seconds();

        /* The rank that came last waited for nobody: its time is that of the communication. */
        figures[1] = -(double)job_count_wrong(&job, round);
        MPI_Allreduce(MPI_IN_PLACE, figures, 2, MPI_DOUBLE, MPI_MIN, world);
        if (job_finish_round(&job, round, figures[0], -figures[1]) != 0) {
            stopped = rank;
            status = EXIT_FAILURE;
        }
    }

    if (stopped == size) {
        job_compare(&job);
        MPI_Allreduce(MPI_IN_PLACE, job.curves, (int)job.points, MPI_DOUBLE, MPI_SUM, world);
        status = job_report(&job);
    }
    job_destroy(&job);
    MPI_Finalize();
    return status;
}
