/* SPDX-License-Identifier: BSD-3-Clause
 * test_rules.c - the choice of an algorithm: table, rules of the user's text, their errors, their printing.
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectives/cut.h"

static frd_rules *parse(const char *text)
{
    frd_story story = { 0 };
    frd_rules *rules = NULL;

    ck_assert_msg(frd_rules_parse(text, &story, &rules) == FEDRDMA_OK, "%s", story.text);
    return rules;
}

static frd_choice choice_of(int coll, int ranks, size_t bytes)
{
    return (frd_choice){ .coll = coll, .ranks = ranks, .bytes = bytes, .regular = true, .commutative = true };
}

/* Name of what the rules choose. */
static const char *chosen(const frd_rules *rules, int coll, int ranks, size_t bytes)
{
    const frd_choice choice = choice_of(coll, ranks, bytes);
    const frd_algo *algo = frd_rules_select(rules, &choice);

    ck_assert_ptr_nonnull(algo);
    ck_assert_int_eq(algo->coll, coll);
    return algo->name;
}

START_TEST(the_table_is_sound)
{
    int by_coll[FRD_NCOLLS] = { 0 }, plain[FRD_NCOLLS] = { 0 };

    for (size_t i = 0; i < frd_algo_count(); i++) {
        const frd_algo *a = frd_algo_at(i);

        ck_assert_ptr_nonnull(a->fn);
        ck_assert_uint_lt(strlen(a->name), sizeof((fedrdma_result *)0)->algorithm);
        ck_assert_uint_gt(strlen(a->text), 0);
        by_coll[a->coll]++;
        plain[a->coll] += a->flags == 0;
        for (size_t j = 0; j < i; j++)
            ck_assert(frd_algo_at(j)->coll != a->coll || strcmp(frd_algo_at(j)->name, a->name) != 0);
    }
    for (int coll = 0; coll < FRD_NCOLLS; coll++) {
        ck_assert_int_ge(by_coll[coll], 2);
        ck_assert_int_ge(plain[coll], 1); /* one that can do any call */
    }
    ck_assert_ptr_null(frd_algo_at(frd_algo_count()));
    ck_assert_str_eq(frd_coll_name(FRD_COLL_REDUCE_SCATTER), "reduce_scatter");
    ck_assert_str_eq(frd_coll_name(-1), "?");
    ck_assert_str_eq(frd_coll_name(FRD_NCOLLS), "?");
}
END_TEST

/* Of any call of any size: one that can do it. */
START_TEST(there_is_always_an_algorithm)
{
    frd_rules *rules = parse("");

    for (int coll = 0; coll < FRD_NCOLLS; coll++)
        for (int ranks = 1; ranks < 70; ranks++)
            for (int bits = 0; bits < 4; bits++)
                for (size_t bytes = 1; bytes < (size_t)1 << 40; bytes *= 4) {
                    frd_choice c = choice_of(coll, ranks, bytes - 1);
                    const frd_algo *algo;

                    c.regular = bits % 2 != 0;
                    c.commutative = bits / 2 != 0;
                    algo = frd_rules_select(rules, &c);
                    ck_assert_ptr_nonnull(algo);
                    ck_assert_int_eq(algo->coll, coll);
                    ck_assert(c.regular || (algo->flags & FRD_ALGO_REGULAR) == 0);
                    ck_assert(c.commutative || (algo->flags & FRD_ALGO_COMMUTATIVE) == 0);
                    ck_assert((ranks & (ranks - 1)) == 0 || (algo->flags & FRD_ALGO_POW2) == 0);
                    ck_assert_ptr_eq(algo, frd_rules_select(NULL, &c));
                }
    frd_rules_destroy(rules);
    frd_rules_destroy(NULL);
}
END_TEST

START_TEST(size_and_ranks_decide)
{
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLREDUCE, 4, 0), "recdbl");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLREDUCE, 4, 16383), "recdbl");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLREDUCE, 4, 16384), "rabenseifner");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLREDUCE, 16, 1 << 20), "ring");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLREDUCE, 17, 1 << 20), "rabenseifner");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_BROADCAST, 5, 8), "knomial");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLGATHER, 8, 100), "recdbl");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_ALLGATHER, 7, 100), "bruck");
    ck_assert_str_eq(chosen(NULL, FRD_COLL_BARRIER, 5, 0), "dissemination");
}
END_TEST

