/* SPDX-License-Identifier: BSD-3-Clause
 * test_links.c - the matrix of links: what was declared and what was measured stay apart; the texts of facts;
 * and the values that a topology file has and options don't. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/value.h"
#include "topo/links.h"
#include "fedrdma.h"

START_TEST(a_new_matrix_lets_all_talk)
{
    frd_links *links = NULL;

    ck_assert_int_eq(frd_links_create(0, &links), FEDRDMA_ERR_INVALID);
    ck_assert_int_eq(frd_links_create(FRD_LINKS_MAX + 1, &links), FEDRDMA_ERR_INVALID);
    ck_assert_int_eq(frd_links_create(FRD_LINKS_MAX, &links), FEDRDMA_OK);
    ck_assert_int_eq(frd_links_count(links), FRD_LINKS_MAX);
    ck_assert(frd_links_direct(links, 0, FRD_LINKS_MAX - 1));
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).rate_bps, 0);
    frd_links_destroy(links);
    frd_links_destroy(NULL);
}
END_TEST

START_TEST(declared_and_measured_stay_apart)
{
    const frd_link_facts said = { 100, 40, 10 }, seen = { 80, 50, 0 }, fast = { 200, 0, 5 },
                         none = { 0, 0, 0 };
    frd_links *links = NULL, *copy = NULL;

    ck_assert_int_eq(frd_links_create(3, &links), FEDRDMA_OK);
    frd_links_declare(links, 0, 1, FRD_LINK_TALK | FRD_LINK_DIAL, &said);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).loss_ppm, 10);
    frd_links_measure(links, 0, 1, &seen, 7);
    ck_assert_int_eq(frd_links_copy(links, &copy), FEDRDMA_OK);
    ck_assert_uint_eq(frd_links_get(links, 0, 1)->declared.rate_bps, 100);
    ck_assert_uint_eq(frd_links_get(links, 0, 1)->measured.rate_bps, 80);
    ck_assert_uint_eq(frd_links_get(links, 0, 1)->measured_at_ns, 7);
    ck_assert_uint_eq(frd_links_get(links, 1, 0)->measured_at_ns, 0);
    ck_assert_uint_eq(frd_links_get(links, 0, 2)->measured_at_ns, 0);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).rate_bps, 80);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).rtt_ns, 50);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).loss_ppm, 0); /* seen to be none */
    frd_links_measure(links, 0, 1, &fast, 8);                     /* above the cap, and no rtt this time */
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).rate_bps, 100);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).rtt_ns, 50);
    ck_assert_uint_eq(frd_links_expect(links, 0, 1).loss_ppm, 5);
    frd_links_measure(links, 0, 1, &none, 9); /* tells nothing but the time */
    ck_assert_uint_eq(frd_links_get(links, 0, 1)->measured.loss_ppm, 5);
    ck_assert_uint_eq(frd_links_get(links, 0, 1)->measured_at_ns, 9);
    ck_assert_uint_eq(frd_links_get(copy, 0, 1)->measured_at_ns, 7);
    frd_links_measure(links, 2, 1, &seen, 9); /* nothing declared: no cap */
    ck_assert_uint_eq(frd_links_expect(links, 2, 1).rate_bps, 80);
    frd_links_destroy(links);
    frd_links_destroy(copy);
}
END_TEST

START_TEST(one_dialer_is_enough_and_both_must_talk)
{
    const frd_link_facts none = { 0, 0, 0 };
    frd_links *links = NULL;

    ck_assert_int_eq(frd_links_create(2, &links), FEDRDMA_OK);
    frd_links_declare(links, 0, 1, FRD_LINK_TALK, &none);
    ck_assert(frd_links_direct(links, 0, 1) && frd_links_direct(links, 1, 0));
    frd_links_declare(links, 1, 0, FRD_LINK_TALK, &none);
    ck_assert(!frd_links_direct(links, 0, 1) && !frd_links_direct(links, 1, 0));
    frd_links_declare(links, 1, 0, FRD_LINK_DIAL, &none);
    ck_assert(!frd_links_direct(links, 0, 1) && !frd_links_direct(links, 1, 0));
    frd_links_destroy(links);
}
END_TEST

