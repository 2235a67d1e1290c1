/* SPDX-License-Identifier: BSD-3-Clause
 * broadcast_binomial.c - broadcast along a binomial tree, for short vectors.
 *
 *     steps    log n
 *     bytes    L log n by the root
 *     scratch  none
 *
 * Thakur, Rabenseifner, Gropp, 2005. */
#include "collectives/tree.h"

void frd_broadcast_binomial(frd_sched *s, const frd_group *g, const frd_io *io)
{
    frd_broadcast_tree(s, g, io, 2);
}
