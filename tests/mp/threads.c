/* SPDX-License-Identifier: BSD-3-Clause
 *
 * threads.c - ranks as threads (see threads.h). */
#include "tests/mp/threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_RANKS = 64, MEET_S = 20, LARGEST_CARD = 1 << 16 };

struct mp_job {
    int size;
    mp_rank_fn *fn;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t all_came;
    int waiting;
    unsigned round;
    unsigned char *board; /* LARGEST_CARD for each rank */
};

typedef struct member {
    mp_job *job;
    int rank;
} member;

int mp_threads_size(const mp_job *job)
{
    return job->size;
}

int mp_threads_meet(mp_job *job)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += MEET_S;
    pthread_mutex_lock(&job->lock);
    unsigned round = job->round;
    if (++job->waiting == job->size) {
        job->waiting = 0;
        job->round++;
        pthread_cond_broadcast(&job->all_came);
    }
    while (rc == 0 && job->round == round)
        rc = pthread_cond_timedwait(&job->all_came, &job->lock, &until);
    pthread_mutex_unlock(&job->lock);
    return rc == 0 ? 0 : -1;
}

static int oob(const void *mine, void *all, size_t bytes, void *arg)
{
    const member *m = arg;
    mp_job *job = m->job;

    if (bytes > LARGEST_CARD)
        return -1;
    memcpy(job->board + (size_t)m->rank * LARGEST_CARD, mine, bytes);
    if (mp_threads_meet(job) != 0)
        return -1;
    for (int r = 0; r < job->size; r++)
        memcpy((unsigned char *)all + (size_t)r * bytes, job->board + (size_t)r * LARGEST_CARD, bytes);
    return mp_threads_meet(job); /* nobody writes the next card before all have read */
}

int mp_threads_init(mp_job *job, int rank, const char *const *settings, fedrdma_context **context)
{
    member m = { job, rank };
    fedrdma_options *options = NULL;
    int rc = fedrdma_options_create(&options);

    if (rc == FEDRDMA_OK)
        rc = fedrdma_options_set(options, "transports", "loop");
    for (; rc == FEDRDMA_OK && settings != NULL && settings[0] != NULL; settings += 2)
        rc = fedrdma_options_set(options, settings[0], settings[1]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_options_set_oob(options, rank, job->size, oob, &m);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_init(options, context);
    fedrdma_options_destroy(options);
    return rc;
}

static void *run(void *arg)
{
    const member *m = arg;
    m->job->fn(m->job, m->rank, m->job->arg);
    return NULL;
}

void mp_threads_run(int size, mp_rank_fn *fn, void *arg)
{
    mp_job job = { .size = size, .fn = fn, .arg = arg };
    pthread_t threads[MAX_RANKS];
    member members[MAX_RANKS];

    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.all_came, NULL);
    job.board = calloc((size_t)size, LARGEST_CARD);
    if (size > MAX_RANKS || job.board == NULL)
        abort();
    for (int r = 0; r < size; r++) {
        members[r] = (member){ &job, r };
        if (pthread_create(&threads[r], NULL, run, &members[r]) != 0)
            abort();
    }
    for (int r = 0; r < size; r++)
        pthread_join(threads[r], NULL);
    free(job.board);
    pthread_cond_destroy(&job.all_came);
    pthread_mutex_destroy(&job.lock);
}
