/* SPDX-License-Identifier: BSD-3-Clause
 * options.h - a user's options before a context exists. */
#ifndef FRD_API_OPTIONS_H
#define FRD_API_OPTIONS_H

#include "base/conf.h"

struct fedrdma_options {
    char **names, **values; /* in the order in which they were set */
    size_t count, cap;
    frd_log log;
    int oob_rank, oob_size;
    fedrdma_oob_allgather_fn *oob; /* NULL: rendezvous */
    void *oob_arg;
};

/* The configuration for a new context: defaults, then the environment, then `options` (may be NULL), then
 * the launcher's variables; checked. Fills *log too. On error *conf is free. */
int frd_options_resolve(const fedrdma_options *options, frd_conf *conf, frd_log *log, frd_story *story);

#endif
