/* SPDX-License-Identifier: BSD-3-Clause
 * coll.c - the table of algorithms, and the recording of one call: its data as an algorithm sees it
 * (frd_io), and the operators that are made of others.
 *
 * An average is a sum that is divided where the result is. A weighted average is two sums, of the weights and
 * then of the data, which each rank has scaled by its share, at most 1: weight x data could overflow. */
#include "collectives/coll.h"

#include "base/num.h"
#include "collectives/levels.h"
#include "reduce/reduce.h"

#define NAME(COLL, text, kind) text,
static const char *const names[FRD_NCOLLS] = { FRD_COLL_TABLE(NAME) };
#undef NAME

#define ROW(COLL, coll, name, flags, text) { FRD_COLL_##COLL, #name, frd_##coll##_##name, flags, text },
static const frd_algo algos[] = { FRD_ALGO_TABLE(ROW) };
#undef ROW

const char *frd_coll_name(int coll)
{
    return coll >= 0 && coll < FRD_NCOLLS ? names[coll] : "?";
}

size_t frd_algo_count(void)
{
    return sizeof algos / sizeof algos[0];
}

size_t frd_algo_messages(void)
{
    size_t n = 0;

    while (n < frd_algo_count() && (algos[n].flags & FRD_ALGO_NODE) == 0)
        n++;
    return n;
}

const frd_algo *frd_algo_at(size_t index)
{
    return index < frd_algo_count() ? &algos[index] : NULL;
}

/* ---- data ---- */

static frd_ref at(const frd_call *c, int space, size_t off, size_t len)
{
    return (frd_ref){ off, len, (uint16_t)space, (uint16_t)c->type };
}

static frd_blocks blocks_of(const frd_call *c, const size_t *offs, const size_t *lens)
{
    return (frd_blocks){ c->len, c->stride, offs, lens };
}

/* All n blocks, and what lies between them. */
static frd_ref all_of(const frd_call *c, int space, const frd_blocks *blocks, int n)
{
    size_t end = 0;

    if (blocks->offs == NULL)
        return at(c, space, 0, (size_t)(n - 1) * blocks->stride + blocks->len);
    for (int i = 0; i < n; i++)
        end = blocks->lens[i] > 0 ? frd_max_size(end, blocks->offs[i] + blocks->lens[i]) : end;
    return at(c, space, 0, end);
}

/* Our own block; its length is `given` where only the root knows the layout. */
static size_t own_bytes(const frd_call *c, const frd_blocks *blocks, int rank, size_t given)
{
    if (!c->irregular)
        return c->len;
    return blocks->offs == NULL ? given : blocks->lens[rank];
}

static void io_vector(const frd_call *c, const frd_group *g, frd_io *io)
{
    const bool has_dst = c->coll != FRD_COLL_REDUCE || g->rank == c->root;

    if (has_dst)
        io->dst = at(c, FRD_SPACE_RECV, 0, c->len);
    if (c->coll != FRD_COLL_BROADCAST)
        io->src = c->in_place && has_dst ? io->dst : at(c, FRD_SPACE_SEND, 0, c->len);
}

static void io_gather(const frd_call *c, const frd_group *g, frd_io *io)
{
    const bool has_dst = c->coll == FRD_COLL_ALLGATHER || g->rank == c->root;

    io->dblk = blocks_of(c, c->roffs, c->rlens);
    if (has_dst)
        io->dst = all_of(c, FRD_SPACE_RECV, &io->dblk, g->size);
    io->src = c->in_place && has_dst ? frd_dst_block(io, g->rank)
                                     : at(c, FRD_SPACE_SEND, 0, own_bytes(c, &io->dblk, g->rank, c->slen));
}

static void io_scatter(const frd_call *c, const frd_group *g, frd_io *io)
{
    const bool has_src = g->rank == c->root;

    io->sblk = blocks_of(c, c->soffs, c->slens);
    if (has_src)
        io->src = all_of(c, FRD_SPACE_SEND, &io->sblk, g->size);
    io->dst = c->in_place && has_src ? frd_src_block(io, g->rank)
                                     : at(c, FRD_SPACE_RECV, 0, own_bytes(c, &io->sblk, g->rank, c->rlen));
}

static void io_reduce_scatter(const frd_call *c, const frd_group *g, frd_io *io)
{
    io->sblk = blocks_of(c, c->soffs, c->slens);
    io->src = all_of(c, c->in_place ? FRD_SPACE_RECV : FRD_SPACE_SEND, &io->sblk, g->size);
    io->dst = at(c, FRD_SPACE_RECV, 0, frd_src_block(io, g->rank).len);
}

