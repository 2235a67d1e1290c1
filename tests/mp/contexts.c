/* SPDX-License-Identifier: BSD-3-Clause
 *
 * contexts.c - several contexts in one process: ranks as threads over the loop transport run the matrix's
 * suite, in order and with random delivery; two jobs run at once; and each thread holds a rank of two jobs.
 */
#include <inttypes.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/mp/expect.h"
#include "tests/mp/suite.h"
#include "tests/mp/threads.h"

MP_EXPECT_DEFINE;

typedef struct plan {
    uint64_t seed;
    int ranks;
    bool brief, shuffle; /* shuffle: random delivery */
    long extra, flights;
    const mp_case *only;
    atomic_long calls;
} plan;

static void suite_rank(mp_job *job, int rank, void *arg)
{
    plan *p = arg;
    char shuffle[24], command[128];
    const char *settings[] = { "loop_seed", shuffle, "timeout", "30s", NULL };
    fedrdma_context *context = NULL;
    mp_suite suite;

    mp_expect_rank = rank;
    snprintf(shuffle, sizeof shuffle, "%" PRIu64, p->shuffle ? 1 + p->seed % 1000000 : 0);
    snprintf(command, sizeof command, "tests/mp/contexts --ranks %d%s", p->ranks,
             p->shuffle ? " --shuffle" : "");
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)) ||
        !EXPECT_OK(mp_suite_open(context, p->seed, command, &suite)))
        return;
    if (p->only != NULL) {
        mp_suite_case(&suite, p->only);
    } else {
        mp_suite_coverage(&suite, p->brief);
        mp_suite_random(&suite, p->extra);
        mp_suite_flights(&suite, p->flights);
    }
    atomic_fetch_add(&p->calls, suite.calls);
    atomic_fetch_add(&mp_expect_failures, suite.failures);
    if (suite.broken)
        return;
    mp_suite_close(&suite);
    EXPECT_OK(fedrdma_finalize(&context));
}

static void run_plan(plan *p, const char *what)
{
    mp_threads_run(p->ranks, suite_rank, p);
    printf("# %s: seed %" PRIu64 ", %d rank(s)%s: %ld calls checked, %d failures so far\n", what, p->seed,
           p->ranks, p->shuffle ? ", random delivery" : "", atomic_load(&p->calls),
           atomic_load(&mp_expect_failures));
    fflush(stdout);
}

static void *job_thread(void *arg)
{
    run_plan(arg, "beside another job");
    return NULL;
}

static void two_jobs(uint64_t seed)
{
    plan jobs[2] = {
        { .seed = seed + 1, .ranks = 3, .brief = true, .extra = 20, .flights = 10 },
        { .seed = seed + 2, .ranks = 4, .brief = true, .shuffle = true, .extra = 20, .flights = 10 }
    };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, job_thread, &jobs[i]) != 0)
            abort();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* A thread in two jobs at once; the ranks run the other way round in the second. */
static void two_contexts_rank(mp_job *job, int rank, void *arg)
{
    int size = mp_threads_size(job);
    int ranks[2] = { rank, rank }, sums[2], one = 1;
    fedrdma_context *context[2] = { NULL, NULL };
    fedrdma_request *request[2];
    void *memory;

    (void)arg;
    mp_expect_rank = rank;
    for (int c = 0; c < 2; c++)
        if (!EXPECT_OK(mp_threads_init(job, rank, NULL, &context[c])))
            return;
    for (int i = 0; i < 30; i++) {
        for (int c = 0; c < 2; c++)
            EXPECT_OK(fedrdma_iallreduce(&ranks[c], &sums[c], 1, FEDRDMA_INT,
                                         c == 0 ? FEDRDMA_SUM : FEDRDMA_MAX, fedrdma_world(context[c]),
                                         &request[c]));
        EXPECT_OK(fedrdma_wait(&request[(i + 1) % 2], NULL));
        EXPECT_OK(fedrdma_wait(&request[i % 2], NULL));
        EXPECT(sums[0] == size * (size - 1) / 2 && sums[1] == size - 1);
    }
    /* What belongs to one context is foreign to the other. */
    if (EXPECT_OK(fedrdma_alloc(context[0], 100, &memory))) {
        EXPECT_CODE(fedrdma_free(context[1], memory), FEDRDMA_ERR_INVALID);
        EXPECT_OK(fedrdma_free(context[0], memory));
    }
    EXPECT_OK(fedrdma_finalize(&context[0]));
    EXPECT_OK(fedrdma_allreduce(&one, &sums[0], 1, FEDRDMA_INT, FEDRDMA_SUM, fedrdma_world(context[1])));
    EXPECT(sums[0] == size);
    EXPECT_OK(fedrdma_finalize(&context[1]));
}

static void hung(int sig)
{
    static const char text[] = "FAIL: hung\n";
    (void)sig;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(124);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "seed", required_argument, NULL, 's' },
                                           { "ranks", required_argument, NULL, 'n' },
                                           { "case", required_argument, NULL, 'c' },
                                           { "shuffle", no_argument, NULL, 'r' },
                                           { NULL, 0, NULL, 0 } };
    plan one = { .seed = 1 + (uint64_t)time(NULL) % 1000000, .extra = 30, .flights = 20 };
    mp_case only;
    int letter;

    signal(SIGALRM, hung);
    alarm(110);
    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (letter == 's')
            one.seed = strtoull(optarg, NULL, 10);
        else if (letter == 'n')
            one.ranks = atoi(optarg);
        else if (letter == 'r')
            one.shuffle = true;
        else if (letter == 'c' && mp_case_parse(optarg, &only))
            one.only = &only;
        else
            return 2;
    }
    if (one.ranks > 0) {
        run_plan(&one, "one job");
        return mp_expect_failures > 0;
    }
    for (int n = 1; n <= 8 && mp_expect_failures == 0; n++) {
        plan p = { .seed = one.seed + (uint64_t)n,
                   .ranks = n,
                   .shuffle = n % 2 == 0,
                   .brief = n != 4,
                   .extra = 10,
                   .flights = 20 };
        run_plan(&p, "one job");
    }
    if (mp_expect_failures == 0)
        two_jobs(one.seed);
    mp_threads_run(3, two_contexts_rank, NULL);
    return mp_expect_failures > 0;
}
