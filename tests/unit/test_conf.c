/* SPDX-License-Identifier: BSD-3-Clause
 * test_conf.c - the option table, what its values accept, the environment, launchers' variables;
 * and what conf stands on: stories and log lines. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/stat.h"

static frd_conf conf;
static frd_story story;
static char logged[4096]; /* "level message\n" of each line */

static void keep_line(int level, const char *message, void *arg)
{
    const size_t used = strlen(logged);

    (void)arg;
    snprintf(logged + used, sizeof logged - used, "%d %s\n", level, message);
}

static const frd_log sink = { .level = FEDRDMA_LOG_WARN + 1, .rank = -1, .fn = keep_line };

/* No variable of a launcher that runs the test, or of ours. */
static void clean_environment(void)
{
    clearenv();
    setenv("PATH", "/bin", 1);
}

static void setup(void)
{
    clean_environment();
    logged[0] = '\0';
    memset(&story, 0, sizeof story);
    ck_assert_int_eq(frd_conf_init(&conf, &story), FEDRDMA_OK);
}

static void teardown(void)
{
    frd_conf_free(&conf);
    frd_conf_free(&conf);
    frd_conf_free(NULL);
}

static void set(const char *name, const char *value)
{
    ck_assert_msg(frd_conf_set(&conf, name, value, "option", &story) == FEDRDMA_OK, "%s=%s: %s", name, value,
                  story.text);
}

static void assert_story(const char *part)
{
    ck_assert_msg(strstr(story.text, part) != NULL, "no \"%s\" in \"%s\"", part, story.text);
}

/* ---- values ---- */

START_TEST(defaults_are_those_of_the_table)
{
    ck_assert_int_eq(conf.rank, -1);
    ck_assert_int_eq(conf.size, -1);
    ck_assert_str_eq(conf.rendezvous, "");
    ck_assert_str_eq(conf.transports, "shm,wan,ucx");
    ck_assert_uint_eq(conf.connect_timeout, 30 * FRD_NS_PER_S);
    ck_assert_uint_eq(conf.fragment, 1 << 20);
    ck_assert(!conf.check);
    ck_assert(conf.shm_direct);
}
END_TEST

START_TEST(every_row_can_be_listed_and_set)
{
    static const char *const kinds[] = { "int", "size", "time", "bool", "text" };

    ck_assert_uint_gt(frd_conf_count(), 20);
    for (size_t i = 0; i < frd_conf_count(); i++) {
        bool known = false;

        for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++)
            known = known || strcmp(frd_conf_kind(i), kinds[j]) == 0;
        ck_assert_msg(known, "%s is of kind %s", frd_conf_name(i), frd_conf_kind(i));
        ck_assert_str_ne(frd_conf_text(i), "");
        set(frd_conf_name(i), frd_conf_default(i));
        ck_assert_str_eq(frd_conf_nearest(frd_conf_name(i)), frd_conf_name(i));
    }
}
END_TEST

START_TEST(every_kind_is_parsed_into_its_field)
{
    char text[] = "alpha";

    set("rank", "3");
    set("window", "3m");
    set("timeout", "1.5s");
    set("check", "yes");
    set("silo", text);
    text[0] = 'x'; /* the conf has its own copy */
    ck_assert_int_eq(conf.rank, 3);
    ck_assert_uint_eq(conf.window, 3 << 20);
    ck_assert_uint_eq(conf.timeout, 1500 * FRD_NS_PER_MS);
    ck_assert(conf.check);
    ck_assert_str_eq(conf.silo, "alpha");
    set("silo", "");
    ck_assert_str_eq(conf.silo, "");
}
END_TEST

