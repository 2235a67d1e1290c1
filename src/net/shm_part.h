/* SPDX-License-Identifier: BSD-3-Clause
 * shm_part.h - the layout of a team's segment: frd_team_head in the first page, then a part for each member, page
 * aligned: frd_team_part, and behind it the member's ring. */
#ifndef FRD_NET_SHM_PART_H
#define FRD_NET_SHM_PART_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    FRD_TEAM_LINE = 128,  /* apart enough for neither sharing nor the adjacent-line prefetch */
    FRD_TEAM_ROUNDS = 16, /* that a member may be ahead of the slowest */
    FRD_TEAM_INLINE = 40, /* bytes of data that fit into a post */
    FRD_TEAM_BLOCK = 8192, /* reductions go by pieces that stay in the first-level cache */
    FRD_TEAM_RANKS_MAX = 1024
};

/* One member's word to the others about one round. */
typedef struct frd_team_post {
    alignas(FRD_TEAM_LINE) _Atomic uint64_t round; /* one more than the round's number: posted */
    uint64_t len;  /* of the call, to notice members that disagree */
    uint32_t kind; /* likewise: collective, operator, type, root */
    uint32_t at;   /* of the data in the ring, or FRD_TEAM_MAPPED */
    unsigned char data[FRD_TEAM_INLINE];
} frd_team_post;

/* The data is where the member's buffers are: post.data is an frd_team_place. */
#define FRD_TEAM_MAPPED UINT32_MAX

/* Buffers of fedrdma_alloc: which block (shm_heap.h), and where in it. */
typedef struct frd_team_place {
    uint64_t send_block, recv_block, send_off, recv_off;
} frd_team_place;
_Static_assert(sizeof(frd_team_place) <= FRD_TEAM_INLINE, "fits a post");

/* A member's part of the segment; the ring follows it. Written by the member only. */
typedef struct frd_team_part {
    alignas(FRD_TEAM_LINE) _Atomic uint64_t done; /* rounds of which it needs nothing any more */
    alignas(FRD_TEAM_LINE) _Atomic uint64_t left; /* it left the call before this round early: what others read of its
                                                     buffers since is worthless */
    _Atomic int32_t core; /* one more than that where it began its last call, if ranks here share cores; 0: unknown */
    alignas(FRD_TEAM_LINE) _Atomic uint64_t storing; /* not 0: it stores into others' buffers now */
    frd_team_post give[FRD_TEAM_ROUNDS];   /* of round % FRD_TEAM_ROUNDS: what it gives */
    frd_team_post result[FRD_TEAM_ROUNDS]; /* and what it made of what all gave */
} frd_team_part;

typedef struct frd_team_head {
    uint64_t magic;
    uint64_t key[2];
    uint64_t ranks, ring_bytes;
    uint64_t whole_max, nontemporal, crowded; /* the first member's choice for all: see frd_team */
    _Atomic uint32_t fences;         /* members whose kernel has no membarrier: posts are followed by a fence */
    alignas(FRD_TEAM_LINE) _Atomic uint32_t sleepers; /* members that sleep, or are about to */
} frd_team_head;

#endif
