/* SPDX-License-Identifier: BSD-3-Clause
 * test_reduce.c - the reduction kernels: the scalar ones against references written here from the rule of
 * kernels.h, every other instruction set bit for bit against the scalar ones.
 *
 * Random inputs come from a fixed seed, changed by FRD_TEST_SEED, which every failure prints. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"
#include "reduce/rules.h"

static const char *const isas[] = { "scalar", "avx2", "avx512", "neon" };
enum { NISAS = sizeof isas / sizeof isas[0] };

static const size_t special_counts[] = { 255, 256, 257, 1000, 4099, 65537 };
enum { SMALL = 131, NCOUNTS = SMALL + sizeof special_counts / sizeof special_counts[0] };
enum { MAX_BYTES = 65537 * 8, GUARD = 64 };

static uint64_t seed, random_state;

static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static size_t count_at(size_t i)
{
    return i < SMALL ? i : special_counts[i - SMALL];
}

static uint64_t get(const void *base, size_t i, size_t width)
{
    uint64_t bits = 0;
    memcpy(&bits, (const uint8_t *)base + i * width, width);
    return bits;
}

static void put(void *base, size_t i, size_t width, uint64_t bits)
{
    memcpy((uint8_t *)base + i * width, &bits, width);
}

static uint64_t cut(uint64_t bits, size_t width)
{
    return bits & (UINT64_MAX >> (64 - 8 * width));
}

/* ---- formats and special values ------------------------------------------------------------------- */

typedef struct {
    int mantissa, exponent; /* bits */
} format;

static format format_of(int type)
{
    switch (type) {
    case FEDRDMA_F16:
        return (format){ 10, 5 };
    case FEDRDMA_BF16:
        return (format){ 7, 8 };
    case FEDRDMA_F32:
        return (format){ 23, 8 };
    default:
        return (format){ 52, 11 };
    }
}

static uint64_t infinity_of(int type)
{
    const format f = format_of(type);
    return ((UINT64_C(1) << f.exponent) - 1) << f.mantissa;
}

static uint64_t sign_of(int type)
{
    return UINT64_C(1) << (8 * frd_type_size(type) - 1);
}

static bool is_nan(int type, uint64_t bits)
{
    return (bits & ~sign_of(type)) > infinity_of(type);
}

static uint64_t the_nan(int type)
{
    return infinity_of(type) | UINT64_C(1) << (format_of(type).mantissa - 1);
}

enum { NSPECIAL = 40 };

/* Zeros, denormals, limits, ones, infinities, quiet and signalling NaNs with payloads, of both signs; for
 * integers: limits and small numbers. The rest random. */
static void special_values(int type, uint64_t *v)
{
    const size_t width = frd_type_size(type);
    const uint64_t sign = sign_of(type);
    size_t n = 0;

    if (frd_type_is_float(type)) {
        const format f = format_of(type);
        const uint64_t inf = infinity_of(type), least = UINT64_C(1) << f.mantissa;
        const uint64_t one = ((UINT64_C(1) << (f.exponent - 1)) - 1) << f.mantissa;
        const uint64_t plus[] = {
            0,        1,       2,   least - 1,     least,   least + 1,         one - 1,     one,
            one + 1,  inf - 1, inf, the_nan(type), inf + 1, the_nan(type) + 5, one + least, one + least / 2,
            2 * least
        };
        for (size_t i = 0; i < sizeof plus / sizeof plus[0]; i++) {
            v[n++] = plus[i];
            v[n++] = plus[i] | sign;
        }
    } else {
        const uint64_t ints[] = {
            0, 1, 2, 3, sign - 1, sign, sign + 1, ~UINT64_C(0), ~UINT64_C(1), sign >> 1
        };
        for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++)
            v[n++] = cut(ints[i], width);
    }
    ck_assert_uint_lt(n, NSPECIAL);
    while (n < NSPECIAL)
        v[n++] = cut(next_random(), width);
}

