/* SPDX-License-Identifier: BSD-3-Clause
 *
 * agree.c - the option check: before a collective starts, every rank learns what the others called. One
 * allgather of 40 bytes a rank; all ranks compare the same table, so all get the same answer and the
 * communicator stays usable.
 *
 * In gatherv, scatterv and alltoallv it is pairs of ranks that must agree: a second allgather, of 16 bytes a pair,
 * tells what each sends to and expects of each. That makes 16 n^2 bytes on every rank, fine for debugging. */
#include "api/request.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "reduce/reduce.h"

/* What must be equal on all ranks; only that is filled in. */
struct signature {
    uint32_t entry;
    int32_t type, op, root;
    uint64_t bytes, layout;
    uint64_t weighted;
};
_Static_assert(sizeof(struct signature) == 40, "goes on the wire");

#define USER_OP (-1)
#define USER_OP_ORDERED (-2)

static bool reduces(int coll)
{
    return coll == FRD_COLL_ALLREDUCE || coll == FRD_COLL_REDUCE || coll == FRD_COLL_SCAN ||
           coll == FRD_COLL_EXSCAN || coll == FRD_COLL_REDUCE_SCATTER;
}

static bool rooted(int coll)
{
    return coll == FRD_COLL_REDUCE || coll == FRD_COLL_BROADCAST || coll == FRD_COLL_GATHER ||
           coll == FRD_COLL_SCATTER;
}

static struct signature sign(const frd_args *args, const frd_checked *c)
{
    struct signature s = { .entry = (uint32_t)args->entry,
                           .bytes = c->call.irregular ? 0 : c->call.len,
                           .layout = c->layout,
                           .weighted = c->call.weighted };

    if (reduces(c->call.coll)) {
        s.type = c->call.type;
        s.op = c->user == NULL ? c->call.op : c->user->commutative ? USER_OP : USER_OP_ORDERED;
    }
    if (rooted(c->call.coll))
        s.root = c->call.root;
    return s;
}

static const char *op_text(int op)
{
    if (op == USER_OP)
        return "a commutative user operator";
    return op == USER_OP_ORDERED ? "a non-commutative user operator" : frd_op_name(op);
}

/* The first difference, in words; false when there is none. */
static bool differ(const struct signature *a, const struct signature *b, char *text, size_t size)
{
    if (a->entry != b->entry)
        snprintf(text, size, "function %s against %s", frd_entry_name((int)(b->entry % FRD_NENTRIES)),
                 frd_entry_name((int)(a->entry % FRD_NENTRIES)));
    else if (a->type != b->type)
        snprintf(text, size, "datatype %s against %s", frd_type_name(b->type), frd_type_name(a->type));
    else if (a->op != b->op)
        snprintf(text, size, "operator %s against %s", op_text(b->op), op_text(a->op));
    else if (a->root != b->root)
        snprintf(text, size, "root %d against %d", b->root, a->root);
    else if (a->bytes != b->bytes)
        snprintf(text, size, "count (%llu bytes) against %llu bytes", (unsigned long long)b->bytes,
                 (unsigned long long)a->bytes);
    else if (a->layout != b->layout)
        snprintf(text, size, "other counts by rank");
    else
        return false;
    return true;
}

/* ---- pairs of ranks -------------------------------------------------------------------------------- */

/* What a rank sends to and expects of one other. */
struct pair {
    uint64_t sends_bytes, expects_bytes;
};
_Static_assert(sizeof(struct pair) == 16, "goes on the wire");

#define UNKNOWN UINT64_MAX /* a persistent request keeps no counts by rank; agrees with all */

static bool is_pairwise(int entry)
{
    return entry == FRD_ENTRY_GATHERV || entry == FRD_ENTRY_SCATTERV || entry == FRD_ENTRY_ALLTOALLV;
}

