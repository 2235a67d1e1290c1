/* SPDX-License-Identifier: BSD-3-Clause
 *
 * case.c - test calls as text, and drawing them at random (see case.h). */
#include "tests/mp/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mp/pattern.h"

static const struct {
    const char *name;
    bool reduces, blocks, may_be_in_place;
} colls[MP_NCOLLS] = {
    [MP_ALLREDUCE] = { "allreduce", true, false, true },
    [MP_WEIGHTED] = { "allreduce_weighted", true, false, true },
    [MP_REDUCE] = { "reduce", true, false, true },
    [MP_BROADCAST] = { "broadcast", false, false, false },
    [MP_GATHER] = { "gather", false, true, true },
    [MP_GATHERV] = { "gatherv", false, true, true },
    [MP_SCATTER] = { "scatter", false, true, true },
    [MP_SCATTERV] = { "scatterv", false, true, true },
    [MP_ALLGATHER] = { "allgather", false, true, true },
    [MP_ALLGATHERV] = { "allgatherv", false, true, true },
    [MP_REDUCE_SCATTER] = { "reduce_scatter", true, true, true },
    [MP_REDUCE_SCATTER_BLOCK] = { "reduce_scatter_block", true, true, true },
    [MP_ALLTOALL] = { "alltoall", false, true, true },
    [MP_ALLTOALLV] = { "alltoallv", false, true, true },
    [MP_SCAN] = { "scan", true, false, true },
    [MP_EXSCAN] = { "exscan", true, false, true },
    [MP_BARRIER] = { "barrier", false, false, false },
};

static const char *const modes[MP_NMODES] = { "blocking", "nonblocking", "persistent" };
static const char *const comms[MP_NCOMMS] = { "world", "dup", "parity", "reverse", "silo", "node" };
static const char *const places[2] = { "apart", "inplace" };
static const char *const memories[2] = { "malloc", "alloc" };

bool mp_coll_reduces(mp_coll coll)
{
    return colls[coll].reduces;
}

bool mp_case_valid(const mp_case *c)
{
    if (c->in_place && !colls[c->coll].may_be_in_place)
        return false;
    if ((c->coll == MP_WEIGHTED) != (c->op == MP_OP_WEIGHTED))
        return false;
    return colls[c->coll].reduces ? c->op != MP_OP_NONE && mp_op_fits(c->op, c->type) : c->op == MP_OP_NONE;
}

void mp_case_print(const mp_case *c, char text[MP_CASE_TEXT])
{
    snprintf(text, MP_CASE_TEXT, "%s:%s:%s:%zu:%d:%s:%s:%s:%s", colls[c->coll].name, mp_type_name(c->type),
             mp_op_name(c->op), c->count, c->root, places[c->in_place], modes[c->mode], comms[c->comm],
             memories[c->alloc]);
}

/* The index of `word` in names, or -1. */
static int find(const char *word, const char *const names[], int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return -1;
}

static int find_coll(const char *word)
{
    for (int i = 0; i < MP_NCOLLS; i++)
        if (strcmp(colls[i].name, word) == 0)
            return i;
    return -1;
}

bool mp_case_parse(const char *text, mp_case *c)
{
    char word[7][24], count[24], root[24];
    int place, memory;

    if (sscanf(text, "%23[^:]:%23[^:]:%23[^:]:%23[^:]:%23[^:]:%23[^:]:%23[^:]:%23[^:]:%23[^:]", word[0],
               word[1], word[2], count, root, word[3], word[4], word[5], word[6]) != 9)
        return false;
    int coll = find_coll(word[0]);
    if (coll < 0)
        return false;
    c->coll = (mp_coll)coll;
    c->type = mp_type_parse(word[1]);
    c->op = mp_op_parse(word[2]);
    c->count = (size_t)strtoull(count, NULL, 10);
    c->root = atoi(root);
    place = find(word[3], places, 2);
    c->in_place = place == 1;
    c->mode = find(word[4], modes, MP_NMODES);
    c->comm = find(word[5], comms, MP_NCOMMS);
    memory = find(word[6], memories, 2);
    c->alloc = memory == 1;
    return c->type > 0 && c->op >= 0 && place >= 0 && c->mode >= 0 && c->comm >= 0 && memory >= 0 &&
           c->root >= 0 && mp_case_valid(c);
}

uint64_t mp_random(mp_rng *rng, uint64_t below)
{
    return mp_hash(rng->seed, rng->step++) % below;
}

/* Around the sizes at which protocols change: eager, ring, fragment. */
static size_t draw_large(mp_rng *rng, size_t element_bytes)
{
    static const size_t edges[] = { 8 << 10, 64 << 10, 256 << 10, 1 << 20, 3 << 20 };
    size_t bytes = edges[mp_random(rng, sizeof edges / sizeof edges[0])];
    size_t at = (rng->most_bytes > 0 && bytes > rng->most_bytes ? rng->most_bytes : bytes) / element_bytes;

    return at + mp_random(rng, 5) - 2;
}

static size_t draw_count(mp_rng *rng, size_t n, unsigned rare, const mp_case *c)
{
    const size_t edges[5] = { 0, 1, n - 1, n, n + 1 };

    if (mp_random(rng, rare) == 0) {
        size_t count = draw_large(rng, mp_type_bytes(c->type));
        return colls[c->coll].blocks ? count / n + 1 : count;
    }
    switch (mp_random(rng, 8)) {
    case 0:
    case 1:
    case 2:
        return edges[mp_random(rng, 5)];
    case 3:
        return 700 + mp_random(rng, 5000);
    default:
        return 1 + mp_random(rng, 700);
    }
}

void mp_case_draw(mp_rng *rng, int size, unsigned rare, mp_case *c)
{
    c->count = draw_count(rng, (size_t)size, rare, c);
    c->root = (int)mp_random(rng, (uint64_t)size);
    c->in_place = mp_random(rng, 3) == 0 && colls[c->coll].may_be_in_place;
    c->mode = (int)mp_random(rng, MP_NMODES);
    c->comm = mp_random(rng, 5) < 3 ? MP_WORLD : (int)mp_random(rng, MP_NCOMMS);
    c->alloc = mp_random(rng, 4) == 0;
}