/* Half special, half random values; the random floats mostly of moderate size, so that sums meet. */
static void fill(int type, void *base, size_t count)
{
    const size_t width = frd_type_size(type);
    uint64_t v[NSPECIAL];

    special_values(type, v);
    for (size_t i = 0; i < count; i++) {
        const uint64_t r = next_random();
        uint64_t bits = cut(next_random(), width);
        if (r % 4 == 0)
            bits = v[(r >> 8) % NSPECIAL];
        else if (r % 4 != 1 && frd_type_is_float(type))
            bits = (bits & (sign_of(type) | ((UINT64_C(4) << format_of(type).mantissa) - 1))) |
                   ((UINT64_C(1) << (format_of(type).exponent - 1)) - 3) << format_of(type).mantissa;
        put(base, i, width, bits);
    }
}

/* ---- references ----------------------------------------------------------------------------------- */

/* Exact: f64 holds every value of the others. */
static double decode(int type, uint64_t bits)
{
    const format f = format_of(type);
    const int bias = (1 << (f.exponent - 1)) - 1;
    const uint64_t magnitude = bits & ~sign_of(type);
    const int exponent = (int)(magnitude >> f.mantissa);
    const double sign = (bits & sign_of(type)) != 0 ? -1 : 1;
    const double mantissa = (double)(magnitude & ((UINT64_C(1) << f.mantissa) - 1));
    const double hidden = (double)(UINT64_C(1) << f.mantissa);

    if (magnitude > infinity_of(type))
        return NAN;
    if (magnitude == infinity_of(type))
        return sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - f.mantissa);
    return sign * ldexp(hidden + mantissa, exponent - bias - f.mantissa);
}

/* Rounds once, to nearest even, in multiples of the last place. */
static uint64_t encode(int type, double x)
{
    const format f = format_of(type);
    const int bias = (1 << (f.exponent - 1)) - 1;
    const uint64_t sign = signbit(x) ? sign_of(type) : 0;

    if (isnan(x))
        return the_nan(type);
    if (isinf(x))
        return sign | infinity_of(type);
    if (x == 0)
        return sign;
    const int exponent = ilogb(x) < 1 - bias ? 1 - bias : ilogb(x);
    const uint64_t places = (uint64_t)nearbyint(ldexp(fabs(x), f.mantissa - exponent));
    const uint64_t bits = places + ((uint64_t)(exponent + bias - 1) << f.mantissa); /* carries right */
    return sign | (bits > infinity_of(type) ? infinity_of(type) : bits);
}

static bool truth(int type, uint64_t bits)
{
    return (frd_type_is_float(type) ? bits & ~sign_of(type) : bits) != 0;
}

static uint64_t reference_float(int type, int op, uint64_t a, uint64_t b)
{
    const double x = decode(type, a), y = decode(type, b);
    const bool minus_first = x < y || (x == y && signbit(x) && !signbit(y));

    if (isnan(x) || isnan(y))
        return the_nan(type);
    switch (op) {
    case FEDRDMA_SUM: /* f32: both roundings together are innocuous, f64 has more than twice the digits */
    case FEDRDMA_AVG:
        return encode(type, x + y);
    case FEDRDMA_PROD:
        return encode(type, x * y);
    case FEDRDMA_MIN:
        return minus_first ? a : b;
    default:
        return minus_first ? b : a;
    }
}

static uint64_t reference_int(int type, int op, uint64_t a, uint64_t b)
{
    const size_t width = frd_type_size(type);
    const uint64_t flip = type <= FEDRDMA_I64 ? sign_of(type) : 0; /* signed order is unsigned, shifted */

    switch (op) {
    case FEDRDMA_SUM:
    case FEDRDMA_AVG:
        return cut(a + b, width);
    case FEDRDMA_PROD:
        return cut(a * b, width);
    case FEDRDMA_MIN:
        return (a ^ flip) < (b ^ flip) ? a : b;
    case FEDRDMA_MAX:
        return (a ^ flip) < (b ^ flip) ? b : a;
    case FEDRDMA_BAND:
        return a & b;
    case FEDRDMA_BOR:
        return a | b;
    default:
        return a ^ b;
    }
}

