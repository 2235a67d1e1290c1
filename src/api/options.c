/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options.c - the options object, and how defaults, environment, options and launcher become one
 * configuration. */
#include "api/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int publish(const frd_story *story)
{
    frd_story_publish(story);
    return story->rc;
}

static int refuse(const char *text)
{
    frd_story story = { 0 };
    frd_fail(&story, FEDRDMA_ERR_INVALID, "%s", text);
    return publish(&story);
}

int fedrdma_options_create(fedrdma_options **out)
{
    if (out == NULL)
        return refuse("fedrdma_options_create: options is NULL");
    fedrdma_options *options = frd_calloc(1, sizeof(*options));
    if (options == NULL)
        return FEDRDMA_ERR_NOMEM;
    *out = options;
    return FEDRDMA_OK;
}

void fedrdma_options_destroy(fedrdma_options *options)
{
    if (options == NULL)
        return;
    for (size_t i = 0; i < options->count; i++) {
        frd_free(options->names[i]);
        frd_free(options->values[i]);
    }
    frd_free(options->names);
    frd_free(options->values);
    frd_free(options);
}

static int grow(fedrdma_options *options)
{
    if (options->count < options->cap)
        return FEDRDMA_OK;
    const size_t cap = options->cap == 0 ? 8 : options->cap * 2;
    char **names = frd_realloc(options->names, cap * sizeof(*names));
    if (names == NULL)
        return FEDRDMA_ERR_NOMEM;
    options->names = names;
    char **values = frd_realloc(options->values, cap * sizeof(*values));
    if (values == NULL)
        return FEDRDMA_ERR_NOMEM;
    options->values = values;
    options->cap = cap;
    return FEDRDMA_OK;
}

int fedrdma_options_set(fedrdma_options *options, const char *name, const char *value)
{
    frd_story story = { 0 };
    frd_conf conf = { 0 };

    if (options == NULL || name == NULL || value == NULL)
        return refuse("fedrdma_options_set: options, name or value is NULL");

    /* A trial on a fresh configuration tells now, not in fedrdma_init, what is wrong with it. */
    int rc = frd_conf_init(&conf, &story);
    if (rc == FEDRDMA_OK)
        rc = frd_conf_set(&conf, name, value, "option", &story);
    frd_conf_free(&conf);
    if (rc != FEDRDMA_OK)
        return publish(&story);

    char *own_name = frd_strdup(name), *own_value = frd_strdup(value);
    if (own_name == NULL || own_value == NULL || grow(options) != FEDRDMA_OK) {
        frd_free(own_name);
        frd_free(own_value);
        return FEDRDMA_ERR_NOMEM;
    }
    options->names[options->count] = own_name;
    options->values[options->count++] = own_value;
    return FEDRDMA_OK;
}

int fedrdma_options_set_log(fedrdma_options *options, int level, fedrdma_log_fn *fn, void *arg)
{
    if (options == NULL || level < FEDRDMA_LOG_ERROR || level > FEDRDMA_LOG_DEBUG)
        return refuse("fedrdma_options_set_log: options is NULL or the level unknown");
    options->log = (frd_log){ .level = level + 1, .rank = -1, .fn = fn, .arg = arg };
    return FEDRDMA_OK;
}

int fedrdma_options_set_oob(fedrdma_options *options, int rank, int size, fedrdma_oob_allgather_fn *fn,
                            void *arg)
{
    if (options == NULL || fn == NULL)
        return refuse("fedrdma_options_set_oob: options or the function is NULL");
    if (size < 1 || rank < 0 || rank >= size)
        return refuse("fedrdma_options_set_oob: needs 0 <= rank < size");
    options->oob_rank = rank;
    options->oob_size = size;
    options->oob = fn;
    options->oob_arg = arg;
    return FEDRDMA_OK;
}

static int apply(const fedrdma_options *options, frd_conf *conf, frd_story *story)
{
    int rc = FEDRDMA_OK;

    for (size_t i = 0; options != NULL && i < options->count && rc == FEDRDMA_OK; i++)
        rc = frd_conf_set(conf, options->names[i], options->values[i], "option", story);
    if (rc == FEDRDMA_OK && options != NULL && options->oob != NULL) {
        conf->rank = options->oob_rank;
        conf->size = options->oob_size;
    }
    return rc;
}

static int set_log(const fedrdma_options *options, const frd_conf *conf, frd_log *log, frd_story *story)
{
    const int level = frd_log_level_parse(conf->log);

    if (level < 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "FEDRDMA_LOG='%s' is no level; use off, error, warn, info or debug", conf->log);
    if (options != NULL && options->log.fn != NULL)
        *log = options->log;
    else
        *log = (frd_log){ .level = level };
    log->rank = conf->rank;
    return FEDRDMA_OK;
}

static int check_values(frd_conf *conf, frd_story *story)
{
    const char *from = "";

    int rc = frd_conf_launcher(conf, &from, story);
    if (rc != FEDRDMA_OK)
        return rc;
    if (conf->rank == -1 && conf->size == -1) {
        conf->rank = 0;
        conf->size = 1;
    }
    if (conf->rank == -1 || conf->size == -1)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "only one of rank and size is known; set both FEDRDMA_RANK and FEDRDMA_SIZE");
    if (conf->size < 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "size is %d; a job has at least 1 rank",
                        conf->size);
    if (conf->rank < 0 || conf->rank >= conf->size)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "rank %d does not exist in a job of %d; ranks are 0 to %d", conf->rank,
                        conf->size, conf->size - 1);
    if (strcmp(conf->threads, "single") != 0 && strcmp(conf->threads, "multiple") != 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "threads='%s' is unknown; use single or multiple", conf->threads);
    return FEDRDMA_OK;
}

int frd_options_resolve(const fedrdma_options *options, frd_conf *conf, frd_log *log, frd_story *story)
{
    const frd_log silent = { 0 };

    int rc = frd_conf_init(conf, story);
    if (rc != FEDRDMA_OK)
        return rc;
    /* Twice: the first time for FEDRDMA_LOG, the second time its warnings can be heard. */
    rc = frd_conf_environment(conf, &silent, story);
    if (rc == FEDRDMA_OK)
        rc = set_log(options, conf, log, story);
    if (rc == FEDRDMA_OK)
        rc = frd_conf_environment(conf, log, story);
    if (rc == FEDRDMA_OK)
        rc = apply(options, conf, story);
    if (rc == FEDRDMA_OK)
        rc = set_log(options, conf, log, story);
    if (rc == FEDRDMA_OK)
        rc = check_values(conf, story);
    if (rc != FEDRDMA_OK)
        frd_conf_free(conf);
    log->rank = conf->rank;
    return rc;
}
