/* SPDX-License-Identifier: BSD-3-Clause
 *
 * matrix.c - real processes: every collective x type x operator against a plain reference, with counts,
 * roots, placement, mode, memory and communicator drawn at random; then random larger calls, then many in
 * flight.
 *
 * Run by fedrdma-run or mpirun; prints its seed, and for a failure the command that runs that case alone
 * (with MP_LAUNCH from the environment as the launcher's part of it). A watchdog tells which case hangs. */
#include <inttypes.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fedrdma.h"
#include "tests/mp/pattern.h"
#include "tests/mp/suite.h"

enum { MAX_CASES = 64 };

static const char help[] =
    "Usage: matrix [options]     on every rank, e.g. fedrdma-run -n 5 --silos 3 tests/mp/matrix --seed 42\n"
    "  --seed N      data and random choices (default: from the time, printed)\n"
    "  --case TEXT   run this case only; may be repeated\n"
    "  --brief       every collective twice instead of every collective x type x operator\n"
    "  --extra N     random calls after that, a quarter of them large (default 40)\n"
    "  --flights N   rounds of calls in flight (default 20)\n"
    "  --most BYTES  largest vector (default 3 MiB)\n"
    "  --counters    every rank tells at the end how many bytes it sent by which transport\n"
    "  --alarm S     give up after S seconds and tell the case that hangs (default 100)\n";

typedef struct options {
    uint64_t seed;
    bool brief, counters;
    long extra, flights;
    size_t most_bytes;
    unsigned alarm_s;
    int ncases;
    mp_case cases[MAX_CASES];
} options;

static bool parse(int argc, char **argv, options *o)
{
    static const struct option longs[] = {
        { "seed", required_argument, NULL, 's' },    { "case", required_argument, NULL, 'c' },
        { "brief", no_argument, NULL, 'b' },         { "extra", required_argument, NULL, 'e' },
        { "flights", required_argument, NULL, 'f' }, { "most", required_argument, NULL, 'm' },
        { "alarm", required_argument, NULL, 'a' },   { "counters", no_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 }
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (letter) {
        case 's':
            o->seed = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            if (o->ncases == MAX_CASES || !mp_case_parse(optarg, &o->cases[o->ncases++])) {
                fprintf(stderr, "matrix: bad case '%s'\n", optarg);
                return false;
            }
            break;
        case 'b':
            o->brief = true;
            break;
        case 'e':
            o->extra = atol(optarg);
            break;
        case 'f':
            o->flights = atol(optarg);
            break;
        case 'm':
            o->most_bytes = (size_t)strtoull(optarg, NULL, 10);
            break;
        case 'o':
            o->counters = true;
            break;
        case 'a':
            o->alarm_s = (unsigned)atol(optarg);
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static void hung(int sig)
{
    const char *text = atomic_load(&mp_suite_current);
    ssize_t written;

    (void)sig;
    written = write(STDERR_FILENO, "FAIL: hung in ", 14);
    if (text != NULL)
        written = write(STDERR_FILENO, text, strlen(text));
    written = write(STDERR_FILENO, "\n", 1);
    (void)written;
    _exit(124);
}

/* Ranks that were given no seed take rank 0's. */
static int agree_on_seed(fedrdma_comm *world, uint64_t *seed)
{
    if (*seed == 0 && fedrdma_comm_rank(world) == 0)
        *seed = 1 + (uint64_t)time(NULL) % 1000000;
    return fedrdma_broadcast(seed, 1, FEDRDMA_U64, 0, world);
}

static void run(mp_suite *suite, const options *o)
{
    for (int i = 0; i < o->ncases && !suite->broken; i++)
        mp_suite_case(suite, &o->cases[i]);
    if (o->ncases > 0)
        return;
    mp_suite_coverage(suite, o->brief);
    mp_suite_random(suite, o->extra);
    mp_suite_flights(suite, o->flights);
}

/* "# sent by rank 3 of silo b: shm 0 wan 0 ucx 1234": payload bytes. */
static void print_counters(fedrdma_context *context)
{
    static const char *const names[] = { "shm", "wan", "ucx" };
    const char *silo = getenv("FEDRDMA_SILO");
    char line[160], counter[32];
    size_t at = (size_t)snprintf(line, sizeof line, "# sent by rank %d of silo %.32s:",
                                 fedrdma_comm_rank(fedrdma_world(context)), silo != NULL ? silo : "-");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint64_t bytes = 0;
        snprintf(counter, sizeof counter, "%s.sent_bytes", names[i]);
        if (fedrdma_counter(context, counter, &bytes) == FEDRDMA_OK)
            at += (size_t)snprintf(line + at, sizeof line - at, " %s %" PRIu64, names[i], bytes);
    }
    puts(line);
}

static int die(const char *what, int rc)
{
    fprintf(stderr, "FAIL: %s: %s: %s\n", what, fedrdma_strerror(rc), fedrdma_last_error(NULL));
    return 1;
}

int main(int argc, char **argv)
{
    options o = { .extra = 40, .flights = 20, .alarm_s = 100 };
    fedrdma_options *settings = NULL;
    fedrdma_context *context = NULL;
    mp_suite suite;
    char command[512];
    int rc;

    if (!parse(argc, argv, &o)) {
        fputs(help, stderr);
        return 2;
    }
    signal(SIGALRM, hung);
    alarm(o.alarm_s);
    rc = fedrdma_options_create(&settings);
    if (rc == FEDRDMA_OK && getenv("FEDRDMA_TIMEOUT") == NULL)
        rc = fedrdma_options_set(settings, "timeout", "30s");
    if (rc == FEDRDMA_OK)
        rc = fedrdma_init(settings, &context);
    fedrdma_options_destroy(settings);
    if (rc != FEDRDMA_OK)
        return die("fedrdma_init", rc);
    rc = agree_on_seed(fedrdma_world(context), &o.seed);
    if (rc != FEDRDMA_OK)
        return die("broadcast of the seed", rc);
    const char *launch = getenv("MP_LAUNCH");
    snprintf(command, sizeof command, "%s %s", launch != NULL ? launch : "(launcher)", argv[0]);
    rc = mp_suite_open(context, o.seed, command, &suite);
    if (rc != FEDRDMA_OK)
        return die("communicators and operators", rc);
    suite.rng.most_bytes = o.most_bytes;
    run(&suite, &o);
    if (suite.rank == 0)
        printf("# seed %" PRIu64 ", %d rank(s), %d node(s), %d silo(s): %ld calls checked, %d failed\n",
               o.seed, fedrdma_comm_size(fedrdma_world(context)), fedrdma_comm_nnodes(fedrdma_world(context)),
               fedrdma_comm_nsilos(fedrdma_world(context)), suite.calls, suite.failures);
    if (o.counters)
        print_counters(context);
    if (suite.broken)
        return 1;
    mp_suite_close(&suite);
    rc = fedrdma_finalize(&context);
    if (rc != FEDRDMA_OK)
        return die("fedrdma_finalize", rc);
    return suite.failures > 0;
}
