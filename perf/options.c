/* SPDX-License-Identifier: BSD-3-Clause
 *
 * options.c - the benchmarks' command line: the letters of the OSU microbenchmarks where they have one. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fedrdma.h"
#include "perf/harness.h"
#include "tests/mp/pattern.h"

static const char help[] =
    "Usage: %s [options]     on every rank, e.g. fedrdma-run -n 2 %s -m 4:1m\n"
    "\n"
    "Times the collective %s over a range of message sizes and prints a table in the\n"
    "format of the OSU microbenchmarks: mean, fastest rank's mean, slowest rank's mean, and median.\n"
    "\n"
    "  -m, --message-size SIZES    MIN:MAX doubles from MIN, in bytes; k, m, g are 1024-based; MIN: and "
    ":MAX\n"
    "                              leave the other as it is; or a list: 8,1k,64m (default 4:64m)\n"
    "  -i, --iterations N          timed calls a size (default 1000 up to 8k, 200 up to 1m, else 20)\n"
    "  -x, --warmup N              calls before them (default a tenth of that)\n"
    "  -T, --time SECONDS          about so long for a size: fewer calls when they are slow (default no "
    "limit)\n"
    "  -c, --validate              compare every result with a reference, outside the timed part\n"
    "  -t, --type TYPE             i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 (default f32)\n"
    "  -o, --op OP                 sum avg prod min max band bor bxor land lor lxor (default sum)\n"
    "  -b, --buffers KIND          malloc, or alloc: the library's own memory (default malloc)\n"
    "  -p, --persistent            start and wait for a persistent request instead of blocking calls\n"
    "  -P, --pin                   tie rank i to CPU i modulo the number of CPUs\n"
    "  -M, --memory BYTES          leave out sizes that need more than this in a rank (default 1g)\n"
    "  -f, --format FORMAT         table or csv (default table)\n"
    "  -C, --counters NAMES        what the library's counters of these names, with commas between, grew by "
    "in\n"
    "                              the timed calls, summed over the ranks\n"
    "  -S, --series FILE           FILE.RANK gets lines of how far each timed call is: its number, seconds "
    "since\n"
    "                              it began, bytes done and to do on this rank, every 50 ms (fedrdma only)\n"
    "  -h, --help                  this text\n"
    "\n"
    "Size is the whole vector for allreduce, reduce, broadcast and reduce_scatter, and one rank's part for\n"
    "gather, scatter, allgather and alltoall. The header and the last lines tell how far apart the CPUs\n"
    "are: compare only tables of the same mode.\n";

static const struct option longs[] = {
    { "message-size", required_argument, NULL, 'm' },
    { "iterations", required_argument, NULL, 'i' },
    { "warmup", required_argument, NULL, 'x' },
    { "time", required_argument, NULL, 'T' },
    { "validate", no_argument, NULL, 'c' },
    { "type", required_argument, NULL, 't' },
    { "op", required_argument, NULL, 'o' },
    { "buffers", required_argument, NULL, 'b' },
    { "persistent", no_argument, NULL, 'p' },
    { "pin", no_argument, NULL, 'P' },
    { "memory", required_argument, NULL, 'M' },
    { "format", required_argument, NULL, 'f' },
    { "counters", required_argument, NULL, 'C' },
    { "series", required_argument, NULL, 'S' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* "4", "64k", "1g"; *end tells where the number ended. */
static bool parse_bytes(const char *text, const char **end, size_t *bytes)
{
    char *after;
    unsigned shift = 0;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &after, 10);
    if (errno != 0)
        return false;
    switch (*after | 0x20) {
    case 'k':
        shift = 10;
        break;
    case 'm':
        shift = 20;
        break;
    case 'g':
        shift = 30;
        break;
    default:
        break;
    }
    if (n > SIZE_MAX >> shift)
        return false;
    *end = after + (shift > 0);
    *bytes = (size_t)n << shift;
    return true;
}

static bool parse_list(const char *text, bench_options *o)
{
    const char *at = text;

    for (o->nsizes = 0; o->nsizes < BENCH_MAX_SIZES; at++) {
        if (!parse_bytes(at, &at, &o->sizes[o->nsizes++]))
            return false;
        if (*at != ',')
            return *at == '\0';
    }
    return false;
}

