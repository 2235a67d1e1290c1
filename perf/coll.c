/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coll.c - the benchmarked collectives: the shape of their buffers, what goes in and what must come out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/harness.h"
#include "tests/mp/pattern.h"

/* Buffers hold one vector (WHOLE), one block a rank (BLOCKS), one rank's block (BLOCK) or nothing. */
enum span { NOTHING, BLOCK, BLOCKS, WHOLE };

static const struct shape {
    const char *name;
    bool reduces;
    enum span root_send, root_recv, send, recv; /* at rank 0, and at the others */
} shapes[BENCH_NCOLLECTIVES] = {
    [BENCH_ALLREDUCE] = { "allreduce", true, WHOLE, WHOLE, WHOLE, WHOLE },
    [BENCH_REDUCE] = { "reduce", true, WHOLE, WHOLE, WHOLE, NOTHING },
    [BENCH_BROADCAST] = { "broadcast", false, NOTHING, WHOLE, NOTHING, WHOLE },
    [BENCH_GATHER] = { "gather", false, BLOCK, BLOCKS, BLOCK, NOTHING },
    [BENCH_ALLGATHER] = { "allgather", false, BLOCK, BLOCKS, BLOCK, BLOCKS },
    [BENCH_SCATTER] = { "scatter", false, BLOCKS, BLOCK, NOTHING, BLOCK },
    [BENCH_REDUCE_SCATTER] = { "reduce_scatter", true, WHOLE, BLOCK, WHOLE, BLOCK },
    [BENCH_ALLTOALL] = { "alltoall", false, BLOCKS, BLOCKS, BLOCKS, BLOCKS },
    [BENCH_BARRIER] = { "barrier", false, NOTHING, NOTHING, NOTHING, NOTHING },
};

/* Block q of a rank starts so far on in its pattern: blocks differ also where ranks don't. */
enum { BLOCK_STRIDE = 131 };

struct bench_case {
    bench_collective collective;
    int rank, size;
    size_t count;   /* elements of the vector or of a block */
    size_t *counts; /* reduce_scatter */
    size_t first;   /* reduce_scatter: our block's place in the vector */
    mp_data data;
    bool shared;
    void *send, *recv, *want;
    size_t send_count, recv_count;
};

const char *bench_collective_name(bench_collective collective)
{
    return shapes[collective].name;
}

bench_collective bench_collective_parse(const char *name)
{
    int c = 0;

    while (c < BENCH_NCOLLECTIVES && strcmp(shapes[c].name, name) != 0)
        c++;
    return (bench_collective)c;
}

bool bench_collective_reduces(bench_collective collective)
{
    return shapes[collective].reduces;
}

/* reduce_scatter's blocks are as equal as they can be, the larger ones first. */
static size_t share(size_t count, int size, int rank)
{
    return count / (size_t)size + ((size_t)rank < count % (size_t)size);
}

static size_t span_count(bench_collective collective, enum span span, size_t count, int size, int rank)
{
    switch (span) {
    case BLOCK:
        return collective == BENCH_REDUCE_SCATTER ? share(count, size, rank) : count;
    case BLOCKS:
        return count * (size_t)size;
    case WHOLE:
        return count;
    default:
        return 0;
    }
}

size_t bench_case_memory(bench *b, bench_collective collective, const bench_options *options, size_t bytes)
{
    const struct shape *s = &shapes[collective];
    int size = bench_size(b);
    size_t n = span_count(collective, s->root_send, bytes, size, 0) +
               span_count(collective, s->root_recv, bytes, size, 0) * (options->check ? 2 : 1);
    size_t other = span_count(collective, s->send, bytes, size, 0) +
                   span_count(collective, s->recv, bytes, size, 0) * (options->check ? 2 : 1);

    return n > other ? n : other;
}

/* What each rank gives. */
static void fill(bench_case *c)
{
    size_t bytes = mp_type_bytes(c->data.type);
    bool blocks = c->collective == BENCH_SCATTER || c->collective == BENCH_ALLTOALL;
    size_t nblocks = blocks && c->send_count > 0 ? (size_t)c->size : 0;

    for (size_t q = 0; q < nblocks; q++)
        mp_fill(&c->data, c->rank, q * BLOCK_STRIDE, c->count, (char *)c->send + q * c->count * bytes);
    if (!blocks)
        mp_fill(&c->data, c->rank, 0, c->send_count, c->send);
    if (c->collective == BENCH_BROADCAST && c->rank == 0)
        mp_fill(&c->data, 0, 0, c->count, c->recv);
}

