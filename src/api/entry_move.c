/* SPDX-License-Identifier: BSD-3-Clause
 *
 * entry_move.c - the public collectives that move data: each a table of its arguments. */
#include "api/request.h"

int fedrdma_broadcast(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm)
{
    const frd_args args = {
        .entry = FRD_ENTRY_BROADCAST, .root = root, .recv = buffer, .recvcount = count, .recvtype = (int)type
    };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ibroadcast(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm,
                       fedrdma_request **request)
{
    const frd_args args = {
        .entry = FRD_ENTRY_BROADCAST, .root = root, .recv = buffer, .recvcount = count, .recvtype = (int)type
    };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_broadcast_init(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm,
                           fedrdma_request **request)
{
    const frd_args args = {
        .entry = FRD_ENTRY_BROADCAST, .root = root, .recv = buffer, .recvcount = count, .recvtype = (int)type
    };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_gather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                   size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_igather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                    fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_gather_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                        size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                        fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_gatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype, int root,
                    fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHERV,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_igatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype, int root,
                     fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHERV,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_gatherv_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                         const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                         int root, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_GATHERV,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_scatter(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iscatter(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                     fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_scatter_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                         size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                         fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTER,
                            .root = root,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_scatterv(const void *send, const size_t sendcounts[], const size_t displs[],
                     fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                     int root, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTERV,
                            .root = root,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = displs,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iscatterv(const void *send, const size_t sendcounts[], const size_t displs[],
                      fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                      int root, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTERV,
                            .root = root,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = displs,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_scatterv_init(const void *send, const size_t sendcounts[], const size_t displs[],
                          fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                          int root, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCATTERV,
                            .root = root,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = displs,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_allgather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                      size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHER,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iallgather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                       size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                       fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHER,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_allgather_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                           size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                           fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHER,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_allgatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                       const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                       fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHERV,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iallgatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                        const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                        fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHERV,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_allgatherv_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                            const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                            fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLGATHERV,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = displs,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_alltoall(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALL,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ialltoall(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                      size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                      fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALL,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_alltoall_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                          size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                          fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALL,
                            .send = send,
                            .sendcount = sendcount,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_alltoallv(const void *send, const size_t sendcounts[], const size_t sdispls[],
                      fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                      const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALLV,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = sdispls,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = rdispls,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ialltoallv(const void *send, const size_t sendcounts[], const size_t sdispls[],
                       fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                       const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm,
                       fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALLV,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = sdispls,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = rdispls,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_alltoallv_init(const void *send, const size_t sendcounts[], const size_t sdispls[],
                           fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                           const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm,
                           fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLTOALLV,
                            .send = send,
                            .sendcounts = sendcounts,
                            .sdispls = sdispls,
                            .sendtype = (int)sendtype,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .rdispls = rdispls,
                            .recvtype = (int)recvtype };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_barrier(fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_BARRIER };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ibarrier(fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_BARRIER };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_barrier_init(fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_BARRIER };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}