static uint64_t bytes_to(const frd_call *c, int rank, int to)
{
    const size_t *lens = c->in_place && c->coll == FRD_COLL_ALLTOALL ? c->rlens : c->slens;

    if (c->coll == FRD_COLL_GATHER)
        return to == c->root ? c->slen : 0;
    if (c->coll == FRD_COLL_SCATTER && rank != c->root)
        return 0;
    return lens != NULL ? lens[to] : UNKNOWN;
}

static uint64_t bytes_from(const frd_call *c, int rank, int from)
{
    if (c->coll == FRD_COLL_SCATTER)
        return from == c->root ? c->rlen : 0;
    if (c->coll == FRD_COLL_GATHER && rank != c->root)
        return 0;
    return c->rlens != NULL ? c->rlens[from] : UNKNOWN;
}

/* The table of all pairs, `n` entries a rank, with this rank's; NULL when memory is short. */
static struct pair *pairs_create(const frd_comm *comm, const frd_call *call)
{
    const int n = comm->channel.size, rank = comm->channel.rank;
    struct pair *all = frd_calloc((size_t)n * (size_t)n, sizeof(*all));

    for (int i = 0; all != NULL && i < n; i++)
        all[(size_t)rank * (size_t)n + (size_t)i] =
            (struct pair){ bytes_to(call, rank, i), bytes_from(call, rank, i) };
    return all;
}

static int check_pairs(frd_comm *comm, struct pair *all, const char *name)
{
    const size_t n = (size_t)comm->channel.size;

    const int rc = frd_comm_allgather(comm, all, n * sizeof(*all), "comparing the call's counts");
    if (rc != FEDRDMA_OK)
        return rc;
    for (size_t from = 0; from < n; from++)
        for (size_t to = 0; to < n; to++) {
            const uint64_t sent = all[from * n + to].sends_bytes;
            const uint64_t expected = all[to * n + from].expects_bytes;
            if (sent != expected && sent != UNKNOWN && expected != UNKNOWN)
                return frd_comm_fail(comm, FEDRDMA_ERR_MISMATCH,
                                     "%s: ranks disagree: rank %zu sends %llu bytes to rank %zu, which "
                                     "expects %llu bytes; nothing was sent",
                                     name, from, (unsigned long long)sent, to,
                                     (unsigned long long)expected);
        }
    return FEDRDMA_OK;
}

/* ---- both ------------------------------------------------------------------------------------------- */

static int compare(frd_comm *comm, struct signature *all, struct pair *pairs, const char *name)
{
    char text[160];

    const int rc = frd_comm_allgather(comm, all, sizeof(*all), "comparing the call's arguments");
    if (rc != FEDRDMA_OK)
        return rc;
    for (int i = 1; i < comm->channel.size; i++)
        if (differ(&all[0], &all[i], text, sizeof(text)))
            return frd_comm_fail(comm, FEDRDMA_ERR_MISMATCH,
                                 "%s: ranks disagree: rank %d called with %s on rank 0; nothing was sent",
                                 name, i, text);
    return pairs != NULL ? check_pairs(comm, pairs, name) : FEDRDMA_OK;
}

/* All that is needed of `checked` is copied first: its arrays are comm->lengths, which other threads may use while the
 * comparison lets them in. */
int frd_check_agreement(frd_comm *comm, const frd_args *args, const frd_checked *checked)
{
    const bool pairwise = is_pairwise(args->entry);
    struct signature *all = frd_calloc((size_t)comm->channel.size, sizeof(*all));
    struct pair *pairs = pairwise ? pairs_create(comm, &checked->call) : NULL;
    int rc;

    if (all == NULL || (pairwise && pairs == NULL)) {
        rc = frd_comm_fail(comm, FEDRDMA_ERR_NOMEM, "out of memory for comparing the call");
    } else {
        all[comm->channel.rank] = sign(args, checked);
        rc = compare(comm, all, pairs, frd_entry_name(args->entry));
    }
    frd_free(all);
    frd_free(pairs);
    return rc;
}
