/* SPDX-License-Identifier: BSD-3-Clause
 *
 * job.c - what one rank of the federated job does between two communications. Split, start and orders of
 * samples come from --seed alone, so that ranks agree without talking and two runs differ only by how the
 * sums of an average are rounded.
 *
 * The update that is averaged is one array: the model's parameters, the loss of this round, and an adapter
 * (--model-mib, at least a few floats) whose average is known, so that a wrong one is noticed:
 *     adapter[i] of rank r = r % 8 + 1 + pattern(i, round)
 *     average              = weighted mean of the (r % 8 + 1) + pattern(i, round)
 */
#include "job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rng.h"

enum { DEFAULT_SILOS = 3, FEWEST_ADAPTER = 64, RANK_LEVELS = 8, PATTERN_PERIOD = 251 };
enum { FOR_RANK = 21, FOR_COMPARISON };

double job_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int job_create(struct job *job, int rank, int size)
{
    *job = (struct job){ .rank = rank, .size = size };
    job->silo_of = calloc((size_t)size, sizeof *job->silo_of);
    job->weights = calloc((size_t)size, sizeof *job->weights);
    return job->silo_of && job->weights ? 0 : -1;
}

/* The number of silos; 0 with an error when --silos doesn't fit. Fills silo_of if the launcher didn't. */
static int settle_silos(struct job *job)
{
    const int asked = job->options.silos;
    int silos = 1;

    for (int r = 0; r < job->size; r++)
        silos = job->silo_of[r] >= silos ? job->silo_of[r] + 1 : silos;
    if (silos > 1 && asked > 0 && asked != silos) {
        snprintf(job->error, ERROR_SIZE, "--silos: %d, but this job was launched with %d; leave it out",
                 asked, silos);
        return 0;
    }
    if (silos > 1)
        return silos;
    if (asked > job->size) {
        snprintf(job->error, ERROR_SIZE, "--silos: %d silos need as many ranks, not %d", asked, job->size);
        return 0;
    }
    silos = asked > 0 ? asked : DEFAULT_SILOS < job->size ? DEFAULT_SILOS : job->size;
    for (int r = 0; r < job->size; r++)
        job->silo_of[r] = (int)((long long)r * silos / job->size);
    return silos;
}

/* The rows that `rank` trains on: its part of its silo's. */
static struct rows rows_of(const struct job *job, int rank)
{
    const int silo = job->silo_of[rank];
    size_t before = 0, all = 0;

    for (int r = 0; r < job->size; r++) {
        before += job->silo_of[r] == silo && r < rank;
        all += job->silo_of[r] == silo;
    }
    return rows_share(job->split.silo[silo], before, all);
}

static int prepare_data(struct job *job)
{
    const struct options *o = &job->options;
    const struct deal deal = { settle_silos(job), o->alpha, (uint64_t)o->seed };

    if (deal.nsilos == 0 || dataset_load(&job->data, o->task, o->data_dir, job->error) != 0 ||
        split_make(&job->split, &job->data, &deal, job->error) != 0)
        return -1;
    dataset_scale(&job->data, job->split.pooled.row, job->split.pooled.count);
    for (int r = 0; r < job->size; r++)
        job->weights[r] = (double)rows_of(job, r).count;
    job->rows = rows_of(job, job->rank);
    job->weight = job->weights[job->rank];
    return 0;
}

static int prepare_model(struct job *job)
{
    const struct options *o = &job->options;
    const struct model model = { o->task->features, (size_t)o->hidden, (size_t)o->task->classes };
    const size_t parameters = model_parameters(&model), mib = (size_t)o->model_mib;
    const size_t adapter = mib > 0 ? mib * ((1 << 20) / sizeof(float)) : FEWEST_ADAPTER;

    job->model = model;
    job->count = parameters + 1 + adapter;
    job->points = (size_t)(job->split.nsilos + 1) * (size_t)o->rounds;
    job->update = calloc(job->count, sizeof *job->update);
    job->curves = calloc(job->points, sizeof *job->curves);
    job->order = calloc(job->data.rows, sizeof *job->order);
    job->learner = (struct learner){ &job->model, &job->data, job->update,
                                     calloc(model_scratch(&model), sizeof(float)) };
    if (!job->update || !job->curves || !job->order || !job->learner.scratch) {
        snprintf(job->error, ERROR_SIZE, "out of memory for a model of %zu floats and %d rounds", job->count,
                 o->rounds);
        return -1;
    }
    model_start(&model, (uint64_t)o->seed, job->update);
    return 0;
}

