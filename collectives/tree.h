/* SPDX-License-Identifier: BSD-3-Clause
 * tree.h - the shapes of trees over a group; who talks to whom, nothing about data.
 *
 * Members are numbered from the root: number v of a member is (index - root) mod n. In the k-nomial
 * tree the parent of v is v with its lowest nonzero digit to base k cleared; with k = 2 it is the binomial
 * tree. A subtree holds consecutive numbers, and children come in order of their numbers, the
 * smallest subtree first:
 *
 *     k = 2, n = 8:   0 -+- 1                    k = 4, n = 8:   0 -+- 1, 2, 3
 *                        +- 2 --- 3                                 +- 4 --- 5, 6, 7
 *                        +- 4 -+- 5
 *                              +- 6 --- 7
 */
#ifndef FRD_COLLECTIVES_TREE_H
#define FRD_COLLECTIVES_TREE_H

#include "collectives/coll.h"

typedef struct frd_tree {
    int n, radix, root;
    int v;      /* our number */
    int span;   /* members of our subtree: v .. v + span - 1 */
    int parent; /* index in the group, -1 at the root */
    int nchildren;
} frd_tree;

typedef struct frd_branch {
    int index; /* in the group, of the child */
    int v;     /* its number */
    int span;  /* members of its subtree */
} frd_branch;

/* Our place in the tree; 2 <= radix. */
frd_tree frd_tree_knomial(const frd_group *g, int root, int radix);

/* Child i, 0 <= i < nchildren. */
frd_branch frd_tree_child(const frd_tree *t, int i);

/* Of numbers v .. v + count - 1, how many come before the group wraps from its last member to its first:
 * their indices are consecutive, and so are those of the rest. */
int frd_tree_straight(const frd_tree *t, int v, int count);

/* Where the blocks, of len bytes each, of numbers v .. v + count - 1 are kept on their way: at the root by
 * index, elsewhere our own first. */
frd_ref frd_tree_place(const frd_tree *t, frd_ref kept, size_t len, int v, int count);

/* Broadcast of io->dst along the k-nomial tree. */
void frd_broadcast_tree(frd_sched *s, const frd_group *g, const frd_io *io, int radix);

#endif