/* name, value, a part of what is wrong, a part of what to give instead */
static const char *const bad_values[][4] = {
    { "rank", "", "is not a number", "0 to size - 1" },
    { "rank", "two", "is not a number", "0 to size - 1" },
    { "rank", "2.5", "is not a whole number", "0 to size - 1" },
    { "rank", "-2", "is negative", "0 to size - 1" },
    { "rank", "99999999999", "is too large", "0 to size - 1" },
    { "size", "0", "is no number of ranks", "1 or more" },
    { "size", "-3", "is no number of ranks", "1 or more" },
    { "cache", "0", "is too small", "1 or more" },
    { "loop_seed", "x", "is not a number", "a whole number" },
    { "window", "16q", "unknown unit", "64k" },
    { "window", "-1", "is not a number", "64k" },
    { "window", "99999999999g", "is too large", "64k" },
    { "spin", "20", "has no unit", "30s" },
    { "timeout", "300", "has no unit", "300s" },
    { "timeout", "0s", "leaves no time", "above 0" },
    { "connect_timeout", "0ms", "leaves no time", "above 0" },
    { "check", "maybe", "neither yes nor no", "yes, on, true" },
    { "log", "loud", "is no level", "error, warn, info, debug" },
    { "threads", "many", "neither", "single or multiple" },
    { "rendezvous_server", "me", "neither", "auto or launcher" },
    { "ucx_large", "foo", "none of the three", "auto, rendezvous or pieces" },
    { "transports", "", "unknown transport", "shm, wan, ucx, loop" },
    { "transports", "shm,", "unknown transport", "shm, wan, ucx, loop" },
    { "transports", "shm,tcp", "unknown transport", "shm, wan, ucx, loop" },
    { "transports", "sh", "unknown transport", "shm, wan, ucx, loop" },
    { "silo", "a\nb", "control character", "63 bytes" },
    { "job", "0123456789012345678901234567890123456789012345678901234567890123", "is too long", "63 bytes" },
};

START_TEST(bad_values_name_the_option_the_value_and_the_mend)
{
    const frd_conf before = conf;
    const char *const *row = bad_values[_i];
    char shown[256];

    ck_assert_int_eq(frd_conf_set(&conf, row[0], row[1], "environment variable FEDRDMA_X", &story),
                     FEDRDMA_ERR_INVALID);
    ck_assert_int_eq(story.rc, FEDRDMA_ERR_INVALID);
    snprintf(shown, sizeof shown, "%s = \"%s\" (environment variable FEDRDMA_X)", row[0], row[1]);
    assert_story(shown);
    assert_story(row[2]);
    assert_story(row[3]);
    ck_assert_mem_eq(&before, &conf, sizeof conf);
}
END_TEST

START_TEST(limits_are_accepted)
{
    set("job", "012345678901234567890123456789012345678901234567890123456789012");
    set("rank", "2147483647");
    set("transports", "loop");
    set("transports", "ucx,shm,loop");
    set("log", "off");
    set("log", "debug");
    set("window", "0");
    set("finalize_timeout", "0s");
}
END_TEST

