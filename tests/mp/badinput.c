/* SPDX-License-Identifier: BSD-3-Clause
 *
 * badinput.c - wrong input of every kind must give a clear error that names it, within bounded time, and
 * nothing on standard output or error, which are files here while the library runs. */
#include "tests/mp/badinput.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/mp/expect.h"

MP_EXPECT_DEFINE;

/* ---- options -------------------------------------------------------------------------------------- */

void bad_options(void)
{
    static const struct {
        const char *name, *value, *says[2];
    } bad[] = {
        { "rendezvos", "a:1", { "rendezvos", "rendezvous" } }, /* the nearest name is offered */
        { "timout", "5s", { "timout", "timeout" } },
        { "", "1", { "", "" } },
        { "rank", "two", { "rank", "two" } },
        { "rank", "99999999999", { "rank", "99999999999" } },
        { "size", "3x", { "size", "3x" } },
        { "timeout", "5 parsecs", { "timeout", "parsecs" } },
        { "timeout", "5", { "timeout", "5" } }, /* no unit */
        { "timeout", "-1s", { "timeout", "-1s" } },
        { "check", "perhaps", { "check", "perhaps" } },
        { "eager", "8 bananas", { "eager", "bananas" } },
        { "fragment", "99999999999999999999g", { "fragment", "9" } },
    };
    fedrdma_options *options = NULL;

    EXPECT_CODE(fedrdma_options_create(NULL), FEDRDMA_ERR_INVALID);
    if (!EXPECT_OK(fedrdma_options_create(&options)))
        return;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (EXPECT_CODE(fedrdma_options_set(options, bad[i].name, bad[i].value), FEDRDMA_ERR_INVALID)) {
            EXPECT_STORY(NULL, bad[i].says[0]);
            EXPECT_STORY(NULL, bad[i].says[1]);
        }
    EXPECT_CODE(fedrdma_options_set(NULL, "rank", "0"), FEDRDMA_ERR_INVALID);
    EXPECT_CODE(fedrdma_options_set(options, NULL, "0"), FEDRDMA_ERR_INVALID);
    EXPECT_CODE(fedrdma_options_set(options, "rank", NULL), FEDRDMA_ERR_INVALID);
    EXPECT_CODE(fedrdma_options_set_oob(options, 0, 2, NULL, NULL), FEDRDMA_ERR_INVALID);
    EXPECT_CODE(fedrdma_options_set_log(options, 99, NULL, NULL), FEDRDMA_ERR_INVALID);
    EXPECT_OK(fedrdma_options_set(options, "timeout", "5s")); /* still of use */
    fedrdma_options_destroy(options);
    fedrdma_options_destroy(NULL);
}

/* ---- environment ---------------------------------------------------------------------------------- */

typedef struct lines {
    char text[4096];
} lines;

static void keep_line(int level, const char *message, void *arg)
{
    lines *l = arg;
    size_t used = strlen(l->text);

    (void)level;
    snprintf(l->text + used, sizeof l->text - used, "%s\n", message);
}

/* Starts a job of one with `name` set to `value` in the environment. */
static int start_with(const char *name, const char *value, lines *l)
{
    fedrdma_options *options = NULL;
    fedrdma_context *context = NULL;
    int rc = fedrdma_options_create(&options);

    l->text[0] = '\0';
    if (rc == FEDRDMA_OK)
        rc = fedrdma_options_set_log(options, FEDRDMA_LOG_WARN, keep_line, l);
    setenv(name, value, 1);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_init(options, &context);
    unsetenv(name);
    fedrdma_options_destroy(options);
    if (context != NULL)
        EXPECT_OK(fedrdma_finalize(&context));
    return rc;
}

