/* SPDX-License-Identifier: BSD-3-Clause
 * run_ranks.h - the processes of the ranks: starting them with their environment, and what became of them. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "run_options.h"
#include "run_output.h"
#include "run_places.h"

typedef struct run_rank {
    pid_t pid;    /* also its process group; 0: not started */
    bool running; /* an ended one stays a zombie until run_ranks_reap, so that its group's number stays its
                     own */
    int code;     /* of an ended one: exit status, or 128 + signal */
    int sig;      /* the signal that killed it, or 0 */
    bool dumped;  /* and it left a core */
    run_output out, err;
} run_rank;

/* What all ranks of a job get. */
typedef struct run_job {
    const run_options *options;
    const run_places *places;
    char rendezvous[32], name[64];
    sigset_t signals; /* the launcher's own mask and limit of descriptors, which it has changed */
    struct rlimit files;
    run_rank *ranks;
} run_job;

/* Starts one rank: a process group of its own, that dies with us. Returns 0, or the exit status for a program
 * that can't be run, after a message. */
int run_ranks_start(run_job *job, int rank);

/* Finds a rank that has ended since the last call, one that a signal killed first: it is the more likely
 * cause of the others' end. Returns -1 when there is none. */
int run_ranks_ended(run_job *job);

/* To every process of every rank's group that may still run. */
void run_ranks_signal(const run_job *job, int sig);

/* At the end: kills what ranks left behind in their groups, and collects the zombies. */
void run_ranks_reap(run_job *job);

/* "exited with status 3", "was killed by signal 9 (Killed)". */
void run_rank_fate(const run_rank *rank, char text[96]);

#endif