static bool parse_sizes(const char *text, bench_options *o)
{
    const char *at = text;
    size_t low = 4, high = (size_t)64 << 20;

    if (strchr(text, ':') == NULL)
        return parse_list(text, o);
    if (*at != ':' && !parse_bytes(at, &at, &low))
        return false;
    if (*at++ != ':' || (*at != '\0' && !parse_bytes(at, &at, &high)))
        return false;
    if (*at != '\0' || low > high || low == 0)
        return false;
    for (o->nsizes = 0; o->nsizes < BENCH_MAX_SIZES && low <= high; low *= 2) {
        o->sizes[o->nsizes++] = low;
        if (low > SIZE_MAX / 2)
            break;
    }
    return true;
}

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    return end != text && *end == '\0' && *seconds > 0 && *seconds < 1e6;
}

static bool parse_number(const char *text, long least, long *number)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < least)
        return false;
    *number = n;
    return true;
}

static bool parse_size(const char *text, size_t *bytes)
{
    const char *end;
    return parse_bytes(text, &end, bytes) && *end == '\0';
}

static bool parse_choice(const char *text, const char *no, const char *yes, bool *value)
{
    *value = strcmp(text, yes) == 0;
    return *value || strcmp(text, no) == 0;
}

static bool parse_counters(const char *text, bench_options *o)
{
    for (o->ncounters = 0; o->ncounters < BENCH_MAX_COUNTERS; text++) {
        char *name = o->counters[o->ncounters++];
        const size_t bytes = strcspn(text, ",");
        if (bytes == 0 || bytes >= sizeof o->counters[0])
            return false;
        memcpy(name, text, bytes);
        name[bytes] = '\0';
        text += bytes;
        if (*text == '\0')
            return true;
    }
    return false;
}

/* One option; false when its value is bad. */
static bool take(int letter, const char *value, bench_options *o)
{
    switch (letter) {
    case 'm':
        return parse_sizes(value, o);
    case 'i':
        return parse_number(value, 1, &o->iterations);
    case 'x':
        return parse_number(value, 0, &o->warmup);
    case 'T':
        return parse_seconds(value, &o->limit_s);
    case 'c':
        o->check = true;
        return true;
    case 't':
        o->type = mp_type_parse(value);
        return o->type != 0;
    case 'o':
        o->op = mp_op_parse(value);
        return o->op >= FEDRDMA_SUM && o->op <= FEDRDMA_LXOR;
    case 'b':
        return parse_choice(value, "malloc", "alloc", &o->shared);
    case 'p':
        o->persistent = true;
        return true;
    case 'P':
        o->pin = true;
        return true;
    case 'M':
        return parse_size(value, &o->memory_bytes);
    case 'f':
        return parse_choice(value, "table", "csv", &o->csv);
    case 'C':
        return parse_counters(value, o);
    case 'S':
        o->series = value;
        return *value != '\0';
    default:
        return false;
    }
}

int bench_options_parse(int argc, char **argv, const char *collective, bench_options *options)
{
    bench_options o = { .memory_bytes = (size_t)1 << 30,
                        .iterations = -1,
                        .warmup = -1,
                        .type = FEDRDMA_F32,
                        .op = FEDRDMA_SUM };
    int letter;

    parse_sizes(":", &o);
    while ((letter = getopt_long(argc, argv, "m:i:x:T:ct:o:b:pPM:f:C:S:h", longs, NULL)) != -1) {
        if (letter == 'h') {
            printf(help, argv[0], argv[0], collective);
            return 1;
        }
        if (letter == '?' || !take(letter, optarg, &o)) {
            if (letter != '?')
                fprintf(stderr, "%s: bad value '%s' for -%c\n", argv[0], optarg, letter);
            fprintf(stderr, "Try '%s --help'.\n", argv[0]);
            return 2;
        }
    }
    if (optind < argc || !mp_op_fits(o.op, o.type)) {
        if (optind < argc)
            fprintf(stderr, "%s: unexpected argument '%s'\n", argv[0], argv[optind]);
        else
            fprintf(stderr, "%s: %s is not defined for %s\n", argv[0], mp_op_name(o.op),
                    mp_type_name(o.type));
        fprintf(stderr, "Try '%s --help'.\n", argv[0]);
        return 2;
    }
    *options = o;
    return 0;
}
