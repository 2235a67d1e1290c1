/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fedrdma_mpi.h - a fedrdma communicator from an MPI communicator. Header only: the library itself never
 * needs MPI, whichever MPI the program uses. MPI carries the start-up exchange and nothing else.
 */
#ifndef FEDRDMA_MPI_H
#define FEDRDMA_MPI_H

#include <limits.h>
#include <mpi.h>

#include "fedrdma.h"

static inline int fedrdma_mpi_allgather_(const void *mine, void *all, size_t bytes, void *arg)
{
    if (bytes > INT_MAX)
        return -1;
    return MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, *(MPI_Comm *)arg);
}

/* Makes a context whose world has the ranks of `mpi_comm` in the same order; collective over it. `options`
 * may be NULL; otherwise its rank, size and out-of-band allgather are replaced. mpi_comm is only used
 * inside this call. Finish with fedrdma_finalize(), before MPI_Finalize. Errors as for fedrdma_init. */
static inline int fedrdma_init_mpi(MPI_Comm mpi_comm, fedrdma_options *options, fedrdma_context **context)
{
    fedrdma_options *own = NULL;
    int rank, size, rc = FEDRDMA_OK;

    if (MPI_Comm_rank(mpi_comm, &rank) != MPI_SUCCESS || MPI_Comm_size(mpi_comm, &size) != MPI_SUCCESS)
        return FEDRDMA_ERR_INVALID;
    if (options == NULL) {
        rc = fedrdma_options_create(&own);
        options = own;
    }
    if (rc == FEDRDMA_OK)
        rc = fedrdma_options_set_oob(options, rank, size, fedrdma_mpi_allgather_, &mpi_comm);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_init(options, context);
    fedrdma_options_destroy(own);
    return rc;
}

#endif