static void io_alltoall(const frd_call *c, const frd_group *g, frd_io *io)
{
    io->sblk = blocks_of(c, c->soffs, c->slens);
    io->dblk = blocks_of(c, c->roffs, c->rlens);
    io->src = all_of(c, FRD_SPACE_SEND, &io->sblk, g->size);
    io->dst = all_of(c, FRD_SPACE_RECV, &io->dblk, g->size);
    if (c->in_place) {
        io->sblk = io->dblk;
        io->src = io->dst;
    }
}

static void io_nothing(const frd_call *c, const frd_group *g, frd_io *io)
{
    (void)c;
    (void)g;
    (void)io;
}

static const struct {
    void (*io)(const frd_call *c, const frd_group *g, frd_io *io);
    bool reduces;
} kinds[FRD_NCOLLS] = {
    [FRD_COLL_ALLREDUCE] = { io_vector, true },
    [FRD_COLL_REDUCE] = { io_vector, true },
    [FRD_COLL_BROADCAST] = { io_vector, false },
    [FRD_COLL_SCAN] = { io_vector, true },
    [FRD_COLL_EXSCAN] = { io_vector, true },
    [FRD_COLL_GATHER] = { io_gather, false },
    [FRD_COLL_SCATTER] = { io_scatter, false },
    [FRD_COLL_ALLGATHER] = { io_gather, false },
    [FRD_COLL_REDUCE_SCATTER] = { io_reduce_scatter, true },
    [FRD_COLL_ALLTOALL] = { io_alltoall, false },
    [FRD_COLL_BARRIER] = { io_nothing, false },
};

/* ---- operators made of others ---- */

static void record_average(frd_sched *s, const frd_algo *algo, const frd_group *g, const frd_io *io)
{
    const bool has_result = algo->coll != FRD_COLL_EXSCAN || g->rank > 0;

    algo->fn(s, g, io);
    if (has_result)
        frd_scale_over_count(s, io->dst, io->dst, g->size);
}

/* share = our weight / the sum of all ranks' weights, in f64: at most 1, and 0 when all weights are 0.
 *
 * The sum can overflow where no weight does, so a second one runs beside it, of weights made smaller by a
 * power of two, which is exact unless they are tiny. The first sum's share is the better one; it is 0 where
 * that sum is infinite (or the weight is 0 or next to it), and only then the second's is added.
 *
 * Both algorithms reduce in f64 whatever the type of the schedule's scratch. */
static void record_share(frd_sched *s, const frd_group *g, frd_ref share)
{
    const frd_ref weight = { 0, sizeof(double), FRD_SPACE_ARG, FEDRDMA_F64 };
    const frd_ref mine = frd_tmp_typed(s, 2 * sizeof(double), FEDRDMA_F64);
    const frd_ref total = frd_tmp_typed(s, 2 * sizeof(double), FEDRDMA_F64);
    const frd_ref small = frd_sub(mine, sizeof(double), sizeof(double));
    const frd_ref small_total = frd_sub(total, sizeof(double), sizeof(double));
    const frd_ref other = frd_tmp_typed(s, sizeof(double), FEDRDMA_F64);
    const frd_ref other_counts = frd_tmp_typed(s, sizeof(double), FEDRDMA_F64);
    const frd_io io = { .dst = total, .src = mine };
    int room = 2;

    while (room < 2 * g->size)
        room *= 2;
    frd_copy(s, frd_head(mine, sizeof(double)), weight);
    frd_scale_over_count(s, small, weight, room);
    if (g->levels != NULL)
        frd_allreduce_silo_direct(s, g, &io);
    else
        frd_allreduce_recdbl(s, g, &io);
    frd_scale_over(s, share, weight, frd_head(total, sizeof(double)));
    frd_scale_over(s, other, small, small_total);
    frd_sched_set_op(s, FEDRDMA_LXOR); /* 1 where one of the two is 0: adding the other can't be wrong */
    frd_reduce(s, other_counts, share, other);
    frd_sched_set_op(s, FEDRDMA_SUM);
    frd_scale_by(s, other, other, other_counts);
    frd_reduce(s, share, share, other);
}

static void record_weighted(frd_sched *s, const frd_algo *algo, const frd_group *g, const frd_io *io)
{
    const frd_ref share = frd_tmp_typed(s, sizeof(double), FEDRDMA_F64);
    frd_io data = *io;

    record_share(s, g, share);
    data.src = data.dst;
    frd_scale_by(s, data.dst, io->src, share); /* by 0: zeros, whatever the data */
    algo->fn(s, g, &data);
}

