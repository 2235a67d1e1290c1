/* SPDX-License-Identifier: BSD-3-Clause
 *
 * node.c - collectives inside a node: which way the data takes, buffers of every kind at different ranks, blocks that
 * come and go, calls that are cancelled and calls that wait. By 2 ranks or more of one node. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/mp/expect.h"

MP_EXPECT_DEFINE;

typedef struct job {
    fedrdma_context *context;
    fedrdma_comm *world;
    int rank, size;
} job;

/* The same numbers on all ranks: which buffers a case has. */
static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static uint64_t counter(const job *j, const char *name)
{
    uint64_t value = 0;

    EXPECT_OK(fedrdma_counter(j->context, name, &value));
    return value;
}

static int *buffer(job *j, bool shared, size_t count)
{
    void *memory = NULL;

    if (shared)
        EXPECT_OK(fedrdma_alloc(j->context, count * sizeof(int), &memory));
    else
        memory = malloc(count * sizeof(int));
    if (memory == NULL)
        abort();
    memset(memory, 0x5a, count * sizeof(int));
    return memory;
}

static void drop(job *j, bool shared, int *memory)
{
    if (shared)
        EXPECT_OK(fedrdma_free(j->context, memory));
    else
        free(memory);
}

/* What rank r has at place i. */
static int given(int r, size_t i)
{
    return (int)(i % 9973) * 7 + r * 1000003;
}

static int sum_of(int size, size_t i)
{
    return size * given(0, i) + size * (size - 1) / 2 * given(1, 0);
}

/* Counts and says the first wrong element. */
static bool right(const char *what, const int *got, size_t count, int (*want)(int arg, size_t i), int arg, size_t from)
{
    for (size_t i = 0; i < count; i++) {
        if (got[i] != want(arg, from + i)) {
            fprintf(stderr, "%s: element %zu of %zu is %d, not %d\n", what, i, count, got[i], want(arg, from + i));
            return EXPECT(got[i] == want(arg, from + i));
        }
    }
    return true;
}

/* ---- which way ------------------------------------------------------------------------------------ */

static void way(job *j, size_t count, bool shared, const char *name)
{
    int *in = buffer(j, shared, count), *out = buffer(j, shared, count);

    for (size_t i = 0; i < count; i++)
        in[i] = given(j->rank, i);
    for (int again = 0; again < 40; again++) { /* more often than a rank may be ahead; from the second on quick.c's */
        const uint64_t before = counter(j, name), calls = counter(j, "node.calls");

        memset(out, 0, count * sizeof *out);
        if (!EXPECT_OK(fedrdma_allreduce(in, out, count, FEDRDMA_I32, FEDRDMA_SUM, j->world)) ||
            !right(name, out, count, sum_of, j->size, 0))
            break;
        EXPECT(counter(j, name) == before + 1);
        EXPECT(counter(j, "node.calls") == calls + 1);
    }
    drop(j, shared, in);
    drop(j, shared, out);
}

static void test_ways(job *j)
{
    way(j, 1, false, "node.inline");
    way(j, 500, false, "node.staged");
    way(j, 100000, false, "node.staged");
    way(j, 1, true, "node.inline");
    way(j, 500, true, "node.staged");
    way(j, 100000, true, "node.pushed");
}

/* ---- every collective, with buffers of fedrdma_alloc at some ranks -------------------------------- */

typedef struct mix {
    job *j;
    size_t count; /* of a vector or a block */
    int root;
    bool in_shared, out_shared;
    int *in, *out;
} mix;

static int given_at(int r, size_t i)
{
    return given(r, i);
}

