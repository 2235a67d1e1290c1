/* SPDX-License-Identifier: BSD-3-Clause
 *
 * model.c - forward pass, gradient and descent of a softmax classifier with at most one hidden layer.
 * Weights are stored input by input, so that the inner loops run along contiguous memory and the many black
 * pixels cost nothing. Plain C in a fixed order: the same parameters from the same rows, on every rank.
 */
#include "model.h"

#include <math.h>
#include <string.h>

#include "rng.h"

enum { FOR_START = 11, FOR_EPOCH };

/* One layer: y = b + sum of x[i] w[i]. */
struct layer {
    size_t inputs, outputs;
    float *weight; /* [inputs][outputs], followed by the biases [outputs] */
};

static size_t layer_floats(size_t inputs, size_t outputs)
{
    return (inputs + 1) * outputs;
}

/* Inputs of the last layer. */
static size_t top_inputs(const struct model *m)
{
    return m->hidden > 0 ? m->hidden : m->inputs;
}

/* The last layer within an array laid out like the parameters (the parameters, or their gradient). */
static struct layer top_layer(const struct model *m, float *array)
{
    float *start = array + (m->hidden > 0 ? layer_floats(m->inputs, m->hidden) : 0);

    return (struct layer){ top_inputs(m), m->outputs, start };
}

/* Likewise the hidden layer; only when there is one. */
static struct layer hidden_layer(const struct model *m, float *array)
{
    return (struct layer){ m->inputs, m->hidden, array };
}

size_t model_parameters(const struct model *m)
{
    return (m->hidden > 0 ? layer_floats(m->inputs, m->hidden) : 0) + layer_floats(top_inputs(m), m->outputs);
}

/* Scratch memory: gradient, hidden values, their errors, class probabilities. */
size_t model_scratch(const struct model *m)
{
    return model_parameters(m) + 2 * m->hidden + m->outputs;
}

/* Uniform weights of the variance that keeps the size of signals (He and others, 2015), biases 0. */
static void layer_start(struct layer l, struct rng *rng)
{
    const double limit = sqrt(6.0 / (double)l.inputs);

    for (size_t i = 0; i < l.inputs * l.outputs; i++)
        l.weight[i] = (float)(limit * (2 * rng_uniform(rng) - 1));
    memset(l.weight + l.inputs * l.outputs, 0, l.outputs * sizeof *l.weight);
}

void model_start(const struct model *m, uint64_t seed, float *parameters)
{
    struct rng rng = rng_make(seed, FOR_START, 0);

    if (m->hidden > 0)
        layer_start(hidden_layer(m, parameters), &rng);
    layer_start(top_layer(m, parameters), &rng);
}

static void layer_forward(struct layer l, const float *x, float *y)
{
    memcpy(y, l.weight + l.inputs * l.outputs, l.outputs * sizeof *y);
    for (size_t i = 0; i < l.inputs; i++) {
        const float *weight = l.weight + i * l.outputs;

        if (x[i] == 0)
            continue;
        for (size_t o = 0; o < l.outputs; o++)
            y[o] += x[i] * weight[o];
    }
}

/* gradient += x (outer product) error; biases see x = 1. */
static void layer_gradient(struct layer gradient, const float *x, const float *error)
{
    float *bias = gradient.weight + gradient.inputs * gradient.outputs;

    for (size_t i = 0; i < gradient.inputs; i++) {
        float *weight = gradient.weight + i * gradient.outputs;

        if (x[i] == 0)
            continue;
        for (size_t o = 0; o < gradient.outputs; o++)
            weight[o] += x[i] * error[o];
    }
    for (size_t o = 0; o < gradient.outputs; o++)
        bias[o] += error[o];
}

/* Turns scores into probabilities. */
static void softmax(float *p, size_t n)
{
    float largest = p[0], sum = 0;

    for (size_t o = 1; o < n; o++)
        largest = p[o] > largest ? p[o] : largest;
    for (size_t o = 0; o < n; o++)
        sum += p[o] = expf(p[o] - largest);
    for (size_t o = 0; o < n; o++)
        p[o] /= sum;
}

/* Scores of each class into `score`, for one row; `hidden` receives the hidden values. Returns what the last
 * layer saw. */
static const float *scores(const struct learner *l, const float *x, float *hidden, float *score)
{
    const struct model *m = l->model;

    if (m->hidden > 0) {
        layer_forward(hidden_layer(m, l->parameters), x, hidden);
        for (size_t h = 0; h < m->hidden; h++)
            hidden[h] = hidden[h] > 0 ? hidden[h] : 0;
        x = hidden;
    }
    layer_forward(top_layer(m, l->parameters), x, score);
    return x;
}

/* Adds one row's gradient to that in scratch; returns its loss. */
static double add_gradient(const struct learner *l, size_t row)
{
    const struct model *m = l->model;
    const float *x = dataset_row(l->data, row), *seen;
    float *gradient = l->scratch, *hidden = gradient + model_parameters(m);
    float *hidden_error = hidden + m->hidden, *p = hidden_error + m->hidden;
    const struct layer top = top_layer(m, l->parameters);
    const int label = l->data->label[row];
    double loss;

    seen = scores(l, x, hidden, p);
    softmax(p, m->outputs);
    loss = -log(fmax(p[label], 1e-12));
    p[label] -= 1; /* now the error of the scores */
    for (size_t h = 0; h < m->hidden; h++) {
        hidden_error[h] = 0;
        for (size_t o = 0; hidden[h] > 0 && o < m->outputs; o++)
            hidden_error[h] += top.weight[h * m->outputs + o] * p[o];
    }
    layer_gradient(top_layer(m, gradient), seen, p);
    if (m->hidden > 0)
        layer_gradient(hidden_layer(m, gradient), x, hidden_error);
    return loss;
}

double learner_train(const struct learner *l, const struct training *training, struct rows rows,
                     size_t *order, uint64_t seed)
{
    const size_t parameters = model_parameters(l->model);
    double loss = 0;

    if (rows.count == 0)
        return 0;
    memcpy(order, rows.row, rows.count * sizeof *order);
    for (int epoch = 0; epoch < training->epochs; epoch++) {
        struct rng rng = rng_make(seed, FOR_EPOCH, (uint64_t)epoch);

        rng_shuffle(&rng, order, rows.count);
        for (size_t first = 0; first < rows.count; first += training->batch) {
            const size_t left = rows.count - first, n = left < training->batch ? left : training->batch;
            const float step = (float)(training->rate / (double)n);

            memset(l->scratch, 0, parameters * sizeof *l->scratch);
            for (size_t i = 0; i < n; i++)
                loss += add_gradient(l, order[first + i]);
            for (size_t i = 0; i < parameters; i++)
                l->parameters[i] -= step * l->scratch[i];
        }
    }
    return loss / (double)rows.count / training->epochs;
}

double learner_accuracy(const struct learner *l, struct rows rows)
{
    const struct model *m = l->model;
    float *hidden = l->scratch + model_parameters(m), *score = hidden + 2 * m->hidden;
    size_t right = 0;

    for (size_t i = 0; i < rows.count; i++) {
        size_t best = 0;

        scores(l, dataset_row(l->data, rows.row[i]), hidden, score);
        for (size_t o = 1; o < m->outputs; o++)
            best = score[o] > score[best] ? o : best;
        right += best == (size_t)l->data->label[rows.row[i]];
    }
    return rows.count > 0 ? (double)right / (double)rows.count : 0;
}
