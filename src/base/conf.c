/* SPDX-License-Identifier: BSD-3-Clause
 * conf.c - sets options by name, from the caller or the environment.
 *
 * A kind (INT, SIZE, ...) is one row that says how to parse it and what to tell a user; an option
 * that accepts less than its kind has a row in `rules`. A value is parsed and checked in a copy, so
 * that a failed call changes nothing. Texts live in an arena until frd_conf_free. */
#include "base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/near.h"
#include "base/value.h"

#define NAME_MAX_BYTES 63 /* of job, silo and node: they travel in fixed fields */
#define SHOWN_BYTES 80    /* of a bad value in an error's story */

static const char PREFIX[] = "FEDRDMA_";
#define PREFIX_LEN (sizeof PREFIX - 1)

/* ---- kinds ---- */

static const char *parse_int(const char *text, void *field)
{
    return frd_value_int(text, field);
}

static const char *parse_size(const char *text, void *field)
{
    return frd_value_size(text, field);
}

static const char *parse_time(const char *text, void *field)
{
    return frd_value_time_ns(text, field);
}

static const char *parse_bool(const char *text, void *field)
{
    return frd_value_bool(text, field);
}

/* Points to the caller's text; frd_conf_set makes it ours when the value was accepted. */
static const char *parse_text(const char *text, void *field)
{
    memcpy(field, &text, sizeof text);
    return NULL;
}

enum kind { KIND_INT, KIND_SIZE, KIND_TIME, KIND_BOOL, KIND_TEXT };

static const struct {
    const char *name;
    const char *(*parse)(const char *text, void *field);
    const char *accepted;
} kinds[] = {
    [KIND_INT] = { "int", parse_int, "a whole number" },
    [KIND_SIZE] = { "size", parse_size, "bytes, or with k, m or g for 2^10, 2^20, 2^30, e.g. 64k" },
    [KIND_TIME] = { "time", parse_time, "a number with a unit (ns, us, ms, s, m, h), e.g. 30s" },
    [KIND_BOOL] = { "bool", parse_bool, "1, yes, on, true, or 0, no, off, false" },
    [KIND_TEXT] = { "text", parse_text, "a text" },
};

/* ---- rows ---- */

typedef struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *value, *text;
} option;

#define ROW(kind, name, value, text) { #name, KIND_##kind, offsetof(frd_conf, name), value, text },
static const option options[] = { FRD_CONF_TABLE(ROW) };
#undef ROW
#define OPTIONS (sizeof options / sizeof options[0])

size_t frd_conf_count(void)
{
    return OPTIONS;
}

const char *frd_conf_name(size_t index)
{
    assert(index < OPTIONS);
    return options[index].name;
}

const char *frd_conf_kind(size_t index)
{
    assert(index < OPTIONS);
    return kinds[options[index].kind].name;
}

const char *frd_conf_default(size_t index)
{
    assert(index < OPTIONS);
    return options[index].value;
}

const char *frd_conf_text(size_t index)
{
    assert(index < OPTIONS);
    return options[index].text;
}

