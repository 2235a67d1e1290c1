/* SPDX-License-Identifier: BSD-3-Clause
 *
 * prove_rank.c - one rank of the jobs of perf/wan/prove: f32 allreduces whose every element is checked, and
 * what became of them, a line each. Times are seconds since the system's start, as in /proc/uptime.
 *
 *     prove: rank R: call I from T1 to T2: right
 *     prove: rank R: call I at T: DONE of TOTAL bytes, ROUTES routes went down       (at --share of a call,
 * and when one did) prove: rank R: alone|beside from T1 to T2                                      (--do
 * beside) prove: rank R: idle from T1 to T2: used S s of the processor                  (--do idle) prove:
 * rank R: counter NAME VALUE
 *
 * Between calls it asks fedrdma_test a thousand times a second, since counters can't be read from within a
 * call. Exit status 0: all right; 1: an error, or a wrong result, which is on standard output; 2: the command
 * line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fedrdma.h"

static const char help[] = "Usage: prove_rank [--do calls|beside|idle] [--bytes N] [--slow-bytes N] [--calls "
                           "N] [--seconds S] [--share X]\n"
                           "                  [--mark FILE] [--alarm S]\n";

enum { VALUES = 1021, POLL_NS = 1000000, ASK_NS = 10000000 };

typedef struct options {
    const char *what,
        *mark; /* rank 0 writes a line to mark at the share of the second call, or when idle begins */
    size_t bytes, slow_bytes;
    long calls;
    double seconds, share;
    unsigned alarm_s;
} options;