static void mix_reduce(mix *m)
{
    job *const j = m->j;

    EXPECT_OK(fedrdma_allreduce(m->in, m->out, m->count, FEDRDMA_I32, FEDRDMA_SUM, j->world));
    right("allreduce", m->out, m->count, sum_of, j->size, 0);
    memcpy(m->out, m->in, m->count * sizeof(int));
    EXPECT_OK(fedrdma_allreduce(FEDRDMA_IN_PLACE, m->out, m->count, FEDRDMA_I32, FEDRDMA_SUM, j->world));
    right("allreduce in place", m->out, m->count, sum_of, j->size, 0);
    EXPECT_OK(fedrdma_reduce(m->in, m->out, m->count, FEDRDMA_I32, FEDRDMA_SUM, m->root, j->world));
    if (j->rank == m->root)
        right("reduce", m->out, m->count, sum_of, j->size, 0);
    EXPECT_OK(fedrdma_reduce_scatter_block(m->in, m->out, m->count, FEDRDMA_I32, FEDRDMA_SUM, j->world));
    right("reduce_scatter", m->out, m->count, sum_of, j->size, (size_t)j->rank * m->count);
    memcpy(m->out, m->in, (size_t)j->size * m->count * sizeof(int));
    EXPECT_OK(fedrdma_reduce_scatter_block(FEDRDMA_IN_PLACE, m->out, m->count, FEDRDMA_I32, FEDRDMA_SUM, j->world));
    right("reduce_scatter in place", m->out, m->count, sum_of, j->size, (size_t)j->rank * m->count);
}

static void mix_move(mix *m)
{
    job *const j = m->j;
    const size_t n = m->count;

    memcpy(m->out, m->in, n * sizeof(int));
    EXPECT_OK(fedrdma_broadcast(m->out, n, FEDRDMA_I32, m->root, j->world));
    right("broadcast", m->out, n, given_at, m->root, 0);
    EXPECT_OK(fedrdma_gather(m->in, n, FEDRDMA_I32, m->out, n, FEDRDMA_I32, m->root, j->world));
    for (int r = 0; r < j->size && j->rank == m->root; r++)
        right("gather", m->out + (size_t)r * n, n, given_at, r, 0);
    EXPECT_OK(fedrdma_allgather(m->in, n, FEDRDMA_I32, m->out, n, FEDRDMA_I32, j->world));
    for (int r = 0; r < j->size; r++)
        right("allgather", m->out + (size_t)r * n, n, given_at, r, 0);
    memcpy(m->out + (size_t)j->rank * n, m->in, n * sizeof(int));
    EXPECT_OK(fedrdma_allgather(FEDRDMA_IN_PLACE, 0, FEDRDMA_I32, m->out, n, FEDRDMA_I32, j->world));
    for (int r = 0; r < j->size; r++)
        right("allgather in place", m->out + (size_t)r * n, n, given_at, r, 0);
    EXPECT_OK(fedrdma_scatter(m->in, n, FEDRDMA_I32, m->out, n, FEDRDMA_I32, m->root, j->world));
    right("scatter", m->out, n, given_at, m->root, (size_t)j->rank * n);
    EXPECT_OK(fedrdma_alltoall(m->in, n, FEDRDMA_I32, m->out, n, FEDRDMA_I32, j->world));
    for (int r = 0; r < j->size; r++)
        right("alltoall", m->out + (size_t)r * n, n, given_at, r, (size_t)j->rank * n);
    memcpy(m->out, m->in, (size_t)j->size * n * sizeof(int));
    EXPECT_OK(fedrdma_alltoall(FEDRDMA_IN_PLACE, 0, FEDRDMA_I32, m->out, n, FEDRDMA_I32, j->world));
    for (int r = 0; r < j->size; r++)
        right("alltoall in place", m->out + (size_t)r * n, n, given_at, r, (size_t)j->rank * n);
}