/* What each rank must get. */
static void expect(bench_case *c)
{
    size_t bytes = mp_type_bytes(c->data.type);

    switch (c->collective) {
    case BENCH_ALLREDUCE:
    case BENCH_REDUCE:
    case BENCH_REDUCE_SCATTER:
        mp_expect(&c->data, c->size, c->first, c->recv_count, c->want);
        return;
    case BENCH_GATHER:
    case BENCH_ALLGATHER:
    case BENCH_ALLTOALL:
        for (int q = 0; q < c->size && c->recv_count > 0; q++) {
            size_t first = c->collective == BENCH_ALLTOALL ? (size_t)c->rank * BLOCK_STRIDE : 0;
            mp_fill(&c->data, q, first, c->count, (char *)c->want + (size_t)q * c->count * bytes);
        }
        return;
    case BENCH_SCATTER:
        mp_fill(&c->data, 0, (size_t)c->rank * BLOCK_STRIDE, c->count, c->want);
        return;
    default:
        mp_fill(&c->data, 0, 0, c->recv_count, c->want);
    }
}

static int buffers(bench *b, bench_case *c, const bench_options *options)
{
    const struct shape *s = &shapes[c->collective];
    size_t bytes = mp_type_bytes(c->data.type);
    int rc;

    c->send_count =
        span_count(c->collective, c->rank == 0 ? s->root_send : s->send, c->count, c->size, c->rank);
    c->recv_count =
        span_count(c->collective, c->rank == 0 ? s->root_recv : s->recv, c->count, c->size, c->rank);
    rc = bench_alloc(b, c->shared, c->send_count * bytes, &c->send);
    if (rc == 0)
        rc = bench_alloc(b, c->shared, c->recv_count * bytes, &c->recv);
    if (rc != 0)
        return rc;
    memset(c->recv, 0, c->recv_count * bytes); /* pages are there before anything is timed */
    fill(c);
    if (options->check) {
        c->want = malloc(c->recv_count * bytes + 1);
        if (c->want == NULL)
            return BENCH_UNSUPPORTED;
        expect(c);
    }
    return 0;
}

int bench_case_create(bench *b, bench_collective collective, const bench_options *options, size_t bytes,
                      bench_case **made)
{
    bench_case *c = calloc(1, sizeof *c);
    bench_call call;
    int rc;

    if (c == NULL)
        return BENCH_UNSUPPORTED;
    *made = c;
    c->collective = collective;
    c->rank = bench_rank(b);
    c->size = bench_size(b);
    c->count = collective == BENCH_BARRIER ? 0 : bytes / mp_type_bytes(options->type);
    c->data =
        (mp_data){ options->type, shapes[collective].reduces ? options->op : MP_OP_NONE, c->size, bytes };
    c->shared = options->shared;
    if (collective == BENCH_REDUCE_SCATTER) {
        c->counts = calloc((size_t)c->size, sizeof *c->counts);
        if (c->counts == NULL)
            return BENCH_UNSUPPORTED;
        for (int r = 0; r < c->size; r++) {
            c->counts[r] = share(c->count, c->size, r);
            c->first += r < c->rank ? c->counts[r] : 0;
        }
    }
    rc = buffers(b, c, options);
    if (rc != 0)
        return rc;
    call = (bench_call){ collective, c->send,       c->recv,     c->count,
                         c->counts,  options->type, options->op, options->persistent };
    return bench_prepare(b, &call);
}

void bench_case_destroy(bench *b, bench_case *c)
{
    if (c == NULL)
        return;
    bench_release(b);
    bench_free(b, c->shared, c->send);
    bench_free(b, c->shared, c->recv);
    free(c->counts);
    free(c->want);
    free(c);
}

void bench_case_poison(bench_case *c)
{
    if (c->collective != BENCH_BROADCAST || c->rank != 0)
        memset(c->recv, 0xA5, c->recv_count * mp_type_bytes(c->data.type));
}

bool bench_case_right(bench_case *c)
{
    size_t bytes = mp_type_bytes(c->data.type);
    size_t at = mp_differs(&c->data, c->recv, c->want, c->recv_count);
    char got[64], want[64];

    if (at == c->recv_count)
        return true;
    mp_show(c->data.type, (char *)c->recv + at * bytes, got, sizeof got);
    mp_show(c->data.type, (char *)c->want + at * bytes, want, sizeof want);
    fprintf(stderr, "rank %d: %s of %zu bytes is wrong: element %zu is %s, expected %s\n", c->rank,
            shapes[c->collective].name, c->count * bytes, at, got, want);
    return false;
}
