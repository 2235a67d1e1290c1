/* SPDX-License-Identifier: BSD-3-Clause
 * vec_loops.h - template: the loops around the kernels on vectors; a part of vec.h. */

INLINE unit load(const void *base, size_t at)
{
    unit v;
    memcpy(&v, (const uint8_t *)base + at, sizeof v);
    return v;
}

INLINE void store(void *base, size_t at, unit v)
{
    memcpy((uint8_t *)base + at, &v, sizeof v);
}

/* Bytes of an element, folded away by the compiler: `type` is a constant. */
INLINE size_t width_of(int type)
{
#define WIDTH(name, value, bytes, text) type == (value) ? (bytes):
    return FEDRDMA_DATATYPE_TABLE(WIDTH) 0;
#undef WIDTH
}

/* Whole vectors from the front, and the last vector flush with the end, overlapping its
 * predecessor. It is computed first, because out may be an input, and stored last: no loop over a
 * remainder. Less than a vector is the scalar kernel's. */
INLINE void run(unit_fn *f, frd_kernel_id kernel, frd_span s)
{
    const size_t bytes = s.count * width_of(kernel.type);

    if (bytes < FRD_VEC) {
        frd_kernels_scalar.reduce[kernel.type][kernel.op](s.out, s.a, s.b, s.count);
        return;
    }
    const size_t end = bytes - FRD_VEC;
    const unit last = f(load(s.a, end), load(s.b, end));
    for (size_t at = 0; at < end; at += FRD_VEC)
        store(s.out, at, f(load(s.a, at), load(s.b, at)));
    store(s.out, end, last);
}

/* The elements at [from, from + bytes) that are less than a vector. */
INLINE void run_odd(frd_kernel_id kernel, frd_span s, void *also, size_t from, size_t bytes)
{
    uint8_t *const out = (uint8_t *)s.out + from;

    if (bytes == 0)
        return;
    frd_kernels_scalar.reduce[kernel.type][kernel.op](out, (const uint8_t *)s.a + from, (const uint8_t *)s.b + from,
                                                      bytes / width_of(kernel.type));
    if (also != NULL)
        memcpy((uint8_t *)also + from, out, bytes);
}

INLINE void store_one(void *base, size_t at, unit v, bool around)
{
#ifdef FRD_STREAM
    if (around)
        FRD_STREAM((uint8_t *)base + at, v);
    else
        store(base, at, v);
#else
    (void)around;
    store(base, at, v);
#endif
}

/* Vectors from where the first of the places that are to be stored to past the caches is aligned. */
INLINE void run_both(unit_fn *f, frd_kernel_id kernel, frd_span s, void *also, unsigned around)
{
    const size_t bytes = s.count * width_of(kernel.type);
    size_t head = -(uintptr_t)((around & FRD_OUT_AROUND) != 0 || also == NULL ? s.out : also) % FRD_VEC;

    if (around == 0 || head % width_of(kernel.type) != 0 || head > bytes)
        head = 0;
    const size_t whole = (bytes - head) / FRD_VEC * FRD_VEC;
    const bool past = (around & FRD_OUT_AROUND) != 0 && ((uintptr_t)s.out + head) % FRD_VEC == 0;
    const bool also_past = (around & FRD_ALSO_AROUND) != 0 && ((uintptr_t)also + head) % FRD_VEC == 0;
    run_odd(kernel, s, also, 0, head);
    for (size_t at = head; at < head + whole; at += FRD_VEC) {
        const unit v = f(load(s.a, at), load(s.b, at));

        store_one(s.out, at, v, past);
        if (also != NULL)
            store_one(also, at, v, also_past);
    }
    run_odd(kernel, s, also, head + whole, bytes - head - whole);
#ifdef FRD_STREAM
    if (around != 0)
        _mm_sfence();
#endif
}

/* A scale by zero is zero, whatever the data: +0 or -0 in the arithmetic's type has the first word 0 but
 * for the sign. */
INLINE void run_scale(unit_fn *f, unit factor, frd_kernel_id kernel, frd_span s)
{
    const size_t bytes = s.count * width_of(kernel.type);
    const uint64_t magnitude =
        kernel.type == FEDRDMA_F64 ? ((vec_u64)factor)[0] << 1 : ((vec_u32)factor)[0] << 1;

    if (magnitude == 0) {
        memset(s.out, 0, bytes);
        return;
    }
    const size_t whole = bytes - bytes % FRD_VEC;
    for (size_t at = 0; at < whole; at += FRD_VEC)
        store(s.out, at, f(load(s.a, at), factor));
    if (whole < bytes) {
        uint8_t rest[FRD_VEC] = { 0 };
        memcpy(rest, (const uint8_t *)s.a + whole, bytes - whole);
        store(rest, 0, f(load(rest, 0), factor));
        memcpy((uint8_t *)s.out + whole, rest, bytes - whole);
    }
}

/* Averages of integers are rare and no instruction set here divides vectors of them. */
INLINE void divide(int type, void *out, const void *in, double factor, size_t count)
{
    frd_kernels_scalar.scale[type][FRD_SCALE_DIV](out, in, factor, count);
}
