/* SPDX-License-Identifier: BSD-3-Clause
 * verbs.h - what an algorithm may say. An algorithm is a straight-line program that records steps in the
 * order in which one rank alone would do them; it never waits, tags, allocates or checks errors.
 *
 * Which step must wait for which follows from the bytes that each reads and writes: a step waits for the last
 * writer of what it reads, and for the last writer and all readers since of what it writes. Everything
 * else may run at the same time, in any order. Sends may take effect as late as their receive (rendezvous),
 * so a program in which every rank's receive waits for its own send of the same buffer deadlocks; the
 * adversary finds that.
 *
 * The i-th send to a peer meets that peer's i-th receive from us; both must have the same length. Steps of
 * length 0 are left out, on both sides alike. Errors are sticky and come back once, at commit. */
#ifndef FRD_SCHED_VERBS_H
#define FRD_SCHED_VERBS_H

#include <stdbool.h>

#include "sched/graph.h"

typedef struct frd_sched frd_sched;

/* Who takes part. peer[i] is the rank, in the communicator, of the group's i-th member; rank is our own
 * index. node[i], silo[i]: numbers of the member's node and silo, from 0; NULL: all on one. */
typedef struct frd_levels frd_levels;
typedef struct frd_group {
    int size, rank;
    const int *peer;
    const int *node, *silo;
    const frd_levels *levels; /* NULL: all in one silo (collectives/levels.h) */
} frd_group;

/* Scratch of `bytes` bytes, elements of the schedule's datatype (or of `type`); contents undefined at first.
 * Aligned to 64 bytes. */
frd_ref frd_tmp(frd_sched *s, size_t bytes);
frd_ref frd_tmp_typed(frd_sched *s, size_t bytes, int type);

/* Part i (taken modulo n, may be negative) of r cut into n nearly equal parts of whole elements: the first
 * (count mod n) parts have one element more. */
frd_ref frd_part(const frd_sched *s, frd_ref r, int n, int i);

/* Parts first .. first + k - 1 (0 <= first, first + k <= n) of the same cut as one contiguous reference. */
frd_ref frd_parts(const frd_sched *s, frd_ref r, int n, int first, int k);

/* The first len bytes of r; len bytes at off. */
frd_ref frd_head(frd_ref r, size_t len);
frd_ref frd_sub(frd_ref r, size_t off, size_t len);

void frd_send(frd_sched *s, int peer, frd_ref src);
void frd_recv(frd_sched *s, int peer, frd_ref dst);
void frd_copy(frd_sched *s, frd_ref dst, frd_ref src); /* left out when dst is src */
/* out = a op b by the schedule's operator, a from the lower ranks; out may be a or b exactly, or apart from
 * both. */
void frd_reduce(frd_sched *s, frd_ref out, frd_ref a, frd_ref b);
/* out = a * f, a / f (both 0 when f is 0, whatever a): f one f64; a / n. */
void frd_scale_by(frd_sched *s, frd_ref out, frd_ref a, frd_ref factor);
void frd_scale_over(frd_sched *s, frd_ref out, frd_ref a, frd_ref divisor);
void frd_scale_over_count(frd_sched *s, frd_ref out, frd_ref a, int n);

/* A collective of all ranks of the communicator, which are on one node, as one step: reads `in`, writes `out`. What
 * it does to which is in src/net/shm_call.c. */
void frd_node(frd_sched *s, frd_node_call call, frd_ref out, frd_ref in);

/* May operands change places? False only for user operators made so. */
bool frd_commutative(const frd_sched *s);

/* Records a sticky error: the algorithm was called where it can't work (our bug). */
void frd_refuse(frd_sched *s, const char *why);

#endif