START_TEST(a_table_has_what_was_measured)
{
    static const char *const names[] = { "north", "s" };
    const frd_link_facts said = { 300000000, 40000000, 0 }, seen = { 281500000, 40250000, 0 };
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    frd_links *links = NULL;

    ck_assert_int_eq(frd_links_create(2, &links), FEDRDMA_OK);
    frd_links_declare(links, 0, 1, FRD_LINK_TALK | FRD_LINK_DIAL, &said);
    frd_links_declare(links, 1, 0, FRD_LINK_TALK, &said);
    frd_links_print(links, names, out);
    fflush(out);
    ck_assert_str_eq(text, "From   To     Direct  Dials  Declared rate   RTT         Loss\n"
                           "north  s      yes     north  300 Mbit/s      40 ms       -\n"
                           "s      north  yes     north  300 Mbit/s      40 ms       -\n");
    rewind(out);
    frd_links_measure(links, 0, 1, &seen, 1);
    frd_links_print(links, names, out);
    fclose(out);
    ck_assert_str_eq(
        text, "From   To     Direct  Dials  Declared rate   RTT         Loss     Measured rate   RTT         "
              "Loss     Route\n"
              "north  s      yes     north  300 Mbit/s      40 ms       -        281.5 Mbit/s    40.25 ms    "
              "0%       direct\n"
              "s      north  yes     north  300 Mbit/s      40 ms       -        -               -           "
              "-        "
              "-\n");
    free(text);
    frd_links_destroy(links);
}
END_TEST

START_TEST(facts_have_texts)
{
    static const struct {
        uint64_t value;
        const char *rate, *rtt;
    } texts[] = {
        { 0, "-", "-" },
        { 1, "1 bit/s", "1 ns" },
        { 999, "999 bit/s", "999 ns" },
        { 1500, "1.5 kbit/s", "1.5 us" },
        { 300000000, "300 Mbit/s", "300 ms" },
        { 1250000000, "1.25 Gbit/s", "1.25 s" },
        { 1000400000, "1 Gbit/s", "1 s" },
        { UINT64_MAX, "18446744073.71 Gbit/s", "18446744073.71 s" },
    };
    char text[FRD_FACT_MAX];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        frd_rate_text(texts[i].value, text);
        ck_assert_str_eq(text, texts[i].rate);
        frd_rtt_text(texts[i].value, text);
        ck_assert_str_eq(text, texts[i].rtt);
    }
    frd_loss_text(0, text);
    ck_assert_str_eq(text, "-");
    frd_loss_text(1, text);
    ck_assert_str_eq(text, "0.0001%");
    frd_loss_text(1000, text);
    ck_assert_str_eq(text, "0.1%");
    frd_loss_text(UINT32_MAX, text);
    ck_assert_str_eq(text, "429496.7295%");
    frd_loss_text(1000000, text);
    ck_assert_str_eq(text, "100%");
}
END_TEST

START_TEST(rates_are_bits_and_exact)
{
    static const struct {
        const char *text;
        uint64_t bps;
        const char *wrong;
    } rates[] = {
        { "300M", 300000000, NULL },
        { "1.5Gbit/s", 1500000000, NULL },
        { "64k", 64000, NULL },
        { "64K", 64000, NULL },
        { "7bit/s", 7, NULL },
        { "0.001k", 1, NULL },
        { "2Tbit/s", 2000000000000, NULL },
        { "0.0001k", 0, "finer" },
        { "300", 0, "no unit" },
        { "300m", 0, "unknown unit" },
        { "300 M", 0, "unknown unit" },
        { "300MB/s", 0, "bytes" },
        { "300MB", 0, "bytes" },
        { "B", 0, "bytes" },
        { "", 0, "not a number" },
        { "1.M", 0, "digits" },
        { "9223372T", 9223372000000000000, NULL },
        { "9223373T", 0, "too large" },
        { "99999999999999999999M", 0, "too large" },
    };

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        uint64_t bps = 0;
        const char *wrong = frd_value_rate_bps(rates[i].text, &bps);

        ck_assert_msg((wrong == NULL) == (rates[i].wrong == NULL), "%s: %s", rates[i].text, wrong);
        ck_assert_msg(bps == rates[i].bps, "%s: %llu", rates[i].text, (unsigned long long)bps);
        if (wrong != NULL)
            ck_assert_msg(strstr(wrong, rates[i].wrong) != NULL, "%s: %s", rates[i].text, wrong);
    }
}
END_TEST

