/* SPDX-License-Identifier: BSD-3-Clause
 *
 * agree.c - the option check: before a collective starts, every rank learns what the others called. One
 * allgather of 40 bytes a rank; all ranks compare the same table, so all get the same answer and the
 * communicator stays usable. */
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

int frd_check_agreement(frd_comm *comm, const frd_args *args, const frd_checked *checked)
{
    const int n = comm->channel.size;
    struct signature *all = frd_calloc((size_t)n, sizeof(*all));
    char text[160];
    int rc = FEDRDMA_OK;

    if (all == NULL)
        return frd_comm_fail(comm, FEDRDMA_ERR_NOMEM, "out of memory for comparing the call");
    /* The comparison records schedules, which must not disturb the arrays that `checked` refers to. */
    all[comm->channel.rank] = sign(args, checked);
    rc = frd_comm_allgather(comm, all, sizeof(*all), "comparing the call's arguments");
    for (int i = 1; i < n && rc == FEDRDMA_OK; i++)
        if (differ(&all[0], &all[i], text, sizeof(text)))
            rc = frd_comm_fail(comm, FEDRDMA_ERR_MISMATCH,
                               "%s: ranks disagree: rank %d called with %s on rank 0; nothing was sent",
                               frd_entry_name(args->entry), i, text);
    frd_free(all);
    return rc;
}
