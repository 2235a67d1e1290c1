/* SPDX-License-Identifier: BSD-3-Clause
 *
 * features.c - real processes: what is beside the collectives themselves. Communicators, counters that prove
 * which transport carried the bytes, result records, bit-identical results, no allocation in a repeated call,
 * cancel, requests, a second context over the first. Prints a checksum of inexact results, so that a script
 * can compare two runs.
 *
 * The layout is not told: it follows from what the library says, and is checked against FEDRDMA_NODE and
 * FEDRDMA_SILO of all ranks, which travel by allgather. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/mp/expect.h"
#include "tests/mp/pattern.h"

MP_EXPECT_DEFINE;

typedef struct job {
    fedrdma_context *context;
    fedrdma_comm *world;
    int rank, size;
} job;

/* ---- layout and communicators --------------------------------------------------------------------- */

enum { NAME = 64, MAX_RANKS = 64 };

/* names[r] of all ranks, from each rank's environment. */
static bool names_of(job *j, const char *variable, char names[MAX_RANKS][NAME])
{
    char mine[NAME] = "";

    if (getenv(variable) != NULL)
        snprintf(mine, sizeof mine, "%s", getenv(variable));
    return EXPECT_OK(fedrdma_allgather(mine, NAME, FEDRDMA_CHAR, names, NAME, FEDRDMA_CHAR, j->world));
}

/* Groups are numbered by their lowest rank. */
static int number_of(char names[MAX_RANKS][NAME], int rank)
{
    int number = 0;

    for (int first = 0; first <= rank; first++) {
        int before = 0;
        while (strcmp(names[before], names[first]) != 0)
            before++;
        if (strcmp(names[first], names[rank]) == 0)
            return number;
        number += before == first;
    }
    return number;
}

static void test_layout(job *j)
{
    char silos[MAX_RANKS][NAME], nodes[MAX_RANKS][NAME];
    fedrdma_comm *silo = NULL, *node = NULL;
    int nsilos = 0, nnodes = 0, silo_size = 0, node_size = 0;

    if (!names_of(j, "FEDRDMA_SILO", silos) || !names_of(j, "FEDRDMA_NODE", nodes))
        return;
    for (int r = 0; r < j->size; r++) {
        EXPECT(fedrdma_comm_silo(j->world, r) == number_of(silos, r));
        EXPECT(fedrdma_comm_node(j->world, r) == number_of(nodes, r));
        nsilos = number_of(silos, r) >= nsilos ? number_of(silos, r) + 1 : nsilos;
        nnodes = number_of(nodes, r) >= nnodes ? number_of(nodes, r) + 1 : nnodes;
        silo_size += strcmp(silos[r], silos[j->rank]) == 0;
        node_size += strcmp(nodes[r], nodes[j->rank]) == 0;
    }
    EXPECT(fedrdma_comm_nsilos(j->world) == nsilos);
    EXPECT(fedrdma_comm_nnodes(j->world) == nnodes);
    if (silos[j->rank][0] != '\0')
        EXPECT(strcmp(fedrdma_comm_silo_name(j->world, fedrdma_comm_silo(j->world, j->rank)),
                      silos[j->rank]) == 0);
    EXPECT(fedrdma_comm_silo(j->world, j->size) == -1);
    EXPECT(fedrdma_comm_silo(j->world, -1) == -1);
    EXPECT(fedrdma_comm_silo_name(j->world, nsilos) == NULL);
    if (EXPECT_OK(fedrdma_comm_split_silo(j->world, &silo)))
        EXPECT(fedrdma_comm_size(silo) == silo_size && fedrdma_comm_nsilos(silo) == 1);
    if (EXPECT_OK(fedrdma_comm_split_node(j->world, &node)))
        EXPECT(fedrdma_comm_size(node) == node_size && fedrdma_comm_nnodes(node) == 1);
    EXPECT_OK(fedrdma_comm_free(&silo));
    EXPECT_OK(fedrdma_comm_free(&node));
    EXPECT(silo == NULL && node == NULL);
}

/* Members of our part of a split, in its order. Returns their number. */
static int split_members(const int *colors, const int *keys, int size, int mine, int *members)
{
    int n = 0;

    for (int r = 0; r < size; r++) {
        if (colors[r] != mine)
            continue;
        int at = n++;
        for (; at > 0 && keys[members[at - 1]] > keys[r]; at--)
            members[at] = members[at - 1];
        members[at] = r;
    }
    return n;
}

