/* SPDX-License-Identifier: BSD-3-Clause
 *
 * floor.c - perf/floor: what this machine can do between two CPUs, and how fast an allreduce of f32 between
 * two ranks could therefore be. For a vector of n bytes on each rank:
 *
 *     mapped    exchange + 4 n / traffic(n)
 *     readv     2 fixed + n / readv(n) + n / add(n)
 *     staged    exchange + max(n / handover, 4 n / traffic(n))
 *     malloc    the least of readv and staged
 *
 * mapped: each rank reads its half of both vectors and writes that half of both results, 4 n bytes in all, at
 * the rate at which two CPUs move the most bytes with vectors of that size. readv: each rank fetches the
 * other's half (in blocks, into its cache), adds it to its own and fetches the other half's result. staged:
 * through a shared segment: each rank hands over one half of its vector and later of the result, and what it
 * takes it adds or stores; the segment stays in the last cache, so the memory sees 4 n bytes as before.
 * exchange is one exchange of cache lines: nobody can end before he heard from the other.
 *
 * These are lower bounds made of separate measurements, not a program: nothing reaches them whole. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/value.h"
#include "perf/limits.h"
#include "perf/probe.h"
#include "perf/stream.h"

static const char help[] =
    "Usage: floor [options]\n"
    "\n"
    "Measures the limits of this machine between two CPUs: exchange of cache lines, copy and f32 add by 1 "
    "and\n"
    "2 threads, hand-over between caches, process_vm_readv, sched_yield; and prints the shortest time that\n"
    "an allreduce (f32, sum, 2 ranks) could take by them. Takes about five seconds and 500 MiB.\n"
    "\n"
    "      --cpus A,B       the two CPUs (default 0,1)\n"
    "      --sizes LIST     of the allreduce, e.g. 8,1k,64m (default 8 B to 64 MiB); k, m, g are 1024-based\n"
    "      --csv FILE       write what,size_bytes,threads,value,unit as well\n"
    "  -q, --quick          fewer rounds: about two seconds, less certain\n"
    "  -h, --help           this text\n";

/* The sizes at which rates are measured; between them they are interpolated, beyond them the last one holds.
 */
enum { NGRID = 6, MAX_SIZES = 64 };
static const size_t grid[NGRID] = { (size_t)64 << 10, (size_t)256 << 10, (size_t)1 << 20,
                                    (size_t)4 << 20,  (size_t)16 << 20,  (size_t)64 << 20 };

typedef struct settings {
    int cpu[2], rounds, nsizes;
    size_t sizes[MAX_SIZES];
    const char *csv;
} settings;

typedef struct measured {
    probe_result before, after;
    double stream[STREAM_NKERNELS][2][NGRID]; /* GB/s of the vector, by threads - 1 */
    double traffic[NGRID], add[NGRID];        /* GB/s, 2 threads */
    double handover, yield_ns;
    limits_readv readv[2][NGRID]; /* 4 KiB pages, huge pages */
    double readv_fixed_ns;
} measured;

typedef struct bounds {
    double mapped_us, readv_us, readv_huge_us, staged_us, malloc_us; /* 0: unknown */
} bounds;

/* ---- the command line ----------------------------------------------------------------------------- */

static bool parse_cpus(const char *text, settings *s)
{
    char end;
    return sscanf(text, "%d,%d%c", &s->cpu[0], &s->cpu[1], &end) == 2 && s->cpu[0] >= 0 && s->cpu[1] >= 0 &&
           s->cpu[0] != s->cpu[1];
}

static bool parse_sizes(const char *text, settings *s)
{
    char one[32];

    for (s->nsizes = 0; s->nsizes < MAX_SIZES; text++) {
        size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof one)
            return false;
        memcpy(one, text, length);
        one[length] = '\0';
        if (frd_value_size(one, &s->sizes[s->nsizes++]) != NULL)
            return false;
        text += length;
        if (*text == '\0')
            return true;
    }
    return false;
}

