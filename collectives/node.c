/* SPDX-License-Identifier: BSD-3-Clause
 * node.c - collectives of ranks that all share a node: one step each, in shared memory (src/net/shm_call.c).
 *
 * Steps: one, in which the ranks meet once, or twice (allreduce and reduce above some KiB: slices are reduced first,
 * then collected). Bytes: each rank writes what others need of it to shared memory once, and the others read it
 * once; memory of fedrdma_alloc is read where it is. No scratch. */
#include "collectives/coll.h"

static void vector(frd_sched *s, const frd_io *io, int coll, size_t len, frd_ref out, frd_ref in)
{
    if (len > 0 || coll == FRD_NODE_BARRIER)
        frd_node(s, (frd_node_call){ .coll = (uint8_t)coll, .root = io->root, .len = len }, out, in);
}

/* Never fragments, so the blocks lie side by side. */
static void blocks(frd_sched *s, const frd_io *io, int coll, const frd_blocks *blocks)
{
    const frd_node_call call = { .coll = (uint8_t)coll,
                                 .root = io->root,
                                 .len = blocks->len,
                                 .in_place = io->dst.space == io->src.space };

    if (blocks->len > 0)
        frd_node(s, call, io->dst, io->src);
}

static const frd_ref nothing = { 0, 0, FRD_SPACE_NONE, 0 };

void frd_allreduce_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    vector(s, io, FRD_NODE_ALLREDUCE, io->src.len, io->dst, io->src);
}

void frd_reduce_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    vector(s, io, FRD_NODE_REDUCE, io->src.len, g->rank == io->root ? io->dst : nothing, io->src);
}

void frd_broadcast_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    const bool root = g->rank == io->root;

    vector(s, io, FRD_NODE_BROADCAST, io->dst.len, root ? nothing : io->dst, root ? io->dst : nothing);
}

void frd_gather_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    blocks(s, io, FRD_NODE_GATHER, &io->dblk);
}

void frd_scatter_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    blocks(s, io, FRD_NODE_SCATTER, &io->sblk);
}

void frd_allgather_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    blocks(s, io, FRD_NODE_ALLGATHER, &io->dblk);
}

void frd_reduce_scatter_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    blocks(s, io, FRD_NODE_REDUCE_SCATTER, &io->sblk);
}

void frd_alltoall_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    blocks(s, io, FRD_NODE_ALLTOALL, &io->dblk);
}

void frd_barrier_node(frd_sched *s, const frd_group *g, const frd_io *io)
{
    (void)g;
    vector(s, io, FRD_NODE_BARRIER, 0, nothing, nothing);
}
