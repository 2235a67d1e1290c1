/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stream.c - memcpy, the library's own add, and both with non-temporal stores, 16 bytes each: at the sizes
 * for which those are meant the memory is the limit, not their width. */
#include "perf/stream.h"

#include <string.h>

#include "reduce/reduce.h"

static void copy(void *out, const void *a, const void *b, size_t bytes)
{
    (void)b;
    memcpy(out, a, bytes);
}

static void add(void *out, const void *a, const void *b, size_t bytes)
{
    frd_reduce_kernel(FEDRDMA_F32, FEDRDMA_SUM)(out, a, b, bytes / sizeof(float));
}

#if defined(__x86_64__) || defined(__aarch64__)

typedef float vec4 __attribute__((vector_size(16)));

/* A whole line: so the CPU's combining buffer is written out at once. */
#if defined(__x86_64__)
static inline void store_line(vec4 *out, const vec4 v[4])
{
    for (int i = 0; i < 4; i++)
        __asm__ volatile("movntps %1, %0" : "=m"(out[i]) : "x"(v[i]));
}

static inline void store_done(void)
{
    __asm__ volatile("sfence" ::: "memory");
}
#else
static inline void store_line(vec4 *out, const vec4 v[4])
{
    for (int i = 0; i < 4; i += 2)
        __asm__ volatile("stnp %q1, %q2, [%0]" ::"r"(out + i), "w"(v[i]), "w"(v[i + 1]) : "memory");
}

static inline void store_done(void)
{
    __asm__ volatile("dmb ishst" ::: "memory");
}
#endif

static void copy_nt(void *out, const void *a, const void *b, size_t bytes)
{
    const vec4 *x = a;
    vec4 *to = out;

    (void)b;
    for (size_t i = 0; i < bytes / sizeof(vec4); i += 4)
        store_line(to + i, x + i);
    store_done();
}

static void add_nt(void *out, const void *a, const void *b, size_t bytes)
{
    const vec4 *x = a, *y = b;
    vec4 *to = out;

    for (size_t i = 0; i < bytes / sizeof(vec4); i += 4) {
        const vec4 sum[4] = { x[i] + y[i], x[i + 1] + y[i + 1], x[i + 2] + y[i + 2], x[i + 3] + y[i + 3] };
        store_line(to + i, sum);
    }
    store_done();
}

#define COPY_NT copy_nt
#define ADD_NT add_nt
#else
#define COPY_NT NULL
#define ADD_NT NULL
#endif

const stream_kernel stream_kernels[STREAM_NKERNELS] = {
    [STREAM_COPY] = { "copy", 2, copy },
    [STREAM_COPY_NT] = { "copy_nt", 2, COPY_NT },
    [STREAM_ADD] = { "add", 3, add },
    [STREAM_ADD_NT] = { "add_nt", 3, ADD_NT },
};
