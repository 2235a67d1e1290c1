/* SPDX-License-Identifier: BSD-3-Clause
 *
 * series.h - how far the timed calls of this rank are, over time: lines "call,seconds,done_bytes,total_bytes"
 * in FILE.RANK, as often as the library reports it. Written at once, so that FILE.RANK may be a pipe whose
 * reader acts on it. All but open take NULL. */
#ifndef PERF_SERIES_H
#define PERF_SERIES_H

#include "perf/backend.h"

typedef struct series series;

int series_open(bench *b, const char *path, series **made);
void series_begin(series *s);
void series_end(series *s);
void series_close(series *s);

#endif
