/* SPDX-License-Identifier: BSD-3-Clause
 * levels.h - a group whose members are in several silos, as two levels: the members of a silo among themselves, and
 * the silos among each other, each through its gateways. A collective over long links crosses them once each way, and
 * only between gateways; what happens inside the silos is nearly free beside that.
 *
 * With k gateways in each silo data is cut into k parts (frd_lane_part), and part i goes through the i-th gateways. */
#ifndef FRD_COLLECTIVES_LEVELS_H
#define FRD_COLLECTIVES_LEVELS_H

#include "collectives/coll.h"

struct frd_levels {
    int nsilos, ngates; /* silos; gateways of each */
    int silo;           /* ours */
    bool ordered;       /* the members of a silo follow each other, silo by silo */
    /* Indices in the group unless they say otherwise; by member, or by silo. */
    const int *silo_of, *place; /* a member's silo; its index among the silo's */
    const int *first;           /* where a silo's members start in the next two; [nsilos] is the end */
    const int *member, *peer;   /* all, silo by silo; and their ranks in the communicator */
    const int *gate, *gate_peer; /* of lane i in silo s: [i * nsilos + s] */
    const struct frd_forest *forest; /* along which allreduces go between silos (plan.h); NULL: no plan */
};

/* Fills a block of frd_levels_bytes: arrays and all. `wanted` members of each silo are gateways, or as many as the
 * smallest silo has; where some members of a silo are NAMED, the others are none. First one of each node, then others;
 * in both, members NEAR the card before others, then in the group's order. `known` is by member, or NULL: nothing is.
 * g->silo (and g->node, or NULL) count from 0. */
enum { FRD_LEVELS_NAMED = 1, FRD_LEVELS_NEAR = 2 };
size_t frd_levels_bytes(int size, int nsilos, int wanted);
void frd_levels_init(frd_levels *l, const frd_group *g, int nsilos, int wanted, const unsigned char *known);

/* The members of our silo as a group; the silos' gateways of lane i, where rank means something at gateways only. */
frd_group frd_inside(const frd_group *g);
frd_group frd_across(const frd_group *g, int lane);

/* Our silo's gateway of a lane, as index in frd_inside; are we it? */
int frd_inside_gate(const frd_group *g, int lane);
bool frd_is_gate(const frd_group *g, int lane);

/* What goes through lane i. */
frd_ref frd_lane_part(const frd_sched *s, const frd_group *g, frd_ref all, int lane);

/* What member way[0] has in `at` goes by way[1] and way[2] to way[3], where it comes into `at`, too, as it
 * does in between; who is none of them does nothing. Neighbours may be the same. */
void frd_hops(frd_sched *s, const frd_group *g, const int way[4], frd_ref at);

/* ---- between gateways (across.c); `g` is frd_across ---- */

/* Everybody's vector in `v`, reduced, into all `v`. Direct: each sends all of its own to all others, and reduces all.
 * Else each reduces a part, and then sends that to all others. The order of operands is that of the silos. */
void frd_across_allreduce(frd_sched *s, const frd_group *g, frd_ref v, bool direct);
/* The same along the trees of a plan; each tree reduces a part, in an order of its own. */
void frd_across_forest(frd_sched *s, const frd_group *g, frd_ref v, const struct frd_forest *forest);
/* What all others send to us, and `mine`, reduced into `out`, which may be `mine`. */
void frd_across_take(frd_sched *s, const frd_group *g, frd_ref out, frd_ref mine);
/* The same into root's `v` only; the others' are used up. */
void frd_across_reduce(frd_sched *s, const frd_group *g, frd_ref v, int root, bool direct);
/* Root's `v` into all. Direct: the root sends all of it to all others; else a part to each, and they exchange them. */
void frd_across_broadcast(frd_sched *s, const frd_group *g, frd_ref v, int root, bool direct);

#endif
