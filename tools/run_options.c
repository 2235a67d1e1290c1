/* SPDX-License-Identifier: BSD-3-Clause
 * run_options.c - parses fedrdma-run's command line; every mistake gets one line that says what to give. */
#include "run_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/value.h"
#include "fedrdma.h"
#include "run_say.h"

#define RANKS_MAX 10000 /* on one host; more is a slip of the finger */
#define GRACE_NS (5 * FRD_NS_PER_S)

static const char HELP[] =
    "Usage: fedrdma-run -n RANKS [options] [--] program [arguments]\n"
    "\n"
    "Starts RANKS copies of a program on this host as one fedrdma job.\n"
    "\n"
    "  -n, --ranks N          number of ranks\n"
    "      --silos S          emulate S silos: the ranks are spread over them in blocks, each silo is a\n"
    "                         node of its own, so its traffic with others leaves shared memory; with\n"
    "                         FEDRDMA_TOPOLOGY silos and nodes are the first ones of that file\n"
    "      --nodes-per-silo K emulate K nodes in each silo (needs --silos)\n"
    "      --bind WHEN        give each rank one core, in turns: always, never, or (auto, the default) if there\n"
    "                         are more ranks than cores, which the kernel else puts on few of them\n"
    "  -e, --env NAME=VALUE   set a variable for all ranks; may be repeated\n"
    "  -t, --timeout T        end the job after T (60, 90s, 5m; seconds without a unit), exit status 124\n"
    "      --grace T          when a rank failed, leave the others this long to end by themselves (5s)\n"
    "      --no-prefix        don't put \"[rank] \" before each line; rank 0 keeps the terminal, if there is "
    "one\n"
    "      --tag              put the silo's name into the prefix as well\n"
    "  -h, --help             this text\n"
    "  -V, --version          the version\n"
    "\n"
    "Each rank gets FEDRDMA_RANK, FEDRDMA_SIZE, FEDRDMA_RENDEZVOUS, FEDRDMA_RENDEZVOUS_SERVER and "
    "FEDRDMA_JOB, with\n"
    "--silos also FEDRDMA_SILO and FEDRDMA_NODE. Rank 0 reads standard input unless that is a terminal.\n"
    "SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed on to all ranks; a second SIGINT kills them.\n"
    "\n"
    "The exit status is that of the first rank that failed (128 + signal if one killed it), 124 after a\n"
    "timeout, 126 or 127 if the program can't be run, 2 for a wrong command line, else 0.\n"
    "\n"
    "Example: fedrdma-run -n 6 --silos 3 ./train --rounds 20\n";

enum { OPT_SILOS = 256, OPT_NODES, OPT_BIND, OPT_GRACE, OPT_NO_PREFIX, OPT_TAG };

static const struct option long_options[] = {
    { "ranks", required_argument, NULL, 'n' },
    { "silos", required_argument, NULL, OPT_SILOS },
    { "nodes-per-silo", required_argument, NULL, OPT_NODES },
    { "bind", required_argument, NULL, OPT_BIND },
    { "env", required_argument, NULL, 'e' },
    { "timeout", required_argument, NULL, 't' },
    { "grace", required_argument, NULL, OPT_GRACE },
    { "no-prefix", no_argument, NULL, OPT_NO_PREFIX },
    { "tag", no_argument, NULL, OPT_TAG },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static bool parse_count(const char *name, const char *text, int max, int *out)
{
    int n = 0;
    const char *wrong = frd_value_int(text, &n);

    if (wrong == NULL && (n < 1 || n > max))
        wrong = n < 1 ? "is too small" : "is too large";
    if (wrong != NULL) {
        run_say("%s \"%s\" %s; give 1 to %d", name, text, wrong, max);
        return false;
    }
    *out = n;
    return true;
}

/* A number alone is seconds. */
static bool parse_time(const char *name, const char *text, uint64_t *out)
{
    char seconds[32];
    const char *wrong;

    snprintf(seconds, sizeof seconds, "%ss", text);
    if (strlen(text) < sizeof seconds - 1 && frd_value_time_ns(seconds, out) == NULL)
        return true;
    wrong = frd_value_time_ns(text, out);
    if (wrong != NULL)
        run_say("%s \"%s\" %s; give seconds, or a time with a unit such as 90s or 5m", name, text, wrong);
    return wrong == NULL;
}

static bool parse_env(run_options *o, const char *text)
{
    size_t n = 0;
    const char **grown;

    if (text[0] == '=' || strchr(text, '=') == NULL) {
        run_say("--env \"%s\" is no NAME=VALUE; give e.g. --env FEDRDMA_LOG=info", text);
        return false;
    }
    while (o->env[n] != NULL)
        n++;
    grown = frd_realloc(o->env, (n + 2) * sizeof *grown);
    if (grown == NULL) {
        run_say("out of memory");
        return false;
    }
    grown[n] = text;
    grown[n + 1] = NULL;
    o->env = grown;
    return true;
}

static bool parse_bind(const char *text, run_bind *out)
{
    static const char *const names[] = { [RUN_BIND_AUTO] = "auto",
                                         [RUN_BIND_ALWAYS] = "always",
                                         [RUN_BIND_NEVER] = "never" };

    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (run_bind)i;
            return true;
        }
    }
    run_say("--bind \"%s\" is unknown; give always, never or auto", text);
    return false;
}

