/* SPDX-License-Identifier: BSD-3-Clause
 * shm_heap.c - blocks of fedrdma_alloc, ours and the peers'. */
#include "net/shm_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/shm_impl.h"
#include "net/shm_pages.h"

static int free_place(const frd_shm_heap *heap)
{
    for (int i = 0; i < FRD_SHM_BLOCKS; i++) {
        if (heap->block[i].start == NULL)
            return i;
    }
    return -1;
}

/* Maps a memfd of `bytes` bytes, sealed against shrinking, which would raise SIGBUS in whoever reads it. */
static char *new_block(size_t bytes, uint64_t huge_ns, int *fd)
{
    const long pages = sysconf(_SC_PHYS_PAGES);
    void *at = NULL;

    /* A memfd is never refused for its size, and then kills who touches it: what can't be there is left to mmap. */
    *fd = -1;
    if (pages > 0 && bytes / 4096 >= (size_t)pages)
        return NULL;
    *fd = memfd_create("fedrdma_alloc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd >= 0 && ftruncate(*fd, (off_t)bytes) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        at = frd_shm_pages_map(*fd, bytes);
    if (at != NULL)
        frd_shm_pages_want(at, bytes, huge_ns);
    else if (*fd >= 0)
        close(*fd);
    return at;
}

void *frd_shm_heap_new(frd_shm *shm, size_t bytes)
{
    frd_shm_heap *const heap = &shm->heap;
    const int place = free_place(heap);
    const size_t whole = frd_round_up(frd_max_size(bytes, 1), 4096);
    int fd;

    if (place < 0)
        return NULL;
    char *const start = new_block(whole, shm->env->conf->alloc_huge, &fd);
    if (start == NULL)
        return NULL;
    const uint64_t name = ++heap->uses * FRD_SHM_BLOCKS + (uint64_t)place;
    frd_shm_block *const shown = &shm->segment.head->block[place];
    heap->block[place] = (frd_shm_own_block){ start, whole, name, fd };
    heap->count++;
    shown->bytes = whole;
    shown->fd = fd;
    atomic_store_explicit(&shown->name, name, memory_order_release);
    return start;
}

static void drop(frd_shm *shm, int place)
{
    frd_shm_own_block *const block = &shm->heap.block[place];

    atomic_store_explicit(&shm->segment.head->block[place].name, 0, memory_order_release);
    /* Peers may have it mapped for a while yet: the memory itself goes now. */
    (void)fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)block->bytes);
    (void)munmap(block->start, block->bytes);
    close(block->fd);
    memset(block, 0, sizeof(*block));
    shm->heap.count--;
}

bool frd_shm_heap_free(frd_shm *shm, void *memory)
{
    for (int i = 0; i < FRD_SHM_BLOCKS && memory != NULL; i++) {
        if (shm->heap.block[i].start == memory) {
            drop(shm, i);
            return true;
        }
    }
    return false;
}

void frd_shm_heap_close(frd_shm *shm)
{
    for (int i = 0; i < FRD_SHM_BLOCKS; i++) {
        if (shm->heap.block[i].start != NULL)
            drop(shm, i);
    }
    for (size_t p = 0; p < shm->peers; p++) {
        frd_shm_mapping *const mapping = shm->peer[p]->mapping;

        for (int i = 0; i < FRD_SHM_BLOCKS && mapping != NULL; i++) {
            if (mapping[i].start != NULL)
                (void)munmap(mapping[i].start, mapping[i].bytes);
        }
        frd_free(mapping);
        shm->peer[p]->mapping = NULL;
    }
}

/* In the order of the places, of which the lowest free one is taken first: few blocks are found soon. */
bool frd_shm_heap_find(const frd_shm_heap *heap, const char *start, size_t bytes, uint64_t *name, uint64_t *off)
{
    for (size_t i = 0, left = heap->count; left > 0; i++) {
        const frd_shm_own_block *const block = &heap->block[i];

        if (block->start == NULL)
            continue;
        left--;
        if (start < block->start || start >= block->start + block->bytes)
            continue;
        if (bytes > (size_t)(block->start + block->bytes - start))
            return false;
        *name = block->name;
        *off = (uint64_t)(start - block->start);
        return true;
    }
    return false;
}

/* NULL, or why not. */
static const char *open_block(const frd_shm_peer *peer, const frd_shm_block *shown, uint64_t name,
                              frd_shm_mapping *mapping)
{
    static const char freed[] = "it was freed while the call was under way";
    const char *why = NULL;
    char path[64];
    struct stat st;
    void *at = NULL;

    if (atomic_load_explicit(&shown->name, memory_order_acquire) != name)
        return freed;
    const size_t bytes = shown->bytes;
    snprintf(path, sizeof(path), "/proc/%lld/fd/%d", (long long)peer->pid, shown->fd);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != bytes || (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        why = freed;
    else
        at = frd_shm_pages_map(fd, bytes);
    if (why == NULL && at == NULL)
        why = strerror(errno);
    close(fd);
    if (why == NULL && atomic_load(&shown->name) != name) { /* the descriptor was another block's already */
        (void)munmap(at, bytes);
        why = freed;
    }
    if (why == NULL)
        *mapping = (frd_shm_mapping){ name, at, bytes };
    return why;
}

char *frd_shm_heap_at(const frd_shm *shm, int rank, uint64_t name, uint64_t off)
{
    const frd_shm_mapping *const mapping = shm->by_rank[rank]->mapping;
    const size_t place = name % FRD_SHM_BLOCKS;

    return mapping != NULL && mapping[place].name == name && off < mapping[place].bytes ? mapping[place].start + off
                                                                                        : NULL;
}

int frd_shm_heap_map(frd_shm *shm, int rank, uint64_t name, uint64_t off, char **at, frd_story *story)
{
    frd_shm_peer *const peer = shm->by_rank[rank];
    const size_t place = name % FRD_SHM_BLOCKS;
    const frd_shm_block *const shown = &peer->segment.head->block[place];

    if (peer->mapping == NULL)
        peer->mapping = frd_calloc(FRD_SHM_BLOCKS, sizeof(*peer->mapping));
    if (peer->mapping == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "mappings of rank %d's memory", rank);
    frd_shm_mapping *const mapping = &peer->mapping[place];
    if (mapping->name != name) {
        if (mapping->start != NULL)
            (void)munmap(mapping->start, mapping->bytes);
        *mapping = (frd_shm_mapping){ 0, NULL, 0 };
        const char *const why = open_block(peer, shown, name, mapping);
        if (why != NULL)
            return frd_fail(story, FEDRDMA_ERR_SYSTEM, "memory of rank %d (fedrdma_alloc) can't be mapped: %s", rank,
                            why);
    }
    if (off >= mapping->bytes)
        return frd_fail(story, FEDRDMA_ERR_INTERNAL, "rank %d names memory beyond its block", rank);
    *at = mapping->start + off;
    return FEDRDMA_OK;
}