START_TEST(the_users_rules_come_first)
{
    frd_rules *rules = parse("allreduce:0-4k:ring, 4k-1m : reduce_bcast;broadcast:100-:chain");

    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 0), "ring");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 4095), "ring");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 4096), "reduce_bcast");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 1048575), "reduce_bcast");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 1048576), "ring"); /* built in */
    ck_assert_str_eq(chosen(rules, FRD_COLL_BROADCAST, 4, 99), "knomial");
    ck_assert_str_eq(chosen(rules, FRD_COLL_BROADCAST, 4, 100), "chain");
    ck_assert_str_eq(chosen(rules, FRD_COLL_REDUCE, 4, 100), "binomial");
    frd_rules_destroy(rules);
}
END_TEST

START_TEST(the_first_rule_wins)
{
    frd_rules *rules = parse("allreduce:0-4k:ring,0-:recdbl;allreduce:0-:reduce_bcast");

    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 5), "ring");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 4, 5000), "recdbl");
    frd_rules_destroy(rules);
}
END_TEST

START_TEST(a_rule_that_cannot_is_skipped)
{
    frd_rules *rules = parse("allreduce:0-:ring;allgather:0-:recdbl,0-:bruck;reduce_scatter:0-:rechalf");
    frd_choice c = choice_of(FRD_COLL_ALLREDUCE, 4, 1 << 20);

    c.commutative = false;
    ck_assert_str_eq(frd_rules_select(rules, &c)->name, "rabenseifner");
    c.coll = FRD_COLL_REDUCE_SCATTER;
    ck_assert_str_eq(frd_rules_select(rules, &c)->name, "pairwise");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLGATHER, 8, 1 << 20), "recdbl");
    ck_assert_str_eq(chosen(rules, FRD_COLL_ALLGATHER, 6, 1 << 20), "bruck");
    c = choice_of(FRD_COLL_ALLGATHER, 8, 1 << 20);
    c.regular = false;
    ck_assert_str_eq(frd_rules_select(rules, &c)->name, "ring");
    frd_rules_destroy(rules);
}
END_TEST

static const struct {
    const char *text, *wanted[3];
} bad[] = {
    { "allredduce:0-:ring",
      { "character 1:", "\"allredduce\" is no collective", "allreduce, reduce, broadcast" } },
    { "allreduce:0-:rong",
      { "character 14:", "\"rong\"", "allreduce has recdbl, ring, rabenseifner, reduce_bcast" } },
    { "allreduce:0-4k:recdbl,4k-:rin;x", { "character 27:", "\"rin\"", NULL } },
    { "allreduce:0-4k:ring;barrier:0-:ring", { "character 32:", "barrier has dissemination, linear", NULL } },
    { "allreduce", { "character 1:", "stands alone", NULL } },
    { "allreduce;", { "character 1:", "stands alone", NULL } },
    { "allreduce:", { "character 11:", "no range", "0-4k" } },
    { "allreduce:4k:ring", { "character 11:", "\"4k\" is no range", NULL } },
    { "allreduce:0-4k", { "character 11:", "no algorithm", NULL } },
    { "allreduce:0-4k:", { "character 16:", "is no algorithm", NULL } },
    { "allreduce:4k-4k:ring", { "character 11:", "empty range", NULL } },
    { "allreduce:4k-1k:ring", { "character 11:", "empty range", NULL } },
    { "allreduce:4q-8k:ring", { "character 11:", "\"4q\" has an unknown unit", NULL } },
    { "allreduce:4-8q:ring", { "character 13:", "\"8q\" has an unknown unit", NULL } },
    { "allreduce:-8k:ring", { "character 11:", NULL, NULL } },
    { "allreduce:0-99999999999999999999999g:ring", { "character 13:", NULL, NULL } },
    { "allreduce:0-999999999999999999999999999999:ring", { "character 13:", "too long", NULL } },
    { "allreduce:0-:ring:4k", { "character 14:", "colon", NULL } },
    { "allreduce:0-:ring,", { "character 19:", NULL, NULL } },
    { "allreduce:0-:ring;", { "character 19:", "is no collective", NULL } },
    { ";", { "character 1:", NULL, NULL } },
    { " ", { "no collective", NULL, NULL } },
    { "allreduce:0-:ringring", { "\"ringring\"", NULL, NULL } },
    { "allreduce:0--4k:ring", { "character 13:", "\"-4k\"", NULL } },
};

START_TEST(errors_say_where_and_what_else)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        frd_story story = { 0 };
        frd_rules *rules = NULL;

        ck_assert_msg(frd_rules_parse(bad[i].text, &story, &rules) == FEDRDMA_ERR_INVALID, "%s", bad[i].text);
        ck_assert_ptr_null(rules);
        ck_assert_ptr_nonnull(strstr(story.text, "option algo"));
        for (int w = 0; w < 3; w++)
            if (bad[i].wanted[w] != NULL)
                ck_assert_msg(strstr(story.text, bad[i].wanted[w]) != NULL, "%s: %s", bad[i].wanted[w],
                              story.text);
    }
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char text[3000];
    frd_story story = { 0 };
    frd_rules *rules = NULL;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(frd_rules_parse(text, &story, &rules), FEDRDMA_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(story.text, "collectives are"));
}
END_TEST

