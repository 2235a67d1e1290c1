/* SPDX-License-Identifier: BSD-3-Clause
 *
 * args.c - checks a collective's arguments before anything is sent, and turns counts into bytes.
 *
 * Each side (send, recv) of a call is a single piece, one equal block a rank, or irregular blocks; it may be
 * absent on this rank. A check fills the two sides, and the common part looks at nulls and overlaps. */
#include "api/args.h"

#include <math.h>
#include <stdint.h>

#include "api/side.h"
#include "base/hash.h"
#include "base/num.h"
#include "reduce/reduce.h"

#define ENTRY_NAME(NAME, text, coll) text,
#define ENTRY_COLL(NAME, text, coll) coll,
static const char *const entry_names[] = { FRD_ENTRY_TABLE(ENTRY_NAME) };
static const int entry_colls[] = { FRD_ENTRY_TABLE(ENTRY_COLL) };

const char *frd_entry_name(int entry)
{
    return entry_names[entry];
}

int frd_entry_coll(int entry)
{
    return entry_colls[entry];
}

struct checker {
    frd_comm *comm;
    const frd_args *args;
    frd_checked *out;
    frd_side send, recv;
    int n, rank;
    const char *name;
};

/* For 2 n numbers, behind the four arrays. */
static size_t *sorting_room(const struct checker *c)
{
    return c->comm->lengths + 4 * c->n;
}

static bool at_root(const struct checker *c)
{
    return c->rank == c->args->root;
}

static int bytes_of(struct checker *c, size_t count, int type, size_t copies, size_t *bytes)
{
    const size_t size = frd_type_size(type);
    size_t whole;

    if (size == 0)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: datatype %d is unknown; use FEDRDMA_I8 .. FEDRDMA_F64", c->name, type);
    if (frd_mul_overflows(count, size, bytes) || frd_mul_overflows(*bytes, copies, &whole) ||
        whole > PTRDIFF_MAX)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: count %zu of %s (x %zu blocks) does not fit the address space",
                             c->name, count, frd_type_name(type), copies);
    return FEDRDMA_OK;
}

static int check_op(struct checker *c, int type)
{
    const int op = c->args->op;
    const fedrdma_context *ctx = c->comm->ctx;

    c->out->call.op = op;
    c->out->call.commutative = true;
    if (op >= FEDRDMA_SUM && op <= FEDRDMA_LXOR) {
        if (frd_op_fits(op, type))
            return FEDRDMA_OK;
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: operator %s does not work on %s; bitwise operators need an integer type",
                             c->name, frd_op_name(op), frd_type_name(type));
    }
    const size_t slot = (size_t)op - FRD_USER_OP_BASE;
    if (op < FRD_USER_OP_BASE || slot >= ctx->nops || ctx->ops[slot] == NULL)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: operator %d is unknown; use FEDRDMA_SUM .. FEDRDMA_LXOR or a handle of "
                             "fedrdma_op_create on this context",
                             c->name, op);
    c->out->user = ctx->ops[slot];
    c->out->call.commutative = c->out->user->commutative;
    return FEDRDMA_OK;
}

static int check_root(struct checker *c)
{
    c->out->call.root = c->args->root;
    if (c->args->root >= 0 && c->args->root < c->n)
        return FEDRDMA_OK;
    return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID, "%s: root %d does not exist; ranks are 0 to %d",
                         c->name, c->args->root, c->n - 1);
}

static int misplaced(struct checker *c, const char *what)
{
    return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID, "%s: FEDRDMA_IN_PLACE is not allowed as %s", c->name,
                         what);
}

static int wrong_count(struct checker *c, size_t send_bytes, size_t recv_bytes)
{
    return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                         "%s: this rank sends %zu bytes to itself but receives %zu; send and receive counts "
                         "x type sizes must agree",
                         c->name, send_bytes, recv_bytes);
}

/* ---- vectors ---- */

static int check_weight(struct checker *c)
{
    const double w = c->args->weight;

    c->out->weight = w;
    c->out->call.weighted = true;
    c->out->call.op = FEDRDMA_SUM;
    c->out->call.commutative = true;
    if (!frd_type_is_float(c->args->recvtype) && frd_type_size(c->args->recvtype) > 0)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: a weighted average of %s is not defined; use a floating type", c->name,
                             frd_type_name(c->args->recvtype));
    if (!isfinite(w) || w < 0)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: weight %g is not usable; it must be finite and not negative", c->name,
                             w);
    return FEDRDMA_OK;
}

