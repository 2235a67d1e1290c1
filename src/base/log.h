/* SPDX-License-Identifier: BSD-3-Clause
 * log.h - the one sink of log lines. Silent unless a callback is set or FEDRDMA_LOG asks for standard error.
 * A line is formatted only when its level is wanted. */
#ifndef FRD_BASE_LOG_H
#define FRD_BASE_LOG_H

#include "fedrdma.h"

/* One per context; all zero is silent. `level` is a fedrdma_log_level + 1, so that 0 means silent. */
typedef struct frd_log {
    int level;
    int rank; /* shown in lines on standard error; -1: not known yet */
    fedrdma_log_fn *fn;
    void *arg;
} frd_log;

/* Writes one line when `log` (may be NULL) wants `level`. */
void frd_logf(const frd_log *log, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "error", "warn", "info", "debug" (or 0..3) to a level + 1; "" or "off" to 0; -1 for anything else. */
int frd_log_level_parse(const char *text);

#endif
