/* SPDX-License-Identifier: BSD-3-Clause
 * vec.h - template: the kernels on vectors of FRD_VEC bytes, in the vector extension of gcc and
 * clang. Included once by avx2.c, avx512.c and neon.c.
 *
 * What the extension cannot say well comes in the second half from the including file, between
 * vec.h and vec_float.h: see there. Everything here takes and returns `unit`, a vector of bytes;
 * casts between vectors of one size keep the bits. */
#include <string.h>

#include "reduce/kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define VECTOR __attribute__((vector_size(FRD_VEC)))

typedef uint8_t unit VECTOR;
typedef uint8_t vec_u8 VECTOR;
typedef uint16_t vec_u16 VECTOR;
typedef uint32_t vec_u32 VECTOR;
typedef uint64_t vec_u64 VECTOR;
typedef int8_t vec_i8 VECTOR;
typedef int16_t vec_i16 VECTOR;
typedef int32_t vec_i32 VECTOR;
typedef int64_t vec_i64 VECTOR;
typedef float vec_f32 VECTOR;
typedef double vec_f64 VECTOR;

typedef unit unit_fn(unit a, unit b);

#include "reduce/vec_loops.h"

/* ---- integers, and the logical operators of all types --------------------------------------------- */

/* Where `mask` (all ones or zeros per element) is set, a; elsewhere b. */
INLINE unit choose(unit mask, unit a, unit b)
{
    return (mask & a) | (~mask & b);
}

#define INT_UNITS(bits) \
    INLINE unit sum_u##bits(unit a, unit b) \
    { \
        return (unit)((vec_u##bits)a + (vec_u##bits)b); \
    } \
    INLINE unit prod_u##bits(unit a, unit b) \
    { \
        return (unit)((vec_u##bits)a * (vec_u##bits)b); \
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
        return choose((unit)((vec_u##bits)a < (vec_u##bits)b), a, b); \
    } \
    INLINE unit max_u##bits(unit a, unit b) \
    { \
        return choose((unit)((vec_u##bits)a < (vec_u##bits)b), b, a); \
    } \
    INLINE unit min_i##bits(unit a, unit b) \
    { \
        return choose((unit)((vec_i##bits)a < (vec_i##bits)b), a, b); \
    } \
    INLINE unit max_i##bits(unit a, unit b) \
    { \
        return choose((unit)((vec_i##bits)a < (vec_i##bits)b), b, a); \
    }
INT_UNITS(8)
INT_UNITS(16)
INT_UNITS(32)
INT_UNITS(64)

/* true_<type>: all ones where the element is true, that is where one of the bits of `mask` is set.
 */
#define LOGIC_UNITS(tag, bits, mask, one) \
    INLINE unit true_##tag(unit a) \
    { \
        return (unit)(((vec_u##bits)a & (uint##bits##_t)(mask)) != 0); \
    } \
    INLINE unit land_##tag(unit a, unit b) \
    { \
        return (unit)((vec_u##bits)(true_##tag(a) & true_##tag(b)) & (uint##bits##_t)(one)); \
    } \
    INLINE unit lor_##tag(unit a, unit b) \
    { \
        return (unit)((vec_u##bits)true_##tag(a | b) & (uint##bits##_t)(one)); \
    } \
    INLINE unit lxor_##tag(unit a, unit b) \
    { \
        return (unit)((vec_u##bits)(true_##tag(a) ^ true_##tag(b)) & (uint##bits##_t)(one)); \
    }
LOGIC_UNITS(u8, 8, UINT8_MAX, 1)
LOGIC_UNITS(u16, 16, UINT16_MAX, 1)
LOGIC_UNITS(u32, 32, UINT32_MAX, 1)
LOGIC_UNITS(u64, 64, UINT64_MAX, 1)
LOGIC_UNITS(f16, 16, 0x7fff, FRD_F16_ONE)
LOGIC_UNITS(bf16, 16, 0x7fff, FRD_BF16_ONE)
LOGIC_UNITS(f32, 32, 0x7fffffff, FRD_F32_ONE)
LOGIC_UNITS(f64, 64, 0x7fffffffffffffff, FRD_F64_ONE)
