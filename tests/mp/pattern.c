/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pattern.c - deterministic contributions and the plain reference (see pattern.h).
 *
 * An element is handled as its raw bits in a uint64_t. Floating results are folded in double: all values are
 * small integers, so the fold is exact and only avg rounds, once, in the documented precision. */
#include "tests/mp/pattern.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PERIOD = 4093 }; /* prime, and below the smallest power of two any protocol cuts at */

static const struct {
    const char *name;
    size_t bytes;
    bool is_signed, is_float;
} types[MP_NTYPES] = {
    { "none", 0, false, false }, { "i8", 1, true, false },   { "i16", 2, true, false },
    { "i32", 4, true, false },   { "i64", 8, true, false },  { "u8", 1, false, false },
    { "u16", 2, false, false },  { "u32", 4, false, false }, { "u64", 8, false, false },
    { "f16", 2, true, true },    { "bf16", 2, true, true },  { "f32", 4, true, true },
    { "f64", 8, true, true },
};

static const char *const op_names[MP_NOPS] = { "none", "sum",  "avg",  "prod",    "min",
                                               "max",  "band", "bor",  "bxor",    "land",
                                               "lor",  "lxor", "user", "ordered", "weighted" };

uint64_t mp_hash(uint64_t a, uint64_t b)
{
    uint64_t z = a * UINT64_C(0x9E3779B97F4A7C15) + b + UINT64_C(0x632BE59BD9B4E019);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

size_t mp_type_bytes(int type)
{
    return type > 0 && type < MP_NTYPES ? types[type].bytes : 0;
}

bool mp_type_is_float(int type)
{
    return type > 0 && type < MP_NTYPES && types[type].is_float;
}

bool mp_op_fits(int op, int type)
{
    if (op == FEDRDMA_BAND || op == FEDRDMA_BOR || op == FEDRDMA_BXOR)
        return !mp_type_is_float(type);
    if (op == MP_OP_WEIGHTED)
        return mp_type_is_float(type);
    return true;
}

const char *mp_type_name(int type)
{
    return type > 0 && type < MP_NTYPES ? types[type].name : "?";
}

const char *mp_op_name(int op)
{
    return op >= 0 && op < MP_NOPS ? op_names[op] : "?";
}

int mp_type_parse(const char *name)
{
    for (int t = 1; t < MP_NTYPES; t++)
        if (strcmp(types[t].name, name) == 0)
            return t;
    return 0;
}

int mp_op_parse(const char *name)
{
    for (int op = 0; op < MP_NOPS; op++)
        if (strcmp(op_names[op], name) == 0)
            return op;
    return -1;
}

/* ---- raw bits and values -------------------------------------------------------------------------- */

static uint64_t type_mask(int type)
{
    return types[type].bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * types[type].bytes)) - 1;
}

static uint64_t load(int type, const void *element)
{
    uint64_t raw = 0;
    memcpy(&raw, element, types[type].bytes); /* little endian, as all machines UCX runs on here */
    return raw;
}

static void store(int type, void *element, uint64_t raw)
{
    memcpy(element, &raw, types[type].bytes);
}

static int64_t sign_extend(int type, uint64_t raw)
{
    unsigned shift = 64 - 8 * (unsigned)types[type].bytes;
    return (int64_t)(raw << shift) >> shift;
}

/* Round to nearest even; `value` is finite. */
static uint64_t to_f16(float value)
{
    uint32_t x;
    memcpy(&x, &value, sizeof x);
    uint32_t sign = (x >> 16) & 0x8000;
    int exponent = (int)((x >> 23) & 255) - 127;
    uint32_t mantissa = (x & 0x7fffff) | 0x800000;
    unsigned shift = exponent < -14 ? (unsigned)(13 - 14 - exponent) : 13;

    if ((x & 0x7fffffff) == 0 || shift > 24)
        return sign;
    if (exponent > 15)
        return sign | 0x7c00;
    uint32_t rounded = (mantissa + (1U << (shift - 1)) - 1 + ((mantissa >> shift) & 1)) >> shift;
    if (exponent < -14)
        return sign | rounded;
    return sign | (((uint32_t)(exponent + 15) << 10) + rounded - 0x400); /* a carry raises the exponent */
}

static double from_f16(uint64_t raw)
{
    int exponent = (int)(raw >> 10) & 31;
    double mantissa = (double)(raw & 0x3ff);
    double value;

    if (exponent == 0)
        value = ldexp(mantissa, -24);
    else if (exponent == 31)
        value = mantissa != 0 ? (double)NAN : (double)INFINITY;
    else
        value = ldexp(mantissa + 1024, exponent - 25);
    return raw & 0x8000 ? -value : value;
}

