/* SPDX-License-Identifier: BSD-3-Clause
 * neon.c - the kernels for 64-bit ARM, where NEON is always there. Little-endian only; empty for
 * other processors. */
#if defined(__aarch64__) && !defined(__AARCH64EB__)
#include <arm_neon.h>

#define FRD_VEC 16
#include "reduce/vec.h"

/* A NaN is what does not equal itself. */
INLINE unit one_nan_f32(unit x)
{
    const float32x4_t v = (float32x4_t)x;
    return (unit)vbslq_f32(vceqq_f32(v, v), v, (float32x4_t)vdupq_n_u32(FRD_F32_NAN));
}

INLINE unit one_nan_f64(unit x)
{
    const float64x2_t v = (float64x2_t)x;
    return (unit)vbslq_f64(vceqq_f64(v, v), v, (float64x2_t)vdupq_n_u64(FRD_F64_NAN));
}

/* fmin and fmax of ARM know the order of -0 and +0, and pass on some NaN when there is one. */
INLINE unit min_f32(unit a, unit b)
{
    return one_nan_f32((unit)vminq_f32((float32x4_t)a, (float32x4_t)b));
}

INLINE unit max_f32(unit a, unit b)
{
    return one_nan_f32((unit)vmaxq_f32((float32x4_t)a, (float32x4_t)b));
}

INLINE unit min_f64(unit a, unit b)
{
    return one_nan_f64((unit)vminq_f64((float64x2_t)a, (float64x2_t)b));
}

INLINE unit max_f64(unit a, unit b)
{
    return one_nan_f64((unit)vmaxq_f64((float64x2_t)a, (float64x2_t)b));
}

INLINE unit low_f16(unit x)
{
    return (unit)vcvt_f32_f16(vget_low_f16((float16x8_t)x));
}

INLINE unit high_f16(unit x)
{
    return (unit)vcvt_high_f32_f16((float16x8_t)x);
}

/* Rounds as the thread does, as its f32 arithmetic. */
INLINE unit join_f16(unit low, unit high)
{
    return (unit)vcvt_high_f16_f32(vcvt_f16_f32((float32x4_t)low), (float32x4_t)high);
}

#include "reduce/vec_float.h"

#define FRD_TABLE frd_kernels_neon
#include "reduce/table.h"

#else
typedef int frd_neon_is_empty; /* ISO C wants a declaration in every file */
#endif