START_TEST(unknown_names_get_the_nearest)
{
    char longname[300];

    ck_assert_int_eq(frd_conf_set(&conf, "timout", "1s", "option", &story), FEDRDMA_ERR_INVALID);
    assert_story("\"timout\"");
    assert_story("did you mean \"timeout\"?");
    assert_story("fedrdma-info --options");
    ck_assert_int_eq(frd_conf_set(&conf, "colour", "1s", "option", &story), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_null(strstr(story.text, "did you mean"));
    memset(longname, 'a', sizeof longname - 1);
    longname[sizeof longname - 1] = '\0';
    ck_assert_int_eq(frd_conf_set(&conf, longname, "1s", "option", &story), FEDRDMA_ERR_INVALID);
    ck_assert_int_eq(frd_conf_set(&conf, NULL, "1s", "option", &story), FEDRDMA_ERR_INVALID);
    ck_assert_int_eq(frd_conf_set(&conf, "rank", NULL, "option", &story), FEDRDMA_ERR_INVALID);

    ck_assert_str_eq(frd_conf_nearest("RANK"), "rank");
    ck_assert_str_eq(frd_conf_nearest("rnak"), "rank");
    ck_assert_str_eq(frd_conf_nearest("rendez_vous"), "rendezvous");
    ck_assert_str_eq(frd_conf_nearest("connection_timeout"), "connect_timeout");
    ck_assert_ptr_null(frd_conf_nearest(""));
    ck_assert_ptr_null(frd_conf_nearest("xylophone_player"));
}
END_TEST

/* ---- environment ---- */

START_TEST(environment_sets_options)
{
    setenv("FEDRDMA_RANK", "2", 1);
    setenv("FEDRDMA_CONNECT_TIMEOUT", "5s", 1);
    setenv("FEDRDMA_SILO", "north", 1);
    setenv("FEDRDMA_SIZE", "", 1); /* as good as not set */
    ck_assert_int_eq(frd_conf_environment(&conf, &sink, &story), FEDRDMA_OK);
    ck_assert_int_eq(conf.rank, 2);
    ck_assert_int_eq(conf.size, -1);
    ck_assert_uint_eq(conf.connect_timeout, 5 * FRD_NS_PER_S);
    ck_assert_str_eq(conf.silo, "north");
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(bad_variable_is_named)
{
    setenv("FEDRDMA_RANK", "first", 1);
    ck_assert_int_eq(frd_conf_environment(&conf, &sink, &story), FEDRDMA_ERR_INVALID);
    assert_story("environment variable FEDRDMA_RANK");
    assert_story("\"first\"");
}
END_TEST

START_TEST(unknown_variables_are_warned_about)
{
    setenv("FEDRDMA_TIMEOUTS", "5s", 1);
    setenv("FEDRDMA_SNORKEL", "1", 1);
    setenv("FEDRDMA_", "1", 1);
    setenv("FEDRDMA_UCX_TLS", "tcp", 1);
    setenv("FEDRDMA_WAN_UCX_TLS", "tcp", 1);
    setenv("FEDRDMA_TEST_SEED", "1", 1);
    setenv("FEDRDMA_PERF_PIN", "1", 1);
    setenv("MYFEDRDMA_RANK", "1", 1);
    ck_assert_int_eq(frd_conf_environment(&conf, &sink, &story), FEDRDMA_OK);
    ck_assert_ptr_nonnull(
        strstr(logged, "1 environment variable FEDRDMA_TIMEOUTS is unknown and ignored; did you mean "
                       "FEDRDMA_TIMEOUT?"));
    ck_assert_ptr_nonnull(strstr(logged, "variable FEDRDMA_SNORKEL is unknown"));
    ck_assert_ptr_nonnull(strstr(logged, "variable FEDRDMA_ is unknown"));
    ck_assert_ptr_null(strstr(logged, "UCX"));
    ck_assert_ptr_null(strstr(logged, "TEST"));
    ck_assert_ptr_null(strstr(logged, "PERF"));
    ck_assert_ptr_null(strstr(logged, "RANK"));
    ck_assert_str_eq(frd_conf_getenv("FEDRDMA_TEST_SEED"), "1");
    ck_assert_ptr_null(frd_conf_getenv("FEDRDMA_TEST_NONE"));
}
END_TEST

START_TEST(a_giant_unknown_variable_is_only_a_warning)
{
    static char giant[5000];

    memset(giant, 'A', sizeof giant - 1);
    memcpy(giant, "FEDRDMA_", 8);
    setenv(giant, "1", 1);
    ck_assert_int_eq(frd_conf_environment(&conf, &sink, &story), FEDRDMA_OK);
    ck_assert_uint_gt(strlen(logged), 20);
    ck_assert_uint_lt(strlen(logged), 300);
}
END_TEST

/* ---- launchers ---- */

typedef struct launch {
    const char *environment[8]; /* NAME=value */
    const char *from, *job;
    int rank, size; /* -1, -1: a job of one */
} launch;

static const launch launches[] = {
    { { "PATH=/bin" }, "", "", -1, -1 },
    { { "OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=4", "PMIX_RANK=1", "PMIX_NAMESPACE=77" },
      "Open MPI",
      "77",
      1,
      4 },
    { { "PMI_RANK=0", "PMI_SIZE=2" }, "Hydra", "", 0, 2 },
    { { "SLURM_PROCID=5", "SLURM_NTASKS=8", "SLURM_STEP_ID=0", "SLURM_JOB_ID=99" }, "SLURM", "99", 5, 8 },
    /* a batch script is no task of a step */
    { { "SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_JOB_ID=99" }, "", "", -1, -1 },
    { { "SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_STEP_ID=4294967290" }, "", "", -1, -1 },
    { { "SLURM_PROCID=0", "SLURM_NTASKS=8", "SLURM_STEP_ID=-5" }, "", "", -1, -1 },
    /* SLURM's PMIx plugin: the step's size is the size */
    { { "PMIX_RANK=3", "PMIX_NAMESPACE=slurm.pmix.99.0", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=6",
        "SLURM_PROCID=3", "SLURM_NTASKS=6" },
      "PMIx under SLURM",
      "slurm.pmix.99.0",
      3,
      6 },
    /* srun started Hydra's proxies, one a node, not the ranks */
    { { "PMI_RANK=3", "PMI_SIZE=6", "SLURM_STEP_ID=1", "SLURM_PROCID=1", "SLURM_NTASKS=2" },
      "Hydra",
      "",
      3,
      6 },
};

START_TEST(launchers_are_recognised)
{
    const launch *l = &launches[_i];
    const char *from = "?";

    for (int i = 0; i < 8 && l->environment[i] != NULL; i++)
        ck_assert_int_eq(putenv((char *)(uintptr_t)l->environment[i]), 0);
    ck_assert_msg(frd_conf_launcher(&conf, &from, &story) == FEDRDMA_OK, "%s", story.text);
    ck_assert_str_eq(from, l->from);
    ck_assert_int_eq(conf.rank, l->rank);
    ck_assert_int_eq(conf.size, l->size);
    ck_assert_str_eq(conf.job, l->job);
}
END_TEST

START_TEST(explicit_values_win_over_launchers)
{
    const char *from;

    setenv("PMI_RANK", "1", 1);
    setenv("PMI_SIZE", "2", 1);
    set("rank", "3");
    set("size", "4");
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_OK);
    ck_assert_str_eq(from, "");
    ck_assert_int_eq(conf.rank, 3);
    ck_assert_int_eq(conf.size, 4);
    set("size", "-1"); /* only what is missing is taken */
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_OK);
    ck_assert_str_eq(from, "Hydra");
    ck_assert_int_eq(conf.rank, 3);
    ck_assert_int_eq(conf.size, 2);
}
END_TEST