typedef struct job {
    options o;
    fedrdma_context *context;
    fedrdma_comm *world;
    int rank, size;
    long call;
    uint64_t done_bytes, total_bytes; /* of the call that runs */
    uint64_t routes_down;
    bool marked;
    float *send, *recv;
} job;

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool parse(int argc, char **argv, options *o)
{
    static const struct option longs[] = {
        { "do", required_argument, NULL, 'd' },
        { "bytes", required_argument, NULL, 'b' },
        { "calls", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 't' },
        { "share", required_argument, NULL, 's' },
        { "mark", required_argument, NULL, 'm' },
        { "alarm", required_argument, NULL, 'a' },
        { "slow-bytes", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (letter) {
        case 'd':
            o->what = optarg;
            break;
        case 'b':
            o->bytes = (size_t)strtoull(optarg, NULL, 10);
            break;
        case 'l':
            o->slow_bytes = (size_t)strtoull(optarg, NULL, 10);
            break;
        case 'c':
            o->calls = strtol(optarg, NULL, 10);
            break;
        case 't':
            o->seconds = strtod(optarg, NULL);
            break;
        case 's':
            o->share = strtod(optarg, NULL);
            break;
        case 'm':
            o->mark = optarg;
            break;
        case 'a':
            o->alarm_s = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return optind == argc && o->bytes >= sizeof(float);
}

static int failed(const job *j, int rc, const char *what)
{
    const char *const story = fedrdma_last_error(j->world);

    printf("prove: rank %d: FAIL: %s: %s (%d): %s\n", j->rank, what, fedrdma_strerror(rc), rc, story);
    return 1;
}

static void mark(job *j)
{
    FILE *const file = j->rank == 0 && !j->marked && j->o.mark != NULL ? fopen(j->o.mark, "w") : NULL;

    j->marked = true;
    if (file == NULL)
        return;
    fputs("now\n", file);
    fclose(file);
}

static void progress(uint64_t done_bytes, uint64_t total_bytes, void *arg)
{
    job *const j = arg;

    j->done_bytes = done_bytes;
    j->total_bytes = total_bytes;
}

static void tell_routes(const job *j)
{
    printf("prove: rank %d: call %ld at %.3f: %" PRIu64 " of %" PRIu64 " bytes, %" PRIu64
           " routes went down\n",
           j->rank, j->call, now_s(), j->done_bytes, j->total_bytes, j->routes_down);
}

/* What there is to see while a call runs. */
static void watch(job *j)
{
    uint64_t down = 0;

    (void)fedrdma_counter(j->context, "wan.routes_down", &down);
    if (down != j->routes_down) {
        j->routes_down = down;
        tell_routes(j);
    }
    if (j->call == 1 && !j->marked && j->total_bytes > 0 &&
        (double)j->done_bytes >= j->o.share * (double)j->total_bytes) {
        tell_routes(j);
        mark(j);
    }
}

static int finish(job *j, fedrdma_request **request)
{
    const struct timespec turn = { .tv_nsec = POLL_NS };
    int done = 0, rc = FEDRDMA_OK;

    for (long turns = 0; rc == FEDRDMA_OK && !done; turns++) {
        rc = fedrdma_test(request, &done, NULL);
        if (done)
            break;
        if (turns % (ASK_NS / POLL_NS) == 0)
            watch(j);
        (void)nanosleep(&turn, NULL);
    }
    return rc;
}

static void fill(float *v, size_t count, int add)
{
    for (size_t i = 0; i < count; i++)
        v[i] = (float)(int)(i % VALUES) + (float)add;
}

/* The element that differs, or count. */
static size_t compare(const float *v, size_t count, int times, int add)
{
    size_t i = 0;

    while (i < count && v[i] == (float)times * (float)(int)(i % VALUES) + (float)add)
        i++;
    return i;
}

static int allreduce(job *j, size_t count, double *took_s)
{
    fedrdma_request *request = NULL;

    j->done_bytes = j->total_bytes = 0;
    memset(j->recv, 0, count * sizeof(float));
    const double from = now_s();
    int rc = fedrdma_iallreduce(j->send, j->recv, count, FEDRDMA_F32, FEDRDMA_SUM, j->world, &request);
    if (rc == FEDRDMA_OK)
        rc = finish(j, &request);
    const double to = now_s();
    if (rc != FEDRDMA_OK)
        return failed(j, rc, "allreduce");
    const size_t wrong = compare(j->recv, count, j->size, j->size * (j->size - 1) / 2);
    if (wrong < count) {
        printf("prove: rank %d: FAIL: call %ld: element %zu is %g\n", j->rank, j->call, wrong,
               (double)j->recv[wrong]);
        return 1;
    }
    printf("prove: rank %d: call %ld from %.3f to %.3f: right\n", j->rank, j->call, from, to);
    *took_s = to - from;
    return 0;
}

/* Call 0 is before anything happens; the next ones as many as asked for, or for so long. */
static int do_calls(job *j)
{
    const size_t count = j->o.bytes / sizeof(float);
    double took_s, until = 0;
    int rc = allreduce(j, count, &took_s);

    for (j->call = 1; rc == 0; j->call++) {
        uint64_t on = j->o.seconds > 0 ? until == 0 || now_s() < until : j->call <= j->o.calls;
        if (until == 0)
            until = now_s() + j->o.seconds;
        if (j->o.seconds > 0) {
            rc = fedrdma_broadcast(&on, 1, FEDRDMA_U64, 0, j->world);
            if (rc != FEDRDMA_OK)
                return failed(j, rc, "whether to go on");
            mark(j);
        }
        if (!on)
            break;
        rc = allreduce(j, count, &took_s);
    }
    return rc;
}

/* ---- beside: from rank 0 to rank 1, alone and while it goes to rank 2, too, whose line is slow
 * -------------------- */

static int transfer(job *j, fedrdma_comm *fast, fedrdma_comm *slow, const char *name)
{
    fedrdma_request *to_fast = NULL, *to_slow = NULL;
    const size_t count = j->o.bytes / sizeof(float), slow_count = j->o.slow_bytes / sizeof(float);
    int rc = fedrdma_barrier(j->world);
    const double from = now_s();

    if (rc == FEDRDMA_OK && slow != NULL)
        rc = fedrdma_ibroadcast(j->rank == 0 ? j->send : j->recv, slow_count, FEDRDMA_F32, 0, slow, &to_slow);
    if (rc == FEDRDMA_OK && fast != NULL) {
        rc = fedrdma_ibroadcast(j->rank == 0 ? j->send : j->recv, count, FEDRDMA_F32, 0, fast, &to_fast);
        if (rc == FEDRDMA_OK)
            rc = finish(j, &to_fast);
        if (rc == FEDRDMA_OK)
            printf("prove: rank %d: %s from %.3f to %.3f\n", j->rank, name, from, now_s());
    }
    if (rc == FEDRDMA_OK && slow != NULL)
        rc = finish(j, &to_slow);
    if (rc != FEDRDMA_OK)
        return failed(j, rc, name);
    if (slow != NULL && j->rank != 0)
        printf("prove: rank %d: slow from %.3f to %.3f\n", j->rank, from, now_s());
    const size_t have = j->rank == 0 ? 0 : fast != NULL ? count : slow != NULL ? slow_count : 0;
    if (compare(j->recv, have, 1, 0) < have) {
        printf("prove: rank %d: FAIL: %s: wrong\n", j->rank, name);
        return 1;
    }
    return 0;
}

static int do_beside(job *j)
{
    fedrdma_comm *fast = NULL, *slow = NULL;
    int rc = fedrdma_comm_split(j->world, j->rank <= 1 ? 0 : FEDRDMA_UNDEFINED, j->rank, &fast);

    if (rc == FEDRDMA_OK)
        rc = fedrdma_comm_split(j->world, j->rank != 1 ? 0 : FEDRDMA_UNDEFINED, j->rank, &slow);
    if (rc != FEDRDMA_OK)
        return failed(j, rc, "split");
    rc = transfer(j, fast, NULL, "first");
    if (rc == 0)
        rc = transfer(j, fast, NULL, "alone");
    if (rc == 0)
        rc = transfer(j, fast, slow, "beside");
    fedrdma_comm_free(&fast);
    fedrdma_comm_free(&slow);
    return rc;
}

/* ---- idle: nothing for some time, and a small call then
 * ------------------------------------------------------------ */

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static int do_idle(job *j)
{
    const struct timespec rest = { .tv_sec = (time_t)j->o.seconds };
    double took_s;
    int rc = allreduce(j, j->o.bytes / sizeof(float), &took_s);

    if (rc == 0 && (rc = fedrdma_barrier(j->world)) != FEDRDMA_OK)
        return failed(j, rc, "barrier");
    const double from = now_s(), used_s = cpu_s();
    mark(j);
    (void)nanosleep(&rest, NULL); /* what a training step is to the library */
    printf("prove: rank %d: idle from %.3f to %.3f: used %.3f s of the processor\n", j->rank, from, now_s(),
           cpu_s() - used_s);
    j->call = 1;
    return rc == 0 ? allreduce(j, 1, &took_s) : rc;
}

static int run(job *j)
{
    const fedrdma_attr attr = { .progress = progress, .progress_arg = j };

    j->send = malloc(j->o.bytes);
    j->recv = malloc(j->o.bytes);
    if (j->send == NULL || j->recv == NULL)
        return failed(j, FEDRDMA_ERR_NOMEM, "memory");
    memset(j->recv, 0, j->o.bytes);
    const bool beside = strcmp(j->o.what, "beside") == 0;
    fill(j->send, j->o.bytes / sizeof(float), beside ? 0 : j->rank);
    const int rc = fedrdma_comm_set_attr(j->world, &attr);
    if (rc != FEDRDMA_OK)
        return failed(j, rc, "attributes");
    return beside ? do_beside(j) : strcmp(j->o.what, "idle") == 0 ? do_idle(j) : do_calls(j);
}

int main(int argc, char **argv)
{
    job j = { .o = { .what = "calls",
                     .bytes = 1 << 20,
                     .slow_bytes = 1 << 20,
                     .calls = 1,
                     .share = 2,
                     .alarm_s = 170 } };
    const char *name;
    uint64_t value;

    if (!parse(argc, argv, &j.o)) {
        fputs(help, stderr);
        return 2;
    }
    alarm(j.o.alarm_s);
    setvbuf(stdout, NULL, _IOLBF, 0);
    j.rank = -1;
    int rc = fedrdma_init(NULL, &j.context);
    if (rc != FEDRDMA_OK)
        return failed(&j, rc, "fedrdma_init");
    j.world = fedrdma_world(j.context);
    j.rank = fedrdma_comm_rank(j.world);
    j.size = fedrdma_comm_size(j.world);
    rc = run(&j);
    for (size_t i = 0; fedrdma_counter_at(j.context, i, &name, &value) == FEDRDMA_OK; i++) {
        if (strncmp(name, "wan.", 4) == 0)
            printf("prove: rank %d: counter %s %" PRIu64 "\n", j.rank, name, value);
    }
    free(j.send);
    free(j.recv);
    fedrdma_finalize(&j.context);
    return rc;
}
