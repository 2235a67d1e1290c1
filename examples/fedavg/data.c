/* SPDX-License-Identifier: BSD-3-Clause
 *
 * data.c - reads a table of numbers whose last column is the class. The file must fit its task exactly: a
 * short line or a foreign class is an error with its line number, never a guess.
 */
#include "data.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct task tasks[] = {
    { "digits", "digits.csv", 64, 0, 10, 1.0 / 16, 64, 0.1, 0.5 },
    { "cancer", "breast_cancer.csv", 30, 1, 2, 0, 0, 0.01, 0.1 },
};

const struct task *task_find(const char *name)
{
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        if (strcmp(tasks[i].name, name) == 0)
            return &tasks[i];
    return NULL;
}

const char *task_names(void)
{
    return "digits or cancer";
}

/* One line into x[features] and the label; 0, or -1 when it is anything else. */
static int parse_line(const char *line, const struct task *task, float *x, int *label)
{
    char *end;
    long class;

    for (size_t f = 0; f < task->features; f++) {
        x[f] = strtof(line, &end);
        if (end == line || *end != ',' || !isfinite(x[f]))
            return -1;
        line = end + 1;
    }
    class = strtol(line, &end, 10);
    if (end == line || end[strspn(end, "\r\n")] != '\0' || class < 0 || class >= task->classes)
        return -1;
    *label = (int)class;
    return 0;
}

/* Room for one more row; doubles. */
static int grow(struct dataset *data, size_t *room)
{
    const size_t wanted = *room ? *room * 2 : 512;
    float *x = realloc(data->x, wanted * data->task->features * sizeof *x);
    int *label;

    if (x == NULL)
        return -1;
    data->x = x;
    label = realloc(data->label, wanted * sizeof *label);
    if (label == NULL)
        return -1;
    data->label = label;
    *room = wanted;
    return 0;
}

static int load_rows(struct dataset *data, FILE *file, const char *path, char *error)
{
    const struct task *task = data->task;
    char line[2048]; /* the longest of our lines has 250 bytes */
    size_t room = 0, number = 0;

    while (fgets(line, sizeof line, file) != NULL) {
        if (number++ < task->header_lines)
            continue;
        if (data->rows == room && grow(data, &room) != 0) {
            snprintf(error, ERROR_SIZE, "%s: out of memory at line %zu", path, number);
            return -1;
        }
        if (parse_line(line, task, data->x + data->rows * task->features, &data->label[data->rows]) != 0) {
            snprintf(error, ERROR_SIZE, "%s:%zu: expected %zu numbers and a class 0 to %d", path, number,
                     task->features, task->classes - 1);
            return -1;
        }
        data->rows++;
    }
    if (ferror(file) || data->rows == 0) {
        snprintf(error, ERROR_SIZE, "%s: %s", path, ferror(file) ? strerror(errno) : "no rows in it");
        return -1;
    }
    return 0;
}

int dataset_load(struct dataset *data, const struct task *task, const char *directory, char *error)
{
    struct dataset loaded = { .task = task };
    char path[ERROR_SIZE / 2];
    FILE *file;
    int rc;

    if (snprintf(path, sizeof path, "%s/%s", directory, task->file) >= (int)sizeof path) {
        snprintf(error, ERROR_SIZE, "--data-dir: the path is longer than %zu bytes", sizeof path - 1);
        return -1;
    }
    file = fopen(path, "r");
    if (file == NULL) {
        snprintf(error, ERROR_SIZE, "cannot read %s: %s; --data-dir tells where the data is", path,
                 strerror(errno));
        return -1;
    }
    rc = load_rows(&loaded, file, path, error);
    fclose(file);
    if (rc != 0) {
        dataset_free(&loaded);
        return -1;
    }
    *data = loaded;
    return 0;
}

void dataset_free(struct dataset *data)
{
    free(data->x);
    free(data->label);
    *data = (struct dataset){ 0 };
}

/* Feature f to mean 0 and variance 1 over the given rows. */
static void standardise(struct dataset *data, size_t f, const size_t *row, size_t count)
{
    const size_t features = data->task->features;
    double sum = 0, squares = 0, mean, deviation;

    for (size_t i = 0; i < count; i++) {
        const double x = data->x[row[i] * features + f];
        sum += x;
        squares += x * x;
    }
    mean = sum / (double)count;
    deviation = sqrt(fmax(squares / (double)count - mean * mean, 0));
    /* A feature that never changes carries nothing: it becomes 0. */
    for (size_t i = 0; i < data->rows; i++) {
        float *x = &data->x[i * features + f];
        *x = deviation > 0 ? (float)((*x - mean) / deviation) : 0;
    }
}

void dataset_scale(struct dataset *data, const size_t *row, size_t count)
{
    const struct task *task = data->task;

    if (task->scale != 0) {
        for (size_t i = 0; i < data->rows * task->features; i++)
            data->x[i] *= (float)task->scale;
        return;
    }
    for (size_t f = 0; f < task->features; f++)
        standardise(data, f, row, count);
}
