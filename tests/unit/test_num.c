/* SPDX-License-Identifier: BSD-3-Clause
 * test_num.c - checked arithmetic, the strict parsers of numbers, sizes, times and booleans, and sets of
 * ranks as text. */
#include <check.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/ranges.h"
#include "base/value.h"

START_TEST(arithmetic_says_when_it_overflows)
{
    size_t out = 7;

    ck_assert(!frd_mul_overflows(SIZE_MAX / 2, 2, &out));
    ck_assert_uint_eq(out, SIZE_MAX - 1);
    out = 7;
    ck_assert(frd_mul_overflows(SIZE_MAX / 2 + 1, 2, &out));
    ck_assert_uint_eq(out, 7); /* written only on success */
    ck_assert(!frd_mul_overflows(0, SIZE_MAX, &out));
    ck_assert_uint_eq(out, 0);
    ck_assert(!frd_add_overflows(SIZE_MAX - 1, 1, &out));
    ck_assert_uint_eq(out, SIZE_MAX);
    out = 7;
    ck_assert(frd_add_overflows(SIZE_MAX, 1, &out));
    ck_assert_uint_eq(out, 7);
}
END_TEST

START_TEST(sizes_compare_and_round)
{
    ck_assert_uint_eq(frd_min_size(2, 3), 2);
    ck_assert_uint_eq(frd_min_size(3, 2), 2);
    ck_assert_uint_eq(frd_max_size(2, 3), 3);
    ck_assert_uint_eq(frd_max_size(3, 2), 3);
    ck_assert_uint_eq(frd_round_up(0, 16), 0);
    ck_assert_uint_eq(frd_round_up(1, 16), 16);
    ck_assert_uint_eq(frd_round_up(16, 16), 16);
    ck_assert_uint_eq(frd_round_up(17, 16), 32);
}
END_TEST

static const struct {
    const char *text;
    int value;
} good_int[] = {
    { "0", 0 }, { "-1", -1 }, { "007", 7 }, { "2147483647", INT_MAX }, { "-2147483647", -INT_MAX }
};

static const char *const bad_int[] = {
    "",   "-",   "+1",  " 1",         "1 ",          "1.0",
    "1k", "0x1", "--1", "2147483648", "-2147483649", "99999999999999999999999",
};

START_TEST(integers)
{
    for (size_t i = 0; i < sizeof good_int / sizeof good_int[0]; i++) {
        int out = 5;
        ck_assert_ptr_null(frd_value_int(good_int[i].text, &out));
        ck_assert_int_eq(out, good_int[i].value);
    }
    for (size_t i = 0; i < sizeof bad_int / sizeof bad_int[0]; i++) {
        int out = 5;
        ck_assert_msg(frd_value_int(bad_int[i], &out) != NULL, "\"%s\" was accepted", bad_int[i]);
        ck_assert_int_eq(out, 5);
    }
}
END_TEST

static const struct {
    const char *text;
    size_t value;
} good_size[] = {
    { "0", 0 },
    { "1", 1 },
    { "4k", 4096 },
    { "4K", 4096 },
    { "16m", 16 << 20 },
    { "3g", (size_t)3 << 30 },
    { "3G", (size_t)3 << 30 },
    { "18446744073709551615", SIZE_MAX },
    { "17179869183g", SIZE_MAX - (1 << 30) + 1 },
};

static const char *const bad_size[] = {
    "", "k", "-1", "1.5k", "1kb", "1 k", "1t", "18446744073709551616", "17179869184g",
};

START_TEST(byte_sizes)
{
    for (size_t i = 0; i < sizeof good_size / sizeof good_size[0]; i++) {
        size_t out = 5;
        ck_assert_ptr_null(frd_value_size(good_size[i].text, &out));
        ck_assert_uint_eq(out, good_size[i].value);
    }
    for (size_t i = 0; i < sizeof bad_size / sizeof bad_size[0]; i++) {
        size_t out = 5;
        ck_assert_msg(frd_value_size(bad_size[i], &out) != NULL, "\"%s\" was accepted", bad_size[i]);
        ck_assert_uint_eq(out, 5);
    }
}
END_TEST

