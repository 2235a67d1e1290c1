/* SPDX-License-Identifier: BSD-3-Clause
 * plan_world.h - a world to simulate, by a topology file or by numbers. */
#ifndef FEDRDMA_PLAN_WORLD_H
#define FEDRDMA_PLAN_WORLD_H

#include "sim/sim.h"
#include "topo/silos.h"

typedef struct plan_options {
    const char *topology;     /* NULL: silos and links are alike */
    int silos, nodes, ranks;  /* nodes of a silo, ranks of a node */
    int gateways;
    uint64_t rate_bps;          /* of every silo's line, where no file says it */
    uint64_t rtt_ns, jitter_ns; /* of every link, likewise */
    uint32_t loss_ppm;
    size_t fragment, window;
    uint64_t seed;
    const char **down; /* "a-b from 2s for 10s"; NULL at the end */
    frd_sim_costs costs;
} plan_options;

typedef struct plan_world {
    frd_sim_world sim;
    const char **name; /* by silo */
    frd_silos *file;   /* or NULL */
} plan_world;

/* False after a message. */
bool plan_world_make(const plan_options *o, plan_world *w);
void plan_world_free(plan_world *w);

/* "name=value" of frd_sim_costs: times with a unit, rates in bytes a second as sizes. False after a message. */
bool plan_cost(const char *text, frd_sim_costs *costs);
void plan_costs_print(const frd_sim_costs *costs, FILE *out);

#endif
