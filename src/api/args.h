/* SPDX-License-Identifier: BSD-3-Clause
 * args.h - a collective's arguments as the user gave them, and their check. */
#ifndef FRD_API_ARGS_H
#define FRD_API_ARGS_H

#include "api/comm.h"

/* The public functions; several share a collective. X(NAME, "public name", collective). */
#define FRD_ENTRY_TABLE(X) \
    X(ALLREDUCE, "allreduce", FRD_COLL_ALLREDUCE) \
    X(ALLREDUCE_WEIGHTED, "allreduce_weighted", FRD_COLL_ALLREDUCE) \
    X(REDUCE, "reduce", FRD_COLL_REDUCE) \
    X(BROADCAST, "broadcast", FRD_COLL_BROADCAST) \
    X(GATHER, "gather", FRD_COLL_GATHER) \
    X(GATHERV, "gatherv", FRD_COLL_GATHER) \
    X(SCATTER, "scatter", FRD_COLL_SCATTER) \
    X(SCATTERV, "scatterv", FRD_COLL_SCATTER) \
    X(ALLGATHER, "allgather", FRD_COLL_ALLGATHER) \
    X(ALLGATHERV, "allgatherv", FRD_COLL_ALLGATHER) \
    X(REDUCE_SCATTER, "reduce_scatter", FRD_COLL_REDUCE_SCATTER) \
    X(REDUCE_SCATTER_BLOCK, "reduce_scatter_block", FRD_COLL_REDUCE_SCATTER) \
    X(ALLTOALL, "alltoall", FRD_COLL_ALLTOALL) \
    X(ALLTOALLV, "alltoallv", FRD_COLL_ALLTOALL) \
    X(SCAN, "scan", FRD_COLL_SCAN) \
    X(EXSCAN, "exscan", FRD_COLL_EXSCAN) \
    X(BARRIER, "barrier", FRD_COLL_BARRIER)

#define FRD_ENTRY_ENUM(NAME, text, coll) FRD_ENTRY_##NAME,
enum frd_entry { FRD_ENTRY_TABLE(FRD_ENTRY_ENUM) FRD_NENTRIES };
#undef FRD_ENTRY_ENUM

const char *frd_entry_name(int entry);
int frd_entry_coll(int entry);

typedef struct frd_args {
    int entry; /* frd_entry */
    int op, root;
    double weight;
    const void *send;
    size_t sendcount;
    const size_t *sendcounts, *sdispls;
    int sendtype;
    void *recv;
    size_t recvcount;
    const size_t *recvcounts, *rdispls;
    int recvtype;
} frd_args;

/* What is left when the arguments are found right: lengths in bytes, buffers as the engine wants them. The
 * arrays of `call` are comm->lengths, valid until the next frd_args_check on the communicator. */
typedef struct frd_checked {
    frd_call call;
    const void *send;
    void *recv;
    double weight;
    uint64_t layout; /* with the option check: a hash of what irregular blocks have in common, or 0 */
    frd_user_op *user; /* NULL: builtin operator or none */
} frd_checked;

/* FEDRDMA_ERR_INVALID with the story in comm; nothing was sent. */
int frd_args_check(frd_comm *comm, const frd_args *args, frd_checked *out);

#endif
