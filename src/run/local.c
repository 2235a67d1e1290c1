/* SPDX-License-Identifier: BSD-3-Clause
 *
 * local.c - steps without a peer: copy, reduce, user operator, scale. */
#include <string.h>

#include "reduce/reduce.h"
#include "run/engine.h"

static void scale(const frd_step *step, void *out, const void *a, const void *b)
{
    const int how = step->how == FRD_SCALE_BY_REF ? FRD_SCALE_MUL : FRD_SCALE_DIV;
    const size_t count = step->out.len / frd_type_size(step->out.type);
    double factor = step->count;

    if (step->how != FRD_SCALE_OVER_COUNT)
        memcpy(&factor, b, sizeof(factor));
    frd_scale_kernel(step->out.type, how)(out, a, factor, count);
}

void frd_local_step(const frd_step *step, char *const base[], const frd_op_work *work, frd_stat *stat)
{
    char *out = base[step->out.space] + step->out.off;
    const char *a = base[step->a.space] + step->a.off;
    const char *b = step->b.len > 0 ? base[step->b.space] + step->b.off : NULL;
    const size_t len = step->out.len;

    if (step->kind == FRD_STEP_COPY) {
        memmove(out, a, len);
        return;
    }
    stat->run_reduced_bytes += len;
    const size_t count = len / frd_type_size(step->out.type);
    if (step->kind == FRD_STEP_REDUCE)
        frd_reduce_kernel(step->out.type, step->op)(out, a, b, count);
    else if (step->kind == FRD_STEP_USER)
        work->user_fn(a, out, count, (fedrdma_datatype)step->out.type, work->user_arg);
    else
        scale(step, out, a, b);
}
