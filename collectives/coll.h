/* SPDX-License-Identifier: BSD-3-Clause
 * coll.h - what an algorithm sees: the verbs, its data, the tree shapes; and the table of algorithms.
 *
 * To add one: a file collectives/<collective>_<name>.c with frd_<collective>_<name>(), a row in
 * FRD_ALGO_TABLE (those of the node last), a line in collectives/Makefile.inc. Order of rows is order of
 * preference where the selection rules (rules.c) name none. */
#ifndef FRD_COLLECTIVES_COLL_H
#define FRD_COLLECTIVES_COLL_H

#include "collectives/rules.h"
#include "sched/sched.h"
#include "sched/verbs.h"

/* X(NAME, "name", kind). Kinds of data: VECTOR (dst and src are one vector), BLOCKS (one block a rank). */
#define FRD_COLL_TABLE(X) \
    X(ALLREDUCE, "allreduce", VECTOR) \
    X(REDUCE, "reduce", VECTOR) \
    X(BROADCAST, "broadcast", VECTOR) \
    X(SCAN, "scan", VECTOR) \
    X(EXSCAN, "exscan", VECTOR) \
    X(GATHER, "gather", BLOCKS) \
    X(SCATTER, "scatter", BLOCKS) \
    X(ALLGATHER, "allgather", BLOCKS) \
    X(REDUCE_SCATTER, "reduce_scatter", BLOCKS) \
    X(ALLTOALL, "alltoall", BLOCKS) \
    X(BARRIER, "barrier", VECTOR)

#define FRD_COLL_ENUM(NAME, text, kind) FRD_COLL_##NAME,
enum frd_coll { FRD_COLL_TABLE(FRD_COLL_ENUM) FRD_NCOLLS };
#undef FRD_COLL_ENUM

/* One block for each member of the group within a buffer: equal blocks (offs NULL) of len bytes every stride
 * bytes, or any (offs[i], lens[i]). */
typedef struct frd_blocks {
    size_t len, stride;
    const size_t *offs, *lens;
} frd_blocks;

/* An algorithm's data, indexed by the group's members.
 *   allreduce, scan, exscan  dst and src have the same length; src == dst when in place
 *   reduce                   dst only at root; src == dst there when in place
 *   broadcast                dst only: read at root, written elsewhere
 *   gather                   src: our block; dst blocks only at root. In place at root: src is its dst block
 *   scatter                  src blocks only at root; dst: our block. In place at root: dst is its src block
 *   allgather                src: our block; dst blocks. In place: src is our dst block
 *   reduce_scatter           src blocks; dst: our block. In place: dst starts where src starts, and
 *                            irregular blocks lie side by side
 *   alltoall                 src blocks, dst blocks; never the same (coll.c copies for in place)
 *   barrier                  nothing
 * Where a member lacks a side, its ref has length 0. For gatherv and scatterv only the root knows the layout
 * (FRD_ALGO_REGULAR algorithms are not used then); all blocks of the other collectives are known to all, and
 * equal blocks (offs NULL) have the same len everywhere, also where dst or src is absent. */
typedef struct frd_io {
    frd_ref dst, src;
    frd_blocks dblk, sblk;
    int root; /* index in the group */
} frd_io;

/* Block i of dst, of src. */
frd_ref frd_dst_block(const frd_io *io, int i);
frd_ref frd_src_block(const frd_io *io, int i);

/* All n blocks of src one behind the other: as they lie, or copied to scratch. A run for the blocks of dst
 * likewise, which frd_dst_spread then copies to where they belong. */
frd_ref frd_src_run(frd_sched *s, const frd_io *io, int n);
frd_ref frd_dst_run(frd_sched *s, const frd_io *io, int n);
void frd_dst_spread(frd_sched *s, const frd_io *io, int n, frd_ref run);

/* Blocks first .. first + count - 1 within a run; the longest of n blocks. */
frd_ref frd_run_blocks(const frd_blocks *blocks, frd_ref run, int first, int count);
size_t frd_longest_block(const frd_blocks *blocks, int n);

typedef void frd_algo_fn(frd_sched *s, const frd_group *g, const frd_io *io);

enum frd_algo_flags {
    FRD_ALGO_COMMUTATIVE = 1, /* changes the order of operands */
    FRD_ALGO_POW2 = 2,        /* group size must be a power of two */
    FRD_ALGO_REGULAR = 4,     /* equal blocks only */
    FRD_ALGO_SILOS = 16,      /* ranks in several silos only */
    FRD_ALGO_SILO_ORDER = 32, /* changes the order of operands, unless silos follow each other (frd_levels) */
    FRD_ALGO_PLANNED = 64 | FRD_ALGO_SILOS, /* with a plan of the ways between them (frd_levels) */
    FRD_ALGO_NODE = 8, /* all ranks on one node, and their shared memory works; never cut into fragments */
};

/* X(COLL, function's name part, flags, "one line: steps; bytes sent by the busiest rank"). L: bytes of the
 * whole vector or of all n blocks; log is to base 2; docs/algorithms.md has the rest. */
