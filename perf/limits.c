/* SPDX-License-Identifier: BSD-3-Clause
 *
 * limits.c - two pinned threads, or two processes, do the same thing at the same time; the best round counts.
 * They spin while they wait for each other, so what runs beside them disturbs a round, not the result. */
#include "perf/limits.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perf/probe.h"
#include "perf/stream.h"

/* A round moves at least this much, so that it is long beside its two clock readings. */
static const size_t round_bytes = (size_t)32 << 20;
/* process_vm_readv into the cache: as much as stays in a core's own cache beside what is added to it. */
static const size_t readv_block_bytes = (size_t)256 << 10;
enum { YIELDS = 4000, FIXED_CALLS = 2000 };

struct limits {
    int cpu[2], rounds;
    size_t max_bytes;
    char *vector[2][3]; /* per thread: out, a, b */
};

/* Where two sides wait for each other; in memory that both have. */
typedef struct meeting {
    struct {
        _Alignas(128) atomic_uint turn;
        double start_ns, end_ns;
        _Atomic(bool) failed;
    } side[2];
} meeting;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void meet(meeting *m, int me)
{
    unsigned turn = atomic_fetch_add_explicit(&m->side[me].turn, 1, memory_order_acq_rel) + 1;

    for (unsigned polls = 1; atomic_load_explicit(&m->side[1 - me].turn, memory_order_acquire) < turn;
         polls++)
        if (polls % 10000 == 0)
            sched_yield();
}

/* Of the last round, from the first to start to the last to end. */
static double took_ns(const meeting *m, int sides)
{
    double start = m->side[0].start_ns, end = m->side[0].end_ns;

    for (int i = 1; i < sides; i++) {
        start = m->side[i].start_ns < start ? m->side[i].start_ns : start;
        end = m->side[i].end_ns > end ? m->side[i].end_ns : end;
    }
    return end - start;
}

