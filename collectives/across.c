/* SPDX-License-Identifier: BSD-3-Clause
 * across.c - vectors between silos, each with one gateway in the group. What costs is the bytes that leave and enter a
 * silo, and the latency of the way; of S silos, for L bytes:
 *
 *                          ways    leave a silo at most
 *     allreduce            2       2L(S-1)/S             direct 1, L(S-1)
 *     reduce, broadcast    2       L                     direct 1, L (the root's silo: L(S-1) enter, or leave)
 *     scratch              L (direct L(S-1))
 *
 * For two silos the direct form is the better one in everything.
 *
 * Reduce-scatter by direct exchange and allgather: Thakur, Rabenseifner, Gropp, 2005; scatter and allgather for a
 * broadcast: van de Geijn, as told there. */
#include "collectives/levels.h"

/* Reduces the others' vectors, one behind the other in `slots`, and `mine`, which comes between them by our number,
 * into `out`. The sum grows in the slots, which are scratch. */
static void fold(frd_sched *s, const frd_group *g, frd_ref out, frd_ref slots, frd_ref mine)
{
    const int me = g->rank;
    frd_ref sum = me == 0 ? mine : frd_head(slots, mine.len);

    for (int i = 1; i < g->size; i++) {
        const frd_ref next = i == me ? mine : frd_sub(slots, (size_t)(i - (i > me)) * mine.len, mine.len);
        const frd_ref to = i == g->size - 1 ? out : i == me ? sum : next;

        frd_reduce(s, to, sum, next);
        sum = to;
    }
}

/* Slots for all others' `len` bytes; receives them. */
static frd_ref take_all(frd_sched *s, const frd_group *g, size_t len, int type)
{
    const frd_ref slots = frd_tmp_typed(s, (size_t)(g->size - 1) * len, type);

    for (int k = 1; k < g->size; k++) {
        const int i = (g->rank + g->size - k) % g->size;

        frd_recv(s, g->peer[i], frd_sub(slots, (size_t)(i - (i > g->rank)) * len, len));
    }
    return slots;
}

void frd_across_take(frd_sched *s, const frd_group *g, frd_ref out, frd_ref mine)
{
    if (g->size == 1)
        frd_copy(s, out, mine);
    else
        fold(s, g, out, take_all(s, g, mine.len, mine.type), mine);
}

static void exchange_parts(frd_sched *s, const frd_group *g, frd_ref v)
{
    for (int k = 1; k < g->size; k++)
        frd_send(s, g->peer[(g->rank + k) % g->size], frd_part(s, v, g->size, g->rank));
    for (int k = 1; k < g->size; k++) {
        const int i = (g->rank + g->size - k) % g->size;

        frd_recv(s, g->peer[i], frd_part(s, v, g->size, i));
    }
}

void frd_across_allreduce(frd_sched *s, const frd_group *g, frd_ref v, bool direct)
{
    const bool whole = direct || g->size <= 2;
    const frd_ref mine = whole ? v : frd_part(s, v, g->size, g->rank);

    if (g->size == 1)
        return;
    for (int k = 1; k < g->size; k++) {
        const int i = (g->rank + k) % g->size;

        frd_send(s, g->peer[i], whole ? v : frd_part(s, v, g->size, i));
    }
    fold(s, g, mine, take_all(s, g, mine.len, v.type), mine);
    if (!whole)
        exchange_parts(s, g, v);
}

/* A member's number among those without the root, who share out the parts. */
static int without(int root, int i)
{
    return i - (i > root);
}

void frd_across_reduce(frd_sched *s, const frd_group *g, frd_ref v, int root, bool direct)
{
    const int n = g->size - 1, me = without(root, g->rank);
    frd_ref sum = v;

    if (n == 0)
        return;
    if (g->rank == root && (direct || n == 1)) {
        fold(s, g, v, take_all(s, g, v.len, v.type), v);
    } else if (g->rank == root) {
        const frd_ref slot = frd_tmp_typed(s, v.len, v.type);

        for (int k = 0; k < n; k++) {
            const frd_ref part = frd_part(s, v, n, k), in = frd_sub(slot, part.off - v.off, part.len);

            frd_recv(s, g->peer[k + (k >= root)], in);
            frd_reduce(s, part, part, in);
        }
    } else if (direct || n == 1) {
        frd_send(s, g->peer[root], v);
    } else {
        const frd_ref slots = frd_tmp_typed(s, (size_t)(n - 1) * frd_part(s, v, n, me).len, v.type);

        sum = frd_part(s, v, n, me);
        for (int k = 1; k < n; k++)
            frd_send(s, g->peer[(me + k) % n + ((me + k) % n >= root)], frd_part(s, v, n, (me + k) % n));
        for (int k = 0; k < n - 1; k++) {
            const int i = k + (k >= me);
            const frd_ref in = frd_sub(slots, (size_t)k * sum.len, sum.len);

            frd_recv(s, g->peer[i + (i >= root)], in);
            frd_reduce(s, sum, sum, in);
        }
        frd_send(s, g->peer[root], sum);
    }
}

void frd_across_broadcast(frd_sched *s, const frd_group *g, frd_ref v, int root, bool direct)
{
    const int n = g->size - 1, me = without(root, g->rank);
    const bool whole = direct || n <= 1;

    for (int k = 0; g->rank == root && k < n; k++)
        frd_send(s, g->peer[k + (k >= root)], whole ? v : frd_part(s, v, n, k));
    if (g->rank == root)
        return;
    frd_recv(s, g->peer[root], whole ? v : frd_part(s, v, n, me));
    for (int k = 1; !whole && k < n; k++)
        frd_send(s, g->peer[(me + k) % n + ((me + k) % n >= root)], frd_part(s, v, n, me));
    for (int k = 1; !whole && k < n; k++) {
        const int i = (me + n - k) % n;

        frd_recv(s, g->peer[i + (i >= root)], frd_part(s, v, n, i));
    }
}
