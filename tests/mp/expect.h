/* SPDX-License-Identifier: BSD-3-Clause
 *
 * expect.h - one condition of a test program that isn't a unit test: tells what failed where, counts, goes
 * on. */
#ifndef TESTS_MP_EXPECT_H
#define TESTS_MP_EXPECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fedrdma.h"

extern atomic_int mp_expect_failures;    /* defined once, in the file with main() */
extern _Thread_local int mp_expect_rank; /* shown in messages */
extern FILE *mp_expect_out;              /* where messages go; NULL: standard error */

/* True when `good`; else prints. Made for EXPECT. */
static inline bool mp_expect_(bool good, const char *what, const char *file, int line)
{
    if (!good) {
        const char *story = fedrdma_last_error(NULL);
        atomic_fetch_add(&mp_expect_failures, 1);
        FILE *out = mp_expect_out != NULL ? mp_expect_out : stderr;
        fprintf(out, "FAIL rank %d: %s:%d: %s%s%s\n", mp_expect_rank, file, line, what,
                story[0] != '\0' ? "; last error: " : "", story);
        fflush(out);
    }
    return good;
}

static inline bool mp_expect_code_(int got, int want, const char *what, const char *file, int line)
{
    char text[256];

    snprintf(text, sizeof text, "%s is %d (%s), not %d", what, got, fedrdma_strerror(got), want);
    return mp_expect_(got == want, text, file, line);
}

/* Does the story of the last error say `word`? comm NULL: this thread's. */
static inline bool mp_expect_story_(const fedrdma_comm *comm, const char *word, const char *file, int line)
{
    const char *story = fedrdma_last_error(comm);
    char text[700];

    snprintf(text, sizeof text, "the story doesn't say '%s': '%s'", word, story);
    return mp_expect_(strstr(story, word) != NULL, text, file, line);
}

#define EXPECT(condition) mp_expect_(condition, #condition, __FILE__, __LINE__)
#define EXPECT_CODE(call, code) mp_expect_code_(call, code, #call, __FILE__, __LINE__)
#define EXPECT_OK(call) EXPECT_CODE(call, FEDRDMA_OK)
#define EXPECT_STORY(comm, word) mp_expect_story_(comm, word, __FILE__, __LINE__)

/* Once, in the file with main(). */
#define MP_EXPECT_DEFINE \
    atomic_int mp_expect_failures; \
    _Thread_local int mp_expect_rank; \
    FILE *mp_expect_out

#endif
