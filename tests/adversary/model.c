/* SPDX-License-Identifier: BSD-3-Clause
 * model.c - what each collective means: a fold over the ranks in order, or blocks moved one by one. */
#include "tests/adversary/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"

/* ---- data ---- */

/* Small whole numbers of `type`, or signs, for which every operator that fits is exact in any grouping. */
static void put_small(unsigned char *at, int type, int value)
{
    static const uint16_t half[] = { 0xbc00, 0, 0x3c00, 0x4000, 0x4200 };  /* -1 0 1 2 3 as f16 */
    static const uint16_t brain[] = { 0xbf80, 0, 0x3f80, 0x4000, 0x4040 }; /* as bf16 */
    const int64_t whole = value;
    const float single = (float)value;
    const double wide = value;

    if (type == FEDRDMA_F64)
        memcpy(at, &wide, sizeof wide);
    else if (type == FEDRDMA_F32)
        memcpy(at, &single, sizeof single);
    else if (type == FEDRDMA_F16)
        memcpy(at, &half[value + 1], sizeof half[0]);
    else if (type == FEDRDMA_BF16)
        memcpy(at, &brain[value + 1], sizeof brain[0]);
    else
        memcpy(at, &whole, frd_type_size(type));
}

/* Invertible operands, so that no product forgets what came before: odd diagonals and factors. */
static void put_user(unsigned char *at, int type, uint64_t bits)
{
    if (type == FEDRDMA_U64)
        bits = (bits | 0x0001000000000001u) & ~(uint64_t)0x0000000000010000u;
    else if (type == FEDRDMA_I32)
        bits |= 1;
    else
        bits &= ~(uint64_t)1;
    memcpy(at, &bits, frd_type_size(type));
}

static void put_inexact(unsigned char *at, int type, uint64_t bits)
{
    const float value = (float)(bits % 100003) / 1024;
    uint32_t raw;

    memcpy(&raw, &value, sizeof raw);
    raw >>= type == FEDRDMA_BF16 ? 16 : 0;
    memcpy(at, &raw, frd_type_size(type));
}

/* What a rank of weight 0 gives must not matter: any bits, a third of them infinities and NaNs. */
static void put_ignored(unsigned char *at, int type, uint64_t bits)
{
    static const uint64_t infinity[FRD_NTYPES] = { [FEDRDMA_F16] = 0x7c00,
                                                   [FEDRDMA_BF16] = 0x7f80,
                                                   [FEDRDMA_F32] = 0x7f800000,
                                                   [FEDRDMA_F64] = 0x7ff0000000000000 };

    bits |= bits % 3 == 0 ? infinity[type] : 0;
    memcpy(at, &bits, frd_type_size(type));
}

static void fill(const adv_case *c, int member, adv_rng *rng, unsigned char *bytes, size_t len)
{
    const bool is_float = frd_type_is_float(c->call.type), product = c->call.op == FEDRDMA_PROD;

    for (size_t at = 0; at + c->element <= len; at += c->element) {
        const uint64_t bits = adv_random(rng);

        if (c->call.weighted && c->weight[member] == 0)
            put_ignored(bytes + at, c->call.type, bits);
        else if (c->user != NULL)
            put_user(bytes + at, c->call.type, bits);
        else if (!is_float)
            memcpy(bytes + at, &bits, c->element);
        else if (!c->exact && !c->call.weighted)
            put_inexact(bytes + at, c->call.type, bits);
        else if (product)
            put_small(bytes + at, c->call.type, bits % 2 == 0 ? -1 : 1);
        else
            put_small(bytes + at, c->call.type, (int)(bits % 5) - 1);
    }
}

static unsigned char *garbage(adv_rng *rng, size_t len)
{
    unsigned char *bytes = malloc(len + sizeof(uint64_t));

    for (size_t i = 0; bytes != NULL && i < len; i += sizeof(uint64_t)) {
        const uint64_t bits = adv_random(rng);

        memcpy(bytes + i, &bits, sizeof bits);
    }
    return bytes;
}

static bool gives_from_recv(const adv_case *c, int member)
{
    const bool rooted = c->call.coll == FRD_COLL_GATHER || c->call.coll == FRD_COLL_REDUCE;

    if (c->call.coll == FRD_COLL_BROADCAST)
        return true;
    return c->call.in_place && c->call.coll != FRD_COLL_SCATTER && (!rooted || member == c->call.root);
}

/* What a member gives: a vector, its block, or all its blocks as they lie. */
static const unsigned char *given(const adv_model *m, int member)
{
    const adv_case *c = m->c;
    const frd_blocks b = adv_case_blocks(c, 1, member);
    const bool blocks = c->call.coll == FRD_COLL_GATHER || c->call.coll == FRD_COLL_ALLGATHER;

    if (!gives_from_recv(c, member))
        return m->send[member];
    if (blocks)
        return m->recv[member] + (b.offs == NULL ? (size_t)member * b.stride : b.offs[member]);
    return m->recv[member];
}

