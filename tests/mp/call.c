/* SPDX-License-Identifier: BSD-3-Clause
 *
 * call.c - one case as a call (see call.h).
 *
 * A buffer is described by parts: which rank's pattern lies where before the call (init), and what must lie
 * where after it (want). Everything else, also between and around the parts, is poison that must survive. */
#include "tests/mp/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mp/pattern.h"

enum { GUARD = 64, POISON = 0xA5, GAP = 3, BLOCK_STRIDE = 131 };

/* `count` elements at element `at`: the pattern of `rank` from index `first`; folded: the operator over
 * `rank` ranks. */
typedef struct part {
    size_t at, count, first;
    int rank;
    bool folded;
} part;

typedef struct buffer {
    unsigned char *base, *data; /* data is somewhere behind the front guard */
    size_t bytes, elements;     /* of the whole; between the guards */
    part init[MP_MAX_RANKS], want[MP_MAX_RANKS];
    int ninit, nwant;
    size_t undefined; /* elements from here on may hold anything; SIZE_MAX: none */
} buffer;

/* Elements sent to and received from each rank, and where. */
typedef struct layout {
    size_t scounts[MP_MAX_RANKS], sdispls[MP_MAX_RANKS], rcounts[MP_MAX_RANKS], rdispls[MP_MAX_RANKS];
} layout;

struct mp_call {
    mp_env *env;
    mp_case spec;
    mp_data data;
    fedrdma_comm *comm;
    fedrdma_op op;
    int rank, size, root;
    bool as_bytes, shy; /* send side in U8; NULL where an argument is ignored */
    layout at;
    buffer send, recv;
    fedrdma_request *request;
};

/* ---- communicators and operators ------------------------------------------------------------------ */

