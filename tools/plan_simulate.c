/* SPDX-License-Identifier: BSD-3-Clause
 * plan_simulate.c - one call in one world, or a sweep over silos, ranks or sizes: a line each, and a table in CSV. */
#include "plan_simulate.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/value.h"
#include "collectives/plan.h"
#include "plan_say.h"
#include "plan_world.h"
#include "fedrdma.h"

static const char help[] =
    "Usage: fedrdma-plan simulate [options] [TOPOLOGY]\n"
    "\n"
    "Simulates a collective: the schedules are those that the library records, run in virtual time.\n"
    "\n"
    "The world, by a topology file (fedrdma-topology(5)), or all silos alike:\n"
    "      --silos N           (3)\n"
    "      --nodes N           of each silo (1)\n"
    "      --ranks N           of each node (1)\n"
    "      --gateways N        of each silo (1)\n"
    "      --rate R            of each silo's line, out and in, where the file says none (1G)\n"
    "      --rtt T             of links, where the file says none (40ms)\n"
    "      --loss P            the same (0%)\n"
    "      --jitter T          a message between silos is late by up to this (0ms)\n"
    "      --down 'A-B from T for T'  a link that fails for some time; may be repeated\n"
    "      --cost NAME=VALUE   what machines need; may be repeated\n"
    "      --costs             only print these\n"
    "The call:\n"
    "      --collective NAME   (allreduce)\n"
    "      --algorithm NAME    of `fedrdma-info --algorithms` (by FEDRDMA_ALGO, and the rules that are built in)\n"
    "      --bytes B           of the vector, or of a rank's block (128m)\n"
    "      --root N            rank (0)\n"
    "Output:\n"
    "      --sweep WHAT=LIST   once for each: silos, nodes, ranks, gateways or bytes, as in --sweep silos=2,5,10\n"
    "      --csv FILE          a line a run\n"
    "      --links             bytes by link\n"
    "      --seed N            of jitter and loss (1)\n"
    "      --quiet             no progress\n"
    "  -h, --help              this text\n"
    "\n"
    "FEDRDMA_FRAGMENT and FEDRDMA_WINDOW count as in a job. The exit status is 0, 1 if it can't be simulated, 2 for a\n"
    "wrong command line.\n";

enum { SWEEP_MOST = 64, RANKS_MOST = 1 << 20 };

enum {
    OPT_SILOS = 256, OPT_NODES, OPT_RANKS, OPT_GATEWAYS, OPT_RATE, OPT_RTT, OPT_LOSS, OPT_JITTER, OPT_DOWN, OPT_COST,
    OPT_COSTS, OPT_COLLECTIVE, OPT_ALGORITHM, OPT_BYTES, OPT_ROOT, OPT_SWEEP, OPT_CSV, OPT_LINKS, OPT_SEED, OPT_QUIET
};

