/* SPDX-License-Identifier: BSD-3-Clause
 *
 * split.c - deals the rows like patients to hospitals: every hospital has its own mix of classes and its own
 * number of samples. For each class, the shares of the silos are drawn from a Dirichlet distribution (Hsu,
 * Qi, Brown, "Measuring the effects of non-identical data distribution for federated visual
 * classification", 2019), which gives different sizes too. Every rank computes the whole split; nothing is
 * sent.
 */
#include "split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rng.h"

enum { HELD_OUT_PERCENT = 20 };
enum { FEWEST_ROWS = 20 }; /* a silo trains on at least so many, if there are enough rows */
enum { HELD_OUT = -1 };    /* owner of the held-out rows */
enum { FOR_HELD_OUT = 1, FOR_DEAL, FOR_ORDER };

struct rows rows_share(struct rows silo, size_t k, size_t n)
{
    const size_t from = silo.count * k / n, to = silo.count * (k + 1) / n;

    return (struct rows){ silo.row + from, to - from };
}

void rows_mix(struct rows rows, const struct dataset *data, size_t mix[MAX_CLASSES])
{
    for (int c = 0; c < MAX_CLASSES; c++)
        mix[c] = 0;
    for (size_t i = 0; i < rows.count; i++)
        mix[data->label[rows.row[i]]]++;
}

/* Standard normal, by Box and Muller. */
static double draw_normal(struct rng *rng)
{
    const double radius = sqrt(-2 * log(1 - rng_uniform(rng)));

    return radius * cos(6.283185307179586 * rng_uniform(rng));
}

/* Gamma(alpha, 1): Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. */
static double draw_gamma(struct rng *rng, double alpha)
{
    const double boost = alpha < 1 ? pow(1 - rng_uniform(rng), 1 / alpha) : 1;
    const double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        const double x = draw_normal(rng), v = pow(1 + c * x, 3);

        if (v > 0 && log(1 - rng_uniform(rng)) < x * x / 2 + d - d * v + d * log(v))
            return boost * d * v;
    }
}

/* One Dirichlet draw: shares of n silos that add up to 1. */
static void draw_shares(struct rng *rng, double alpha, double *share, int n)
{
    double sum = 0;

    for (int s = 0; s < n; s++)
        sum += share[s] = draw_gamma(rng, alpha);
    for (int s = 0; s < n; s++)
        share[s] = sum > 0 ? share[s] / sum : 1.0 / n; /* a tiny alpha can underflow */
}

/* Rows of one class, in random order; their number. */
static size_t class_rows(const struct dataset *data, int class, struct rng *rng, size_t *row)
{
    size_t count = 0;

    for (size_t i = 0; i < data->rows; i++)
        if (data->label[i] == class)
            row[count++] = i;
    rng_shuffle(rng, row, count);
    return count;
}

/* What dealing needs besides its result. */
struct table {
    const struct dataset *data;
    int nsilos;
    int *owner;      /* of each row; HELD_OUT or a silo */
    size_t *size;    /* rows of each silo */
    double *share;   /* of each silo, of the class being dealt */
    size_t *scratch; /* rows of the class being dealt */
};

static void deal_rows(struct table *t, const size_t *row, size_t count)
{
    double upto = 0;
    size_t next = 0;

    for (int s = 0; s < t->nsilos; s++) {
        size_t end;

        upto += t->share[s];
        end = s == t->nsilos - 1 ? count : (size_t)((double)count * fmin(upto, 1) + 0.5);
        for (; next < end; next++) {
            t->owner[row[next]] = s;
            t->size[s]++;
        }
    }
}

/* Moves rows from the largest silo to the smallest until each has `fewest`: an unlucky draw must not leave a
 * silo with nothing to train on. */