START_TEST(many_rules)
{
    char text[20000] = "allreduce:", line[64];
    frd_rules *rules;
    size_t n = strlen(text);

    for (int i = 0; i < 500; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d-%d:%s", i == 0 ? "" : ",", i, i + 1,
                              i % 2 == 0 ? "ring" : "recdbl");
    rules = parse(text);
    for (size_t i = 0; i < 500; i++)
        ck_assert_str_eq(chosen(rules, FRD_COLL_ALLREDUCE, 3, i), i % 2 == 0 ? "ring" : "recdbl");
    frd_rules_line(rules, 499, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:499-500:recdbl (option algo)");
    frd_rules_destroy(rules);
}
END_TEST

START_TEST(silos_have_their_own)
{
    for (int coll = 0; coll < FRD_NCOLLS; coll++) {
        frd_choice c = choice_of(coll, 7, 1 << 20);

        ck_assert_ptr_null(strstr(frd_rules_select(NULL, &c)->name, "silo"));
        c.silos = 3;
        ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "silo");
    }
    frd_choice c = choice_of(FRD_COLL_ALLREDUCE, 7, 1000);
    c.silos = 3;
    ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "silo_direct");
    c.commutative = false;
    ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "recdbl");
    c.ordered = true;
    ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "silo_direct");
    c = choice_of(FRD_COLL_REDUCE, 7, 1 << 20);
    c.silos = 3;
    c.commutative = false;
    c.ordered = true;
    ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "rabenseifner"); /* the long form mixes them */
    c = choice_of(FRD_COLL_ALLTOALL, 7, 1000);
    c.silos = 3;
    c.regular = false;
    ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "linear");
}
END_TEST

/* The more silos, the more bytes does the direct form send. */
START_TEST(direct_among_few_silos)
{
    static const struct {
        int silos;
        size_t below;
    } at[] = { { 2, 256 << 10 }, { 3, 256 << 10 }, { 4, 128 << 10 }, { 10, 32 << 10 }, { 66, 4 << 10 } };

    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        frd_choice c = choice_of(FRD_COLL_BROADCAST, 100, at[i].below - 1);

        c.silos = at[i].silos;
        ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "silo_direct");
        c.bytes++;
        ck_assert_str_eq(frd_rules_select(NULL, &c)->name, "silo");
    }
}
END_TEST

