/* SPDX-License-Identifier: BSD-3-Clause
 *
 * harness.c - the timing loop and the table (see harness.h for what is timed). */
#include "perf/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "perf/probe.h"
#include "perf/series.h"
#include "tests/mp/pattern.h"

/* Enough samples for a stable median without a size taking much more than a second on a slow machine. */
enum { SMALL_BYTES = 8 << 10, SMALL_RUNS = 1000, MEDIUM_BYTES = 1 << 20, MEDIUM_RUNS = 200, LARGE_RUNS = 20 };

/* Under a limit of time: calls that tell how long one takes, and the fewest that still make a median. */
enum { TRIAL_RUNS = 5, FEWEST_RUNS = 5 };

/* What timed loops of one rank cost: of one size, or of all; sent to rank 0 as it is. */
typedef struct cost {
    double wall_s, cpu_s;
    uint64_t allocations, switches; /* involuntary context switches */
    uint64_t counters[BENCH_MAX_COUNTERS];
} cost;

typedef struct run {
    bench *b;
    bench_collective collective;
    bench_options options;
    int rank, size;
    cost cost;
    series *series; /* NULL: nobody asked for it */
    bool timed;     /* not a call to warm up */
} run;

typedef struct row {
    double avg_us, min_us, max_us, median_us;
} row;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void spent(cost *c, const run *r)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    c->cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    c->wall_s = now_us() * 1e-6;
    c->switches = (uint64_t)u.ru_nivcsw;
    c->allocations = bench_counter(r->b, "mem.allocations");
    for (int i = 0; i < r->options.ncounters; i++)
        c->counters[i] = bench_counter(r->b, r->options.counters[i]);
}

static int failed(const run *r, const char *what, int rc)
{
    fprintf(stderr, "rank %d: %s failed: %s\n", r->rank, what, bench_error(r->b, rc));
    return rc;
}

/* ---- the loop ------------------------------------------------------------------------------------- */

/* Runs one call and adds its time; checked calls also compare. */
static int one_call(run *r, bench_case *c, double *us)
{
    double start;
    int rc;

    if (r->options.check)
        bench_case_poison(c);
    rc = bench_barrier(r->b);
    if (rc != 0)
        return failed(r, "barrier", rc);
    series_begin(r->timed ? r->series : NULL);
    start = now_us();
    rc = bench_run(r->b);
    *us = now_us() - start;
    series_end(r->timed ? r->series : NULL);
    if (rc != 0)
        return failed(r, bench_collective_name(r->collective), rc);
    return r->options.check && !bench_case_right(c) ? BENCH_UNSUPPORTED : 0;
}