void bad_environment(void)
{
    static const struct {
        const char *name, *value, *says;
    } bad[] = {
        { "FEDRDMA_TIMEOUT", "soon", "FEDRDMA_TIMEOUT" },
        { "FEDRDMA_SIZE", "many", "FEDRDMA_SIZE" },
        { "FEDRDMA_THREADS", "several", "several" },
        { "FEDRDMA_TRANSPORTS", "pigeon", "pigeon" },
        { "FEDRDMA_LOG", "loud", "loud" },
        { "FEDRDMA_ALGO", "allreduce:0-4k:nosuch", "nosuch" },
        { "FEDRDMA_ALGO", "alreduce:0-4k:ring", "alreduce" },
        { "FEDRDMA_ALGO", "allreduce:8k-4k:ring", "8k-4k" },
        { "FEDRDMA_ALGO", "allreduce:0-4q:ring", "4q" },
        { "FEDRDMA_ALGO", "allreduce", "allreduce" },
        { "FEDRDMA_ALGO", "allreduce:0-4k:bruck", "bruck" },
    };
    lines l;

    EXPECT_OK(start_with("FEDRDMA_RENDEZVOS", "a:1", &l));
    EXPECT(strstr(l.text, "FEDRDMA_RENDEZVOS") != NULL);
    EXPECT(strstr(l.text, "FEDRDMA_RENDEZVOUS") != NULL);
    EXPECT_OK(start_with("FEDRDMA_UCX_TLS", "all", &l)); /* UCX's own: no warning */
    EXPECT(strstr(l.text, "FEDRDMA_UCX_TLS") == NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (EXPECT_CODE(start_with(bad[i].name, bad[i].value, &l), FEDRDMA_ERR_INVALID))
            EXPECT_STORY(NULL, bad[i].says);
}

/* ---- silence -------------------------------------------------------------------------------------- */

/* Standard output and error become `file`; messages of this test go where standard error was. */
static void capture(FILE *file)
{
    fflush(NULL);
    mp_expect_out = fdopen(dup(STDERR_FILENO), "w");
    if (mp_expect_out == NULL || dup2(fileno(file), STDOUT_FILENO) < 0 ||
        dup2(fileno(file), STDERR_FILENO) < 0)
        abort();
}

/* What the library wrote, e.g. "" */
static void written(FILE *file, char *text, size_t bytes)
{
    fflush(NULL);
    ssize_t got = pread(fileno(file), text, bytes - 1, 0);
    text[got > 0 ? got : 0] = '\0';
}

static void hung(int sig)
{
    static const char text[] = "FAIL: hung\n";
    (void)sig;
    (void)!write(fileno(mp_expect_out), text, sizeof text - 1);
    _exit(124);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
        double at_most_s;
    } parts[] = {
        { "options", bad_options, 1 },        { "start values", bad_start_values, 5 },
        { "meetings", bad_meetings, 20 },     { "environment", bad_environment, 10 },
        { "arguments", bad_arguments, 10 },   { "requests", bad_requests, 20 },
        { "mismatches", bad_mismatches, 20 },
    };
    FILE *file = tmpfile();
    char text[1000];
    lines l;

    if (file == NULL)
        return 1;
    capture(file);
    signal(SIGALRM, hung);
    alarm(100);
    fprintf(mp_expect_out, "1..%zu\n", sizeof parts / sizeof parts[0] + 2);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int before = mp_expect_failures;
        double start = seconds();
        parts[i].run();
        EXPECT(seconds() - start < parts[i].at_most_s);
        fprintf(mp_expect_out, "%s %zu - bad %s (%.2f s)\n", mp_expect_failures == before ? "ok" : "not ok",
                i + 1, parts[i].name, seconds() - start);
        fflush(mp_expect_out);
    }
    written(file, text, sizeof text);
    fprintf(mp_expect_out, "%s - the library wrote nothing%s%s\n", EXPECT(text[0] == '\0') ? "ok" : "not ok",
            text[0] != '\0' ? ", but: " : "", text);
    /* Unless it is asked to; this also shows that the silence was measured at all. */
    setenv("FEDRDMA_LOG", "warn", 1);
    EXPECT_OK(start_with("FEDRDMA_RENDEZVOS", "a:1", &l));
    written(file, text, sizeof text);
    fprintf(mp_expect_out, "%s - FEDRDMA_LOG=warn writes\n",
            EXPECT(l.text[0] != '\0' || strstr(text, "RENDEZVOS") != NULL) ? "ok" : "not ok");
    return mp_expect_failures > 0;
}
