/* SPDX-License-Identifier: BSD-3-Clause
 * test_track.c - the recorder's dependencies: which step waits for which, in programs written by hand and in
 * random ones compared with the definition. */
#include "tests/adversary/rng.h"
#include "tests/unit/sched_program.h"

/* ---- by hand ---- */

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

int main(void)
{
    Suite *suite = suite_create("track");
    TCase *tests = tcase_create("track");
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
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
