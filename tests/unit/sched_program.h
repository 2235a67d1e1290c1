/* SPDX-License-Identifier: BSD-3-Clause
 * sched_program.h - what the recorder's tests share: beginning and ending a program, references, edges. */
#ifndef TESTS_UNIT_SCHED_PROGRAM_H
#define TESTS_UNIT_SCHED_PROGRAM_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sched/sched.h"

#define SEND_BYTES 1000
#define RECV_BYTES 2000
#define US 3    /* our rank */
#define RANKS 8 /* of the communicator */

static inline frd_sched *begin_with(int type, int op, bool commutative)
{
    const frd_sched_params params = { .rank = US,
                                      .size = RANKS,
                                      .type = type,
                                      .op = op,
                                      .commutative = commutative,
                                      .send_bytes = SEND_BYTES,
                                      .recv_bytes = RECV_BYTES };
    frd_sched *s;

    ck_assert_int_eq(frd_sched_create(&params, &s), FEDRDMA_OK);
    return s;
}

static inline frd_sched *begin(void)
{
    return begin_with(FEDRDMA_U8, FEDRDMA_SUM, false);
}

static inline frd_graph *end(frd_sched *s)
{
    frd_story story = { 0 };
    frd_graph *graph = NULL;

    ck_assert_msg(frd_sched_commit(s, &story, &graph) == FEDRDMA_OK, "%s", story.text);
    frd_sched_destroy(s);
    return graph;
}

/* Commits a program that must fail: how the story goes must be in it. */
static inline void end_badly(frd_sched *s, int rc, const char *how)
{
    frd_story story = { 0 };
    frd_graph *graph = NULL;

    ck_assert_int_eq(frd_sched_commit(s, &story, &graph), rc);
    ck_assert_ptr_null(graph);
    ck_assert_msg(strstr(story.text, how) != NULL, "\"%s\" does not tell \"%s\"", story.text, how);
    frd_sched_destroy(s);
}

static inline frd_ref at(int space, size_t off, size_t len)
{
    return (frd_ref){ off, len, (uint16_t)space, FEDRDMA_U8 };
}

/* Bytes [lo, hi) of the receive buffer. */
static inline frd_ref bytes(size_t lo, size_t hi)
{
    return at(FRD_SPACE_RECV, lo, hi - lo);
}

static inline bool edge(const frd_graph *g, uint32_t earlier, uint32_t later)
{
    for (uint32_t i = 0; i < g->steps[earlier].nnext; i++)
        if (g->next[g->steps[earlier].first_next + i] == later)
            return true;
    return false;
}

static inline bool must_wait(const frd_graph *g, uint32_t earlier, uint32_t later)
{
    if (edge(g, earlier, later))
        return true;
    for (uint32_t i = 0; i < g->steps[earlier].nnext; i++)
        if (must_wait(g, g->next[g->steps[earlier].first_next + i], later))
            return true;
    return false;
}

#endif
