/* SPDX-License-Identifier: BSD-3-Clause
 * rules.h - the rule of kernels.h in plain C, one element at a time, on bit patterns: the meaning
 * that vector kernels must meet, and the conversions of the 16-bit floating types. */
#ifndef FRD_REDUCE_RULES_H
#define FRD_REDUCE_RULES_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "reduce/kernels.h"

/* Excess precision (x87) would round twice. 16 only concerns types that are not used here. */
_Static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 16, "f32 arithmetic must be done in f32");

static inline float frd_f32_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double frd_f64_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To bits, with the one NaN. */
static inline uint32_t frd_f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7fffffff) > 0x7f800000 ? FRD_F32_NAN : bits;
}

static inline uint64_t frd_f64_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7fffffffffffffff) > 0x7ff0000000000000 ? FRD_F64_NAN : bits;
}

/* Exact. The exponent moves from bias 15 to 127; a denormal m x 2^-24 becomes normal in f32. */
static inline float frd_f16_to_f32(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t exponent = (half >> 10) & 31, mantissa = half & 0x3ff;

    if (exponent == 31)
        return frd_f32_of(mantissa != 0 ? FRD_F32_NAN : sign | 0x7f800000);
    if (exponent == 0) {
        const float magnitude = (float)mantissa * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    return frd_f32_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* Rounds n / 2^shift to the nearest whole number, ties to the even one; 1 <= shift <= 31. */
static inline uint32_t frd_round_shift(uint32_t n, uint32_t shift)
{
    const uint32_t whole = n >> shift, rest = n & ((UINT32_C(1) << shift) - 1);
    const uint32_t tie = UINT32_C(1) << (shift - 1);

    return whole + (rest > tie || (rest == tie && (whole & 1) != 0));
}

static inline uint16_t frd_f16_of(float x)
{
    const uint32_t bits = frd_f32_bits(x), magnitude = bits & 0x7fffffff;
    const uint32_t sign = bits >> 16 & 0x8000;

    if (magnitude > 0x7f800000)
        return FRD_F16_NAN;
    if (magnitude >= 0x47800000) /* 2^16 and above; what rounds up to it comes out right below */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude >= 0x38800000) /* 2^-14 and above: normal; a carry may run into the exponent */
        return (uint16_t)(sign | (frd_round_shift(magnitude, 13) - (112 << 10)));
    if (magnitude < 0x33000000) /* below half the smallest denormal, 2^-25 */
        return (uint16_t)sign;
    const uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | frd_round_shift(mantissa, 126 - exponent));
}

static inline float frd_bf16_to_f32(uint16_t half)
{
    return frd_f32_of((uint32_t)half << 16);
}

/* The one NaN has zeros below, and infinity too: neither can carry into the sign. */
static inline uint16_t frd_bf16_of(float x)
{
    return (uint16_t)frd_round_shift(frd_f32_bits(x), 16);
}

/* Bits of a float so ordered that they compare as signed integers, -0 below +0. Not for NaN. */
static inline int32_t frd_f32_key(float x)
{
    const uint32_t bits = frd_f32_bits(x);
    return (int32_t)((bits & 0x80000000) != 0 ? bits ^ 0x7fffffff : bits);
}

static inline int64_t frd_f64_key(double x)
{
    const uint64_t bits = frd_f64_bits(x);
    return (int64_t)((bits & 0x8000000000000000) != 0 ? bits ^ 0x7fffffffffffffff : bits);
}

static inline float frd_f32_min(float x, float y)
{
    if (x != x || y != y)
        return frd_f32_of(FRD_F32_NAN);
    return frd_f32_key(x) < frd_f32_key(y) ? x : y;
}

static inline float frd_f32_max(float x, float y)
{
    if (x != x || y != y)
        return frd_f32_of(FRD_F32_NAN);
    return frd_f32_key(x) > frd_f32_key(y) ? x : y;
}

static inline double frd_f64_min(double x, double y)
{
    if (x != x || y != y)
        return frd_f64_of(FRD_F64_NAN);
    return frd_f64_key(x) < frd_f64_key(y) ? x : y;
}

static inline double frd_f64_max(double x, double y)
{
    if (x != x || y != y)
        return frd_f64_of(FRD_F64_NAN);
    return frd_f64_key(x) > frd_f64_key(y) ? x : y;
}

#endif
