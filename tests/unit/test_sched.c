/* SPDX-License-Identifier: BSD-3-Clause
 * test_sched.c - the recorder: which step waits for which, in programs written by hand and in random ones
 * compared byte by byte; parts, sticky errors, totals. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"
#include "sched/sched.h"
#include "tests/adversary/rng.h"

#define SEND_BYTES 1000
#define RECV_BYTES 2000
#define US 3    /* our rank */
#define RANKS 8 /* of the communicator */

static frd_sched *begin_with(int type, int op, bool commutative)
{
    const frd_sched_params params = { .rank = US,
                                      .size = RANKS,
                                      .type = type,
                                      .op = op,
                                      .commutative = commutative,
                                      .send_bytes = SEND_BYTES,
                                      .recv_bytes = RECV_BYTES };
    frd_sched *s;

    ck_assert_int_eq(frd_sched_create(&params, &s), FEDRDMA_OK);
    return s;
}

static frd_sched *begin(void)
{
    return begin_with(FEDRDMA_U8, FEDRDMA_SUM, false);
}

static frd_graph *end(frd_sched *s)
{
    frd_story story = { 0 };
    frd_graph *graph = NULL;

    ck_assert_msg(frd_sched_commit(s, &story, &graph) == FEDRDMA_OK, "%s", story.text);
    frd_sched_destroy(s);
    return graph;
}

/* Commits a program that must fail: how the story goes must be in it. */
static void end_badly(frd_sched *s, int rc, const char *how)
{
    frd_story story = { 0 };
    frd_graph *graph = NULL;

    ck_assert_int_eq(frd_sched_commit(s, &story, &graph), rc);
    ck_assert_ptr_null(graph);
    ck_assert_msg(strstr(story.text, how) != NULL, "\"%s\" does not tell \"%s\"", story.text, how);
    frd_sched_destroy(s);
}

static frd_ref at(int space, size_t off, size_t len)
{
    return (frd_ref){ off, len, (uint16_t)space, FEDRDMA_U8 };
}

/* Bytes [lo, hi) of the receive buffer. */
static frd_ref bytes(size_t lo, size_t hi)
{
    return at(FRD_SPACE_RECV, lo, hi - lo);
}

static bool edge(const frd_graph *g, uint32_t earlier, uint32_t later)
{
    for (uint32_t i = 0; i < g->steps[earlier].nnext; i++)
        if (g->next[g->steps[earlier].first_next + i] == later)
            return true;
    return false;
}

static bool must_wait(const frd_graph *g, uint32_t earlier, uint32_t later)
{
    if (edge(g, earlier, later))
        return true;
    for (uint32_t i = 0; i < g->steps[earlier].nnext; i++)
        if (must_wait(g, g->next[g->steps[earlier].first_next + i], later))
            return true;
    return false;
}

/* ---- dependencies ---- */

START_TEST(a_read_waits_for_the_write)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_recv(s, 0, bytes(0, 10));
    frd_send(s, 1, bytes(0, 10));
    frd_send(s, 1, bytes(9, 12));
    frd_send(s, 2, bytes(10, 20));             /* a neighbour: nothing to do with it */
    frd_send(s, 2, at(FRD_SPACE_SEND, 0, 10)); /* nor has another space */
    g = end(s);
    ck_assert(edge(g, 0, 1));
    ck_assert(edge(g, 0, 2));
    ck_assert_uint_eq(g->steps[3].ndeps, 0);
    ck_assert_uint_eq(g->steps[4].ndeps, 0);
    ck_assert_uint_eq(g->nedges, 2);
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_write_waits_for_reads)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_send(s, 0, bytes(10, 20));
    frd_send(s, 1, bytes(15, 25));
    frd_recv(s, 2, bytes(0, 11));
    frd_recv(s, 4, bytes(24, 30));
    frd_recv(s, 5, bytes(16, 17));
    frd_recv(s, 6, bytes(5, 10)); /* ends where the first read begins; written before, though */
    g = end(s);
    ck_assert(edge(g, 0, 2) && !edge(g, 1, 2));
    ck_assert(edge(g, 1, 3) && !edge(g, 0, 3));
    ck_assert(edge(g, 0, 4) && edge(g, 1, 4));
    ck_assert_uint_eq(g->steps[5].ndeps, 1);
    ck_assert(edge(g, 2, 5));
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_write_waits_for_writes)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_recv(s, 0, bytes(0, 100));
    frd_recv(s, 1, bytes(40, 60)); /* splits the first */
    frd_send(s, 4, bytes(0, 40));
    frd_send(s, 5, bytes(60, 100));
    frd_send(s, 6, bytes(50, 70));
    frd_recv(s, 7, bytes(0, 100));
    g = end(s);
    ck_assert(edge(g, 0, 1));
    ck_assert(edge(g, 0, 2) && !edge(g, 1, 2));
    ck_assert(edge(g, 0, 3) && !edge(g, 1, 3));
    ck_assert(edge(g, 0, 4) && edge(g, 1, 4));
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_msg(must_wait(g, i, 5), "step %u", i);
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_write_ends_what_was_before)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_recv(s, 0, bytes(0, 10));
    frd_send(s, 1, bytes(0, 10));
    frd_recv(s, 2, bytes(0, 10));
    frd_send(s, 4, bytes(0, 10));
    g = end(s);
    ck_assert_uint_eq(g->steps[3].ndeps, 1); /* only the last writer */
    ck_assert(edge(g, 2, 3));
    frd_graph_destroy(g);
}
END_TEST

