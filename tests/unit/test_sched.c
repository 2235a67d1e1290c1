/* SPDX-License-Identifier: BSD-3-Clause
 * test_sched.c - the recorder's steps: what the verbs record, parts and scratch, sticky errors, totals. What
 * waits for what is in test_track.c. */
#include "tests/unit/sched_program.h"

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
