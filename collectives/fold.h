/* SPDX-License-Identifier: BSD-3-Clause
 * fold.h - a group of any size made a power of two, for algorithms that pair members by the bits of their
 * numbers.
 *
 * With n = pow2 + rest, the first 2 x rest members form pairs; the even one of a pair hands its data to the
 * odd one and sits out. Those who stay are numbered in the order of the group, and number v speaks for the
 * consecutive members from frd_fold_first(v) on, so the order of operands is kept. n = 6: 0 and 2 sit out.
 *
 *     member   0   1   2   3   4   5
 *     number   -   0   -   1   2   3
 *
 * Rabenseifner, "Optimization of Collective Reduction Operations", ICCS 2004. */
#ifndef FRD_COLLECTIVES_FOLD_H
#define FRD_COLLECTIVES_FOLD_H

#include "collectives/coll.h"

typedef struct frd_fold {
    int pow2, rest;
    int v;       /* our number, -1 when we sit out */
    int partner; /* index of the other of our pair, -1 when there is none */
} frd_fold;

frd_fold frd_fold_make(const frd_group *g);

/* Index in the group of number v; of the first member that v speaks for (v = pow2: one past the last). */
int frd_fold_member(const frd_fold *f, int v);
int frd_fold_first(const frd_fold *f, int v);

/* The number that speaks for a member. */
int frd_fold_number(const frd_fold *f, int member);

/* Brings the data of those who sit out to their partners, which reduce it into `acc`. Returns where our
 * operand is now: acc, or still src. One step, L bytes sent by those who sit out, scratch L at their
 * partners. */
frd_ref frd_fold_in(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref acc, frd_ref src);

/* Brings the result back to those who sit out. */
void frd_fold_out(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref result);

/* Consecutive parts of a vector cut into pow2 parts. */
typedef struct frd_span {
    int first, count;
} frd_span;

/* Reduce-scatter among those who stay (f->v >= 0): leaves in `acc` the reduction of the parts that are
 * returned, one part for each; the rest of acc is scratch. acc and src may be the same. Number v ends with
 * part bit-reverse(v): distance doubles while the vector halves, so that what is combined is always two
 * neighbouring runs of members. log pow2 steps, L(pow2-1)/pow2 bytes sent, as much scratch. */
frd_span frd_fold_halve(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref acc, frd_ref src);

/* Two neighbouring spans as one. */
frd_span frd_span_join(frd_span a, frd_span b);

/* The parts that the partner at distance `mask` had when we had `have`, on the way back. */
frd_span frd_fold_sibling(const frd_fold *f, frd_span have, int mask);

#endif
