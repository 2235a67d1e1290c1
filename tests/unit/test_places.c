/* SPDX-License-Identifier: BSD-3-Clause
 * test_places.c - reductions into two places, and copies past the caches: the same bits as the plain kernels
 * (test_reduce.c), nothing outside, for every type, operator, instruction set, alignment and choice of stores.
 *
 * Random inputs come from a fixed seed, changed by FRD_TEST_SEED, which every failure prints. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"

static const char *const isas[] = { "scalar", "avx2", "avx512", "neon" };
static const size_t counts[] = { 0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 255, 1000, 4099 };
enum { NISAS = sizeof isas / sizeof isas[0], NCOUNTS = sizeof counts / sizeof counts[0] };
enum { GUARD = 64, ROOM = 4099 * 8 + 4 * GUARD, FILLER = 0xa5 };

static uint64_t seed, random_state;
static uint8_t a[ROOM], b[ROOM], out[ROOM], also[ROOM], want[ROOM];

static void setup(void)
{
    const char *text = getenv("FRD_TEST_SEED");

    seed = text != NULL ? strtoull(text, NULL, 0) : 20241122;
    random_state = seed;
}

static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill(uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)next_random();
}

/* `bytes` at `at` of `whole` are as wanted, and the rest is as it was. */
static void only(const uint8_t *whole, const uint8_t *at, size_t bytes)
{
    const size_t before = (size_t)(at - whole), room = before + bytes + GUARD;
    size_t i = 0;

    while (i < room && whole[i] == (i < before || i >= before + bytes ? FILLER : want[i - before]))
        i++;
    ck_assert_msg(i == room, "seed %llu: byte %td of %zu is wrong", (unsigned long long)seed, (ptrdiff_t)(i - before),
                  bytes);
}

static void one(const char *isa, int type, int op, size_t count)
{
    frd_reduce_fn *plain = frd_reduce_kernel_isa(isa, type, op);
    frd_reduce_both_fn *both = frd_reduce_both_kernel_isa(isa, type, op);
    const size_t width = frd_type_size(type), bytes = count * width;
    const unsigned around = (unsigned)(next_random() % 4);
    uint8_t *from = a + next_random() % GUARD, *with = b + next_random() % GUARD;
    uint8_t *to = out + GUARD + (next_random() % 2 == 0 ? 0 : next_random() % GUARD);
    uint8_t *second = also + GUARD + (next_random() % 2 == 0 ? 0 : width * (next_random() % 4));

    fill(from, bytes);
    fill(with, bytes);
    plain(want, from, with, count);
    memset(out, FILLER, bytes + 4 * GUARD);
    memset(also, FILLER, bytes + 4 * GUARD);
    both(to, second, from, with, count, around);
    only(out, to, bytes);
    only(also, second, bytes);
    memcpy(to, from, bytes); /* out is a, and nothing else is asked for */
    both(to, NULL, to, with, count, around);
    only(out, to, bytes);
    memcpy(second, with, bytes); /* the other place is b */
    both(to, second, from, second, count, around);
    only(out, to, bytes);
    only(also, second, bytes);
    memset(also, FILLER, bytes + 4 * GUARD);
    memcpy(to, with, bytes); /* out is b */
    both(to, second, from, to, count, around);
    only(out, to, bytes);
    only(also, second, bytes);
}

START_TEST(every_kernel)
{
    for (int op = 1; op < FRD_NOPS; op++) {
        for (size_t i = 0; i < NISAS; i++) {
            const bool there = frd_reduce_kernel_isa(isas[i], _i, op) != NULL;

            ck_assert((frd_reduce_both_kernel_isa(isas[i], _i, op) != NULL) == there);
            for (size_t n = 0; n < NCOUNTS && there; n++)
                one(isas[i], _i, op, counts[n]);
        }
    }
}
END_TEST

START_TEST(copies)
{
    for (size_t bytes = 0; bytes < 4000; bytes += 1 + next_random() % 37) {
        uint8_t *from = a + next_random() % GUARD, *to = out + GUARD + next_random() % GUARD;

        fill(from, bytes);
        memcpy(want, from, bytes);
        memset(out, FILLER, bytes + 4 * GUARD);
        frd_copy_around(to, from, bytes);
        only(out, to, bytes);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_kernel, 1, FRD_NTYPES);
    tcase_add_test(tcase, copies);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