START_TEST(reads_share)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_recv(s, 0, bytes(0, 10));
    frd_recv(s, 1, bytes(10, 20));
    for (int i = 0; i < 5; i++)
        frd_send(s, 4, bytes((size_t)i, 20 - (size_t)i)); /* each splits further */
    frd_recv(s, 2, bytes(9, 11));
    g = end(s);
    for (uint32_t i = 2; i < 7; i++) {
        ck_assert_uint_eq(g->steps[i].ndeps, 2);
        ck_assert(edge(g, 0, i) && edge(g, 1, i) && edge(g, i, 7));
    }
    frd_graph_destroy(g);
}
END_TEST

START_TEST(many_segments)
{
    enum { N = 100 };
    frd_sched *s = begin();
    frd_graph *g;

    for (uint32_t i = 0; i < N; i++) { /* not in the order of addresses */
        const size_t lo = (size_t)(i * 37 % N) * 10;
        frd_recv(s, 0, bytes(lo, lo + 10));
    }
    frd_send(s, 1, bytes(5, N * 10 - 5));
    frd_recv(s, 1, bytes(0, N * 10 + 7));
    frd_send(s, 1, bytes(N * 10, N * 10 + 1));
    g = end(s);
    ck_assert_uint_eq(g->nroots, N);
    ck_assert_uint_eq(g->steps[N].ndeps, N);
    ck_assert_uint_eq(g->steps[N + 1].ndeps, N + 1);
    ck_assert_uint_eq(g->steps[N + 2].ndeps, 1);
    ck_assert(edge(g, N + 1, N + 2));
    frd_graph_destroy(g);
}
END_TEST

START_TEST(an_edge_exists_once)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_recv(s, 0, bytes(0, 100));
    frd_send(s, 1, bytes(20, 30)); /* three segments with one writer */
    frd_reduce(s, bytes(0, 50), bytes(0, 50), bytes(50, 100));
    g = end(s);
    ck_assert_uint_eq(g->steps[2].ndeps, 2);
    ck_assert_uint_eq(g->steps[0].nnext, 2);
    ck_assert_uint_eq(g->nedges, 3);
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_step_does_not_wait_for_itself)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_reduce(s, bytes(0, 50), bytes(0, 50), bytes(50, 100));
    frd_reduce(s, bytes(0, 50), bytes(0, 50), bytes(50, 100));
    g = end(s);
    ck_assert_uint_eq(g->nedges, 1);
    ck_assert_uint_eq(g->nroots, 1);
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_factor_is_read)
{
    frd_sched *s = begin_with(FEDRDMA_F32, FEDRDMA_SUM, false);
    const frd_ref total = frd_tmp_typed(s, 8, FEDRDMA_F64);
    const frd_ref weight = { 0, 8, FRD_SPACE_ARG, FEDRDMA_F64 };
    frd_graph *g;

    frd_recv(s, 1, total);
    frd_scale_over(s, bytes(0, 8), at(FRD_SPACE_SEND, 0, 8), total);
    frd_scale_by(s, bytes(0, 8), bytes(0, 8), weight);
    frd_scale_over_count(s, bytes(8, 16), bytes(0, 8), 7);
    g = end(s);
    ck_assert(edge(g, 0, 1) && edge(g, 1, 2) && edge(g, 2, 3));
    ck_assert_int_eq(g->steps[1].how, FRD_SCALE_OVER_REF);
    ck_assert_int_eq(g->steps[2].how, FRD_SCALE_BY_REF);
    ck_assert_int_eq(g->steps[3].how, FRD_SCALE_OVER_COUNT);
    ck_assert_uint_eq(g->steps[3].count, 7);
    ck_assert_uint_eq(g->extent[FRD_SPACE_ARG], 8);
    frd_graph_destroy(g);
}
END_TEST