static void test_split(job *j, uint64_t seed)
{
    int colors[MAX_RANKS], keys[MAX_RANKS], members[MAX_RANKS], got[MAX_RANKS], n;
    fedrdma_comm *part = NULL, *again = NULL;

    for (int r = 0; r < j->size; r++) {
        uint64_t h = mp_hash(seed, (uint64_t)r);
        colors[r] = h % 4 == 3 ? FEDRDMA_UNDEFINED : (int)(h % 4) * 1000;
        keys[r] = (int)(h >> 8) % 3 - 1;
    }
    if (!EXPECT_OK(fedrdma_comm_split(j->world, colors[j->rank], keys[j->rank], &part)))
        return;
    if (colors[j->rank] == FEDRDMA_UNDEFINED) {
        EXPECT(part == NULL);
        return;
    }
    n = split_members(colors, keys, j->size, colors[j->rank], members);
    if (!EXPECT(part != NULL) || !EXPECT(fedrdma_comm_size(part) == n))
        return;
    EXPECT(members[fedrdma_comm_rank(part)] == j->rank);
    EXPECT(fedrdma_comm_context(part) == j->context);
    EXPECT_OK(fedrdma_allgather(&j->rank, 1, FEDRDMA_INT, got, 1, FEDRDMA_INT, part));
    EXPECT(memcmp(got, members, (size_t)n * sizeof *got) == 0);
    if (EXPECT_OK(fedrdma_comm_split(part, fedrdma_comm_rank(part) / 2, 0, &again))) {
        EXPECT(fedrdma_comm_size(again) <= 2);
        EXPECT_OK(fedrdma_barrier(again));
    }
    EXPECT_OK(fedrdma_comm_free(&part)); /* the child outlives its parent */
    EXPECT_OK(fedrdma_barrier(again));
    EXPECT_OK(fedrdma_comm_free(&again));
}

/* ---- counters, records, allocation ---------------------------------------------------------------- */

static uint64_t counter(job *j, const char *name)
{
    uint64_t value = 0;
    EXPECT_OK(fedrdma_counter(j->context, name, &value));
    return value;
}

static uint64_t summed(job *j, uint64_t value)
{
    uint64_t sum = 0;
    EXPECT_OK(fedrdma_allreduce(&value, &sum, 1, FEDRDMA_U64, FEDRDMA_SUM, j->world));
    return sum;
}

/* Between nodes bytes go by UCX, between silos over the WAN, inside by shared memory, and by nothing else. */
static void test_counters(job *j)
{
    enum { COUNT = 100000 };
    bool shared = false, apart = fedrdma_comm_nnodes(j->world) > 1;
    float *data = calloc(COUNT, sizeof *data);
    const char *name;
    uint64_t value, shm, far, node;
    size_t n = 0;

    for (int r = 1; r < j->size; r++)
        for (int q = 0; q < r; q++)
            shared = shared || fedrdma_comm_node(j->world, r) == fedrdma_comm_node(j->world, q);
    if (data == NULL ||
        !EXPECT_OK(fedrdma_allreduce(FEDRDMA_IN_PLACE, data, COUNT, FEDRDMA_F32, FEDRDMA_SUM, j->world)))
        return;
    shm = summed(j, counter(j, "shm.sent_bytes") + counter(j, "shm.direct_bytes"));
    far = summed(j, counter(j, "ucx.sent_bytes") + counter(j, "wan.sent_bytes"));
    node = summed(j, counter(j, "node.given_bytes"));
    EXPECT((shm + node > 0) == shared);
    EXPECT((far > 0) == apart);
    EXPECT((node > 0) == (shared && !apart)); /* all of it in shared memory, without messages */
    if (j->size > 1) /* each rank's vector leaves it at least once, whole or in parts */
        EXPECT(shm + far + node >= (uint64_t)COUNT * sizeof *data);
    while (fedrdma_counter_at(j->context, n, &name, &value) == FEDRDMA_OK) {
        EXPECT(name != NULL && strchr(name, '.') != NULL);
        n++;
    }
    EXPECT(n > 10);
    free(data);
}

