/* SPDX-License-Identifier: BSD-3-Clause
 * store.h - the rendezvous store's server: one thread, one job. Run by rank 0, for one start-up,
 * or by fedrdma-run, for as many, one after the other, as the program has. */
#ifndef FRD_BOOT_STORE_H
#define FRD_BOOT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct frd_store frd_store;

typedef struct frd_store_params {
    const char *host;    /* address to listen on */
    uint16_t port;       /* 0: any free one, see frd_store_port */
    int size;            /* ranks expected */
    const char *job;     /* name, at most 63 bytes; others are refused */
    bool once;           /* ranks that come again after a start-up are hung up on, and try again: another
                            store will open at this address */
    uint64_t timeout_ns; /* from the start (or a round's first contribution) until all have come; each rank
                            that waits also bounds it by the time for which it will wait */
} frd_store_params;

/* Copies what it needs of params. `log` (may be NULL) is used by the caller's thread only.
 * FEDRDMA_ERR_INVALID: size or job. FEDRDMA_ERR_UNREACHABLE: port taken (story: by whom), or host unknown or
 * not ours. FEDRDMA_ERR_SYSTEM: no socket or thread. */
int frd_store_start(const frd_store_params *params, const frd_log *log, frd_story *story, frd_store **store);
uint16_t frd_store_port(const frd_store *store);
/* Sends what was answered and is not sent yet (at most a second), ends the thread and closes everything;
 * NULL is fine. */
void frd_store_stop(frd_store *store);

#endif