START_TEST(a_job_name_given_is_kept)
{
    const char *from;

    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "4", 1);
    setenv("PMIX_NAMESPACE", "77", 1);
    set("job", "mine");
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_OK);
    ck_assert_str_eq(conf.job, "mine");
    /* a longer name than a job's keeps its end */
    set("job", "");
    set("rank", "-1");
    setenv("PMIX_NAMESPACE",
           "prte-host-0123456789012345678901234567890123456789012345678901234567890123456789@12", 1);
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_OK);
    ck_assert_uint_eq(strlen(conf.job), 63);
    ck_assert_str_eq(conf.job + 60, "@12");
}
END_TEST

START_TEST(plain_pmix_needs_a_size)
{
    const char *from;

    setenv("PMIX_RANK", "3", 1);
    setenv("PMIX_NAMESPACE", "prterun-host-1@1", 1);
    setenv("SLURM_STEP_ID", "0", 1); /* the daemons' step */
    setenv("SLURM_STEP_NUM_TASKS", "2", 1);
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_ERR_INVALID);
    assert_story("PMIX_RANK");
    assert_story("FEDRDMA_SIZE");
    ck_assert_int_eq(conf.rank, -1);
    set("size", "4");
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_OK);
    ck_assert_int_eq(conf.rank, 3);
    ck_assert_int_eq(conf.size, 4);
}
END_TEST