/* What is printed without its remarks can be given as the option, and then decides the same. */
START_TEST(lines_are_rules)
{
    frd_rules *rules = parse("alltoall:1025-3g:bruck,5-:pairwise");
    char line[128];
    size_t i = 0;

    frd_rules_line(rules, 0, line, sizeof line);
    ck_assert_str_eq(line, "alltoall:1025-3g:bruck (option algo)");
    frd_rules_line(rules, 1, line, sizeof line);
    ck_assert_str_eq(line, "alltoall:5-:pairwise (option algo)");
    frd_rules_line(rules, 2, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:0-:node");
    frd_rules_line(rules, 11, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:0-256k:silo_direct (S > 3 silos: /(S-2))");
    frd_rules_line(rules, 26, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:0-16k:recdbl");
    frd_rules_line(rules, 27, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:64k-:ring (up to 16 ranks)");
    for (;; i++) {
        frd_rules_line(rules, i, line, sizeof line);
        if (line[0] == '\0')
            break;
        line[strcspn(line, " ")] = '\0';
        frd_rules_destroy(parse(line));
    }
    ck_assert_uint_gt(i, 20);
    frd_rules_line(rules, i + 100, line, sizeof line);
    ck_assert_str_eq(line, "");
    frd_rules_line(NULL, 0, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:0-:node");
    frd_rules_line(NULL, 24, line, sizeof line);
    ck_assert_str_eq(line, "allreduce:0-16k:recdbl");
    frd_rules_destroy(rules);
}
END_TEST

/* ---- recording with an algorithm that the rules would not have chosen ---- */

static const frd_algo *algo_called(const char *coll, const char *name)
{
    for (size_t i = 0; i < frd_algo_count(); i++)
        if (strcmp(frd_coll_name(frd_algo_at(i)->coll), coll) == 0 && strcmp(frd_algo_at(i)->name, name) == 0)
            return frd_algo_at(i);
    ck_abort_msg("no %s:%s", coll, name);
}

static void refused(const frd_algo *algo, frd_call call, int n, const char *why)
{
    static const int peer[] = { 0, 1, 2, 3 };
    const frd_group g = { .size = n, .peer = peer };
    frd_story story = { 0 };
    frd_graph *graph = NULL;

    ck_assert_int_eq(frd_coll_record(algo, &call, &g, &story, &graph), FEDRDMA_ERR_INTERNAL);
    ck_assert_ptr_null(graph);
    ck_assert_msg(strstr(story.text, why) != NULL, "%s", story.text);
}

START_TEST(a_wrong_algorithm_is_refused)
{
    frd_call call = { .coll = FRD_COLL_ALLREDUCE, .type = FEDRDMA_U8, .op = 100, .len = 10, .stride = 10 };
    static const size_t offs[3] = { 0, 5, 10 }, lens[3] = { 5, 5, 5 };

    refused(algo_called("allreduce", "ring"), call, 3, "commutative");
    refused(algo_called("reduce", "linear"), call, 3, "another collective");
    call.op = FEDRDMA_SUM;
    call.coll = FRD_COLL_ALLGATHER;
    refused(algo_called("allgather", "recdbl"), call, 3, "powers of two");
    call.weighted = true;
    refused(algo_called("allgather", "ring"), call, 3, "weighted");
    call.weighted = false;
    call.irregular = true;
    call.roffs = offs;
    call.rlens = lens;
    refused(algo_called("allgather", "bruck"), call, 3, "equal blocks");
}
END_TEST

/* The rounds of the pairwise exchange follow each other only because of its tokens. */
START_TEST(pairwise_receives_few_at_a_time)
{
    static const int peer[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    const frd_group g = { .size = 12, .rank = 5, .peer = peer };
    const frd_call call = { .coll = FRD_COLL_ALLTOALL, .type = FEDRDMA_F32, .len = 40, .stride = 40 };
    frd_story story = { 0 };
    frd_graph *graph;
    int ready = 0;

    ck_assert_int_eq(frd_coll_record(algo_called("alltoall", "pairwise"), &call, &g, &story, &graph),
                     FEDRDMA_OK);
    for (uint32_t i = 0; i < graph->nroots; i++)
        ready += graph->steps[graph->roots[i]].kind == FRD_STEP_RECV;
    ck_assert_int_eq(ready, 4);
    ck_assert_uint_eq(graph->nrecvs, 11);
    frd_graph_destroy(graph);
}
END_TEST

/* Fragments between two silos are twice as long, between more four times, where four of those fit in the window. */
START_TEST(fragments_between_silos)
{
    static const struct {
        int nsilos;
        size_t fragment, window, is;
    } row[] = {
        { 2, 1 << 20, 16 << 20, 2 << 20 },
        { 3, 1 << 20, 16 << 20, 4 << 20 },
        { 4, 1 << 20, 16 << 20, 4 << 20 },
        { 16, 1 << 20, 16 << 20, 4 << 20 },
        { 4, (1 << 20) + 1, 16 << 20, (1 << 20) + 1 },
        { 4, 1 << 20, (16 << 20) - 1, 1 << 20 },
        { 2, 1 << 20, 8 << 20, 2 << 20 },
        { 2, 1 << 20, (8 << 20) - 1, 1 << 20 },
        { 5, 65536, 16 << 20, 4 * 65536 },
        { 4, 0, 16 << 20, 0 }, /* whole */
        { 4, 1 << 20, 0, 1 << 20 },
        { 4, SIZE_MAX, SIZE_MAX, SIZE_MAX },
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        ck_assert_uint_eq(frd_silo_fragment(row[i].nsilos, row[i].fragment, row[i].window), row[i].is);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *tests = tcase_create("rules");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tests, the_table_is_sound);
    tcase_add_test(tests, there_is_always_an_algorithm);
    tcase_add_test(tests, size_and_ranks_decide);
    tcase_add_test(tests, the_users_rules_come_first);
    tcase_add_test(tests, the_first_rule_wins);
    tcase_add_test(tests, a_rule_that_cannot_is_skipped);
    tcase_add_test(tests, errors_say_where_and_what_else);
    tcase_add_test(tests, long_texts_are_cut);
    tcase_add_test(tests, many_rules);
    tcase_add_test(tests, lines_are_rules);
    tcase_add_test(tests, silos_have_their_own);
    tcase_add_test(tests, direct_among_few_silos);
    tcase_add_test(tests, a_wrong_algorithm_is_refused);
    tcase_add_test(tests, fragments_between_silos);
    tcase_add_test(tests, pairwise_receives_few_at_a_time);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
