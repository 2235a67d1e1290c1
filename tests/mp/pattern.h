/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pattern.h - the data of a test call and its expected result, computed plainly on one rank.
 *
 * Every rank's contribution is a function of (salt, rank, index), so any rank can compute what any other
 * gave and check a result alone. The index has a prime period, so that large buffers are cheap to fill and a
 * block that landed a power of two away is still noticed. Operators that would round get small integers;
 * moved data and integer arithmetic get random bits. Needs no library: the benchmarks use it with MPI too. */
#ifndef TESTS_MP_PATTERN_H
#define TESTS_MP_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fedrdma.h"

#define MP_NTYPES 13 /* datatypes are 1..12 */

/* After the builtin operators 1..11. NONE is for data that is only moved. */
enum {
    MP_OP_NONE = 0,
    MP_OP_USER = 12,    /* commutative user operator: addition of the raw bits */
    MP_OP_ORDERED = 13, /* not commutative: composition of maps x -> ax + b packed in the raw bits */
    MP_OP_WEIGHTED = 14,
    MP_NOPS = 15
};

typedef struct mp_data {
    int type;
    int op;
    int size; /* ranks of the communicator: the divisor of avg */
    uint64_t salt;
} mp_data;

uint64_t mp_hash(uint64_t a, uint64_t b);

size_t mp_type_bytes(int type); /* 0: unknown */
bool mp_type_is_float(int type);
bool mp_op_fits(int op, int type);
const char *mp_type_name(int type);  /* "f32" */
const char *mp_op_name(int op);      /* "sum" */
int mp_type_parse(const char *name); /* 0: unknown */
int mp_op_parse(const char *name);   /* -1: unknown */

/* out[i] = what `rank` gives at index first + i, for i < count. */
void mp_fill(const mp_data *data, int rank, size_t first, size_t count, void *out);

/* out[i] = the operator over ranks 0..ranks-1 at index first + i; over one rank that is its value, as in MPI.
 */
void mp_expect(const mp_data *data, int ranks, size_t first, size_t count, void *out);

/* The weight of `rank`: 0..3, so that now and then all are 0. */
double mp_weight(const mp_data *data, int rank);

/* The first element that differs, or `count`. Bit for bit, except that weighted may round a little. */
size_t mp_differs(const mp_data *data, const void *got, const void *want, size_t count);

/* One element for a message, e.g. "-3 (0xfffffffd)". */
void mp_show(int type, const void *element, char *text, size_t text_bytes);

/* The user operators, in the library's form; `arg` is ignored. */
void mp_user_op(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg);
void mp_ordered_op(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg);

#endif
