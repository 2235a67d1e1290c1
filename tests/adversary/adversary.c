/* SPDX-License-Identifier: BSD-3-Clause
 * adversary.c - tries every algorithm in random cases and random legal orders, and compares with the model.
 *
 *     adversary [--seed S] [--cases N] [--case I] [--algo collective:name] [--stop]
 *
 * Prints the seed, for each failing case what went wrong and the command that reruns it alone, and at the end
 * "N cases, M failures"; exits with 1 when there was one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectives/levels.h"
#include "collectives/plan.h"
#include "reduce/reduce.h"
#include "tests/adversary/model.h"

#define ROUNDS_DEFAULT 16 /* of every algorithm with every group size: each kind of count twice (cases.c) */
#define ORDERS 3          /* runs of each case; more cases find more than more orders */
#define SHOWN_MAX 20      /* failures that are described */

static const char usage[] = "usage: adversary [--seed S] [--cases N] [--case I] [--algo collective:name] "
                            "[--stop]";

typedef struct options {
    uint64_t seed, cases, only; /* only: UINT64_MAX for all */
    const char *algo;           /* NULL: all */
    bool stop;
} options;

typedef struct trial {
    adv_case c;
    adv_model model;
    adv_rank ranks[ADV_RANKS_MAX + ADV_SPARE_MAX];
    frd_graph *graphs[ADV_RANKS_MAX];
    adv_world world;
    char story[ADV_STORY_MAX];
} trial;

/* A plan for links of all kinds. */
static frd_forest *draw_forest(const adv_case *c)
{
    static frd_forest_silo silo[ADV_RANKS_MAX];
    static frd_forest_link link[ADV_RANKS_MAX * ADV_RANKS_MAX];
    static bool carry[ADV_RANKS_MAX * ADV_RANKS_MAX];
    const frd_forest_net net = { .silos = c->nsilos, .silo = silo, .link = link, .carry = carry };
    const frd_forest_ask ask = { .ways = FRD_FOREST_UP | FRD_FOREST_DOWN, .root = -1, .bytes = c->call.len,
                                 .fragment_bytes = c->call.len + 1 };
    adv_rng rng = { c->plan_seed };
    frd_story story = { 0 };
    frd_forest *forest = NULL;

    for (int i = 0; i < c->nsilos; i++)
        silo[i] = (frd_forest_silo){ .egress_bps = (uint64_t)adv_below(&rng, 10) * 100,
                                     .ingress_bps = (uint64_t)adv_below(&rng, 10) * 100,
                                     .root = true };
    for (int i = 0; i < c->nsilos * c->nsilos; i++) {
        link[i] = (frd_forest_link){ .talk = true,
                                     .delay_ns = (uint64_t)adv_below(&rng, 1000),
                                     .rate_bps = 1 + (uint64_t)adv_below(&rng, 1000) };
        carry[i] = true;
    }
    if (frd_forest_make(&net, &ask, &story, &forest) != FEDRDMA_OK) {
        fprintf(stderr, "%s\n", story.text);
        abort();
    }
    return forest;
}

static bool record(trial *t)
{
    const adv_case *c = &t->c;
    const bool planned = (c->algo->flags & FRD_ALGO_PLANNED) == FRD_ALGO_PLANNED;
    frd_forest *const forest = planned ? draw_forest(c) : NULL;
    int rc = FEDRDMA_OK;

    for (int i = 0; i < c->n && rc == FEDRDMA_OK; i++) {
        frd_group g = { .size = c->n, .rank = i, .peer = c->peer };
        const frd_call call = adv_case_call(c, i);
        frd_story story = { 0 };
        frd_levels *levels = NULL;

        if (c->nsilos > 0) {
            g.silo = c->silo;
            g.node = c->node;
            levels = malloc(frd_levels_bytes(c->n, c->nsilos, c->gates));
            if (levels == NULL)
                abort();
            frd_levels_init(levels, &g, c->nsilos, c->gates, c->known);
            levels->forest = forest;
            g.levels = levels;
        }
        rc = frd_coll_record(c->algo, &call, &g, &story, &t->graphs[i]);
        free(levels);
        if (rc != FEDRDMA_OK)
            snprintf(t->story, sizeof t->story, "member %d: not recorded: %s", i, story.text);
        t->ranks[c->peer[i]].graph = t->graphs[i];
    }
    frd_forest_destroy(forest);
    return rc == FEDRDMA_OK;
}

static void release_buffers(trial *t)
{
    for (int i = 0; i < t->c.n; i++)
        for (int space = 0; space < FRD_NSPACES; space++)
            adv_buffer_free(&t->ranks[t->c.peer[i]].space[space]);
}

