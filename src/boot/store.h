/* SPDX-License-Identifier: BSD-3-Clause
 * store.h - the rendezvous store's server: one thread, one job. Run by rank 0 or by fedrdma-run. */
#ifndef FRD_BOOT_STORE_H
#define FRD_BOOT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct frd_store frd_store;

typedef struct frd_store_params {
    const char *host; /* address to listen on */
    uint16_t port;    /* 0: any free one, see frd_store_port */
    int size;         /* ranks expected */
    const char *job;  /* name; others are refused */
    uint64_t timeout_ns; /* from the start (or a round's first contribution) until all have come */
} frd_store_params;

/* FEDRDMA_ERR_UNREACHABLE: port taken, or host is not ours. */
int frd_store_start(const frd_store_params *params, const frd_log *log, frd_story *story,
                    frd_store **store);
uint16_t frd_store_port(const frd_store *store);
/* Ends the thread and closes everything; NULL is fine. */
void frd_store_stop(frd_store *store);

#endif
