/* SPDX-License-Identifier: BSD-3-Clause
 * world.h - all ranks of a communicator in one process, running their committed graphs in a random legal
 * order.
 *
 * Legal is what a graph allows, and the run is as hostile as that permits: steps are picked by a random
 * policy; a send takes its bytes when it starts, or as late as its receive, which also ends it only then;
 * what a step will write is filled with garbage as soon as the step may run; one rank may start when all
 * others are stuck. */
#ifndef ADV_WORLD_H
#define ADV_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/graph.h"
#include "tests/adversary/rng.h"

#define ADV_STORY_MAX 1024

/* A buffer with garbage around it that must not change. */
typedef struct adv_buffer {
    unsigned char *bytes; /* NULL: not there */
    size_t len;
    void *block;
} adv_buffer;

/* `skew` shifts the start off its natural alignment. False when out of memory. */
bool adv_buffer_make(adv_buffer *b, size_t len, size_t skew, adv_rng *rng);
bool adv_buffer_intact(const adv_buffer *b);
void adv_buffer_free(adv_buffer *b);

/* out[i] = in[i] op out[i], for user operators. */
typedef void adv_user_fn(const void *in, void *inout, size_t count);

typedef struct adv_rank {
    const frd_graph *graph; /* NULL: not in the group */
    adv_buffer space[FRD_NSPACES];
    uint32_t *partner; /* by adv_world_check, the owner frees it: send's receive, receive's send, by step */
} adv_rank;

typedef struct adv_world {
    int size; /* of the communicator */
    adv_rank *ranks;
    adv_user_fn *user;
    bool barrier; /* nobody may end before all have started */
} adv_world;

/* Checks every graph by itself and the messages of all; false, with a story, when one is malformed. */
bool adv_world_check(adv_world *w, char story[ADV_STORY_MAX]);

/* Runs them once (adv_world_check came first); false, with a story, when they get stuck, leave their buffers,
 * or break the barrier. Results are in the buffers. */
bool adv_world_run(const adv_world *w, uint64_t seed, char story[ADV_STORY_MAX]);

#endif
