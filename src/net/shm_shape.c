/* SPDX-License-Identifier: BSD-3-Clause
 * shm_shape.c - how a team's call is cut into rounds, whose bytes are where, and how operands are combined. What the
 * rounds are is told at the top of shm_call.c. */
#include <string.h>

#include "net/shm_call.h"
#include "reduce/reduce.h"

enum {
    ALIGN = 64,
    CHUNK_MAX = 128 * 1024, /* of a piece: 10 us; longer ones are not faster */
    REDUCE_ALONE = 16 * 1024 /* longest vector of a reduce that the root of three or more reduces alone */
};

/* ---- shape ---------------------------------------------------------------------------------------- */

/* Everybody reduces a slice of the vector. */
static bool by_slices(const frd_team *team, const frd_node_call *w)
{
    if (w->coll == FRD_NODE_ALLREDUCE)
        return w->len > team->whole_max;
    return w->coll == FRD_NODE_REDUCE && team->size > 2 && w->len > REDUCE_ALONE;
}

size_t frd_team_slice(const frd_team *team, const frd_node_call *w, int i, size_t *off)
{
    const size_t n = (size_t)team->size, size = frd_type_size(w->type), count = w->len / size;
    const size_t each = count / n, rest = count % n, at = (size_t)i;

    *off = (each * at + (at < rest ? at : rest)) * size;
    return (each + (at < rest)) * size;
}

/* Bytes of the longest unit, and pieces of it that a member's ring holds for a round. */
static size_t unit_of(const frd_team *team, const frd_node_call *w, size_t *pieces)
{
    const size_t others = (size_t)team->size - 1;
    size_t off;

    switch (w->coll) {
    case FRD_NODE_SCATTER:
    case FRD_NODE_ALLTOALL:
    case FRD_NODE_REDUCE_SCATTER:
        *pieces = others;
        return w->len;
    case FRD_NODE_REDUCE:
    case FRD_NODE_ALLREDUCE:
        if (by_slices(team, w)) {
            *pieces = others + 1;
            return frd_team_slice(team, w, 0, &off);
        }
        break;
    default:
        break;
    }
    *pieces = 1;
    return w->len;
}

static uint32_t rounds_of(const frd_team *team, size_t unit, size_t pieces)
{
    const size_t most = frd_min_size(CHUNK_MAX, team->round_bytes / pieces & ~(size_t)(ALIGN - 1));

    return unit <= most ? 1 : (uint32_t)((unit + most - 1) / most);
}

uint32_t frd_team_rounds(const frd_team *team, const frd_node_call *what)
{
    size_t pieces;
    const size_t unit = unit_of(team, what, &pieces);

    return rounds_of(team, unit, pieces);
}

/* What we give and take in all. */
static void count_bytes(const frd_team *team, frd_team_call *c)
{
    const frd_node_call *const w = &c->what;
    const size_t others = (size_t)team->size - 1;
    size_t off, own;

    if (c->results) {
        own = frd_team_slice(team, w, team->rank, &off);
        c->given_bytes = w->len;
        c->taken_bytes = own * others + (c->collects ? w->len - own : 0);
        return;
    }
    c->given_bytes = c->gives ? w->len * (c->pieces ? others : 1) : 0;
    c->taken_bytes = c->takes ? w->len * others : 0;
    if (w->coll == FRD_NODE_BROADCAST || w->coll == FRD_NODE_SCATTER)
        c->taken_bytes = team->rank == w->root ? 0 : w->len;
}

/* Bytes of all members' buffers. */
static size_t footprint(const frd_team *team, const frd_node_call *w)
{
    const size_t n = (size_t)team->size;

    switch (w->coll) {
    case FRD_NODE_BROADCAST:
        return n * w->len;
    case FRD_NODE_REDUCE:
        return (n + 1) * w->len;
    case FRD_NODE_ALLGATHER:
    case FRD_NODE_REDUCE_SCATTER:
        return n * (n + 1) * w->len;
    case FRD_NODE_ALLTOALL:
        return 2 * n * n * w->len;
    default:
        return 2 * n * w->len;
    }
}

void frd_team_shape(const frd_team *team, frd_team_call *c)
{
    const frd_node_call *const w = &c->what;
    const bool root = !frd_team_rooted(w->coll) || team->rank == w->root;
    const bool from_root = w->coll == FRD_NODE_BROADCAST || w->coll == FRD_NODE_SCATTER;
    size_t pieces;
    const size_t unit = unit_of(team, w, &pieces);

    c->shaped = true;
    c->kernel = w->op != 0 ? frd_reduce_kernel(w->type, w->op) : NULL;
    c->both = w->op != 0 ? frd_reduce_both_kernel(w->type, w->op) : NULL;
    c->results = by_slices(team, w);
    c->gives = from_root ? root : c->results || !root || !frd_team_rooted(w->coll);
    c->takes = from_root ? !root || w->coll == FRD_NODE_SCATTER : root || c->results;
    c->collects = c->results && root;
    c->pieces = c->results || w->coll == FRD_NODE_SCATTER || w->coll == FRD_NODE_ALLTOALL ||
                w->coll == FRD_NODE_REDUCE_SCATTER;
    c->count = w->len / frd_type_size(w->type);
    c->keeps = w->coll == FRD_NODE_ALLGATHER || w->coll == FRD_NODE_ALLTOALL ||
               (root && (w->coll == FRD_NODE_GATHER || w->coll == FRD_NODE_SCATTER));
    c->small = pieces * unit <= FRD_TEAM_INLINE && !c->results;
    c->rounds = c->small ? 1 : rounds_of(team, unit, pieces);
    c->chunk = c->small ? unit : frd_round_up((unit + c->rounds - 1) / c->rounds, ALIGN);
    c->need = c->small ? 0 : pieces * c->chunk;
    c->kind = (uint32_t)w->coll | (uint32_t)w->op << 4 | (uint32_t)w->type << 8 |
              (frd_team_rooted(w->coll) ? (uint32_t)w->root << 12 : 0); /* FRD_TEAM_RANKS_MAX is below 2^20 */
    count_bytes(team, c);
    c->bypass = footprint(team, w) > team->nontemporal;
    c->led = w->coll == FRD_NODE_BARRIER && team->crowded;
    if (c->led) {
        c->takes = team->rank == 0;
        c->collects = !c->takes;
    }
}

