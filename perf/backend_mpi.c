/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backend_mpi.c - the benchmarks on MPI. Types and operators are named by fedrdma's numbers (its public
 * header is used for those alone). Persistent collectives need MPI 4. */
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fedrdma.h"
#include "perf/backend.h"

struct bench {
    int rank, size;
    bench_call call;
    MPI_Datatype type;
    MPI_Op op;
    int count;
    int *counts;
    MPI_Request request;
};

const char *bench_name(void)
{
    return "MPI";
}

int bench_open(int *argc, char ***argv, bench **b)
{
    bench *made = calloc(1, sizeof *made);
    int rc;

    if (made == NULL)
        return MPI_ERR_NO_MEM;
    rc = MPI_Init(argc, argv);
    if (rc != MPI_SUCCESS) {
        free(made);
        return rc;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &made->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &made->size);
    made->request = MPI_REQUEST_NULL;
    *b = made;
    return 0;
}

void bench_close(bench *b)
{
    if (b == NULL)
        return;
    MPI_Finalize();
    free(b);
}

int bench_rank(const bench *b)
{
    return b->rank;
}

int bench_size(const bench *b)
{
    return b->size;
}

void bench_describe(const bench *b, char *text, size_t text_bytes)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;

    (void)b;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0'; /* its first line says enough */
    for (char *c = version; *c != '\0'; c++)
        if (*c == '\t')
            *c = ' ';
    snprintf(text, text_bytes, "%s", version);
}

const char *bench_error(const bench *b, int rc)
{
    static char text[MPI_MAX_ERROR_STRING];
    int length, started = 0;

    if (rc == BENCH_UNSUPPORTED)
        return "not in this MPI: use another type, operator or kind of call";
    MPI_Initialized(&started);
    if (b == NULL || !started || MPI_Error_string(rc, text, &length) != MPI_SUCCESS)
        return "MPI failed";
    return text;
}

int bench_alloc(bench *b, bool shared, size_t bytes, void **memory)
{
    (void)b;
    if (shared)
        return MPI_Alloc_mem((MPI_Aint)bytes, MPI_INFO_NULL, memory);
    return posix_memalign(memory, 4096, bytes > 0 ? bytes : 1) == 0 ? 0 : MPI_ERR_NO_MEM;
}

void bench_free(bench *b, bool shared, void *memory)
{
    (void)b;
    if (shared && memory != NULL)
        MPI_Free_mem(memory);
    else if (!shared)
        free(memory);
}

static MPI_Datatype mpi_type(int type)
{
    switch (type) {
    case FEDRDMA_I8:
        return MPI_INT8_T;
    case FEDRDMA_I16:
        return MPI_INT16_T;
    case FEDRDMA_I32:
        return MPI_INT32_T;
    case FEDRDMA_I64:
        return MPI_INT64_T;
    case FEDRDMA_U8:
        return MPI_UINT8_T;
    case FEDRDMA_U16:
        return MPI_UINT16_T;
    case FEDRDMA_U32:
        return MPI_UINT32_T;
    case FEDRDMA_U64:
        return MPI_UINT64_T;
    case FEDRDMA_F32:
        return MPI_FLOAT;
    case FEDRDMA_F64:
        return MPI_DOUBLE;
    default:
        return MPI_DATATYPE_NULL;
    }
}

static MPI_Op mpi_op(int op)
{
    switch (op) {
    case FEDRDMA_SUM:
        return MPI_SUM;
    case FEDRDMA_PROD:
        return MPI_PROD;
    case FEDRDMA_MIN:
        return MPI_MIN;
    case FEDRDMA_MAX:
        return MPI_MAX;
    case FEDRDMA_BAND:
        return MPI_BAND;
    case FEDRDMA_BOR:
        return MPI_BOR;
    case FEDRDMA_BXOR:
        return MPI_BXOR;
    case FEDRDMA_LAND:
        return MPI_LAND;
    case FEDRDMA_LOR:
        return MPI_LOR;
    case FEDRDMA_LXOR:
        return MPI_LXOR;
    default:
        return MPI_OP_NULL;
    }
}