static void test_result(job *j)
{
    enum { COUNT = 5000 };
    int *data = calloc(COUNT, sizeof *data);
    fedrdma_result result;
    fedrdma_request *request = NULL;

    if (data == NULL)
        return;
    EXPECT_OK(fedrdma_allreduce(FEDRDMA_IN_PLACE, data, COUNT, FEDRDMA_INT, FEDRDMA_MAX, j->world));
    for (int way = 0; way < 2; way++) {
        memset(&result, 0xff, sizeof result);
        if (way == 0) {
            EXPECT_OK(fedrdma_comm_last_result(j->world, &result));
        } else {
            EXPECT_OK(fedrdma_iallreduce(FEDRDMA_IN_PLACE, data, COUNT, FEDRDMA_INT, FEDRDMA_MAX, j->world,
                                         &request));
            EXPECT_OK(fedrdma_wait(&request, &result));
        }
        EXPECT(result.silos == fedrdma_comm_nsilos(j->world) && result.silos_total == result.silos);
        EXPECT(result.time_ns > 0 && result.time_ns < UINT64_C(60000000000));
        EXPECT(memchr(result.algorithm, '\0', sizeof result.algorithm) != NULL);
        EXPECT(strcmp(result.algorithm, "node") != 0 || (result.reroutes == 0 && result.retransmits == 0));
        if (j->size == 1)
            continue;
        EXPECT(result.algorithm[0] != '\0');
        EXPECT(result.sent_bytes > 0 && result.received_bytes > 0);
        double rate = (double)(result.sent_bytes + result.received_bytes) * 8e9 / (double)result.time_ns;
        EXPECT(fabs(result.rate_bps - rate) <= 0.01 * rate);
    }
    free(data);
}

/* One blocking call of each collective on the same buffers. */
static int each_collective(job *j, int which, float *a, float *b, size_t count, const size_t *counts,
                           const size_t *displs)
{
    const fedrdma_datatype t = FEDRDMA_F32;

    switch (which) {
    case 0:
        return fedrdma_allreduce(a, b, count, t, FEDRDMA_SUM, j->world);
    case 1:
        return fedrdma_reduce(a, b, count, t, FEDRDMA_SUM, 0, j->world);
    case 2:
        return fedrdma_broadcast(a, count, t, 0, j->world);
    case 3:
        return fedrdma_gather(a, count, t, b, count, t, 0, j->world);
    case 4:
        return fedrdma_scatter(a, count, t, b, count, t, 0, j->world);
    case 5:
        return fedrdma_allgather(a, count, t, b, count, t, j->world);
    case 6:
        return fedrdma_alltoall(a, count, t, b, count, t, j->world);
    case 7:
        return fedrdma_reduce_scatter_block(a, b, count, t, FEDRDMA_SUM, j->world);
    case 8:
        return fedrdma_scan(a, b, count, t, FEDRDMA_SUM, j->world);
    case 9:
        return fedrdma_exscan(a, b, count, t, FEDRDMA_SUM, j->world);
    case 10:
        return fedrdma_allreduce_weighted(a, b, count, t, 2, j->world);
    case 11:
        return fedrdma_gatherv(a, count, t, b, counts, displs, t, 0, j->world);
    case 12:
        return fedrdma_scatterv(a, counts, displs, t, b, count, t, 0, j->world);
    case 13:
        return fedrdma_allgatherv(a, count, t, b, counts, displs, t, j->world);
    case 14:
        return fedrdma_alltoallv(a, counts, displs, t, b, counts, displs, t, j->world);
    case 15:
        return fedrdma_reduce_scatter(a, b, counts, t, FEDRDMA_SUM, j->world);
    default:
        return fedrdma_barrier(j->world);
    }
}

enum { COLLECTIVES = 17 };

enum { WINDOW = 8, WINDOWS = 6 };

/* Allocations made by WINDOW equal calls in step: with a barrier before each, so that no rank runs ahead. */
static uint64_t allocations_of(job *j, int which, float *a, float *b, size_t count, const size_t *counts,
                               const size_t *displs)
{
    uint64_t before = counter(j, "mem.allocations");

    for (int i = 0; i < WINDOW; i++) {
        EXPECT_OK(fedrdma_barrier(j->world));
        EXPECT_OK(each_collective(j, which, a, b, count, counts, displs));
    }
    return counter(j, "mem.allocations") - before;
}

/* A call like an earlier one allocates nothing. Only the pools for messages that come before their receive
 * may still grow, to the most there ever were at once, which is a matter of timing: what each call allocates
 * shows in every window, and that in few. */
