/* SPDX-License-Identifier: BSD-3-Clause
 * run_places.c - contiguous blocks of ranks, as even as they can be, or what the topology file says. */
#include "run_places.h"

#include <stdint.h>
#include <stdio.h>

#include "run_say.h"

/* Block b of `blocks` over n things begins at floor(b n / blocks), so `at` is in the last block that begins
 * at or before it. */
static int block_of(int at, int n, int blocks)
{
    return (int)((((int64_t)at + 1) * blocks - 1) / n);
}

static int block_begin(int block, int n, int blocks)
{
    return (int)((int64_t)block * n / blocks);
}

static int silo_of(const run_places *p, int rank)
{
    return p->by_rank ? frd_silos_find_rank(p->file, rank)
                      : block_of(rank, p->options->ranks, p->options->silos);
}

/* The node's number within the silo. */
static int node_of(const run_places *p, int rank)
{
    const int silo = silo_of(p, rank), ranks = p->options->ranks, silos = p->options->silos;
    int before = 0, members = 0;

    if (!p->by_rank) {
        const int begin = block_begin(silo, ranks, silos);

        return block_of(rank - begin, block_begin(silo + 1, ranks, silos) - begin,
                        p->options->nodes_per_silo);
    }
    for (int i = 0; i < ranks; i++) {
        members += silo_of(p, i) == silo;
        before += i < rank && silo_of(p, i) == silo;
    }
    return block_of(before, members, p->options->nodes_per_silo);
}

static bool check_file(run_places *p, const char *path)
{
    const run_options *const o = p->options;
    int members[FRD_SILOS_MAX] = { 0 };

    for (int i = 0; i < p->file->count; i++)
        p->by_rank = p->by_rank || p->file->silo[i].nranks > 0;
    if (o->silos > p->file->count || (p->by_rank && o->silos < p->file->count)) {
        run_say("--silos %d, but %.200s has %d; give --silos %d", o->silos, path, p->file->count,
                p->file->count);
        return false;
    }
    for (int rank = 0; rank < o->ranks; rank++) {
        if (silo_of(p, rank) < 0) {
            run_say("%.200s has ranks for some silos, but rank %d in none; add it there, or give fewer ranks",
                    path, rank);
            return false;
        }
        members[silo_of(p, rank)]++;
    }
    for (int i = 0; i < o->silos; i++) {
        if (members[i] < o->nodes_per_silo) {
            run_say("%.200s gives %d of the %d ranks to silo %s, too few for %d node%s; give more ranks (-n)",
                    path, members[i], o->ranks, p->file->silo[i].name, o->nodes_per_silo,
                    o->nodes_per_silo == 1 ? "" : "s");
            return false;
        }
    }
    return true;
}

bool run_places_open(run_places *p, const run_options *options, const char *topology)
{
    frd_story story = { .text = "" };

    *p = (run_places){ .options = options };
    if (options->silos == 0 || topology[0] == '\0')
        return true;
    if (frd_silos_load(topology, &story, &p->file) != FEDRDMA_OK) {
        run_say("%s", story.text);
        return false;
    }
    return check_file(p, topology);
}

void run_places_close(run_places *p)
{
    frd_silos_destroy(p->file);
    p->file = NULL;
}

void run_silo_name(const run_places *p, int rank, char name[RUN_NAME_MAX])
{
    if (p->file != NULL)
        snprintf(name, RUN_NAME_MAX, "%s", p->file->silo[silo_of(p, rank)].name);
    else
        snprintf(name, RUN_NAME_MAX, "silo%d", silo_of(p, rank));
}

/* The file's gateways come first, so that there are some. */
void run_node_name(const run_places *p, int rank, char name[RUN_NAME_MAX])
{
    const frd_silo *const silo = p->file != NULL ? &p->file->silo[silo_of(p, rank)] : NULL;
    const size_t node = (size_t)node_of(p, rank);
    char own[RUN_NAME_MAX];

    if (silo != NULL && node < silo->ngateways) {
        snprintf(name, RUN_NAME_MAX, "%s", silo->gateways[node].host);
    } else if (silo != NULL && node - silo->ngateways < silo->nhosts) {
        snprintf(name, RUN_NAME_MAX, "%s", silo->hosts[node - silo->ngateways]);
    } else {
        run_silo_name(p, rank, own);
        snprintf(name, RUN_NAME_MAX, "%.*s-node%zu", RUN_NAME_MAX - 32, own, node);
    }
}
