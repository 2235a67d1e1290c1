/* SPDX-License-Identifier: BSD-3-Clause
 *
 * failures.c - what users get when something goes wrong in the middle: deadlines that name the missing rank,
 * a failure that reaches every rank, the broken communicator afterwards, and results that stay right with
 * hostile constants (tiny fragments, windows, caches) and with several threads on one context. Ranks are
 * threads. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "tests/mp/expect.h"
#include "tests/mp/threads.h"

MP_EXPECT_DEFINE;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Rank 2 of 4 never comes to the collective: the others must fail in about the timeout, all of them, and the
 * story must name rank 2 on at least one of them and say who told on the others. */
static atomic_int named, broken;

static void absent_rank(mp_job *job, int rank, void *arg)
{
    /* Everybody waits for everybody directly, so whoever gives up first names the right rank. */
    const char *settings[] = { "timeout", "700ms", "finalize_timeout", "500ms", "algo", "allgather:0-:linear",
                               NULL };
    fedrdma_context *context = NULL;
    float in[1000] = { 0 }, out[4000];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    EXPECT_OK(fedrdma_barrier(world));
    if (rank != 2) {
        const double start = now_s();
        EXPECT_CODE(fedrdma_allgather(in, 1000, FEDRDMA_F32, out, 1000, FEDRDMA_F32, world),
                    FEDRDMA_ERR_TIMEOUT);
        EXPECT(now_s() - start > 0.6 && now_s() - start < 5);
        const char *story = fedrdma_last_error(world);
        if (strstr(story, "rank 2") != NULL)
            atomic_fetch_add(&named, 1);
        EXPECT_STORY(world, "FEDRDMA_TIMEOUT");
        EXPECT_CODE(fedrdma_barrier(world), FEDRDMA_ERR_BROKEN);
        EXPECT_STORY(world, "broken since");
        atomic_fetch_add(&broken, 1);
    }
    mp_threads_meet(job);
    if (rank == 2) { /* was told meanwhile: the first call says what of, later ones only that */
        EXPECT(fedrdma_progress(context) == 0 && fedrdma_progress(context) == 0);
        EXPECT_CODE(fedrdma_barrier(world), FEDRDMA_ERR_TIMEOUT);
        EXPECT_CODE(fedrdma_barrier(world), FEDRDMA_ERR_BROKEN);
    }
    EXPECT_OK(fedrdma_finalize(&context));
}

/* The attribute deadline ends a call although there is progress elsewhere; other communicators go on working.
 */
static void deadline_rank(mp_job *job, int rank, void *arg)
{
    fedrdma_context *context = NULL;
    fedrdma_comm *other = NULL;
    const fedrdma_attr attr = { .deadline_ns = 300 * 1000 * 1000 };
    int in = rank, out = -1;

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, NULL, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    EXPECT_OK(fedrdma_comm_dup(world, &other));
    if (rank == 0) {
        EXPECT_OK(fedrdma_comm_set_attr(other, &attr));
        EXPECT_CODE(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_SUM, other), FEDRDMA_ERR_TIMEOUT);
        EXPECT_STORY(other, "deadline");
    }
    EXPECT_OK(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_SUM, world));
    EXPECT(out == 3);
    if (rank != 0)
        EXPECT_CODE(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_SUM, other), FEDRDMA_ERR_TIMEOUT);
    EXPECT_CODE(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_SUM, other), FEDRDMA_ERR_BROKEN);
    EXPECT_OK(fedrdma_comm_free(&other));
    EXPECT_OK(fedrdma_finalize(&context));
}

/* Who leaves after a failure elsewhere does not meet the others' calls: they miss it, that is all. */
static void leaver_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "timeout", "1s", "finalize_timeout", "300ms", "algo", "allreduce:0-:ring", NULL };
    const fedrdma_attr attr = { .deadline_ns = 100 * 1000 * 1000 };
    fedrdma_context *context = NULL;
    fedrdma_comm *other = NULL;
    int in[300] = { 0 }, out[300];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    EXPECT_OK(fedrdma_comm_dup(world, &other));
    if (rank == 0) {
        EXPECT_OK(fedrdma_comm_set_attr(other, &attr));
        EXPECT_CODE(fedrdma_allreduce(in, out, 300, FEDRDMA_INT, FEDRDMA_SUM, other), FEDRDMA_ERR_TIMEOUT);
    } else {
        const int rc = fedrdma_allreduce(in, out, 300, FEDRDMA_INT, FEDRDMA_SUM, world);
        EXPECT(rc == FEDRDMA_ERR_TIMEOUT || rc == FEDRDMA_ERR_RANK_LOST);
    }
    EXPECT_OK(fedrdma_finalize(&context));
}