/* One option; false after a message. */
static bool take(run_options *o, int option, const char *value)
{
    switch (option) {
    case 'n':
        return parse_count("-n", value, RANKS_MAX, &o->ranks);
    case OPT_SILOS:
        return parse_count("--silos", value, RANKS_MAX, &o->silos);
    case OPT_NODES:
        return parse_count("--nodes-per-silo", value, RANKS_MAX, &o->nodes_per_silo);
    case OPT_BIND:
        return parse_bind(value, &o->bind);
    case 'e':
        return parse_env(o, value);
    case 't':
        if (!parse_time("--timeout", value, &o->timeout_ns))
            return false;
        if (o->timeout_ns == 0)
            run_say("--timeout \"%s\" leaves no time at all; give e.g. 60", value);
        return o->timeout_ns != 0;
    case OPT_GRACE:
        return parse_time("--grace", value, &o->grace_ns);
    case OPT_NO_PREFIX:
        o->prefix = false;
        return true;
    case OPT_TAG:
        o->tag = true;
        return true;
    default: /* getopt has told what is wrong */
        run_say("`fedrdma-run --help` lists the options");
        return false;
    }
}

static bool fits_together(const run_options *o)
{
    if (o->ranks == 0)
        run_say("how many ranks? Give -n N; `fedrdma-run --help` lists the options");
    else if (o->command[0] == NULL)
        run_say("which program? Give it behind the options, e.g. fedrdma-run -n %d ./train", o->ranks);
    else if (o->silos > o->ranks)
        run_say("--silos %d are more than the %d ranks; give at most %d", o->silos, o->ranks, o->ranks);
    else if (o->silos == 0 && o->nodes_per_silo > 0)
        run_say("--nodes-per-silo needs --silos; give --silos 1 for nodes of one silo");
    else if (o->silos > 0 && o->nodes_per_silo > o->ranks / o->silos)
        run_say("--nodes-per-silo %d, but the smallest of the %d silos has %d ranks; give at most that many",
                o->nodes_per_silo, o->silos, o->ranks / o->silos);
    else if (o->tag && !o->prefix)
        run_say("--tag and --no-prefix exclude each other; give one of them");
    else if (o->tag && o->silos == 0)
        run_say("--tag needs --silos, whose names it shows");
    else
        return true;
    return false;
}

run_parsed run_options_parse(run_options *o, int argc, char **argv)
{
    int option;

    *o = (run_options){ .prefix = true, .grace_ns = GRACE_NS };
    o->env = frd_calloc(1, sizeof *o->env);
    if (o->env == NULL)
        return RUN_BAD;
    /* The + ends at the program's name, whose options are not ours. */
    while ((option = getopt_long(argc, argv, "+n:e:t:hV", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return RUN_DONE;
        }
        if (option == 'V') {
            printf("fedrdma-run %d.%d.%d\n", FEDRDMA_VERSION_MAJOR, FEDRDMA_VERSION_MINOR,
                   FEDRDMA_VERSION_PATCH);
            return RUN_DONE;
        }
        if (!take(o, option, optarg))
            return RUN_BAD;
    }
    o->command = argv + optind;
    if (!fits_together(o))
        return RUN_BAD;
    if (o->nodes_per_silo == 0)
        o->nodes_per_silo = 1;
    return RUN_GO;
}

void run_options_free(run_options *o)
{
    frd_free(o->env);
    o->env = NULL;
}
