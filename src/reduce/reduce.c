/* SPDX-License-Identifier: BSD-3-Clause
 * reduce.c - names and sizes of datatypes and operators, and the choice among the tables of
 * kernels: the widest instruction set that this processor and its operating system offer. */
#include "reduce/reduce.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "reduce/kernels.h"

/* ---- datatypes and operators ---------------------------------------------------------------------- */

#define COUNT(name, value, ...) +1
_Static_assert(FRD_NTYPES == 1 FEDRDMA_DATATYPE_TABLE(COUNT), "a datatype without room in the tables");
_Static_assert(FRD_NOPS == 1 FEDRDMA_OP_TABLE(COUNT), "an operator without room in the tables");
#undef COUNT

static const struct {
    const char *name;
    size_t bytes;
    bool is_float;
} types[FRD_NTYPES] = {
    [FEDRDMA_I8] = { "i8", 1, false },   [FEDRDMA_I16] = { "i16", 2, false },
    [FEDRDMA_I32] = { "i32", 4, false }, [FEDRDMA_I64] = { "i64", 8, false },
    [FEDRDMA_U8] = { "u8", 1, false },   [FEDRDMA_U16] = { "u16", 2, false },
    [FEDRDMA_U32] = { "u32", 4, false }, [FEDRDMA_U64] = { "u64", 8, false },
    [FEDRDMA_F16] = { "f16", 2, true },  [FEDRDMA_BF16] = { "bf16", 2, true },
    [FEDRDMA_F32] = { "f32", 4, true },  [FEDRDMA_F64] = { "f64", 8, true },
};

static const char *const ops[FRD_NOPS] = {
    [FEDRDMA_SUM] = "sum",   [FEDRDMA_AVG] = "avg",   [FEDRDMA_PROD] = "prod", [FEDRDMA_MIN] = "min",
    [FEDRDMA_MAX] = "max",   [FEDRDMA_BAND] = "band", [FEDRDMA_BOR] = "bor",   [FEDRDMA_BXOR] = "bxor",
    [FEDRDMA_LAND] = "land", [FEDRDMA_LOR] = "lor",   [FEDRDMA_LXOR] = "lxor",
};

static bool type_known(int type)
{
    return type > 0 && type < FRD_NTYPES;
}

size_t frd_type_size(int type)
{
    return type_known(type) ? types[type].bytes : 0;
}

const char *frd_type_name(int type)
{
    return type_known(type) ? types[type].name : "?";
}

bool frd_type_is_float(int type)
{
    return type_known(type) && types[type].is_float;
}

const char *frd_op_name(int op)
{
    return op > 0 && op < FRD_NOPS ? ops[op] : "user";
}

bool frd_op_fits(int op, int type)
{
    return op > 0 && op < FRD_NOPS && type_known(type) && frd_kernels_scalar.reduce[type][op] != NULL;
}

/* ---- the instruction set -------------------------------------------------------------------------- */

typedef struct isa {
    const char *name;
    const frd_kernels *kernels;
    bool (*usable)(void);
} isa;

static bool always(void)
{
    return true;
}

/* __builtin_cpu_supports asks whether the operating system saves the registers, too. */
#if defined(__x86_64__)
static bool has_avx2(void)
{
    unsigned a, b, c = 0, d; /* clang 14's builtin does not know f16c */

    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/* Best first; scalar is last and always usable. */
static const isa isas[] = {
#if defined(__x86_64__)
    { "avx512", &frd_kernels_avx512, has_avx512 },
    { "avx2", &frd_kernels_avx2, has_avx2 },
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
    { "neon", &frd_kernels_neon, always },
#endif
    { "scalar", &frd_kernels_scalar, always },
};

/* The CPU table: the one in use. Found at the first call, because the question can trap to a
 * hypervisor; threads that race here all find the same. */
static _Atomic(const isa *) in_use;

static const isa *best(void)
{
    const isa *found = atomic_load_explicit(&in_use, memory_order_relaxed);

    if (found == NULL) {
        found = isas;
        while (!found->usable())
            found++;
        atomic_store_explicit(&in_use, found, memory_order_relaxed);
    }
    return found;
}

const char *frd_reduce_isa(void)
{
    return best()->name;
}

frd_reduce_fn *frd_reduce_kernel(int type, int op)
{
    return frd_op_fits(op, type) ? best()->kernels->reduce[type][op] : NULL;
}

frd_reduce_both_fn *frd_reduce_both_kernel(int type, int op)
{
    return frd_op_fits(op, type) ? best()->kernels->both[type][op] : NULL;
}

frd_scale_fn *frd_scale_kernel(int type, int how)
{
    if (!type_known(type) || (how != FRD_SCALE_MUL && how != FRD_SCALE_DIV))
        return NULL;
    return best()->kernels->scale[type][how];
}

void frd_copy_around(void *out, const void *in, size_t bytes)
{
    best()->kernels->copy_around(out, in, bytes);
}

static const frd_kernels *kernels_of(const char *name)
{
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        if (strcmp(isas[i].name, name) == 0)
            return isas[i].usable() ? isas[i].kernels : NULL;
    }
    return NULL;
}

frd_reduce_fn *frd_reduce_kernel_isa(const char *isa_name, int type, int op)
{
    const frd_kernels *kernels = kernels_of(isa_name);

    return kernels != NULL && frd_op_fits(op, type) ? kernels->reduce[type][op] : NULL;
}

frd_reduce_both_fn *frd_reduce_both_kernel_isa(const char *isa_name, int type, int op)
{
    const frd_kernels *kernels = kernels_of(isa_name);

    return kernels != NULL && frd_op_fits(op, type) ? kernels->both[type][op] : NULL;
}

frd_scale_fn *frd_scale_kernel_isa(const char *isa_name, int type, int how)
{
    const frd_kernels *kernels = kernels_of(isa_name);

    if (kernels == NULL || !type_known(type) || (how != FRD_SCALE_MUL && how != FRD_SCALE_DIV))
        return NULL;
    return kernels->scale[type][how];
}
