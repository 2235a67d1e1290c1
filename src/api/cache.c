/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cache.c - from a call to plans: look up, else select, cut into fragments, record. */
#include "api/cache.h"

#include <string.h>

#include "api/forest.h"
#include "base/mem.h"
#include "base/num.h"
#include "collectives/cut.h"
#include "collectives/levels.h"
#include "reduce/reduce.h"

static const size_t *const *arrays_of(const frd_call *c, const size_t *list[4])
{
    list[0] = c->soffs;
    list[1] = c->slens;
    list[2] = c->roffs;
    list[3] = c->rlens;
    return list;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + UINT64_C(0x9e3779b97f4a7c15) + (h << 6) + (h >> 2);
    return h * UINT64_C(0xff51afd7ed558ccd);
}

static uint64_t hash_call(const frd_call *c, int ranks)
{
    const size_t *list[4];
    uint64_t h = mix((uint64_t)c->coll, c->len);

    h = mix(h, (uint64_t)c->type << 32 | (uint32_t)c->op);
    h = mix(h, (uint64_t)(c->in_place ? 1 : 0) << 33 | (uint64_t)(c->weighted ? 1 : 0) << 32 |
                   (uint32_t)c->root);
    h = mix(h, c->slen);
    h = mix(h, c->rlen);
    arrays_of(c, list);
    for (int a = 0; a < 4; a++)
        for (int i = 0; list[a] != NULL && i < ranks; i++)
            h = mix(h, list[a][i]);
    return h ^ h >> 32;
}

static bool same_call(const frd_call *x, const frd_call *y, int ranks)
{
    const size_t *xs[4], *ys[4];

    if (x->coll != y->coll || x->type != y->type || x->op != y->op ||
        x->commutative != y->commutative || x->in_place != y->in_place ||
        x->weighted != y->weighted || x->irregular != y->irregular || x->root != y->root || x->len != y->len ||
        x->slen != y->slen || x->rlen != y->rlen || x->stride != y->stride)
        return false;
    arrays_of(x, xs);
    arrays_of(y, ys);
    for (int a = 0; a < 4; a++) {
        if ((xs[a] == NULL) != (ys[a] == NULL))
            return false;
        if (xs[a] != NULL && memcmp(xs[a], ys[a], (size_t)ranks * sizeof(size_t)) != 0)
            return false;
    }
    return true;
}

static void unlink_use(frd_cache *cache, frd_recipe *r)
{
    if (r->newer != NULL)
        r->newer->older = r->older;
    else
        cache->newest = r->older;
    if (r->older != NULL)
        r->older->newer = r->newer;
    else
        cache->oldest = r->newer;
}

static void link_newest(frd_cache *cache, frd_recipe *r)
{
    r->newer = NULL;
    r->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = r;
    else
        cache->oldest = r;
    cache->newest = r;
}

static void recipe_destroy(frd_recipe *r)
{
    if (r == NULL)
        return;
    frd_plan_release(r->full);
    frd_plan_release(r->tail);
    frd_free(r); /* its arrays are in the same block */
}

static void evict(frd_cache *cache, frd_recipe *r)
{
    frd_recipe **at = &cache->bucket[r->hash % FRD_CACHE_BUCKETS];

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    unlink_use(cache, r);
    cache->count--;
    recipe_destroy(r);
}

void frd_cache_clear(frd_cache *cache)
{
    while (cache->oldest != NULL)
        evict(cache, cache->oldest);
}

/* What the selection rules compare; the same on every rank: the vector, one block, the mean of irregular
 * blocks where all ranks know them, otherwise 0. */
static size_t typical_bytes(const frd_call *c, int ranks)
{
    size_t sum = 0;

    if (!c->irregular)
        return c->len;
    if (c->coll != FRD_COLL_ALLGATHER && c->coll != FRD_COLL_REDUCE_SCATTER)
        return 0;
    const size_t *lens = c->coll == FRD_COLL_ALLGATHER ? c->rlens : c->slens;
    for (int i = 0; i < ranks; i++)
        sum += lens[i];
    return sum / (size_t)ranks;
}

/* Scratch that waits for the next call of its kind goes, oldest first, before a call of a new kind gets its own: a
 * program with a thousand layer sizes holds no thousand scratches. */
static void trim_scratch(frd_cache *cache, const frd_cache_env *env)
{
    for (frd_recipe *r = cache->oldest; r != NULL && env->stat->mem_scratch_bytes > env->conf->scratch;
         r = r->newer) {
        frd_plan_trim(r->full);
        if (r->tail != NULL)
            frd_plan_trim(r->tail);
    }
}