static void test_mixes(job *j, uint64_t seed)
{
    static const size_t counts[] = { 1, 9, 11, 300, 2100, 2500, 20011, 140000 };
    const size_t blocks = 1000000; /* elements in a buffer: many ranks on few processors would take minutes */

    for (int c = 0; c < (j->size < 12 ? 24 : 8); c++) {
        const size_t count = counts[(size_t)c % (sizeof counts / sizeof *counts)], most_here = blocks / (size_t)j->size;
        uint64_t all = seed + (uint64_t)c, mine = all * 977 + (uint64_t)j->rank;
        mix m = { .j = j, .count = count < most_here ? count : most_here };

        draw(&all);
        draw(&mine);
        m.root = (int)(draw(&all) % (uint64_t)j->size);
        m.in_shared = draw(&mine) % 2 == 0; /* another choice on every rank */
        m.out_shared = draw(&mine) % 2 == 0;
        const size_t most = (size_t)j->size * m.count;
        m.in = buffer(j, m.in_shared, most);
        m.out = buffer(j, m.out_shared, most);
        for (size_t i = 0; i < most; i++)
            m.in[i] = given(j->rank, i);
        mix_reduce(&m);
        mix_move(&m);
        drop(j, m.in_shared, m.in);
        drop(j, m.out_shared, m.out);
    }
}

/* ---- cancel --------------------------------------------------------------------------------------- */

/* The last rank cancels what the first never starts; the communicator stays good, and that as often as a rank may be
 * ahead. Then calls of several lengths in flight, some cancelled before their turn. */
static void test_cancel(job *j)
{
    enum { COUNT = 50000, TIMES = 20 };
    int *in = buffer(j, true, COUNT), *out = buffer(j, true, COUNT), one = j->rank, all = 0;
    fedrdma_request *request, *second;

    for (size_t i = 0; i < COUNT; i++)
        in[i] = given(j->rank, i);
    for (int t = 0; t < TIMES; t++) {
        EXPECT_OK(fedrdma_iallreduce(in, out, COUNT, FEDRDMA_I32, FEDRDMA_SUM, j->world, &request));
        EXPECT_OK(fedrdma_iallreduce(&one, &all, 1, FEDRDMA_I32, FEDRDMA_SUM, j->world, &second));
        if (j->rank == j->size - 1) {
            EXPECT_OK(fedrdma_cancel(t % 2 == 0 ? request : second));
            EXPECT_OK(fedrdma_cancel(t % 2 == 0 ? second : request));
        }
        const int first = fedrdma_wait(&request, NULL), last = fedrdma_wait(&second, NULL);
        EXPECT(first == FEDRDMA_OK || first == FEDRDMA_ERR_CANCELED);
        EXPECT(last == FEDRDMA_OK || last == FEDRDMA_ERR_CANCELED);
        if (first == FEDRDMA_OK)
            right("before a cancel", out, COUNT, sum_of, j->size, 0);
        EXPECT_OK(fedrdma_barrier(j->world));
        EXPECT_OK(fedrdma_allreduce(in, out, COUNT, FEDRDMA_I32, FEDRDMA_SUM, j->world));
        right("after a cancel", out, COUNT, sum_of, j->size, 0);
    }
    drop(j, true, in);
    drop(j, true, out);
}

/* A rank cancels, at some moment, what the others make by blocking calls: they get all of the result or the notice,
 * also where it frees its buffers at once, or uses its ring for something else. */
static void test_cancel_blocking(job *j)
{
    enum { COUNT = 100000, SHORT = 2000, TIMES = 60 };
    int *other = buffer(j, false, COUNT), *sum = buffer(j, false, COUNT);
    int *const out = buffer(j, true, COUNT);

    for (int t = 0; t < TIMES; t++) {
        const size_t count = t % 2 == 0 ? COUNT : SHORT;
        int *in = buffer(j, true, count), done = 0;
        fedrdma_request *request;

        for (size_t i = 0; i < count; i++)
            in[i] = given(j->rank, i);
        for (int again = 0; again < 2; again++) /* learned: the next one goes the short way */
            EXPECT_OK(fedrdma_allreduce(in, out, count, FEDRDMA_I32, FEDRDMA_SUM, j->world));
        memset(out, 0, count * sizeof *out);
        EXPECT_OK(fedrdma_barrier(j->world));
        if (j->rank == 0) {
            EXPECT_OK(fedrdma_iallreduce(in, out, count, FEDRDMA_I32, FEDRDMA_SUM, j->world, &request));
            for (int spin = 0; spin < t * 20; spin++)
                EXPECT_OK(fedrdma_test(&request, &done, NULL));
            if (!done) {
                EXPECT_OK(fedrdma_cancel(request));
                (void)fedrdma_wait(&request, NULL);
            }
            drop(j, true, in);
        } else {
            const int rc = fedrdma_allreduce(in, out, count, FEDRDMA_I32, FEDRDMA_SUM, j->world);

            EXPECT(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_CANCELED);
            if (rc == FEDRDMA_OK)
                right("with a rank that cancels", out, count, sum_of, j->size, 0);
            drop(j, true, in);
        }
        EXPECT_OK(fedrdma_allreduce(other, sum, COUNT, FEDRDMA_I32, FEDRDMA_BAND, j->world));
    }
    drop(j, false, other);
    drop(j, false, sum);
    drop(j, true, out);
}