static uint64_t encode(int type, double value)
{
    float f = (float)value;
    uint32_t x;
    uint64_t raw;

    memcpy(&x, &f, sizeof x);
    switch (type) {
    case FEDRDMA_F16:
        return to_f16(f);
    case FEDRDMA_BF16:
        return (x + 0x7fff + ((x >> 16) & 1)) >> 16;
    case FEDRDMA_F32:
        return x;
    case FEDRDMA_F64:
        memcpy(&raw, &value, sizeof raw);
        return raw;
    default:
        return (uint64_t)(int64_t)value & type_mask(type);
    }
}

static double decode(int type, uint64_t raw)
{
    uint32_t x = type == FEDRDMA_BF16 ? (uint32_t)raw << 16 : (uint32_t)raw;
    float f;
    double d;

    memcpy(&f, &x, sizeof f);
    memcpy(&d, &raw, sizeof d);
    switch (type) {
    case FEDRDMA_F16:
        return from_f16(raw);
    case FEDRDMA_BF16:
    case FEDRDMA_F32:
        return (double)f;
    case FEDRDMA_F64:
        return d;
    default:
        return types[type].is_signed ? (double)sign_extend(type, raw) : (double)raw;
    }
}

/* ---- contributions -------------------------------------------------------------------------------- */

/* Small integers: sums over 64 ranks stay below 256, which even bf16 holds exactly. */
static double small_value(const mp_data *data, int rank, uint64_t h)
{
    switch (data->op) {
    case FEDRDMA_PROD: /* at most 2^8 */
        return (h % 8 == 0 && rank < 8 ? 2 : 1) * (h & 64 ? -1 : 1);
    case FEDRDMA_LAND:
    case FEDRDMA_LOR:
    case FEDRDMA_LXOR: /* zero often enough for either outcome */
        return h % 4 == 0 ? 0 : (double)(h % 5);
    default:
        return types[data->type].is_signed ? (double)(h % 9) - 4 : (double)(h % 9);
    }
}

static uint64_t contribution(const mp_data *data, int rank, size_t index)
{
    uint64_t h = mp_hash(mp_hash(data->salt, (uint64_t)rank + 1), index % PERIOD);
    bool bits;

    switch (data->op) {
    case MP_OP_NONE:
    case MP_OP_USER:
    case MP_OP_ORDERED:
        bits = true;
        break;
    case FEDRDMA_AVG:
    case FEDRDMA_LAND:
    case FEDRDMA_LOR:
    case FEDRDMA_LXOR:
        bits = false;
        break;
    default:
        bits = !types[data->type].is_float;
    }
    if (bits)
        return h & type_mask(data->type);
    return encode(data->type, small_value(data, rank, h >> 20));
}

double mp_weight(const mp_data *data, int rank)
{
    return (double)(mp_hash(data->salt ^ 77, (uint64_t)rank) % 4);
}

/* Copies the first period over the rest. */
static void repeat(int type, size_t count, unsigned char *out)
{
    size_t period = PERIOD * types[type].bytes, bytes = count * types[type].bytes;

    for (size_t at = period; at < bytes; at += period)
        memcpy(out + at, out, bytes - at < period ? bytes - at : period);
}

void mp_fill(const mp_data *data, int rank, size_t first, size_t count, void *out)
{
    unsigned char *element = out;

    for (size_t i = 0; i < count && i < PERIOD; i++, element += types[data->type].bytes)
        store(data->type, element, contribution(data, rank, first + i));
    repeat(data->type, count, out);
}

/* ---- the reference -------------------------------------------------------------------------------- */

/* (a, b) in the two halves of w bits: x -> ax + b; first `low`, then `high`. */
static uint64_t compose(unsigned width, uint64_t low, uint64_t high)
{
    unsigned half = width / 2;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t a1 = low >> half & mask, b1 = low & mask, a2 = high >> half & mask, b2 = high & mask;

    return ((a1 * a2) & mask) << half | ((a2 * b1 + b2) & mask);
}

/* `low` comes from the lower ranks. */
static uint64_t fold_bits(int type, int op, uint64_t low, uint64_t high)
{
    bool less = types[type].is_signed ? sign_extend(type, low) < sign_extend(type, high) : low < high;

    switch (op) {
    case FEDRDMA_SUM:
    case FEDRDMA_AVG:
    case MP_OP_USER:
        return (low + high) & type_mask(type);
    case FEDRDMA_PROD:
        return (low * high) & type_mask(type);
    case FEDRDMA_MIN:
        return less ? low : high;
    case FEDRDMA_MAX:
        return less ? high : low;
    case FEDRDMA_BAND:
        return low & high;
    case FEDRDMA_BOR:
        return low | high;
    case FEDRDMA_BXOR:
        return low ^ high;
    case FEDRDMA_LAND:
        return low != 0 && high != 0;
    case FEDRDMA_LOR:
        return low != 0 || high != 0;
    case FEDRDMA_LXOR:
        return (low != 0) != (high != 0);
    case MP_OP_ORDERED:
        return compose(8 * (unsigned)types[type].bytes, low, high);
    default:
        return high;
    }
}

