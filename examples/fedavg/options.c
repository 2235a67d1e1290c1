/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options.c - one table of options drives parsing, checking and help. Values are taken as "--name value" or
 * "--name=value". Nothing is printed but the help: what to do with an error is the caller's business.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, WHOLE, REAL, TASK };

struct option {
    const char *name, *value;
    size_t offset;
    enum kind kind;
    double least, most;
    const char *help;
};

#define AT(field) offsetof(struct options, field)
static const struct option table[] = {
    { "data", "NAME", AT(task), TASK, 0, 0, "digits (default) or cancer" },
    { "rounds", "N", AT(rounds), WHOLE, 1, 100000, "rounds of training and averaging (20)" },
    { "epochs", "N", AT(epochs), WHOLE, 1, 1000, "passes over the own samples in each round (2)" },
    { "batch", "N", AT(batch), WHOLE, 1, 100000, "samples per descent step (4)" },
    { "rate", "X", AT(rate), REAL, 1e-6, 10, "learning rate (digits 0.1, cancer 0.01)" },
    { "hidden", "N", AT(hidden), WHOLE, 0, 4096, "hidden units, 0 for none (digits 64, cancer 0)" },
    { "silos", "N", AT(silos), WHOLE, 1, 1e6, "silos, when the launcher names none (3)" },
    { "alpha", "X", AT(alpha), REAL, 0.01, 1000,
      "classes in a silo: 0.1 few, 100 all (digits 0.5, cancer 0.1)" },
    { "seed", "N", AT(seed), WHOLE, 0, 2e9, "of the split, the start and the order of samples (1)" },
    { "model-mib", "N", AT(model_mib), WHOLE, 0, 4096, "MiB of f32 averaged besides the model (0)" },
    { "csv", "FILE", AT(csv), TEXT, 0, 0, "write a row per round, for plot.gp" },
    { "data-dir", "DIR", AT(data_dir), TEXT, 0, 0, "where the data is (default: beside the source)" },
    { "help", NULL, AT(help), WHOLE, 0, 1, "this text" },
};
#undef AT

enum { OPTIONS = sizeof table / sizeof table[0] };

static int parse_number(double *number, const struct option *option, const char *text, char *error)
{
    const int whole = option->kind == WHOLE;
    char *end;

    errno = 0;
    *number = whole ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    /* The comparison also refuses NaN. */
    if (errno == 0 && end != text && *end == '\0' && *number >= option->least && *number <= option->most)
        return 0;
    snprintf(error, ERROR_SIZE, "--%s: '%s' is not a%s number from %.10g to %.10g", option->name, text,
             whole ? " whole" : "", option->least, option->most);
    return -1;
}

static int parse_value(struct options *options, const struct option *option, const char *text, char *error)
{
    void *field = (char *)options + option->offset;
    double number;

    if (option->kind == TEXT) {
        *(const char **)field = text;
        if (*text != '\0')
            return 0;
        snprintf(error, ERROR_SIZE, "--%s: needs a name", option->name);
        return -1;
    }
    if (option->kind == TASK) {
        *(const struct task **)field = task_find(text);
        if (task_find(text) != NULL)
            return 0;
        snprintf(error, ERROR_SIZE, "--%s: '%s' is not %s", option->name, text, task_names());
        return -1;
    }
    if (parse_number(&number, option, text, error) != 0)
        return -1;
    if (option->kind == WHOLE)
        *(int *)field = (int)number;
    else
        *(double *)field = number;
    return 0;
}

/* The option that "--name" or "--name=value" names, or NULL; *value is behind the '=', or NULL. */
static const struct option *find(const char *argument, const char **value)
{
    if (strncmp(argument, "--", 2) != 0)
        return NULL;
    for (int i = 0; i < OPTIONS; i++) {
        const size_t length = strlen(table[i].name);
        const char *rest = argument + 2 + length;

        if (strncmp(argument + 2, table[i].name, length) != 0 || (*rest != '\0' && *rest != '='))
            continue;
        *value = *rest == '=' ? rest + 1 : NULL;
        return &table[i];
    }
    return NULL;
}

int options_parse(struct options *options, int argc, char **argv, char *error)
{
    *options = (struct options){ .task = task_find("digits"),
                                 .data_dir = FEDAVG_DATA_DIR,
                                 .rounds = 20,
                                 .epochs = 2,
                                 .batch = 4,
                                 .hidden = BY_DATA,
                                 .seed = 1,
                                 .rate = BY_DATA,
                                 .alpha = BY_DATA };
    for (int i = 1; i < argc; i++) {
        const char *value;
        const struct option *option = find(argv[i], &value);

        if (option == NULL) {
            snprintf(error, ERROR_SIZE, "'%s' is not an option; --help lists them", argv[i]);
            return -1;
        }
        if (option->value == NULL && value == NULL) {
            value = "1"; /* a flag */
        } else if (value == NULL) {
            value = i + 1 < argc ? argv[++i] : NULL;
        }
        if (value == NULL) {
            snprintf(error, ERROR_SIZE, "--%s: needs a value: --%s %s", option->name, option->name,
                     option->value);
            return -1;
        }
        if (parse_value(options, option, value, error) != 0)
            return -1;
    }
    if (options->hidden == BY_DATA)
        options->hidden = options->task->hidden;
    if (options->rate < 0)
        options->rate = options->task->rate;
    if (options->alpha < 0)
        options->alpha = options->task->alpha;
    return 0;
}

void options_help(void)
{
    printf("Federated averaging. Each rank trains on its part of its silo's samples; after each round all\n"
           "models are averaged, weighted by their numbers of samples. At the end the result is compared\n"
           "with one model trained on all samples, and with the model of each silo alone.\n\n");
    for (int i = 0; i < OPTIONS; i++) {
        char left[32];

        snprintf(left, sizeof left, "--%s %s", table[i].name, table[i].value ? table[i].value : "");
        printf("  %-18s %s\n", left, table[i].help);
    }
}