static void test_allocations(job *j, size_t count)
{
    size_t total = count * (size_t)j->size, counts[MAX_RANKS], displs[MAX_RANKS];
    float *a = calloc(total, sizeof *a), *b = calloc(total, sizeof *b);

    for (int r = 0; r < j->size; r++) {
        counts[r] = count;
        displs[r] = (size_t)(j->size - 1 - r) * count; /* descending: what must be sorted is sorted in place */
    }
    for (int which = 0; a != NULL && b != NULL && which < COLLECTIVES; which++) {
        int clean = 0;
        EXPECT_OK(each_collective(j, which, a, b, count, counts, displs)); /* records */
        for (int i = 0; i < WINDOWS; i++)
            clean += allocations_of(j, which, a, b, count, counts, displs) == 0;
        if (!EXPECT(clean >= WINDOWS / 2))
            fprintf(stderr, "  collective %d of %zu floats: %d of %d windows made no allocation\n", which,
                    count, clean, WINDOWS);
    }
    free(a);
    free(b);
}

/* ---- bit-identical results ------------------------------------------------------------------------ */

static float inexact(int rank, size_t i)
{
    return (float)((double)(mp_hash((uint64_t)rank, i) >> 11) / 4503599627370496.0) + 1e-3F;
}

static void fill_inexact(job *j, fedrdma_datatype type, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        float f = inexact(j->rank, i);
        double d = (double)f * 1.1;
        uint32_t bits;
        uint16_t half;
        memcpy(&bits, &f, sizeof bits);
        /* 1.x in f16 by its mantissa alone; bf16 is the upper half of an f32. */
        half = type == FEDRDMA_F16 ? (uint16_t)(0x3c00 | ((bits >> 13) & 0x3ff)) : (uint16_t)(bits >> 16);
        if (type == FEDRDMA_F64)
            memcpy((char *)out + 8 * i, &d, 8);
        else if (type == FEDRDMA_F32)
            memcpy((char *)out + 4 * i, &f, 4);
        else
            memcpy((char *)out + 2 * i, &half, 2);
    }
}

static uint64_t checksum(const void *data, size_t bytes)
{
    uint64_t sum = 1;

    for (size_t i = 0; i < bytes; i++)
        sum = mp_hash(sum, ((const unsigned char *)data)[i]);
    return sum;
}

/* The result of one inexact allreduce: equal on all ranks, and each time. */
static uint64_t identical(job *j, fedrdma_datatype type, fedrdma_op op, size_t count, void *in, void *out)
{
    size_t bytes = count * fedrdma_datatype_size(type);
    uint64_t all[MAX_RANKS], sum = 0;

    fill_inexact(j, type, count, in);
    for (int again = 0; again < 3; again++) {
        fedrdma_request *request = NULL;
        if (op == 0)
            EXPECT_OK(fedrdma_allreduce_weighted(in, out, count, type, 1 + j->rank * 0.7, j->world));
        else if (again < 2)
            EXPECT_OK(fedrdma_allreduce(in, out, count, type, op, j->world));
        else if (EXPECT_OK(fedrdma_iallreduce(in, out, count, type, op, j->world, &request)))
            EXPECT_OK(fedrdma_wait(&request, NULL));
        uint64_t now = checksum(out, bytes);
        EXPECT(again == 0 || now == sum);
        sum = now;
        EXPECT_OK(fedrdma_allgather(&sum, 1, FEDRDMA_U64, all, 1, FEDRDMA_U64, j->world));
        for (int r = 1; r < j->size; r++)
            EXPECT(all[r] == all[0]);
    }
    return sum;
}

static void test_identical(job *j)
{
    static const fedrdma_datatype types[] = { FEDRDMA_F16, FEDRDMA_BF16, FEDRDMA_F32, FEDRDMA_F64 };
    static const fedrdma_op ops[] = { FEDRDMA_SUM, FEDRDMA_AVG, FEDRDMA_PROD, 0 };
    static const size_t counts[] = { 1, 7, 1000, 20011, 400009 };
    void *in = malloc(400009 * 8), *out = malloc(400009 * 8);
    uint64_t sum = 0;

    for (size_t c = 0; in != NULL && out != NULL && c < sizeof counts / sizeof counts[0]; c++)
        for (size_t t = 0; t < 4; t++)
            for (size_t o = 0; o < 4; o++)
                if (counts[c] < 100000 || t == o) /* the large ones once for each type */
                    sum = mp_hash(sum, identical(j, types[t], ops[o], counts[c], in, out));
    if (j->rank == 0)
        printf("# checksum %016" PRIx64 "\n", sum);
    free(in);
    free(out);
}

