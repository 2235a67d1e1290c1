/* SPDX-License-Identifier: BSD-3-Clause
 * avx512.c - the kernels for x86 with AVX-512 F, BW, DQ and VL, as every server processor since
 * 2017 has them together. Compiled for those by a pragma in the file; empty for other processors.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#define FRD_VEC 64
#define FRD_STREAM(at, v) _mm512_stream_si512((void *)(at), (__m512i)(v))
#include "reduce/vec.h"

INLINE unit one_nan_f32(unit x)
{
    const __m512 v = (__m512)x, nan = (__m512)_mm512_set1_epi32(FRD_F32_NAN);
    return (unit)_mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan);
}

INLINE unit one_nan_f64(unit x)
{
    const __m512d v = (__m512d)x, nan = (__m512d)_mm512_set1_epi64(FRD_F64_NAN);
    return (unit)_mm512_mask_mov_pd(v, _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q), nan);
}

/* Signs of zeros by min and max in both orders, as in avx2.c. */
INLINE unit min_f32(unit a, unit b)
{
    const __m512 x = (__m512)a, y = (__m512)b, nan = (__m512)_mm512_set1_epi32(FRD_F32_NAN);
    const __m512 least = _mm512_or_ps(_mm512_min_ps(x, y), _mm512_min_ps(y, x));
    return (unit)_mm512_mask_mov_ps(least, _mm512_cmp_ps_mask(x, y, _CMP_UNORD_Q), nan);
}

INLINE unit max_f32(unit a, unit b)
{
    const __m512 x = (__m512)a, y = (__m512)b, nan = (__m512)_mm512_set1_epi32(FRD_F32_NAN);
    const __m512 most = _mm512_and_ps(_mm512_max_ps(x, y), _mm512_max_ps(y, x));
    return (unit)_mm512_mask_mov_ps(most, _mm512_cmp_ps_mask(x, y, _CMP_UNORD_Q), nan);
}

INLINE unit min_f64(unit a, unit b)
{
    const __m512d x = (__m512d)a, y = (__m512d)b, nan = (__m512d)_mm512_set1_epi64(FRD_F64_NAN);
    const __m512d least = _mm512_or_pd(_mm512_min_pd(x, y), _mm512_min_pd(y, x));
    return (unit)_mm512_mask_mov_pd(least, _mm512_cmp_pd_mask(x, y, _CMP_UNORD_Q), nan);
}

INLINE unit max_f64(unit a, unit b)
{
    const __m512d x = (__m512d)a, y = (__m512d)b, nan = (__m512d)_mm512_set1_epi64(FRD_F64_NAN);
    const __m512d most = _mm512_and_pd(_mm512_max_pd(x, y), _mm512_max_pd(y, x));
    return (unit)_mm512_mask_mov_pd(most, _mm512_cmp_pd_mask(x, y, _CMP_UNORD_Q), nan);
}

INLINE unit low_f16(unit x)
{
    return (unit)_mm512_cvtph_ps(_mm512_castsi512_si256((__m512i)x));
}

INLINE unit high_f16(unit x)
{
    return (unit)_mm512_cvtph_ps(_mm512_extracti64x4_epi64((__m512i)x, 1));
}

/* The form with a mask, all set, because gcc's other one warns about itself when not optimizing. */
INLINE unit join_f16(unit low, unit high)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC };
    const __m256i l = _mm512_maskz_cvtps_ph(0xffff, (__m512)low, NEAREST);
    const __m256i h = _mm512_maskz_cvtps_ph(0xffff, (__m512)high, NEAREST);
    return (unit)_mm512_inserti64x4(_mm512_castsi256_si512(l), h, 1);
}

#include "reduce/vec_float.h"

#define FRD_TABLE frd_kernels_avx512
#include "reduce/table.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int frd_avx512_is_empty; /* ISO C wants a declaration in every file */
#endif
