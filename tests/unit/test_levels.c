/* SPDX-License-Identifier: BSD-3-Clause
 * test_levels.c - which ranks of a silo are its gateways. What goes through them is the adversary's. */
#include <check.h>
#include <stdlib.h>

#include "collectives/levels.h"

enum { N = 8 };

/* Two silos, 0 0 0 0 0 1 1 1; nodes of the first a a b b c, of the second d d e. */
static const int peer[N] = { 10, 11, 12, 13, 14, 15, 16, 17 };
static const int silo[N] = { 0, 0, 0, 0, 0, 1, 1, 1 }, node[N] = { 0, 0, 1, 1, 2, 3, 3, 4 };

static frd_levels *levels_of(int rank, int wanted, const unsigned char *known, const int *nodes)
{
    const frd_group g = { .size = N, .rank = rank, .peer = peer, .node = nodes, .silo = silo };
    frd_levels *const l = malloc(frd_levels_bytes(N, 2, wanted));

    ck_assert_ptr_nonnull(l);
    frd_levels_init(l, &g, 2, wanted, known);
    return l;
}

static void has_gates(const frd_levels *l, int ngates, const int first[], const int second[])
{
    ck_assert_int_eq(l->ngates, ngates);
    for (int i = 0; i < ngates; i++) {
        ck_assert_int_eq(l->gate[i * 2], first[i]);
        ck_assert_int_eq(l->gate[i * 2 + 1], second[i]);
        ck_assert_int_eq(l->gate_peer[i * 2], peer[first[i]]);
        ck_assert_int_eq(l->gate_peer[i * 2 + 1], peer[second[i]]);
    }
}

START_TEST(one_of_each_node_first)
{
    frd_levels *const one = levels_of(4, 1, NULL, node), *const two = levels_of(4, 2, NULL, node);
    frd_levels *const all = levels_of(4, 100, NULL, node), *const same = levels_of(4, 2, NULL, NULL);

    has_gates(one, 1, (int[]){ 0 }, (int[]){ 5 });
    has_gates(two, 2, (int[]){ 0, 2 }, (int[]){ 5, 7 });
    has_gates(all, 3, (int[]){ 0, 2, 4 }, (int[]){ 5, 7, 6 }); /* as many as the smaller silo has */
    has_gates(same, 2, (int[]){ 0, 1 }, (int[]){ 5, 6 });
    ck_assert_int_eq(one->silo, 0);
    ck_assert_int_eq(one->place[4], 4);
    ck_assert_int_eq(one->place[5], 0);
    free(one);
    free(two);
    free(all);
    free(same);
}
END_TEST

START_TEST(named_ones_only)
{
    enum { X = FRD_LEVELS_NAMED };
    static const unsigned char some[N] = { [1] = X, [3] = X, [4] = X };
    static const unsigned char both[N] = { [1] = X, [3] = X, [4] = X, [6] = X };
    frd_levels *const a = levels_of(0, 3, some, node), *const b = levels_of(7, 3, both, node);

    has_gates(a, 3, (int[]){ 1, 3, 4 }, (int[]){ 5, 7, 6 }); /* nobody is named in the second: all may */
    has_gates(b, 1, (int[]){ 1 }, (int[]){ 6 });
    free(a);
    free(b);
}
END_TEST

START_TEST(near_ones_first)
{
    enum { X = FRD_LEVELS_NAMED, Y = FRD_LEVELS_NEAR };
    static const unsigned char near[N] = { [1] = Y, [3] = Y, [6] = Y };
    static const unsigned char mixed[N] = { [0] = X, [1] = X | Y, [2] = Y, [7] = Y };
    frd_levels *const a = levels_of(0, 3, near, node), *const b = levels_of(0, 2, mixed, node);

    has_gates(a, 3, (int[]){ 1, 3, 4 }, (int[]){ 6, 7, 5 });
    has_gates(b, 2, (int[]){ 1, 0 }, (int[]){ 7, 5 });
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("levels");
    TCase *const tcase = tcase_create("gateways");

    tcase_add_test(tcase, one_of_each_node_first);
    tcase_add_test(tcase, named_ones_only);
    tcase_add_test(tcase, near_ones_first);
    suite_add_tcase(suite, tcase);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