static const option *option_find(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* ---- rules ---- */

static const char *check_rank(const frd_conf *conf)
{
    return conf->rank < -1 ? "is negative" : NULL;
}

static const char *check_size(const frd_conf *conf)
{
    return conf->size < -1 || conf->size == 0 ? "is no number of ranks" : NULL;
}

static const char *check_cache(const frd_conf *conf)
{
    return conf->cache < 1 ? "is too small" : NULL;
}

static const char *check_connect_timeout(const frd_conf *conf)
{
    return conf->connect_timeout == 0 ? "leaves no time at all" : NULL;
}

static const char *check_timeout(const frd_conf *conf)
{
    return conf->timeout == 0 ? "leaves no time at all" : NULL;
}

static const char *check_log(const frd_conf *conf)
{
    return frd_log_level_parse(conf->log) < 0 ? "is no level" : NULL;
}

static const char *check_threads(const frd_conf *conf)
{
    return strcmp(conf->threads, "single") != 0 && strcmp(conf->threads, "multiple") != 0
               ? "is neither of the two"
               : NULL;
}

static const char *check_server(const frd_conf *conf)
{
    return strcmp(conf->rendezvous_server, "auto") != 0 && strcmp(conf->rendezvous_server, "launcher") != 0
               ? "is neither of the two"
               : NULL;
}

static const char *check_ucx_large(const frd_conf *conf)
{
    return strcmp(conf->ucx_large, "auto") != 0 && strcmp(conf->ucx_large, "rendezvous") != 0 &&
                   strcmp(conf->ucx_large, "pieces") != 0
               ? "is none of the three"
               : NULL;
}

static const char *check_heartbeat(const frd_conf *conf)
{
    return conf->wan_heartbeat >= UINT64_C(1000000) && conf->wan_heartbeat <= UINT64_C(10000000000)
               ? NULL
               : "is out of range";
}

static const char *check_datagram(const frd_conf *conf)
{
    return conf->wan_datagram >= 1200 && conf->wan_datagram <= 9000 ? NULL : "is out of range";
}

static const char *check_transports(const frd_conf *conf)
{
    static const char *const known[] = { "shm", "wan", "ucx", "loop" };
    const char *at = conf->transports;

    for (;;) {
        const size_t len = strcspn(at, ",");
        bool found = false;

        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found = found || (strlen(known[i]) == len && strncmp(at, known[i], len) == 0);
        if (!found)
            return "has an unknown transport";
        if (at[len] == '\0')
            return NULL;
        at += len + 1;
    }
}

static const char *check_name(const char *name)
{
    if (strlen(name) > NAME_MAX_BYTES)
        return "is too long";
    for (; *name != '\0'; name++)
        if (iscntrl((unsigned char)*name))
            return "has a control character";
    return NULL;
}

static const char *check_job(const frd_conf *conf)
{
    return check_name(conf->job);
}

static const char *check_silo(const frd_conf *conf)
{
    return check_name(conf->silo);
}

static const char *check_node(const frd_conf *conf)
{
    return check_name(conf->node);
}

static const char ACCEPTED_NAME[] = "up to 63 bytes without control characters";

static const struct {
    const char *name;
    const char *(*check)(const frd_conf *conf);
    const char *accepted;
} rules[] = {
    { "rank", check_rank, "0 to size - 1, or -1 to ask the launcher's variables" },
    { "size", check_size, "1 or more, or -1 to ask the launcher's variables" },
    { "cache", check_cache, "1 or more" },
    { "connect_timeout", check_connect_timeout, "a time above 0 with its unit, e.g. 30s" },
    { "timeout", check_timeout, "a time above 0 with its unit, e.g. 300s" },
    { "log", check_log, "error, warn, info, debug, or off" },
    { "threads", check_threads, "single or multiple" },
    { "rendezvous_server", check_server, "auto or launcher" },
    { "transports", check_transports, "a list of shm, wan, ucx, loop with commas between, e.g. shm,ucx" },
    { "wan_heartbeat", check_heartbeat, "a time from 1ms to 10s with its unit, e.g. 500ms" },
    { "wan_datagram", check_datagram, "1200 to 9000" },
    { "ucx_large", check_ucx_large, "auto, rendezvous or pieces" },
    { "job", check_job, ACCEPTED_NAME },
    { "silo", check_silo, ACCEPTED_NAME },
    { "node", check_node, ACCEPTED_NAME },
};
#define RULES (sizeof rules / sizeof rules[0])

static size_t rule_find(const char *name)
{
    size_t i = 0;

    while (i < RULES && strcmp(rules[i].name, name) != 0)
        i++;
    return i;
}

/* ---- names that are near ---- */

#define NAME(kind, name, value, text) #name,
static const char *const names[] = { FRD_CONF_TABLE(NAME) };
#undef NAME

const char *frd_conf_nearest(const char *name)
{
    return frd_nearest(name, names, OPTIONS);
}

/* ---- setting ---- */

int frd_conf_init(frd_conf *conf, frd_story *story)
{
    frd_conf next = { 0 };

    for (size_t i = 0; i < OPTIONS; i++) {
        int rc = frd_conf_set(&next, options[i].name, options[i].value, "default", story);
        if (rc < 0) {
            frd_conf_free(&next);
            return rc;
        }
    }
    *conf = next;
    return FEDRDMA_OK;
}

void frd_conf_free(frd_conf *conf)
{
    frd_arena arena;

    if (conf == NULL)
        return;
    arena.head = conf->owned;
    frd_arena_free(&arena);
    memset(conf, 0, sizeof *conf);
}

static int unknown(const char *name, const char *source, frd_story *story)
{
    const char *near = frd_conf_nearest(name);

    return frd_fail(story, FEDRDMA_ERR_INVALID,
                    "no option is called \"%.*s\" (%s)%s%s%s; `fedrdma-info --options` lists all",
                    SHOWN_BYTES, name, source, near == NULL ? "" : "; did you mean \"",
                    near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

/* Makes the text of `field` the conf's own. */
static int own_text(frd_conf *conf, size_t offset)
{
    frd_arena arena = { conf->owned };
    const char *text;
    char *copy;

    memcpy(&text, (const char *)conf + offset, sizeof text);
    copy = frd_arena_alloc(&arena, strlen(text) + 1);
    if (copy == NULL)
        return FEDRDMA_ERR_NOMEM;
    strcpy(copy, text);
    memcpy((char *)conf + offset, &copy, sizeof copy);
    conf->owned = arena.head;
    return FEDRDMA_OK;
}

int frd_conf_set(frd_conf *conf, const char *name, const char *value, const char *source, frd_story *story)
{
    const option *o;
    const char *wrong;
    frd_conf next;
    size_t rule;

    if (name == NULL || value == NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "an option's name and value must not be NULL (%s)",
                        source);
    o = option_find(name);
    if (o == NULL)
        return unknown(name, source, story);
    next = *conf;
    rule = rule_find(name);
    wrong = kinds[o->kind].parse(value, (char *)&next + o->offset);
    if (wrong == NULL && rule < RULES)
        wrong = rules[rule].check(&next);
    if (wrong != NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "%s = \"%.*s\" (%s) %s; give %s", name, SHOWN_BYTES,
                        value, source, wrong, rule < RULES ? rules[rule].accepted : kinds[o->kind].accepted);
    if (o->kind == KIND_TEXT && own_text(&next, o->offset) < 0)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the value of option %s", name);
    *conf = next;
    return FEDRDMA_OK;
}

/* ---- environment ---- */

/* Prefixes behind FEDRDMA_ that are not ours to judge: UCX's own configuration of our contexts, and
 * what the project's tests and benchmarks use. */
static const char *const foreign[] = { "UCX_", "WAN_UCX_", "TEST_", "PERF_" };

static bool is_foreign(const char *rest)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (strncmp(rest, foreign[i], strlen(foreign[i])) == 0)
            return true;
    return false;
}

static void upper(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)toupper((unsigned char)*text);
}

/* "FEDRDMA_RANK" of "rank". */
static void variable_name(char variable[PREFIX_LEN + FRD_NEAR_MAX + 1], const char *name)
{
    snprintf(variable, PREFIX_LEN + FRD_NEAR_MAX + 1, "%s%s", PREFIX, name);
    upper(variable);
}

/* `entry` is NAME=value of an unknown variable. */
static void warn_unknown(const char *entry, const frd_log *log)
{
    char name[FRD_NEAR_MAX + 1], variable[PREFIX_LEN + FRD_NEAR_MAX + 1] = "";
    const int shown = (int)strcspn(entry, "=");
    const char *near;

    snprintf(name, sizeof name, "%.*s", shown - (int)PREFIX_LEN, entry + PREFIX_LEN);
    near = frd_conf_nearest(name);
    if (near != NULL)
        variable_name(variable, near);
    frd_logf(log, FEDRDMA_LOG_WARN,
             "environment variable %.*s is unknown and ignored%s%s%s; `fedrdma-info --options` "
             "lists all",
             shown < SHOWN_BYTES ? shown : SHOWN_BYTES, entry, near == NULL ? "" : "; did you mean ",
             variable, near == NULL ? "" : "?");
}

static bool is_option_variable(const char *entry)
{
    char variable[PREFIX_LEN + FRD_NEAR_MAX + 1];
    const size_t len = strcspn(entry, "=");

    for (size_t i = 0; i < OPTIONS; i++) {
        variable_name(variable, options[i].name);
        if (strlen(variable) == len && strncmp(variable, entry, len) == 0)
            return true;
    }
    return false;
}

int frd_conf_environment(frd_conf *conf, const frd_log *log, frd_story *story)
{
    char variable[PREFIX_LEN + FRD_NEAR_MAX + 1], source[sizeof variable + 32];

    for (size_t i = 0; i < OPTIONS; i++) {
        const char *value;
        int rc;

        variable_name(variable, options[i].name);
        value = getenv(variable);
        if (value == NULL || value[0] == '\0') /* FEDRDMA_X= is how scripts say "not set" */
            continue;
        snprintf(source, sizeof source, "environment variable %s", variable);
        rc = frd_conf_set(conf, options[i].name, value, source, story);
        if (rc < 0)
            return rc;
    }
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        if (strncmp(*entry, PREFIX, PREFIX_LEN) == 0 && !is_foreign(*entry + PREFIX_LEN) &&
            !is_option_variable(*entry))
            warn_unknown(*entry, log);
    return FEDRDMA_OK;
}

const char *frd_conf_getenv(const char *name)
{
    assert(strncmp(name, PREFIX, PREFIX_LEN) == 0 && is_foreign(name + PREFIX_LEN));
    return getenv(name);
}

/* ---- launchers ---- */

typedef struct launcher {
    const char *from;              /* for people */
    const char *rank, *size, *job; /* variables; NULL: the launcher has none */
    bool (*applies)(void);         /* NULL: whenever the rank variable is set */
} launcher;

/* srun gives every task of a step these variables; sbatch and salloc give the first two to the
 * script as well, where they describe no task. A script has no step, or one of the reserved numbers
 * at the top. */
static bool in_slurm_step(void)
{
    const char *step = getenv("SLURM_STEP_ID");
    int n;

    return step != NULL && frd_value_int(step, &n) == NULL && n >= 0;
}

/* PMIx hands sizes out only through its server, which the library doesn't talk to; SLURM's plugin
 * numbers the step's tasks, so SLURM's size is the size. Under another PMIx launcher inside a SLURM
 * allocation the SLURM variables describe that launcher's daemons. */
static bool in_slurm_pmix(void)
{
    const char *space = getenv("PMIX_NAMESPACE");

    return space != NULL && strncmp(space, "slurm.", 6) == 0 && in_slurm_step();
}

/* First that applies wins. SLURM is last: a launcher that starts its daemons with srun leaves
 * SLURM's variables, which number the daemons, in the ranks' environment. */
static const launcher launchers[] = {
    { "Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", NULL },
    { "PMIx under SLURM", "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "PMIX_NAMESPACE", in_slurm_pmix },
    { "PMIx", "PMIX_RANK", NULL, "PMIX_NAMESPACE", NULL },
    { "Hydra", "PMI_RANK", "PMI_SIZE", NULL, NULL },
    { "SLURM", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_ID", in_slurm_step },
};

static int launcher_number(const char *variable, int *out, frd_story *story)
{
    const char *text = getenv(variable);
    const char *wrong = text == NULL ? "is not set" : frd_value_int(text, out);

    if (wrong == NULL && *out < 0)
        wrong = "is negative";
    if (wrong != NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "launcher variable %s%s%.*s%s %s; set FEDRDMA_RANK and FEDRDMA_SIZE instead",
                        variable, text == NULL ? "" : " = \"", SHOWN_BYTES, text == NULL ? "" : text,
                        text == NULL ? "" : "\"", wrong);
    return FEDRDMA_OK;
}

/* Cuts a launcher's name to what a job name may be; names differ at their end as well as at their
 * start, so the end is kept. */
static int set_job(frd_conf *conf, const char *name, const char *source, frd_story *story)
{
    const size_t len = strlen(name);

    return frd_conf_set(conf, "job", len > NAME_MAX_BYTES ? name + len - NAME_MAX_BYTES : name, source,
                        story);
}

int frd_conf_launcher(frd_conf *conf, const char **from, frd_story *story)
{
    const launcher *l = NULL;
    int rank = conf->rank, size = conf->size, rc;
    const bool took_rank = rank < 0;

    *from = "";
    if (rank >= 0 && size >= 0)
        return FEDRDMA_OK;
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0] && l == NULL; i++)
        if (getenv(launchers[i].rank) != NULL && (launchers[i].applies == NULL || launchers[i].applies()))
            l = &launchers[i];
    if (l == NULL)
        return FEDRDMA_OK;
    if (rank < 0) {
        rc = launcher_number(l->rank, &rank, story);
        if (rc < 0)
            return rc;
    }
    if (size < 0 && l->size == NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "the launcher set %s, but %s has no variable for the number of ranks; set "
                        "FEDRDMA_SIZE as well",
                        l->rank, l->from);
    if (size < 0) {
        rc = launcher_number(l->size, &size, story);
        if (rc < 0)
            return rc;
    }
    if (took_rank && conf->job[0] == '\0' && l->job != NULL && getenv(l->job) != NULL) {
        rc = set_job(conf, getenv(l->job), l->from, story);
        if (rc < 0)
            return rc;
    }
    conf->rank = rank;
    conf->size = size;
    *from = l->from;
    return FEDRDMA_OK;
}
