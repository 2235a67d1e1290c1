/* SPDX-License-Identifier: BSD-3-Clause
 * cases.h - the main of a Check program that is a table of tests, each run so many times with _i counting up. */
#ifndef FRD_TESTS_UNIT_CASES_H
#define FRD_TESTS_UNIT_CASES_H

#include <check.h>
#include <stdlib.h>

typedef struct cases_row {
    const char *name;
    const TTest *test;
    int times;
} cases_row;

static inline int cases_run(const char *suite_name, const cases_row *row, size_t rows)
{
    Suite *const suite = suite_create(suite_name);
    SRunner *const runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < rows; i++) {
        TCase *const tcase = tcase_create(row[i].name);

        tcase_set_timeout(tcase, 100);
        tcase_add_loop_test(tcase, row[i].test, 0, row[i].times);
        suite_add_tcase(suite, tcase);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
