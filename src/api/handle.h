/* SPDX-License-Identifier: BSD-3-Clause
 * handle.h - what a user's communicator pointer points to. The handle outlives what it stands for, so that a
 * communicator used after fedrdma_finalize gives an error and not a crash. */
#ifndef FRD_API_HANDLE_H
#define FRD_API_HANDLE_H

#include <stdint.h>

#define FRD_HANDLE_LIVE UINT64_C(0x66647264636f6d6d)
#define FRD_HANDLE_DEAD UINT64_C(0x6664726464656164)

struct frd_comm;

struct fedrdma_comm {
    uint64_t magic;
    struct frd_comm *comm; /* NULL when dead */
    struct fedrdma_comm *next; /* among the dead */
};

/* Marks a handle dead and keeps it, still reachable, for the rest of the process (32 bytes each): the one
 * list that is not a context's own. */
void frd_handle_bury(struct fedrdma_comm *handle);
/* Takes a dead handle out of the list and frees it; a live or foreign one is left alone. */
void frd_handle_exhume(struct fedrdma_comm *handle);

#endif
