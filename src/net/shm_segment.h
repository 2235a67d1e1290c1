/* SPDX-License-Identifier: BSD-3-Clause
 * shm_segment.h - the memory that a rank shares with the ranks of its node: its layout, and how they find it.
 *
 * Each rank makes one memfd, which the others open through /proc/<pid>/fd: it has no name, so nothing is left
 * behind by a rank that is killed. All of it is written by its owner, except where the comment says so.
 *
 *     frd_shm_head                      who, sleeping and closed flags, words of the offers in flight
 *     ring from rank 0                  ring_stride bytes each: frd_shm_ring_shared, ring_bytes of data;
 *     ring from rank 1                  rings of ranks that are not on this node are never touched, so
 *     ...                               they cost address space only
 *     ring from rank ranks - 1
 *
 * Collectives have segments of their own (shm_team.h). The magic changes with the layout, so two layouts never
 * meet. */
#ifndef FRD_NET_SHM_SEGMENT_H
#define FRD_NET_SHM_SEGMENT_H

#include <stdalign.h>
#include <stdatomic.h>

#include "base/conf.h"
#include "net/process.h"
#include "net/shm_heap.h"
#include "net/shm_ring.h"

enum {
    FRD_SHM_LINE = 128, /* apart enough for neither sharing nor the adjacent-line prefetch */
    FRD_SHM_OFFERS =
        1 << 20, /* of a rank, in flight; sparse memory, so that no peer ever waits for another's */
    FRD_SHM_NODE_MAX = 112
};

/* frd_shm_head.sleeping: whether and how the owner is to be woken. */
enum { FRD_SHM_AWAKE, FRD_SHM_ON_PIPE, FRD_SHM_ON_FUTEX };

#define FRD_SHM_MAGIC UINT64_C(0x6672642d73686d32)

/* The word of an offer: its id (slots.h; the place is below 2^30), with one of these when it has ended. */
#define FRD_SHM_OFFER_DONE (UINT64_C(1) << 31)     /* set by the receiver: it has read everything */
#define FRD_SHM_OFFER_CANCELED (UINT64_C(1) << 30) /* set by the sender: the buffer is not ours any more */

typedef struct frd_shm_head {
    uint64_t magic;
    uint64_t key[2]; /* as in the card: proves that this is the right segment */
    uint64_t ranks, ring_bytes, ring_stride;
    alignas(FRD_SHM_LINE) _Atomic uint32_t sleeping; /* owner sets; who clears it wakes the owner */
    alignas(FRD_SHM_LINE) _Atomic uint32_t closed;   /* owner has said goodbye */
    alignas(
        FRD_SHM_LINE) _Atomic uint64_t offer[FRD_SHM_OFFERS]; /* owner and receivers, by compare-and-swap */
    alignas(FRD_SHM_LINE) frd_shm_block block[FRD_SHM_BLOCKS]; /* owner: memory of fedrdma_alloc */
} frd_shm_head;

/* What the others need to know; fixed layout, goes on the wire. */
typedef struct frd_shm_card {
    frd_process process;
    uint64_t key[2];
    uint64_t key_address; /* of a copy of key[] in the process's private memory, to try reading it */
    int32_t memory_fd, wake_fd;
    int32_t rank, ranks;
    uint64_t node_hash;          /* of the whole node identity */
    char node[FRD_SHM_NODE_MAX]; /* its beginning, for people */
} frd_shm_card;
_Static_assert(sizeof(frd_shm_card) == 224, "wire format");

/* A mapped segment. All zero is none. */
typedef struct frd_shm_segment {
    frd_shm_head *head;
    size_t bytes;
    uint64_t ring_bytes, ring_stride; /* checked copies */
} frd_shm_segment;

/* Makes our segment for `ranks` rings, and the wake pipe; fills the card. `ring_bytes` is rounded up to what
 * a ring needs. fd[0] is the memory, fd[1] and fd[2] the pipe's ends; the caller closes them. */
int frd_shm_segment_create(const frd_conf *conf, int rank, int ranks, frd_shm_card *card,
                           frd_shm_segment *segment, int fd[3], frd_story *story);

/* Maps a peer's segment and opens its wake pipe (never blocks, never raises SIGPIPE). Returns NULL, or why
 * that is impossible; then nothing is open. */
const char *frd_shm_segment_open(const frd_shm_card *own, const frd_shm_card *peer, frd_shm_segment *segment,
                                 int *wake_fd);

void frd_shm_segment_unmap(frd_shm_segment *segment); /* all zero is fine */

/* The ring in `segment` (of the receiver) from `sender`. */
frd_shm_ring frd_shm_segment_ring(const frd_shm_segment *segment, int sender);

#endif