/* ---- results ---- */

static void apply(const adv_case *c, unsigned char *left, const unsigned char *right, size_t len)
{
    const size_t count = len / c->element;
    unsigned char *both = malloc(len + 1);

    if (both == NULL)
        return; /* the comparison will fail */
    memcpy(both, right, len);
    if (c->user != NULL)
        c->user(left, both, count);
    else
        frd_reduce_kernel(c->call.type, c->call.op)(both, left, right, count);
    memcpy(left, both, len);
    free(both);
}

static void scale(const adv_case *c, unsigned char *bytes, int how, double factor, size_t len)
{
    frd_scale_kernel(c->call.type, how)(bytes, bytes, factor, len / c->element);
}

/* out = given[0] op ... op given[members - 1] at `off` of each. */
static void fold(const adv_model *m, unsigned char *out, int members, size_t off, size_t len)
{
    const adv_case *c = m->c;

    if (len == 0)
        return;
    memcpy(out, given(m, 0) + off, len);
    for (int i = 1; i < members; i++)
        apply(c, out, given(m, i) + off, len);
    if (c->user == NULL && c->call.op == FEDRDMA_AVG)
        scale(c, out, FRD_SCALE_DIV, c->n, len);
}

static void want_weighted(adv_model *m, unsigned char *out, size_t len)
{
    const adv_case *c = m->c;
    unsigned char *one = malloc(len + 1);
    double unit = 0, total = 0; /* the largest weight; the sum in units of it */

    for (int i = 0; i < c->n; i++)
        unit = c->weight[i] > unit ? c->weight[i] : unit;
    for (int i = 0; i < c->n && unit > 0; i++)
        total += c->weight[i] / unit;
    memset(out, 0, len);
    for (int i = 0; one != NULL && i < c->n; i++) {
        if (c->weight[i] == 0)
            continue;
        memcpy(one, given(m, i), len);
        scale(c, one, FRD_SCALE_MUL, c->weight[i] / unit / total, len);
        apply(c, out, one, len);
    }
    free(one);
}

static frd_ref block_at(const adv_case *c, int side, int member, int i)
{
    const frd_blocks b = adv_case_blocks(c, side, member);

    if (b.offs == NULL)
        return (frd_ref){ .off = (size_t)i * b.stride, .len = b.len };
    return (frd_ref){ .off = b.offs[i], .len = b.lens[i] };
}

static void want_vector(adv_model *m, int r)
{
    const adv_case *c = m->c;
    const size_t len = c->call.len;
    const int coll = c->call.coll;

    if (c->call.weighted)
        want_weighted(m, m->want[r], len);
    else if (coll == FRD_COLL_ALLREDUCE || (coll == FRD_COLL_REDUCE && r == c->call.root))
        fold(m, m->want[r], c->n, 0, len);
    else if (coll == FRD_COLL_SCAN)
        fold(m, m->want[r], r + 1, 0, len);
    else if (coll == FRD_COLL_EXSCAN && r > 0)
        fold(m, m->want[r], r, 0, len);
    else if (coll == FRD_COLL_BROADCAST)
        memcpy(m->want[r], given(m, c->call.root), len);
}

static void want_blocks(adv_model *m, int r)
{
    const adv_case *c = m->c;
    const int coll = c->call.coll;

    for (int i = 0; i < c->n; i++) {
        const frd_ref to = block_at(c, 1, r, i);

        if (coll == FRD_COLL_ALLGATHER || (coll == FRD_COLL_GATHER && r == c->call.root))
            memcpy(m->want[r] + to.off, given(m, i), to.len);
        else if (coll == FRD_COLL_ALLTOALL)
            memcpy(m->want[r] + to.off, given(m, i) + block_at(c, c->call.in_place ? 1 : 0, i, r).off,
                   to.len);
    }
}

/* The sources of reduce-scatter may lie differently on each rank, so it is folded block by block. */
static void want_reduce_scatter(adv_model *m, int r)
{
    const adv_case *c = m->c;
    const size_t len = block_at(c, 0, r, r).len;
    unsigned char *sum = malloc(len + 1);

    if (sum == NULL)
        return;
    for (int i = 0; i < c->n; i++) {
        const unsigned char *operand = given(m, i) + block_at(c, 0, i, r).off;

        if (i == 0)
            memcpy(sum, operand, len);
        else
            apply(c, sum, operand, len);
    }
    if (c->user == NULL && c->call.op == FEDRDMA_AVG)
        scale(c, sum, FRD_SCALE_DIV, c->n, len);
    memcpy(m->want[r], sum, len);
    m->checked[r] = len;
    free(sum);
}

