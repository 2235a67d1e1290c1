/* SPDX-License-Identifier: BSD-3-Clause
 *
 * series.c - one line a report of the library, with the time since the call began (see series.h). Barriers
 * and the harness's own collectives report, too; what comes outside of a timed call is not written. */
#include "perf/series.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct series {
    FILE *file;
    bool on;
    long call;
    double start_s;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(uint64_t done_bytes, uint64_t total_bytes, void *arg)
{
    const series *s = arg;

    if (s->on && total_bytes > 0)
        fprintf(s->file, "%ld,%.6f,%llu,%llu\n", s->call, now_s() - s->start_s,
                (unsigned long long)done_bytes, (unsigned long long)total_bytes);
}

int series_open(bench *b, const char *path, series **made)
{
    series *s = calloc(1, sizeof *s);
    char *name = NULL;
    int rc = BENCH_UNSUPPORTED;

    if (s == NULL || asprintf(&name, "%s.%d", path, bench_rank(b)) < 0)
        goto fail;
    s->file = fopen(name, "w");
    if (s->file == NULL) {
        perror(name);
        goto fail;
    }
    setvbuf(s->file, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    rc = bench_progress(b, report, s);
    if (rc != 0) {
        fprintf(stderr, "rank %d: %s does not report its progress; leave out -S\n", bench_rank(b),
                bench_name());
        goto fail;
    }
    free(name);
    *made = s;
    return 0;
fail:
    free(name);
    series_close(s);
    return rc;
}

void series_begin(series *s)
{
    if (s == NULL)
        return;
    s->start_s = now_s();
    s->on = true;
}

void series_end(series *s)
{
    if (s == NULL)
        return;
    s->on = false;
    s->call++;
}

void series_close(series *s)
{
    if (s == NULL)
        return;
    if (s->file != NULL)
        fclose(s->file);
    free(s);
}
