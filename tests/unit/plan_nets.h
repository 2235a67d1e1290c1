/* SPDX-License-Identifier: BSD-3-Clause
 * plan_nets.h - nets for the planner's tests, and what its plans must be, worked out by other means than the planner's.
 */
#ifndef FRD_TESTS_UNIT_PLAN_NETS_H
#define FRD_TESTS_UNIT_PLAN_NETS_H

#include "collectives/plan.h"

enum { NET_MOST = 256 };

typedef struct net {
    frd_forest_net net; /* of what is below */
    frd_forest_ask ask;
    frd_forest_silo *silo;
    frd_forest_link *link;
    bool *carry;
} net;

typedef struct rng {
    uint64_t state;
} rng;

uint64_t rng_next(rng *r);
uint64_t rng_between(rng *r, uint64_t low, uint64_t high); /* both included */

/* `silos` that may do everything, with equal links and no caps. */
net *net_equal(int silos, uint64_t rate_bps, uint64_t delay_ns, size_t bytes);
/* Anything: rates, delays, caps, forbidden pairs, relays, roots, ways, sizes. */
net *net_random(rng *r, int silos);
void net_free(net *n);

/* NULL, or what is wrong with the plan: the bytes' ways followed one by one, policy, shares, time. */
const char *net_check(const net *n, const frd_forest *f);

/* The model's time, in ns: sums over trees of shares, as plan.h tells it. */
double net_time(const net *n, const frd_forest *f);

/* No plan is faster: every cut of the silos in two, by its links and its caps. At most 12 silos. */
double net_cuts(const net *n);

/* A plan of one tree or of equal trees, as a test makes it up. `hang` is by tree, way (up, down) and silo. */
double net_time_of(const net *n, int trees, const short (*hang)[2][NET_MOST], const int *root);

/* ---- plan_brute.c ---- */

/* For at most 5 silos. The best time of all forests is between *low and *high, which are closer than `gap` (0.02: two
 * percent); `known` is the time of some forest. false: there is no tree. */
bool brute_best(const net *n, double known, double gap, double *low, double *high);

#endif
