/* SPDX-License-Identifier: BSD-3-Clause
 * shm_pages.h - mapping shared memory so that it can have huge pages. A 64 MiB vector is 16384 small pages, more than
 * any TLB holds, and an allreduce walks four at once: with huge pages 16 to 64 MiB took 11% less here, 1 MiB 14%.
 *
 * The kernel gives a memfd huge pages at the first touch only where shmem_enabled says so ("never" is usual), and only
 * if file and address are aligned alike. Where it doesn't, they can be asked for afterwards (MADV_COLLAPSE, since
 * Linux 6.1). */
#ifndef FRD_NET_SHM_PAGES_H
#define FRD_NET_SHM_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define FRD_SHM_HUGE ((size_t)2 << 20)

/* Maps `bytes` (a multiple of the page size) from the start of `fd`, writable and shared, aligned to a huge page where
 * there is room for one.
 * NULL: errno says why. Ends with munmap. */
void *frd_shm_pages_map(int fd, size_t bytes);

/* Touches the memory (at a mapping's start) and asks for huge pages, so far as the kernel has them and
 * `most_ns` is enough (0: does nothing); small pages are as right. */
void frd_shm_pages_want(void *at, size_t bytes, uint64_t most_ns);

#endif
