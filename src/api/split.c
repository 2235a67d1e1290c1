/* SPDX-License-Identifier: BSD-3-Clause
 *
 * split.c - communicators from communicators.
 *
 * One allgather carries every rank's color and key. The new communicator's number is a mix of its parent's number
 * and of how many the parent has made before, which all members know alike, in whatever order several threads make
 * communicators from different parents. 64 bits: two of a million communicators meet with a chance of 3e-8. */
#include "api/request.h"

#include <stdlib.h>

#include "base/mem.h"

struct vote {
    int32_t color, key, rank, unused;
};
_Static_assert(sizeof(struct vote) == 16, "goes on the wire");

static int by_key(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Members of our color in order; returns their number. */
static int choose(struct vote *votes, int n, int color)
{
    int members = 0;

    for (int i = 0; i < n; i++)
        if (votes[i].color == color)
            votes[members++] = votes[i];
    qsort(votes, (size_t)members, sizeof(*votes), by_key);
    return members;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014), which maps no two inputs to one output. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t child_id(uint64_t parent, uint64_t nth)
{
    return mix(parent + mix(nth + 1)) & ~(UINT64_C(1) << 63); /* never FRD_TAG_CONTROL */
}

typedef struct parent {
    frd_comm *comm;
    const char *call;
} parent;

static int parent_gather(void *arg, void *all, size_t bytes, frd_story *story)
{
    const parent *const p = arg;

    (void)story; /* it is the parent's already */
    return frd_comm_allgather(p->comm, all, bytes, p->call);
}

/* The communicator of our color; NULL for no color. member[i] becomes the rank in the parent of its i-th rank. */
static int make(frd_comm *comm, struct vote *votes, struct vote mine, uint64_t id, int *member, frd_comm **made)
{
    int rank = -1;

    *made = NULL;
    if (mine.color == FEDRDMA_UNDEFINED)
        return FEDRDMA_OK;
    const int size = choose(votes, comm->channel.size, mine.color);
    int *world = frd_calloc((size_t)size, sizeof(*world));
    if (world == NULL)
        return FEDRDMA_ERR_NOMEM;
    for (int i = 0; i < size; i++) {
        member[i] = votes[i].rank;
        world[i] = comm->world[votes[i].rank];
        if (votes[i].rank == mine.rank)
            rank = i;
    }
    const int rc = frd_comm_create(comm->ctx, id, world, size, rank, made);
    frd_free(world);
    return rc;
}

static void unmake(frd_comm *made)
{
    fedrdma_comm *const handle = made->handle;

    frd_comm_destroy(made);
    handle->magic = 0;
    frd_free(handle);
}

static int split(frd_comm *comm, const char *call, int color, int key, fedrdma_comm **out)
{
    const int n = comm->channel.size;
    const uint64_t id = child_id(comm->channel.id, comm->splits++);
    struct vote *votes = frd_calloc((size_t)n, sizeof(*votes));
    int *member = frd_calloc((size_t)n, sizeof(*member));
    parent arg = { comm, call };
    const frd_team_exchange exchange = { parent_gather, &arg, n, comm->channel.rank, member,
                                         frd_calloc((size_t)n, FRD_TEAM_EXCHANGE_BYTES) };
    frd_comm *made = NULL;
    int rc = FEDRDMA_OK;

    if (votes == NULL || member == NULL || exchange.room == NULL) {
        rc = frd_comm_fail(comm, FEDRDMA_ERR_NOMEM, "%s: out of memory", call);
        goto out;
    }
    const struct vote mine = { color, key, comm->channel.rank, 0 };
    votes[mine.rank] = mine;
    rc = frd_comm_allgather(comm, votes, sizeof(*votes), call);
    if (rc != FEDRDMA_OK)
        goto out;
    for (int i = 0; i < n; i++)
        votes[i].rank = i;
    const int made_rc = make(comm, votes, mine, id, member, &made);
    if (comm->nnodes < n) /* some share a node; the others go on also if we could not make ours */
        rc = frd_comm_join_team(made, &exchange, &comm->story);
    if (made_rc != FEDRDMA_OK)
        rc = frd_comm_fail(comm, made_rc, "%s: out of memory for a communicator", call);
    if (rc != FEDRDMA_OK && made != NULL)
        unmake(made);
    *out = rc == FEDRDMA_OK && made != NULL ? made->handle : NULL;
out:
    frd_free(votes);
    frd_free(member);
    frd_free(exchange.room);
    return rc;
}

/* Entering, and what all four check. */
static int enter(fedrdma_comm *handle, const char *call, fedrdma_comm **out, frd_comm **comm)
{
    int rc = FEDRDMA_OK;

    *comm = frd_comm_of(handle, call, &rc);
    if (*comm == NULL)
        return rc;
    if (out == NULL)
        return frd_comm_fail(*comm, FEDRDMA_ERR_INVALID, "%s: newcomm is NULL", call);
    frd_context_enter((*comm)->ctx);
    return FEDRDMA_OK;
}

int fedrdma_comm_split(fedrdma_comm *handle, int color, int key, fedrdma_comm **out)
{
    frd_comm *comm;

    int rc = enter(handle, "comm_split", out, &comm);
    if (rc != FEDRDMA_OK)
        return rc;
    if (color < 0 && color != FEDRDMA_UNDEFINED)
        rc = frd_comm_fail(comm, FEDRDMA_ERR_INVALID,
                           "comm_split: color %d is negative; use 0 or more, or FEDRDMA_UNDEFINED", color);
    else
        rc = split(comm, "comm_split", color, key, out);
    frd_context_leave(comm->ctx);
    return rc;
}

int fedrdma_comm_split_silo(fedrdma_comm *handle, fedrdma_comm **out)
{
    frd_comm *comm;

    int rc = enter(handle, "comm_split_silo", out, &comm);
    if (rc != FEDRDMA_OK)
        return rc;
    rc = split(comm, "comm_split_silo", comm->silo_of[comm->channel.rank], 0, out);
    frd_context_leave(comm->ctx);
    return rc;
}

int fedrdma_comm_split_node(fedrdma_comm *handle, fedrdma_comm **out)
{
    frd_comm *comm;

    int rc = enter(handle, "comm_split_node", out, &comm);
    if (rc != FEDRDMA_OK)
        return rc;
    rc = split(comm, "comm_split_node", comm->node_of[comm->channel.rank], 0, out);
    frd_context_leave(comm->ctx);
    return rc;
}

int fedrdma_comm_dup(fedrdma_comm *handle, fedrdma_comm **out)
{
    frd_comm *comm;

    int rc = enter(handle, "comm_dup", out, &comm);
    if (rc != FEDRDMA_OK)
        return rc;
    rc = split(comm, "comm_dup", 0, 0, out);
    if (rc == FEDRDMA_OK)
        (*out)->comm->attr = comm->attr;
    frd_context_leave(comm->ctx);
    return rc;
}

int fedrdma_comm_free(fedrdma_comm **handle)
{
    if (handle == NULL || *handle == NULL)
        return FEDRDMA_OK;
    if ((*handle)->magic == FRD_HANDLE_DEAD) {
        frd_handle_exhume(*handle);
        *handle = NULL;
        return FEDRDMA_OK;
    }
    int rc = FEDRDMA_OK;
    frd_comm *comm = frd_comm_of(*handle, "comm_free", &rc);
    if (comm == NULL)
        return rc;
    if (comm->handle == comm->ctx->world)
        return frd_comm_fail(comm, FEDRDMA_ERR_INVALID,
                             "comm_free: the world belongs to its context; use fedrdma_finalize");
    if (comm->active > 0 || comm->persistent > 0)
        return frd_comm_fail(comm, FEDRDMA_ERR_BUSY,
                             "comm_free: %zu active and %zu persistent requests use the communicator; "
                             "complete and free them first",
                             comm->active, comm->persistent);
    fedrdma_context *ctx = comm->ctx;
    frd_context_enter(ctx);
    fedrdma_comm *own = comm->handle;
    frd_comm_destroy(comm);
    own->magic = 0;
    frd_free(own);
    frd_context_leave(ctx);
    *handle = NULL;
    return FEDRDMA_OK;
}