static char *map_bytes(size_t bytes, bool huge)
{
    const size_t unit = (size_t)2 << 20; /* huge pages begin at multiples of their size */
    char *at = mmap(NULL, bytes + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, bytes + unit, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return at + (unit - (uintptr_t)at % unit) % unit; /* stays mapped until the process ends */
}

limits *limits_open(const int cpu[2], size_t max_bytes, int rounds)
{
    limits *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    *l = (limits){ .cpu = { cpu[0], cpu[1] }, .rounds = rounds, .max_bytes = max_bytes };
    for (int i = 0; i < 6; i++) {
        l->vector[i / 3][i % 3] = map_bytes(max_bytes, true);
        if (l->vector[i / 3][i % 3] == NULL) {
            free(l);
            return NULL;
        }
        memset(l->vector[i / 3][i % 3], 0, max_bytes); /* zeros: no denormals arise in the sums */
    }
    return l;
}

void limits_close(limits *l)
{
    free(l);
}

/* ---- threads -------------------------------------------------------------------------------------- */

typedef struct job {
    limits *l;
    meeting meeting;
    int threads, rounds;
    double best_ns; /* of a round; 0: none */
    void (*round)(struct job *job, int me);
    int kernel;
    size_t bytes, repeat;
    bool same_cpu;
    atomic_uint token;
} job;

typedef struct player {
    job *job;
    int me;
} player;

static void *play(void *arg)
{
    const player *p = arg;
    job *j = p->job;
    int me = p->me;

    if (!probe_pin_to(j->l->cpu[j->same_cpu ? 0 : me]))
        atomic_store(&j->meeting.side[me].failed, true);
    for (int i = 0; i < j->rounds + 1; i++) { /* the first warms up */
        if (j->threads == 2)
            meet(&j->meeting, me);
        j->meeting.side[me].start_ns = now_ns();
        j->round(j, me);
        j->meeting.side[me].end_ns = now_ns();
        if (j->threads == 2)
            meet(&j->meeting, me);
        double took = took_ns(&j->meeting, j->threads);
        if (me == 0 && i > 0 && (j->best_ns <= 0 || took < j->best_ns))
            j->best_ns = took;
    }
    return NULL;
}

/* The best round in ns, or 0. Thread 0 is not the caller's, whose affinity stays as it is. */
static double run_job(job *j)
{
    player players[2] = { { j, 0 }, { j, 1 } };
    pthread_t threads[2];
    int started = 0;

    while (started < j->threads && pthread_create(&threads[started], NULL, play, &players[started]) == 0)
        started++;
    if (started == 1 && j->threads == 2)
        play(&players[1]); /* the first one waits for its partner */
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        if (atomic_load(&j->meeting.side[i].failed))
            return 0;
    return started == j->threads ? j->best_ns : 0;
}

static void stream_round(job *j, int me)
{
    char *const *v = j->l->vector[me];

    for (size_t i = 0; i < j->repeat; i++)
        stream_kernels[j->kernel].fn(v[0], v[1], v[2], j->bytes);
}

double limits_stream_gbps(limits *l, int kernel, size_t bytes, int threads)
{
    job j = { .l = l,
              .threads = threads,
              .rounds = l->rounds,
              .round = stream_round,
              .kernel = kernel,
              .bytes = bytes,
              .repeat = bytes < round_bytes ? round_bytes / bytes : 1 };
    double ns;

    if (stream_kernels[kernel].fn == NULL || bytes > l->max_bytes)
        return 0;
    ns = run_job(&j);
    return ns > 0 ? (double)(bytes * j.repeat) * threads / ns : 0;
}

/* Blocks lie one behind the other in so many bytes, more than a core's own caches: a store to a line that the other
 * core still holds would have to wait for it. */
enum { HANDOVER_WINDOW = 2 << 20 };

static void handover_round(job *j, int me)
{
    for (size_t i = 0; i < j->repeat; i++) {
        const size_t at = i * j->bytes % HANDOVER_WINDOW;

        memcpy(j->l->vector[me][0] + at, j->l->vector[me][1], j->bytes);
        meet(&j->meeting, me);
        memcpy(j->l->vector[me][2], j->l->vector[1 - me][0] + at, j->bytes);
        meet(&j->meeting, me);
    }
}

double limits_handover_gbps(limits *l, size_t block_bytes)
{
    const size_t bytes = 2 * HANDOVER_WINDOW; /* a short round: each block is lost when one side loses its CPU */
    job j = { .l = l,
              .threads = 2,
              .rounds = 4 * l->rounds,
              .round = handover_round,
              .bytes = block_bytes,
              .repeat = bytes / block_bytes };
    double ns = run_job(&j);

    return ns > 0 ? (double)(block_bytes * j.repeat) / ns : 0;
}

static void yield_round(job *j, int me)
{
    for (unsigned i = (unsigned)me; i < YIELDS; i += 2) {
        while (atomic_load_explicit(&j->token, memory_order_acquire) % YIELDS != i)
            sched_yield();
        atomic_fetch_add_explicit(&j->token, 1, memory_order_acq_rel);
    }
}

double limits_yield_ns(limits *l)
{
    job j = { .l = l, .threads = 2, .rounds = l->rounds, .round = yield_round, .same_cpu = true };

    return run_job(&j) / YIELDS;
}

/* ---- processes ------------------------------------------------------------------------------------ */

typedef struct pair {
    meeting *meeting;
    char *source, *target, *block;
    size_t bytes, repeat;
    int rounds;
    double small_ns, vector_ns; /* the best rounds */
} pair;

static bool read_peer(pid_t peer, void *to, void *from, size_t bytes)
{
    struct iovec local = { to, bytes }, remote = { from, bytes };
    return process_vm_readv(peer, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* The same addresses are ours in the peer: we were mapped before the fork. */
static size_t read_step(const pair *p)
{
    return p->bytes / 2 < readv_block_bytes ? p->bytes / 2 : readv_block_bytes;
}

static bool read_vector(const pair *p, pid_t peer)
{
    size_t half = p->bytes / 2, step = read_step(p);
    bool good = true;

    for (size_t at = 0; at + step <= half && good; at += step)
        good = read_peer(peer, p->block, p->source + at, step);
    for (size_t at = half; at + step <= p->bytes && good; at += step)
        good = read_peer(peer, p->target + at, p->source + at, step);
    return good;
}

static bool read_small(const pair *p, pid_t peer)
{
    bool good = true;

    for (int i = 0; i < FIXED_CALLS && good; i++)
        good = read_peer(peer, p->block, p->source, 8);
    return good;
}

/* One side; only the parent's times are looked at. Keeps meeting after a failure, or the peer would wait. */
static void read_side(pair *p, int me, pid_t peer)
{
    meeting *m = p->meeting;

    memset(p->source, me + 1, p->bytes); /* after the fork: pages of our own, of the size we asked for */
    memset(p->target, 0, p->bytes);
    memset(p->block, 0, readv_block_bytes);
    for (int i = 0; i < 2 * p->rounds; i++) {
        bool small = i % 2 == 0;
        meet(m, me);
        m->side[me].start_ns = now_ns();
        for (size_t k = 0; k < (small ? 1 : p->repeat); k++)
            if (!(small ? read_small(p, peer) : read_vector(p, peer)))
                atomic_store(&m->side[me].failed, true);
        m->side[me].end_ns = now_ns();
        meet(m, me);
        double took = took_ns(m, 2), *best = small ? &p->small_ns : &p->vector_ns;
        *best = *best <= 0 || took < *best ? took : *best;
    }
}

/* Reads with a child that ends with us, whatever happens. */
static bool read_with_child(limits *l, pair *p)
{
    pid_t parent = getpid(), child = fork();
    cpu_set_t before;

    if (child < 0)
        return false;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_PTRACER, parent, 0, 0, 0);
        if (getppid() != parent || !probe_pin_to(l->cpu[1]))
            atomic_store(&p->meeting->side[1].failed, true);
        read_side(p, 1, parent);
        _exit(0);
    }
    sched_getaffinity(0, sizeof before, &before);
    prctl(PR_SET_PTRACER, child, 0, 0, 0);
    if (!probe_pin_to(l->cpu[0]))
        atomic_store(&p->meeting->side[0].failed, true);
    read_side(p, 0, child);
    waitpid(child, NULL, 0);
    sched_setaffinity(0, sizeof before, &before);
    return !atomic_load(&p->meeting->side[0].failed) && !atomic_load(&p->meeting->side[1].failed) &&
           p->target[p->bytes - 1] == 2; /* the child's */
}

bool limits_readv_between(limits *l, size_t bytes, bool huge, limits_readv *result)
{
    const size_t unit = (size_t)2 << 20;
    meeting *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *memory = map_bytes(2 * bytes + 3 * unit, huge);
    pair p = { .meeting = m,
               .source = memory,
               .bytes = bytes,
               .repeat = bytes < round_bytes / 4 ? round_bytes / 4 / bytes : 1,
               .rounds = l->rounds };
    bool good = false;

    if (m != MAP_FAILED && memory != NULL) {
        p.target = memory + (bytes + unit - 1) / unit * unit;
        p.block = p.target + (bytes + unit - 1) / unit * unit;
        good = read_with_child(l, &p);
    }
    if (memory != NULL)
        munmap(memory, 2 * bytes + 3 * unit);
    if (m != MAP_FAILED)
        munmap(m, sizeof *m);
    if (!good)
        return false;
    result->fixed_ns = p.small_ns / FIXED_CALLS;
    double calls = (double)(bytes / read_step(&p) * p.repeat);
    double moving_ns = p.vector_ns - calls * result->fixed_ns;
    result->gbps = (double)(bytes * p.repeat) / (moving_ns > 0 ? moving_ns : p.vector_ns);
    return true;
}
