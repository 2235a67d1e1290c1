/* SPDX-License-Identifier: BSD-3-Clause
 *
 * suite.c - the phases of the matrix (see suite.h). Everything that decides which collectives are started,
 * and in which order, is drawn from the suite's generator, which is the same on every rank. */
#include "tests/mp/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/mp/pattern.h"

enum { MAX_FAILURES = 10, MAX_FLIGHT = 16, RARE = 40 };

_Atomic(const char *) mp_suite_current;

int mp_suite_open(fedrdma_context *context, uint64_t seed, const char *command, mp_suite *suite)
{
    int rank = fedrdma_comm_rank(fedrdma_world(context));

    *suite = (mp_suite){ .command = command, .rank = rank, .rng = { .seed = seed } };
    return mp_env_open(context, seed, &suite->env);
}

void mp_suite_close(mp_suite *suite)
{
    mp_env_close(&suite->env);
}

/* A failed call also ends the suite: what follows on the communicator could only hang or fail. */
static void report(mp_suite *s, const mp_case *c, const char *what, const char *why, bool broken)
{
    char text[MP_CASE_TEXT];

    mp_case_print(c, text);
    fprintf(stderr,
            "FAIL rank %d: %s: %s: %s\n  again, alone:      %s --seed %" PRIu64 " --case %s\n"
            "  again, as it was:  %s --seed %" PRIu64 "\n",
            s->rank, text, what, why, s->command, s->env.seed, text, s->command, s->env.seed);
    fflush(stderr);
    s->failures++;
    s->broken = s->broken || broken || s->failures >= MAX_FAILURES;
}

static void failed(mp_suite *s, const mp_case *c, const mp_call *call, const char *what, int rc)
{
    char why[700];

    snprintf(why, sizeof why, "%s (%d): %s", fedrdma_strerror(rc), rc,
             call != NULL ? mp_call_story(call, rc) : "no memory for the test");
    report(s, c, what, why, true);
}

static void check(mp_suite *s, const mp_case *c, mp_call *call)
{
    char why[256];

    s->calls++;
    if (!mp_call_check(call, why, sizeof why))
        report(s, c, "wrong result", why, false);
}

void mp_suite_case(mp_suite *s, const mp_case *c)
{
    int repeats = c->mode == MP_PERSISTENT ? 3 : 1, rc = FEDRDMA_OK;
    mp_call *call = mp_call_create(&s->env, c, 0);
    char text[MP_CASE_TEXT];

    mp_case_print(c, text);
    atomic_store(&mp_suite_current, text);
    if (call == NULL)
        failed(s, c, NULL, "creating", FEDRDMA_ERR_NOMEM);
    for (int i = 0; call != NULL && i < repeats && rc == FEDRDMA_OK; i++) {
        rc = mp_call_start(call);
        if (rc == FEDRDMA_OK && c->mode != MP_BLOCKING)
            rc = mp_call_wait(call);
        if (rc == FEDRDMA_OK)
            check(s, c, call);
        else
            failed(s, c, call, "failed", rc);
    }
    mp_call_destroy(call);
    atomic_store(&mp_suite_current, NULL);
}

void mp_suite_coverage(mp_suite *s, bool brief)
{
    for (int coll = 0; coll < MP_NCOLLS; coll++) {
        long done = 0;
        for (int type = 1; type < MP_NTYPES; type++) {
            for (int op = 0; op < MP_NOPS && !s->broken; op++) {
                mp_case c = { .coll = (mp_coll)coll, .type = type, .op = op };
                if (!mp_case_valid(&c))
                    continue;
                if (coll == MP_BARRIER && type > 1)
                    continue;
                mp_case_draw(&s->rng, fedrdma_comm_size(s->env.comm[MP_WORLD]), RARE, &c);
                if (brief && (done >= 2 || mp_random(&s->rng, 3) != 0))
                    continue;
                mp_suite_case(s, &c);
                done++;
            }
        }
    }
}

static void draw(mp_suite *s, unsigned rare, mp_case *c)
{
    do {
        c->coll = (mp_coll)mp_random(&s->rng, MP_NCOLLS);
        c->type = 1 + (int)mp_random(&s->rng, MP_NTYPES - 1);
        c->op = mp_coll_reduces(c->coll) ? 1 + (int)mp_random(&s->rng, MP_NOPS - 1) : MP_OP_NONE;
        c->in_place = false;
    } while (!mp_case_valid(c));
    mp_case_draw(&s->rng, fedrdma_comm_size(s->env.comm[MP_WORLD]), rare, c);
}

