/* SPDX-License-Identifier: BSD-3-Clause
 *
 * suite.h - the phases of the matrix over one context: every combination once, random calls, many in flight.
 * A failure prints the case and the command that runs it alone. */
#ifndef TESTS_MP_SUITE_H
#define TESTS_MP_SUITE_H

#include <stdatomic.h>

#include "tests/mp/call.h"

typedef struct mp_suite {
    mp_env env;
    const char *command; /* how this job was started, for messages */
    int rank;            /* in the world, for messages */
    long calls;          /* made and checked */
    int failures;
    bool broken; /* a call failed with an error: the communicator is of no more use */
    mp_rng rng;  /* the same on every rank */
} mp_suite;

int mp_suite_open(fedrdma_context *context, uint64_t seed, const char *command, mp_suite *suite);
void mp_suite_close(mp_suite *suite);

/* The case that is running, for a watchdog; NULL when none is. Process-wide: one suite at a time is shown. */
extern _Atomic(const char *) mp_suite_current;

/* One case, alone; persistent ones are started three times. */
void mp_suite_case(mp_suite *suite, const mp_case *c);

/* Every collective x type x operator, or with `brief` every collective twice. */
void mp_suite_coverage(mp_suite *suite, bool brief);

/* `count` random calls, a quarter of them large. */
void mp_suite_random(mp_suite *suite, long count);

/* `rounds` times up to 16 calls in flight, nonblocking and persistent, completed in an order of each rank's
 * own by wait, test and waitall. */
void mp_suite_flights(mp_suite *suite, long rounds);

#endif
