/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernels.c - fedrdma_kernels: how fast one core reduces, beside how fast the same core moves memory.
 *
 * For every size, rounds of memcpy and of each type's kernel take turns, so that whatever disturbs the
 * machine disturbs all of them; the table has the medians. GB/s count the bytes that a call names: memcpy
 * reads 1 and writes 1 for each byte of the vector, out = a op b reads 2 and writes 1. The last column is the
 * kernel's rate by memcpy's: the share of the memory's (or the cache's) bandwidth that it reaches. A write
 * that misses the caches costs a read besides, which no column counts and which memcpy avoids at large sizes.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/value.h"
#include "reduce/reduce.h"

static const char help[] =
    "Usage: fedrdma_kernels [options]\n"
    "\n"
    "Times the reduction kernels on one core and prints, for each size and type, GB/s of memory traffic\n"
    "and the share of the bandwidth that memcpy reaches in the same run.\n"
    "\n"
    "  -m, --message-size MIN:MAX  sizes of the vector in bytes, times 4 from MIN; k, m, g are 1024-based\n"
    "                              (default 4k:64m)\n"
    "  -t, --type TYPE             only this one of i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64\n"
    "                              (default f16 bf16 f32 f64 i8 i32 i64; all: all)\n"
    "  -o, --op OP                 sum prod min max band bor bxor land lor lxor (default sum)\n"
    "  -I, --isa NAME              scalar avx2 avx512 neon (default the one that the library uses)\n"
    "  -i, --in-place              out = out op b, as a receiver accumulates\n"
    "  -r, --rounds N              rounds, of which the median is taken (default 9)\n"
    "  -h, --help                  this text\n";