START_TEST(broken_launcher_variables_are_named)
{
    const char *from;

    setenv("PMI_RANK", "one", 1);
    setenv("PMI_SIZE", "2", 1);
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_ERR_INVALID);
    assert_story("PMI_RANK = \"one\"");
    assert_story("FEDRDMA_RANK");
    setenv("PMI_RANK", "-1", 1);
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_ERR_INVALID);
    assert_story("is negative");
    setenv("PMI_RANK", "1", 1);
    unsetenv("PMI_SIZE");
    ck_assert_int_eq(frd_conf_launcher(&conf, &from, &story), FEDRDMA_ERR_INVALID);
    assert_story("PMI_SIZE is not set");
    ck_assert_int_eq(conf.rank, -1);
}
END_TEST

/* ---- stories, log, counters ---- */

START_TEST(an_error_is_logged_once_with_its_code)
{
    char longtext[2 * FRD_STORY_MAX];

    story.log = &sink;
    ck_assert_int_eq(frd_fail(&story, FEDRDMA_ERR_TIMEOUT, "rank %d is late", 3), FEDRDMA_ERR_TIMEOUT);
    ck_assert_int_eq(story.rc, FEDRDMA_ERR_TIMEOUT);
    ck_assert_str_eq(story.text, "rank 3 is late");
    ck_assert_str_eq(logged, "0 deadline passed: rank 3 is late\n");
    ck_assert_int_eq(frd_fail(NULL, FEDRDMA_ERR_NET, "x"), FEDRDMA_ERR_NET);
    memset(longtext, 'x', sizeof longtext - 1);
    longtext[sizeof longtext - 1] = '\0';
    frd_fail(&story, FEDRDMA_ERR_NET, "%s", longtext);
    ck_assert_uint_eq(strlen(story.text), FRD_STORY_MAX - 1);
}
END_TEST

START_TEST(a_published_story_stays_until_the_next)
{
    ck_assert_str_eq(frd_story_published(), "");
    frd_fail(&story, FEDRDMA_ERR_NET, "a link fell");
    frd_story_publish(&story);
    frd_fail(&story, FEDRDMA_ERR_NET, "another");
    ck_assert_str_eq(frd_story_published(), "a link fell");
    frd_story_publish(NULL);
    ck_assert_str_eq(frd_story_published(), "");
}
END_TEST

START_TEST(every_code_has_a_text)
{
    ck_assert_str_eq(frd_strerror(FEDRDMA_OK), "success");
    ck_assert_str_eq(frd_strerror(FEDRDMA_ERR_INTERNAL), "bug in libfedrdma");
    ck_assert_str_eq(frd_strerror(1), "unknown error code");
    for (int rc = 0; rc >= FEDRDMA_ERR_INTERNAL; rc--)
        ck_assert_str_ne(frd_strerror(rc), "unknown error code");
}
END_TEST

START_TEST(log_levels)
{
    ck_assert_int_eq(frd_log_level_parse("error"), FEDRDMA_LOG_ERROR + 1);
    ck_assert_int_eq(frd_log_level_parse("debug"), FEDRDMA_LOG_DEBUG + 1);
    ck_assert_int_eq(frd_log_level_parse("2"), FEDRDMA_LOG_INFO + 1);
    ck_assert_int_eq(frd_log_level_parse(""), 0);
    ck_assert_int_eq(frd_log_level_parse("off"), 0);
    ck_assert_int_eq(frd_log_level_parse("4"), -1);
    ck_assert_int_eq(frd_log_level_parse("errors"), -1);
    ck_assert_int_eq(frd_log_level_parse("1x"), -1);
    frd_logf(&sink, FEDRDMA_LOG_INFO, "not wanted");
    frd_logf(NULL, FEDRDMA_LOG_ERROR, "nowhere");
    ck_assert_str_eq(logged, "");
    frd_logf(&sink, FEDRDMA_LOG_WARN, "%s", "wanted");
    ck_assert_str_eq(logged, "1 wanted\n");
}
END_TEST

