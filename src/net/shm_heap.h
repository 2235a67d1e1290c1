/* SPDX-License-Identifier: BSD-3-Clause
 * shm_heap.h - memory of fedrdma_alloc that the other ranks of the node can reach: each block is a memfd, which
 * they open through /proc/<pid>/fd when a collective first names it, and keep mapped. A block's name is a place in
 * its owner's table and a count of how often that place was used, so a stale name never fits. */
#ifndef FRD_NET_SHM_HEAP_H
#define FRD_NET_SHM_HEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { FRD_SHM_BLOCKS = 256 }; /* of one rank; a descriptor each. What is beyond is private memory */

/* A block as the others see it, in its owner's segment; written by the owner. */
typedef struct frd_shm_block {
    _Atomic uint64_t name; /* 0: none */
    uint64_t bytes;
    int32_t fd;
} frd_shm_block;

typedef struct frd_shm_own_block {
    char *start;
    size_t bytes;
    uint64_t name;
    int fd;
} frd_shm_own_block;

typedef struct frd_shm_heap {
    frd_shm_own_block block[FRD_SHM_BLOCKS];
    size_t count; /* in use */
    uint64_t uses;
} frd_shm_heap;

/* What of a peer's blocks is mapped here. */
typedef struct frd_shm_mapping {
    uint64_t name;
    char *start;
    size_t bytes;
} frd_shm_mapping;

struct frd_shm;

/* As net.h's mem_new and mem_free. */
void *frd_shm_heap_new(struct frd_shm *shm, size_t bytes);
bool frd_shm_heap_free(struct frd_shm *shm, void *memory);
void frd_shm_heap_close(struct frd_shm *shm);

/* The block of ours that holds `bytes` bytes at `start`, and how far into it. */
bool frd_shm_heap_find(const frd_shm_heap *heap, const char *start, size_t bytes, uint64_t *name, uint64_t *off);

/* Where byte `off` of a peer's block is here; NULL: it is not mapped yet. */
char *frd_shm_heap_at(const struct frd_shm *shm, int peer, uint64_t name, uint64_t off);

/* The same; maps it if need be. SYSTEM: it can't be mapped. */
int frd_shm_heap_map(struct frd_shm *shm, int peer, uint64_t name, uint64_t off, char **at, frd_story *story);

#endif