static void feed_small(struct table *t, size_t fewest)
{
    for (;;) {
        int small = 0, large = 0;
        size_t row = 0;

        for (int s = 1; s < t->nsilos; s++) {
            small = t->size[s] < t->size[small] ? s : small;
            large = t->size[s] > t->size[large] ? s : large;
        }
        if (t->size[small] >= fewest)
            return;
        while (t->owner[row] != large)
            row++;
        t->owner[row] = small;
        t->size[small]++;
        t->size[large]--;
    }
}

/* Gives every row its owner; returns the number of rows that aren't held out. */
static size_t deal_all(struct table *t, const struct deal *deal)
{
    struct rng fixed = rng_make(0, FOR_HELD_OUT, 0), rng = rng_make(deal->seed, FOR_DEAL, 0);
    size_t pooled = 0, fewest;

    for (int c = 0; c < t->data->task->classes; c++) {
        const size_t count = class_rows(t->data, c, &fixed, t->scratch);
        const size_t held = count * HELD_OUT_PERCENT / 100;

        for (size_t i = 0; i < held; i++)
            t->owner[t->scratch[i]] = HELD_OUT;
        rng_shuffle(&rng, t->scratch + held, count - held);
        draw_shares(&rng, deal->alpha, t->share, t->nsilos);
        deal_rows(t, t->scratch + held, count - held);
        pooled += count - held;
    }
    /* Fits: half of an equal share, and no more than there is when there are 2 rows for each. */
    fewest = pooled / (size_t)t->nsilos / 2 + 1;
    if (pooled / (size_t)t->nsilos >= 2)
        feed_small(t, fewest < FEWEST_ROWS ? fewest : FEWEST_ROWS);
    return pooled;
}

/* The rows of one owner, appended at *end, in random order. */
static struct rows collect(const struct table *t, int owner, struct rng *rng, size_t **end)
{
    size_t *first = *end;

    for (size_t i = 0; i < t->data->rows; i++)
        if (t->owner[i] == owner)
            *(*end)++ = i;
    rng_shuffle(rng, first, (size_t)(*end - first));
    return (struct rows){ first, (size_t)(*end - first) };
}

static void collect_all(struct split *split, const struct table *t, uint64_t seed)
{
    struct rng rng = rng_make(seed, FOR_ORDER, 0);
    size_t *end = split->memory;

    split->held_out = collect(t, HELD_OUT, &rng, &end);
    split->pooled = (struct rows){ end, t->data->rows - split->held_out.count };
    for (int s = 0; s < t->nsilos; s++)
        split->silo[s] = collect(t, s, &rng, &end);
}

int split_make(struct split *split, const struct dataset *data, const struct deal *deal, char *error)
{
    const size_t nsilos = (size_t)deal->nsilos;
    struct table t = { .data = data, .nsilos = deal->nsilos };
    struct split made = { .nsilos = deal->nsilos };
    size_t pooled;
    int rc = -1;

    made.silo = calloc(nsilos, sizeof *made.silo);
    made.memory = calloc(data->rows, sizeof *made.memory);
    t.owner = calloc(data->rows, sizeof *t.owner);
    t.size = calloc(nsilos, sizeof *t.size);
    t.share = calloc(nsilos, sizeof *t.share);
    t.scratch = calloc(data->rows, sizeof *t.scratch);
    if (!made.silo || !made.memory || !t.owner || !t.size || !t.share || !t.scratch) {
        snprintf(error, ERROR_SIZE, "out of memory for the split of %zu rows", data->rows);
    } else if ((pooled = deal_all(&t, deal)) / nsilos < 2 || pooled == data->rows) {
        snprintf(error, ERROR_SIZE, "%zu rows of %s are too few for %d silos and held-out rows", data->rows,
                 data->task->file, deal->nsilos);
    } else {
        collect_all(&made, &t, deal->seed);
        *split = made;
        rc = 0;
    }
    free(t.owner);
    free(t.size);
    free(t.share);
    free(t.scratch);
    if (rc != 0)
        split_free(&made);
    return rc;
}

void split_free(struct split *split)
{
    free(split->silo);
    free(split->memory);
    *split = (struct split){ 0 };
}
