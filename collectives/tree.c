/* SPDX-License-Identifier: BSD-3-Clause
 * tree.c - places in the k-nomial tree, by arithmetic on the digits of a member's number; O(log n) each, no
 * memory. */
#include "collectives/tree.h"

/* Weight of v's lowest nonzero digit; for the root, the weight of the first digit that no number has. */
static int lowest_weight(int v, int n, int radix)
{
    int weight = 1;

    while (v == 0 ? weight < n : v / weight % radix == 0) {
        if (weight > n / radix) /* the next weight is beyond n, perhaps beyond int */
            return n;
        weight *= radix;
    }
    return weight;
}

static int span_of(int v, int weight, int n)
{
    return weight < n - v ? weight : n - v;
}

/* Child i adds digit 1 + i mod (k - 1) at weight k^(i div (k - 1)). A weight that isn't below n ends the
 * loop: such a child does not exist, and the number returned for it is not below n either. */
static int child_number(const frd_tree *t, int i, int *weight)
{
    *weight = 1;
    for (int digit = i / (t->radix - 1); digit > 0; digit--) {
        if (*weight > (t->n - 1) / t->radix)
            return t->n;
        *weight *= t->radix;
    }
    if (*weight > (t->n - 1 - t->v) / (1 + i % (t->radix - 1)))
        return t->n;
    return t->v + (1 + i % (t->radix - 1)) * *weight;
}

frd_tree frd_tree_knomial(const frd_group *g, int root, int radix)
{
    const int n = g->size, v = (g->rank - root + n) % n, own = lowest_weight(v, n, radix);
    frd_tree t = { .n = n, .radix = radix, .root = root, .v = v, .span = span_of(v, own, n) };
    int weight;

    t.parent = v == 0 ? -1 : (v - v / own % radix * own + root) % n;
    while (child_number(&t, t.nchildren, &weight) < n && weight < own)
        t.nchildren++;
    return t;
}

frd_branch frd_tree_child(const frd_tree *t, int i)
{
    int weight;
    const int v = child_number(t, i, &weight);

    return (frd_branch){ .index = (v + t->root) % t->n, .v = v, .span = span_of(v, weight, t->n) };
}

int frd_tree_straight(const frd_tree *t, int v, int count)
{
    const int straight = t->n - t->root - v;

    return straight < 0 ? 0 : straight < count ? straight : count;
}

frd_ref frd_tree_place(const frd_tree *t, frd_ref kept, size_t len, int v, int count)
{
    const int at = t->parent < 0 ? (v + t->root) % t->n : v - t->v;

    return frd_sub(kept, (size_t)at * len, (size_t)count * len);
}