#define FRD_ALGO_TABLE(X) \
    X(ALLREDUCE, allreduce, recdbl, 0, "recursive doubling: log n steps; L log n") \
    X(ALLREDUCE, allreduce, ring, FRD_ALGO_COMMUTATIVE, "ring: 2(n-1) steps; 2L(n-1)/n") \
    X(ALLREDUCE, allreduce, rabenseifner, 0, "recursive halving and doubling: 2 log n steps; 2L(n-1)/n") \
    X(ALLREDUCE, allreduce, reduce_bcast, 0, "binomial reduce and broadcast: 2 log n steps; L log n") \
    X(REDUCE, reduce, binomial, 0, "binomial tree: log n steps; L") \
    X(REDUCE, reduce, rabenseifner, 0, "recursive halving, gather: 2 log n steps; L(n-1)/n + L/2") \
    X(REDUCE, reduce, chain, 0, "two chains that meet at the root, for fragments: n-1 steps; L") \
    X(REDUCE, reduce, linear, 0, "the root receives all: 1 step of n-1 receives; L") \
    X(BROADCAST, broadcast, binomial, 0, "binomial tree: log n steps; L log n") \
    X(BROADCAST, broadcast, knomial, 0, "4-nomial tree: log4 n levels of 3 sends; 3L log4 n") \
    X(BROADCAST, broadcast, scatter_allgather, 0, "scatter, ring allgather: log n + n-1 steps; 2L(n-1)/n") \
    X(BROADCAST, broadcast, chain, 0, "chain, for fragments: n-1 steps; L") \
    X(SCAN, scan, recdbl, 0, "recursive doubling: log n steps; L log n") \
    X(SCAN, scan, linear, 0, "one after the other: n-1 steps; L") \
    X(EXSCAN, exscan, recdbl, 0, "recursive doubling: 1 + log n steps; L + L log n") \
    X(EXSCAN, exscan, linear, 0, "one after the other: n-1 steps; L") \
    X(GATHER, gather, binomial, FRD_ALGO_REGULAR, "binomial tree: log n steps; L/2") \
    X(GATHER, gather, linear, 0, "the root receives all: 1 step of n-1 receives; L/n") \
    X(SCATTER, scatter, binomial, FRD_ALGO_REGULAR, "binomial tree: log n steps; L(n-1)/n") \
    X(SCATTER, scatter, linear, 0, "the root sends all: 1 step of n-1 sends; L(n-1)/n") \
    X(ALLGATHER, allgather, bruck, FRD_ALGO_REGULAR, "Bruck: log n steps for any n; L(n-1)/n") \
    X(ALLGATHER, allgather, recdbl, FRD_ALGO_REGULAR | FRD_ALGO_POW2, \
      "recursive doubling: log n steps; L(n-1)/n") \
    X(ALLGATHER, allgather, ring, 0, "ring: n-1 steps; L(n-1)/n") \
    X(ALLGATHER, allgather, linear, 0, "everybody to everybody: 1 step of n-1 sends; L(n-1)/n") \
    X(REDUCE_SCATTER, reduce_scatter, rechalf, FRD_ALGO_COMMUTATIVE, \
      "recursive halving: log n steps; L(n-1)/n") \
    X(REDUCE_SCATTER, reduce_scatter, ring, FRD_ALGO_COMMUTATIVE, "ring: n-1 steps; L(n-1)/n") \
    X(REDUCE_SCATTER, reduce_scatter, pairwise, 0, "direct exchange: 1 step of n-1 sends; L(n-1)/n") \
    X(ALLTOALL, alltoall, bruck, FRD_ALGO_REGULAR, "Bruck: log n steps for any n; L/2 log n") \
    X(ALLTOALL, alltoall, pairwise, 0, "pairwise exchange: n-1 steps; L(n-1)/n") \
    X(ALLTOALL, alltoall, linear, 0, "everybody to everybody: 1 step of n-1 sends; L(n-1)/n") \
    X(BARRIER, barrier, dissemination, 0, "dissemination: log n steps; log n bytes") \
    X(BARRIER, barrier, linear, 0, "through the first rank: 2 steps; n-1 bytes") \
    X(ALLREDUCE, allreduce, silo, FRD_ALGO_SILOS | FRD_ALGO_SILO_ORDER, \
      "by silos and gateways: 2 log m steps, 2 ways; 2L(S-1)/S between S silos") \
    X(ALLREDUCE, allreduce, silo_direct, FRD_ALGO_SILOS | FRD_ALGO_SILO_ORDER, "the same: 1 way; L(S-1)") \
    X(ALLREDUCE, allreduce, silo_planned, FRD_ALGO_PLANNED | FRD_ALGO_COMMUTATIVE, "the same: along planned trees") \
    X(REDUCE, reduce, silo, FRD_ALGO_SILOS | FRD_ALGO_COMMUTATIVE, \
      "by silos and gateways: 1 + log m steps, 2 ways; L") \
    X(REDUCE, reduce, silo_direct, FRD_ALGO_SILOS | FRD_ALGO_SILO_ORDER, \
      "the same: 1 way; L(S-1) into a silo") \
    X(BROADCAST, broadcast, silo, FRD_ALGO_SILOS, "among gateways, then inside: 1 + log m steps, 2 ways; L") \
    X(BROADCAST, broadcast, silo_direct, FRD_ALGO_SILOS, "the same: 1 way; L(S-1) out of a silo") \
    X(GATHER, gather, silo, FRD_ALGO_SILOS | FRD_ALGO_REGULAR, \
      "through the silos' gateways: 2 steps, 1 way; a silo's blocks") \
    X(ALLGATHER, allgather, silo, FRD_ALGO_SILOS, \
      "through the silos' gateways: 1 + log m steps, 1 way; a silo's blocks S-1 times") \
    X(SCATTER, scatter, silo, FRD_ALGO_SILOS | FRD_ALGO_REGULAR, \
      "through the silos' gateways: 3 steps, 1 way; other silos' blocks") \
    X(REDUCE_SCATTER, reduce_scatter, silo, FRD_ALGO_SILOS | FRD_ALGO_SILO_ORDER, \
      "by silos and gateways: 1 + log m steps, 1 way; L(S-1)/S") \
    X(ALLTOALL, alltoall, silo, FRD_ALGO_SILOS | FRD_ALGO_REGULAR, \
      "through the silos' gateways: 2 steps, 1 way; other silos' blocks") \
    X(SCAN, scan, silo, FRD_ALGO_SILOS, "by silos and gateways: 2 + 2 log m steps, 1 + log S ways; L log S") \
    X(EXSCAN, exscan, silo, FRD_ALGO_SILOS, \
      "by silos and gateways: 3 + 2 log m steps, 1 + log S ways; L log S") \
    X(BARRIER, barrier, silo, FRD_ALGO_SILOS, "through the silos' gateways: 2 steps, 1 way; S-1 bytes") \
    X(ALLREDUCE, allreduce, node, FRD_ALGO_NODE, "shared memory: 1 step; L") \
    X(REDUCE, reduce, node, FRD_ALGO_NODE, "shared memory: 1 step; L") \
    X(BROADCAST, broadcast, node, FRD_ALGO_NODE, "shared memory: 1 step; L") \
    X(GATHER, gather, node, FRD_ALGO_NODE | FRD_ALGO_REGULAR, "shared memory: 1 step; L/n") \
    X(SCATTER, scatter, node, FRD_ALGO_NODE | FRD_ALGO_REGULAR, "shared memory: 1 step; L(n-1)/n") \
    X(ALLGATHER, allgather, node, FRD_ALGO_NODE | FRD_ALGO_REGULAR, "shared memory: 1 step; L/n") \
    X(REDUCE_SCATTER, reduce_scatter, node, FRD_ALGO_NODE | FRD_ALGO_REGULAR, \
      "shared memory: 1 step; L(n-1)/n") \
    X(ALLTOALL, alltoall, node, FRD_ALGO_NODE | FRD_ALGO_REGULAR, "shared memory: 1 step; L(n-1)/n") \
    X(BARRIER, barrier, node, FRD_ALGO_NODE, "shared memory: 1 step; 0")

