/* SPDX-License-Identifier: BSD-3-Clause
 * cases.c - draws cases: which algorithm, group, counts, type, operator, root, layout of blocks. */
#include "tests/adversary/cases.h"

#include <stdio.h>
#include <string.h>

#include "collectives/levels.h"
#include "reduce/reduce.h"
#include "tests/adversary/users.h"

#define USER_OP 100 /* any value that is no builtin operator */

static bool coll_reduces(int coll)
{
    return coll == FRD_COLL_ALLREDUCE || coll == FRD_COLL_REDUCE || coll == FRD_COLL_SCAN ||
           coll == FRD_COLL_EXSCAN || coll == FRD_COLL_REDUCE_SCATTER;
}

static bool coll_has_blocks(int coll)
{
    return coll == FRD_COLL_GATHER || coll == FRD_COLL_SCATTER || coll == FRD_COLL_ALLGATHER ||
           coll == FRD_COLL_REDUCE_SCATTER || coll == FRD_COLL_ALLTOALL;
}

/* ---- size and data ---- */

static size_t draw_count(adv_rng *rng, int n, uint64_t round)
{
    const size_t group = (size_t)n;

    switch (round % 8) {
    case 0:
        return group + 1;
    case 1:
        return (size_t)adv_below(rng, 2);
    case 2:
        return group - 1;
    case 3:
        return group;
    case 4:
        return 1;
    case 5:
        return 2 * group + (size_t)adv_below(rng, n);
    case 6:
        return 1000 + (size_t)adv_below(rng, 1000);
    default:
        return (size_t)adv_below(rng, 5 * n);
    }
}

static void draw_members(adv_case *c, adv_rng *rng)
{
    int all[ADV_RANKS_MAX + ADV_SPARE_MAX];

    c->size = c->n + adv_below(rng, ADV_SPARE_MAX + 1);
    for (int i = 0; i < c->size; i++)
        all[i] = i;
    for (int i = 0; i < c->n; i++) {
        const int j = i + adv_below(rng, c->size - i), member = all[j];

        all[j] = all[i];
        c->peer[i] = member;
    }
}

/* Silos of any sizes, with members anywhere in the group; numbered by their first members, as the library does. */
static void draw_silos(adv_case *c, adv_rng *rng)
{
    const int most = 1 + adv_below(rng, c->n < 6 ? c->n : 6);
    const bool mixed = adv_below(rng, 2) == 0;
    int number[ADV_RANKS_MAX], at = 0;

    c->ordered = !mixed || most == 1;

    for (int i = 0; i < most; i++)
        number[i] = -1;
    for (int i = 0; i < c->n; i++) {
        const int drawn = mixed ? adv_below(rng, most) : at;

        at += at + 1 < most && adv_below(rng, 2) == 0; /* of two silos or more, one behind the other */
        if (number[drawn] < 0)
            number[drawn] = c->nsilos++;
        c->silo[i] = number[drawn];
        c->node[i] = adv_below(rng, 3);
        c->known[i] = (unsigned char)((adv_below(rng, 3) == 0 ? FRD_LEVELS_NAMED : 0) |
                                      (adv_below(rng, 2) == 0 ? FRD_LEVELS_NEAR : 0));
    }
    c->gates = 1 + adv_below(rng, 3);
    c->plan_seed = adv_random(rng);
}

static void draw_user_op(adv_case *c, adv_rng *rng)
{
    const bool may_not = (c->algo->flags & FRD_ALGO_COMMUTATIVE) == 0 &&
                         (c->ordered || (c->algo->flags & FRD_ALGO_SILO_ORDER) == 0);
    const adv_user *user = adv_user_at(may_not ? adv_below(rng, ADV_USERS) : ADV_USER_COMMUTATIVE);

    c->call.op = USER_OP;
    c->call.type = user->type;
    c->call.commutative = user->commutative;
    c->user = user->fn;
    c->exact = true;
}

/* Sums of small whole numbers are exact in every floating type here, and so are products of signs. */
static void draw_builtin_op(adv_case *c, adv_rng *rng)
{
    do {
        c->call.type = 1 + adv_below(rng, FRD_NTYPES - 1);
        c->call.op = 1 + adv_below(rng, FRD_NOPS - 1);
    } while (!frd_op_fits(c->call.op, c->call.type));
    c->call.commutative = true;
    c->exact = true;
}

static void draw_weights(adv_case *c, adv_rng *rng)
{
    static const int types[] = { FEDRDMA_F16, FEDRDMA_BF16, FEDRDMA_F32, FEDRDMA_F64 };
    static const double sizes[] = { 1, 1e-50, 1e40, 5e-324, 5e307 }; /* 3 of the last overflow */
    const double largest = adv_below(rng, 8) == 0 ? 0 : sizes[adv_below(rng, 5)];

    c->call.weighted = true;
    c->call.op = FEDRDMA_SUM;
    c->call.type = types[adv_below(rng, 4)];
    for (int i = 0; i < c->n; i++)
        c->weight[i] = largest * adv_below(rng, 4);
}