/* Blocks that are sent from where others arrive would make every receive wait for a send of the same bytes,
 * on both sides: a deadlock. So they are sent from a copy, packed where the blocks are equal (a fragment's
 * stride spans the whole buffer). */
static void record_alltoall_in_place(frd_sched *s, const frd_algo *algo, const frd_group *g, frd_io *io)
{
    const bool equal = io->sblk.offs == NULL;
    const size_t stride = equal ? io->sblk.len : 0;

    io->src = frd_tmp(s, equal ? stride * (size_t)g->size : io->dst.len);
    io->sblk.stride = stride;
    for (int i = 0; i < g->size; i++)
        frd_copy(s, frd_src_block(io, i), frd_dst_block(io, i));
    algo->fn(s, g, io);
}

/* ---- recording ---- */

/* What the selection rules see to; here so that a wrong selection is an error and not a wrong result. Returns
 * why the algorithm can't do the call, or NULL. */
static const char *unfit(const frd_algo *algo, const frd_call *c, const frd_group *g)
{
    const bool builtin = c->weighted || (c->op >= FEDRDMA_SUM && c->op <= FEDRDMA_LXOR);

    if (algo->coll != c->coll)
        return "is for another collective";
    if ((algo->flags & FRD_ALGO_POW2) != 0 && (g->size & (g->size - 1)) != 0)
        return "is for powers of two only";
    if ((algo->flags & FRD_ALGO_SILOS) != 0 && g->levels == NULL)
        return "is for several silos only";
    if ((algo->flags & FRD_ALGO_PLANNED) == FRD_ALGO_PLANNED && g->levels->forest == NULL)
        return "needs a plan";
    if ((algo->flags & FRD_ALGO_REGULAR) != 0 && c->irregular)
        return "is for equal blocks only";
    if ((algo->flags & FRD_ALGO_COMMUTATIVE) != 0 && !builtin && !c->commutative)
        return "is for commutative operators only";
    if ((algo->flags & FRD_ALGO_SILO_ORDER) != 0 && !builtin && !c->commutative && !g->levels->ordered)
        return "is for commutative operators, or for silos that follow each other";
    if (c->weighted && c->coll != FRD_COLL_ALLREDUCE)
        return "has no weighted form";
    return NULL;
}

static frd_sched_params params_of(const frd_call *c, const frd_group *g, const frd_io *io)
{
    frd_sched_params p = { .rank = g->peer[g->rank],
                           .type = c->type,
                           .op = c->weighted ? FEDRDMA_SUM : c->op,
                           .commutative = c->commutative };
    const frd_ref refs[2] = { io->dst, io->src };

    for (int i = 0; i < g->size; i++)
        p.size = g->peer[i] >= p.size ? g->peer[i] + 1 : p.size;
    for (int i = 0; i < 2; i++) {
        const size_t end = refs[i].off + refs[i].len;

        if (refs[i].space == FRD_SPACE_SEND)
            p.send_bytes = frd_max_size(p.send_bytes, end);
        else if (refs[i].space == FRD_SPACE_RECV)
            p.recv_bytes = frd_max_size(p.recv_bytes, end);
    }
    return p;
}

int frd_coll_record(const frd_algo *algo, const frd_call *call, const frd_group *g, frd_story *story,
                    frd_graph **graph)
{
    const char *why = unfit(algo, call, g);
    frd_io io = { .root = call->root };
    frd_sched_params params;
    frd_sched *s;
    int rc;

    if (why != NULL)
        return frd_fail(story, FEDRDMA_ERR_INTERNAL, "algorithm %s:%s %s", frd_coll_name(algo->coll),
                        algo->name, why);
    kinds[call->coll].io(call, g, &io);
    params = params_of(call, g, &io);
    rc = frd_sched_create(&params, &s);
    if (rc < 0)
        return frd_fail(story, rc, "no memory to record a schedule");
    if (call->weighted)
        record_weighted(s, algo, g, &io);
    else if (kinds[call->coll].reduces && call->op == FEDRDMA_AVG)
        record_average(s, algo, g, &io);
    else if (call->coll == FRD_COLL_ALLTOALL && call->in_place)
        record_alltoall_in_place(s, algo, g, &io);
    else
        algo->fn(s, g, &io);
    rc = frd_sched_commit(s, story, graph);
    frd_sched_destroy(s);
    return rc;
}