/* ---- random programs against the definition ---- */

#define RANDOM_BYTES 48
#define RANDOM_STEPS 60

static frd_ref random_ref(adv_rng *rng, size_t len)
{
    static const int spaces[] = { FRD_SPACE_SEND, FRD_SPACE_RECV, FRD_SPACE_RECV, FRD_SPACE_RECV };
    const size_t off = (size_t)adv_below(rng, RANDOM_BYTES - (int)len + 1);

    return at(spaces[adv_below(rng, 4)], off, len);
}

static bool overlap(frd_ref a, frd_ref b)
{
    return a.space == b.space && a.off < b.off + b.len && b.off < a.off + a.len;
}

static void random_verb(frd_sched *s, adv_rng *rng)
{
    const size_t len = 1 + (size_t)adv_below(rng, adv_below(rng, 4) == 0 ? 30 : 9);
    const int peer = adv_below(rng, US);
    frd_ref out = random_ref(rng, len), a = random_ref(rng, len), b = random_ref(rng, len);

    switch (adv_below(rng, 4)) {
    case 0:
        frd_send(s, peer, a);
        break;
    case 1:
        frd_recv(s, peer, out);
        break;
    case 2:
        if (!overlap(out, a))
            frd_copy(s, out, a);
        break;
    default:
        a = overlap(out, a) ? out : a;
        b = overlap(out, b) ? out : b;
        frd_reduce(s, out, a, b);
    }
}

/* By the definition: one of the two writes what the other touches. */
static bool conflict(const frd_step *i, const frd_step *j)
{
    return overlap(i->out, j->a) || overlap(i->out, j->b) || overlap(i->out, j->out) ||
           overlap(j->out, i->a) || overlap(j->out, i->b);
}

static void compare(const frd_graph *g, uint64_t seed)
{
    static bool after[RANDOM_STEPS][RANDOM_STEPS]; /* after[i][j]: j waits for i, perhaps through others */

    memset(after, 0, sizeof after);
    for (uint32_t i = g->nsteps; i-- > 0;)
        for (uint32_t e = 0; e < g->steps[i].nnext; e++) {
            const uint32_t next = g->next[g->steps[i].first_next + e];

            ck_assert_uint_gt(next, i);
            after[i][next] = true;
            for (uint32_t j = 0; j < g->nsteps; j++)
                after[i][j] |= after[next][j];
        }
    for (uint32_t i = 0; i < g->nsteps; i++)
        for (uint32_t j = i + 1; j < g->nsteps; j++) {
            const bool conflicting = conflict(&g->steps[i], &g->steps[j]);

            /* An assertion that holds costs a system call in Check, so only failures call it. */
            if (conflicting && !after[i][j])
                ck_abort_msg("seed %llu: step %u does not wait for %u", (unsigned long long)seed, j, i);
            if (!conflicting && edge(g, i, j))
                ck_abort_msg("seed %llu: step %u waits for %u in vain", (unsigned long long)seed, j, i);
        }
}

START_TEST(random_programs_wait_as_defined)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        adv_rng rng = { seed };
        frd_sched *s = begin();
        frd_graph *g;

        for (int i = 0; i < RANDOM_STEPS; i++)
            random_verb(s, &rng);
        g = end(s);
        compare(g, seed);
        frd_graph_destroy(g);
    }
}
END_TEST