static void draw_data(adv_case *c, adv_rng *rng)
{
    const int kind = adv_below(rng, 8);

    if (!coll_reduces(c->algo->coll)) {
        c->call.type = 1 + adv_below(rng, FRD_NTYPES - 1);
        c->exact = true;
    } else if (kind < 3) {
        draw_user_op(c, rng);
    } else if (kind == 3 && c->algo->coll == FRD_COLL_ALLREDUCE) {
        draw_weights(c, rng);
    } else if (kind == 4) { /* rounding shows who computed what */
        c->call.type = adv_below(rng, 2) == 0 ? FEDRDMA_F32 : FEDRDMA_BF16;
        c->call.op = adv_below(rng, 2) == 0 ? FEDRDMA_SUM : FEDRDMA_AVG;
        c->call.commutative = true;
    } else {
        draw_builtin_op(c, rng);
    }
    c->element = frd_type_size(c->call.type);
}

/* ---- blocks ---- */

/* Lays the blocks of one rank out side by side, or with gaps and perhaps in random order. */
static void draw_offsets(adv_case *c, adv_rng *rng, bool gaps, size_t off[], const size_t len[])
{
    const bool shuffled = gaps && adv_below(rng, 2) == 0;
    int order[ADV_RANKS_MAX];
    size_t at = 0;

    for (int i = 0; i < c->n; i++) {
        const int j = shuffled ? adv_below(rng, i + 1) : i;

        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < c->n; i++) {
        at += gaps ? (size_t)adv_below(rng, 3) * c->element : 0;
        off[order[i]] = at;
        at += len[order[i]];
    }
}

static void draw_irregular(adv_case *c, adv_rng *rng, size_t count)
{
    const size_t top = 2 * count + 1;
    const bool gaps = adv_below(rng, c->call.coll == FRD_COLL_REDUCE_SCATTER ? 4 : 2) == 0;
    const bool swaps = c->call.coll == FRD_COLL_ALLTOALL && c->call.in_place;

    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->n; j++) {
            const size_t bytes = (size_t)adv_below(rng, (int)top) * c->element;
            const bool pairs = c->call.coll == FRD_COLL_ALLTOALL;

            /* What i sends to j is what j receives from i; where blocks belong to ranks alone, all agree. */
            c->len[0][i][j] = pairs || i == 0 ? bytes : c->len[0][0][j];
            c->len[1][j][i] = pairs ? bytes : 0;
        }
    for (int i = 0; swaps && i < c->n; i++) /* pairs exchange as much as they get */
        for (int j = 0; j < i; j++)
            c->len[1][i][j] = c->len[1][j][i];
    for (int i = 0; c->call.coll != FRD_COLL_ALLTOALL && i < c->n; i++)
        memcpy(c->len[1][i], c->len[0][0], sizeof c->len[1][i]);
    for (int i = 0; i < c->n; i++)
        for (int side = 0; side < 2; side++)
            draw_offsets(c, rng, gaps, c->off[side][i], c->len[side][i]);
}

static void draw_blocks(adv_case *c, adv_rng *rng, size_t count)
{
    const bool fragment = adv_below(rng, 3) == 0;

    c->call.irregular = (c->algo->flags & FRD_ALGO_REGULAR) == 0 && adv_below(rng, 2) == 0;
    if (c->call.irregular) {
        draw_irregular(c, rng, count);
        return;
    }
    c->call.len = count * c->element;
    c->call.stride = c->call.len + (fragment ? (size_t)(1 + adv_below(rng, 9)) * c->element : 0);
}

/* ---- cases ---- */

/* Are all members' sources side by side from the buffer's start? */
static bool packed(const adv_case *c)
{
    for (int r = 0; r < c->n; r++) {
        size_t at = 0;

        for (int i = 0; i < c->n; at += c->len[0][r][i], i++)
            if (c->off[0][r][i] != at)
                return false;
    }
    return true;
}

static bool may_be_in_place(const adv_case *c)
{
    const int coll = c->call.coll;

    if (coll == FRD_COLL_REDUCE_SCATTER)
        return packed(c); /* equal blocks have no offsets here, and are always */
    return coll != FRD_COLL_BROADCAST && coll != FRD_COLL_BARRIER;
}

void adv_case_draw(adv_case *c, uint64_t seed, uint64_t number)
{
    const uint64_t algos = frd_algo_messages(), round = number / (algos * ADV_RANKS_MAX);
    adv_rng rng = { seed ^ (number + 1) * 0xd1342543de82ef95u };
    size_t count;

    memset(c, 0, sizeof *c);
    c->algo = frd_algo_at((size_t)(number % algos));
    c->n = 1 + (int)(number / algos % ADV_RANKS_MAX);
    while ((c->algo->flags & FRD_ALGO_POW2) != 0 && (c->n & (c->n - 1)) != 0)
        c->n &= c->n - 1;
    draw_members(c, &rng);
    if ((c->algo->flags & FRD_ALGO_SILOS) != 0)
        draw_silos(c, &rng);
    c->call.coll = c->algo->coll;
    c->call.root = adv_below(&rng, c->n);
    draw_data(c, &rng);
    count = draw_count(&rng, c->n, round);
    c->call.in_place = adv_below(&rng, 2) == 0;
    if (coll_has_blocks(c->call.coll))
        draw_blocks(c, &rng, count > 200 ? count / (size_t)c->n : count);
    else if (c->call.coll != FRD_COLL_BARRIER)
        c->call.len = c->call.stride = count * c->element;
    c->call.in_place = c->call.in_place && may_be_in_place(c);
}

