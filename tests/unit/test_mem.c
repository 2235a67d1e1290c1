/* SPDX-License-Identifier: BSD-3-Clause
 * test_mem.c - allocation is counted and refuses overflow; arena and pool hand out distinct,
 * aligned blocks that keep their content. */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCKS 3000

static bool all_are(const unsigned char *block, size_t bytes, int value)
{
    for (size_t i = 0; i < bytes; i++)
        if (block[i] != value)
            return false;
    return true;
}

START_TEST(every_allocation_is_counted)
{
    const uint64_t before = frd_mem_allocations();
    void *a = frd_calloc(3, 5), *b = frd_alloc_aligned(64, 100), *c = frd_realloc(NULL, 10);
    char *d = frd_strdup("four");

    ck_assert_uint_eq(frd_mem_allocations() - before, 4);
    ck_assert_str_eq(d, "four");
    ck_assert_uint_eq((uintptr_t)b % 64, 0);
    ck_assert(all_are(a, 15, 0));
    frd_free(a);
    frd_free(b);
    frd_free(c);
    frd_free(d);
    frd_free(NULL);
    ck_assert_uint_eq(frd_mem_allocations() - before, 4);
}
END_TEST

START_TEST(overflow_is_out_of_memory)
{
    frd_arena arena = { 0 };
    frd_pool pool;

    ck_assert_ptr_null(frd_calloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(frd_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(frd_arena_alloc(&arena, SIZE_MAX - 20));
    ck_assert_ptr_nonnull(frd_arena_alloc(&arena, 1));
    frd_arena_free(&arena);
    frd_pool_init(&pool, SIZE_MAX / 4);
    ck_assert_ptr_null(frd_pool_get(&pool));
    frd_pool_free(&pool);
    frd_pool_init(&pool, SIZE_MAX);
    ck_assert_ptr_null(frd_pool_get(&pool));
    frd_pool_free(&pool);
}
END_TEST

START_TEST(zero_bytes_are_a_block)
{
    frd_arena arena = { 0 };
    void *a = frd_calloc(0, 8), *b = frd_realloc(NULL, 0), *c = frd_alloc_aligned(8, 0);
    void *d = frd_arena_alloc(&arena, 0), *e = frd_arena_alloc(&arena, 0);

    ck_assert(a != NULL && b != NULL && c != NULL && d != NULL && e != NULL);
    ck_assert_ptr_ne(d, e);
    frd_free(a);
    frd_free(b);
    frd_free(c);
    frd_arena_free(&arena);
}
END_TEST

/* Sizes from 0 to beyond a block of the arena, in an order that mixes them. */
static size_t size_of(int i)
{
    return (size_t)(i * 7919) % (i % 50 == 0 ? 20000 : 300);
}

START_TEST(arena_blocks_are_distinct_and_zeroed)
{
    static unsigned char *blocks[BLOCKS];
    frd_arena arena = { 0 };

    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = frd_arena_alloc(&arena, size_of(i));
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
        ck_assert(all_are(blocks[i], size_of(i), 0));
        memset(blocks[i], i % 251 + 1, size_of(i));
    }
    for (int i = 0; i < BLOCKS; i++)
        ck_assert(all_are(blocks[i], size_of(i), i % 251 + 1));
    frd_arena_free(&arena);
    ck_assert_ptr_null(arena.head);
    frd_arena_free(&arena);
}
END_TEST

START_TEST(arena_cuts_many_blocks_from_one)
{
    frd_arena arena = { 0 };
    const uint64_t before = frd_mem_allocations();

    for (int i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(frd_arena_alloc(&arena, 16));
        if (i == 50) /* must not cost the newest block its rest */
            ck_assert_ptr_nonnull(frd_arena_alloc(&arena, 100000));
    }
    ck_assert_uint_eq(frd_mem_allocations() - before, 2);
    frd_arena_free(&arena);
}
END_TEST

START_TEST(pool_objects_keep_address_and_content)
{
    static unsigned char *objects[BLOCKS];
    const size_t bytes = 40;
    frd_pool pool;

    frd_pool_init(&pool, bytes);
    for (int i = 0; i < BLOCKS; i++) {
        objects[i] = frd_pool_get(&pool);
        ck_assert_ptr_nonnull(objects[i]);
        ck_assert_uint_eq((uintptr_t)objects[i] % 16, 0);
        memset(objects[i], i % 251, bytes);
    }
    ck_assert_uint_ge(pool.grown, BLOCKS);
    ck_assert_uint_lt(pool.grown, 2 * BLOCKS);
    for (int i = 0; i < BLOCKS; i++)
        ck_assert(all_are(objects[i], bytes, i % 251));
    for (int i = 0; i < BLOCKS; i++)
        frd_pool_put(&pool, objects[i]);
    frd_pool_free(&pool);
}
END_TEST

START_TEST(pool_reuses_without_allocating)
{
    frd_pool pool;
    uint64_t before;
    void *a, *b;

    frd_pool_init(&pool, 1); /* smaller than a pointer */
    a = frd_pool_get(&pool);
    b = frd_pool_get(&pool);
    ck_assert_ptr_ne(a, b);
    frd_pool_put(&pool, a);
    before = frd_mem_allocations();
    ck_assert_ptr_eq(frd_pool_get(&pool), a);
    frd_pool_put(&pool, b);
    ck_assert_ptr_eq(frd_pool_get(&pool), b);
    frd_pool_put(&pool, NULL);
    ck_assert_uint_eq(frd_mem_allocations(), before);
    frd_pool_free(&pool);
    frd_pool_free(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mem");
    TCase *tests = tcase_create("mem");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tests, every_allocation_is_counted);
    tcase_add_test(tests, overflow_is_out_of_memory);
    tcase_add_test(tests, zero_bytes_are_a_block);
    tcase_add_test(tests, arena_blocks_are_distinct_and_zeroed);
    tcase_add_test(tests, arena_cuts_many_blocks_from_one);
    tcase_add_test(tests, pool_objects_keep_address_and_content);
    tcase_add_test(tests, pool_reuses_without_allocating);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