START_TEST(lists_of_names_are_cut)
{
    static const char *const names[] = { "alpha", "beta", "gamma" };
    char list[32];

    frd_names_list(list, sizeof list, names, 3);
    ck_assert_str_eq(list, "alpha, beta, gamma");
    frd_names_list(list, 19, names, 3);
    ck_assert_str_eq(list, "alpha, beta, gamma");
    frd_names_list(list, 18, names, 3);
    ck_assert_str_eq(list, "alpha, beta, ...");
    frd_names_list(list, 8, names, 3);
    ck_assert_str_eq(list, "...");
    frd_names_list(list, sizeof list, names, 0);
    ck_assert_str_eq(list, "");
    ck_assert_str_eq(frd_nearest("gama", names, 3), "gamma");
    ck_assert_ptr_null(frd_nearest("epsilon", names, 3));
}
END_TEST

START_TEST(routes_are_shown)
{
    static const char *const names[] = { "a", "b", "c" };
    const frd_link_facts facts = { .rate_bps = 20000000, .rtt_ns = 40000000, .loss_ppm = 1000 };
    const int via[] = { 2, 0 };
    frd_links *links;
    char route[40], *text = NULL;
    size_t bytes = 0;

    ck_assert_int_eq(frd_links_create(3, &links), FEDRDMA_OK);
    frd_links_measure(links, 0, 1, &facts, 1);
    frd_links_measure(links, 1, 0, &facts, 1);
    frd_links_measure_route(links, 0, 1, via, 1);
    frd_links_measure_route(links, 1, 0, via, 2);
    frd_links_route_text(links, names, 0, 1, route, sizeof route);
    ck_assert_str_eq(route, "via c");
    frd_links_route_text(links, names, 1, 0, route, 7); /* no room */
    ck_assert_str_eq(route, "via c,");
    frd_links_route_text(links, names, 0, 2, route, sizeof route);
    ck_assert_str_eq(route, "-");
    FILE *out = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(out);
    frd_links_print(links, names, out);
    fclose(out);
    ck_assert_ptr_null(strstr(text, "Declared")); /* nothing is */
    ck_assert_ptr_nonnull(strstr(text, "\nb      a      20 Mbit/s       40 ms       0.1%     via c, a\n"));
    free(text);
    frd_links_measure_route(links, 1, 0, NULL, 0); /* it has changed */
    frd_links_route_text(links, names, 1, 0, route, sizeof route);
    ck_assert_str_eq(route, "direct");
    frd_links_destroy(links);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("links");
    TCase *matrix = tcase_create("matrix"), *texts = tcase_create("texts");

    tcase_add_test(matrix, a_new_matrix_lets_all_talk);
    tcase_add_test(matrix, routes_are_shown);
    tcase_add_test(matrix, declared_and_measured_stay_apart);
    tcase_add_test(matrix, one_dialer_is_enough_and_both_must_talk);
    tcase_add_test(matrix, a_table_has_what_was_measured);
    tcase_add_test(texts, facts_have_texts);
    tcase_add_test(texts, rates_are_bits_and_exact);
    tcase_add_test(texts, lists_of_names_are_cut);
    suite_add_tcase(suite, matrix);
    suite_add_tcase(suite, texts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