/* ---- steps ---- */

START_TEST(steps_say_what_was_recorded)
{
    frd_sched *s = begin_with(FEDRDMA_I32, FEDRDMA_MAX, false);
    frd_graph *g;

    frd_send(s, 0, at(FRD_SPACE_SEND, 0, 100));
    frd_recv(s, 5, bytes(100, 200));
    frd_send(s, 0, bytes(100, 108));
    frd_recv(s, 0, bytes(300, 340));
    frd_copy(s, bytes(400, 440), bytes(300, 340));
    frd_reduce(s, bytes(0, 40), at(FRD_SPACE_SEND, 8, 40), bytes(300, 340));
    frd_sched_set_op(s, FEDRDMA_SUM);
    frd_reduce(s, bytes(0, 40), bytes(0, 40), bytes(300, 340));
    g = end(s);
    ck_assert_uint_eq(g->nsteps, 7);
    ck_assert_uint_eq(g->nsends, 2);
    ck_assert_uint_eq(g->nrecvs, 2);
    ck_assert_uint_eq(g->sent_bytes, 108);
    ck_assert_uint_eq(g->received_bytes, 140);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(g->steps[i].msg, i);
    ck_assert_uint_eq(g->steps[0].idx, 0);
    ck_assert_uint_eq(g->steps[1].idx, 0);
    ck_assert_uint_eq(g->steps[2].idx, 1); /* second to rank 0 */
    ck_assert_uint_eq(g->steps[3].idx, 0); /* first from rank 0 */
    ck_assert_int_eq(g->steps[1].peer, 5);
    ck_assert_int_eq(g->steps[4].kind, FRD_STEP_COPY);
    ck_assert_int_eq(g->steps[5].kind, FRD_STEP_REDUCE);
    ck_assert_int_eq(g->steps[5].op, FEDRDMA_MAX);
    ck_assert_uint_eq(g->steps[5].a.off, 8);
    ck_assert_uint_eq(g->steps[5].b.off, 300);
    ck_assert_int_eq(g->steps[6].op, FEDRDMA_SUM);
    ck_assert_uint_eq(g->extent[FRD_SPACE_SEND], 100);
    ck_assert_uint_eq(g->extent[FRD_SPACE_RECV], 440);
    ck_assert_uint_eq(g->extent[FRD_SPACE_TMP], 0);
    ck_assert_uint_eq(g->extent[FRD_SPACE_ARG], 0);
    ck_assert_uint_eq(g->nroots, 3);
    ck_assert_uint_eq(g->roots[0], 0);
    ck_assert_uint_eq(g->roots[1], 1);
    ck_assert_uint_eq(g->roots[2], 3);
    frd_graph_destroy(g);
}
END_TEST

START_TEST(empty_steps_are_left_out)
{
    frd_sched *s = begin();
    const frd_ref nothing = bytes(7, 7);
    frd_graph *g;

    frd_send(s, 0, nothing);
    frd_recv(s, 0, nothing);
    frd_copy(s, nothing, nothing);
    frd_copy(s, bytes(0, 10), bytes(0, 10));
    frd_reduce(s, nothing, nothing, nothing);
    frd_scale_by(s, nothing, nothing, at(FRD_SPACE_ARG, 0, 8));
    frd_scale_over(s, nothing, nothing, at(FRD_SPACE_ARG, 0, 8));
    frd_scale_over_count(s, nothing, nothing, 2);
    frd_copy(s, bytes(0, 10), at(FRD_SPACE_SEND, 0, 10)); /* same place, other space */
    frd_send(s, 0, bytes(0, 1));
    g = end(s);
    ck_assert_uint_eq(g->nsteps, 2);
    ck_assert_uint_eq(g->steps[1].idx, 0);
    frd_graph_destroy(g);
    g = end(begin());
    ck_assert_uint_eq(g->nsteps, 0);
    ck_assert_uint_eq(g->nroots, 0);
    frd_graph_destroy(g);
    frd_graph_destroy(NULL);
    frd_sched_destroy(NULL);
}
END_TEST

