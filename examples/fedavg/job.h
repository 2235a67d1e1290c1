/* SPDX-License-Identifier: BSD-3-Clause
 *
 * job.h - one rank's share of a federated job; everything but the communication, which is the business of
 * fedavg.c and fedavg_mpi.c. No function here blocks on another rank.
 */
#ifndef FEDAVG_JOB_H
#define FEDAVG_JOB_H

#include "model.h"
#include "options.h"
#include "report.h"
#include "split.h"

struct job {
    int rank, size;
    int *silo_of; /* silo of every rank; all 0 (one silo): --silos decides */
    struct options options;
    struct dataset data;
    struct split split;
    struct rows rows; /* what this rank trains on */
    struct model model;
    struct learner learner;
    size_t *order;
    struct report report;

    double weight;   /* of this rank in the average: its number of samples */
    float *update;   /* what is averaged: the model, its loss, the adapter */
    size_t count;    /* of floats in `update` */
    double *weights; /* of every rank; only to check the average */

    double *curves; /* accuracy by round: centralised, then each silo alone; this rank's share, others 0 */
    size_t points;  /* of doubles in `curves` */
    char error[ERROR_SIZE];
};

/* Returns 0, or -1 when out of memory. */
int job_create(struct job *job, int rank, int size);

/* Reads options and data and makes the first model. Returns `size`, or this rank's number when it can't go
 * on (or has only been asked for help): then all ranks have to leave, and job_farewell says why. */
int job_prepare(struct job *job, int argc, char **argv);

/* What `stopped`, the lowest rank that can't go on, has to say; returns the exit status. */
int job_farewell(const struct job *job, int stopped);

/* Trains the model in `update` on this rank's rows, and fills in the loss and the adapter. */
void job_train(struct job *job, int round);

/* Floats of the averaged adapter that are not what they must be: 0 if the average is right. */
size_t job_count_wrong(const struct job *job, int round);

/* Notes the round whose average is in `update`: `seconds` it took, `wrong` floats in it on the worst rank.
 * Returns 0, or -1 when any was wrong. */
int job_finish_round(struct job *job, int round, double seconds, double wrong);

/* Trains this rank's share of the models to compare with, into `curves`. */
void job_compare(struct job *job);

/* Prints the table and writes the CSV, now that `curves` are complete; returns the exit status. */
int job_report(struct job *job);

void job_destroy(struct job *job);

/* Monotonic time. */
double job_seconds(void);

#endif