static const struct option longs[] = {
    { "silos", required_argument, NULL, OPT_SILOS },
    { "nodes", required_argument, NULL, OPT_NODES },
    { "ranks", required_argument, NULL, OPT_RANKS },
    { "gateways", required_argument, NULL, OPT_GATEWAYS },
    { "rate", required_argument, NULL, OPT_RATE },
    { "rtt", required_argument, NULL, OPT_RTT },
    { "loss", required_argument, NULL, OPT_LOSS },
    { "jitter", required_argument, NULL, OPT_JITTER },
    { "down", required_argument, NULL, OPT_DOWN },
    { "cost", required_argument, NULL, OPT_COST },
    { "costs", no_argument, NULL, OPT_COSTS },
    { "collective", required_argument, NULL, OPT_COLLECTIVE },
    { "algorithm", required_argument, NULL, OPT_ALGORITHM },
    { "bytes", required_argument, NULL, OPT_BYTES },
    { "root", required_argument, NULL, OPT_ROOT },
    { "sweep", required_argument, NULL, OPT_SWEEP },
    { "csv", required_argument, NULL, OPT_CSV },
    { "links", no_argument, NULL, OPT_LINKS },
    { "seed", required_argument, NULL, OPT_SEED },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

typedef struct request {
    plan_options world;
    int coll, root;
    const char *algorithm; /* NULL: by the rules */
    size_t bytes;
    char *sweep; /* "silos=2,5"; NULL: none */
    const char *csv_path;
    bool links, quiet, costs;
    frd_rules *rules;
    FILE *csv;
} request;

/* ---- command line ---- */

static bool parse_int(const char *name, const char *text, int least, int most, int *out)
{
    int n = 0;
    const char *wrong = frd_value_int(text, &n);

    if (wrong == NULL && (n < least || n > most))
        wrong = n < least ? "is too small" : "is too large";
    if (wrong != NULL)
        plan_say("--%s \"%s\" %s; give %d to %d", name, text, wrong, least, most);
    else
        *out = n;
    return wrong == NULL;
}

static bool complain(const char *name, const char *text, const char *wrong, const char *example)
{
    if (wrong != NULL)
        plan_say("--%s \"%s\" %s; give e.g. %s", name, text, wrong, example);
    return wrong == NULL;
}

static bool parse_coll(const char *text, int *out)
{
    for (int i = 0; i < FRD_NCOLLS; i++) {
        if (strcmp(frd_coll_name(i), text) == 0) {
            *out = i;
            return true;
        }
    }
    plan_say("--collective \"%s\" is unknown; `fedrdma-info --algorithms` lists them", text);
    return false;
}

static bool add_down(plan_options *o, const char *text)
{
    size_t n = 0;
    const char **more;

    while (o->down != NULL && o->down[n] != NULL)
        n++;
    more = frd_realloc(o->down, (n + 2) * sizeof(*more));
    if (more == NULL)
        return false;
    more[n] = text;
    more[n + 1] = NULL;
    o->down = more;
    return true;
}

static bool take_world(request *q, int option, const char *value)
{
    plan_options *const o = &q->world;
    int seed;

    switch (option) {
    case OPT_SILOS:
        return parse_int("silos", value, 1, FRD_SILOS_MAX, &o->silos);
    case OPT_NODES:
        return parse_int("nodes", value, 1, RANKS_MOST, &o->nodes);
    case OPT_RANKS:
        return parse_int("ranks", value, 1, RANKS_MOST, &o->ranks);
    case OPT_GATEWAYS:
        return parse_int("gateways", value, 1, RANKS_MOST, &o->gateways);
    case OPT_RATE:
        return complain("rate", value, frd_value_rate_bps(value, &o->rate_bps), "300M");
    case OPT_RTT:
        return complain("rtt", value, frd_value_time_ns(value, &o->rtt_ns), "40ms");
    case OPT_LOSS:
        return complain("loss", value, frd_value_percent_ppm(value, &o->loss_ppm), "0.1%");
    case OPT_JITTER:
        return complain("jitter", value, frd_value_time_ns(value, &o->jitter_ns), "5ms");
    case OPT_DOWN:
        return add_down(o, value);
    case OPT_COST:
        return plan_cost(value, &o->costs);
    default:
        if (!parse_int("seed", value, 0, 1 << 30, &seed))
            return false;
        o->seed = (uint64_t)seed;
        return true;
    }
}

static bool take(request *q, int option, const char *value)
{
    switch (option) {
    case OPT_COSTS:
        return q->costs = true;
    case OPT_COLLECTIVE:
        return parse_coll(value, &q->coll);
    case OPT_ALGORITHM:
        q->algorithm = value;
        return true;
    case OPT_BYTES:
        return complain("bytes", value, frd_value_size(value, &q->bytes), "128m");
    case OPT_ROOT:
        return parse_int("root", value, 0, RANKS_MOST, &q->root);
    case OPT_SWEEP:
        q->sweep = strdup(value);
        return q->sweep != NULL;
    case OPT_CSV:
        q->csv_path = value;
        return true;
    case OPT_LINKS:
        return q->links = true;
    case OPT_QUIET:
        return q->quiet = true;
    case '?':
        plan_say("`fedrdma-plan simulate --help` lists the options");
        return false;
    default:
        return take_world(q, option, value);
    }
}

static bool take_conf(request *q)
{
    frd_conf conf = { 0 };
    frd_story story = { .log = NULL };
    int rc = frd_conf_init(&conf, &story);

    if (rc == FEDRDMA_OK)
        rc = frd_conf_environment(&conf, NULL, &story);
    if (rc == FEDRDMA_OK)
        rc = frd_rules_parse(conf.algo, &story, &q->rules);
    q->world.fragment = conf.fragment;
    q->world.window = conf.window;
    frd_conf_free(&conf);
    if (rc != FEDRDMA_OK)
        plan_say("%s", story.text);
    return rc == FEDRDMA_OK;
}

/* ---- a run ---- */

static void show_progress(double share, void *arg)
{
    (void)arg;
    fprintf(stderr, "\r%3.0f%% simulated%s", 100 * share, share < 1 ? "" : "\r\033[K");
    fflush(stderr);
}

static bool on_one_node(const plan_world *w)
{
    return w->sim.node[w->sim.ranks - 1] == 0;
}

/* As the library does (api/forest.c): by the topology file's links, and not where parts straight between all are best.
 * False after a message. */
static bool make_plan(const request *q, const plan_world *w, frd_forest **plan)
{
    const frd_forest_ask ask = frd_forest_allreduce(w->sim.silos, q->bytes, w->sim.fragment, w->sim.window);
    frd_arena arena = { 0 };
    frd_story story = { .log = NULL };
    frd_forest_net net;
    int rc;

    *plan = NULL;
    if (w->file == NULL || w->sim.silos < 2 || q->coll != FRD_COLL_ALLREDUCE || q->bytes == 0)
        return true;
    rc = frd_forest_net_of(w->file, w->file->links, &arena, &story, &net);
    if (rc == FEDRDMA_OK)
        rc = frd_forest_make(&net, &ask, &story, plan);
    frd_arena_free(&arena);
    if (rc == FEDRDMA_OK && (*plan)->form == FRD_FOREST_DIRECT) {
        frd_forest_destroy(*plan);
        *plan = NULL;
    } else if (rc == FEDRDMA_ERR_NOMEM) {
        plan_say("%s", story.text);
    }
    return rc != FEDRDMA_ERR_NOMEM; /* where no tree is allowed, relays carry what goes straight */
}

static const frd_algo *choose(const request *q, const plan_world *w)
{
    const frd_choice choice = { .coll = q->coll,
                                .ranks = w->sim.ranks,
                                .bytes = q->bytes,
                                .regular = true,
                                .commutative = true,
                                .silos = w->sim.silos > 1 ? w->sim.silos : 0,
                                .ordered = true,
                                .planned = w->sim.forest != NULL,
                                .node = on_one_node(w) };
    const frd_algo *algo = q->algorithm == NULL ? frd_rules_select(q->rules, &choice) : NULL;

    for (size_t i = 0; q->algorithm != NULL && i < frd_algo_count(); i++) {
        if (frd_algo_at(i)->coll == q->coll && strcmp(frd_algo_at(i)->name, q->algorithm) == 0)
            algo = frd_algo_at(i);
    }
    if (algo == NULL)
        plan_say("%s has no algorithm \"%s\"; `fedrdma-info --algorithms` lists them", frd_coll_name(q->coll),
                 q->algorithm != NULL ? q->algorithm : "");
    return algo;
}

static void print_links(const plan_world *w, const uint64_t *bytes)
{
    const int n = w->sim.silos;

    for (int i = 0; i < n * n; i++) {
        if (bytes[i] > 0)
            printf("  %s -> %s: %.1f MB\n", w->name[i / n], w->name[i % n], (double)bytes[i] / 1e6);
    }
}

static uint64_t most_of(const uint64_t *bytes, size_t n)
{
    uint64_t most = 0;

    for (size_t i = 0; i < n; i++)
        most = bytes[i] > most ? bytes[i] : most;
    return most;
}

static void print(const request *q, const plan_world *w, const frd_algo *algo, const frd_sim_result *r, double took_s)
{
    const size_t links = (size_t)w->sim.silos * (size_t)w->sim.silos;
    const uint64_t busiest = most_of(r->link_bytes, links);

    printf("%5d  %7d  %-12s %-18s %14zu  %12.6f  %10llu  %12.3f  %12.3f  %10.3f  %8.2f\n", w->sim.silos, w->sim.ranks,
           frd_coll_name(q->coll), algo->name, q->bytes, r->seconds, (unsigned long long)r->messages,
           (double)busiest / 1e6, (double)r->scratch_bytes / 1e6, (double)r->early_bytes / 1e6, took_s);
    if (q->csv != NULL)
        fprintf(q->csv, "%d,%d,%d,%s,%s,%zu,%.9f,%llu,%llu,%llu,%llu,%.3f\n", w->sim.silos, w->sim.ranks,
                w->sim.gateways, frd_coll_name(q->coll), algo->name, q->bytes, r->seconds,
                (unsigned long long)r->messages, (unsigned long long)busiest, (unsigned long long)r->scratch_bytes,
                (unsigned long long)r->early_bytes, took_s);
    if (q->links)
        print_links(w, r->link_bytes);
    fflush(stdout);
}

static bool run(const request *q, plan_world *w)
{
    const frd_algo *const algo = choose(q, w);
    const frd_call call = { .coll = q->coll,
                            .type = FEDRDMA_F32,
                            .op = FEDRDMA_SUM,
                            .commutative = true,
                            .root = q->root,
                            .len = q->coll == FRD_COLL_BARRIER ? 0 : q->bytes & ~(size_t)3 };
    frd_sim_result result = { .link_bytes = frd_calloc((size_t)w->sim.silos * (size_t)w->sim.silos, sizeof(uint64_t)) };
    const uint64_t began = frd_now_ns();
    frd_story story = { .log = NULL };
    int rc = FEDRDMA_ERR_INVALID;

    if (q->root >= w->sim.ranks)
        plan_say("--root %d: there are %d ranks; give 0 to %d", q->root, w->sim.ranks, w->sim.ranks - 1);
    else if (algo != NULL && result.link_bytes != NULL)
        rc = frd_sim_run(&w->sim, algo, &call, &story, &result);
    if (rc == FEDRDMA_OK)
        print(q, w, algo, &result, (double)(frd_now_ns() - began) / 1e9);
    else if (story.text[0] != '\0')
        plan_say("%s", story.text);
    frd_free(result.link_bytes);
    return rc == FEDRDMA_OK;
}

static bool simulate(request *q)
{
    const bool shows = !q->quiet && isatty(STDERR_FILENO) != 0;
    frd_forest *plan = NULL;
    plan_world w;
    bool good;

    if ((uint64_t)q->world.silos * (uint64_t)q->world.nodes * (uint64_t)q->world.ranks > RANKS_MOST) {
        plan_say("more than %d ranks", RANKS_MOST);
        return false;
    }
    if (!plan_world_make(&q->world, &w))
        return false;
    w.sim.progress = shows ? show_progress : NULL;
    good = make_plan(q, &w, &plan);
    w.sim.forest = plan;
    good = good && run(q, &w);
    frd_forest_destroy(plan);
    plan_world_free(&w);
    return good;
}

/* ---- sweeps ---- */

static bool set(request *q, const char *what, const char *value)
{
    static const struct {
        const char *name;
        int option;
    } known[] = { { "silos", OPT_SILOS }, { "nodes", OPT_NODES }, { "ranks", OPT_RANKS }, { "gateways", OPT_GATEWAYS },
                  { "bytes", OPT_BYTES } };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, what) == 0)
            return take(q, known[i].option, value);
    }
    plan_say("--sweep \"%s\" is unknown; give silos, nodes, ranks, gateways or bytes", what);
    return false;
}

