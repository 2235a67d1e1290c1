/* SPDX-License-Identifier: BSD-3-Clause
 * mem.h - allocation. frd_calloc counts (counter mem.allocations), so that a test can prove that a hot path
 * makes none; an arena for what ends together; a pool of equal objects for what is in flight. */
#ifndef FRD_BASE_MEM_H
#define FRD_BASE_MEM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Allocations made through this file since the process started; a statistic, the one process-wide counter. */
uint64_t frd_mem_allocations(void);

/* n x size zeroed bytes, NULL when out of memory or on overflow; free with frd_free. */
void *frd_calloc(size_t n, size_t size);
/* Same, aligned to `align` (a power of two, at least 8), not zeroed. */
void *frd_alloc_aligned(size_t align, size_t bytes);
/* Grows like realloc; on failure the old block stays valid and NULL is returned. */
void *frd_realloc(void *old, size_t bytes);
char *frd_strdup(const char *text);
void frd_free(void *block);

/* Arena: many small blocks with one lifetime. All zero is valid and empty. */
typedef struct frd_arena {
    struct frd_arena_block *head;
} frd_arena;

/* Zeroed bytes aligned to 16, or NULL; live until frd_arena_free. */
void *frd_arena_alloc(frd_arena *arena, size_t bytes);
void frd_arena_free(frd_arena *arena);

/* Pool: objects of one size, taken and given back in O(1); grows by doubling and never shrinks until
 * freed. Objects keep their address. Not thread safe. */
typedef struct frd_pool {
    size_t object_bytes; /* set by frd_pool_init, at least a pointer's size */
    size_t grown;        /* objects owned */
    void *free_list;
    frd_arena arena;
} frd_pool;

void frd_pool_init(frd_pool *pool, size_t object_bytes);
/* Not zeroed; NULL when out of memory. */
void *frd_pool_get(frd_pool *pool);
void frd_pool_put(frd_pool *pool, void *object);
/* Makes sure that the next `objects` of them come without an allocation, memory allowing. */
void frd_pool_reserve(frd_pool *pool, size_t objects);
/* All objects must be back, or not be used any more. */
void frd_pool_free(frd_pool *pool);

#endif