#if MPI_VERSION >= 4
static int prepare_persistent(bench *b)
{
    const bench_call *c = &b->call;
    MPI_Comm w = MPI_COMM_WORLD;
    MPI_Info none = MPI_INFO_NULL;

    switch (c->collective) {
    case BENCH_ALLREDUCE:
        return MPI_Allreduce_init(c->send, c->recv, b->count, b->type, b->op, w, none, &b->request);
    case BENCH_REDUCE:
        return MPI_Reduce_init(c->send, c->recv, b->count, b->type, b->op, 0, w, none, &b->request);
    case BENCH_BROADCAST:
        return MPI_Bcast_init(c->recv, b->count, b->type, 0, w, none, &b->request);
    case BENCH_GATHER:
        return MPI_Gather_init(c->send, b->count, b->type, c->recv, b->count, b->type, 0, w, none,
                               &b->request);
    case BENCH_ALLGATHER:
        return MPI_Allgather_init(c->send, b->count, b->type, c->recv, b->count, b->type, w, none,
                                  &b->request);
    case BENCH_SCATTER:
        return MPI_Scatter_init(c->send, b->count, b->type, c->recv, b->count, b->type, 0, w, none,
                                &b->request);
    case BENCH_REDUCE_SCATTER:
        return MPI_Reduce_scatter_init(c->send, c->recv, b->counts, b->type, b->op, w, none, &b->request);
    case BENCH_ALLTOALL:
        return MPI_Alltoall_init(c->send, b->count, b->type, c->recv, b->count, b->type, w, none,
                                 &b->request);
    case BENCH_BARRIER:
        return MPI_Barrier_init(w, none, &b->request);
    default:
        return BENCH_UNSUPPORTED;
    }
}
#else
static int prepare_persistent(bench *b)
{
    (void)b;
    return BENCH_UNSUPPORTED;
}
#endif

int bench_prepare(bench *b, const bench_call *call)
{
    bool reduces = call->collective == BENCH_ALLREDUCE || call->collective == BENCH_REDUCE ||
                   call->collective == BENCH_REDUCE_SCATTER;

    b->call = *call;
    b->type = mpi_type(call->type);
    b->op = mpi_op(call->op);
    b->count = (int)call->count;
    if (b->type == MPI_DATATYPE_NULL || (reduces && b->op == MPI_OP_NULL) || call->count > INT_MAX)
        return BENCH_UNSUPPORTED;
    if (call->counts != NULL) {
        b->counts = calloc((size_t)b->size, sizeof *b->counts);
        if (b->counts == NULL)
            return MPI_ERR_NO_MEM;
        for (int r = 0; r < b->size; r++)
            b->counts[r] = (int)call->counts[r];
    }
    return call->persistent ? prepare_persistent(b) : 0;
}

int bench_run(bench *b)
{
    const bench_call *c = &b->call;
    MPI_Comm w = MPI_COMM_WORLD;

    if (c->persistent) {
        int rc = MPI_Start(&b->request);
        return rc != MPI_SUCCESS ? rc : MPI_Wait(&b->request, MPI_STATUS_IGNORE);
    }
    switch (c->collective) {
    case BENCH_ALLREDUCE:
        return MPI_Allreduce(c->send, c->recv, b->count, b->type, b->op, w);
    case BENCH_REDUCE:
        return MPI_Reduce(c->send, c->recv, b->count, b->type, b->op, 0, w);
    case BENCH_BROADCAST:
        return MPI_Bcast(c->recv, b->count, b->type, 0, w);
    case BENCH_GATHER:
        return MPI_Gather(c->send, b->count, b->type, c->recv, b->count, b->type, 0, w);
    case BENCH_ALLGATHER:
        return MPI_Allgather(c->send, b->count, b->type, c->recv, b->count, b->type, w);
    case BENCH_SCATTER:
        return MPI_Scatter(c->send, b->count, b->type, c->recv, b->count, b->type, 0, w);
    case BENCH_REDUCE_SCATTER:
        return MPI_Reduce_scatter(c->send, c->recv, b->counts, b->type, b->op, w);
    case BENCH_ALLTOALL:
        return MPI_Alltoall(c->send, b->count, b->type, c->recv, b->count, b->type, w);
    case BENCH_BARRIER:
        return MPI_Barrier(w);
    default:
        return BENCH_UNSUPPORTED;
    }
}

void bench_release(bench *b)
{
    if (b->request != MPI_REQUEST_NULL)
        MPI_Request_free(&b->request);
    free(b->counts);
    b->counts = NULL;
}

int bench_barrier(bench *b)
{
    (void)b;
    return MPI_Barrier(MPI_COMM_WORLD);
}

int bench_greatest(bench *b, double *value)
{
    (void)b;
    return MPI_Allreduce(MPI_IN_PLACE, value, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
}

int bench_collect(bench *b, const void *mine, void *all, size_t bytes)
{
    (void)b;
    return MPI_Gather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
}

uint64_t bench_counter(const bench *b, const char *name)
{
    (void)b;
    (void)name;
    return UINT64_MAX;
}

int bench_progress(bench *b, void (*report)(uint64_t, uint64_t, void *), void *arg)
{
    (void)b;
    (void)report;
    (void)arg;
    return BENCH_UNSUPPORTED;
}
