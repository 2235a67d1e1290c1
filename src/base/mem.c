/* SPDX-License-Identifier: BSD-3-Clause
 * mem.c - counted allocation, arenas, pools.
 *
 * An arena block is a header and the bytes behind it; small requests are cut from the newest block,
 * and one that is too large for a fresh standard block gets a block of its own, put behind the
 * newest so that the rest of that one is still used. A pool takes its objects from an arena, so
 * they never move, and links the free ones through their first bytes. */
#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define ARENA_ALIGN 16         /* any C type, and an SSE load */
#define ARENA_BLOCK_BYTES 4096 /* a page: most arenas hold a few hundred bytes */
#define POOL_FIRST_OBJECTS 8   /* doubles from here */

typedef struct frd_arena_block {
    struct frd_arena_block *next;
    size_t used;
    size_t bytes; /* behind this header */
    alignas(ARENA_ALIGN) unsigned char data[];
} frd_arena_block;

static _Atomic uint64_t allocations;

static void count(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

uint64_t frd_mem_allocations(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

/* Zero bytes are a valid request, and NULL means out of memory only. */
void *frd_calloc(size_t n, size_t size)
{
    size_t bytes;

    count();
    return frd_mul_overflows(n, size, &bytes) ? NULL : calloc(frd_max_size(bytes, 1), 1);
}

void *frd_alloc_aligned(size_t align, size_t bytes)
{
    void *block;

    assert(align >= 8 && (align & (align - 1)) == 0);
    count();
    return posix_memalign(&block, align, frd_max_size(bytes, 1)) == 0 ? block : NULL;
}

void *frd_realloc(void *old, size_t bytes)
{
    count();
    return realloc(old, frd_max_size(bytes, 1));
}

char *frd_strdup(const char *text)
{
    count();
    return strdup(text);
}

void frd_free(void *block)
{
    free(block);
}

static frd_arena_block *block_new(size_t bytes)
{
    size_t total;
    frd_arena_block *block;

    if (frd_add_overflows(bytes, sizeof *block, &total))
        return NULL;
    block = frd_calloc(1, total);
    if (block != NULL)
        block->bytes = bytes;
    return block;
}

void *frd_arena_alloc(frd_arena *arena, size_t bytes)
{
    frd_arena_block *head = arena->head, *block;

    if (bytes > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    bytes = frd_round_up(frd_max_size(bytes, 1), ARENA_ALIGN);
    if (head == NULL || head->bytes - head->used < bytes) {
        const bool own = bytes > ARENA_BLOCK_BYTES - sizeof *block;

        block = block_new(own ? bytes : ARENA_BLOCK_BYTES - sizeof *block);
        if (block == NULL)
            return NULL;
        if (own && head != NULL) {
            block->next = head->next;
            head->next = block;
        } else {
            block->next = head;
            arena->head = block;
        }
        head = block;
    }
    head->used += bytes;
    return head->data + (head->used - bytes);
}

void frd_arena_free(frd_arena *arena)
{
    frd_arena_block *block = arena->head;

    while (block != NULL) {
        frd_arena_block *next = block->next;
        frd_free(block);
        block = next;
    }
    arena->head = NULL;
}

void frd_pool_init(frd_pool *pool, size_t object_bytes)
{
    memset(pool, 0, sizeof *pool);
    /* A size that can't be rounded stays as it is and fails in frd_pool_get. */
    if (object_bytes <= SIZE_MAX - ARENA_ALIGN)
        object_bytes = frd_round_up(frd_max_size(object_bytes, 1), ARENA_ALIGN);
    pool->object_bytes = object_bytes;
}

static int pool_grow(frd_pool *pool)
{
    const size_t n = frd_max_size(pool->grown, POOL_FIRST_OBJECTS);
    size_t bytes;
    unsigned char *objects;

    if (frd_mul_overflows(n, pool->object_bytes, &bytes))
        return -1;
    objects = frd_arena_alloc(&pool->arena, bytes);
    if (objects == NULL)
        return -1;
    for (size_t i = n; i > 0; i--)
        frd_pool_put(pool, objects + (i - 1) * pool->object_bytes);
    pool->grown += n;
    return 0;
}

void *frd_pool_get(frd_pool *pool)
{
    void *object;

    assert(pool->object_bytes > 0);
    if (pool->free_list == NULL && pool_grow(pool) < 0)
        return NULL;
    object = pool->free_list;
    memcpy(&pool->free_list, object, sizeof pool->free_list);
    return object;
}

void frd_pool_put(frd_pool *pool, void *object)
{
    if (object == NULL)
        return;
    memcpy(object, &pool->free_list, sizeof pool->free_list);
    pool->free_list = object;
}

void frd_pool_reserve(frd_pool *pool, size_t objects)
{
    void *taken = NULL, *object;

    for (size_t i = 0; i < objects && (object = frd_pool_get(pool)) != NULL; i++) {
        memcpy(object, &taken, sizeof taken); /* a list through their first bytes, as in the pool */
        taken = object;
    }
    while (taken != NULL) {
        object = taken;
        memcpy(&taken, object, sizeof taken);
        frd_pool_put(pool, object);
    }
}

void frd_pool_free(frd_pool *pool)
{
    frd_arena_free(&pool->arena);
    pool->grown = 0;
    pool->free_list = NULL;
}
