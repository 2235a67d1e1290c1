/* SPDX-License-Identifier: BSD-3-Clause
 * net_world.c - see net_world.h. Cards and barriers go through one shared anonymous mapping, which works for
 * threads and for forked processes alike. */
#include "net_world.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_NS (60 * FRD_NS_PER_S)

enum { EXCHANGE_BYTES = 1 << 16 };

typedef struct shared {
    atomic_int arrived, generation;
    atomic_int flag[16];
    unsigned char slot[WORLD_MAX][EXCHANGE_BYTES];
} shared;

static unsigned current_seed; /* of the world that runs; tests run one at a time */

_Noreturn void world_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s (seed %u; rerun with FEDRDMA_TEST_SEED=%u)\n", file, line, what,
            current_seed, current_seed);
    abort();
}

uint64_t world_draw(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

size_t world_below(rank *r, size_t limit)
{
    return (size_t)(world_draw(&r->random) % limit);
}

void world_turn(rank *r)
{
    if (frd_fabric_progress(r->fabric) > 0)
        r->idle_since_ns = frd_now_ns();
    else
        frd_fabric_idle(r->fabric, r->idle_since_ns, frd_now_ns() + PATIENCE_NS);
}

void world_until(rank *r, const int *counter, int value)
{
    const uint64_t start = frd_now_ns();

    r->idle_since_ns = start;
    while (*counter != value) {
        world_turn(r);
        REQUIRE(frd_now_ns() - start < PATIENCE_NS);
    }
}

atomic_int *world_flags(rank *r)
{
    return r->world->shared->flag;
}

/* Sense-counting barrier. With `fabric` the fabric makes progress meanwhile. */
static void barrier(rank *r, bool fabric)
{
    shared *const s = r->world->shared;
    const int generation = atomic_load(&s->generation);
    const uint64_t start = frd_now_ns();

    if (atomic_fetch_add(&s->arrived, 1) == r->size - 1) {
        atomic_store(&s->arrived, 0);
        atomic_fetch_add(&s->generation, 1);
        return;
    }
    while (atomic_load(&s->generation) == generation) {
        if (fabric)
            frd_fabric_progress(r->fabric);
        sched_yield();
        REQUIRE(frd_now_ns() - start < PATIENCE_NS);
    }
}

void world_barrier(rank *r)
{
    barrier(r, r->fabric != NULL);
}

static int exchange(void *arg, const void *mine, void *all, size_t bytes, frd_story *story)
{
    rank *const r = arg;
    shared *const s = r->world->shared;

    (void)story;
    REQUIRE(bytes <= EXCHANGE_BYTES);
    memcpy(s->slot[r->rank], mine, bytes);
    barrier(r, false);
    for (int i = 0; i < r->size; i++)
        memcpy((char *)all + (size_t)i * bytes, s->slot[i], bytes);
    barrier(r, false);
    return FEDRDMA_OK;
}

static bool is_dead(void *arg, const frd_tag *tag)
{
    const rank *const r = arg;

    return r->dead != NULL && r->dead(tag);
}

static void peer_lost(void *arg, int peer, const char *why)
{
    rank *const r = arg;

    REQUIRE(why != NULL && why[0] != '\0');
    r->lost[peer]++;
    r->lost_ns[peer] = frd_now_ns();
}

/* Control messages carry `seq` bytes of value `idx`. */
static void control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    rank *const r = arg;

    REQUIRE(peer >= 0 && peer < r->size && peer != r->rank && tag->comm == FRD_TAG_CONTROL);
    REQUIRE(len <= FRD_CONTROL_MAX);
    if (r->world->any_control)
        return;
    REQUIRE(len == tag->seq);
    for (size_t i = 0; i < len; i++)
        REQUIRE(((const unsigned char *)data)[i] == (unsigned char)tag->idx);
    r->controls++;
}

static void open_fabric(rank *r)
{
    const frd_fabric_params params = { .conf = &r->conf,
                                       .log = &r->log,
                                       .stat = &r->stat,
                                       .rank = r->rank,
                                       .size = r->size,
                                       .exchange = exchange,
                                       .exchange_arg = r,
                                       .dead = is_dead,
                                       .peer_lost = peer_lost,
                                       .control = control,
                                       .arg = r };

    r->open_rc = frd_fabric_open(&params, &r->story, &r->fabric);
    if (r->open_rc != FEDRDMA_OK && !r->world->may_fail)
        fprintf(stderr, "rank %d: %s\n", r->rank, r->story.text);
    REQUIRE(r->open_rc == FEDRDMA_OK || r->world->may_fail);
}

static void *run_rank(void *arg)
{
    rank *const r = arg;
    const world *const w = r->world;

    REQUIRE(frd_conf_init(&r->conf, &r->story) == FEDRDMA_OK);
    REQUIRE(frd_conf_set(&r->conf, "transports", w->transports, "option", &r->story) == FEDRDMA_OK);
    for (int i = 0; i < WORLD_OPTIONS && w->option[i][0] != NULL; i++)
        REQUIRE(frd_conf_set(&r->conf, w->option[i][0], w->option[i][1], "option", &r->story) == FEDRDMA_OK);
    if (w->prepare != NULL)
        w->prepare(r);
    open_fabric(r);
    w->body(r);
    frd_fabric_close(r->fabric);
    frd_conf_free(&r->conf);
    return NULL;
}

static void run_forked(world *w, rank *ranks)
{
    pid_t pid[WORLD_MAX];

    fflush(NULL);
    for (int i = 0; i < w->size; i++) {
        pid[i] = fork();
        REQUIRE(pid[i] >= 0);
        if (pid[i] == 0) {
            run_rank(&ranks[i]);
            fflush(NULL);
            _exit(0);
        }
    }
    for (int i = 0; i < w->size; i++) {
        int status;

        REQUIRE(waitpid(pid[i], &status, 0) == pid[i]);
        if (w->killed > 0 && i == w->killed)
            REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        else
            REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

void world_run(world *w)
{
    rank *const ranks = calloc(WORLD_MAX, sizeof(*ranks));
    pthread_t thread[WORLD_MAX];
    const char *const seed = getenv("FEDRDMA_TEST_SEED");
    const char *const only = getenv("FEDRDMA_TEST_TRANSPORTS");

    if (only != NULL && strcmp(only, w->transports) != 0) {
        free(ranks);
        return;
    }
    if (seed != NULL)
        w->seed = (unsigned)strtoul(seed, NULL, 10);
    current_seed = w->seed;
    w->shared = mmap(NULL, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(ranks != NULL && w->shared != MAP_FAILED && w->size <= WORLD_MAX);
    for (int i = 0; i < w->size; i++) {
        ranks[i].world = w;
        ranks[i].rank = i;
        ranks[i].size = w->size;
        ranks[i].random = (uint64_t)w->seed * 1000 + (uint64_t)i;
    }
    if (w->forked) {
        run_forked(w, ranks);
    } else {
        for (int i = 0; i < w->size; i++)
            REQUIRE(pthread_create(&thread[i], NULL, run_rank, &ranks[i]) == 0);
        for (int i = 0; i < w->size; i++)
            pthread_join(thread[i], NULL);
    }
    munmap(w->shared, sizeof(shared));
    free(ranks);
}