/* allreduce, allreduce_weighted, reduce, scan, exscan */
static int check_vector(struct checker *c)
{
    const frd_args *a = c->args;
    const bool rooted = a->entry == FRD_ENTRY_REDUCE;
    size_t bytes = 0;

    int rc = bytes_of(c, a->recvcount, a->recvtype, 1, &bytes);
    if (rc == FEDRDMA_OK && a->entry == FRD_ENTRY_ALLREDUCE_WEIGHTED)
        rc = check_weight(c);
    else if (rc == FEDRDMA_OK)
        rc = check_op(c, a->recvtype);
    if (rc == FEDRDMA_OK && rooted)
        rc = check_root(c);
    if (rc != FEDRDMA_OK)
        return rc;

    const bool has_recv = !rooted || at_root(c);
    c->out->call.type = a->recvtype;
    c->out->call.len = bytes;
    c->out->call.in_place = a->send == FEDRDMA_IN_PLACE;
    if (c->out->call.in_place && !has_recv)
        return misplaced(c, "send buffer of a rank other than the root");
    if (has_recv && a->recv == FEDRDMA_IN_PLACE)
        return misplaced(c, "receive buffer");
    c->send = (frd_side){ .name = "send", .buffer = a->send, .end = c->out->call.in_place ? 0 : bytes };
    c->recv = (frd_side){ .name = "recv", .buffer = a->recv, .end = has_recv ? bytes : 0 };
    return FEDRDMA_OK;
}

static int check_broadcast(struct checker *c)
{
    const frd_args *a = c->args;
    size_t bytes = 0;

    int rc = bytes_of(c, a->recvcount, a->recvtype, 1, &bytes);
    if (rc == FEDRDMA_OK)
        rc = check_root(c);
    if (rc != FEDRDMA_OK)
        return rc;
    if (a->recv == FEDRDMA_IN_PLACE)
        return misplaced(c, "buffer");
    c->out->call.len = bytes;
    c->recv = (frd_side){ .name = "data", .buffer = a->recv, .end = bytes };
    return FEDRDMA_OK;
}

/* ---- blocks ---- */

/* Irregular blocks: counts and displacements to byte lengths and offsets, and the range they lie in. */
static int check_layout(struct checker *c, const size_t *counts, const size_t *displs, int type,
                        size_t *offs, size_t *lens, frd_side *side)
{
    side->first = SIZE_MAX;
    side->end = 0;
    if (counts == NULL || displs == NULL)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID, "%s: the %s counts or displacements are NULL",
                             c->name, side->name);
    for (int i = 0; i < c->n; i++) {
        size_t end;
        int rc = bytes_of(c, counts[i], type, 1, &lens[i]);
        if (rc == FEDRDMA_OK)
            rc = bytes_of(c, displs[i], type, 1, &offs[i]);
        if (rc != FEDRDMA_OK)
            return rc;
        if (frd_add_overflows(offs[i], lens[i], &end) || end > PTRDIFF_MAX)
            return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                                 "%s: the %s block of rank %d ends beyond the address space", c->name,
                                 side->name, i);
        if (lens[i] > 0) {
            side->first = frd_min_size(side->first, offs[i]);
            side->end = frd_max_size(side->end, end);
        }
    }
    side->offs = offs;
    side->lens = lens;
    return FEDRDMA_OK;
}

static bool is_irregular(int entry)
{
    return entry == FRD_ENTRY_GATHERV || entry == FRD_ENTRY_SCATTERV ||
           entry == FRD_ENTRY_ALLGATHERV || entry == FRD_ENTRY_ALLTOALLV;
}