static uint64_t reference(int type, int op, uint64_t a, uint64_t b)
{
    const bool p = truth(type, a), q = truth(type, b);

    if (op >= FEDRDMA_LAND) {
        const bool r = op == FEDRDMA_LAND ? p && q : op == FEDRDMA_LOR ? p || q : p != q;
        return !r ? 0 : frd_type_is_float(type) ? encode(type, 1) : 1;
    }
    return frd_type_is_float(type) ? reference_float(type, op, a, b) : reference_int(type, op, a, b);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

static uint8_t *in_a, *in_b, *out, *expected; /* MAX_BYTES and room for offsets and guards */

static void setup(void)
{
    const char *text = getenv("FRD_TEST_SEED");

    seed = text != NULL ? strtoull(text, NULL, 0) : 20240607;
    random_state = seed;
    in_a = malloc(MAX_BYTES + 2 * GUARD);
    in_b = malloc(MAX_BYTES + 2 * GUARD);
    out = malloc(MAX_BYTES + 2 * GUARD);
    expected = malloc(MAX_BYTES + 2 * GUARD);
    ck_assert(in_a != NULL && in_b != NULL && out != NULL && expected != NULL);
}

static void teardown(void)
{
    free(in_a);
    free(in_b);
    free(out);
    free(expected);
}

/* Fails with the first element of `got` that differs. */
static void same(const char *isa, int type, int op, const void *got, const void *want, size_t count)
{
    const size_t width = frd_type_size(type);

    for (size_t i = 0; memcmp(got, want, count * width) != 0 && i < count; i++) {
        if (get(got, i, width) != get(want, i, width))
            ck_abort_msg("%s %s %s, element %zu of %zu: %#llx, should be %#llx (FRD_TEST_SEED=%llu)", isa,
                         frd_type_name(type), frd_op_name(op), i, count,
                         (unsigned long long)get(got, i, width), (unsigned long long)get(want, i, width),
                         (unsigned long long)seed);
    }
}

START_TEST(tables_are_whole)
{
    const int floats[] = { FEDRDMA_F16, FEDRDMA_BF16, FEDRDMA_F32, FEDRDMA_F64 };

    ck_assert_uint_eq(frd_type_size(FEDRDMA_I8), 1);
    ck_assert_uint_eq(frd_type_size(FEDRDMA_BF16), 2);
    ck_assert_uint_eq(frd_type_size(FEDRDMA_F64), 8);
    ck_assert_uint_eq(frd_type_size(0) + frd_type_size(-1) + frd_type_size(FRD_NTYPES), 0);
    ck_assert_str_eq(frd_type_name(FEDRDMA_U16), "u16");
    ck_assert_str_eq(frd_type_name(99), "?");
    ck_assert_str_eq(frd_op_name(FEDRDMA_BXOR), "bxor");
    ck_assert_str_eq(frd_op_name(FRD_NOPS), "user");
    for (int type = -1; type <= FRD_NTYPES; type++) {
        bool is_float = false;
        for (size_t i = 0; i < 4; i++)
            is_float = is_float || floats[i] == type;
        ck_assert_int_eq(frd_type_is_float(type), is_float);
        for (int op = -1; op <= FRD_NOPS; op++) {
            const bool bits = op == FEDRDMA_BAND || op == FEDRDMA_BOR || op == FEDRDMA_BXOR;
            const bool fits = type > 0 && type < FRD_NTYPES && op > 0 && op < FRD_NOPS && !(bits && is_float);
            ck_assert_int_eq(frd_op_fits(op, type), fits);
            ck_assert_int_eq(frd_reduce_kernel(type, op) != NULL, fits);
            for (size_t i = 0; i < NISAS; i++)
                ck_assert(fits || frd_reduce_kernel_isa(isas[i], type, op) == NULL);
        }
    }
    ck_assert_ptr_null(frd_reduce_kernel_isa("mmx", FEDRDMA_F32, FEDRDMA_SUM));
    ck_assert_ptr_null(frd_scale_kernel(FEDRDMA_I32, FRD_SCALE_MUL));
    ck_assert_ptr_null(frd_scale_kernel(0, FRD_SCALE_DIV));
    ck_assert_ptr_null(frd_scale_kernel(FEDRDMA_F32, 2));
}
END_TEST

START_TEST(the_widest_instruction_set_is_in_use)
{
    const char *best = "scalar";

    for (size_t i = 0; i < NISAS; i++) {
        if (frd_reduce_kernel_isa(isas[i], FEDRDMA_F32, FEDRDMA_SUM) != NULL)
            best = isas[i];
    }
    printf("instruction set: %s\n", best);
    ck_assert_str_eq(frd_reduce_isa(), best);
    for (int type = 1; type < FRD_NTYPES; type++) {
        for (int op = 1; op < FRD_NOPS; op++)
            ck_assert(frd_reduce_kernel(type, op) == frd_reduce_kernel_isa(best, type, op));
        for (int how = 0; how < 2; how++)
            ck_assert(frd_scale_kernel(type, how) == frd_scale_kernel_isa(best, type, how));
    }
}
END_TEST

/* All pairs of special values on every instruction set, against the references; f64 sums and products have
 * no wider type to be checked in and are taken from the compiler. */
START_TEST(special_values_follow_the_rule)
{
    const int type = _i;
    const size_t width = frd_type_size(type), pairs = (size_t)NSPECIAL * NSPECIAL;
    uint64_t v[NSPECIAL];

    special_values(type, v);
    for (size_t i = 0; i < pairs; i++) {
        put(in_a, i, width, v[i / NSPECIAL]);
        put(in_b, i, width, v[i % NSPECIAL]);
    }
    for (int op = 1; op < FRD_NOPS; op++) {
        for (size_t i = 0; i < pairs; i++)
            put(expected, i, width, reference(type, op, v[i / NSPECIAL], v[i % NSPECIAL]));
        for (size_t i = 0; i < NISAS; i++) {
            frd_reduce_fn *kernel = frd_reduce_kernel_isa(isas[i], type, op);
            if (kernel == NULL)
                continue;
            kernel(out, in_a, in_b, pairs);
            same(isas[i], type, op, out, expected, pairs);
            kernel(out, in_b, in_a, pairs); /* and a op b has the bits of b op a */
            same(isas[i], type, op, out, expected, pairs);
        }
    }
}
END_TEST

static void random_case(const char *isa, int type, int op, size_t count)
{
    frd_reduce_fn *kernel = frd_reduce_kernel_isa(isa, type, op);
    const size_t width = frd_type_size(type), bytes = count * width;
    uint8_t *a = in_a + next_random() % GUARD, *b = in_b + next_random() % GUARD;
    uint8_t *to = out + GUARD / 2 + next_random() % (GUARD / 2);

    fill(type, a, count);
    fill(type, b, count);
    for (size_t i = 0; i < count; i++)
        put(expected, i, width, reference(type, op, get(a, i, width), get(b, i, width)));
    memset(out, 0xa5, bytes + 2 * GUARD);
    kernel(to, a, b, count);
    same(isa, type, op, to, expected, count);
    memset(to, 0xa5, bytes);
    size_t untouched = 0;
    while (untouched < bytes + 2 * GUARD && out[untouched] == 0xa5)
        untouched++;
    ck_assert_msg(untouched == bytes + 2 * GUARD, "%s %s %s wrote outside of its %zu bytes", isa,
                  frd_type_name(type), frd_op_name(op), bytes);
    memcpy(to, a, bytes); /* out is a */
    kernel(to, to, b, count);
    same(isa, type, op, to, expected, count);
    memcpy(to, b, bytes); /* out is b */
    kernel(to, a, to, count);
    same(isa, type, op, to, expected, count);
    for (size_t i = 0; i < count; i++)
        put(expected, i, width, reference(type, op, get(a, i, width), get(a, i, width)));
    memcpy(to, a, bytes); /* all three are one */
    kernel(to, to, to, count);
    same(isa, type, op, to, expected, count);
}

START_TEST(every_kernel_at_every_count)
{
    const int type = _i;

    for (int op = 1; op < FRD_NOPS; op++) {
        for (size_t i = 0; i < NISAS; i++) {
            for (size_t n = 0; n < NCOUNTS && frd_reduce_kernel_isa(isas[i], type, op) != NULL; n++)
                random_case(isas[i], type, op, count_at(n));
        }
    }
}
END_TEST

/* ---- 16-bit floating types, all 65,536 values ----------------------------------------------------- */

static const int half_types[] = { FEDRDMA_F16, FEDRDMA_BF16 };

START_TEST(conversions_of_every_half)
{
    const int type = half_types[_i];

    for (uint32_t bits = 0; bits <= UINT16_MAX; bits++) {
        const double exact = decode(type, bits), above = decode(type, bits + 1);
        const float wide =
            type == FEDRDMA_F16 ? frd_f16_to_f32((uint16_t)bits) : frd_bf16_to_f32((uint16_t)bits);
        if (is_nan(type, bits)) {
            ck_assert(wide != wide);
            continue;
        }
        ck_assert((double)wide == exact && !signbit(wide) == !signbit(exact));
        /* the value, the middle between it and the next, and the nearest f32 around both */
        const float middle = isfinite(above) ? (float)(exact + (above - exact) / 2) : wide;
        const float probes[] = { wide, middle };
        for (size_t i = 0; i < 6; i++) {
            const float from = probes[i / 3];
            const float x = i % 3 == 0 ? from : nextafterf(from, i % 3 == 1 ? INFINITY : -INFINITY);
            const uint16_t got = type == FEDRDMA_F16 ? frd_f16_of(x) : frd_bf16_of(x);
            ck_assert_msg(got == encode(type, (double)x), "%s %a: %#x, should be %#llx", frd_type_name(type),
                          (double)x, got, (unsigned long long)encode(type, (double)x));
        }
    }
}
END_TEST

/* Every half with each special value: f32 has more than twice their digits, so rounding sum and product to
 * f32 first does not show, and the exact result in f64 is the reference. */
START_TEST(arithmetic_of_every_half)
{
    const int type = half_types[_i];
    const int some_ops[] = { FEDRDMA_SUM, FEDRDMA_PROD, FEDRDMA_MIN, FEDRDMA_MAX };
    uint64_t v[NSPECIAL];

    special_values(type, v);
    for (size_t bits = 0; bits <= UINT16_MAX; bits++)
        put(in_a, bits, 2, bits);
    for (size_t s = 0; s < NSPECIAL; s++) {
        for (size_t i = 0; i <= UINT16_MAX; i++)
            put(in_b, i, 2, v[s]);
        for (size_t k = 0; k < 4; k++) {
            for (size_t i = 0; i <= UINT16_MAX; i++)
                put(expected, i, 2, reference(type, some_ops[k], i, v[s]));
            for (size_t i = 0; i < NISAS; i++) {
                frd_reduce_fn *kernel = frd_reduce_kernel_isa(isas[i], type, some_ops[k]);
                if (kernel == NULL)
                    continue;
                kernel(out, in_a, in_b, (size_t)UINT16_MAX + 1);
                same(isas[i], type, some_ops[k], out, expected, (size_t)UINT16_MAX + 1);
            }
        }
    }
}
END_TEST

/* ---- scaling -------------------------------------------------------------------------------------- */

static const double factors[] = { 0.0,    -0.0,     1.0, 3.0,   0.1,   -7.0,    1.0 / 3, 1e-46,  1e300,
                                  5e-324, INFINITY, NAN, 255.0, 256.0, 65536.5, 4.0e9,   9.3e18, 1e20 };
enum { NFACTORS = sizeof factors / sizeof factors[0] };

static uint64_t reference_scale(int type, int how, uint64_t bits, double factor)
{
    const size_t width = frd_type_size(type);

    if (type == FEDRDMA_F64) {
        const double x = decode(type, bits);
        return factor == 0 ? 0 : encode(type, how == FRD_SCALE_MUL ? x * factor : x / factor);
    }
    if (frd_type_is_float(type)) {
        const float x = (float)decode(type, bits), f = (float)factor;
        const float y = how == FRD_SCALE_MUL ? x * f : x / f;
        return f == 0 ? 0 : encode(type, (double)y);
    }
    if (!(factor >= 1 && factor < 0x1p63))
        return 0;
    const bool negative = type <= FEDRDMA_I64 && (bits & sign_of(type)) != 0;
    const uint64_t magnitude = (negative ? cut(0 - bits, width) : bits) / (uint64_t)factor;
    return cut(negative ? 0 - magnitude : magnitude, width);
}

START_TEST(every_scale_at_every_count)
{
    const int type = _i;
    const size_t width = frd_type_size(type);

    for (size_t c = 0; c < NCOUNTS * 2; c++) {
        const int how = (int)(c % 2);
        const size_t count = count_at(c / 2);
        const double factor = factors[next_random() % NFACTORS];
        uint8_t *a = in_a + next_random() % GUARD, *to = out + next_random() % GUARD;
        fill(type, a, count);
        for (size_t i = 0; i < count; i++)
            put(expected, i, width, reference_scale(type, how, get(a, i, width), factor));
        for (size_t i = 0; i < NISAS; i++) {
            frd_scale_fn *scale = frd_scale_kernel_isa(isas[i], type, how);
            if (scale == NULL)
                continue;
            memset(out, 0xa5, count * width + 2 * GUARD);
            scale(to, a, factor, count);
            same(isas[i], type, how == FRD_SCALE_MUL ? FEDRDMA_PROD : FEDRDMA_AVG, to, expected, count);
            ck_assert_uint_eq(to[count * width], 0xa5);
            memcpy(to, a, count * width);
            scale(to, to, factor, count);
            same(isas[i], type, how == FRD_SCALE_MUL ? FEDRDMA_PROD : FEDRDMA_AVG, to, expected, count);
        }
    }
}
END_TEST

START_TEST(special_values_scaled)
{
    const int type = _i;
    const size_t width = frd_type_size(type);
    uint64_t v[NSPECIAL];

    special_values(type, v);
    for (size_t i = 0; i < NSPECIAL; i++)
        put(in_a, i, width, v[i]);
    for (size_t k = 0; k < (size_t)2 * NFACTORS; k++) {
        const int how = (int)(k % 2);
        for (size_t i = 0; i < NSPECIAL; i++)
            put(expected, i, width, reference_scale(type, how, v[i], factors[k / 2]));
        for (size_t i = 0; i < NISAS; i++) {
            frd_scale_fn *scale = frd_scale_kernel_isa(isas[i], type, how);
            if (scale == NULL)
                continue;
            scale(out, in_a, factors[k / 2], NSPECIAL);
            same(isas[i], type, how == FRD_SCALE_MUL ? FEDRDMA_PROD : FEDRDMA_AVG, out, expected, NSPECIAL);
        }
    }
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test, int from, int to)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test, from, to);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("reduce");

    add_case(suite, "tables", tables_are_whole, 0, 1);
    add_case(suite, "best", the_widest_instruction_set_is_in_use, 0, 1);
    add_case(suite, "special", special_values_follow_the_rule, 1, FRD_NTYPES);
    add_case(suite, "counts", every_kernel_at_every_count, 1, FRD_NTYPES);
    add_case(suite, "conversions", conversions_of_every_half, 0, 2);
    add_case(suite, "halves", arithmetic_of_every_half, 0, 2);
    add_case(suite, "scale counts", every_scale_at_every_count, 1, FRD_NTYPES);
    add_case(suite, "scale special", special_values_scaled, 1, FRD_NTYPES);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