static const struct option longs[] = {
    { "message-size", required_argument, NULL, 'm' },
    { "type", required_argument, NULL, 't' },
    { "op", required_argument, NULL, 'o' },
    { "isa", required_argument, NULL, 'I' },
    { "in-place", no_argument, NULL, 'i' },
    { "rounds", required_argument, NULL, 'r' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

enum { MAX_ROUNDS = 101 };
static const uint64_t round_ns =
    2 * FRD_NS_PER_MS; /* about: long against the clock, short against a time slice */

typedef struct settings {
    size_t min_bytes, max_bytes;
    bool types[FRD_NTYPES];
    int op, rounds;
    const char *isa;
    bool in_place;
} settings;

/* One thing to be timed: a kernel, or memcpy where that is NULL. */
typedef struct contender {
    const char *name;
    frd_reduce_fn *kernel;
    size_t width;
    size_t traffic;  /* bytes read and written for each byte of the vector */
    uint64_t repeat; /* calls in a round */
    double gbps[MAX_ROUNDS];
} contender;

/* ---- the command line ----------------------------------------------------------------------------- */

static bool parse_sizes(const char *text, settings *s)
{
    char low[32];
    const char *colon = strchr(text, ':');

    if (colon == NULL || (size_t)(colon - text) >= sizeof low)
        return false;
    memcpy(low, text, (size_t)(colon - text));
    low[colon - text] = '\0';
    return frd_value_size(low, &s->min_bytes) == NULL && frd_value_size(colon + 1, &s->max_bytes) == NULL &&
           s->min_bytes >= 64 && s->min_bytes <= s->max_bytes && s->max_bytes <= SIZE_MAX / 8;
}

static bool parse_type(const char *text, settings *s)
{
    bool found = false;

    for (int type = 1; type < FRD_NTYPES; type++) {
        s->types[type] = strcmp(text, frd_type_name(type)) == 0 || strcmp(text, "all") == 0;
        found = found || s->types[type];
    }
    return found;
}

static bool parse_op(const char *text, settings *s)
{
    for (s->op = 1; s->op < FRD_NOPS; s->op++) {
        if (strcmp(text, frd_op_name(s->op)) == 0)
            return true;
    }
    return false;
}

/* 0: go on; 1: help was printed; 2: a message was printed. */
static int parse(int argc, char **argv, settings *s)
{
    bool good = true;
    int c = 0;

    while (good && (c = getopt_long(argc, argv, "m:t:o:I:ir:h", longs, NULL)) != -1) {
        switch (c) {
        case 'm':
            good = parse_sizes(optarg, s);
            break;
        case 't':
            good = parse_type(optarg, s);
            break;
        case 'o':
            good = parse_op(optarg, s);
            break;
        case 'I':
            s->isa = optarg;
            good = frd_reduce_kernel_isa(optarg, FEDRDMA_F32, FEDRDMA_SUM) != NULL;
            break;
        case 'i':
            s->in_place = true;
            break;
        case 'r':
            good = frd_value_int(optarg, &s->rounds) == NULL && s->rounds > 0 && s->rounds <= MAX_ROUNDS;
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            return 2;
        }
    }
    if (good && optind == argc)
        return 0;
    if (good)
        fprintf(stderr, "fedrdma_kernels: unexpected \"%s\"; see --help\n", argv[optind]);
    else
        fprintf(stderr, "fedrdma_kernels: -%c cannot be \"%s\" (here); see --help\n", c, optarg);
    return 2;
}

/* ---- timing --------------------------------------------------------------------------------------- */

typedef struct buffers {
    void *out, *a, *b;
} buffers;

static uint64_t cpu_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * FRD_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t time_ns(const contender *c, const buffers *buf, size_t bytes)
{
    const uint64_t start = cpu_now_ns();

    for (uint64_t i = 0; i < c->repeat; i++) {
        if (c->kernel != NULL)
            c->kernel(buf->out, buf->a, buf->b, bytes / c->width);
        else
            memcpy(buf->out, buf->b, bytes);
        __asm__ volatile("" ::: "memory"); /* each call's result is needed */
    }
    return cpu_now_ns() - start;
}

/* Doubles the calls until a round is long enough; warms up on the way. */
static void calibrate(contender *c, const buffers *buf, size_t bytes)
{
    for (c->repeat = 1; time_ns(c, buf, bytes) < round_ns;)
        c->repeat *= 2;
}

static int by_value(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(contender *c, int rounds)
{
    qsort(c->gbps, (size_t)rounds, sizeof c->gbps[0], by_value);
    return c->gbps[rounds / 2];
}

static void run_size(const settings *s, contender *list, size_t count, const buffers *buf, size_t bytes)
{
    for (size_t i = 0; i < count; i++)
        calibrate(&list[i], buf, bytes);
    for (int r = 0; r < s->rounds; r++) {
        for (size_t i = 0; i < count; i++) {
            const uint64_t ns = time_ns(&list[i], buf, bytes);
            list[i].gbps[r] = (double)(bytes * list[i].traffic * list[i].repeat) / (double)ns;
        }
    }
    const double copy = median(&list[0], s->rounds);
    for (size_t i = 1; i < count; i++) {
        const double gbps = median(&list[i], s->rounds);
        printf("%-12zu%-8s%14.2f%14.2f%12.0f\n", bytes, list[i].name, gbps, copy, 100 * gbps / copy);
    }
    fflush(stdout);
}

/* Zeros and ones: no denormals arise, whatever is repeated on them. */
static bool allocate(const settings *s, buffers *buf)
{
    const size_t bytes = (s->max_bytes + 4095) / 4096 * 4096;

    buf->out = aligned_alloc(4096, bytes);
    buf->b = aligned_alloc(4096, bytes);
    buf->a = s->in_place ? buf->out : aligned_alloc(4096, bytes);
    if (buf->out == NULL || buf->a == NULL || buf->b == NULL)
        return false;
    memset(buf->out, 0, bytes);
    memset(buf->a, 0, bytes);
    memset(buf->b, 0, bytes);
    return true;
}

int main(int argc, char **argv)
{
    settings s = { .min_bytes = 4096, .max_bytes = 64 << 20, .op = FEDRDMA_SUM, .rounds = 9 };
    contender list[FRD_NTYPES] = { { .name = "memcpy", .traffic = 2 } };
    buffers buf = { NULL, NULL, NULL };
    size_t count = 1;
    const int usual[] = { FEDRDMA_F16, FEDRDMA_BF16, FEDRDMA_F32, FEDRDMA_F64,
                          FEDRDMA_I8,  FEDRDMA_I32,  FEDRDMA_I64 };

    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        s.types[usual[i]] = true;
    s.isa = frd_reduce_isa();
    const int parsed = parse(argc, argv, &s);
    if (parsed != 0)
        return parsed == 1 ? EXIT_SUCCESS : 2;
    for (int type = 1; type < FRD_NTYPES; type++) {
        frd_reduce_fn *kernel = frd_reduce_kernel_isa(s.isa, type, s.op);
        if (s.types[type] && kernel != NULL)
            list[count++] = (contender){
                .name = frd_type_name(type), .kernel = kernel, .width = frd_type_size(type), .traffic = 3
            };
    }
    if (count == 1 || !allocate(&s, &buf)) {
        fprintf(stderr, "fedrdma_kernels: %s\n",
                count == 1 ? "this operator fits none of the types" : "out of memory");
        return EXIT_FAILURE;
    }
    printf("# fedrdma reduction kernels: %s, %s, %s\n", s.isa, frd_op_name(s.op),
           s.in_place ? "out = out op b" : "out = a op b");
    printf("%-12s%-8s%14s%14s%12s\n", "# Size", "Type", "Kernel(GB/s)", "Memcpy(GB/s)", "Share(%)");
    for (size_t bytes = s.min_bytes;; bytes *= 4) {
        run_size(&s, list, count, &buf, bytes);
        if (bytes > s.max_bytes / 4)
            break;
    }
    free(buf.out);
    free(buf.b);
    if (!s.in_place)
        free(buf.a);
    return EXIT_SUCCESS;
}