START_TEST(a_users_operator_lands_on_its_second_operand)
{
    frd_sched *s = begin_with(FEDRDMA_U8, 100, false);
    frd_graph *g;

    frd_reduce(s, bytes(0, 10), bytes(10, 20), bytes(0, 10));  /* onto b: as it is */
    frd_reduce(s, bytes(20, 30), bytes(10, 20), bytes(0, 10)); /* elsewhere: b is copied there first */
    frd_reduce(s, bytes(0, 10), bytes(0, 10), bytes(20, 30));  /* onto a: through scratch */
    g = end(s);
    ck_assert_uint_eq(g->nsteps, 6);
    ck_assert_int_eq(g->steps[0].kind, FRD_STEP_USER);
    ck_assert_uint_eq(g->steps[0].a.off, 10);
    ck_assert_int_eq(g->steps[1].kind, FRD_STEP_COPY);
    ck_assert_uint_eq(g->steps[1].out.off, 20);
    ck_assert_uint_eq(g->steps[1].a.off, 0);
    ck_assert_int_eq(g->steps[2].kind, FRD_STEP_USER);
    ck_assert(edge(g, 0, 1) && edge(g, 1, 2));
    ck_assert_int_eq(g->steps[3].kind, FRD_STEP_COPY);
    ck_assert_int_eq(g->steps[3].out.space, FRD_SPACE_TMP);
    ck_assert_uint_eq(g->steps[3].a.off, 20);
    ck_assert_int_eq(g->steps[4].kind, FRD_STEP_USER);
    ck_assert_int_eq(g->steps[4].out.space, FRD_SPACE_TMP);
    ck_assert_uint_eq(g->steps[4].a.off, 0);
    ck_assert_int_eq(g->steps[5].kind, FRD_STEP_COPY);
    ck_assert_uint_eq(g->steps[5].out.off, 0);
    ck_assert(edge(g, 3, 4) && edge(g, 4, 5));
    ck_assert(edge(g, 0, 4)); /* reads what step 0 wrote */
    frd_graph_destroy(g);
}
END_TEST

START_TEST(a_users_operator_reads_what_it_changes)
{
    frd_sched *s = begin_with(FEDRDMA_U8, 100, false);
    frd_graph *g;

    frd_recv(s, 1, bytes(0, 10));
    frd_recv(s, 1, bytes(10, 20));
    frd_reduce(s, bytes(0, 10), bytes(10, 20), bytes(0, 10));
    frd_send(s, 1, bytes(0, 10));
    g = end(s);
    ck_assert(edge(g, 0, 2) && edge(g, 1, 2) && edge(g, 2, 3));
    frd_graph_destroy(g);
}
END_TEST

START_TEST(operators_know_whether_they_commute)
{
    frd_sched *s = begin_with(FEDRDMA_U8, FEDRDMA_LXOR, false);

    ck_assert(frd_commutative(s));
    frd_sched_set_op(s, FEDRDMA_LXOR + 1);
    ck_assert(!frd_commutative(s));
    frd_sched_set_op(s, FEDRDMA_SUM);
    ck_assert(frd_commutative(s));
    frd_sched_set_op(s, 0);
    ck_assert(!frd_commutative(s));
    frd_sched_destroy(s);
    s = begin_with(FEDRDMA_U8, 100, true);
    ck_assert(frd_commutative(s));
    frd_sched_destroy(s);
}
END_TEST

/* ---- references ---- */

START_TEST(scratch_is_aligned_and_apart)
{
    frd_sched *s = begin_with(FEDRDMA_F32, FEDRDMA_SUM, false);
    const frd_ref a = frd_tmp(s, 1), b = frd_tmp(s, 65), c = frd_tmp(s, 0),
                  d = frd_tmp_typed(s, 64, FEDRDMA_F64);
    frd_graph *g;

    ck_assert_uint_eq(a.off, 0);
    ck_assert_uint_eq(b.off, 64);
    ck_assert_uint_eq(d.off, 192);
    ck_assert_uint_eq(c.len, 0);
    ck_assert_uint_eq(d.len, 64);
    ck_assert_int_eq(b.type, FEDRDMA_F32);
    ck_assert_int_eq(d.type, FEDRDMA_F64);
    ck_assert_int_eq(d.space, FRD_SPACE_TMP);
    frd_recv(s, 1, b);
    g = end(s);
    ck_assert_uint_eq(g->tmp_bytes, 256);
    ck_assert_uint_eq(g->extent[FRD_SPACE_TMP], 129);
    frd_graph_destroy(g);
}
END_TEST

