/* SPDX-License-Identifier: BSD-3-Clause
 *
 * call.h - makes one case a call: buffers with guards, the call in its mode, and the check of every byte that
 * the call could have written. */
#ifndef TESTS_MP_CALL_H
#define TESTS_MP_CALL_H

#include "fedrdma.h"
#include "tests/mp/case.h"

enum { MP_MAX_RANKS = 64 };

/* What the calls of one rank share. */
typedef struct mp_env {
    fedrdma_context *context;
    fedrdma_comm *comm[MP_NCOMMS];
    fedrdma_op user, ordered;
    uint64_t seed;
} mp_env;

int mp_env_open(fedrdma_context *context, uint64_t seed, mp_env *env);
void mp_env_close(mp_env *env);

typedef struct mp_call mp_call;

/* Allocates; `extra` makes the data of equal cases differ. NULL: no memory. */
mp_call *mp_call_create(mp_env *env, const mp_case *c, uint64_t extra);
void mp_call_destroy(mp_call *call); /* NULL is fine; the call must not be in flight */

/* Fills the buffers and starts; a blocking call is over when it returns. May be repeated after wait. */
int mp_call_start(mp_call *call);
int mp_call_wait(mp_call *call);
int mp_call_test(mp_call *call, int *done);
fedrdma_request **mp_call_request(mp_call *call); /* for waitall; NULL inside when the call is over */

/* Compares everything; false: `why` says what is wrong. */
bool mp_call_check(mp_call *call, char *why, size_t why_bytes);

/* The story of the communicator. */
const char *mp_call_story(const mp_call *call, int rc);

#endif
