/* SPDX-License-Identifier: BSD-3-Clause
 * model.h - a classifier whose parameters are one array of floats, which is what gets averaged. */
#ifndef FEDAVG_MODEL_H
#define FEDAVG_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "split.h"

/* hidden 0: softmax (for two classes: logistic) regression; else one hidden layer of rectified units. */
struct model {
    size_t inputs, hidden, outputs;
};

/* How parameters are trained by plain stochastic gradient descent. */
struct training {
    int epochs;
    size_t batch;
    double rate;
};

/* Parameters: hidden weights [inputs][hidden] and biases, then output weights [.][outputs] and biases. */
size_t model_parameters(const struct model *model);

/* Floats of scratch memory that the functions below need. */
size_t model_scratch(const struct model *model);

/* Random start, the same for the same seed. */
void model_start(const struct model *model, uint64_t seed, float *parameters);

/* A model at work on data: where its parameters and its scratch memory are. */
struct learner {
    const struct model *model;
    const struct dataset *data;
    float *parameters, *scratch;
};

/* Trains on the rows, each epoch in a new order from `seed`; returns the mean loss (cross entropy) that the
 * samples had when their turn came, 0 without rows. `order` has room for the rows. */
double learner_train(const struct learner *learner, const struct training *training, struct rows rows,
                     size_t *order, uint64_t seed);

/* Share of the rows whose class is found; 0 without rows. */
double learner_accuracy(const struct learner *learner, struct rows rows);

#endif