void mp_suite_random(mp_suite *s, long count)
{
    for (long i = 0; i < count && !s->broken; i++) {
        mp_case c = { 0 };
        draw(s, 4, &c);
        mp_suite_case(s, &c);
    }
}

/* ---- many in flight ------------------------------------------------------------------------------- */

typedef struct flight {
    mp_case spec[MAX_FLIGHT];
    mp_call *call[MAX_FLIGHT];
    bool active[MAX_FLIGHT];
    int started, nactive, total;
} flight;

static void landed(mp_suite *s, flight *f, int i, int rc)
{
    f->active[i] = false;
    f->nactive--;
    if (rc == FEDRDMA_OK)
        check(s, &f->spec[i], f->call[i]);
    else
        failed(s, &f->spec[i], f->call[i], "failed in flight", rc);
}

static void take_off(mp_suite *s, flight *f)
{
    int i = f->started++;
    int rc = f->call[i] != NULL ? mp_call_start(f->call[i]) : FEDRDMA_ERR_NOMEM;

    if (rc != FEDRDMA_OK) {
        failed(s, &f->spec[i], f->call[i], "could not start", rc);
        return;
    }
    f->active[i] = true;
    f->nactive++;
}

/* Completes one call, any: by a few tests, else by wait. */
static void land_one(mp_suite *s, flight *f, mp_rng *own)
{
    int i = (int)mp_random(own, MAX_FLIGHT), done = 0, rc = FEDRDMA_OK;

    while (!f->active[i])
        i = (i + 1) % MAX_FLIGHT;
    for (uint64_t tests = mp_random(own, 4); tests > 0 && !done; tests--)
        rc = mp_call_test(f->call[i], &done);
    if (!done)
        rc = mp_call_wait(f->call[i]);
    landed(s, f, i, rc);
}

/* Completes all that are left by one waitall, with gaps of NULL where calls are over. */
static void land_all(mp_suite *s, flight *f)
{
    fedrdma_request *requests[MAX_FLIGHT] = { NULL };
    int rc;

    for (int i = 0; i < f->started; i++)
        requests[i] = f->active[i] ? *mp_call_request(f->call[i]) : NULL;
    rc = fedrdma_waitall((size_t)f->started, requests, NULL);
    for (int i = 0; i < f->started; i++) {
        if (!f->active[i])
            continue;
        *mp_call_request(f->call[i]) = requests[i]; /* NULL unless persistent */
        landed(s, f, i, rc);
    }
}

static void one_flight(mp_suite *s, mp_rng *own)
{
    flight f = { .total = 2 + (int)mp_random(&s->rng, MAX_FLIGHT - 1) };
    bool by_waitall = mp_random(&s->rng, 4) == 0;
    char text[64];

    for (int i = 0; i < f.total; i++) {
        draw(s, RARE, &f.spec[i]);
        f.spec[i].mode = mp_random(&s->rng, 2) == 0 ? MP_NONBLOCKING : MP_PERSISTENT;
        f.call[i] = mp_call_create(&s->env, &f.spec[i], (uint64_t)i + 1);
    }
    snprintf(text, sizeof text, "%d calls in flight, after %ld", f.total, s->calls);
    atomic_store(&mp_suite_current, text);
    while ((f.started < f.total || f.nactive > 0) && !s->broken) {
        bool more = f.started < f.total && (f.nactive == 0 || by_waitall || mp_random(own, 3) != 0);
        if (more)
            take_off(s, &f);
        else if (by_waitall)
            land_all(s, &f);
        else
            land_one(s, &f, own);
    }
    atomic_store(&mp_suite_current, NULL);
    if (s->broken) /* calls may still be in flight: their memory must stay */
        return;
    for (int i = 0; i < f.total; i++)
        mp_call_destroy(f.call[i]);
}

void mp_suite_flights(mp_suite *s, long rounds)
{
    mp_rng own = { .seed = mp_hash(s->env.seed, (uint64_t)s->rank + 1000) };

    for (long i = 0; i < rounds && !s->broken; i++)
        one_flight(s, &own);
}