/* Counts that differ, without the option check: whoever gets the wrong size says so, and all ranks fail. */
static void mismatch_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "timeout", "3s", "finalize_timeout", "500ms", "algo", "broadcast:0-:binomial",
                               NULL };
    fedrdma_context *context = NULL;
    int data[16] = { 0 };

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    const int rc = fedrdma_broadcast(data, rank == 1 ? 16 : 8, FEDRDMA_INT, 0, world);
    if (rank == 1) {
        EXPECT(rc == FEDRDMA_ERR_MISMATCH);
        EXPECT_STORY(world, "FEDRDMA_CHECK");
    }
    mp_threads_meet(job);
    EXPECT(fedrdma_progress(context) == 0 && fedrdma_progress(context) == 0);
    EXPECT_CODE(fedrdma_barrier(world), rc == FEDRDMA_OK ? FEDRDMA_ERR_MISMATCH : FEDRDMA_ERR_BROKEN);
    EXPECT_CODE(fedrdma_barrier(world), FEDRDMA_ERR_BROKEN);
    EXPECT_OK(fedrdma_finalize(&context));
}

/* Many operations in flight at once with everything tiny. */
static const char *const hostile[][2] = {
    { "fragment", "64" }, { "window", "1" },        { "cache", "1" },
    { "eager", "16" },    { "eager_credit", "16" }, { "loop_seed", "7" },
};

enum { FLIGHTS = 12, LENGTH = 777 };

static void hostile_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[2 * sizeof(hostile) / sizeof(hostile[0]) + 1] = { NULL };
    static _Thread_local int in[FLIGHTS][LENGTH], out[FLIGHTS][LENGTH];
    fedrdma_request *requests[FLIGHTS];
    fedrdma_context *context = NULL;
    const int n = mp_threads_size(job);

    (void)arg;
    mp_expect_rank = rank;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        settings[2 * i] = hostile[i][0];
        settings[2 * i + 1] = hostile[i][1];
    }
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    for (int f = 0; f < FLIGHTS; f++) {
        const size_t count = (size_t)(LENGTH - f * 61);
        for (size_t i = 0; i < count; i++)
            in[f][i] = rank + (int)i * f;
        EXPECT_OK(fedrdma_iallreduce(in[f], out[f], count, FEDRDMA_INT, f % 2 ? FEDRDMA_SUM : FEDRDMA_MAX,
                                     fedrdma_world(context), &requests[f]));
    }
    for (int f = FLIGHTS - 1; f >= 0; f--)
        EXPECT_OK(fedrdma_wait(&requests[f], NULL));
    for (int f = 0; f < FLIGHTS; f++)
        for (int i = 0; i < LENGTH - f * 61; i++)
            if (!EXPECT(out[f][i] == (f % 2 ? n * (n - 1) / 2 + n * i * f : n - 1 + i * f)))
                break;
    EXPECT_OK(fedrdma_finalize(&context));
}

/* threads=multiple: three threads of a rank drive collectives on communicators of their own at once, and one
 * waits long on a fourth. */
enum { WORKERS = 3, ROUNDS = 200 };

typedef struct worker {
    fedrdma_comm *comm;
    int rank, size;
} worker;

static void *work(void *arg)
{
    const worker *w = arg;

    mp_expect_rank = w->rank;
    for (int i = 0; i < ROUNDS; i++) {
        int in = w->rank + i, out = -1;
        if (!EXPECT_OK(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_MAX, w->comm)) ||
            !EXPECT(out == w->size - 1 + i))
            break;
    }
    return NULL;
}

static void multiple_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "threads", "multiple", NULL };
    fedrdma_context *context = NULL;
    pthread_t threads[WORKERS];
    worker workers[WORKERS];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){ .rank = rank, .size = mp_threads_size(job) };
        EXPECT_OK(fedrdma_comm_dup(fedrdma_world(context), &workers[i].comm));
    }
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            abort();
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_OK(fedrdma_finalize(&context));
}

static void compute(double seconds)
{
    for (const double until = now_s() + seconds; now_s() < until;)
        ;
}

/* The user computes for longer than the timeout while an operation is under way, and nothing has come yet
 * when he waits: no failure. And the first messages leave before he waits. */