int job_prepare(struct job *job, int argc, char **argv)
{
    const struct options *o = &job->options;

    if (options_parse(&job->options, argc, argv, job->error) != 0 || o->help || prepare_data(job) != 0 ||
        prepare_model(job) != 0 ||
        report_open(&job->report, o->rounds, job->rank == 0 ? o->csv : NULL, job->error) != 0)
        return job->rank;
    job->report.update_bytes = job->count * sizeof *job->update;
    if (job->rank == 0)
        printf("%s: %zu samples, %d silos, %d ranks, %zu parameters, %d rounds of %d epochs\n", o->task->name,
               job->split.pooled.count, job->split.nsilos, job->size, model_parameters(&job->model),
               o->rounds, o->epochs);
    return job->size;
}

int job_farewell(const struct job *job, int stopped)
{
    if (job->rank == stopped && job->options.help)
        options_help();
    else if (job->rank == stopped)
        fprintf(stderr, "fedavg: rank %d: %s\n", stopped, job->error);
    return job->options.help ? EXIT_SUCCESS : EXIT_FAILURE;
}

static uint64_t order_seed(const struct job *job, uint64_t purpose, int number, int round)
{
    struct rng rng = rng_make((uint64_t)job->options.seed, purpose, (uint64_t)number);

    return rng_next(&rng) + (uint64_t)round;
}

static float pattern(size_t i, int round)
{
    return (float)((i + (size_t)round) % PATTERN_PERIOD) / 256;
}

void job_train(struct job *job, int round)
{
    const struct options *o = &job->options;
    const struct training training = { o->epochs, (size_t)o->batch, o->rate };
    const size_t parameters = model_parameters(&job->model);
    const float level = (float)(job->rank % RANK_LEVELS + 1);
    float *adapter = job->update + parameters + 1;

    job->update[parameters] = (float)learner_train(&job->learner, &training, job->rows, job->order,
                                                   order_seed(job, FOR_RANK, job->rank, round));
    for (size_t i = 0; i < job->count - parameters - 1; i++)
        adapter[i] = level + pattern(i, round);
}

size_t job_count_wrong(const struct job *job, int round)
{
    const size_t parameters = model_parameters(&job->model);
    const float *adapter = job->update + parameters + 1;
    const float tolerance = 1e-5F + 1e-6F * (float)job->size; /* rounding of a sum of `size` floats <= 9 */
    double sum = 0, weights = 0;
    size_t wrong = 0;
    float mean;

    for (int r = 0; r < job->size; r++) {
        sum += job->weights[r] * (r % RANK_LEVELS + 1);
        weights += job->weights[r];
    }
    mean = (float)(sum / weights);
    for (size_t i = 0; i < job->count - parameters - 1; i++)
        wrong += !(fabsf(adapter[i] - (mean + pattern(i, round))) <= tolerance); /* so a NaN is wrong */
    return wrong;
}

int job_finish_round(struct job *job, int round, double seconds, double wrong)
{
    struct round_figures figures = { .seconds = seconds };

    if (wrong > 0) {
        if (job->rank == 0)
            fprintf(stderr, "fedavg: round %d: %.0f floats of the average are wrong\n", round, wrong);
        return -1;
    }
    if (job->rank == 0) {
        figures.loss = job->update[model_parameters(&job->model)];
        figures.accuracy = learner_accuracy(&job->learner, job->split.held_out);
        report_round(&job->report, round, figures);
    }
    return 0;
}

/* One model trained without any averaging: same start, rounds and epochs, its own rows. */
static void train_alone(struct job *job, struct rows rows, int number, double *curve)
{
    const struct options *o = &job->options;
    const struct training training = { o->epochs, (size_t)o->batch, o->rate };

    /* The federated model has served; its memory serves again. */
    model_start(&job->model, (uint64_t)o->seed, job->update);
    for (int round = 1; round <= o->rounds; round++) {
        learner_train(&job->learner, &training, rows, job->order,
                      order_seed(job, FOR_COMPARISON, number, round));
        curve[round - 1] = learner_accuracy(&job->learner, job->split.held_out);
    }
}

void job_compare(struct job *job)
{
    const struct split *split = &job->split;

    if (job->rank == 0)
        report_busy("training the models to compare with");
    for (int n = job->rank; n <= split->nsilos; n += job->size)
        train_alone(job, n == 0 ? split->pooled : split->silo[n - 1], n,
                    job->curves + (size_t)n * (size_t)job->options.rounds);
}

int job_report(struct job *job)
{
    if (job->rank != 0)
        return EXIT_SUCCESS;
    report_table(&job->report, &job->data, &job->split, job->curves);
    if (report_write_csv(&job->report, job->split.nsilos, job->curves, job->error) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "fedavg: %s\n", job->error);
    return EXIT_FAILURE;
}

void job_destroy(struct job *job)
{
    report_close(&job->report);
    split_free(&job->split);
    dataset_free(&job->data);
    free(job->learner.scratch);
    free(job->order);
    free(job->update);
    free(job->curves);
    free(job->weights);
    free(job->silo_of);
    *job = (struct job){ 0 };
}
