/* SPDX-License-Identifier: BSD-3-Clause
 * reduce.h - datatypes, operators and the kernels that apply them, chosen by CPU feature at start.
 *
 * Kernels are bit-for-bit equal on every instruction set, so that ranks on different machines
 * agree. */
#ifndef FRD_REDUCE_REDUCE_H
#define FRD_REDUCE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fedrdma.h"

#define FRD_NTYPES 13 /* datatypes are 1..12 */
#define FRD_NOPS 12   /* builtin operators are 1..11 */

size_t frd_type_size(int type);      /* 0: unknown */
const char *frd_type_name(int type); /* "f32"; "?" when unknown */
bool frd_type_is_float(int type);
const char *frd_op_name(int op);    /* "sum"; "user" for others */
bool frd_op_fits(int op, int type); /* builtin op defined for type? */

/* out[i] = a[i] op b[i]; out may equal a or b exactly, otherwise no overlap. Pointers need no
 * alignment. avg adds (its division comes at the end, see frd_scale_fn). */
typedef void frd_reduce_fn(void *out, const void *a, const void *b, size_t count);

/* NULL when the operator does not fit the type. Never fails otherwise. The rule for NaN, zeros and
 * rounding is in kernels.h; a op b and b op a have the same bits. */
frd_reduce_fn *frd_reduce_kernel(int type, int op);

/* The same into two places; `also`, too, may equal a or b exactly, but is apart from out; it may be NULL. `around`
 * is a sum of FRD_OUT_AROUND and FRD_ALSO_AROUND: past the caches there, where alignment allows (frd_copy_around). */
enum { FRD_OUT_AROUND = 1, FRD_ALSO_AROUND = 2 };
typedef void frd_reduce_both_fn(void *out, void *also, const void *a, const void *b, size_t count, unsigned around);
frd_reduce_both_fn *frd_reduce_both_kernel(int type, int op);

/* out[i] = in[i] * factor (FRD_SCALE_MUL) or in[i] / factor (FRD_SCALE_DIV), the arithmetic in f32
 * for f16, bf16 and f32, in f64 for f64, in the type itself for integers (DIV only, by the factor's
 * whole part, truncated towards zero). MUL and DIV by a factor of 0 give +0, also of infinities and NaNs; the
 * factor counts as it is in the type of the arithmetic, and for integers also what is not in 1..2^63-1. out
 * may equal in. */
enum { FRD_SCALE_MUL, FRD_SCALE_DIV };
typedef void frd_scale_fn(void *out, const void *in, double factor, size_t count);
/* NULL for an unknown type, and for FRD_SCALE_MUL of an integer. */
frd_scale_fn *frd_scale_kernel(int type, int how);

/* Copies like memcpy, but past the caches where the processor can: for what is larger than they are. The stores are
 * ordered before later ones. */
typedef void frd_copy_fn(void *out, const void *in, size_t bytes);
void frd_copy_around(void *out, const void *in, size_t bytes);

/* The instruction set in use: "scalar", "avx2", "avx512", "neon". */
const char *frd_reduce_isa(void);

/* For tests and perf: the same by instruction set; NULL when this build or CPU has none of it. */
frd_reduce_fn *frd_reduce_kernel_isa(const char *isa, int type, int op);
frd_reduce_both_fn *frd_reduce_both_kernel_isa(const char *isa, int type, int op);
frd_scale_fn *frd_scale_kernel_isa(const char *isa, int type, int how);

#endif