frd_call adv_case_call(const adv_case *c, int member)
{
    const int coll = c->call.coll;
    const bool root = member == c->call.root;
    frd_call call = c->call;

    if (!call.irregular)
        return call;
    call.slen = c->len[0][member][member];
    call.rlen = c->len[1][member][member];
    if ((coll == FRD_COLL_ALLTOALL && !call.in_place) || coll == FRD_COLL_REDUCE_SCATTER ||
        (coll == FRD_COLL_SCATTER && root)) {
        call.soffs = c->off[0][member];
        call.slens = c->len[0][member];
    }
    if (coll == FRD_COLL_ALLTOALL || coll == FRD_COLL_ALLGATHER || (coll == FRD_COLL_GATHER && root)) {
        call.roffs = c->off[1][member];
        call.rlens = c->len[1][member];
    }
    return call;
}

frd_blocks adv_case_blocks(const adv_case *c, int side, int member)
{
    frd_blocks b = { .len = c->call.len, .stride = c->call.stride };

    if (c->call.irregular) {
        b.offs = c->off[side][member];
        b.lens = c->len[side][member];
    }
    return b;
}

static size_t extent(const frd_blocks *b, int n)
{
    size_t end = 0;

    for (int i = 0; i < n; i++) {
        const size_t last = b->offs == NULL ? (size_t)i * b->stride + b->len : b->offs[i] + b->lens[i];

        end = last > end ? last : end;
    }
    return end;
}

static size_t own_bytes(const adv_case *c, int side, int member)
{
    return c->call.irregular ? c->len[side][member][member] : c->call.len;
}

size_t adv_case_send_bytes(const adv_case *c, int member)
{
    const frd_blocks b = adv_case_blocks(c, 0, member);
    const bool root = member == c->call.root, in_place = c->call.in_place;

    switch (c->call.coll) {
    case FRD_COLL_BROADCAST:
    case FRD_COLL_BARRIER:
        return 0;
    case FRD_COLL_GATHER:
        return in_place && root ? 0 : own_bytes(c, 0, member);
    case FRD_COLL_ALLGATHER:
        return in_place ? 0 : own_bytes(c, 0, member);
    case FRD_COLL_SCATTER:
        return root ? extent(&b, c->n) : 0;
    case FRD_COLL_ALLTOALL:
    case FRD_COLL_REDUCE_SCATTER:
        return in_place ? 0 : extent(&b, c->n);
    case FRD_COLL_REDUCE:
        return in_place && root ? 0 : c->call.len;
    default:
        return in_place ? 0 : c->call.len;
    }
}

size_t adv_case_recv_bytes(const adv_case *c, int member)
{
    const frd_blocks b = adv_case_blocks(c, 1, member), sent = adv_case_blocks(c, 0, member);
    const bool root = member == c->call.root, in_place = c->call.in_place;

    switch (c->call.coll) {
    case FRD_COLL_BARRIER:
        return 0;
    case FRD_COLL_GATHER:
        return root ? extent(&b, c->n) : 0;
    case FRD_COLL_ALLGATHER:
    case FRD_COLL_ALLTOALL:
        return extent(&b, c->n);
    case FRD_COLL_SCATTER:
        return in_place && root ? 0 : own_bytes(c, 1, member);
    case FRD_COLL_REDUCE_SCATTER:
        return in_place ? extent(&sent, c->n) : own_bytes(c, 0, member);
    case FRD_COLL_REDUCE:
        return root ? c->call.len : 0;
    default:
        return c->call.len;
    }
}

void adv_case_print(const adv_case *c, char text[ADV_CASE_TEXT])
{
    char size[64], silos[64] = "";

    if (c->nsilos > 0)
        snprintf(silos, sizeof silos, " in %d silos of up to %d gateways", c->nsilos, c->gates);
    snprintf(size, sizeof size, "%zu bytes%s", c->call.len,
             c->call.stride > c->call.len ? " (fragment)" : "");
    snprintf(text, ADV_CASE_TEXT, "%s:%s, %d ranks of %d%s, root %d, %s, %s %s%s%s%s",
             frd_coll_name(c->algo->coll), c->algo->name, c->n, c->size, silos, c->call.root,
             c->call.irregular ? "irregular blocks" : size, frd_type_name(c->call.type),
             coll_reduces(c->algo->coll) ? frd_op_name(c->call.op) : "",
             c->user != NULL && !c->call.commutative ? " (not commutative)" : "",
             c->call.weighted ? " weighted" : "", c->call.in_place ? ", in place" : "");
}
