/* SPDX-License-Identifier: BSD-3-Clause
 *
 * interleave.c - an MPI program that also uses fedrdma on the same ranks: collectives of both in turn, in
 * flight at the same time, on all ranks and on a part; each must give what the other gives, and MPI must go
 * on working after fedrdma has left. Run by mpirun. */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "fedrdma_mpi.h"
#include "tests/mp/expect.h"

MP_EXPECT_DEFINE;

enum { ROUNDS = 150, MOST = 30000 };

typedef struct side {
    MPI_Comm mpi;
    fedrdma_context *context;
    fedrdma_comm *comm;
    int rank, size;
    int *mine, *by_mpi, *by_us;
} side;

static bool open_side(MPI_Comm mpi, side *s)
{
    s->mpi = mpi;
    if (!EXPECT_OK(fedrdma_init_mpi(mpi, NULL, &s->context)))
        return false;
    s->comm = fedrdma_world(s->context);
    MPI_Comm_rank(mpi, &s->rank);
    MPI_Comm_size(mpi, &s->size);
    s->mine = calloc(MOST, sizeof(int));
    s->by_mpi = calloc((size_t)MOST * (size_t)s->size, sizeof(int));
    s->by_us = calloc((size_t)MOST * (size_t)s->size, sizeof(int));
    EXPECT(fedrdma_comm_rank(s->comm) == s->rank && fedrdma_comm_size(s->comm) == s->size);
    return EXPECT(s->mine != NULL && s->by_mpi != NULL && s->by_us != NULL);
}

static void close_side(side *s)
{
    EXPECT_OK(fedrdma_finalize(&s->context));
    free(s->mine);
    free(s->by_mpi);
    free(s->by_us);
}

static void both_blocking(side *s, int round, int count)
{
    size_t n = (size_t)count;
    int root = round % s->size, results = 1;

    switch (round % 4) {
    case 0:
        MPI_Allreduce(s->mine, s->by_mpi, count, MPI_INT, MPI_SUM, s->mpi);
        EXPECT_OK(fedrdma_allreduce(s->mine, s->by_us, n, FEDRDMA_INT, FEDRDMA_SUM, s->comm));
        break;
    case 1:
        EXPECT_OK(fedrdma_allgather(s->mine, n, FEDRDMA_INT, s->by_us, n, FEDRDMA_INT, s->comm));
        MPI_Allgather(s->mine, count, MPI_INT, s->by_mpi, count, MPI_INT, s->mpi);
        results = s->size;
        break;
    case 2:
        memcpy(s->by_us, s->mine, n * sizeof(int));
        memcpy(s->by_mpi, s->mine, n * sizeof(int));
        EXPECT_OK(fedrdma_broadcast(s->by_us, n, FEDRDMA_INT, root, s->comm));
        MPI_Bcast(s->by_mpi, count, MPI_INT, root, s->mpi);
        break;
    default:
        MPI_Scan(s->mine, s->by_mpi, count, MPI_INT, MPI_MAX, s->mpi);
        EXPECT_OK(fedrdma_scan(s->mine, s->by_us, n, FEDRDMA_INT, FEDRDMA_MAX, s->comm));
        break;
    }
    EXPECT(memcmp(s->by_mpi, s->by_us, n * sizeof(int) * (size_t)results) == 0);
}

/* Both in flight, with messages of MPI between neighbours in the middle; completed in turns of tests. */
static void both_in_flight(side *s, int round, int count)
{
    fedrdma_request *ours = NULL;
    MPI_Request theirs;
    int done[2] = { 0, 0 }, token = round, got = -1;

    MPI_Iallreduce(s->mine, s->by_mpi, count, MPI_INT, MPI_MIN, s->mpi, &theirs);
    EXPECT_OK(fedrdma_iallreduce(s->mine, s->by_us, (size_t)count, FEDRDMA_INT, FEDRDMA_MIN, s->comm, &ours));
    MPI_Sendrecv(&token, 1, MPI_INT, (s->rank + 1) % s->size, 1, &got, 1, MPI_INT,
                 (s->rank + s->size - 1) % s->size, 1, s->mpi, MPI_STATUS_IGNORE);
    EXPECT(got == round);
    while ((!done[0] || !done[1]) && mp_expect_failures == 0) {
        if (!done[0])
            MPI_Test(&theirs, &done[0], MPI_STATUS_IGNORE);
        if (!done[1])
            EXPECT_OK(fedrdma_test(&ours, &done[1], NULL));
    }
    EXPECT(memcmp(s->by_mpi, s->by_us, (size_t)count * sizeof(int)) == 0);
}

static void rounds(side *s, int number)
{
    static const int counts[] = { 1, 100, 3000, MOST };

    for (int round = 0; round < number && mp_expect_failures == 0; round++) {
        int count = counts[round / 4 % 4];
        for (int i = 0; i < count; i++)
            s->mine[i] = (s->rank + 1) * 1000003 + i * (round + 1);
        both_blocking(s, round, count);
        both_in_flight(s, round, count);
    }
}

int main(int argc, char **argv)
{
    side world = { 0 }, part = { 0 };
    MPI_Comm half;
    int rank, sum = 0, one = 1, size;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    mp_expect_rank = rank;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
    if (open_side(MPI_COMM_WORLD, &world)) {
        rounds(&world, ROUNDS);
        if (open_side(half, &part)) { /* a second context, for a part of the job, ranks turned round */
            rounds(&part, 20);
            rounds(&world, 4);
            close_side(&part);
        }
        close_side(&world);
    }
    MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    EXPECT(sum == size);
    MPI_Comm_free(&half);
    if (mp_expect_failures > 0)
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
    if (rank == 0)
        printf("# %d ranks: MPI and fedrdma agree over %d rounds\n", size, ROUNDS);
    return 0;
}
