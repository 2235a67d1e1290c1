/* SPDX-License-Identifier: BSD-3-Clause
 * kernels.h - the table that every instruction set fills, and the rule that makes the tables equal.
 *
 * The rule, bit for bit, for every kernel in this directory:
 *   - Integers are two's complement and wrap.
 *   - f32 and f64 arithmetic is IEEE 754 with the rounding of the calling thread (normally to
 * nearest even, denormals kept); f16 and bf16 are widened to f32, which is exact, combined, and
 * rounded once, to nearest even.
 *   - A NaN that comes out of sum, prod, min, max or a scale is always the same one: positive,
 * quiet, no payload. Processors pass on payloads by the order of the operands, x86 and ARM by
 * different orders, and compilers swap operands; while ranks combine a + b on one side and b + a on
 * the other, and must end with the same bits.
 *   - min and max give a NaN when either value is one, and -0 counts as less than +0.
 *   - land, lor and lxor take every bit pattern but +0 and -0 for true (a NaN is true). */
#ifndef FRD_REDUCE_KERNELS_H
#define FRD_REDUCE_KERNELS_H

#include "reduce/reduce.h"

#ifdef __FAST_MATH__
#error "the reduction kernels need IEEE arithmetic: build without -ffast-math and -Ofast"
#endif

#define FRD_F16_NAN 0x7e00
#define FRD_F16_ONE 0x3c00
#define FRD_BF16_NAN 0x7fc0
#define FRD_BF16_ONE 0x3f80
#define FRD_F32_NAN 0x7fc00000
#define FRD_F32_ONE 0x3f800000
#define FRD_F64_NAN 0x7ff8000000000000
#define FRD_F64_ONE 0x3ff0000000000000

typedef struct frd_kernels {
    frd_reduce_fn *reduce[FRD_NTYPES][FRD_NOPS]; /* NULL: the operator does not fit */
    frd_reduce_both_fn *both[FRD_NTYPES][FRD_NOPS];
    frd_scale_fn *scale[FRD_NTYPES][2];
    frd_copy_fn *copy_around;
} frd_kernels;

/* What the templates hand down: which kernel this is, and its arguments. */
typedef struct frd_kernel_id {
    int type;
    int op; /* operator, or FRD_SCALE_* */
} frd_kernel_id;

typedef struct frd_span {
    void *out;
    const void *a;
    const void *b; /* NULL for a scale */
    size_t count;
} frd_span;

/* Those of other processors than the build's own don't exist. */
extern const frd_kernels frd_kernels_scalar;
extern const frd_kernels frd_kernels_avx2;
extern const frd_kernels frd_kernels_avx512;
extern const frd_kernels frd_kernels_neon;

#endif