/* 0: go on; 1: help was printed; 2: a message was printed. */
static int parse(int argc, char **argv, settings *s)
{
    static const struct option longs[] = {
        { "cpus", required_argument, NULL, 'C' }, { "sizes", required_argument, NULL, 's' },
        { "csv", required_argument, NULL, 'f' },  { "quick", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    bool good = true;
    int c = 0;

    while (good && (c = getopt_long(argc, argv, "qh", longs, NULL)) != -1) {
        if (c == 'h')
            return fputs(help, stdout) < 0 ? 2 : 1;
        if (c == '?')
            return 2;
        if (c == 'C')
            good = parse_cpus(optarg, s);
        else if (c == 's')
            good = parse_sizes(optarg, s);
        else if (c == 'f')
            s->csv = optarg;
        else
            s->rounds = 3;
    }
    if (good && optind == argc)
        return 0;
    fprintf(stderr, "floor: unexpected \"%s\"; see --help\n", good ? argv[optind] : optarg);
    return 2;
}

/* ---- measuring ------------------------------------------------------------------------------------ */

static double greater(double a, double b)
{
    return a > b ? a : b;
}

static void measure_streams(limits *l, measured *m)
{
    for (int g = 0; g < NGRID; g++) {
        for (int k = 0; k < STREAM_NKERNELS; k++) {
            for (int t = 0; t < 2; t++)
                m->stream[k][t][g] = limits_stream_gbps(l, k, grid[g], t + 1);
            m->traffic[g] = greater(m->traffic[g], m->stream[k][1][g] * stream_kernels[k].traffic);
        }
        m->add[g] = greater(m->stream[STREAM_ADD][1][g], m->stream[STREAM_ADD_NT][1][g]);
    }
}

static void measure_readv(limits *l, measured *m)
{
    for (int g = 0; g < NGRID; g++) {
        for (int huge = 0; huge < 2; huge++) {
            limits_readv *r = &m->readv[huge][g];
            if (!limits_readv_between(l, grid[g], huge == 1, r))
                continue;
            if (m->readv_fixed_ns <= 0 || r->fixed_ns < m->readv_fixed_ns)
                m->readv_fixed_ns = r->fixed_ns;
        }
    }
}

/* The best block is large beside an exchange of lines and small beside the cache. */
static void measure_handover(limits *l, measured *m)
{
    for (size_t block = (size_t)4 << 10; block <= (size_t)256 << 10; block *= 4)
        m->handover = greater(m->handover, limits_handover_gbps(l, block));
}

static bool measure(const settings *s, measured *m)
{
    limits *l;

    probe_exchange_on(s->cpu, &m->before);
    if (m->before.exchange_ns <= 0) {
        fprintf(stderr, "floor: CPU %d and %d can't both be used: fewer than two, or pinning is refused\n",
                s->cpu[0], s->cpu[1]);
        return false;
    }
    l = limits_open(s->cpu, grid[NGRID - 1], s->rounds);
    if (l == NULL) {
        fprintf(stderr, "floor: out of memory\n");
        return false;
    }
    measure_streams(l, m);
    measure_handover(l, m);
    measure_readv(l, m);
    m->yield_ns = limits_yield_ns(l);
    limits_close(l);
    probe_exchange_on(s->cpu, &m->after);
    return true;
}

/* ---- the bounds ----------------------------------------------------------------------------------- */

/* Linear in the logarithm of the size. */
static double rate_at(const double rates[NGRID], size_t bytes)
{
    int g = 0;

    if (bytes <= grid[0])
        return rates[0];
    while (g < NGRID - 1 && grid[g + 1] < bytes)
        g++;
    if (g == NGRID - 1)
        return rates[g];
    double part = log((double)bytes / (double)grid[g]) / log((double)grid[g + 1] / (double)grid[g]);
    return rates[g] + part * (rates[g + 1] - rates[g]);
}

static double readv_us(const measured *m, int huge, size_t bytes)
{
    double rates[NGRID], n = (double)bytes;

    for (int g = 0; g < NGRID; g++)
        rates[g] = m->readv[huge][g].gbps;
    double rate = rate_at(rates, bytes);
    return rate > 0 ? (2 * m->readv_fixed_ns + n / rate + n / rate_at(m->add, bytes)) / 1e3 : 0;
}

static bounds bounds_of(const measured *m, size_t bytes)
{
    double exchange = m->before.exchange_ns, n = (double)bytes;
    double memory = 4 * n / rate_at(m->traffic, bytes);
    bounds b = { .mapped_us = (exchange + memory) / 1e3,
                 .readv_us = readv_us(m, 0, bytes),
                 .readv_huge_us = readv_us(m, 1, bytes),
                 .staged_us = (exchange + greater(n / m->handover, memory)) / 1e3 };

    b.malloc_us = b.readv_us > 0 && b.readv_us < b.staged_us ? b.readv_us : b.staged_us;
    return b;
}

/* ---- what is printed ------------------------------------------------------------------------------ */

static void size_text(size_t bytes, char text[24])
{
    static const char *const units[] = { "", "k", "m", "g" };
    int u = 0;

    for (; u < 3 && bytes >= 1024 && bytes % 1024 == 0; u++)
        bytes /= 1024;
    snprintf(text, 24, "%zu%s", bytes, units[u]);
}

static void print_table(const settings *s, const measured *m)
{
    char text[256];

    probe_describe(&m->before, text, sizeof text);
    printf("# before: %s\n", text);
    printf("# sched_yield hand-over on one CPU: %.0f ns; process_vm_readv of 8 bytes: %.0f ns%s\n",
           m->yield_ns, m->readv_fixed_ns, m->readv_fixed_ns > 0 ? "" : " (not allowed here)");
    printf("# hand-over between caches, each way at once: %.1f GB/s by each CPU\n", m->handover);
    printf("# GB/s of the vector, 1 thread / 2 threads; process_vm_readv: of each process, both at once\n");
    printf("%-8s%15s%15s%15s%15s%10s%10s\n", "# Size", "Copy", "Copy, NT", "Add", "Add, NT", "Readv 4k",
           "Huge");
    for (int g = 0; g < NGRID; g++) {
        size_text(grid[g], text);
        printf("%-8s", text);
        for (int k = 0; k < STREAM_NKERNELS; k++)
            printf("%8.1f /%5.1f", m->stream[k][0][g], m->stream[k][1][g]);
        printf("%10.1f%10.1f\n", m->readv[0][g].gbps, m->readv[1][g].gbps);
    }
    printf("# Allreduce, f32 sum, 2 ranks: the least time in us\n");
    printf("%-8s%12s%12s%12s%12s%12s\n", "# Size", "Mapped", "Malloc", "Staged", "Readv 4k", "Readv huge");
    for (int i = 0; i < s->nsizes; i++) {
        bounds b = bounds_of(m, s->sizes[i]);
        size_text(s->sizes[i], text);
        printf("%-8s%12.2f%12.2f%12.2f%12.2f%12.2f\n", text, b.mapped_us, b.malloc_us, b.staged_us,
               b.readv_us, b.readv_huge_us);
    }
    probe_describe(&m->after, text, sizeof text);
    printf("# after: %s\n", text);
}

static void write_rows(FILE *f, const settings *s, const measured *m)
{
    fprintf(f, "what,size_bytes,threads,value,unit\n");
    fprintf(f, "exchange,0,2,%.1f,ns\nexchange_after,0,2,%.1f,ns\n", m->before.exchange_ns,
            m->after.exchange_ns);
    fprintf(f, "yield,0,2,%.1f,ns\nreadv_fixed,0,2,%.1f,ns\n", m->yield_ns, m->readv_fixed_ns);
    fprintf(f, "handover,0,2,%.2f,GB/s\n", m->handover);
    for (int g = 0; g < NGRID; g++) {
        for (int k = 0; k < STREAM_NKERNELS; k++)
            for (int t = 0; t < 2; t++)
                fprintf(f, "%s,%zu,%d,%.2f,GB/s\n", stream_kernels[k].name, grid[g], t + 1,
                        m->stream[k][t][g]);
        fprintf(f, "readv,%zu,2,%.2f,GB/s\n", grid[g], m->readv[0][g].gbps);
        fprintf(f, "readv_huge,%zu,2,%.2f,GB/s\n", grid[g], m->readv[1][g].gbps);
    }
    for (int i = 0; i < s->nsizes; i++) {
        bounds b = bounds_of(m, s->sizes[i]);
        const char *const names[] = { "mapped", "malloc", "staged", "readv", "readv_huge" };
        const double us[] = { b.mapped_us, b.malloc_us, b.staged_us, b.readv_us, b.readv_huge_us };
        for (int k = 0; k < 5; k++)
            fprintf(f, "allreduce_%s,%zu,2,%.3f,us\n", names[k], s->sizes[i], us[k]);
    }
}

static bool write_csv(const settings *s, const measured *m)
{
    FILE *f = fopen(s->csv, "w");

    if (f != NULL)
        write_rows(f, s, m);
    if (f == NULL || (ferror(f) | fclose(f)) != 0) {
        fprintf(stderr, "floor: can't write %s\n", s->csv);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    settings s = { .cpu = { 0, 1 }, .rounds = 9 };
    measured m = { 0 };
    int parsed;

    parse_sizes("8,1k,16k,64k,256k,1m,4m,16m,64m", &s);
    parsed = parse(argc, argv, &s);
    if (parsed != 0)
        return parsed == 1 ? EXIT_SUCCESS : 2;
    alarm(300); /* a side that lost its partner would spin for ever */
    if (!measure(&s, &m))
        return EXIT_FAILURE;
    print_table(&s, &m);
    return s.csv == NULL || write_csv(&s, &m) ? EXIT_SUCCESS : EXIT_FAILURE;
}
