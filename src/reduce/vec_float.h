/* SPDX-License-Identifier: BSD-3-Clause
 * vec_float.h - template: the floating-point kernels on vectors, on top of vec.h and of what the
 * including file says in its processor's own instructions: one_nan_f32(x), one_nan_f64(x)       x
 * with each NaN replaced by the one of kernels.h min_f32, max_f32, min_f64, max_f64   by the rule
 * of kernels.h low_f16(x), high_f16(x)              the two halves of a vector of f16, widened to
 * f32 join_f16(low, high)                  back, rounded to nearest even; the only NaN it is given
 * is the one */

/* In every element. Not by adding to zero, which loses -0. */
INLINE unit splat_f32(double x)
{
    return (unit)((float)x - (vec_f32){ 0 });
}

INLINE unit splat_f64(double x)
{
    return (unit)(x - (vec_f64){ 0 });
}

#define WIDE_UNITS(tag) \
    INLINE unit sum_##tag(unit a, unit b) \
    { \
        return one_nan_##tag((unit)((vec_##tag)a + (vec_##tag)b)); \
    } \
    INLINE unit prod_##tag(unit a, unit b) \
    { \
        return one_nan_##tag((unit)((vec_##tag)a * (vec_##tag)b)); \
    } \
    INLINE unit mul_##tag(unit element, unit factor) \
    { \
        return prod_##tag(element, factor); \
    } \
    INLINE unit div_##tag(unit element, unit factor) \
    { \
        return one_nan_##tag((unit)((vec_##tag)element / (vec_##tag)factor)); \
    } \
    INLINE unit factor_##tag(double factor) \
    { \
        return splat_##tag(factor); \
    }
WIDE_UNITS(f32)
WIDE_UNITS(f64)

/* A bf16 is the upper half of an f32. The elements at odd places are widened by clearing what is
 * below them, those at even places by shifting up: no permutation, so `low` and `high` are the even
 * and odd ones. */
INLINE unit low_bf16(unit x)
{
    return (unit)((vec_u32)x << 16);
}

INLINE unit high_bf16(unit x)
{
    return (unit)((vec_u32)x & 0xffff0000u);
}

/* Adds just below half of the last place, and the last bit itself, so that ties go to even; then
 * cuts. */
INLINE vec_u32 rounded_bf16(unit x)
{
    const vec_u32 bits = (vec_u32)x;
    return bits + 0x7fffu + (bits >> 16 & 1u);
}

INLINE unit join_bf16(unit low, unit high)
{
    return (unit)(rounded_bf16(low) >> 16 | (rounded_bf16(high) & 0xffff0000u));
}

#define HALF_UNIT(op, tag) \
    INLINE unit op##_##tag(unit a, unit b) \
    { \
        return join_##tag(op##_f32(low_##tag(a), low_##tag(b)), op##_f32(high_##tag(a), high_##tag(b))); \
    }
#define HALF_SCALE(how, tag) \
    INLINE unit how##_##tag(unit element, unit factor) \
    { \
        return join_##tag(how##_f32(low_##tag(element), factor), how##_f32(high_##tag(element), factor)); \
    }
#define HALF_UNITS(tag) \
    HALF_UNIT(sum, tag) \
    HALF_UNIT(prod, tag) \
    HALF_UNIT(min, tag) \
    HALF_UNIT(max, tag) \
    HALF_SCALE(mul, tag) \
    HALF_SCALE(div, tag) \
    INLINE unit factor_##tag(double factor) \
    { \
        return factor_f32(factor); \
    }
HALF_UNITS(f16)
HALF_UNITS(bf16)