/* Buffers as they are before a run. */
static bool make_buffers(trial *t, adv_rng *rng)
{
    const adv_case *c = &t->c;

    for (int i = 0; i < c->n; i++) {
        adv_buffer *space = t->ranks[c->peer[i]].space;
        const size_t sent = adv_case_send_bytes(c, i), received = adv_case_recv_bytes(c, i);
        const size_t skew = (size_t)adv_below(rng, 3) * c->element;

        if (!adv_buffer_make(&space[FRD_SPACE_SEND], sent, skew, rng) ||
            !adv_buffer_make(&space[FRD_SPACE_RECV], received, skew, rng) ||
            !adv_buffer_make(&space[FRD_SPACE_TMP], t->graphs[i]->tmp_bytes, 0, rng) ||
            !adv_buffer_make(&space[FRD_SPACE_ARG], FRD_ARG_BYTES, 0, rng))
            return false;
        memcpy(space[FRD_SPACE_SEND].bytes, t->model.send[i], sent);
        memcpy(space[FRD_SPACE_RECV].bytes, t->model.recv[i], received);
        memcpy(space[FRD_SPACE_ARG].bytes, &c->weight[i], sizeof c->weight[i]);
    }
    return true;
}

/* Members' results against the model, and where rounding makes that inexact, against each other. */
static bool check_results(trial *t)
{
    const adv_case *c = &t->c;
    const adv_buffer *first = &t->ranks[c->peer[0]].space[FRD_SPACE_RECV];

    for (int i = 0; i < c->n; i++) {
        const adv_buffer *space = t->ranks[c->peer[i]].space;

        if (!adv_model_check(&t->model, i, space[FRD_SPACE_SEND].bytes, space[FRD_SPACE_RECV].bytes,
                             t->story))
            return false;
        if (c->call.coll == FRD_COLL_ALLREDUCE &&
            memcmp(first->bytes, space[FRD_SPACE_RECV].bytes, c->call.len) != 0) {
            snprintf(t->story, sizeof t->story, "ranks %d and %d have different bits", c->peer[0],
                     c->peer[i]);
            return false;
        }
    }
    return true;
}

static bool run_once(trial *t, uint64_t seed)
{
    adv_rng rng = { seed };
    bool good = make_buffers(t, &rng);

    if (!good)
        snprintf(t->story, sizeof t->story, "no memory");
    good = good && adv_world_check(&t->world, t->story) &&
           adv_world_run(&t->world, adv_random(&rng), t->story) && check_results(t);
    release_buffers(t);
    for (int i = 0; i < t->c.n; i++) {
        free(t->ranks[t->c.peer[i]].partner);
        t->ranks[t->c.peer[i]].partner = NULL;
    }
    return good;
}

static void release(trial *t)
{
    for (int i = 0; i < t->c.n; i++)
        frd_graph_destroy(t->graphs[i]);
    adv_model_free(&t->model);
}

/* One case; t->story tells what failed. */
static bool try_case(trial *t, uint64_t seed, uint64_t number)
{
    adv_rng rng = { ~seed ^ (number + 1) * 0x9fb21c651e98df25u };
    bool good;

    memset(t, 0, sizeof *t);
    adv_case_draw(&t->c, seed, number);
    t->world = (adv_world){
        .size = t->c.size, .ranks = t->ranks, .user = t->c.user, .barrier = t->c.call.coll == FRD_COLL_BARRIER
    };
    snprintf(t->story, sizeof t->story, "no memory");
    good = adv_model_make(&t->model, &t->c, &rng) && record(t);
    for (int order = 0; good && order < ORDERS; order++)
        good = run_once(t, adv_random(&rng));
    release(t);
    return good;
}

static bool wanted(const options *o, uint64_t number)
{
    const frd_algo *algo = frd_algo_at((size_t)(number % frd_algo_messages()));
    char name[64];

    snprintf(name, sizeof name, "%s:%s", frd_coll_name(algo->coll), algo->name);
    return o->algo == NULL || strcmp(o->algo, name) == 0;
}

static bool parse_number(const char *text, uint64_t *out)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);

    *out = value;
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(name, "--stop") == 0) {
            o->stop = true;
            continue;
        }
        i++;
        if (strcmp(name, "--algo") == 0)
            o->algo = value;
        else if (!(strcmp(name, "--seed") == 0 && parse_number(value, &o->seed)) &&
                 !(strcmp(name, "--cases") == 0 && parse_number(value, &o->cases)) &&
                 !(strcmp(name, "--case") == 0 && parse_number(value, &o->only)))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    options o = { .seed = 1, .cases = ROUNDS_DEFAULT * ADV_RANKS_MAX * frd_algo_messages(), .only = UINT64_MAX };
    uint64_t tried = 0, failed = 0;
    static trial t;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts(usage);
        return 0;
    }
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "%s\n", usage);
        return 2;
    }
    printf("adversary: seed %" PRIu64 "\n", o.seed);
    for (uint64_t i = o.only == UINT64_MAX ? 0 : o.only; o.only == UINT64_MAX ? i < o.cases : i == o.only;
         i++) {
        char text[ADV_CASE_TEXT];

        if (!wanted(&o, i))
            continue;
        tried++;
        if (try_case(&t, o.seed, i))
            continue;
        adv_case_print(&t.c, text);
        if (failed++ < SHOWN_MAX)
            printf("FAILED %s\n  %s\n  again: %s --seed %" PRIu64 " --case %" PRIu64 "\n", text, t.story,
                   argv[0], o.seed, i);
        if (o.stop)
            break;
    }
    printf("%" PRIu64 " cases, %" PRIu64 " failures\n", tried, failed);
    return failed > 0;
}
