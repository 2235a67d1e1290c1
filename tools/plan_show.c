/* SPDX-License-Identifier: BSD-3-Clause
 * plan_show.c - prints the plan that a topology file leads to: which trees carry what, how long it should take, and
 * what it waits for. Joins no job and opens no connection. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "fedrdma.h"
#include "plan_print.h"
#include "plan_say.h"
#include "plan_show.h"
#include "plan_whatif.h"

static const char help[] =
    "Usage: fedrdma-plan show [options] TOPOLOGY\n"
    "\n"
    "Prints how a collective would move data between the silos of a topology file: along which trees, with which\n"
    "shares, in what time, and which link or cap that time is of.\n"
    "\n"
    "  --bytes N         length of the vector; k, m, g are 1024-based (default: 128m)\n"
    "  --collective C    allreduce (default), reduce or broadcast\n"
    "  --root SILO       the root; for an allreduce: the one silo that adds up. Needed for the other two\n"
    "  --fragment N      longest fragment in which data flows (default: 1m)\n"
    "  --what-if EDIT    a link as it might be; may be given several times:\n"
    "                    'a-b rate=50M,rtt=80ms' both directions; 'a->b rate=50M' one; 'a-b talk=no' without it\n"
    "  --json            for programs\n"
    "  --dot             for Graphviz: fedrdma-plan show --dot TOPOLOGY | dot -Tsvg >plan.svg\n"
    "  -h, --help        this text\n"
    "\n"
    "Example: what would a slow line between Lyon and Milan cost?\n"
    "\n"
    "  fedrdma-plan show --what-if 'lyon-milan rate=20M' examples/topologies/five-uneven.yaml\n"
    "\n"
    "A link whose rate neither the file nor a cap tells is taken for 1 Gbit/s.\n";

enum { OPT_BYTES = 1, OPT_COLLECTIVE, OPT_ROOT, OPT_FRAGMENT, OPT_WHAT_IF, OPT_JSON, OPT_DOT };

static const struct option longs[] = {
    { "bytes", required_argument, NULL, OPT_BYTES },
    { "collective", required_argument, NULL, OPT_COLLECTIVE },
    { "root", required_argument, NULL, OPT_ROOT },
    { "fragment", required_argument, NULL, OPT_FRAGMENT },
    { "what-if", required_argument, NULL, OPT_WHAT_IF },
    { "json", no_argument, NULL, OPT_JSON },
    { "dot", no_argument, NULL, OPT_DOT },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static const struct {
    const char *name;
    unsigned ways;
} collectives[] = {
#define ROW(NAME, name, ways) { name, ways },
    FRD_FOREST_TABLE(ROW)
#undef ROW
};
enum { COLLECTIVES = sizeof collectives / sizeof collectives[0] };

enum { EDITS_MAX = 256 };

typedef struct asked {
    frd_forest_ask ask;
    const char *collective, *root, *file;
    const char *edit[EDITS_MAX];
    int edits;
    void (*print)(const plan_shown *p, FILE *out);
} asked;

static int usage(const char *why, const char *what)
{
    plan_say("%s%s; see fedrdma-plan show --help", why, what);
    return 2;
}

static int take_collective(asked *a, const char *name)
{
    for (int i = 0; i < COLLECTIVES; i++)
        if (strcmp(collectives[i].name, name) == 0) {
            a->collective = collectives[i].name;
            a->ask.ways = collectives[i].ways;
            return 0;
        }
    return 1 + usage("--collective needs allreduce, reduce or broadcast, not ", name);
}

/* 0, or the exit status + 1 for an option that ends the program. */
static int take(asked *a, int option, const char *value)
{
    switch (option) {
    case 'h':
        fputs(help, stdout);
        return 1 + EXIT_SUCCESS;
    case OPT_BYTES:
        if (frd_value_size(value, &a->ask.bytes) != NULL || a->ask.bytes > FRD_FOREST_BYTES_MAX)
            return 1 + usage("--bytes needs a number up to 2^50, such as 128m, not ", value);
        return 0;
    case OPT_FRAGMENT:
        if (frd_value_size(value, &a->ask.fragment_bytes) != NULL || a->ask.fragment_bytes == 0)
            return 1 + usage("--fragment needs a number from 1, such as 1m, not ", value);
        return 0;
    case OPT_COLLECTIVE:
        return take_collective(a, value);
    case OPT_ROOT:
        a->root = value;
        return 0;
    case OPT_WHAT_IF:
        if (a->edits == EDITS_MAX)
            return 1 + usage("more than 256 --what-if, the last one ", value);
        a->edit[a->edits++] = value;
        return 0;
    case OPT_JSON:
    case OPT_DOT:
        if (a->print != plan_print_text)
            return 1 + usage("--json and --dot: one of the two, once", "");
        a->print = option == OPT_JSON ? plan_print_json : plan_print_dot;
        return 0;
    default:
        return 1 + 2;
    }
}

static int print_plan(const asked *a, const frd_silos *silos, frd_arena *arena, frd_story *story)
{
    frd_forest_net net;
    frd_forest *forest = NULL;

    int rc = frd_forest_net_of(silos, silos->links, arena, story, &net);
    if (rc == FEDRDMA_OK)
        rc = frd_forest_make(&net, &a->ask, story, &forest);
    if (rc != FEDRDMA_OK)
        return rc;
    const plan_shown shown = { a->collective, &net, forest, frd_forest_bound_ns(&net, &a->ask) };
    a->print(&shown, stdout);
    frd_forest_destroy(forest);
    return FEDRDMA_OK;
}

static int run(asked *a, frd_story *story)
{
    frd_silos *silos = NULL;
    frd_arena arena = { 0 };

    int rc = frd_silos_load(a->file, story, &silos);
    for (int i = 0; rc == FEDRDMA_OK && i < a->edits; i++)
        rc = plan_whatif(silos, a->edit[i], story);
    if (rc == FEDRDMA_OK && a->root != NULL)
        rc = plan_find_silo(silos, a->root, story, &a->ask.root);
    if (rc == FEDRDMA_OK)
        rc = print_plan(a, silos, &arena, story);
    frd_arena_free(&arena);
    frd_silos_destroy(silos);
    return rc;
}

int plan_show(int argc, char **argv)
{
    asked a = { .ask = { FRD_FOREST_UP | FRD_FOREST_DOWN, -1, (size_t)128 << 20, (size_t)1 << 20 },
                .collective = collectives[0].name,
                .print = plan_print_text };
    frd_story story = { 0 };
    int c, end = 0;

    while (end == 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
        end = take(&a, c, optarg);
    if (end != 0)
        return end - 1;
    if (optind == argc)
        return usage("name a topology file", "");
    if (optind + 1 < argc)
        return usage("unexpected argument ", argv[optind + 1]);
    if (a.root == NULL && a.ask.ways != (FRD_FOREST_UP | FRD_FOREST_DOWN))
        return usage("name the root with --root SILO for a ", a.collective);
    a.file = argv[optind];
    if (run(&a, &story) == FEDRDMA_OK)
        return EXIT_SUCCESS;
    plan_say("%s", story.text);
    return EXIT_FAILURE;
}
