/* SPDX-License-Identifier: BSD-3-Clause
 * shm_pages.c - huge pages for memfds. */
#include "net/shm_pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/clock.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; older ones answer EINVAL */
#endif

/* A page that the kernel can't get now, as somebody has it, leaves the next ones possible; so many in a row
 * mean that it can't get any. */
enum { FAILURES_MOST = 8 };

void *frd_shm_pages_map(int fd, size_t bytes)
{
    if (bytes < FRD_SHM_HUGE) {
        void *const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        return at != MAP_FAILED ? at : NULL;
    }
    /* Reserve room for an aligned one, put it there, give back what is left on either side. */
    char *const room = mmap(NULL, bytes + FRD_SHM_HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    const size_t before = -(uintptr_t)room % FRD_SHM_HUGE;
    char *const at = mmap(room + before, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
    if (at == MAP_FAILED) {
        (void)munmap(room, bytes + FRD_SHM_HUGE);
        return NULL;
    }
    if (before > 0)
        (void)munmap(room, before);
    (void)munmap(at + bytes, FRD_SHM_HUGE - before);
    (void)madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

/* The kernel copies each page's old content: 5 ms for 2 MiB here. */
void frd_shm_pages_want(void *at, size_t bytes, uint64_t most_ns)
{
    const uint64_t start_ns = frd_now_ns();
    char *const first = at;
    int failures = 0;

    for (size_t off = 0; off + FRD_SHM_HUGE <= bytes && frd_now_ns() - start_ns < most_ns;
         off += FRD_SHM_HUGE) {
        volatile char *const touch = first + off;

        *touch = *touch; /* a huge page where shmem_enabled allows it, and then the next line costs nothing */
        failures = madvise(first + off, FRD_SHM_HUGE, MADV_COLLAPSE) == 0 ? 0 : failures + 1;
        if (failures == FAILURES_MOST ||
            (failures > 0 && errno == EINVAL)) /* EINVAL: this kernel can't do it at all */
            return;
    }
}