static long runs_for(const bench_options *o, size_t bytes)
{
    if (o->iterations > 0)
        return o->iterations;
    return bytes <= SMALL_BYTES ? SMALL_RUNS : bytes <= MEDIUM_BYTES ? MEDIUM_RUNS : LARGE_RUNS;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Lowers `runs` to what the limit of time allows: the same on all ranks. */
static int fit_into_limit(run *r, bench_case *c, long *runs)
{
    double took_us[TRIAL_RUNS], call_us, each_s;

    if (r->options.limit_s <= 0)
        return 0;
    for (int i = 0; i < TRIAL_RUNS; i++) {
        double start = now_us();
        int rc = one_call(r, c, &call_us);
        if (rc != 0)
            return rc;
        took_us[i] = now_us() - start; /* with its barrier */
    }
    qsort(took_us, TRIAL_RUNS, sizeof took_us[0], ascending);
    each_s = took_us[TRIAL_RUNS / 2] * 1e-6; /* a rank that lost its core once doesn't count */
    int rc = bench_greatest(r->b, &each_s);
    if (rc != 0)
        return failed(r, "agreeing on the number of calls", rc);
    if (each_s * (double)*runs > r->options.limit_s) {
        long few = (long)(r->options.limit_s / each_s);
        *runs = few > FEWEST_RUNS ? few : *runs < FEWEST_RUNS ? *runs : FEWEST_RUNS;
    }
    return 0;
}

/* Warms up, then takes `runs` samples. */
static int timed_loop(run *r, bench_case *c, long runs, double *samples, cost *used)
{
    long warmup = r->options.warmup >= 0 ? r->options.warmup : runs / 10 + 2;
    cost before, after;
    int rc;

    for (long i = 0; i < warmup; i++) {
        rc = one_call(r, c, &samples[0]);
        if (rc != 0)
            return rc;
    }
    spent(&before, r);
    r->timed = true;
    for (long i = 0; i < runs; i++) {
        rc = one_call(r, c, &samples[i]);
        if (rc != 0)
            return rc;
    }
    spent(&after, r);
    r->timed = false;
    *used = (cost){ after.wall_s - before.wall_s,
                    after.cpu_s - before.cpu_s,
                    after.allocations - before.allocations,
                    after.switches - before.switches,
                    { 0 } };
    r->cost.wall_s += used->wall_s;
    r->cost.cpu_s += used->cpu_s;
    r->cost.switches += used->switches;
    r->cost.allocations += used->allocations;
    for (int i = 0; i < r->options.ncounters; i++)
        r->cost.counters[i] += after.counters[i] - before.counters[i];
    return 0;
}

/* samples[rank][iteration]; means[] has room for one of each iteration. */
static row statistics(const double *samples, int size, long runs, double *means)
{
    row s = { 0 };

    memset(means, 0, (size_t)runs * sizeof *means);
    for (int r = 0; r < size; r++) {
        double sum = 0;
        for (long i = 0; i < runs; i++) {
            sum += samples[(size_t)r * (size_t)runs + (size_t)i];
            means[i] += samples[(size_t)r * (size_t)runs + (size_t)i] / size;
        }
        s.avg_us += sum / (double)runs / size;
        if (r == 0 || sum / (double)runs < s.min_us)
            s.min_us = sum / (double)runs;
        if (sum / (double)runs > s.max_us)
            s.max_us = sum / (double)runs;
    }
    qsort(means, (size_t)runs, sizeof *means, ascending);
    s.median_us = runs % 2 == 1 ? means[runs / 2] : (means[runs / 2 - 1] + means[runs / 2]) / 2;
    return s;
}

/* Cores that each rank had, on average. */
static double mean_share(const run *r, const cost *all)
{
    double sum = 0;

    for (int i = 0; i < r->size; i++)
        sum += all[i].wall_s > 0 ? all[i].cpu_s / all[i].wall_s : 0;
    return sum / r->size;
}

static void print_row(const run *r, size_t bytes, const row *s, long runs, const cost *all)
{
    if (r->options.csv)
        printf("%zu,%.3f,%.3f,%.3f,%.3f,%ld,%.2f\n", bytes, s->avg_us, s->min_us, s->max_us, s->median_us,
               runs, mean_share(r, all));
    else
        printf("%-12zu %12.2f %12.2f %12.2f %12.2f %12ld\n", bytes, s->avg_us, s->min_us, s->max_us,
               s->median_us, runs);
    fflush(stdout);
}

/* All ranks' samples and costs, on rank 0. `all` has room for one rank more: statistics' means. */
static int collect(run *r, size_t bytes, long runs, const double *mine, double *all, const cost *used)
{
    cost *costs = calloc((size_t)r->size, sizeof *costs);
    int rc = costs == NULL ? BENCH_UNSUPPORTED : bench_collect(r->b, mine, all, (size_t)runs * sizeof *mine);

    if (rc == 0)
        rc = bench_collect(r->b, used, costs, sizeof *costs);
    if (rc != 0)
        failed(r, "collecting samples", rc);
    if (rc == 0 && r->rank == 0) {
        row s = statistics(all, r->size, runs, all + (size_t)r->size * (size_t)runs);
        print_row(r, bytes, &s, runs, costs);
    }
    free(costs);
    return rc;
}

static int one_size(run *r, size_t bytes)
{
    long runs = runs_for(&r->options, bytes);
    double *mine = calloc((size_t)runs, sizeof *mine);
    double *all = calloc((size_t)(r->rank == 0 ? r->size : 1) + 1, (size_t)runs * sizeof *all);
    bench_case *c = NULL;
    cost used;
    int rc;

    if (mine == NULL || all == NULL) {
        rc = failed(r, "memory for the samples", BENCH_UNSUPPORTED);
        goto out;
    }
    rc = bench_case_create(r->b, r->collective, &r->options, bytes, &c);
    if (rc != 0) {
        failed(r, "preparing", rc);
        goto out;
    }
    rc = fit_into_limit(r, c, &runs);
    if (rc == 0)
        rc = timed_loop(r, c, runs, mine, &used);
    if (rc == 0)
        rc = collect(r, bytes, runs, mine, all, &used);
out:
    bench_case_destroy(r->b, c);
    free(all);
    free(mine);
    return rc;
}

/* ---- header and last lines ------------------------------------------------------------------------ */

static void print_header(const run *r, const probe_result *probe, int argc, char **argv)
{
    const bench_options *o = &r->options;
    char text[256];

    printf("# %s %s, %d rank(s)%s", bench_name(), bench_collective_name(r->collective), r->size,
           o->persistent ? ", persistent" : "");
    if (r->collective != BENCH_BARRIER)
        printf(", %s%s%s, %s buffers%s", mp_type_name(o->type),
               bench_collective_reduces(r->collective) ? " " : "",
               bench_collective_reduces(r->collective) ? mp_op_name(o->op) : "",
               o->shared ? "alloc" : "malloc", o->check ? ", every result checked" : "");
    printf("\n# command:");
    for (int i = 0; i < argc; i++)
        printf(" %s", argv[i]);
    bench_describe(r->b, text, sizeof text);
    printf("\n# library: %s\n", text);
    probe_describe(probe, text, sizeof text);
    printf("# before: %s\n", text);
    if (o->csv)
        printf("size_bytes,avg_us,min_us,max_us,median_us,iterations,cpu_share\n");
    else
        printf("# %-10s %12s %12s %12s %12s %12s\n", "Size", "Avg(us)", "Min(us)", "Max(us)", "Median(us)",
               "Iterations");
    fflush(stdout);
}

/* `all` holds every rank's cost. */
static void print_cost(const run *r, const cost *all)
{
    double least = 0;
    uint64_t allocations = 0, switches = 0;

    for (int i = 0; i < r->size; i++) {
        double got = all[i].wall_s > 0 ? all[i].cpu_s / all[i].wall_s : 0;
        least = i == 0 || got < least ? got : least;
        allocations += all[i].allocations;
        switches += all[i].switches;
    }
    printf("# CPU share got: %.2f of a core per rank (least %.2f), %llu involuntary switches\n",
           mean_share(r, all), least, (unsigned long long)switches);
    if (bench_counter(r->b, "mem.allocations") != UINT64_MAX)
        printf("# allocations in the timed loop: %llu\n", (unsigned long long)allocations);
    for (int k = 0; k < r->options.ncounters; k++) {
        uint64_t sum = 0;
        for (int i = 0; i < r->size; i++)
            sum += all[i].counters[k];
        if (bench_counter(r->b, r->options.counters[k]) == UINT64_MAX)
            printf("# counter %s: there is none\n", r->options.counters[k]);
        else
            printf("# counter %s: %llu\n", r->options.counters[k], (unsigned long long)sum);
    }
}

static void print_probe_after(const probe_result *before)
{
    probe_result after;
    char text[256];

    probe_exchange(&after);
    probe_describe(&after, text, sizeof text);
    printf("# after: %s\n", text);
    if (before->far != after.far && before->exchange_ns > 0 && after.exchange_ns > 0)
        printf("# the mode changed during the run: repeat it\n");
}

/* ---- the program ---------------------------------------------------------------------------------- */

/* The rank that the launcher's environment gives us, before a library is started; 0 when it gives none. */
static int rank_of_launcher(void)
{
    static const char *const names[] = { "FEDRDMA_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                         "SLURM_PROCID" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]) != NULL)
            return atoi(getenv(names[i]));
    return 0;
}

static int all_sizes(run *r)
{
    const bench_options *o = &r->options;

    if (r->collective == BENCH_BARRIER)
        return one_size(r, 0);
    for (int i = 0; i < o->nsizes; i++) {
        if (o->sizes[i] < mp_type_bytes(o->type)) {
            if (r->rank == 0)
                printf("# size %zu left out: less than one %s\n", o->sizes[i], mp_type_name(o->type));
            continue;
        }
        if (bench_case_memory(r->b, r->collective, o, o->sizes[i]) > o->memory_bytes) {
            if (r->rank == 0)
                printf("# size %zu left out: a rank would need more than %zu MiB (see -M)\n", o->sizes[i],
                       o->memory_bytes >> 20);
            continue;
        }
        int rc = one_size(r, o->sizes[i]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int report_cost(run *r)
{
    cost *all = calloc((size_t)r->size, sizeof *all);
    int rc = all == NULL ? BENCH_UNSUPPORTED : bench_collect(r->b, &r->cost, all, sizeof *all);

    if (rc == 0 && r->rank == 0)
        print_cost(r, all);
    free(all);
    return rc;
}

int bench_main(int argc, char **argv, const char *collective)
{
    run r = { .collective = bench_collective_parse(collective) };
    probe_result probe = { 0 };
    int early_rank = rank_of_launcher();
    int rc = bench_options_parse(argc, argv, collective, &r.options);

    if (rc != 0)
        return rc == 1 ? 0 : 2;
    if (early_rank == 0)
        probe_exchange(&probe); /* the others sleep in their start-up */
    if (r.options.pin && !probe_pin(early_rank))
        fprintf(stderr, "%s: rank %d could not be pinned\n", argv[0], early_rank);
    rc = bench_open(&argc, &argv, &r.b);
    if (rc != 0) {
        fprintf(stderr, "%s: rank %d could not start: %s\n", argv[0], early_rank, bench_error(NULL, rc));
        return 1;
    }
    r.rank = bench_rank(r.b);
    r.size = bench_size(r.b);
    if (r.rank == 0)
        print_header(&r, &probe, argc, argv);
    if (r.options.series != NULL)
        rc = series_open(r.b, r.options.series, &r.series);
    if (rc == 0)
        rc = all_sizes(&r);
    if (rc == 0)
        rc = report_cost(&r);
    bench_close(r.b);
    series_close(r.series);
    if (r.rank == 0 && rc == 0)
        print_probe_after(&probe);
    return rc == 0 ? 0 : 1;
}
