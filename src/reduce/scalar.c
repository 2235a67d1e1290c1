/* SPDX-License-Identifier: BSD-3-Clause
 * scalar.c - the kernels in plain C: what every machine has, what the vector kernels are tested
 * against, and what does the calls that are shorter than one vector. */
#include "reduce/rules.h"

typedef uint64_t unit; /* the bits of one element, zero above its width */

typedef unit unit_fn(unit a, unit b);

#define INLINE static inline __attribute__((always_inline))

/* ---- one element ---------------------------------------------------------------------------------- */

/* Integers: the store cuts to the width, so that one function serves all. */
#define INT_UNITS(bits) \
    INLINE unit sum_u##bits(unit a, unit b) \
    { \
        return a + b; \
    } \
    INLINE unit prod_u##bits(unit a, unit b) \
    { \
        return a * b; \
    } \
    INLINE unit band_u##bits(unit a, unit b) \
    { \
        return a & b; \
    } \
    INLINE unit bor_u##bits(unit a, unit b) \
    { \
        return a | b; \
    } \
    INLINE unit bxor_u##bits(unit a, unit b) \
    { \
        return a ^ b; \
    } \
    INLINE unit min_u##bits(unit a, unit b) \
    { \
        return a < b ? a : b; \
    } \
    INLINE unit max_u##bits(unit a, unit b) \
    { \
        return a > b ? a : b; \
    } \
    INLINE unit min_i##bits(unit a, unit b) \
    { \
        return (int##bits##_t)a < (int##bits##_t)b ? a : b; \
    } \
    INLINE unit max_i##bits(unit a, unit b) \
    { \
        return (int##bits##_t)a > (int##bits##_t)b ? a : b; \
    }
INT_UNITS(8)
INT_UNITS(16)
INT_UNITS(32)
INT_UNITS(64)

/* `mask` has the bits that make a value true, `one` is the type's 1. */
#define LOGIC_UNITS(tag, mask, one) \
    INLINE unit land_##tag(unit a, unit b) \
    { \
        return (a & (mask)) != 0 && (b & (mask)) != 0 ? (one) : 0; \
    } \
    INLINE unit lor_##tag(unit a, unit b) \
    { \
        return ((a | b) & (mask)) != 0 ? (one) : 0; \
    } \
    INLINE unit lxor_##tag(unit a, unit b) \
    { \
        return ((a & (mask)) != 0) != ((b & (mask)) != 0) ? (one) : 0; \
    }
LOGIC_UNITS(u8, UINT8_MAX, 1)
LOGIC_UNITS(u16, UINT16_MAX, 1)
LOGIC_UNITS(u32, UINT32_MAX, 1)
LOGIC_UNITS(u64, UINT64_MAX, 1)
LOGIC_UNITS(f16, 0x7fff, FRD_F16_ONE)
LOGIC_UNITS(bf16, 0x7fff, FRD_BF16_ONE)
LOGIC_UNITS(f32, 0x7fffffff, FRD_F32_ONE)
LOGIC_UNITS(f64, 0x7fffffffffffffff, FRD_F64_ONE)

/* Floats: `value` widens an element's bits to `real`, `bits` rounds and cuts back. A factor comes
 * as the bits of `real`. */
#define FLOAT_UNITS(tag, real, value, bits, factor_value, factor_bits) \
    INLINE unit sum_##tag(unit a, unit b) \
    { \
        return bits(value(a) + value(b)); \
    } \
    INLINE unit prod_##tag(unit a, unit b) \
    { \
        return bits(value(a) * value(b)); \
    } \
    INLINE unit min_##tag(unit a, unit b) \
    { \
        return bits(frd_##real##_min(value(a), value(b))); \
    } \
    INLINE unit max_##tag(unit a, unit b) \
    { \
        return bits(frd_##real##_max(value(a), value(b))); \
    } \
    INLINE unit mul_##tag(unit element, unit factor) \
    { \
        return bits(value(element) * factor_value(factor)); \
    } \
    INLINE unit div_##tag(unit element, unit factor) \
    { \
        return bits(value(element) / factor_value(factor)); \
    } \
    INLINE unit factor_##tag(double factor) \
    { \
        return factor_bits(factor); \
    }

INLINE float f16_value(unit bits)
{
    return frd_f16_to_f32((uint16_t)bits);
}

INLINE float bf16_value(unit bits)
{
    return frd_bf16_to_f32((uint16_t)bits);
}

INLINE float f32_value(unit bits)
{
    return frd_f32_of((uint32_t)bits);
}

INLINE uint32_t f32_rounded(double x)
{
    return frd_f32_bits((float)x);
}

FLOAT_UNITS(f16, f32, f16_value, frd_f16_of, f32_value, f32_rounded)
FLOAT_UNITS(bf16, f32, bf16_value, frd_bf16_of, f32_value, f32_rounded)
FLOAT_UNITS(f32, f32, f32_value, frd_f32_bits, f32_value, f32_rounded)
FLOAT_UNITS(f64, f64, frd_f64_of, frd_f64_bits, frd_f64_of, frd_f64_bits)

/* ---- the loops ------------------------------------------------------------------------------------ */

INLINE unit load(const void *base, size_t i, size_t width)
{
    const uint8_t *at = (const uint8_t *)base + i * width;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (width) {
    case 1:
        return *at;
    case 2:
        memcpy(&u16, at, 2);
        return u16;
    case 4:
        memcpy(&u32, at, 4);
        return u32;
    default:
        memcpy(&u64, at, 8);
        return u64;
    }
}

INLINE void store(void *base, size_t i, size_t width, unit value)
{
    uint8_t *at = (uint8_t *)base + i * width;
    const uint16_t u16 = (uint16_t)value;
    const uint32_t u32 = (uint32_t)value;

    switch (width) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        memcpy(at, &u16, 2);
        break;
    case 4:
        memcpy(at, &u32, 4);
        break;
    default:
        memcpy(at, &value, 8);
    }
}

/* Bytes of an element, folded away by the compiler where `type` is a constant. */
INLINE size_t width_of(int type)
{
#define WIDTH(name, value, bytes, text) type == (value) ? (bytes):
    return FEDRDMA_DATATYPE_TABLE(WIDTH) 0;
#undef WIDTH
}

INLINE void run(unit_fn *f, frd_kernel_id kernel, frd_span s)
{
    const size_t width = width_of(kernel.type);

    for (size_t i = 0; i < s.count; i++)
        store(s.out, i, width, f(load(s.a, i, width), load(s.b, i, width)));
}

INLINE void run_both(unit_fn *f, frd_kernel_id kernel, frd_span s, void *also, unsigned around)
{
    (void)around;
    run(f, kernel, s);
    if (also != NULL)
        memcpy(also, s.out, s.count * width_of(kernel.type));
}

INLINE void run_scale(unit_fn *f, unit factor, frd_kernel_id kernel, frd_span s)
{
    const size_t width = width_of(kernel.type);

    if (factor << 1 << (kernel.type == FEDRDMA_F64 ? 0 : 32) == 0) {
        memset(s.out, 0, s.count * width); /* by +0 or -0 */
        return;
    }
    for (size_t i = 0; i < s.count; i++)
        store(s.out, i, width, f(load(s.a, i, width), factor));
}

/* Integers: the factor is cut to a whole number; what is then not in 1..2^63-1 gives 0. Signed ones
 * are divided as magnitudes, which truncates towards zero and has no overflow. */
INLINE void divide(int type, void *out, const void *in, double factor, size_t count)
{
    const size_t width = width_of(type);
    const uint64_t by = factor >= 1 && factor < 0x1p63 ? (uint64_t)factor : UINT64_MAX;
    const bool is_signed = type <= FEDRDMA_I64;
    const unsigned above = (unsigned)(64 - 8 * width);

    for (size_t i = 0; i < count; i++) {
        const uint64_t bits = load(in, i, width) << above;
        const bool negative = is_signed && bits >> 63 != 0;
        const uint64_t magnitude = (negative ? 0 - bits : bits) >> above;
        const uint64_t quotient = by == UINT64_MAX ? 0 : magnitude / by;
        store(out, i, width, negative ? 0 - quotient : quotient);
    }
}

#define FRD_TABLE frd_kernels_scalar
#include "reduce/table.h"
