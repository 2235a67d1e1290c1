/* SPDX-License-Identifier: BSD-3-Clause
 * fedrdma-plan.c - what a collective will do among many silos, without them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fedrdma.h"
#include "plan_say.h"
#include "plan_show.h"
#include "plan_simulate.h"

static const char help[] =
    "Usage: fedrdma-plan show [options] TOPOLOGY\n"
    "       fedrdma-plan simulate [options] [TOPOLOGY]\n"
    "\n"
    "show prints the plan that links, caps and policy of a topology file lead to: along which trees a collective best\n"
    "moves data between the silos, in what time, and what that time is of.\n"
    "simulate runs the schedules that the library records for a collective, of all ranks, on a model of machines and\n"
    "links, and tells how long it takes.\n"
    "`fedrdma-plan show --help` and `fedrdma-plan simulate --help` have the options.\n"
    "\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n";

void plan_say(const char *format, ...)
{
    va_list args;

    fputs("fedrdma-plan: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int main(int argc, char **argv)
{
    const char *const what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "simulate") == 0)
        return plan_simulate(argc - 1, argv + 1);
    if (strcmp(what, "show") == 0)
        return plan_show(argc - 1, argv + 1);
    if (strcmp(what, "-h") == 0 || strcmp(what, "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (strcmp(what, "-V") == 0 || strcmp(what, "--version") == 0) {
        printf("fedrdma-plan %s\n", fedrdma_version());
        return 0;
    }
    plan_say("\"%s\" is unknown; give show, simulate, or --help", what);
    return 2;
}
