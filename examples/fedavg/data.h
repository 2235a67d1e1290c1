/* SPDX-License-Identifier: BSD-3-Clause
 * data.h - the tables that can be learned from. */
#ifndef FEDAVG_DATA_H
#define FEDAVG_DATA_H

#include <stddef.h>

enum { MAX_CLASSES = 10, ERROR_SIZE = 512 };

/* What --data names: a file and the model that suits it. */
struct task {
    const char *name, *file;
    size_t features, header_lines;
    int classes;
    double scale; /* what values are multiplied by; 0: to be standardised */
    int hidden;   /* width of the hidden layer that suits the data; 0: logistic regression */
    double rate;  /* learning rate that suits the data */
    double alpha; /* skew of a split that makes the silos differ; see split.h */
};

/* NULL when there is no task of that name; `names` of them all, for messages. */
const struct task *task_find(const char *name);
const char *task_names(void);

struct dataset {
    const struct task *task;
    size_t rows;
    float *x;   /* rows x features */
    int *label; /* 0 .. classes - 1 */
};

/* Reads the task's file in `directory`. Returns 0, or -1 with the file, line and mend in error[ERROR_SIZE].
 */
int dataset_load(struct dataset *data, const struct task *task, const char *directory, char *error);
void dataset_free(struct dataset *data);

/* Makes the values fit for training: times the task's scale, or shifted and scaled so that every feature has
 * mean 0 and variance 1 over the given rows. (Silos that may not share rows would get these two moments of
 * theirs by one more weighted average.) */
void dataset_scale(struct dataset *data, const size_t *row, size_t count);

static inline const float *dataset_row(const struct dataset *data, size_t row)
{
    return data->x + row * data->task->features;
}

#endif