/* Parts of `count` elements are whole, in order, side by side, the longer ones first, and any run of them is
 * one reference. */
static bool good_parts(const frd_sched *s, size_t count, int n)
{
    const frd_ref all = { 1000, count * 4, FRD_SPACE_RECV, FEDRDMA_I32 };
    const size_t few = count / (size_t)n, more = count % (size_t)n;
    size_t end_of_last = all.off;
    bool good = true;

    for (int i = 0; i < n; i++) {
        const frd_ref p = frd_part(s, all, n, i), rest = frd_parts(s, all, n, i, n - i);

        good = good && p.off == end_of_last && p.len == 4 * (few + ((size_t)i < more)) &&
               p.space == all.space && p.type == all.type && frd_part(s, all, n, i - n).off == p.off &&
               frd_part(s, all, n, i - 2 * n).off == p.off && frd_part(s, all, n, i + 2 * n).len == p.len &&
               frd_parts(s, all, n, 0, i).len == p.off - all.off && rest.off == p.off &&
               rest.len == all.off + all.len - p.off;
        end_of_last += p.len;
    }
    return good && end_of_last == all.off + all.len;
}

START_TEST(parts_are_nearly_equal_and_whole)
{
    frd_sched *s = begin();

    for (size_t count = 0; count < 50; count++)
        for (int n = 1; n < 24; n++)
            ck_assert_msg(good_parts(s, count, n), "%zu elements in %d parts", count, n);
    frd_sched_destroy(s);
}
END_TEST

START_TEST(references_are_cut)
{
    const frd_ref r = { 100, 50, FRD_SPACE_SEND, FEDRDMA_F64 };

    ck_assert_uint_eq(frd_head(r, 8).off, 100);
    ck_assert_uint_eq(frd_head(r, 8).len, 8);
    ck_assert_uint_eq(frd_sub(r, 16, 8).off, 116);
    ck_assert_uint_eq(frd_sub(r, 16, 8).len, 8);
    ck_assert_int_eq(frd_sub(r, 16, 8).type, FEDRDMA_F64);
    ck_assert_int_eq(frd_sub(r, 16, 8).space, FRD_SPACE_SEND);
}
END_TEST

/* ---- errors ---- */

static void beyond(frd_sched *s, frd_ref r)
{
    frd_copy(s, bytes(0, 10), r);
    end_badly(s, FEDRDMA_ERR_INTERNAL, "outside of its buffer");
}

START_TEST(a_reference_stays_in_its_buffer)
{
    frd_sched *s = begin();
    frd_graph *g;

    frd_copy(s, bytes(0, 10), at(FRD_SPACE_SEND, SEND_BYTES - 10, 10)); /* the last bytes are fine */
    frd_copy(s, bytes(RECV_BYTES - 10, RECV_BYTES), bytes(0, 10));
    frd_copy(s, bytes(0, 8), at(FRD_SPACE_ARG, FRD_ARG_BYTES - 8, 8));
    frd_copy(s, frd_tmp(s, 64), bytes(0, 64));
    g = end(s);
    ck_assert_uint_eq(g->nsteps, 4);
    frd_graph_destroy(g);

    beyond(begin(), at(FRD_SPACE_SEND, SEND_BYTES - 9, 10));
    beyond(begin(), at(FRD_SPACE_RECV, RECV_BYTES - 9, 10));
    beyond(begin(), at(FRD_SPACE_TMP, 0, 10));
    beyond(begin(), at(FRD_SPACE_ARG, 0, 10));
    beyond(begin(), at(FRD_SPACE_NONE, 0, 10));
    beyond(begin(), at(FRD_NSPACES, 0, 10));
    beyond(begin(), at(FRD_SPACE_SEND, SIZE_MAX - 5, 10));

    s = begin();
    frd_recv(s, 0, bytes(RECV_BYTES - 9, RECV_BYTES + 1));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "outside of its buffer");
    s = begin();
    frd_reduce(s, bytes(0, 10), bytes(10, 20), at(FRD_SPACE_SEND, SEND_BYTES, 10));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "outside of its buffer");
}
END_TEST