/* ---- requests ------------------------------------------------------------------------------------- */

static void test_persistent(job *j)
{
    int64_t in = 0, out = 0;
    fedrdma_request *request = NULL;

    if (!EXPECT_OK(fedrdma_allreduce_init(&in, &out, 1, FEDRDMA_I64, FEDRDMA_SUM, j->world, &request)))
        return;
    EXPECT_OK(fedrdma_wait(&request, NULL)); /* inactive */
    for (int i = 0; i < 200; i++) {
        int done = 0;
        in = i * (j->rank + 1);
        EXPECT_OK(fedrdma_start(request));
        while (i % 2 == 0 && !done && mp_expect_failures == 0)
            EXPECT_OK(fedrdma_test(&request, &done, NULL));
        EXPECT_OK(fedrdma_wait(&request, NULL));
        EXPECT(request != NULL);
        EXPECT(out == (int64_t)i * j->size * (j->size + 1) / 2);
    }
    EXPECT_OK(fedrdma_request_free(&request));
    EXPECT(request == NULL);
}

/* The last rank stays away until the others' operation was cancelled. */
static void test_cancel(job *j)
{
    enum { COUNT = 40000 };
    fedrdma_comm *comm = NULL;
    fedrdma_request *request = NULL;
    float *data = calloc(COUNT, sizeof *data);
    bool late = j->rank == j->size - 1;
    int rc, sum = 0, one = 1;

    if (data == NULL || j->size < 2 || !EXPECT_OK(fedrdma_comm_dup(j->world, &comm))) {
        free(data);
        return;
    }
    if (!late)
        EXPECT_OK(
            fedrdma_iallreduce(FEDRDMA_IN_PLACE, data, COUNT, FEDRDMA_F32, FEDRDMA_SUM, comm, &request));
    if (j->rank == 0) {
        EXPECT_OK(fedrdma_cancel(request));
        EXPECT_CODE(fedrdma_wait(&request, NULL), FEDRDMA_ERR_CANCELED);
        EXPECT(request == NULL);
    }
    EXPECT_OK(fedrdma_barrier(j->world));
    if (late)
        rc = fedrdma_iallreduce(FEDRDMA_IN_PLACE, data, COUNT, FEDRDMA_F32, FEDRDMA_SUM, comm, &request);
    else
        rc = FEDRDMA_OK;
    EXPECT(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_CANCELED);
    if (request != NULL) {
        rc = fedrdma_wait(&request, NULL);
        EXPECT(rc == FEDRDMA_ERR_CANCELED);
    }
    EXPECT_OK(fedrdma_allreduce(&one, &sum, 1, FEDRDMA_INT, FEDRDMA_SUM, comm)); /* still usable */
    EXPECT(sum == j->size);
    EXPECT_OK(fedrdma_comm_free(&comm));
    free(data);
}

/* Cancelled by nobody in particular: every rank starts, the middle one cancels at once. */
static void test_cancel_race(job *j)
{
    enum { COUNT = 3000, ROUNDS = 30 };
    float *data = calloc(COUNT, sizeof *data);
    int sum = 0, one = 1;

    for (int i = 0; data != NULL && i < ROUNDS; i++) {
        fedrdma_request *request = NULL;
        EXPECT_OK(fedrdma_iallreduce(FEDRDMA_IN_PLACE, data, i % 2 ? COUNT : 3, FEDRDMA_F32, FEDRDMA_MAX,
                                     j->world, &request));
        if (j->rank == j->size / 2)
            EXPECT_OK(fedrdma_cancel(request));
        int rc = fedrdma_wait(&request, NULL);
        EXPECT(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_CANCELED);
        EXPECT_OK(fedrdma_allreduce(&one, &sum, 1, FEDRDMA_INT, FEDRDMA_SUM, j->world));
        EXPECT(sum == j->size);
    }
    free(data);
}

/* ---- memory, operators, a second context ----------------------------------------------------------- */

