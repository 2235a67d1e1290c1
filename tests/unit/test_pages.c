/* SPDX-License-Identifier: BSD-3-Clause
 * test_pages.c - mappings that may have huge pages: aligned, whole, shared, and nothing left of the room around. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/shm_pages.h"

enum { PAGE = 4096 };

static const size_t sizes[] = { PAGE, FRD_SHM_HUGE - PAGE, FRD_SHM_HUGE, FRD_SHM_HUGE + PAGE, 3 * FRD_SHM_HUGE,
                                5 * FRD_SHM_HUGE - PAGE };
enum { NSIZES = sizeof sizes / sizeof sizes[0] };

static int new_file(size_t bytes)
{
    const int fd = memfd_create("test_pages", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    return fd;
}

START_TEST(test_whole_and_shared)
{
    const size_t bytes = sizes[_i];
    const int fd = new_file(bytes);
    char *const one = frd_shm_pages_map(fd, bytes), *const two = frd_shm_pages_map(fd, bytes);

    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(two);
    if (bytes >= FRD_SHM_HUGE)
        ck_assert_uint_eq((uintptr_t)one % FRD_SHM_HUGE, 0);
    for (size_t at = 0; at < bytes; at += PAGE)
        one[at] = (char)(at / PAGE);
    frd_shm_pages_want(one, bytes, 1000000000);
    for (size_t at = 0; at < bytes; at += PAGE)
        ck_assert_int_eq(two[at], (char)(at / PAGE));
    ck_assert_int_eq(munmap(one, bytes), 0);
    ck_assert_int_eq(munmap(two, bytes), 0);
    close(fd);
}
END_TEST

/* Without time for it nothing is touched, so nothing is resident. */
START_TEST(test_none_wanted)
{
    const size_t bytes = 3 * FRD_SHM_HUGE;
    const int fd = new_file(bytes);
    char *const at = frd_shm_pages_map(fd, bytes);
    unsigned char in[3 * FRD_SHM_HUGE / PAGE];
    size_t resident = 0;

    ck_assert_ptr_nonnull(at);
    frd_shm_pages_want(at, bytes, 0);
    ck_assert_int_eq(mincore(at, bytes, in), 0);
    for (size_t i = 0; i < sizeof in; i++)
        resident += in[i] & 1;
    ck_assert_uint_eq(resident, 0);
    ck_assert_int_eq(munmap(at, bytes), 0);
    close(fd);
}
END_TEST

/* Is there no mapping in these pages? */
static bool is_free(char *at, size_t bytes)
{
    unsigned char in[FRD_SHM_HUGE / PAGE];

    for (size_t off = 0; off < bytes; off += PAGE) {
        if (mincore(at + off, PAGE, in) == 0 || errno != ENOMEM)
            return false;
    }
    return true;
}

/* Room that isn't given back leaves pages, and would move the next mapping elsewhere. */
START_TEST(test_nothing_left)
{
    const size_t bytes = sizes[_i];
    const int fd = new_file(bytes);
    size_t before = 0, after = 0;

    for (int round = 0; round < 2; round++) { /* the first may find and fill older holes */
        char *const at = frd_shm_pages_map(fd, bytes);
        ck_assert_ptr_nonnull(at);
        ck_assert_int_eq(munmap(at, bytes), 0);
        before += is_free(at, bytes) ? 1 : 0;
        for (size_t i = 0; i < 1000; i++) { /* 2 GB, if each left its room */
            char *const again = frd_shm_pages_map(fd, bytes);
            ck_assert_ptr_nonnull(again);
            ck_assert_int_eq(munmap(again, bytes), 0);
            after += again == at ? 1 : 0;
        }
    }
    ck_assert_uint_eq(before, 2);
    ck_assert_uint_eq(after, 2000);
    close(fd);
}
END_TEST

START_TEST(test_refused)
{
    ck_assert_ptr_null(frd_shm_pages_map(-1, PAGE));
    ck_assert_int_eq(errno, EBADF);
    ck_assert_ptr_null(frd_shm_pages_map(-1, 2 * FRD_SHM_HUGE));
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("pages");
    TCase *const tcase = tcase_create("map");

    tcase_add_loop_test(tcase, test_whole_and_shared, 0, NSIZES);
    tcase_add_loop_test(tcase, test_nothing_left, 0, NSIZES);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_none_wanted);
    suite_add_tcase(suite, tcase);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