static void compute_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "timeout", "400ms", NULL };
    const fedrdma_attr endless = { .deadline_ns = UINT64_MAX };
    fedrdma_context *context = NULL;
    fedrdma_request *request = NULL;
    static _Thread_local int data[100];
    uint64_t sent = 0;

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    EXPECT_OK(fedrdma_comm_set_attr(world, &endless));
    data[0] = rank == 0 ? 77 : 0;
    EXPECT_OK(fedrdma_barrier(world));
    if (rank == 0)
        compute(1.0);
    EXPECT_OK(fedrdma_ibroadcast(data, 100, FEDRDMA_INT, 0, world, &request));
    if (rank == 0) {
        EXPECT_OK(fedrdma_counter(context, "loop.sent_bytes", &sent));
        EXPECT(sent >= 400);
    }
    if (rank != 0)
        compute(0.8);
    EXPECT_OK(fedrdma_wait(&request, NULL));
    EXPECT(data[0] == 77);
    EXPECT_OK(fedrdma_finalize(&context));
}

/* Two threads of each rank make communicators from a parent of their own, in another order on every rank. */
typedef struct maker {
    fedrdma_comm *parent, *made[40];
    int rank, size;
    bool late;
} maker;

static void *make_comms(void *arg)
{
    maker *m = arg;

    mp_expect_rank = m->rank;
    if (m->late)
        for (const double until = now_s() + 0.002; now_s() < until;) /* so that the other thread goes first */
            sched_yield();
    for (int i = 0; i < 40; i++)
        EXPECT_OK(fedrdma_comm_dup(m->parent, &m->made[i]));
    for (int i = 0; i < 40; i++) {
        int in = m->rank + i, out = -1;
        EXPECT_OK(fedrdma_allreduce(&in, &out, 1, FEDRDMA_INT, FEDRDMA_SUM, m->made[i]));
        EXPECT(out == m->size * (m->size - 1) / 2 + m->size * i);
    }
    return NULL;
}

static void makers_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "threads", "multiple", "timeout", "10s", NULL };
    fedrdma_context *context = NULL;
    maker makers[2] = { { 0 } };
    pthread_t threads[2];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    for (int i = 0; i < 2; i++) {
        makers[i] = (maker){ .rank = rank, .size = mp_threads_size(job), .late = (rank + i) % 2 == 1 };
        EXPECT_OK(fedrdma_comm_dup(fedrdma_world(context), &makers[i].parent));
    }
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, make_comms, &makers[i]) != 0)
            abort();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    EXPECT_OK(fedrdma_finalize(&context));
}

/* A thousand sizes don't hold a thousand scratches. */
static void sizes_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "scratch", "256k", "fragment", "64k", "window", "128k", NULL };
    fedrdma_context *context = NULL;
    enum { LARGEST = 60000 };
    float *in = calloc(LARGEST, sizeof(float)), *out = calloc(LARGEST, sizeof(float));
    uint64_t scratch = 0, worst = 0;

    (void)arg;
    mp_expect_rank = rank;
    if (in == NULL || out == NULL || !EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    for (size_t count = LARGEST / 2; count < LARGEST; count += 300) {
        EXPECT_OK(fedrdma_allreduce(in, out, count, FEDRDMA_F32, FEDRDMA_SUM, fedrdma_world(context)));
        EXPECT_OK(fedrdma_counter(context, "mem.scratch_bytes", &scratch));
        worst = scratch > worst ? scratch : worst;
    }
    EXPECT(worst > 0 && worst < 1024 * 1024); /* what is kept, and one call's own */
    EXPECT_OK(fedrdma_finalize(&context));
    free(in);
    free(out);
}

/* Options that decide what a call sends are compared once, when the ranks meet. */
static const char *const unequal[][4] = { { "algo", "allreduce:0-:ring" },
                                          { "fragment", "64k" },
                                          { "window", "4m", "silo", "other" },
                                          { "window", "8m", "silo", "other" }, /* of two silos it cuts as the default */
                                          { "check", "1" } };

static void unequal_rank(mp_job *job, int rank, void *arg)
{
    (void)arg;
    mp_expect_rank = rank;
    for (size_t i = 0; i < sizeof(unequal) / sizeof(unequal[0]); i++) {
        const char *settings[] = { unequal[i][0], unequal[i][1], unequal[i][2], unequal[i][3], NULL };
        fedrdma_context *context = NULL;
        EXPECT_CODE(mp_threads_init(job, rank, rank == 2 ? settings : NULL, &context), FEDRDMA_ERR_MISMATCH);
        EXPECT_STORY(NULL, "rank 2 has FEDRDMA_");
        mp_threads_meet(job);
    }
    const char *own[] = { "window", "4m", NULL }; /* decides nothing where there is one silo */
    fedrdma_context *context = NULL;
    if (EXPECT_OK(mp_threads_init(job, rank, rank == 2 ? own : NULL, &context)))
        EXPECT_OK(fedrdma_finalize(&context));
}