START_TEST(a_peer_is_another_rank)
{
    static const int bad[] = { -1, US, RANKS, RANKS + 1 };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        frd_sched *s = begin();

        frd_send(s, bad[i], bytes(0, 10));
        end_badly(s, FEDRDMA_ERR_INTERNAL, "rank that does not exist");
        s = begin();
        frd_recv(s, bad[i], bytes(0, 10));
        end_badly(s, FEDRDMA_ERR_INTERNAL, "rank that does not exist");
    }
}
END_TEST

START_TEST(lengths_must_match)
{
    frd_sched *s = begin();

    frd_copy(s, bytes(0, 10), bytes(20, 31));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "different lengths");
    s = begin();
    frd_reduce(s, bytes(0, 10), bytes(20, 31), bytes(40, 50));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "different lengths");
    s = begin();
    frd_reduce(s, bytes(0, 10), bytes(20, 30), bytes(40, 51));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "different lengths");
    s = begin();
    frd_scale_over_count(s, bytes(0, 10), bytes(20, 31), 2);
    end_badly(s, FEDRDMA_ERR_INTERNAL, "different lengths");
}
END_TEST

START_TEST(a_result_lies_on_an_operand_or_apart)
{
    frd_sched *s = begin();

    frd_reduce(s, bytes(0, 10), bytes(1, 11), bytes(40, 50));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "part of its operand");
    s = begin();
    frd_reduce(s, bytes(10, 20), bytes(40, 50), bytes(1, 11));
    end_badly(s, FEDRDMA_ERR_INTERNAL, "part of its operand");
    s = begin();
    frd_reduce(s, bytes(10, 20), bytes(20, 30), bytes(0, 10));
    frd_graph_destroy(end(s));
}
END_TEST

START_TEST(the_first_error_stays)
{
    frd_sched *s = begin();

    frd_send(s, 0, bytes(0, 10));
    frd_refuse(s, "no such thing");
    frd_send(s, US, bytes(0, 10));
    frd_refuse(s, "another thing");
    end_badly(s, FEDRDMA_ERR_INTERNAL, "step 1: no such thing");
    s = begin();
    frd_tmp(s, SIZE_MAX - 10);
    end_badly(s, FEDRDMA_ERR_NOMEM, "scratch");
    s = begin();
    frd_tmp(s, SIZE_MAX / 2);
    frd_tmp(s, SIZE_MAX / 2 + 1);
    end_badly(s, FEDRDMA_ERR_NOMEM, "scratch");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *tests = tcase_create("sched");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tests, a_read_waits_for_the_write);
    tcase_add_test(tests, a_write_waits_for_reads);
    tcase_add_test(tests, a_write_waits_for_writes);
    tcase_add_test(tests, a_write_ends_what_was_before);
    tcase_add_test(tests, reads_share);
    tcase_add_test(tests, many_segments);
    tcase_add_test(tests, an_edge_exists_once);
    tcase_add_test(tests, a_step_does_not_wait_for_itself);
    tcase_add_test(tests, a_factor_is_read);
    tcase_add_test(tests, random_programs_wait_as_defined);
    tcase_add_test(tests, steps_say_what_was_recorded);
    tcase_add_test(tests, empty_steps_are_left_out);
    tcase_add_test(tests, a_users_operator_lands_on_its_second_operand);
    tcase_add_test(tests, a_users_operator_reads_what_it_changes);
    tcase_add_test(tests, operators_know_whether_they_commute);
    tcase_add_test(tests, scratch_is_aligned_and_apart);
    tcase_add_test(tests, parts_are_nearly_equal_and_whole);
    tcase_add_test(tests, references_are_cut);
    tcase_add_test(tests, a_reference_stays_in_its_buffer);
    tcase_add_test(tests, a_peer_is_another_rank);
    tcase_add_test(tests, lengths_must_match);
    tcase_add_test(tests, a_result_lies_on_an_operand_or_apart);
    tcase_add_test(tests, the_first_error_stays);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