int mp_env_open(fedrdma_context *context, uint64_t seed, mp_env *env)
{
    fedrdma_comm *world = fedrdma_world(context);
    int rank = fedrdma_comm_rank(world), rc;

    *env = (mp_env){ .context = context, .seed = seed, .comm = { [MP_WORLD] = world } };
    rc = fedrdma_comm_dup(world, &env->comm[MP_DUP]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_comm_split(world, rank % 2, 0, &env->comm[MP_PARITY]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_comm_split(world, 5, -rank, &env->comm[MP_REVERSE]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_comm_split_silo(world, &env->comm[MP_SILO]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_comm_split_node(world, &env->comm[MP_NODE]);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_op_create(context, mp_user_op, 1, NULL, &env->user);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_op_create(context, mp_ordered_op, 0, NULL, &env->ordered);
    return rc;
}

void mp_env_close(mp_env *env)
{
    if (env->user != 0)
        fedrdma_op_free(env->context, &env->user);
    if (env->ordered != 0)
        fedrdma_op_free(env->context, &env->ordered);
    for (int i = MP_DUP; i < MP_NCOMMS; i++)
        if (env->comm[i] != NULL)
            fedrdma_comm_free(&env->comm[i]);
}

/* ---- what lies where ------------------------------------------------------------------------------ */

static void add_init(buffer *b, size_t at, size_t count, int rank, size_t first)
{
    b->init[b->ninit++] = (part){ at, count, first, rank, false };
}

static void add_want(buffer *b, size_t at, size_t count, int rank, size_t first)
{
    b->want[b->nwant++] = (part){ at, count, first, rank, false };
}

static void add_folded(buffer *b, size_t count, int ranks, size_t first)
{
    b->want[b->nwant++] = (part){ 0, count, first, ranks, true };
}

/* Irregular counts: none at all for some. */
static size_t uneven(size_t count, int q)
{
    return q % 4 == 3 ? 0 : count * (size_t)(q % 3 + 1) / 2;
}

static bool irregular(mp_coll coll)
{
    return coll == MP_GATHERV || coll == MP_SCATTERV || coll == MP_ALLGATHERV || coll == MP_ALLTOALLV ||
           coll == MP_REDUCE_SCATTER;
}

/* Blocks of an irregular call lie in reverse order with gaps between them. Returns the span. */
static size_t place(const size_t *counts, size_t *displs, int n, bool regular)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        int q = regular ? i : n - 1 - i;
        displs[q] = at;
        at += counts[q] + (regular ? 0 : GAP);
    }
    return at;
}

/* Counts of what we send to, and receive from, each rank; displacements; spans. */
static void lay_out(mp_call *c)
{
    mp_coll coll = c->spec.coll;
    bool regular = !irregular(coll);

    for (int q = 0; q < c->size; q++) {
        int to = q, from = q;
        if (coll == MP_ALLTOALLV) {
            to = c->spec.in_place ? c->rank + q : 2 * c->rank + q;
            from = c->spec.in_place ? c->rank + q : 2 * q + c->rank;
        }
        c->at.scounts[q] = regular ? c->spec.count : uneven(c->spec.count, to);
        c->at.rcounts[q] = regular ? c->spec.count : uneven(c->spec.count, from);
    }
    bool packed = regular || coll == MP_REDUCE_SCATTER;
    c->send.elements = place(c->at.scounts, c->at.sdispls, c->size, packed);
    c->recv.elements = place(c->at.rcounts, c->at.rdispls, c->size, packed);
}

static void plan_vector(mp_call *c, bool gives, bool gets, int ranks)
{
    bool in_place = c->spec.in_place && gets;

    c->send.elements = gives && !in_place ? c->spec.count : 0;
    c->recv.elements = gets ? c->spec.count : 0;
    if (gives)
        add_init(in_place ? &c->recv : &c->send, 0, c->spec.count, c->rank, 0);
    if (gets && ranks > 0)
        add_folded(&c->recv, c->spec.count, ranks, 0);
}

static void plan_broadcast(mp_call *c)
{
    c->send.elements = 0;
    c->recv.elements = c->spec.count;
    if (c->rank == c->root)
        add_init(&c->recv, 0, c->spec.count, c->rank, 0);
    add_want(&c->recv, 0, c->spec.count, c->root, 0);
}

static void plan_gather(mp_call *c, bool gets)
{
    bool in_place = c->spec.in_place && gets;
    size_t mine = c->at.rcounts[c->rank];

    c->send.elements = in_place ? 0 : mine;
    if (!gets)
        c->recv.elements = 0;
    if (in_place)
        add_init(&c->recv, c->at.rdispls[c->rank], mine, c->rank, 0);
    else
        add_init(&c->send, 0, mine, c->rank, 0);
    for (int q = 0; gets && q < c->size; q++)
        add_want(&c->recv, c->at.rdispls[q], c->at.rcounts[q], q, 0);
}

static void plan_scatter(mp_call *c)
{
    size_t mine = c->at.scounts[c->rank];
    bool in_place = c->spec.in_place && c->rank == c->root;

    if (c->rank != c->root)
        c->send.elements = 0;
    for (int q = 0; c->rank == c->root && q < c->size; q++)
        add_init(&c->send, c->at.sdispls[q], c->at.scounts[q], c->rank, (size_t)q * BLOCK_STRIDE);
    c->recv.elements = in_place ? 0 : mine;
    if (!in_place)
        add_want(&c->recv, 0, mine, c->root, (size_t)c->rank * BLOCK_STRIDE);
}

static void plan_reduce_scatter(mp_call *c)
{
    size_t total = c->send.elements, mine = c->at.rcounts[c->rank], first = c->at.rdispls[c->rank];

    c->send.elements = c->spec.in_place ? 0 : total;
    c->recv.elements = c->spec.in_place ? total : mine;
    add_init(c->spec.in_place ? &c->recv : &c->send, 0, total, c->rank, 0);
    add_folded(&c->recv, mine, c->size, first);
    if (c->spec.in_place)
        c->recv.undefined = mine;
}

static void plan_alltoall(mp_call *c)
{
    if (c->spec.in_place)
        c->send.elements = 0;
    for (int q = 0; q < c->size; q++) {
        if (c->spec.in_place)
            add_init(&c->recv, c->at.rdispls[q], c->at.rcounts[q], c->rank, (size_t)q * BLOCK_STRIDE);
        else
            add_init(&c->send, c->at.sdispls[q], c->at.scounts[q], c->rank, (size_t)q * BLOCK_STRIDE);
        add_want(&c->recv, c->at.rdispls[q], c->at.rcounts[q], q, (size_t)c->rank * BLOCK_STRIDE);
    }
}

static void plan(mp_call *c)
{
    c->send.undefined = c->recv.undefined = SIZE_MAX;
    lay_out(c);
    switch (c->spec.coll) {
    case MP_ALLREDUCE:
    case MP_WEIGHTED:
        plan_vector(c, true, true, c->size);
        break;
    case MP_REDUCE:
        plan_vector(c, true, c->rank == c->root, c->size);
        break;
    case MP_SCAN:
        plan_vector(c, true, true, c->rank + 1);
        break;
    case MP_EXSCAN:
        plan_vector(c, true, true, c->rank);
        break;
    case MP_BROADCAST:
        plan_broadcast(c);
        break;
    case MP_GATHER:
    case MP_GATHERV:
        plan_gather(c, c->rank == c->root);
        break;
    case MP_ALLGATHER:
    case MP_ALLGATHERV:
        plan_gather(c, true);
        break;
    case MP_SCATTER:
    case MP_SCATTERV:
        plan_scatter(c);
        break;
    case MP_REDUCE_SCATTER:
    case MP_REDUCE_SCATTER_BLOCK:
        plan_reduce_scatter(c);
        break;
    case MP_ALLTOALL:
    case MP_ALLTOALLV:
        plan_alltoall(c);
        break;
    default:
        c->send.elements = c->recv.elements = 0;
    }
}

/* ---- making and filling --------------------------------------------------------------------------- */

static bool buffer_alloc(mp_call *c, buffer *b, unsigned shift)
{
    size_t element = mp_type_bytes(c->spec.type);
    void *memory = NULL;

    b->bytes = b->elements * element + 2 * GUARD + 4 * element;
    if (!c->spec.alloc)
        memory = malloc(b->bytes);
    else if (fedrdma_alloc(c->env->context, b->bytes, &memory) != FEDRDMA_OK)
        memory = NULL;
    b->base = memory;
    b->data = b->base + GUARD + shift % 4 * element; /* aligned to the element only */
    return memory != NULL;
}

static void draw_part(const mp_call *c, unsigned char *data, const part *p)
{
    unsigned char *to = data + p->at * mp_type_bytes(c->spec.type);

    if (p->folded)
        mp_expect(&c->data, p->rank, p->first, p->count, to);
    else
        mp_fill(&c->data, p->rank, p->first, p->count, to);
}

static void buffer_fill(const mp_call *c, buffer *b)
{
    memset(b->base, POISON, b->bytes);
    for (int i = 0; i < b->ninit; i++)
        draw_part(c, b->data, &b->init[i]);
}

mp_call *mp_call_create(mp_env *env, const mp_case *spec, uint64_t extra)
{
    mp_call *c = calloc(1, sizeof *c);
    char text[MP_CASE_TEXT];
    uint64_t salt = mp_hash(env->seed, extra);

    if (c == NULL)
        return NULL;
    mp_case_print(spec, text);
    for (const char *t = text; *t != '\0'; t++)
        salt = mp_hash(salt, (uint64_t)*t);
    c->env = env;
    c->spec = *spec;
    c->comm = env->comm[spec->comm];
    c->rank = fedrdma_comm_rank(c->comm);
    c->size = fedrdma_comm_size(c->comm);
    c->root = spec->root % c->size;
    c->data = (mp_data){ spec->type, spec->op, c->size, salt };
    c->op = spec->op == MP_OP_USER ? env->user : spec->op == MP_OP_ORDERED ? env->ordered : spec->op;
    c->as_bytes = salt % 4 == 0;
    c->shy = salt % 8 < 4;
    plan(c);
    if (!buffer_alloc(c, &c->send, (unsigned)(salt >> 8)) ||
        !buffer_alloc(c, &c->recv, (unsigned)(salt >> 10))) {
        mp_call_destroy(c);
        return NULL;
    }
    return c;
}

void mp_call_destroy(mp_call *c)
{
    if (c == NULL)
        return;
    if (c->request != NULL)
        fedrdma_request_free(&c->request);
    if (c->spec.alloc) {
        fedrdma_free(c->env->context, c->send.base);
        fedrdma_free(c->env->context, c->recv.base);
    } else {
        free(c->send.base);
        free(c->recv.base);
    }
    free(c);
}

/* ---- the calls ------------------------------------------------------------------------------------ */

/* One collective in the call's mode. */
#define ISSUE(c, name, ...) \
    ((c)->spec.mode == MP_BLOCKING      ? fedrdma_##name(__VA_ARGS__, (c)->comm) \
     : (c)->spec.mode == MP_NONBLOCKING ? fedrdma_i##name(__VA_ARGS__, (c)->comm, &(c)->request) \
                                        : fedrdma_##name##_init(__VA_ARGS__, (c)->comm, &(c)->request))

static int issue_reduction(mp_call *c, const layout *l, const void *send, void *recv)
{
    fedrdma_datatype t = (fedrdma_datatype)c->spec.type;

    switch (c->spec.coll) {
    case MP_ALLREDUCE:
        return ISSUE(c, allreduce, send, recv, c->spec.count, t, c->op);
    case MP_WEIGHTED:
        return ISSUE(c, allreduce_weighted, send, recv, c->spec.count, t, mp_weight(&c->data, c->rank));
    case MP_REDUCE:
        return ISSUE(c, reduce, send, recv, c->spec.count, t, c->op, c->root);
    case MP_SCAN:
        return ISSUE(c, scan, send, recv, c->spec.count, t, c->op);
    case MP_EXSCAN:
        return ISSUE(c, exscan, send, recv, c->spec.count, t, c->op);
    case MP_REDUCE_SCATTER:
        return ISSUE(c, reduce_scatter, send, recv, l->rcounts, t, c->op);
    default:
        return ISSUE(c, reduce_scatter_block, send, recv, c->spec.count, t, c->op);
    }
}

static int issue_blocks(mp_call *c, const layout *l, const void *send, void *recv)
{
    fedrdma_datatype t = (fedrdma_datatype)c->spec.type, st = c->as_bytes ? FEDRDMA_U8 : t;
    size_t n = c->spec.count, scale = c->as_bytes ? mp_type_bytes(c->spec.type) : 1;
    bool root = c->rank == c->root;
    /* At the other ranks, what only the root reads may be anything. */
    const size_t *rcounts = root || !c->shy ? l->rcounts : NULL, *rdispls = rcounts ? l->rdispls : NULL;
    const size_t *scounts = root || !c->shy ? l->scounts : NULL, *sdispls = scounts ? l->sdispls : NULL;

    switch (c->spec.coll) {
    case MP_GATHER:
        return ISSUE(c, gather, send, n * scale, st, recv, n, t, c->root);
    case MP_GATHERV:
        return ISSUE(c, gatherv, send, l->rcounts[c->rank] * scale, st, recv, rcounts, rdispls, t, c->root);
    case MP_SCATTER:
        return ISSUE(c, scatter, send, n * scale, st, recv, n, t, c->root);
    case MP_SCATTERV:
        return ISSUE(c, scatterv, send, scounts, sdispls, t, recv, l->scounts[c->rank] * scale, st, c->root);
    case MP_ALLGATHER:
        return ISSUE(c, allgather, send, n * scale, st, recv, n, t);
    case MP_ALLGATHERV:
        return ISSUE(c, allgatherv, send, l->rcounts[c->rank] * scale, st, recv, l->rcounts, l->rdispls, t);
    case MP_ALLTOALL:
        return ISSUE(c, alltoall, send, n * scale, st, recv, n, t);
    default:
        return ISSUE(c, alltoallv, send, l->scounts, l->sdispls, t, recv, l->rcounts, l->rdispls, t);
    }
}

static int issue_barrier(mp_call *c)
{
    switch (c->spec.mode) {
    case MP_BLOCKING:
        return fedrdma_barrier(c->comm);
    case MP_NONBLOCKING:
        return fedrdma_ibarrier(c->comm, &c->request);
    default:
        return fedrdma_barrier_init(c->comm, &c->request);
    }
}

static int issue(mp_call *c)
{
    bool root = c->rank == c->root, here = c->spec.in_place;
    mp_coll coll = c->spec.coll;
    const void *send = c->send.data;
    void *recv = c->recv.data;
    layout lent = c->at; /* the arrays are copied by the call, so they may go when it returns */
    int rc;

    if (c->shy && c->send.elements == 0)
        send = NULL;
    if (c->shy && c->recv.elements == 0)
        recv = NULL;
    if (coll == MP_SCATTER || coll == MP_SCATTERV)
        recv = here && root ? FEDRDMA_IN_PLACE : recv;
    else if (here && (root || (coll != MP_REDUCE && coll != MP_GATHER && coll != MP_GATHERV)))
        send = FEDRDMA_IN_PLACE;
    if (coll == MP_BARRIER)
        return issue_barrier(c);
    if (coll == MP_BROADCAST)
        return ISSUE(c, broadcast, recv, c->spec.count, (fedrdma_datatype)c->spec.type, c->root);
    rc = mp_coll_reduces(coll) ? issue_reduction(c, &lent, send, recv) : issue_blocks(c, &lent, send, recv);
    memset(&lent, 0xff, sizeof lent);
    return rc;
}

int mp_call_start(mp_call *c)
{
    int rc;

    buffer_fill(c, &c->send);
    buffer_fill(c, &c->recv);
    if (c->spec.mode == MP_PERSISTENT && c->request != NULL)
        return fedrdma_start(c->request);
    rc = issue(c);
    if (rc == FEDRDMA_OK && c->spec.mode == MP_PERSISTENT)
        rc = fedrdma_start(c->request);
    return rc;
}

int mp_call_wait(mp_call *c)
{
    return fedrdma_wait(&c->request, NULL);
}

int mp_call_test(mp_call *c, int *done)
{
    return fedrdma_test(&c->request, done, NULL);
}

fedrdma_request **mp_call_request(mp_call *c)
{
    return &c->request;
}

const char *mp_call_story(const mp_call *c, int rc)
{
    const char *story = fedrdma_last_error(c->comm);
    return story != NULL && story[0] != '\0' ? story : fedrdma_strerror(rc);
}

/* ---- checking ------------------------------------------------------------------------------------- */

/* What the buffer must hold now; where anything is allowed, what it holds. */
static void imagine(const mp_call *c, const buffer *b, unsigned char *image)
{
    size_t element = mp_type_bytes(c->spec.type);
    unsigned char *data = image + (b->data - b->base);

    memset(image, POISON, b->bytes);
    for (int i = 0; i < b->ninit; i++)
        draw_part(c, data, &b->init[i]);
    for (int i = 0; i < b->nwant; i++) {
        const part *p = &b->want[i];
        draw_part(c, data, p);
        if (mp_differs(&c->data, b->data + p->at * element, data + p->at * element, p->count) == p->count)
            memcpy(data + p->at * element, b->data + p->at * element, p->count * element);
    }
    if (b->undefined < b->elements)
        memcpy(data + b->undefined * element, b->data + b->undefined * element,
               (b->elements - b->undefined) * element);
}

static bool buffer_check(const mp_call *c, const buffer *b, const char *name, char *why, size_t why_bytes)
{
    size_t element = mp_type_bytes(c->spec.type), at = 0;
    unsigned char *image = malloc(b->bytes);
    char got[64], want[64];

    if (image == NULL) {
        snprintf(why, why_bytes, "no memory to check it");
        return false;
    }
    imagine(c, b, image);
    bool right = memcmp(image, b->base, b->bytes) == 0;
    if (!right) {
        while (image[at] == b->base[at])
            at++;
        long index = (long)at - (long)(b->data - b->base);
        index = index >= 0 ? index / (long)element : -1;
        if (index >= 0 && (size_t)index < b->elements) {
            mp_show(c->spec.type, b->data + (size_t)index * element, got, sizeof got);
            mp_show(c->spec.type, image + (b->data - b->base) + (size_t)index * element, want, sizeof want);
            snprintf(why, why_bytes, "%s element %ld of %zu is %s, expected %s", name, index, b->elements,
                     got, want);
        } else {
            snprintf(why, why_bytes, "wrote %s the %s buffer", index < 0 ? "before" : "behind", name);
        }
    }
    free(image);
    return right;
}

bool mp_call_check(mp_call *c, char *why, size_t why_bytes)
{
    return buffer_check(c, &c->recv, "receive", why, why_bytes) &&
           buffer_check(c, &c->send, "send", why, why_bytes);
}