/* With the option check a persistent call is compared at each start, its counts by rank too. */
static void persistent_check_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "check", "1", NULL };
    fedrdma_context *context = NULL;
    fedrdma_request *request = NULL;
    size_t ones[3] = { 1, 1, 1 }, expected[3] = { 1, 1, 1 }, displs[3] = { 0, 1, 2 };
    int in[3] = { rank, rank, rank }, out[3];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    for (int wrong = 0; wrong < 2; wrong++) {
        expected[0] = rank == 1 && wrong ? 0 : 1;
        EXPECT_OK(fedrdma_alltoallv_init(in, ones, displs, FEDRDMA_INT, out, expected, displs, FEDRDMA_INT,
                                         world, &request));
        expected[0] = 7; /* the call has copied them */
        for (int i = 0; i < 2; i++) {
            EXPECT_CODE(fedrdma_start(request), wrong ? FEDRDMA_ERR_MISMATCH : FEDRDMA_OK);
            if (wrong)
                EXPECT_STORY(world, "rank 0 sends 4 bytes to rank 1, which expects 0");
            EXPECT_OK(fedrdma_wait(&request, NULL));
        }
        EXPECT_OK(fedrdma_request_free(&request));
    }
    EXPECT(out[2] == 2);
    EXPECT_OK(fedrdma_finalize(&context));
}

static void progress_called(uint64_t done, uint64_t total, void *arg)
{
    EXPECT(done <= total);
    (*(int *)arg)++;
}

/* A call like an earlier one allocates nothing; the progress callback hears of the end; the result record is
 * filled. Only the pools for messages that come before their receive may still grow, which is a matter of
 * timing: what each call allocates shows in every call, and that in few. */
enum { STEADY_CALLS = 12 };

static void steady_rank(mp_job *job, int rank, void *arg)
{
    fedrdma_context *context = NULL;
    static _Thread_local float in[100000], out[100000];
    uint64_t before = 0, now = 0;
    int reports = 0, clean = 0;
    const fedrdma_attr attr = { .progress = progress_called, .progress_arg = &reports };
    fedrdma_result result;

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, NULL, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    EXPECT_OK(fedrdma_comm_set_attr(world, &attr));
    for (int i = 0; i <= STEADY_CALLS; i++) {
        mp_threads_meet(job);
        EXPECT_OK(fedrdma_counter(context, "mem.allocations", &now));
        clean += i > 1 && now == before; /* the call before this one, from the second on */
        before = now;
        mp_threads_meet(job);
        if (i < STEADY_CALLS)
            EXPECT_OK(fedrdma_allreduce_weighted(in, out, 100000, FEDRDMA_F32, 2.0, world));
    }
    EXPECT(clean >= (STEADY_CALLS - 1) / 2);
    EXPECT(reports >= STEADY_CALLS); /* slow calls report before their end, too */
    EXPECT_OK(fedrdma_comm_last_result(world, &result));
    EXPECT(result.silos == 1 && result.silos_total == 1 && result.time_ns > 0);
    EXPECT(mp_threads_size(job) == 1 || (result.sent_bytes >= 400000 && result.received_bytes >= 400000));
    EXPECT(result.algorithm[0] != '\0');
    EXPECT_OK(fedrdma_finalize(&context));
}

static const struct {
    const char *name;
    int ranks;
    mp_rank_fn *fn;
} tests[] = {
    { "a rank that never comes", 4, absent_rank },
    { "deadline of one call", 3, deadline_rank },
    { "leaving after a failure", 3, leaver_rank },
    { "counts that differ", 3, mismatch_rank },
    { "hostile constants", 5, hostile_rank },
    { "threads=multiple", 3, multiple_rank },
    { "computing longer than the timeout", 3, compute_rank },
    { "threads that make communicators", 3, makers_rank },
    { "many sizes", 2, sizes_rank },
    { "options that differ", 3, unequal_rank },
    { "persistent calls compared", 3, persistent_check_rank },
    { "steady state", 3, steady_rank },
    { "steady state, one rank", 1, steady_rank },
};

int main(void)
{
    const int count = (int)(sizeof(tests) / sizeof(tests[0]));

    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        const int before = atomic_load(&mp_expect_failures);
        mp_threads_run(tests[i].ranks, tests[i].fn, NULL);
        if (i == 0) {
            EXPECT(atomic_load(&named) >= 1);
            EXPECT(atomic_load(&broken) == 3);
        }
        const bool good = atomic_load(&mp_expect_failures) == before;
        printf("%sok %d - %s\n", good ? "" : "not ", i + 1, tests[i].name);
        fflush(stdout);
    }
    return atomic_load(&mp_expect_failures) != 0;
}