/* The exit status. */
static int sweep(request *q)
{
    char *values = strchr(q->sweep, '='), *rest = NULL;

    if (values == NULL) {
        plan_say("--sweep \"%s\" has no values; give e.g. silos=2,5,10", q->sweep);
        return 2;
    }
    *values++ = '\0';
    for (char *one = strtok_r(values, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        if (!set(q, q->sweep, one))
            return 2;
        if (!simulate(q))
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int carry_out(request *q)
{
    if (q->csv_path != NULL) {
        q->csv = fopen(q->csv_path, "w");
        if (q->csv == NULL) {
            plan_say("--csv %s: cannot be written: %m", q->csv_path);
            return 2;
        }
        fputs("silos,ranks,gateways,collective,algorithm,bytes,seconds,messages,busiest_link_bytes,scratch_bytes,"
              "early_bytes,took_s\n", q->csv);
    }
    printf("%5s  %7s  %-12s %-18s %14s  %12s  %10s  %12s  %12s  %10s  %8s\n", "Silos", "Ranks", "Collective",
           "Algorithm", "Bytes", "Seconds", "Messages", "Link MB", "Scratch MB", "Early MB", "Took s");
    if (q->sweep != NULL)
        return sweep(q);
    return simulate(q) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int plan_simulate(int argc, char **argv)
{
    request q = { .world = { .silos = 3, .nodes = 1, .ranks = 1, .gateways = 1, .rate_bps = 1000000000,
                             .rtt_ns = 40 * FRD_NS_PER_MS, .seed = 1, .costs = frd_sim_costs_default },
                  .coll = FRD_COLL_ALLREDUCE,
                  .bytes = (size_t)128 << 20 };
    int option, status = 2;
    bool good = true;

    while (good && (option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        good = take(&q, option, optarg);
    }
    if (good && optind + 1 < argc)
        plan_say("one topology file, not \"%s\" as well", argv[optind + 1]);
    good = good && optind + 1 >= argc;
    q.world.topology = optind < argc ? argv[optind] : NULL;
    if (good && q.costs) {
        plan_costs_print(&q.world.costs, stdout);
        status = EXIT_SUCCESS;
    } else if (good && take_conf(&q)) {
        status = carry_out(&q);
    }
    if (q.csv != NULL && fclose(q.csv) != 0)
        plan_say("--csv %s: cannot be written: %m", q.csv_path);
    frd_rules_destroy(q.rules);
    frd_free(q.world.down);
    free(q.sweep);
    return status;
}
