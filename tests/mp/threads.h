/* SPDX-License-Identifier: BSD-3-Clause
 *
 * threads.h - ranks as threads of one process, joined by the loop transport: one context a thread, met
 * through a user's out-of-band allgather. Meeting places give up after a deadline, so a rank that failed
 * hangs nobody. */
#ifndef TESTS_MP_THREADS_H
#define TESTS_MP_THREADS_H

#include "fedrdma.h"

typedef struct mp_job mp_job;

/* One rank's program. `arg` is shared by all. */
typedef void mp_rank_fn(mp_job *job, int rank, void *arg);

/* Runs `fn` on `size` threads and waits for all of them. */
void mp_threads_run(int size, mp_rank_fn *fn, void *arg);

int mp_threads_size(const mp_job *job);

/* Waits for all ranks; 0, or -1 when some did not come within 20 s. */
int mp_threads_meet(mp_job *job);

/* A context of this job over the loop transport. `settings`: option names and values in turn, ended by NULL;
 * may be NULL. Options are created before and destroyed after the ranks meet. */
int mp_threads_init(mp_job *job, int rank, const char *const *settings, fedrdma_context **context);

#endif
