/* SPDX-License-Identifier: BSD-3-Clause
 * avx2.c - the kernels for x86 with AVX2 and F16C. Compiled for those by a pragma in the file, so
 * that the build needs no flags of its own; empty for other processors. */
#if defined(__x86_64__)
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,f16c")
#endif

#define FRD_VEC 32
#define FRD_STREAM(at, v) _mm256_stream_si256((__m256i *)(at), (__m256i)(v))
#include "reduce/vec.h"

INLINE unit one_nan_f32(unit x)
{
    const __m256 v = (__m256)x, nan = (__m256)_mm256_set1_epi32(FRD_F32_NAN);
    return (unit)_mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}

INLINE unit one_nan_f64(unit x)
{
    const __m256d v = (__m256d)x, nan = (__m256d)_mm256_set1_epi64x(FRD_F64_NAN);
    return (unit)_mm256_blendv_pd(v, nan, _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
}

/* minps gives its second operand for two zeros, and also where one operand is a NaN. Taken in both orders,
 * the results differ only for -0 and +0, where `or` (for max: `and`) makes the right one of them, and with a
 * NaN, which a comparison finds. */
INLINE unit min_f32(unit a, unit b)
{
    const __m256 x = (__m256)a, y = (__m256)b, nan = (__m256)_mm256_set1_epi32(FRD_F32_NAN);
    const __m256 least = _mm256_or_ps(_mm256_min_ps(x, y), _mm256_min_ps(y, x));
    return (unit)_mm256_blendv_ps(least, nan, _mm256_cmp_ps(x, y, _CMP_UNORD_Q));
}

INLINE unit max_f32(unit a, unit b)
{
    const __m256 x = (__m256)a, y = (__m256)b, nan = (__m256)_mm256_set1_epi32(FRD_F32_NAN);
    const __m256 most = _mm256_and_ps(_mm256_max_ps(x, y), _mm256_max_ps(y, x));
    return (unit)_mm256_blendv_ps(most, nan, _mm256_cmp_ps(x, y, _CMP_UNORD_Q));
}

INLINE unit min_f64(unit a, unit b)
{
    const __m256d x = (__m256d)a, y = (__m256d)b, nan = (__m256d)_mm256_set1_epi64x(FRD_F64_NAN);
    const __m256d least = _mm256_or_pd(_mm256_min_pd(x, y), _mm256_min_pd(y, x));
    return (unit)_mm256_blendv_pd(least, nan, _mm256_cmp_pd(x, y, _CMP_UNORD_Q));
}

INLINE unit max_f64(unit a, unit b)
{
    const __m256d x = (__m256d)a, y = (__m256d)b, nan = (__m256d)_mm256_set1_epi64x(FRD_F64_NAN);
    const __m256d most = _mm256_and_pd(_mm256_max_pd(x, y), _mm256_max_pd(y, x));
    return (unit)_mm256_blendv_pd(most, nan, _mm256_cmp_pd(x, y, _CMP_UNORD_Q));
}

INLINE unit low_f16(unit x)
{
    return (unit)_mm256_cvtph_ps(_mm256_castsi256_si128((__m256i)x));
}

INLINE unit high_f16(unit x)
{
    return (unit)_mm256_cvtph_ps(_mm256_extracti128_si256((__m256i)x, 1));
}

INLINE unit join_f16(unit low, unit high)
{
    const __m128i l = _mm256_cvtps_ph((__m256)low, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m128i h = _mm256_cvtps_ph((__m256)high, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return (unit)_mm256_inserti128_si256(_mm256_castsi128_si256(l), h, 1);
}

#include "reduce/vec_float.h"

#define FRD_TABLE frd_kernels_avx2
#include "reduce/table.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#else
typedef int frd_avx2_is_empty; /* ISO C wants a declaration in every file */
#endif