/* One side that has a block for each rank. `own` is this rank's block. */
static int blocks_side(struct checker *c, bool sends, frd_side *side, size_t *own)
{
    const frd_args *a = c->args;
    frd_call *call = &c->out->call;
    size_t *offs = c->comm->lengths + (sends ? 0 : 2 * c->n), *lens = offs + c->n;
    const int type = sends ? a->sendtype : a->recvtype;

    if (!call->irregular) {
        const int rc = bytes_of(c, sends ? a->sendcount : a->recvcount, type, (size_t)c->n, own);
        side->end = rc == FEDRDMA_OK ? *own * (size_t)c->n : 0;
        return rc;
    }
    const int rc = check_layout(c, sends ? a->sendcounts : a->recvcounts, sends ? a->sdispls : a->rdispls, type,
                                offs, lens, side);
    if (rc != FEDRDMA_OK)
        return rc;
    if (!sends && !frd_blocks_apart(offs, lens, c->n, sorting_room(c)))
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: receive blocks overlap; check the displacements, which count elements",
                             c->name);
    *own = lens[c->rank];
    *(sends ? &call->soffs : &call->roffs) = offs;
    *(sends ? &call->slens : &call->rlens) = lens;
    return FEDRDMA_OK;
}

/* One side that is this rank's own piece. */
static int piece_side(struct checker *c, bool sends, frd_side *side, size_t *own)
{
    const frd_args *a = c->args;
    const int rc = bytes_of(c, sends ? a->sendcount : a->recvcount, sends ? a->sendtype : a->recvtype, 1,
                            own);

    side->end = rc == FEDRDMA_OK ? *own : 0;
    return rc;
}

/* gather, gatherv, scatter, scatterv, allgather, allgatherv, alltoall, alltoallv */
static int check_blocks(struct checker *c)
{
    const frd_args *a = c->args;
    frd_call *call = &c->out->call;
    const int coll = call->coll;
    const bool rooted = coll == FRD_COLL_GATHER || coll == FRD_COLL_SCATTER;
    const bool scatters = coll == FRD_COLL_SCATTER;
    size_t sent = 0, received = 0;
    int rc = rooted ? check_root(c) : FEDRDMA_OK;

    if (rc != FEDRDMA_OK)
        return rc;
    const bool here = !rooted || at_root(c);
    const bool uses_send = !scatters || here, uses_recv = coll != FRD_COLL_GATHER || here;
    const bool send_in_place = uses_send && a->send == FEDRDMA_IN_PLACE;
    const bool recv_in_place = uses_recv && a->recv == FEDRDMA_IN_PLACE;
    if (send_in_place && (scatters || !here))
        return misplaced(c, "this rank's send buffer");
    if (recv_in_place && (!scatters || !here))
        return misplaced(c, "this rank's receive buffer");

    const bool has_send = uses_send && !send_in_place, has_recv = uses_recv && !recv_in_place;
    call->irregular = is_irregular(a->entry);
    call->in_place = send_in_place || recv_in_place;
    c->send.buffer = a->send;
    c->recv.buffer = a->recv;
    if (has_send)
        rc = scatters || coll == FRD_COLL_ALLTOALL ? blocks_side(c, true, &c->send, &sent)
                                                   : piece_side(c, true, &c->send, &sent);
    if (rc == FEDRDMA_OK && has_recv)
        rc = scatters ? piece_side(c, false, &c->recv, &received)
                      : blocks_side(c, false, &c->recv, &received);
    if (rc != FEDRDMA_OK)
        return rc;
    if (has_send && has_recv && here && sent != received)
        return wrong_count(c, sent, received);
    call->slen = call->irregular ? (has_send ? sent : received) : 0;
    call->rlen = call->irregular ? (has_recv ? received : sent) : 0;
    call->len = call->irregular ? 0 : (has_send ? sent : received);
    return FEDRDMA_OK;
}

/* reduce_scatter, reduce_scatter_block */
static int check_reduce_scatter(struct checker *c)
{
    const frd_args *a = c->args;
    frd_call *call = &c->out->call;
    size_t *offs = c->comm->lengths, *lens = offs + c->n, own = 0, total = 0;
    bool equal = true;

    int rc = bytes_of(c, 0, a->recvtype, 1, &own);
    if (rc == FEDRDMA_OK)
        rc = check_op(c, a->recvtype);
    if (rc != FEDRDMA_OK)
        return rc;
    if (a->entry == FRD_ENTRY_REDUCE_SCATTER && a->recvcounts == NULL)
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID, "%s: recvcounts is NULL", c->name);
    for (int i = 0; i < c->n; i++) {
        const bool block = a->entry == FRD_ENTRY_REDUCE_SCATTER_BLOCK;
        rc = bytes_of(c, block ? a->recvcount : a->recvcounts[i], a->recvtype, 1, &lens[i]);
        if (rc != FEDRDMA_OK)
            return rc;
        offs[i] = total;
        if (frd_add_overflows(total, lens[i], &total) || total > PTRDIFF_MAX)
            return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                                 "%s: the counts of all ranks together do not fit the address space",
                                 c->name);
        equal = equal && lens[i] == lens[0];
    }
    if (a->recv == FEDRDMA_IN_PLACE)
        return misplaced(c, "receive buffer");
    own = lens[c->rank];
    call->type = a->recvtype;
    call->in_place = a->send == FEDRDMA_IN_PLACE;
    call->irregular = !equal;
    if (equal) {
        call->len = own;
    } else {
        call->soffs = offs;
        call->slens = lens;
        call->slen = call->rlen = own;
    }
    c->send = (frd_side){ .name = "send", .buffer = a->send, .end = call->in_place ? 0 : total };
    c->recv = (frd_side){ .name = "recv", .buffer = a->recv, .end = call->in_place ? total : own };
    return FEDRDMA_OK;
}

