/* SPDX-License-Identifier: BSD-3-Clause
 * shm_call.h - a team's call seen from inside: which bytes are whose (shm_shape.c), and how they are combined. */
#ifndef FRD_NET_SHM_CALL_H
#define FRD_NET_SHM_CALL_H

#include "base/num.h"
#include "net/shm_impl.h"
#include "net/shm_team.h"

/* The slice of a vector that member i reduces. */
size_t frd_team_slice(const frd_team *team, const frd_node_call *what, int i, size_t *off);

/* Where in a member's send buffer the unit that `reader` takes begins, and its length. */
size_t frd_team_unit(const frd_team *team, const frd_team_call *c, int reader, size_t *off);

/* What `giver` gives us in round k; unit_off is where our unit begins. */
const char *frd_team_given(const frd_team *team, const frd_team_call *c, int giver, uint32_t k, size_t unit_off);

/* Copies, past the caches if the call is large. */
void frd_team_copy(const frd_team_call *c, char *to, const char *from, size_t len);

/* Where a reduction goes, and what of that past the caches (reduce.h). */
typedef struct frd_team_outs {
    char *out, *also;
    unsigned around;
} frd_team_outs;

/* Reduces chunk k of our unit into `to`, into the ring's `result` if not NULL, and into the others' buffers when
 * we push. */
void frd_team_reduce(frd_team *team, const frd_team_call *c, uint32_t k, char *to, char *result);

static inline bool frd_team_rooted(int coll)
{
    return coll == FRD_NODE_BROADCAST || coll == FRD_NODE_REDUCE || coll == FRD_NODE_GATHER ||
           coll == FRD_NODE_SCATTER;
}

static inline char *frd_team_ring(const frd_team *team, int member)
{
    return (char *)(team->part[member] + 1);
}

/* Where the chunk of round k begins in a unit. */
static inline size_t frd_team_chunk(const frd_team_call *c, uint32_t k)
{
    return (c->backwards ? c->rounds - 1 - k : k) * c->chunk;
}

/* Bytes of the chunk of round k, in a unit of len bytes. */
static inline size_t frd_team_piece(const frd_team_call *c, uint32_t k, size_t len)
{
    const size_t at = frd_team_chunk(c, k);

    return at >= len ? 0 : frd_min_size(c->chunk, len - at);
}

/* ---- rounds (shm_call.c) ---- */

/* Are the first `rounds` rounds of all done by everybody, as far as a look can tell? */
bool frd_team_all_done(frd_team *team, uint64_t rounds);
/* Wakes who sleeps; after whatever they may wait for was stored. */
void frd_team_wake(frd_team *team);
void frd_team_publish(frd_team *team, frd_team_post *post, const frd_team_call *c, uint32_t k);

bool frd_team_has_given(const frd_team *team, const frd_team_call *c, int member, uint32_t k);
bool frd_team_has_result(const frd_team *team, const frd_team_call *c, int member, uint32_t k);
/* Does a member that takes need what this one gives? */
bool frd_team_is_source(const frd_team *team, const frd_team_call *c, int member);
/* At the first round: do the others mean the same call, and where are their buffers? */
int frd_team_look_at_posts(frd_team *team, frd_team_call *c, frd_story *story);

/* Has a member whose buffers we read where they are left the call? Then what we read may be anything. */
bool frd_team_is_spoiled(const frd_team *team, const frd_team_call *c);

bool frd_team_can_give(frd_team *team, const frd_team_call *c);
bool frd_team_can_take(frd_team *team, const frd_team_call *c);
bool frd_team_can_collect(const frd_team *team, const frd_team_call *c);
void frd_team_give(frd_team *team, frd_team_call *c);
void frd_team_give_mapped(frd_team *team, frd_team_call *c);
/* Begins to fetch the lines that a next call like this one will write. */
void frd_team_make_ready(const frd_team *team, size_t need);
/* Copies what is our own of chunk k: while the others are waited for, and while it is in the cache. */
void frd_team_keep(const frd_team *team, frd_team_call *c, uint32_t k);
int frd_team_take(frd_team *team, frd_team_call *c, frd_story *story);
/* Copies the others' reduced slices. */
void frd_team_collect(frd_team *team, frd_team_call *c);

#endif