static const struct {
    const char *text;
    uint64_t value;
} good_time[] = {
    { "0s", 0 },
    { "7ns", 7 },
    { "20us", 20000 },
    { "3ms", 3000000 },
    { "30s", UINT64_C(30000000000) },
    { "5m", UINT64_C(300000000000) },
    { "2h", UINT64_C(7200000000000) },
    { "1.5s", UINT64_C(1500000000) },
    { "0.25m", UINT64_C(15000000000) },
    { "1.000000001s", UINT64_C(1000000001) },
    { "1.0ns", 1 },
    { "9223372036854775807ns", INT64_MAX },
};

static const char *const bad_time[] = {
    "",
    "30",
    "s",
    "30 s",
    "-1s",
    "1.s",
    ".5s",
    "1.5ns",
    "1.0000000001s",
    "30sec",
    "1d",
    "1..5s",
    "9223372036854775808ns",
    "18446744073709551615s",
    "99999999h",
    "9223372036.854775808s",
};

START_TEST(times)
{
    for (size_t i = 0; i < sizeof good_time / sizeof good_time[0]; i++) {
        uint64_t out = 5;
        ck_assert_ptr_null(frd_value_time_ns(good_time[i].text, &out));
        ck_assert_uint_eq(out, good_time[i].value);
    }
    for (size_t i = 0; i < sizeof bad_time / sizeof bad_time[0]; i++) {
        uint64_t out = 5;
        ck_assert_msg(frd_value_time_ns(bad_time[i], &out) != NULL, "\"%s\" was accepted", bad_time[i]);
        ck_assert_uint_eq(out, 5);
    }
}
END_TEST

START_TEST(booleans)
{
    static const char *const no[] = { "0", "no", "off", "false" }, *const yes[] = { "1", "yes", "on",
                                                                                    "true" };
    bool out;

    for (size_t i = 0; i < 4; i++) {
        out = true;
        ck_assert(frd_value_bool(no[i], &out) == NULL && !out);
        ck_assert(frd_value_bool(yes[i], &out) == NULL && out);
    }
    ck_assert_ptr_nonnull(frd_value_bool("", &out));
    ck_assert_ptr_nonnull(frd_value_bool("2", &out));
    ck_assert_ptr_nonnull(frd_value_bool("Yes", &out));
}
END_TEST

/* arg: a text with an x for each rank of the set */
static bool is_marked(const void *arg, int rank)
{
    return ((const char *)arg)[rank] == 'x';
}

static const char *const range_texts[][2] = {
    { "", "" },        { "...", "" },           { "x", "0" },           { "xxx", "0-2" }, { "..x", "2" },
    { "x.x", "0, 2" }, { "xx.xx", "0-1, 3-4" }, { ".x.xxx", "1, 3-5" },
};

START_TEST(sets_of_ranks)
{
    char text[64], marks[200];

    for (size_t i = 0; i < sizeof range_texts / sizeof range_texts[0]; i++) {
        const char *set = range_texts[i][0];
        int count = 0;

        for (const char *c = set; *c != '\0'; c++)
            count += *c == 'x';
        ck_assert_int_eq(frd_ranges_text(text, sizeof text, (int)strlen(set), is_marked, set), count);
        ck_assert_str_eq(text, range_texts[i][1]);
    }
    for (int i = 0; i < 200; i++)
        marks[i] = i % 2 == 0 ? 'x' : '.';
    for (size_t bytes = 32; bytes <= sizeof text; bytes++) {
        memset(text, '#', sizeof text);
        ck_assert_int_eq(frd_ranges_text(text, bytes, 200, is_marked, marks), 100);
        ck_assert_uint_lt(strlen(text), bytes);
        ck_assert_str_eq(text + strlen(text) - 5, ", ...");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("num");
    TCase *tests = tcase_create("num");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tests, arithmetic_says_when_it_overflows);
    tcase_add_test(tests, sizes_compare_and_round);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, byte_sizes);
    tcase_add_test(tests, times);
    tcase_add_test(tests, booleans);
    tcase_add_test(tests, sets_of_ranks);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