static int check_barrier(struct checker *c)
{
    (void)c;
    return FEDRDMA_OK;
}

/* ---- both sides ---- */

static int check_buffers(struct checker *c)
{
    const frd_side *const sides[2] = { &c->send, &c->recv };

    for (int i = 0; i < 2; i++)
        if (sides[i]->end > 0 && sides[i]->buffer == NULL)
            return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                                 "%s: the %s buffer is NULL, but the call needs %zu bytes of it", c->name,
                                 sides[i]->name, sides[i]->end);
    if (frd_sides_overlap(&c->send, &c->recv, c->n, sorting_room(c)))
        return frd_comm_fail(c->comm, FEDRDMA_ERR_INVALID,
                             "%s: send and receive buffers overlap; pass FEDRDMA_IN_PLACE if they are meant "
                             "to be the same",
                             c->name);
    c->out->send = c->send.end > 0 ? c->send.buffer : NULL;
    c->out->recv = c->recv.end > 0 ? (void *)(uintptr_t)c->recv.buffer : NULL;
    return FEDRDMA_OK;
}

/* Of the lengths that all ranks must give alike (allgatherv, reduce_scatter); 0 for the rest. */
static uint64_t layout_hash(const struct checker *c)
{
    const frd_call *call = &c->out->call;
    const size_t *lens = call->coll == FRD_COLL_ALLGATHER        ? call->rlens
                         : call->coll == FRD_COLL_REDUCE_SCATTER ? call->slens
                                                                 : NULL;

    if (lens == NULL || !c->comm->ctx->conf.check)
        return 0;
    return frd_hash(FRD_HASH_START, lens, (size_t)c->n * sizeof(*lens));
}

typedef int check_fn(struct checker *c);
static check_fn *const checks[FRD_NCOLLS] = {
    [FRD_COLL_ALLREDUCE] = check_vector,   [FRD_COLL_REDUCE] = check_vector,
    [FRD_COLL_BROADCAST] = check_broadcast, [FRD_COLL_SCAN] = check_vector,
    [FRD_COLL_EXSCAN] = check_vector,      [FRD_COLL_GATHER] = check_blocks,
    [FRD_COLL_SCATTER] = check_blocks,     [FRD_COLL_ALLGATHER] = check_blocks,
    [FRD_COLL_REDUCE_SCATTER] = check_reduce_scatter,
    [FRD_COLL_ALLTOALL] = check_blocks,    [FRD_COLL_BARRIER] = check_barrier,
};

int frd_args_check(frd_comm *comm, const frd_args *args, frd_checked *out)
{
    struct checker c = { .comm = comm,
                         .args = args,
                         .out = out,
                         .send = { .name = "send" },
                         .recv = { .name = "recv" },
                         .n = comm->channel.size,
                         .rank = comm->channel.rank,
                         .name = frd_entry_name(args->entry) };

    *out = (frd_checked){ .call = { .coll = frd_entry_coll(args->entry),
                                    .type = FEDRDMA_U8,
                                    .op = FEDRDMA_SUM,
                                    .commutative = true } };
    int rc = checks[out->call.coll](&c);
    if (rc == FEDRDMA_OK)
        rc = check_buffers(&c);
    if (rc == FEDRDMA_OK && !out->call.irregular)
        out->call.stride = out->call.len;
    if (rc == FEDRDMA_OK)
        out->layout = layout_hash(&c);
    return rc;
}