static double fold_float(int op, double low, double high)
{
    switch (op) {
    case FEDRDMA_PROD:
        return low * high;
    case FEDRDMA_MIN:
        return low < high ? low : high;
    case FEDRDMA_MAX:
        return low < high ? high : low;
    case FEDRDMA_LAND:
        return low != 0 && high != 0;
    case FEDRDMA_LOR:
        return low != 0 || high != 0;
    case FEDRDMA_LXOR:
        return (low != 0) != (high != 0);
    default:
        return low + high;
    }
}

static uint64_t expect_float(const mp_data *data, int ranks, size_t index)
{
    double acc = 0, weights = 0;

    for (int r = 0; r < ranks; r++) {
        double value = decode(data->type, contribution(data, r, index));
        double weight = data->op == MP_OP_WEIGHTED ? mp_weight(data, r) : 1;
        acc = r == 0 ? weight * value : fold_float(data->op, acc, weight * value);
        weights += weight;
    }
    if (data->op == MP_OP_WEIGHTED)
        acc = weights > 0 ? acc / weights : 0;
    else if (data->op == FEDRDMA_AVG)
        acc = data->type == FEDRDMA_F64 ? acc / data->size : (double)((float)acc / (float)data->size);
    return encode(data->type, acc);
}

static uint64_t expect_bits(const mp_data *data, int ranks, size_t index)
{
    uint64_t acc = contribution(data, 0, index);

    for (int r = 1; r < ranks; r++)
        acc = fold_bits(data->type, data->op, acc, contribution(data, r, index));
    if (data->op == FEDRDMA_AVG)
        acc = types[data->type].is_signed ? (uint64_t)(sign_extend(data->type, acc) / data->size)
                                          : acc / (uint64_t)data->size;
    return acc & type_mask(data->type);
}

void mp_expect(const mp_data *data, int ranks, size_t first, size_t count, void *out)
{
    bool as_float = types[data->type].is_float && data->op != MP_OP_USER && data->op != MP_OP_ORDERED;
    unsigned char *element = out;

    for (size_t i = 0; i < count && i < PERIOD; i++, element += types[data->type].bytes)
        store(data->type, element,
              as_float ? expect_float(data, ranks, first + i) : expect_bits(data, ranks, first + i));
    repeat(data->type, count, out);
}

/* ---- comparing ------------------------------------------------------------------------------------ */

/* The weights may be applied before or after the sum, and f16 rounds at each rank: sixteen units in the last
 * place of 1, where values are at most 4 and a wrong weight shows as 0.05 or more. */
static double weighted_tolerance(int type)
{
    switch (type) {
    case FEDRDMA_F16:
        return ldexp(1, -11 + 4);
    case FEDRDMA_BF16:
        return ldexp(1, -8 + 4);
    case FEDRDMA_F32:
        return ldexp(1, -24 + 4);
    default:
        return ldexp(1, -53 + 4);
    }
}

size_t mp_differs(const mp_data *data, const void *got, const void *want, size_t count)
{
    size_t bytes = types[data->type].bytes;
    const unsigned char *g = got, *w = want;

    if (count == 0 || memcmp(got, want, count * bytes) == 0)
        return count;
    for (size_t i = 0; i < count; i++, g += bytes, w += bytes) {
        if (memcmp(g, w, bytes) == 0)
            continue;
        double off = fabs(decode(data->type, load(data->type, g)) - decode(data->type, load(data->type, w)));
        if (data->op != MP_OP_WEIGHTED || !(off <= weighted_tolerance(data->type)))
            return i;
    }
    return count;
}

void mp_show(int type, const void *element, char *text, size_t text_bytes)
{
    uint64_t raw = load(type, element);
    snprintf(text, text_bytes, "%.9g (0x%0*" PRIx64 ")", decode(type, raw), (int)(2 * types[type].bytes),
             raw);
}

/* ---- user operators ------------------------------------------------------------------------------- */

static void apply(int op, const void *in, void *inout, size_t count, int type)
{
    const unsigned char *a = in;
    unsigned char *b = inout;

    for (size_t i = 0; i < count; i++, a += types[type].bytes, b += types[type].bytes)
        store(type, b, fold_bits(type, op, load(type, a), load(type, b)));
}

void mp_user_op(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg)
{
    (void)arg;
    apply(MP_OP_USER, in, inout, count, (int)type);
}

void mp_ordered_op(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg)
{
    (void)arg;
    apply(MP_OP_ORDERED, in, inout, count, (int)type);
}