#define FRD_ALGO_DECLARE(COLL, coll, name, flags, text) frd_algo_fn frd_##coll##_##name;
FRD_ALGO_TABLE(FRD_ALGO_DECLARE)
#undef FRD_ALGO_DECLARE

typedef struct frd_algo {
    int coll;
    const char *name;
    frd_algo_fn *fn;
    unsigned flags;
    const char *text;
} frd_algo;

const char *frd_coll_name(int coll);
size_t frd_algo_count(void);
const frd_algo *frd_algo_at(size_t index);
size_t frd_algo_messages(void); /* those that use messages, so everywhere: the first ones */

/* One call, as the API understood it; lengths in bytes. The arrays are there where this rank knows the
 * layout. */
typedef struct frd_call {
    int coll;
    int type, op;
    bool commutative, in_place, weighted; /* in_place counts at the root only, where MPI has it so */
    bool irregular; /* blocks: of a ...v function, also where only the root has the arrays; then len is 0 */
    int root;       /* index in the group */
    size_t len;     /* vector length, or one block's; for fragments, that of the fragment */
    size_t stride;  /* of equal blocks: the whole block's length */
    size_t slen, rlen;           /* irregular: our own block, as sent (gather) or received (scatter) */
    const size_t *soffs, *slens; /* irregular blocks of scatter, alltoall, reduce_scatter, or NULL */
    const size_t *roffs, *rlens; /* irregular blocks of gather, alltoall, allgather, or NULL */
} frd_call;

/* Records `call` for group `g` with `algo`; average and weighted average are made of it here. The buffers are
 * bound as FRD_SPACE_SEND and FRD_SPACE_RECV; in place all data is in RECV, except that a scatter has it in
 * SEND. A broadcast's buffer is RECV. Weighted: FRD_SPACE_ARG holds our weight, f64. */
int frd_coll_record(const frd_algo *algo, const frd_call *call, const frd_group *g, frd_story *story,
                    frd_graph **graph);

#endif
