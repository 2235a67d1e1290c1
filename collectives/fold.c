/* SPDX-License-Identifier: BSD-3-Clause
 * fold.c - numbering of the folded group, and the two movements built on it: fold and recursive halving. */
#include "collectives/fold.h"

frd_fold frd_fold_make(const frd_group *g)
{
    frd_fold f = { .pow2 = 1, .partner = -1 };
    const int r = g->rank;

    while (f.pow2 <= g->size / 2)
        f.pow2 *= 2;
    f.rest = g->size - f.pow2;
    if (r >= 2 * f.rest) {
        f.v = r - f.rest;
    } else {
        f.v = r % 2 == 0 ? -1 : r / 2;
        f.partner = r ^ 1;
    }
    return f;
}

int frd_fold_member(const frd_fold *f, int v)
{
    return v < f->rest ? 2 * v + 1 : v + f->rest;
}

int frd_fold_first(const frd_fold *f, int v)
{
    return v < f->rest ? 2 * v : v + f->rest;
}

int frd_fold_number(const frd_fold *f, int member)
{
    return member < 2 * f->rest ? member / 2 : member - f->rest;
}

frd_ref frd_fold_in(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref acc, frd_ref src)
{
    frd_ref in;

    if (f->partner < 0)
        return src;
    if (f->v < 0) {
        frd_send(s, g->peer[f->partner], src);
        return src;
    }
    in = frd_tmp(s, src.len);
    frd_recv(s, g->peer[f->partner], in);
    frd_reduce(s, acc, in, src);
    return acc;
}

void frd_fold_out(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref result)
{
    if (f->partner < 0)
        return;
    if (f->v < 0)
        frd_recv(s, g->peer[f->partner], result);
    else
        frd_send(s, g->peer[f->partner], result);
}

frd_span frd_fold_halve(frd_sched *s, const frd_group *g, const frd_fold *f, frd_ref acc, frd_ref src)
{
    frd_span have = { 0, f->pow2 };

    if (f->pow2 == 1)
        frd_copy(s, acc, src);
    for (int mask = 1; mask < f->pow2; mask *= 2) {
        const int peer = g->peer[frd_fold_member(f, f->v ^ mask)];
        const int half = have.count / 2, upper = (f->v & mask) != 0;
        const int keep = have.first + upper * half, give = have.first + !upper * half;
        const frd_ref own = frd_parts(s, src, f->pow2, keep, half);
        const frd_ref out = frd_parts(s, acc, f->pow2, keep, half);
        const frd_ref in = frd_tmp(s, own.len);

        frd_send(s, peer, frd_parts(s, src, f->pow2, give, half));
        frd_recv(s, peer, in);
        if (upper)
            frd_reduce(s, out, in, own);
        else
            frd_reduce(s, out, own, in);
        have = (frd_span){ keep, half };
        src = acc;
    }
    return have;
}

frd_span frd_fold_sibling(const frd_fold *f, frd_span have, int mask)
{
    return (frd_span){ have.first + ((f->v & mask) != 0 ? -have.count : have.count), have.count };
}

frd_span frd_span_join(frd_span a, frd_span b)
{
    return (frd_span){ a.first < b.first ? a.first : b.first, a.count + b.count };
}