/* ---- data ----------------------------------------------------------------------------------------- */

size_t frd_team_unit(const frd_team *team, const frd_team_call *c, int reader, size_t *off)
{
    const frd_node_call *const w = &c->what;

    *off = 0;
    if (c->results)
        return frd_team_slice(team, w, reader, off);
    if (w->coll == FRD_NODE_SCATTER || w->coll == FRD_NODE_ALLTOALL || w->coll == FRD_NODE_REDUCE_SCATTER)
        *off = (size_t)reader * w->len;
    return w->len;
}

const char *frd_team_given(const frd_team *team, const frd_team_call *c, int giver, uint32_t k, size_t unit_off)
{
    const int nth = team->rank < giver ? team->rank : team->rank - 1;
    const size_t piece = c->pieces ? (size_t)nth * c->chunk : 0;

    if (giver == team->rank)
        return c->send + unit_off + frd_team_chunk(c, k);
    if (team->send_of[giver] != NULL)
        return team->send_of[giver] + unit_off + frd_team_chunk(c, k);
    const frd_team_post *const post = &team->part[giver]->give[(c->base + k) % FRD_TEAM_ROUNDS];
    if (c->small)
        return (const char *)post->data + piece;
    return frd_team_ring(team, giver) + (post->at & (team->ring_bytes - 1)) + piece;
}

void frd_team_copy(const frd_team_call *c, char *to, const char *from, size_t len)
{
    if (to == from || len == 0)
        return;
    if (c->bypass)
        frd_copy_around(to, from, len);
    else
        memcpy(to, from, len);
}

/* The user's operator on x[i] + off, in the scratch. */
static void combine_by_user(const frd_team *team, const frd_team_call *c, size_t off, size_t len)
{
    const size_t count = len / frd_type_size(c->what.type);

    memcpy(team->scratch, team->source[team->size - 1] + off, len);
    for (int i = team->size - 2; i >= 0; i--)
        c->user_fn(team->source[i] + off, team->scratch, count, (fedrdma_datatype)c->what.type, c->user_arg);
}

/* Combines the operands at team->source + off into `to`, which may be one of them, and into `also` (may be NULL). */
static void combine(const frd_team *team, const frd_team_call *c, size_t off, size_t len, frd_team_outs to)
{
    const size_t count = len / frd_type_size(c->what.type);
    const char *const *const x = team->source;
    const char *sum = x[0] + off;

    if (c->user_fn != NULL) {
        combine_by_user(team, c, off, len);
        memcpy(to.out, team->scratch, len);
        if (to.also != NULL)
            memcpy(to.also, team->scratch, len);
        return;
    }
    for (int i = 1; i < team->size - 1; i++) {
        c->kernel(team->scratch, sum, x[i] + off, count);
        sum = team->scratch;
    }
    c->both(to.out, to.also, sum, x[team->size - 1] + off, count, to.around);
}

/* Where chunk k of our unit goes: two places at once, which is all that two ranks need. */
static frd_team_outs outs_of(const frd_team *team, const frd_team_call *c, size_t at, char *to, char *result)
{
    const int next = team->rank == 0 ? 1 : 0;
    const unsigned around = c->bypass ? FRD_OUT_AROUND : 0;

    if (to == NULL)
        return (frd_team_outs){ result, NULL, 0 };
    if (c->push)
        return (frd_team_outs){ to, team->recv_of[next] + at, around | (c->bypass ? FRD_ALSO_AROUND : 0) };
    return (frd_team_outs){ to, result, around };
}

void frd_team_reduce(frd_team *team, const frd_team_call *c, uint32_t k, char *to, char *result)
{
    size_t unit_off;
    const size_t unit = frd_team_unit(team, c, team->rank, &unit_off), len = frd_team_piece(c, k, unit);
    const size_t at = unit_off + frd_team_chunk(c, k);
    const size_t block = team->size == 2 && c->user_fn == NULL ? len : FRD_TEAM_BLOCK;
    const frd_team_outs outs = outs_of(team, c, at, to, result);

    for (int i = 0; i < team->size; i++)
        team->source[i] = frd_team_given(team, c, i, k, unit_off);
    for (size_t off = 0; off < len; off += block) {
        const size_t part = frd_min_size(block, len - off);
        const frd_team_outs here = { outs.out + off, outs.also != NULL ? outs.also + off : NULL, outs.around };

        combine(team, c, off, part, here);
        for (int i = 0, nth = 0; c->push && i < team->size; i++) {
            if (i != team->rank && nth++ > 0) /* the first of the others is outs.also */
                frd_team_copy(c, team->recv_of[i] + at + off, outs.out + off, part);
        }
    }
}
