/* SPDX-License-Identifier: BSD-3-Clause
 *
 * chaos_rank.c - one rank of a job whose links are being maltreated: random calls, every byte of each result
 * checked, until the time is over or a call fails. Prints one line,
 *
 *     chaos: rank R of SILO: right after N calls, in S s, at T
 *     chaos: rank R of SILO: TEXT (CODE) after N calls, in S s, at T: STORY
 *
 * S is what the last call took, T the time since the system's start, by which tests/wan/chaos knows the
 * links' changes, and exits with 0 in both cases: tests/wan/chaos judges whether the links were bad enough
 * for an error. A wrong result or a hang is a failure here: exit status 1, 124. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/mp/call.h"
#include "tests/mp/pattern.h"

static const char help[] =
    "Usage: chaos_rank [--seed N] [--seconds S] [--most BYTES] [--alarm S] [--ready FILE]\n";

typedef struct options {
    uint64_t seed;
    double seconds;
    size_t most_bytes;
    unsigned alarm_s;
    const char *ready; /* rank 0 writes a line there when all ranks have met */
} options;

static bool parse(int argc, char **argv, options *o)
{
    static const struct option longs[] = {
        { "seed", required_argument, NULL, 's' },  { "seconds", required_argument, NULL, 't' },
        { "most", required_argument, NULL, 'm' },  { "alarm", required_argument, NULL, 'a' },
        { "ready", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 }
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (letter == 's')
            o->seed = strtoull(optarg, NULL, 10);
        else if (letter == 't')
            o->seconds = strtod(optarg, NULL);
        else if (letter == 'm')
            o->most_bytes = (size_t)strtoull(optarg, NULL, 10);
        else if (letter == 'a')
            o->alarm_s = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 'r')
            o->ready = optarg;
        else
            return false;
    }
    return optind == argc;
}

static _Atomic(const char *) running;

static void hung(int sig)
{
    static const char what[] = "chaos: FAIL: hung in ";
    const char *const text = atomic_load(&running);
    ssize_t written = write(STDOUT_FILENO, what, sizeof what - 1);

    (void)sig;
    if (text != NULL)
        written = write(STDOUT_FILENO, text, strlen(text));
    written = write(STDOUT_FILENO, "\n", 1);
    (void)written;
    _exit(124);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t); /* that of /proc/uptime */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Large ones are rare in the matrix; here they are what takes long enough to be hit. */
static void draw(mp_rng *rng, int size, mp_case *c)
{
    static const mp_coll usual[] = { MP_ALLREDUCE, MP_WEIGHTED, MP_BROADCAST,
                                     MP_REDUCE,    MP_GATHER,   MP_ALLGATHER };

    do {
        *c = (mp_case){ .coll = usual[mp_random(rng, sizeof usual / sizeof usual[0])] };
        if (mp_random(rng, 3) == 0)
            c->coll = (mp_coll)mp_random(rng, MP_NCOLLS);
        c->type = 1 + (int)mp_random(rng, MP_NTYPES - 1);
        c->op = mp_coll_reduces(c->coll) ? 1 + (int)mp_random(rng, MP_NOPS - 1) : MP_OP_NONE;
    } while (!mp_case_valid(c));
    mp_case_draw(rng, size, 2, c);
    if (c->comm == MP_NODE || c->comm == MP_SILO)
        c->comm = MP_WORLD;
}

typedef struct chaos {
    int rank;
    long calls;
    int rc;
    double took_s;
    char story[700];
} chaos;

/* False: it is over, by an error or a wrong result. */
static bool one_call(chaos *x, mp_env *env, const mp_case *c, uint64_t extra)
{
    char text[MP_CASE_TEXT], why[256];
    mp_call *const call = mp_call_create(env, c, extra);
    const double start = now_s();
    bool good = call != NULL;

    mp_case_print(c, text);
    atomic_store(&running, text);
    x->rc = call == NULL ? FEDRDMA_ERR_NOMEM : mp_call_start(call);
    if (x->rc == FEDRDMA_OK && c->mode != MP_BLOCKING)
        x->rc = mp_call_wait(call);
    x->took_s = now_s() - start;
    if (x->rc == FEDRDMA_OK && !mp_call_check(call, why, sizeof why)) {
        printf("chaos: FAIL: rank %d: %s: wrong result: %s\n", x->rank, text, why);
        good = false;
    } else if (x->rc != FEDRDMA_OK) {
        snprintf(x->story, sizeof x->story, "%s: %s", text,
                 call != NULL ? mp_call_story(call, x->rc) : "no memory");
    }
    atomic_store(&running, NULL);
    mp_call_destroy(call);
    x->calls++;
    return good && x->rc == FEDRDMA_OK;
}