/* What a rank has given stays as it was when it leaves the call and goes on to one that fills its ring: the others, who
 * come later and go the short way, still find it. */
static void test_cancel_given(job *j)
{
    enum { COUNT = 1000000, SHORT = 2000 };
    int *big = buffer(j, false, COUNT), *sum = buffer(j, false, COUNT);
    int *in = buffer(j, false, SHORT), out[SHORT], done;
    fedrdma_request *request;

    for (size_t i = 0; i < SHORT; i++)
        in[i] = given(j->rank, i);
    for (int t = 0; t < 5; t++) {
        for (int again = 0; again < 20; again++)
            EXPECT_OK(fedrdma_allreduce(in, out, SHORT, FEDRDMA_I32, FEDRDMA_SUM, j->world));
        memset(out, 0, sizeof out);
        EXPECT_OK(fedrdma_barrier(j->world));
        if (j->rank == 0) {
            EXPECT_OK(fedrdma_iallreduce(in, out, SHORT, FEDRDMA_I32, FEDRDMA_SUM, j->world, &request));
            EXPECT_OK(fedrdma_test(&request, &done, NULL));
            if (!done) {
                EXPECT_OK(fedrdma_cancel(request));
                (void)fedrdma_wait(&request, NULL);
            }
        } else {
            usleep(20000);
            const int rc = fedrdma_allreduce(in, out, SHORT, FEDRDMA_I32, FEDRDMA_SUM, j->world);
            EXPECT(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_CANCELED);
            if (rc == FEDRDMA_OK)
                right("given by a rank that left", out, SHORT, sum_of, j->size, 0);
        }
        EXPECT_OK(fedrdma_allreduce(big, sum, COUNT, FEDRDMA_I32, FEDRDMA_BAND, j->world));
    }
    drop(j, false, big);
    drop(j, false, sum);
    drop(j, false, in);
}

/* A rank is through with a broadcast, begins the next call and leaves it, while another has not begun the broadcast. */
static void test_cancel_ahead(job *j)
{
    enum { COUNT = 30000 };
    int *const data = buffer(j, true, COUNT);
    int done;
    fedrdma_request *request;

    for (int t = 0; t < 5 && j->size > 2; t++) {
        for (size_t i = 0; i < COUNT; i++)
            data[i] = j->rank == 0 ? given(t, i) : 0;
        EXPECT_OK(fedrdma_barrier(j->world));
        if (j->rank == 2)
            usleep(20000);
        EXPECT_OK(fedrdma_broadcast(data, COUNT, FEDRDMA_I32, 0, j->world));
        right("broadcast", data, COUNT, given_at, t, 0);
        EXPECT_OK(fedrdma_ibarrier(j->world, &request));
        if (j->rank == 1) {
            EXPECT_OK(fedrdma_test(&request, &done, NULL));
            if (!done)
                EXPECT_OK(fedrdma_cancel(request));
        }
        const int rc = fedrdma_wait(&request, NULL);
        EXPECT(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_CANCELED);
    }
    drop(j, true, data);
}

/* ---- communicators, and many calls at once -------------------------------------------------------- */

