/* SPDX-License-Identifier: BSD-3-Clause
 * boot.h - how the ranks of a job meet: a rendezvous store over TCP, or the user's out-of-band allgather.
 * Used only while a context is made; nothing of it is on a hot path. */
#ifndef FRD_BOOT_BOOT_H
#define FRD_BOOT_BOOT_H

#include "base/conf.h"
#include "base/error.h"

typedef struct frd_boot frd_boot;

/* Joins the job named by `conf` (rank, size, rendezvous, rendezvous_server, job, connect_timeout; already
 * checked: 0 <= rank < size). With `oob` that is used instead; a job of one needs neither. Rank 0 runs the
 * store in a thread of its own unless conf->rendezvous_server is "launcher". Blocks at most
 * connect_timeout. Errors and stories as fedrdma_init documents. */
int frd_boot_open(const frd_conf *conf, fedrdma_oob_allgather_fn *oob, void *oob_arg, const frd_log *log,
                  frd_story *story, frd_boot **boot);

/* Every rank gives `bytes` (the same on all), gets size x bytes in rank order. Blocks at most
 * connect_timeout. */
int frd_boot_allgather(frd_boot *boot, const void *mine, void *all, size_t bytes, frd_story *story);

/* Leaves; never waits for other ranks, except that rank 0's store answers what was asked of it before it
 * ends (bounded by a second). NULL is fine. */
void frd_boot_close(frd_boot *boot);

#endif
