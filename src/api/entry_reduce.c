/* SPDX-License-Identifier: BSD-3-Clause
 *
 * entry_reduce.c - the public collectives that combine data: each a table of its arguments. */
#include "api/request.h"

int fedrdma_allreduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                      fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iallreduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                       fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_allreduce_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                           fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_allreduce_weighted(const void *send, void *recv, size_t count, fedrdma_datatype type,
                               double weight, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE_WEIGHTED,
                            .weight = weight,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iallreduce_weighted(const void *send, void *recv, size_t count, fedrdma_datatype type,
                                double weight, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE_WEIGHTED,
                            .weight = weight,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_allreduce_weighted_init(const void *send, void *recv, size_t count, fedrdma_datatype type,
                                    double weight, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_ALLREDUCE_WEIGHTED,
                            .weight = weight,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_reduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op, int root,
                   fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE,
                            .op = op,
                            .root = root,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ireduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                    int root, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE,
                            .op = op,
                            .root = root,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_reduce_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                        int root, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE,
                            .op = op,
                            .root = root,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_reduce_scatter(const void *send, void *recv, const size_t recvcounts[], fedrdma_datatype type,
                           fedrdma_op op, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ireduce_scatter(const void *send, void *recv, const size_t recvcounts[], fedrdma_datatype type,
                            fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_reduce_scatter_init(const void *send, void *recv, const size_t recvcounts[],
                                fedrdma_datatype type, fedrdma_op op, fedrdma_comm *comm,
                                fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcounts = recvcounts,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_reduce_scatter_block(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                 fedrdma_op op, fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER_BLOCK,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_ireduce_scatter_block(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                  fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER_BLOCK,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_reduce_scatter_block_init(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                      fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_REDUCE_SCATTER_BLOCK,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = recvcount,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_scan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                 fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_SCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                  fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_scan_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                      fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_SCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}

int fedrdma_exscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                   fedrdma_comm *comm)
{
    const frd_args args = { .entry = FRD_ENTRY_EXSCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_BLOCKING, NULL);
}

int fedrdma_iexscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                    fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_EXSCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_NONBLOCKING, request);
}

int fedrdma_exscan_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                        fedrdma_comm *comm, fedrdma_request **request)
{
    const frd_args args = { .entry = FRD_ENTRY_EXSCAN,
                            .op = op,
                            .send = send,
                            .recv = recv,
                            .recvcount = count,
                            .recvtype = (int)type };
    return frd_submit(&args, comm, FRD_MODE_PERSISTENT, request);
}
