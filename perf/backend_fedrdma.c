/* SPDX-License-Identifier: BSD-3-Clause
 *
 * backend_fedrdma.c - the benchmarks on libfedrdma. Adds one switch per call (about a nanosecond) to what is
 * measured; start-up follows the environment (fedrdma-run, mpirun or FEDRDMA_*). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fedrdma.h"
#include "perf/backend.h"

struct bench {
    fedrdma_context *context;
    fedrdma_comm *world;
    bench_call call;
    fedrdma_request *request; /* persistent calls */
};

const char *bench_name(void)
{
    return "fedrdma";
}

int bench_open(int *argc, char ***argv, bench **b)
{
    bench *made = calloc(1, sizeof *made);
    int rc;

    (void)argc;
    (void)argv;
    if (made == NULL)
        return FEDRDMA_ERR_NOMEM;
    rc = fedrdma_init(NULL, &made->context);
    if (rc != FEDRDMA_OK) {
        free(made);
        return rc;
    }
    made->world = fedrdma_world(made->context);
    *b = made;
    return FEDRDMA_OK;
}

void bench_close(bench *b)
{
    if (b == NULL)
        return;
    fedrdma_finalize(&b->context);
    free(b);
}

int bench_rank(const bench *b)
{
    return fedrdma_comm_rank(b->world);
}

int bench_size(const bench *b)
{
    return fedrdma_comm_size(b->world);
}

void bench_describe(const bench *b, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "libfedrdma %s, %d silo(s), %d node(s)", fedrdma_version(),
             fedrdma_comm_nsilos(b->world), fedrdma_comm_nnodes(b->world));
}

const char *bench_error(const bench *b, int rc)
{
    const char *story = fedrdma_last_error(b == NULL ? NULL : b->world);

    if (rc == BENCH_UNSUPPORTED)
        return "not in libfedrdma";
    return story[0] != '\0' ? story : fedrdma_strerror(rc);
}

int bench_alloc(bench *b, bool shared, size_t bytes, void **memory)
{
    if (shared)
        return fedrdma_alloc(b->context, bytes, memory);
    return posix_memalign(memory, 4096, bytes > 0 ? bytes : 1) == 0 ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
}

void bench_free(bench *b, bool shared, void *memory)
{
    if (shared)
        fedrdma_free(b->context, memory);
    else
        free(memory);
}

static int prepare_persistent(bench *b)
{
    const bench_call *c = &b->call;
    fedrdma_datatype t = (fedrdma_datatype)c->type;
    fedrdma_request **request = &b->request;
    fedrdma_comm *w = b->world;

    switch (c->collective) {
    case BENCH_ALLREDUCE:
        return fedrdma_allreduce_init(c->send, c->recv, c->count, t, c->op, w, request);
    case BENCH_REDUCE:
        return fedrdma_reduce_init(c->send, c->recv, c->count, t, c->op, 0, w, request);
    case BENCH_BROADCAST:
        return fedrdma_broadcast_init(c->recv, c->count, t, 0, w, request);
    case BENCH_GATHER:
        return fedrdma_gather_init(c->send, c->count, t, c->recv, c->count, t, 0, w, request);
    case BENCH_ALLGATHER:
        return fedrdma_allgather_init(c->send, c->count, t, c->recv, c->count, t, w, request);
    case BENCH_SCATTER:
        return fedrdma_scatter_init(c->send, c->count, t, c->recv, c->count, t, 0, w, request);
    case BENCH_REDUCE_SCATTER:
        return fedrdma_reduce_scatter_init(c->send, c->recv, c->counts, t, c->op, w, request);
    case BENCH_ALLTOALL:
        return fedrdma_alltoall_init(c->send, c->count, t, c->recv, c->count, t, w, request);
    case BENCH_BARRIER:
        return fedrdma_barrier_init(w, request);
    default:
        return BENCH_UNSUPPORTED;
    }
}

int bench_prepare(bench *b, const bench_call *call)
{
    b->call = *call;
    return call->persistent ? prepare_persistent(b) : FEDRDMA_OK;
}

int bench_run(bench *b)
{
    const bench_call *c = &b->call;
    fedrdma_datatype t = (fedrdma_datatype)c->type;
    fedrdma_comm *w = b->world;

    if (c->persistent) {
        int rc = fedrdma_start(b->request);
        return rc != FEDRDMA_OK ? rc : fedrdma_wait(&b->request, NULL);
    }
    switch (c->collective) {
    case BENCH_ALLREDUCE:
        return fedrdma_allreduce(c->send, c->recv, c->count, t, c->op, w);
    case BENCH_REDUCE:
        return fedrdma_reduce(c->send, c->recv, c->count, t, c->op, 0, w);
    case BENCH_BROADCAST:
        return fedrdma_broadcast(c->recv, c->count, t, 0, w);
    case BENCH_GATHER:
        return fedrdma_gather(c->send, c->count, t, c->recv, c->count, t, 0, w);
    case BENCH_ALLGATHER:
        return fedrdma_allgather(c->send, c->count, t, c->recv, c->count, t, w);
    case BENCH_SCATTER:
        return fedrdma_scatter(c->send, c->count, t, c->recv, c->count, t, 0, w);
    case BENCH_REDUCE_SCATTER:
        return fedrdma_reduce_scatter(c->send, c->recv, c->counts, t, c->op, w);
    case BENCH_ALLTOALL:
        return fedrdma_alltoall(c->send, c->count, t, c->recv, c->count, t, w);
    case BENCH_BARRIER:
        return fedrdma_barrier(w);
    default:
        return BENCH_UNSUPPORTED;
    }
}

void bench_release(bench *b)
{
    if (b->request != NULL)
        fedrdma_request_free(&b->request);
}

int bench_barrier(bench *b)
{
    return fedrdma_barrier(b->world);
}

int bench_greatest(bench *b, double *value)
{
    return fedrdma_allreduce(FEDRDMA_IN_PLACE, value, 1, FEDRDMA_F64, FEDRDMA_MAX, b->world);
}

int bench_collect(bench *b, const void *mine, void *all, size_t bytes)
{
    return fedrdma_gather(mine, bytes, FEDRDMA_U8, all, bytes, FEDRDMA_U8, 0, b->world);
}

uint64_t bench_counter(const bench *b, const char *name)
{
    uint64_t value;
    return fedrdma_counter(b->context, name, &value) == FEDRDMA_OK ? value : UINT64_MAX;
}

int bench_progress(bench *b, void (*report)(uint64_t, uint64_t, void *), void *arg)
{
    const fedrdma_attr attr = { .progress = report, .progress_arg = arg };
    return fedrdma_comm_set_attr(b->world, &attr);
}
