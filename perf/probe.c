/* SPDX-License-Identifier: BSD-3-Clause
 *
 * probe.c - two pinned threads exchange cache lines (see probe.h). */
#include "perf/probe.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 4000, BATCHES = 12 };
static const double far_ns = 140; /* between the two modes seen: 50-60 and 240-280 */

typedef struct line {
    _Alignas(128) atomic_uint turn;
} line;

typedef struct pair {
    line line[2];
    int cpu[2];
    atomic_bool failed;
    double best_ns;
} pair;

typedef struct side {
    pair *pair;
    int index;
} side;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

bool probe_pin_to(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* Polls for the other side, which may be one turn ahead; gives the core away when it does not come. */
static void await(line *other, unsigned turn)
{
    for (unsigned polls = 1; atomic_load_explicit(&other->turn, memory_order_acquire) < turn; polls++)
        if (polls % 100000 == 0)
            sched_yield();
}

static void *exchange(void *arg)
{
    const side *me = arg;
    pair *p = me->pair;
    line *mine = &p->line[me->index], *other = &p->line[1 - me->index];
    unsigned turn = 1;

    if (!probe_pin_to(p->cpu[me->index]))
        atomic_store(&p->failed, true);
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = now_ns();
        for (int i = 0; i < ROUNDS; i++, turn++) {
            atomic_store_explicit(&mine->turn, turn, memory_order_release);
            await(other, turn);
        }
        double each = (now_ns() - start) / ROUNDS;
        if (me->index == 0 && (batch == 0 || each < p->best_ns))
            p->best_ns = each;
    }
    return NULL;
}

void probe_exchange(probe_result *result)
{
    const int cpu[2] = { 0, 1 };
    probe_exchange_on(cpu, result);
}

void probe_exchange_on(const int cpu[2], probe_result *result)
{
    pair p = { .cpu = { cpu[0], cpu[1] } };
    side sides[2] = { { &p, 0 }, { &p, 1 } };
    pthread_t threads[2];

    memset(result, 0, sizeof *result);
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    if (pthread_create(&threads[0], NULL, exchange, &sides[0]) != 0)
        return;
    if (pthread_create(&threads[1], NULL, exchange, &sides[1]) != 0) {
        exchange(&sides[1]); /* the first thread waits for its partner; our own affinity is lost with it */
        pthread_join(threads[0], NULL);
        return;
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    if (atomic_load(&p.failed))
        return;
    result->exchange_ns = p.best_ns;
    result->far = p.best_ns > far_ns;
    memcpy(result->cpu, p.cpu, sizeof result->cpu);
}

void probe_describe(const probe_result *result, char *text, size_t text_bytes)
{
    if (result->exchange_ns > 0)
        snprintf(text, text_bytes, "cache-line exchange between CPU %d and %d: %.0f ns, %s", result->cpu[0],
                 result->cpu[1], result->exchange_ns,
                 result->far ? "FAR: compare only with other far runs" : "near");
    else
        snprintf(text, text_bytes,
                 "cache-line exchange between two CPUs: not measured (one CPU, or pinning refused)");
}

bool probe_pin(int rank)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus > 0 && probe_pin_to(rank % (int)cpus);
}