static void want(adv_model *m, int r)
{
    const adv_case *c = m->c;

    m->checked[r] = adv_case_recv_bytes(c, r);
    memcpy(m->want[r], m->recv[r], m->checked[r]);
    if (c->call.coll == FRD_COLL_REDUCE_SCATTER)
        want_reduce_scatter(m, r);
    else if (c->call.coll == FRD_COLL_SCATTER && m->checked[r] > 0)
        memcpy(m->want[r], m->send[c->call.root] + block_at(c, 0, c->call.root, r).off, m->checked[r]);
    else if (c->call.coll != FRD_COLL_SCATTER && c->call.coll != FRD_COLL_BARRIER) {
        want_vector(m, r);
        want_blocks(m, r);
    }
}

bool adv_model_make(adv_model *m, const adv_case *c, adv_rng *rng)
{
    bool good = true;

    *m = (adv_model){ .c = c };
    for (int r = 0; r < c->n; r++) {
        const size_t sent = adv_case_send_bytes(c, r), received = adv_case_recv_bytes(c, r);

        m->send[r] = garbage(rng, sent);
        m->recv[r] = garbage(rng, received);
        m->want[r] = garbage(rng, received);
        good = good && m->send[r] != NULL && m->recv[r] != NULL && m->want[r] != NULL;
        if (good)
            fill(c, r, rng, gives_from_recv(c, r) ? m->recv[r] : m->send[r],
                 gives_from_recv(c, r) ? received : sent);
    }
    for (int r = 0; good && r < c->n; r++)
        want(m, r);
    return good;
}

void adv_model_free(adv_model *m)
{
    for (int r = 0; r < ADV_RANKS_MAX; r++) {
        free(m->send[r]);
        free(m->recv[r]);
        free(m->want[r]);
    }
}

/* ---- comparison ---- */

static double number_at(const unsigned char *at, int type)
{
    double wide = 0;
    float single = 0;
    uint32_t raw = 0;

    if (type == FEDRDMA_F64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    if (type == FEDRDMA_F16) { /* finite: 5 bits of exponent, 10 of fraction */
        uint16_t bits;

        memcpy(&bits, at, sizeof bits);
        wide = ldexp((double)((bits & 0x3ff) | ((bits & 0x7c00) != 0 ? 0x400 : 0)),
                     ((bits & 0x7c00) != 0 ? bits >> 10 & 31 : 1) - 25);
        return (bits & 0x8000) != 0 ? -wide : wide;
    }
    memcpy(&raw, at, frd_type_size(type));
    raw <<= type == FEDRDMA_BF16 ? 16 : 0;
    memcpy(&single, &raw, sizeof single);
    return single;
}

/* Rounding errors of n additions and of what came before, relative to the largest sum of the case. */
static bool near(const adv_case *c, const unsigned char *got, const unsigned char *expected)
{
    static const double ulp[FRD_NTYPES] = {
        [FEDRDMA_F16] = 0x1p-10, [FEDRDMA_BF16] = 0x1p-7, [FEDRDMA_F32] = 0x1p-23, [FEDRDMA_F64] = 0x1p-52
    };
    const double a = number_at(got, c->call.type), b = number_at(expected, c->call.type);
    const double largest = c->call.weighted ? 3 : 98.0 * c->n;

    return fabs(a - b) <= 2 * c->n * ulp[c->call.type] * largest;
}

static size_t first_wrong(const adv_model *m, int member, const unsigned char *recv)
{
    const adv_case *c = m->c;
    const bool computed = c->call.coll != FRD_COLL_EXSCAN || member > 0; /* else nothing is written */
    const bool exact = c->exact || !computed;
    const size_t step = exact ? 1 : c->element;
    size_t at = 0;

    while (at < m->checked[member]) {
        const bool good = exact ? recv[at] == m->want[member][at] : near(c, recv + at, m->want[member] + at);

        if (!good)
            break;
        at += step;
    }
    return at;
}

bool adv_model_check(const adv_model *m, int member, const unsigned char *send, const unsigned char *recv,
                     char story[ADV_STORY_MAX])
{
    const size_t sent = adv_case_send_bytes(m->c, member);
    size_t at = 0;

    while (at < sent && send[at] == m->send[member][at])
        at++;
    if (at < sent) {
        snprintf(story, ADV_STORY_MAX, "rank %d: byte %zu of its send buffer changed", m->c->peer[member],
                 at);
        return false;
    }
    at = first_wrong(m, member, recv);
    if (at < m->checked[member]) {
        snprintf(story, ADV_STORY_MAX, "rank %d (member %d): byte %zu of %zu is 0x%02x, expected 0x%02x",
                 m->c->peer[member], member, at, m->checked[member], recv[at], m->want[member][at]);
        return false;
    }
    return true;
}