START_TEST(log_lines_on_standard_error)
{
    frd_log to_stderr = { .level = FEDRDMA_LOG_ERROR + 1, .rank = 4 };
    char text[3000] = "", giant[2000];
    int ends[2], saved = dup(STDERR_FILENO);

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    frd_logf(&to_stderr, FEDRDMA_LOG_WARN, "no");
    frd_logf(&to_stderr, FEDRDMA_LOG_ERROR, "yes");
    to_stderr.rank = -1;
    memset(giant, 'x', sizeof giant - 1);
    giant[sizeof giant - 1] = '\0';
    frd_logf(&to_stderr, FEDRDMA_LOG_ERROR, "%s", giant);
    dup2(saved, STDERR_FILENO);
    ck_assert_int_gt((int)read(ends[0], text, sizeof text - 1), 0);
    ck_assert(strncmp(text, "fedrdma[4] error: yes\nfedrdma error: xxx", 40) == 0);
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    close(ends[0]);
    close(ends[1]);
    close(saved);
}
END_TEST

START_TEST(counters_are_listed)
{
    frd_stat stat = { .ucx_sent_bytes = 5, .mem_scratch_bytes = 9 };
    uint64_t sum = 0;

    for (size_t i = 0; i < frd_stat_count(); i++) {
        ck_assert_ptr_nonnull(strchr(frd_stat_name(i), '.'));
        ck_assert_str_ne(frd_stat_text(i), "");
        if (strcmp(frd_stat_name(i), "ucx.sent_bytes") == 0)
            ck_assert_uint_eq(frd_stat_value(&stat, i), 5);
        sum += frd_stat_value(&stat, i);
    }
    ck_assert_uint_eq(sum, 14);
}
END_TEST

static void add_values(Suite *suite)
{
    TCase *tests = tcase_create("values");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, defaults_are_those_of_the_table);
    tcase_add_test(tests, every_row_can_be_listed_and_set);
    tcase_add_test(tests, every_kind_is_parsed_into_its_field);
    tcase_add_loop_test(tests, bad_values_name_the_option_the_value_and_the_mend, 0,
                        sizeof bad_values / sizeof bad_values[0]);
    tcase_add_test(tests, limits_are_accepted);
    tcase_add_test(tests, unknown_names_get_the_nearest);
    suite_add_tcase(suite, tests);
}

static void add_environment(Suite *suite)
{
    TCase *tests = tcase_create("environment");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, environment_sets_options);
    tcase_add_test(tests, bad_variable_is_named);
    tcase_add_test(tests, unknown_variables_are_warned_about);
    tcase_add_test(tests, a_giant_unknown_variable_is_only_a_warning);
    tcase_add_loop_test(tests, launchers_are_recognised, 0, sizeof launches / sizeof launches[0]);
    tcase_add_test(tests, explicit_values_win_over_launchers);
    tcase_add_test(tests, a_job_name_given_is_kept);
    tcase_add_test(tests, plain_pmix_needs_a_size);
    tcase_add_test(tests, broken_launcher_variables_are_named);
    suite_add_tcase(suite, tests);
}

static void add_stories(Suite *suite)
{
    TCase *tests = tcase_create("stories");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_error_is_logged_once_with_its_code);
    tcase_add_test(tests, a_published_story_stays_until_the_next);
    tcase_add_test(tests, every_code_has_a_text);
    tcase_add_test(tests, log_levels);
    tcase_add_test(tests, log_lines_on_standard_error);
    tcase_add_test(tests, counters_are_listed);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("conf");
    SRunner *runner = srunner_create(suite);
    int failed;

    add_values(suite);
    add_environment(suite);
    add_stories(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
