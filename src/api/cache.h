/* SPDX-License-Identifier: BSD-3-Clause
 * cache.h - a communicator's recorded schedules, found again by the call's arguments. Least recently used go
 * when there are too many. */
#ifndef FRD_API_CACHE_H
#define FRD_API_CACHE_H

#include "base/conf.h"
#include "collectives/coll.h"
#include "run/op.h"

/* A call made ready to run: which algorithm, which plans, how many fragments. */
typedef struct frd_recipe {
    frd_call call;      /* key; its arrays are the recipe's own */
    uint64_t hash;
    const frd_algo *algo;
    frd_plan *full, *tail;
    uint32_t nfull, window;
    size_t frag_bytes;
    struct frd_recipe *next;          /* in its bucket */
    struct frd_recipe *newer, *older; /* by use */
} frd_recipe;

#define FRD_CACHE_BUCKETS 64

/* All zero is valid and empty. */
typedef struct frd_cache {
    frd_recipe *bucket[FRD_CACHE_BUCKETS];
    frd_recipe *newest, *oldest;
    size_t count;
} frd_cache;

typedef struct frd_cache_env {
    const frd_conf *conf;
    const frd_rules *rules;
    frd_stat *stat;
    const frd_group *group;
    bool node; /* the group has a team */
    struct frd_forests *forests; /* NULL: nothing is planned */
} frd_cache_env;

/* Finds the recipe for `call`, or records it. It is valid until the next frd_cache_get; an operation that
 * keeps plans takes a use of each. Arrays of `call` hold group->size entries and are copied. */
int frd_cache_get(frd_cache *cache, const frd_cache_env *env, const frd_call *call, frd_story *story,
                  frd_recipe **recipe);
void frd_cache_clear(frd_cache *cache);

#endif
