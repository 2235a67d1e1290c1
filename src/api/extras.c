/* SPDX-License-Identifier: BSD-3-Clause
 *
 * extras.c - user operators, memory, counters, names. */
#include <string.h>

#include "api/comm.h"
#include "base/mem.h"
#include "base/num.h"
#include "reduce/reduce.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *fedrdma_strerror(int code)
{
    return frd_strerror(code);
}

const char *fedrdma_version(void)
{
    return TEXT(FEDRDMA_VERSION_MAJOR) "." TEXT(FEDRDMA_VERSION_MINOR) "." TEXT(FEDRDMA_VERSION_PATCH);
}

size_t fedrdma_datatype_size(fedrdma_datatype type)
{
    return frd_type_size((int)type);
}

static int fail(const fedrdma_context *ctx, int rc, const char *text)
{
    frd_story story = { .log = ctx != NULL ? &ctx->log : NULL };

    frd_fail(&story, rc, "%s", text);
    frd_story_publish(&story);
    return rc;
}

/* ---- operators ---- */

static int free_slot(fedrdma_context *ctx, size_t *slot)
{
    for (*slot = 0; *slot < ctx->nops; (*slot)++)
        if (ctx->ops[*slot] == NULL)
            return FEDRDMA_OK;
    const size_t cap = ctx->nops == 0 ? 8 : ctx->nops * 2;
    frd_user_op **ops = frd_realloc(ctx->ops, cap * sizeof(frd_user_op *));
    if (ops == NULL)
        return FEDRDMA_ERR_NOMEM;
    memset(ops + ctx->nops, 0, (cap - ctx->nops) * sizeof(frd_user_op *));
    ctx->ops = ops;
    ctx->nops = cap;
    return FEDRDMA_OK;
}

int fedrdma_op_create(fedrdma_context *ctx, fedrdma_op_fn *fn, int commutative, void *arg,
                      fedrdma_op *op)
{
    size_t slot = 0;

    if (ctx == NULL || fn == NULL || op == NULL)
        return fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_op_create: context, fn or op is NULL");
    frd_context_enter(ctx);
    frd_user_op *made = frd_calloc(1, sizeof(*made));
    int rc = made != NULL ? free_slot(ctx, &slot) : FEDRDMA_ERR_NOMEM;
    if (rc == FEDRDMA_OK) {
        *made = (frd_user_op){ .fn = fn, .arg = arg, .commutative = commutative != 0 };
        ctx->ops[slot] = made;
        *op = FRD_USER_OP_BASE + (int)slot;
    } else {
        frd_free(made);
        fail(ctx, rc, "fedrdma_op_create: out of memory");
    }
    frd_context_leave(ctx);
    return rc;
}

int fedrdma_op_free(fedrdma_context *ctx, fedrdma_op *op)
{
    if (ctx == NULL || op == NULL)
        return fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_op_free: context or op is NULL");
    frd_context_enter(ctx);
    const size_t slot = (size_t)*op - FRD_USER_OP_BASE;
    int rc = FEDRDMA_OK;
    if (*op < FRD_USER_OP_BASE || slot >= ctx->nops || ctx->ops[slot] == NULL) {
        rc = fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_op_free: not an operator of fedrdma_op_create");
    } else if (ctx->ops[slot]->requests > 0) {
        rc = fail(ctx, FEDRDMA_ERR_BUSY, "fedrdma_op_free: a request uses the operator; complete it first");
    } else {
        frd_free(ctx->ops[slot]);
        ctx->ops[slot] = NULL;
        *op = 0;
    }
    frd_context_leave(ctx);
    return rc;
}

/* ---- memory ---- */

int fedrdma_alloc(fedrdma_context *ctx, size_t bytes, void **memory)
{
    frd_story story = { 0 };

    if (ctx == NULL || memory == NULL)
        return fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_alloc: context or memory is NULL");
    if (bytes > PTRDIFF_MAX)
        return fail(ctx, FEDRDMA_ERR_NOMEM, "fedrdma_alloc: size does not fit the address space");
    frd_context_enter(ctx);
    story.log = &ctx->log;
    void *start = NULL;
    frd_memory *m = frd_calloc(1, sizeof(*m));
    int rc = m != NULL ? frd_fabric_mem_add(ctx->fabric, frd_max_size(bytes, 1), &start, &story)
                       : frd_fail(&story, FEDRDMA_ERR_NOMEM, "fedrdma_alloc: out of memory");
    if (rc == FEDRDMA_OK) {
        *m = (frd_memory){ .next = ctx->memory, .start = start, .bytes = frd_max_size(bytes, 1) };
        ctx->memory = m;
        *memory = start;
    } else {
        frd_free(m);
        frd_story_publish(&story);
    }
    frd_context_leave(ctx);
    return rc;
}

int fedrdma_free(fedrdma_context *ctx, void *memory)
{
    if (ctx == NULL)
        return fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_free: context is NULL");
    if (memory == NULL)
        return FEDRDMA_OK;
    frd_context_enter(ctx);
    frd_memory **at = &ctx->memory;
    while (*at != NULL && (*at)->start != memory)
        at = &(*at)->next;
    frd_memory *m = *at;
    int rc = FEDRDMA_OK;
    if (m == NULL) {
        rc = fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_free: not memory of fedrdma_alloc on this context");
    } else {
        *at = m->next;
        frd_fabric_mem_remove(ctx->fabric, m->start, m->bytes);
        frd_free(m);
    }
    frd_context_leave(ctx);
    return rc;
}

/* ---- counters ---- */

int fedrdma_counter_at(const fedrdma_context *ctx, size_t index, const char **name, uint64_t *value)
{
    if (ctx == NULL || name == NULL || value == NULL || index >= frd_stat_count())
        return fail(ctx, FEDRDMA_ERR_INVALID,
                    "fedrdma_counter_at: context, name or value is NULL, or no counter has this index");
    frd_stat now = ctx->stat;
    now.mem_allocations = frd_mem_allocations();
    *name = frd_stat_name(index);
    *value = frd_stat_value(&now, index);
    return FEDRDMA_OK;
}

int fedrdma_counter(const fedrdma_context *ctx, const char *name, uint64_t *value)
{
    const char *each;

    if (ctx == NULL || name == NULL || value == NULL)
        return fail(ctx, FEDRDMA_ERR_INVALID, "fedrdma_counter: context, name or value is NULL");
    for (size_t i = 0; i < frd_stat_count(); i++)
        if (fedrdma_counter_at(ctx, i, &each, value) == FEDRDMA_OK && strcmp(each, name) == 0)
            return FEDRDMA_OK;
    return fail(ctx, FEDRDMA_ERR_INVALID,
                "fedrdma_counter: no such counter; `fedrdma-info --counters` lists them");
}
