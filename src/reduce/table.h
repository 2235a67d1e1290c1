/* SPDX-License-Identifier: BSD-3-Clause
 * table.h - template: makes one instruction set's kernels of its functions on a single unit.
 * Included once, at the end of scalar.c, avx2.c, avx512.c and neon.c.
 *
 * The including file has defined
 *
 *   FRD_TABLE         the name of the table
 *   unit              what one step of the loop works on: an element, or a vector of them
 *   <op>_<type>       unit (unit, unit), for each pair named below
 *   mul_<type>        unit (unit element, unit factor), and div_<type>, for the floating types
 *   factor_<type>     unit (double): the factor in the type of the arithmetic
 *   run, run_both, run_scale   the loop around such a function, forced inline: each kernel is one flat loop
 *   divide            the whole of an integer DIV kernel: divide(type, out, in, factor, count)
 *
 * Signed and unsigned integers differ in min and max only and share the rest. */

#define KERNEL(op, tag, type, OP) \
    static void op##_##tag##_kernel(void *out, const void *a, const void *b, size_t count) \
    { \
        run(op##_##tag, (frd_kernel_id){ FEDRDMA_##type, FEDRDMA_##OP }, (frd_span){ out, a, b, count }); \
    } \
    static void op##_##tag##_both(void *out, void *also, const void *a, const void *b, size_t count, unsigned around) \
    { \
        run_both(op##_##tag, (frd_kernel_id){ FEDRDMA_##type, FEDRDMA_##OP }, (frd_span){ out, a, b, count }, also, \
                 around); \
    }
#define SCALE(how, tag, type, HOW) \
    static void how##_##tag##_kernel(void *out, const void *in, double factor, size_t count) \
    { \
        run_scale(how##_##tag, factor_##tag(factor), (frd_kernel_id){ FEDRDMA_##type, HOW }, \
                  (frd_span){ out, in, NULL, count }); \
    }
#define DIVIDE(tag, type) \
    static void div_##tag##_kernel(void *out, const void *in, double factor, size_t count) \
    { \
        divide(FEDRDMA_##type, out, in, factor, count); \
    }

#define LOGIC_KERNELS(tag, type) \
    KERNEL(land, tag, type, LAND) \
    KERNEL(lor, tag, type, LOR) \
    KERNEL(lxor, tag, type, LXOR)
#define ORDER_KERNELS(tag, type) \
    KERNEL(min, tag, type, MIN) \
    KERNEL(max, tag, type, MAX)
#define RING_KERNELS(tag, type) \
    KERNEL(sum, tag, type, SUM) \
    KERNEL(prod, tag, type, PROD)
#define INT_KERNELS(utag, utype, itag, itype) \
    RING_KERNELS(utag, utype) \
    ORDER_KERNELS(utag, utype) \
    ORDER_KERNELS(itag, itype) \
    KERNEL(band, utag, utype, BAND) \
    KERNEL(bor, utag, utype, BOR) \
    KERNEL(bxor, utag, utype, BXOR) \
    LOGIC_KERNELS(utag, utype) \
    DIVIDE(utag, utype) \
    DIVIDE(itag, itype)
#define FLOAT_KERNELS(tag, type) \
    RING_KERNELS(tag, type) \
    ORDER_KERNELS(tag, type) \
    LOGIC_KERNELS(tag, type) \
    SCALE(mul, tag, type, FRD_SCALE_MUL) \
    SCALE(div, tag, type, FRD_SCALE_DIV)

INT_KERNELS(u8, U8, i8, I8)
INT_KERNELS(u16, U16, i16, I16)
INT_KERNELS(u32, U32, i32, I32)
INT_KERNELS(u64, U64, i64, I64)
FLOAT_KERNELS(f16, F16)
FLOAT_KERNELS(bf16, BF16)
FLOAT_KERNELS(f32, F32)
FLOAT_KERNELS(f64, F64)

#define SHARED_ROW(tag, form) \
    [FEDRDMA_SUM] = sum_##tag##_##form, [FEDRDMA_AVG] = sum_##tag##_##form, \
    [FEDRDMA_PROD] = prod_##tag##_##form, [FEDRDMA_LAND] = land_##tag##_##form, \
    [FEDRDMA_LOR] = lor_##tag##_##form, [FEDRDMA_LXOR] = lxor_##tag##_##form
#define ORDER_ROW(tag, form) [FEDRDMA_MIN] = min_##tag##_##form, [FEDRDMA_MAX] = max_##tag##_##form
#define BITS_ROW(tag, form) \
    [FEDRDMA_BAND] = band_##tag##_##form, [FEDRDMA_BOR] = bor_##tag##_##form, \
    [FEDRDMA_BXOR] = bxor_##tag##_##form
#define INT_ROW(utag, tag, form) \
    { \
        SHARED_ROW(utag, form), ORDER_ROW(tag, form), BITS_ROW(utag, form) \
    }
#define FLOAT_ROW(tag, form) \
    { \
        SHARED_ROW(tag, form), ORDER_ROW(tag, form) \
    }
#define ROWS(form) \
    { \
        [FEDRDMA_I8] = INT_ROW(u8, i8, form), [FEDRDMA_I16] = INT_ROW(u16, i16, form), \
        [FEDRDMA_I32] = INT_ROW(u32, i32, form), [FEDRDMA_I64] = INT_ROW(u64, i64, form), \
        [FEDRDMA_U8] = INT_ROW(u8, u8, form), [FEDRDMA_U16] = INT_ROW(u16, u16, form), \
        [FEDRDMA_U32] = INT_ROW(u32, u32, form), [FEDRDMA_U64] = INT_ROW(u64, u64, form), \
        [FEDRDMA_F16] = FLOAT_ROW(f16, form), [FEDRDMA_BF16] = FLOAT_ROW(bf16, form), \
        [FEDRDMA_F32] = FLOAT_ROW(f32, form), [FEDRDMA_F64] = FLOAT_ROW(f64, form) \
    }
#define SCALE_ROW(tag) \
    { \
        [FRD_SCALE_MUL] = mul_##tag##_kernel, [FRD_SCALE_DIV] = div_##tag##_kernel \
    }
#define DIVIDE_ROW(tag) \
    { \
        [FRD_SCALE_DIV] = div_##tag##_kernel \
    }

/* FRD_STREAM(at, v) stores a vector at an aligned address past the caches; _mm_sfence orders such stores. */
static void copy_around_kernel(void *out, const void *in, size_t bytes)
{
#ifdef FRD_STREAM
    const size_t odd = -(uintptr_t)out % FRD_VEC, head = odd < bytes ? odd : bytes;
    const size_t whole = (bytes - head) / FRD_VEC * FRD_VEC;

    memcpy(out, in, head);
    for (size_t at = head; at < head + whole; at += FRD_VEC)
        FRD_STREAM((uint8_t *)out + at, load(in, at));
    memcpy((uint8_t *)out + head + whole, (const uint8_t *)in + head + whole, bytes - head - whole);
    _mm_sfence();
#else
    memcpy(out, in, bytes);
#endif
}

const frd_kernels FRD_TABLE = {
    .reduce = ROWS(kernel),
    .both = ROWS(both),
    .scale = { [FEDRDMA_I8] = DIVIDE_ROW(i8),
               [FEDRDMA_I16] = DIVIDE_ROW(i16),
               [FEDRDMA_I32] = DIVIDE_ROW(i32),
               [FEDRDMA_I64] = DIVIDE_ROW(i64),
               [FEDRDMA_U8] = DIVIDE_ROW(u8),
               [FEDRDMA_U16] = DIVIDE_ROW(u16),
               [FEDRDMA_U32] = DIVIDE_ROW(u32),
               [FEDRDMA_U64] = DIVIDE_ROW(u64),
               [FEDRDMA_F16] = SCALE_ROW(f16),
               [FEDRDMA_BF16] = SCALE_ROW(bf16),
               [FEDRDMA_F32] = SCALE_ROW(f32),
               [FEDRDMA_F64] = SCALE_ROW(f64) },
    .copy_around = copy_around_kernel,
};
