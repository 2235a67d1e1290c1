/* SPDX-License-Identifier: BSD-3-Clause
 *
 * badcalls.c - wrong arguments, requests and handles. Three ranks as threads; after each group a collective
 * shows that a refused call has sent nothing and the communicator still works. */
#include <math.h>
#include <stdlib.h>

#include "tests/mp/badinput.h"
#include "tests/mp/expect.h"
#include "tests/mp/threads.h"

enum { RANKS = 3, COUNT = 12 };

#define INVALID FEDRDMA_ERR_INVALID
#define F32 FEDRDMA_F32
#define SUM FEDRDMA_SUM

/* The call is refused, and the story of `comm` says `word`. */
#define EXPECT_REFUSED(call, comm, word) \
    do { \
        if (EXPECT_CODE(call, INVALID)) \
            EXPECT_STORY(comm, word); \
    } while (0)

typedef struct seat {
    mp_job *job;
    int rank;
    fedrdma_context *context;
    fedrdma_comm *world;
} seat;

static bool sit(seat *s, mp_job *job, int rank, const char *const *settings)
{
    *s = (seat){ .job = job, .rank = rank };
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &s->context)))
        return false;
    s->world = fedrdma_world(s->context);
    return true;
}

static void still_works(seat *s)
{
    int one = 1, sum = 0;

    EXPECT_OK(fedrdma_allreduce(&one, &sum, 1, FEDRDMA_INT, SUM, s->world));
    EXPECT(sum == RANKS);
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static void null_buffers(seat *s)
{
    float a[COUNT] = { 0 }, b[RANKS * COUNT];
    size_t counts[RANKS] = { 1, 1, 1 }, displs[RANKS] = { 0, 1, 2 };
    fedrdma_comm *w = s->world;
    fedrdma_request *request = NULL;

    EXPECT_REFUSED(fedrdma_allreduce(NULL, b, COUNT, F32, SUM, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_allreduce(a, NULL, COUNT, F32, SUM, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_broadcast(NULL, COUNT, F32, 0, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_allgather(a, COUNT, F32, NULL, COUNT, F32, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_alltoall(NULL, 1, F32, b, 1, F32, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_reduce_scatter(NULL, b, counts, F32, SUM, w), w, "NULL");
    EXPECT_REFUSED(fedrdma_reduce_scatter(a, b, NULL, F32, SUM, w), w, "recvcounts");
    EXPECT_REFUSED(fedrdma_allgatherv(a, 1, F32, b, NULL, displs, F32, w), w, "recv counts");
    EXPECT_REFUSED(fedrdma_allgatherv(a, 1, F32, b, counts, NULL, F32, w), w, "displacements");
    EXPECT_REFUSED(fedrdma_alltoallv(a, NULL, displs, F32, b, counts, displs, F32, w), w, "send counts");
    EXPECT_CODE(fedrdma_iallreduce(a, b, COUNT, F32, SUM, w, NULL), INVALID);
    EXPECT_CODE(fedrdma_barrier_init(w, NULL), INVALID);
    EXPECT_CODE(fedrdma_iallreduce(NULL, b, COUNT, F32, SUM, w, &request), INVALID);
    EXPECT(request == NULL);
    EXPECT_CODE(fedrdma_allreduce(a, b, COUNT, F32, SUM, NULL), INVALID);
    EXPECT_CODE(fedrdma_barrier(NULL), INVALID);
    if (s->rank == 0) { /* others ignore these arguments; here the root refuses before anything is sent */
        EXPECT_REFUSED(fedrdma_gather(a, COUNT, F32, NULL, COUNT, F32, 0, w), w, "NULL");
        EXPECT_REFUSED(fedrdma_gatherv(a, 1, F32, b, NULL, displs, F32, 0, w), w, "recv counts");
        EXPECT_REFUSED(fedrdma_scatter(NULL, 1, F32, b, 1, F32, 0, w), w, "NULL");
        EXPECT_REFUSED(fedrdma_reduce(a, NULL, COUNT, F32, SUM, 0, w), w, "NULL");
    }
    EXPECT_OK(fedrdma_allreduce(NULL, NULL, 0, F32, SUM, w)); /* a count of 0 needs no buffer */
    EXPECT_OK(fedrdma_broadcast(NULL, 0, F32, 1, w));
}

static void bad_numbers(seat *s)
{
    float a[COUNT] = { 0 }, b[RANKS * COUNT];
    int64_t whole[COUNT] = { 0 }, out[COUNT];
    const size_t huge = SIZE_MAX / 8;
    size_t counts[RANKS] = { SIZE_MAX / 2, SIZE_MAX / 2, 2 }, displs[RANKS] = { 0, 0, SIZE_MAX / 2 };
    fedrdma_comm *w = s->world;

    EXPECT_REFUSED(fedrdma_broadcast(a, COUNT, F32, -1, w), w, "root");
    EXPECT_REFUSED(fedrdma_broadcast(a, COUNT, F32, RANKS, w), w, "root 3");
    EXPECT_REFUSED(fedrdma_reduce(a, b, COUNT, F32, SUM, 1000, w), w, "1000");
    EXPECT_REFUSED(fedrdma_gather(a, 1, F32, b, 1, F32, -7, w), w, "-7");
    EXPECT_REFUSED(fedrdma_scatter(a, 1, F32, b, 1, F32, RANKS, w), w, "root");
    EXPECT_REFUSED(fedrdma_allreduce(a, b, COUNT, (fedrdma_datatype)0, SUM, w), w, "type");
    EXPECT_REFUSED(fedrdma_allreduce(a, b, COUNT, (fedrdma_datatype)99, SUM, w), w, "99");
    EXPECT_REFUSED(fedrdma_broadcast(a, COUNT, (fedrdma_datatype)-3, 0, w), w, "type");
    EXPECT_REFUSED(fedrdma_allgather(a, 1, (fedrdma_datatype)13, b, 1, F32, w), w, "type");
    EXPECT_REFUSED(fedrdma_allreduce(a, b, COUNT, F32, 0, w), w, "operator");
    EXPECT_REFUSED(fedrdma_allreduce(a, b, COUNT, F32, 12345, w), w, "12345");
    EXPECT_REFUSED(fedrdma_scan(a, b, COUNT, F32, -1, w), w, "operator");
    EXPECT_REFUSED(fedrdma_allreduce(a, b, COUNT, F32, FEDRDMA_BAND, w), w, "band");
    EXPECT_REFUSED(fedrdma_reduce(a, b, COUNT, FEDRDMA_BF16, FEDRDMA_BXOR, 0, w), w, "bxor");
    EXPECT_REFUSED(fedrdma_allreduce_weighted(whole, out, COUNT, FEDRDMA_I64, 1, w), w, "i64");
    EXPECT_REFUSED(fedrdma_allreduce_weighted(a, b, COUNT, F32, -1, w), w, "weight");
    EXPECT_REFUSED(fedrdma_allreduce_weighted(a, b, COUNT, F32, (double)NAN, w), w, "weight");
    EXPECT_REFUSED(fedrdma_allreduce_weighted(a, b, COUNT, F32, (double)INFINITY, w), w, "weight");
    EXPECT_REFUSED(fedrdma_allreduce(whole, out, SIZE_MAX / 4, FEDRDMA_I64, SUM, w), w, "count");
    EXPECT_REFUSED(fedrdma_broadcast(a, SIZE_MAX, F32, 0, w), w, "count");
    EXPECT_REFUSED(fedrdma_allgather(a, huge, F32, b, huge, F32, w), w,
                   "count"); /* only all blocks overflow */
    EXPECT_REFUSED(fedrdma_alltoall(a, huge, F32, b, huge, F32, w), w, "count");
    EXPECT_REFUSED(fedrdma_reduce_scatter_block(a, b, huge, F32, SUM, w), w, "count");
    EXPECT_REFUSED(fedrdma_reduce_scatter(a, b, counts, FEDRDMA_U8, SUM, w), w, "count");
    EXPECT_REFUSED(fedrdma_allgatherv(a, counts[s->rank], FEDRDMA_U8, b, counts, displs, F32, w), w, "");
    EXPECT_REFUSED(fedrdma_allgather(a, 2, F32, b, 3, F32, w), w, "");
    EXPECT_REFUSED(fedrdma_alltoall(a, 2, F32, b, 2, FEDRDMA_F64, w), w, "");
}

static void bad_places(seat *s)
{
    float a[RANKS * COUNT] = { 0 }, b[RANKS * COUNT];
    fedrdma_comm *w = s->world;

    EXPECT_REFUSED(fedrdma_allreduce(a, a, COUNT, F32, SUM, w), w, "overlap");
    EXPECT_REFUSED(fedrdma_allreduce(a, a + COUNT - 1, COUNT, F32, SUM, w), w, "overlap");
    EXPECT_REFUSED(fedrdma_allreduce(a + 1, a, COUNT, F32, SUM, w), w, "overlap");
    EXPECT_REFUSED(fedrdma_allgather(a + RANKS * COUNT - 1, 1, F32, a + COUNT * RANKS - 3, 1, F32, w), w,
                   "overlap");
    EXPECT_REFUSED(fedrdma_alltoall(a, COUNT, F32, a, COUNT, F32, w), w, "overlap");
    EXPECT_REFUSED(fedrdma_scan(a, a, COUNT, F32, SUM, w), w, "overlap");
    EXPECT_REFUSED(fedrdma_reduce_scatter_block(a, a + 1, 2, F32, SUM, w), w, "overlap");
    for (int backwards = 0; backwards < 2; backwards++) { /* received blocks that share an element */
        size_t counts[RANKS], displs[RANKS];
        for (size_t i = 0; i < RANKS; i++) {
            counts[i] = 2;
            displs[backwards ? RANKS - 1 - i : i] = 2 * i - (i == RANKS - 1);
        }
        EXPECT_REFUSED(fedrdma_allgatherv(a, 2, F32, b, counts, displs, F32, w), w, "blocks overlap");
    }
    EXPECT_REFUSED(fedrdma_allreduce(a, FEDRDMA_IN_PLACE, COUNT, F32, SUM, w), w, "IN_PLACE");
    EXPECT_REFUSED(fedrdma_allreduce(FEDRDMA_IN_PLACE, FEDRDMA_IN_PLACE, COUNT, F32, SUM, w), w, "IN_PLACE");
    EXPECT_REFUSED(fedrdma_broadcast(FEDRDMA_IN_PLACE, COUNT, F32, 0, w), w, "IN_PLACE");
    EXPECT_REFUSED(fedrdma_allgather(a, 1, F32, FEDRDMA_IN_PLACE, 1, F32, w), w, "IN_PLACE");
    EXPECT_REFUSED(fedrdma_alltoall(a, 1, F32, FEDRDMA_IN_PLACE, 1, F32, w), w, "IN_PLACE");
    if (s->rank == 1) {
        EXPECT_REFUSED(fedrdma_gather(FEDRDMA_IN_PLACE, 1, F32, b, 1, F32, 0, w), w, "IN_PLACE");
        EXPECT_REFUSED(fedrdma_reduce(FEDRDMA_IN_PLACE, b, 1, F32, SUM, 0, w), w, "IN_PLACE");
        EXPECT_REFUSED(fedrdma_scatter(a, 1, F32, FEDRDMA_IN_PLACE, 1, F32, 0, w), w, "IN_PLACE");
    }
    if (s->rank == 0)
        EXPECT_REFUSED(fedrdma_scatter(FEDRDMA_IN_PLACE, 1, F32, b, 1, F32, 0, w), w, "IN_PLACE");
}

/* Send and receive blocks of an irregular call in one arena: refused only when they share a byte. */
static void shared_arena(seat *s)
{
    enum { HALF = 8, BLOCK = 4, STRIDE = 2 * HALF };
    static const int order[RANKS] = { 2, 0, 1 };
    int b[RANKS * STRIDE], me = s->rank;
    size_t counts[RANKS], sent[RANKS], received[RANKS], far[RANKS], none[RANKS] = { 0 };
    fedrdma_comm *w = s->world;

    for (int i = 0; i < RANKS; i++) { /* by turns: a block to send, one to receive, in no order */
        counts[i] = BLOCK;
        sent[i] = (size_t)order[i] * STRIDE;
        received[i] = (size_t)order[i] * STRIDE + HALF;
        far[i] = (size_t)(HALF + i * BLOCK);
    }
    for (int i = 0; i < RANKS; i++)
        for (size_t k = 0; k < BLOCK; k++)
            b[sent[i] + k] = 100 * me + 10 * i + (int)k;
    EXPECT_OK(fedrdma_alltoallv(b, counts, sent, FEDRDMA_INT, b, counts, received, FEDRDMA_INT, w));
    for (int i = 0; i < RANKS; i++)
        for (size_t k = 0; k < BLOCK; k++)
            EXPECT(b[received[i] + k] == 100 * i + 10 * me + (int)k);
    EXPECT_REFUSED(fedrdma_alltoallv(b, counts, sent, FEDRDMA_INT, b, counts, sent, FEDRDMA_INT, w), w, "overlap");
    received[1] = sent[2] + BLOCK - 1; /* one element, of other ranks' blocks */
    EXPECT_REFUSED(fedrdma_alltoallv(b, counts, sent, FEDRDMA_INT, b, counts, received, FEDRDMA_INT, w), w,
                   "overlap");
    received[1] = sent[2] + BLOCK; /* next to it */
    EXPECT_OK(fedrdma_alltoallv(b, counts, sent, FEDRDMA_INT, b, counts, received, FEDRDMA_INT, w));
    EXPECT_OK(fedrdma_alltoallv(b, none, sent, FEDRDMA_INT, b, none, sent, FEDRDMA_INT, w));

    for (size_t k = 0; k < BLOCK; k++)
        b[k] = 10 * me + (int)k;
    EXPECT_OK(fedrdma_allgatherv(b, BLOCK, FEDRDMA_INT, b, counts, far, FEDRDMA_INT, w));
    for (int i = 0; i < RANKS; i++)
        for (size_t k = 0; k < BLOCK; k++)
            EXPECT(b[far[i] + k] == 10 * i + (int)k);
    for (int last = 1; last >= -1; last -= 2) { /* the send piece ends inside the first block, or begins in the last */
        const int *piece = last > 0 ? b + HALF - 1 : b + HALF + RANKS * BLOCK - 1;
        EXPECT_REFUSED(fedrdma_allgatherv(piece, BLOCK, FEDRDMA_INT, b, counts, far, FEDRDMA_INT, w), w, "overlap");
    }
    EXPECT_REFUSED(fedrdma_allgatherv(b + far[me], BLOCK, FEDRDMA_INT, b, counts, far, FEDRDMA_INT, w), w,
                   "overlap");
}

static void bad_objects(seat *s)
{
    fedrdma_attr attr = { .min_silos = -1 };
    fedrdma_op op = FEDRDMA_SUM, none = 0, unknown = 777;
    fedrdma_comm *comm = NULL, *w = s->world;
    const char *name;
    void *memory = NULL;
    uint64_t value;

    EXPECT_REFUSED(fedrdma_comm_set_attr(w, &attr), w, "min_silos");
    attr.min_silos = 2; /* there is one */
    EXPECT_CODE(fedrdma_comm_set_attr(w, &attr), INVALID);
    EXPECT_OK(fedrdma_comm_set_attr(w, NULL));
    EXPECT_CODE(fedrdma_op_free(s->context, &op), INVALID);
    EXPECT_CODE(fedrdma_op_free(s->context, &none), INVALID);
    EXPECT_CODE(fedrdma_op_free(s->context, &unknown), INVALID);
    EXPECT_CODE(fedrdma_op_create(s->context, NULL, 1, NULL, &op), INVALID);
    EXPECT_CODE(fedrdma_free(s->context, &value), INVALID);
    EXPECT_CODE(fedrdma_alloc(s->context, 64, NULL), INVALID);
    EXPECT_CODE(fedrdma_alloc(NULL, 64, &memory), INVALID);
    EXPECT_CODE(fedrdma_alloc(s->context, SIZE_MAX / 4, &memory), FEDRDMA_ERR_NOMEM);
    EXPECT_CODE(fedrdma_counter(s->context, "shm.sent_bites", &value), INVALID);
    EXPECT_CODE(fedrdma_counter_at(s->context, 100000, &name, &value), INVALID);
    EXPECT_CODE(fedrdma_comm_free(&w), INVALID); /* the world */
    EXPECT(w == s->world);
    EXPECT_CODE(fedrdma_comm_split(w, -5, 0, &comm), INVALID);
    EXPECT_CODE(fedrdma_comm_dup(w, NULL), INVALID);
    EXPECT_CODE(fedrdma_comm_last_result(w, NULL), INVALID);
    EXPECT(fedrdma_comm_rank(NULL) == -1 && fedrdma_comm_size(NULL) == -1 &&
           fedrdma_comm_context(NULL) == NULL);
    EXPECT(fedrdma_world(NULL) == NULL);
    EXPECT(fedrdma_datatype_size((fedrdma_datatype)99) == 0);
    EXPECT(fedrdma_strerror(-9999) != NULL && fedrdma_strerror(5) != NULL);
}

static void argument_rank(mp_job *job, int rank, void *arg)
{
    static void (*const parts[])(seat *) = { null_buffers, bad_numbers, bad_places, shared_arena, bad_objects };
    seat s;

    (void)arg;
    if (!sit(&s, job, rank, NULL))
        return;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        parts[i](&s);
        still_works(&s);
    }
    EXPECT_OK(fedrdma_finalize(&s.context));
}

void bad_arguments(void)
{
    mp_threads_run(RANKS, argument_rank, NULL);
}

/* ---- requests and handles -------------------------------------------------------------------------- */

static void add(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg)
{
    (void)type;
    (void)arg;
    for (size_t i = 0; i < count; i++)
        ((float *)inout)[i] += ((const float *)in)[i];
}

/* Rank 2 stays away, so that the others' requests are surely active. */
static void misuse_active(seat *s)
{
    float a[2][COUNT] = { { 0 } }, b[2][COUNT];
    fedrdma_request *plain = NULL, *persistent = NULL, *none = NULL;
    fedrdma_context *context = s->context;
    fedrdma_comm *dup = NULL;
    fedrdma_op op;
    int done = 7;

    EXPECT_OK(fedrdma_comm_dup(s->world, &dup));
    EXPECT_OK(fedrdma_op_create(s->context, add, 1, NULL, &op));
    fedrdma_op busy = op;
    EXPECT_OK(fedrdma_allreduce_init(a[0], b[0], COUNT, F32, SUM, dup, &persistent));
    if (s->rank != 2) {
        EXPECT_OK(fedrdma_start(persistent));
        EXPECT_CODE(fedrdma_start(persistent), FEDRDMA_ERR_BUSY);
        EXPECT_OK(fedrdma_iallreduce(a[1], b[1], COUNT, F32, op, dup, &plain));
        EXPECT_CODE(fedrdma_start(plain), INVALID);
        EXPECT_CODE(fedrdma_request_free(&persistent), FEDRDMA_ERR_BUSY);
        EXPECT(persistent != NULL);
        fedrdma_comm *alias = dup;
        EXPECT_CODE(fedrdma_comm_free(&alias), FEDRDMA_ERR_BUSY);
        EXPECT(alias == dup);
        EXPECT_CODE(fedrdma_op_free(s->context, &busy), FEDRDMA_ERR_BUSY);
        EXPECT_CODE(fedrdma_finalize(&context), FEDRDMA_ERR_BUSY);
        EXPECT(context == s->context);
        EXPECT_OK(fedrdma_test(&plain, &done, NULL));
        EXPECT(done == 0 && plain != NULL);
    }
    EXPECT(mp_threads_meet(s->job) == 0);
    if (s->rank == 2) {
        EXPECT_OK(fedrdma_start(persistent));
        EXPECT_OK(fedrdma_iallreduce(a[1], b[1], COUNT, F32, op, dup, &plain));
    }
    EXPECT_OK(fedrdma_wait(&plain, NULL));
    EXPECT_OK(fedrdma_wait(&persistent, NULL));
    EXPECT_OK(fedrdma_wait(&persistent, NULL)); /* inactive: at once */
    EXPECT_OK(fedrdma_test(&persistent, &done, NULL));
    EXPECT(done == 1);
    EXPECT_OK(fedrdma_request_free(&persistent));
    EXPECT_OK(fedrdma_wait(&none, NULL));
    done = 0;
    EXPECT_OK(fedrdma_test(&none, &done, NULL));
    EXPECT(done == 1);
    EXPECT_CODE(fedrdma_wait(NULL, NULL), INVALID);
    EXPECT_CODE(fedrdma_test(&none, NULL, NULL), INVALID);
    EXPECT_CODE(fedrdma_waitall(3, NULL, NULL), INVALID);
    EXPECT_OK(fedrdma_waitall(0, NULL, NULL));
    EXPECT_CODE(fedrdma_start(NULL), INVALID);
    EXPECT_CODE(fedrdma_cancel(NULL), INVALID);
    EXPECT_OK(fedrdma_op_free(s->context, &op));
    EXPECT_CODE(fedrdma_allreduce(a[0], b[0], 1, F32, busy, s->world), INVALID); /* freed */
    EXPECT_OK(fedrdma_comm_free(&dup));
    EXPECT(dup == NULL);
}

/* A handle that was freed is out of bounds; one of another kind is told. */
static void wrong_kind(seat *s)
{
    EXPECT_CODE(fedrdma_barrier((fedrdma_comm *)s->context), INVALID);
}

/* Rank 2 never joins: the deadline passes, and the communicator is broken afterwards; others go on. */
static void pass_deadline(seat *s)
{
    const fedrdma_attr attr = { .deadline_ns = 150 * 1000 * 1000 };
    float a[COUNT] = { 0 }, b[COUNT];
    fedrdma_comm *dup = NULL;

    EXPECT_OK(fedrdma_comm_dup(s->world, &dup));
    EXPECT_OK(fedrdma_comm_set_attr(dup, &attr));
    if (s->rank != 2) {
        int rc = fedrdma_allreduce(a, b, COUNT, F32, SUM, dup);
        EXPECT(rc == FEDRDMA_ERR_TIMEOUT || rc == FEDRDMA_ERR_BROKEN); /* broken: the other told us first */
        if (rc == FEDRDMA_ERR_TIMEOUT)
            EXPECT_STORY(dup, "deadline");
        EXPECT_CODE(fedrdma_allreduce(a, b, COUNT, F32, SUM, dup), FEDRDMA_ERR_BROKEN);
    }
    EXPECT(mp_threads_meet(s->job) == 0);
    still_works(s);
    EXPECT_OK(fedrdma_comm_free(&dup));
}

static void use_after_finalize(seat *s)
{
    fedrdma_comm *world = s->world, *dup = NULL;
    float a[2] = { 0 }, b[2];

    EXPECT_OK(fedrdma_comm_dup(world, &dup));
    EXPECT_OK(fedrdma_finalize(&s->context));
    EXPECT(s->context == NULL);
    EXPECT_CODE(fedrdma_allreduce(a, b, 1, F32, SUM, world), FEDRDMA_ERR_FINALIZED);
    EXPECT_CODE(fedrdma_barrier(dup), FEDRDMA_ERR_FINALIZED);
    EXPECT_CODE(fedrdma_comm_split(dup, 0, 0, &dup), FEDRDMA_ERR_FINALIZED);
    EXPECT(fedrdma_comm_rank(world) == -1 && fedrdma_comm_size(dup) == -1);
    EXPECT(fedrdma_comm_context(world) == NULL);
    EXPECT_CODE(fedrdma_finalize(&s->context), INVALID);
}

static void request_rank(mp_job *job, int rank, void *arg)
{
    seat s;

    (void)arg;
    if (!sit(&s, job, rank, NULL))
        return;
    misuse_active(&s);
    still_works(&s);
    wrong_kind(&s);
    still_works(&s);
    pass_deadline(&s);
    use_after_finalize(&s);
}

void bad_requests(void)
{
    mp_threads_run(RANKS, request_rank, NULL);
}

/* ---- ranks that disagree --------------------------------------------------------------------------- */

typedef struct quarrel {
    const char *about, *says;
    const char *check; /* the option */
} quarrel;

/* Rank 1 calls something else than the others. */
static int disagree(const char *about, bool odd, const float *a, float *b, fedrdma_comm *w)
{
    size_t count = odd && strcmp(about, "count") == 0 ? COUNT - 1 : COUNT;
    fedrdma_datatype type = odd && strcmp(about, "type") == 0 ? FEDRDMA_I32 : F32;
    fedrdma_op op = odd && strcmp(about, "op") == 0 ? FEDRDMA_MAX : SUM;
    size_t counts[RANKS] = { 1, 1, 1 }, displs[RANKS] = { 0, 1, 2 }, one = odd ? 3 : 1;
    int root = odd && strcmp(about, "root") == 0 ? 2 : 0;

    if (odd && strcmp(about, "collective") == 0)
        return fedrdma_scan(a, b, count, type, op, w);
    if (strcmp(about, "root") == 0)
        return fedrdma_reduce(a, b, count, type, op, root, w);
    if (strcmp(about, "gatherv") == 0) /* 12 bytes for 4 */
        return fedrdma_gatherv(a, one, F32, b, counts, displs, F32, 2, w);
    if (strcmp(about, "scatterv") == 0)
        return fedrdma_scatterv(a, counts, displs, F32, b, one, F32, 0, w);
    if (strcmp(about, "allgatherv") == 0) {
        counts[2] = one;
        return fedrdma_allgatherv(a, 1, F32, b, counts, displs, F32, w);
    }
    if (strcmp(about, "alltoallv") == 0) {
        size_t expected[RANKS] = { 1, 1, odd ? 0 : 1 };
        return fedrdma_alltoallv(a, counts, displs, F32, b, expected, displs, F32, w);
    }
    if (strcmp(about, "alltoallv in place") == 0) {
        counts[0] = odd ? 0 : 1;
        return fedrdma_alltoallv(FEDRDMA_IN_PLACE, NULL, NULL, F32, b, counts, displs, F32, w);
    }
    return fedrdma_allreduce(a, b, count, type, op, w);
}

static void mismatch_rank(mp_job *job, int rank, void *arg)
{
    const quarrel *q = arg;
    const char *settings[] = { "check", q->check, "timeout", "4s", NULL };
    float a[COUNT] = { 0 }, b[COUNT];
    seat s;

    if (!sit(&s, job, rank, settings))
        return;
    still_works(&s); /* when they agree */
    EXPECT(mp_threads_meet(job) == 0);
    int rc = disagree(q->about, rank == 1, a, b, s.world);
    if (q->check[0] == '1') {
        if (EXPECT_CODE(rc, FEDRDMA_ERR_MISMATCH)) {
            EXPECT_STORY(s.world, q->says);
            EXPECT_STORY(s.world, "rank 1");
        }
        still_works(&s); /* found before anything was sent, so going on is possible */
        if (strcmp(q->about, "collective") != 0) /* and alike calls of that kind agree */
            EXPECT_OK(disagree(q->about, false, a, b, s.world));
    } else { /* found by the length of a message, by whoever gets it; the others are told or run into time */
        EXPECT(rc == FEDRDMA_ERR_MISMATCH || rc == FEDRDMA_ERR_BROKEN || rc == FEDRDMA_ERR_TIMEOUT);
    }
    EXPECT(mp_threads_meet(job) == 0);
    EXPECT_OK(fedrdma_finalize(&s.context));
}

void bad_mismatches(void)
{
    static const quarrel quarrels[] = {
        { "count", "count", "1" }, { "type", "type", "1" },       { "op", "op", "1" },
        { "root", "root", "1" },   { "collective", "scan", "1" }, { "count", "", "0" },
        { "gatherv", "sends 12 bytes to rank 2, which expects 4", "1" },
        { "scatterv", "rank 0 sends 4 bytes to rank 1, which expects 12", "1" },
        { "allgatherv", "counts", "1" },
        { "alltoallv", "rank 2 sends 4 bytes to rank 1, which expects 0", "1" },
        { "alltoallv in place", "rank 0 sends 4 bytes to rank 1, which expects 0", "1" },
    };

    for (size_t i = 0; i < sizeof quarrels / sizeof quarrels[0]; i++) {
        quarrel q = quarrels[i];
        mp_threads_run(RANKS, mismatch_rank, &q);
    }
}