static void test_comms(job *j)
{
    enum { COMMS = 6, COUNT = 3000 };
    fedrdma_comm *comm[COMMS];
    fedrdma_request *request[COMMS];
    int *in = buffer(j, false, COUNT), *out[COMMS];

    for (size_t i = 0; i < COUNT; i++)
        in[i] = given(j->rank, i);
    for (int c = 0; c < COMMS; c++) {
        out[c] = buffer(j, c % 2 == 0, COUNT);
        EXPECT_OK(fedrdma_comm_split(j->world, 0, c % 2 == 0 ? j->rank : -j->rank, &comm[c]));
    }
    for (int again = 0; again < 30; again++) {
        for (int c = 0; c < COMMS; c++) /* in another order on every rank: they don't meet */
            EXPECT_OK(fedrdma_iallreduce(in, out[(c + j->rank) % COMMS], COUNT, FEDRDMA_I32, FEDRDMA_SUM,
                                         comm[(c + j->rank) % COMMS], &request[c]));
        EXPECT_OK(fedrdma_waitall(COMMS, request, NULL));
        for (int c = 0; c < COMMS; c++)
            right("several communicators", out[c], COUNT, sum_of, j->size, 0);
    }
    for (int c = 0; c < COMMS; c++) {
        EXPECT_OK(fedrdma_comm_free(&comm[c]));
        drop(j, c % 2 == 0, out[c]);
    }
    drop(j, false, in);
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Who waits for a late rank sleeps: a tenth of what polling would take is far more than it needs (perf/latecomer says
 * how much that is). */
static void test_wait(job *j)
{
    int one = 1, all;

    for (int late = 0; late < 2; late++) {
        EXPECT_OK(fedrdma_barrier(j->world));
        const double before = cpu_s();
        if (j->rank == late)
            usleep(300000);
        EXPECT_OK(fedrdma_allreduce(&one, &all, 1, FEDRDMA_I32, FEDRDMA_SUM, j->world));
        EXPECT(all == j->size);
        EXPECT(cpu_s() - before < 0.03);
    }
    EXPECT(j->rank == 1 || counter(j, "net.sleeps") > 0);
}

/* One calls something else than the others' barrier, that only takes, so nobody has anything of it: all hear of it at
 * once nevertheless. */
static void test_disagree(job *j)
{
    const int last = j->size - 1;
    fedrdma_comm *comm = NULL;
    int one = 1, sum = 0;

    for (int odd = 0; odd < 2; odd++) {
        if (!EXPECT_OK(fedrdma_comm_dup(j->world, &comm)))
            return;
        if (j->rank != last)
            EXPECT_CODE(fedrdma_barrier(comm), FEDRDMA_ERR_MISMATCH);
        else if (odd == 0)
            EXPECT_CODE(fedrdma_broadcast(&one, 1, FEDRDMA_I32, 0, comm), FEDRDMA_ERR_MISMATCH);
        else
            EXPECT_CODE(fedrdma_reduce(&one, &sum, 1, FEDRDMA_I32, FEDRDMA_SUM, last, comm), FEDRDMA_ERR_MISMATCH);
        EXPECT_OK(fedrdma_comm_free(&comm));
    }
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    uint64_t same = seed;
    job j = { 0 };

    if (!EXPECT_OK(fedrdma_init(NULL, &j.context)))
        return 1;
    j.world = fedrdma_world(j.context);
    j.rank = mp_expect_rank = fedrdma_comm_rank(j.world);
    j.size = fedrdma_comm_size(j.world);
    EXPECT_OK(fedrdma_broadcast(&same, 1, FEDRDMA_U64, 0, j.world));
    if (j.rank == 0)
        printf("# seed %llu, %d ranks\n", (unsigned long long)same, j.size);
    test_ways(&j);
    test_mixes(&j, same);
    test_cancel(&j);
    test_cancel_blocking(&j);
    test_cancel_given(&j);
    test_cancel_ahead(&j);
    test_comms(&j);
    test_wait(&j);
    test_disagree(&j);
    EXPECT_OK(fedrdma_finalize(&j.context));
    return atomic_load(&mp_expect_failures) > 0;
}
