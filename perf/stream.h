/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stream.h - the memory kernels whose rates perf/floor measures: copy and f32 add, each with ordinary stores
 * and with non-temporal ones (which don't read a line before they overwrite it). */
#ifndef PERF_STREAM_H
#define PERF_STREAM_H

#include <stddef.h>

enum { STREAM_COPY, STREAM_COPY_NT, STREAM_ADD, STREAM_ADD_NT, STREAM_NKERNELS };

/* `bytes` is a multiple of 64 and the pointers are aligned to as much; copy ignores b. */
typedef void stream_fn(void *out, const void *a, const void *b, size_t bytes);

typedef struct stream_kernel {
    const char *name;
    int traffic;   /* bytes read and written for each byte of the vector, at the least */
    stream_fn *fn; /* NULL: no such stores known for this CPU */
} stream_kernel;

extern const stream_kernel stream_kernels[STREAM_NKERNELS];

#endif
