/* SPDX-License-Identifier: BSD-3-Clause
 *
 * case.h - one test call as a line of text, e.g. "allreduce:f32:sum:17:0:inplace:blocking:world:malloc": what
 * a failure prints is what --case reads back. */
#ifndef TESTS_MP_CASE_H
#define TESTS_MP_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mp_coll {
    MP_ALLREDUCE,
    MP_WEIGHTED,
    MP_REDUCE,
    MP_BROADCAST,
    MP_GATHER,
    MP_GATHERV,
    MP_SCATTER,
    MP_SCATTERV,
    MP_ALLGATHER,
    MP_ALLGATHERV,
    MP_REDUCE_SCATTER,
    MP_REDUCE_SCATTER_BLOCK,
    MP_ALLTOALL,
    MP_ALLTOALLV,
    MP_SCAN,
    MP_EXSCAN,
    MP_BARRIER,
    MP_NCOLLS
} mp_coll;

enum { MP_BLOCKING, MP_NONBLOCKING, MP_PERSISTENT, MP_NMODES };

/* Communicators that the suite makes: parity splits the world in two, reverse turns the ranks round. */
enum { MP_WORLD, MP_DUP, MP_PARITY, MP_REVERSE, MP_SILO, MP_NODE, MP_NCOMMS };

typedef struct mp_case {
    mp_coll coll;
    int type, op;
    size_t count; /* about that many for each rank where counts are irregular */
    int root;     /* modulo the size of the communicator */
    bool in_place;
    int mode, comm;
    bool alloc; /* buffers from fedrdma_alloc */
} mp_case;

enum { MP_CASE_TEXT = 128 };
void mp_case_print(const mp_case *c, char text[MP_CASE_TEXT]);
bool mp_case_parse(const char *text, mp_case *c);

bool mp_coll_reduces(mp_coll coll); /* takes an operator */
bool mp_case_valid(const mp_case *c);

/* The same sequence on every rank that starts from the same state. */
typedef struct mp_rng {
    uint64_t seed, step;
    size_t most_bytes; /* largest vector that mp_case_draw draws; 0: as large as it likes, 3 MiB */
} mp_rng;
uint64_t mp_random(mp_rng *rng, uint64_t below);

/* Draws what coverage leaves open (count, root, place, mode, communicator, memory) for a world of `size`
 * ranks; large counts about once in `rare`. coll, type and op must be set. */
void mp_case_draw(mp_rng *rng, int size, unsigned rare, mp_case *c);

#endif