static int record(const frd_cache_env *env, frd_recipe *r, size_t len, const frd_forest *forest, frd_story *story,
                  frd_plan **plan)
{
    frd_call call = r->call;
    frd_graph *graph;

    frd_group group = *env->group;
    frd_levels levels;

    if (!call.irregular) {
        call.stride = call.len;
        call.len = len;
    }
    if (forest != NULL) {
        levels = *group.levels;
        levels.forest = forest;
        group.levels = &levels;
    }
    int rc = frd_coll_record(r->algo, &call, &group, story, &graph);
    if (rc != FEDRDMA_OK)
        return rc;
    env->stat->sched_recorded++;
    rc = frd_plan_create(graph, env->stat, plan);
    return rc == FEDRDMA_OK ? rc : frd_fail(story, rc, "out of memory for a schedule");
}

static int fill(const frd_cache_env *env, frd_recipe *r, frd_story *story)
{
    const frd_call *c = &r->call;
    const frd_forest *const forest =
        c->coll == FRD_COLL_ALLREDUCE ? frd_forests_get(env->forests, c->len) : NULL;
    const frd_choice choice = { .coll = c->coll,
                                .ranks = env->group->size,
                                .bytes = typical_bytes(c, env->group->size),
                                .regular = !c->irregular,
                                .commutative = c->commutative,
                                .silos = env->group->levels != NULL ? env->group->levels->nsilos : 0,
                                .ordered = env->group->levels != NULL && env->group->levels->ordered,
                                .planned = forest != NULL,
                                .node = env->node };

    r->algo = frd_rules_select(env->rules, &choice);
    if (r->algo == NULL)
        return frd_fail(story, FEDRDMA_ERR_INTERNAL, "no algorithm for %s", frd_coll_name(c->coll));
    const frd_cut cut = frd_coll_cut(r->algo, c, env->group, env->conf->fragment, env->conf->window);
    if (cut.full >= UINT32_MAX - 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "more than 2^32 fragments; raise FEDRDMA_FRAGMENT");
    r->frag_bytes = cut.slice;
    r->nfull = (uint32_t)cut.full;
    r->window = cut.window < UINT32_MAX ? (uint32_t)cut.window : UINT32_MAX;

    int rc = record(env, r, cut.slice, forest, story, &r->full);
    if (rc == FEDRDMA_OK && cut.rest > 0)
        rc = record(env, r, cut.rest, forest, story, &r->tail);
    return rc;
}

/* A recipe with its own copy of the call's arrays behind it. */
static frd_recipe *recipe_create(const frd_call *call, int ranks)
{
    const size_t *list[4], bytes = (size_t)ranks * sizeof(size_t);
    const size_t **mine[4];
    size_t narrays = 0;

    arrays_of(call, list);
    for (int a = 0; a < 4; a++)
        narrays += list[a] != NULL ? 1 : 0;
    frd_recipe *r = frd_calloc(1, sizeof(*r) + narrays * bytes);
    if (r == NULL)
        return NULL;
    r->call = *call;
    mine[0] = &r->call.soffs;
    mine[1] = &r->call.slens;
    mine[2] = &r->call.roffs;
    mine[3] = &r->call.rlens;
    char *at = (char *)(r + 1);
    for (int a = 0; a < 4; a++) {
        if (list[a] == NULL)
            continue;
        memcpy(at, list[a], bytes);
        *mine[a] = (const size_t *)(const void *)at;
        at += bytes;
    }
    return r;
}

int frd_cache_get(frd_cache *cache, const frd_cache_env *env, const frd_call *call, frd_story *story,
                  frd_recipe **out)
{
    const uint64_t hash = hash_call(call, env->group->size);
    frd_recipe **bucket = &cache->bucket[hash % FRD_CACHE_BUCKETS];

    for (frd_recipe *r = *bucket; r != NULL; r = r->next) {
        if (r->hash == hash && same_call(&r->call, call, env->group->size)) {
            if (cache->newest != r) {
                unlink_use(cache, r);
                link_newest(cache, r);
            }
            env->stat->sched_reused++;
            *out = r;
            return FEDRDMA_OK;
        }
    }

    trim_scratch(cache, env);
    frd_recipe *r = recipe_create(call, env->group->size);
    if (r == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "out of memory for a schedule");
    const int rc = fill(env, r, story);
    if (rc != FEDRDMA_OK) {
        recipe_destroy(r);
        return rc;
    }
    r->hash = hash;
    r->next = *bucket;
    *bucket = r;
    link_newest(cache, r);
    cache->count++;
    while (cache->count > (size_t)(env->conf->cache > 1 ? env->conf->cache : 1)) {
        evict(cache, cache->oldest);
        env->stat->sched_evicted++;
    }
    *out = r;
    return FEDRDMA_OK;
}