static void test_alloc(job *j)
{
    static const size_t sizes[] = { 1, 4096, 100000, 5 << 20 };
    void *memory[4] = { NULL };

    for (size_t i = 0; i < 4; i++)
        if (EXPECT_OK(fedrdma_alloc(j->context, sizes[i], &memory[i]))) {
            EXPECT((uintptr_t)memory[i] % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
            for (size_t b = 0; b < sizes[i]; b += 997)
                EXPECT(((unsigned char *)memory[i])[b] == 0);
            memset(memory[i], (int)i + 1, sizes[i]);
        }
    for (size_t i = 0; i < 4; i += 2) /* the others are left to finalize */
        EXPECT_OK(fedrdma_free(j->context, memory[i]));
    EXPECT_OK(fedrdma_free(j->context, NULL));
    EXPECT(memory[1] == NULL || ((unsigned char *)memory[1])[4095] == 2);
}

static void test_ops(job *j)
{
    fedrdma_op op[40];
    uint32_t value = 3, out = 0;

    for (int i = 0; i < 40; i++)
        EXPECT_OK(fedrdma_op_create(j->context, i % 2 ? mp_user_op : mp_ordered_op, i % 2, NULL, &op[i]));
    for (int i = 0; i < 40; i += 2)
        EXPECT_OK(fedrdma_op_free(j->context, &op[i]));
    EXPECT(op[0] == 0);
    EXPECT_OK(fedrdma_allreduce(&value, &out, 1, FEDRDMA_U32, op[1], j->world));
    EXPECT(out == 3 * (uint32_t)j->size);
    for (int i = 1; i < 40; i += 2)
        EXPECT_OK(fedrdma_op_free(j->context, &op[i]));
}

/* A user's out-of-band allgather, made of the first context. */
static int oob(const void *mine, void *all, size_t bytes, void *arg)
{
    return fedrdma_allgather(mine, bytes, FEDRDMA_BYTE, all, bytes, FEDRDMA_BYTE, arg);
}

static void test_second_context(job *j)
{
    fedrdma_options *options = NULL;
    fedrdma_context *second = NULL;
    fedrdma_request *request[2] = { NULL };
    int mine = j->rank + 1, sum[2] = { 0 }, expected = j->size * (j->size + 1) / 2;

    if (!EXPECT_OK(fedrdma_options_create(&options)) ||
        !EXPECT_OK(fedrdma_options_set_oob(options, j->rank, j->size, oob, j->world)) ||
        !EXPECT_OK(fedrdma_init(options, &second)))
        return;
    fedrdma_options_destroy(options);
    EXPECT(fedrdma_comm_nsilos(fedrdma_world(second)) == fedrdma_comm_nsilos(j->world));
    for (int i = 0; i < 20; i++) {
        fedrdma_comm *comm[2] = { j->world, fedrdma_world(second) };
        for (int c = 0; c < 2; c++)
            EXPECT_OK(fedrdma_iallreduce(&mine, &sum[c], 1, FEDRDMA_INT, FEDRDMA_SUM, comm[c], &request[c]));
        /* Either end may come first; each wait drives its own context only, so all ranks take the same order.
         */
        for (int c = 0; c < 2; c++) {
            EXPECT_OK(fedrdma_wait(&request[(c + i) % 2], NULL));
            EXPECT(sum[(c + i) % 2] == expected);
        }
    }
    EXPECT_OK(fedrdma_finalize(&second));
    EXPECT(second == NULL);
    EXPECT_OK(fedrdma_barrier(j->world));
}

int main(void)
{
    job j = { 0 };
    const char *seed = getenv("MP_SEED");

    if (!EXPECT_OK(fedrdma_init(NULL, &j.context)))
        return 1;
    j.world = fedrdma_world(j.context);
    j.rank = mp_expect_rank = fedrdma_comm_rank(j.world);
    j.size = fedrdma_comm_size(j.world);
    test_counters(&j);
    test_layout(&j);
    for (uint64_t i = 0; i < 10; i++)
        test_split(&j, (seed != NULL ? strtoull(seed, NULL, 10) : 1) + i);
    test_result(&j);
    test_allocations(&j, 3);
    test_allocations(&j, 2000);
    test_allocations(&j, 80000);
    test_identical(&j);
    test_persistent(&j);
    test_cancel(&j);
    test_cancel_race(&j);
    test_alloc(&j);
    test_ops(&j);
    test_second_context(&j);
    EXPECT_OK(fedrdma_finalize(&j.context));
    EXPECT(j.context == NULL);
    return mp_expect_failures > 0;
}