/* Until the time is over for some rank. All need all others here: nobody is far ahead, nor ends well, without
 * them. */
static bool goes_on(chaos *x, fedrdma_comm *world, double until)
{
    const double start = now_s();
    uint64_t on = start < until;

    atomic_store(&running, "the allreduce of whether to go on");
    x->rc = fedrdma_allreduce(FEDRDMA_IN_PLACE, &on, 1, FEDRDMA_U64, FEDRDMA_MIN, world);
    x->took_s = now_s() - start;
    if (x->rc != FEDRDMA_OK)
        snprintf(x->story, sizeof x->story, "goes on? %s", fedrdma_last_error(world));
    atomic_store(&running, NULL);
    return x->rc == FEDRDMA_OK && on != 0;
}

static int tell(const chaos *x)
{
    const char *const silo = getenv("FEDRDMA_SILO"), *const where = silo != NULL ? silo : "?";

    if (x->rc == FEDRDMA_OK)
        printf("chaos: rank %d of %s: right after %ld calls, in %.1f s, at %.2f\n", x->rank, where, x->calls,
               x->took_s, now_s());
    else
        printf("chaos: rank %d of %s: %s (%d) after %ld calls, in %.1f s, at %.2f: %s\n", x->rank, where,
               fedrdma_strerror(x->rc), x->rc, x->calls, x->took_s, now_s(), x->story);
    fflush(stdout);
    return 0;
}

/* All ranks have met: who changes the links may begin. */
static int meet(const options *o, fedrdma_comm *world)
{
    const int rc = fedrdma_barrier(world);
    FILE *const ready =
        rc == FEDRDMA_OK && fedrdma_comm_rank(world) == 0 && o->ready != NULL ? fopen(o->ready, "w") : NULL;

    if (ready != NULL) {
        fputs("ready\n", ready);
        fclose(ready);
    }
    return rc;
}

int main(int argc, char **argv)
{
    options o = { .seed = 1, .seconds = 5, .most_bytes = 1 << 20, .alarm_s = 100 };
    fedrdma_context *context = NULL;
    chaos x = { .rank = -1 };
    mp_env env;
    mp_case c;

    if (!parse(argc, argv, &o)) {
        fputs(help, stderr);
        return 2;
    }
    signal(SIGALRM, hung);
    alarm(o.alarm_s);
    const double start = now_s();
    atomic_store(&running, "fedrdma_init");
    x.rc = fedrdma_init(NULL, &context);
    x.took_s = now_s() - start;
    if (x.rc != FEDRDMA_OK) {
        snprintf(x.story, sizeof x.story, "fedrdma_init: %s", fedrdma_last_error(NULL));
        return tell(&x);
    }
    fedrdma_comm *const world = fedrdma_world(context);
    mp_rng rng = { .seed = o.seed, .most_bytes = o.most_bytes };
    x.rank = fedrdma_comm_rank(world);
    atomic_store(&running, "making the communicators");
    x.rc = meet(&o, world);
    const double met = now_s();
    if (x.rc == FEDRDMA_OK)
        x.rc = mp_env_open(context, o.seed, &env);
    x.took_s = now_s() - start;
    if (x.rc != FEDRDMA_OK) {
        snprintf(x.story, sizeof x.story, "communicators: %s", fedrdma_last_error(world));
        tell(&x);
        fedrdma_finalize(&context);
        return 0;
    }
    bool good = true;
    const double until = met + o.seconds;
    while (good && goes_on(&x, world, until)) {
        for (int i = 0; i < 3 && good; i++) {
            draw(&rng, fedrdma_comm_size(world), &c);
            good = one_call(&x, &env, &c, (uint64_t)x.calls);
        }
    }
    tell(&x);
    atomic_store(&running, "fedrdma_finalize");
    mp_env_close(&env);
    fedrdma_finalize(&context);
    return good || x.rc != FEDRDMA_OK ? 0 : 1;
}
