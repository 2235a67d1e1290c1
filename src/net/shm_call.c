/* SPDX-License-Identifier: BSD-3-Clause
 * shm_call.c - a team's collectives: what each member gives and takes in each round.
 *
 * A call is cut into rounds by the bytes that a round may take of a member's ring; round k carries the k-th
 * chunk of what is cut (the unit): the vector, every block, or every member's slice of a vector. Then
 *
 *     broadcast           the root gives the chunk, the others copy it
 *     scatter             the root gives a piece of every block, each member copies its own
 *     gather, allgather   all give a chunk of their block, the root (all) copies them
 *     alltoall            all give a piece for every other member, each copies its own
 *     reduce_scatter      the same, reduced instead of copied
 *     barrier             all give nothing, and look for all others' posts; where ranks share cores the first member
 *                         does, and its result is what the others look for
 *     reduce              short, or two members: all give the chunk, the root reduces
 *     allreduce           short: all give the vector, each reduces all of it
 *     both, long          reduce_scatter of slices; then members give their reduced slices (results), which
 *                         the root (all) copies
 *
 * Operands are combined in the order of the members, whoever does it, so all get the same bits.
 *
 * A member whose buffers came from fedrdma_alloc gives nothing: it posts where they are, the others read there,
 * and it stays in the call until they have. If that is so for all members of a long allreduce, each stores its
 * slice of the result into all receive buffers, which spares the results' round. */
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "net/shm_call.h"

enum {
    SHORT_LAP = 4 * 1024, /* the part of the ring that short data goes round in: see shm_team.h */
    SHORT_MAX = SHORT_LAP / 2,
    LINE = 64,
    READY_MAX = 4096 /* longer data hides what this saves */
};

bool frd_team_all_done(frd_team *team, uint64_t rounds)
{
    uint64_t low = UINT64_MAX;

    if (team->low >= rounds)
        return true;
    for (int i = 0; i < team->size; i++) {
        const uint64_t done = atomic_load_explicit(&team->part[i]->done, memory_order_acquire);

        if (i != team->rank)
            low = done < low ? done : low;
    }
    if (low > team->low)
        team->low = low;
    return team->low >= rounds;
}

/* Where the next `need` bytes of our ring begin, in one piece. Short ones go round in the ring's beginning, so that a
 * team of small calls has few pages. */
static uint64_t place_of(const frd_team *team, size_t need)
{
    const uint64_t place = (team->end & (team->ring_bytes - 1));
    const size_t limit = need > SHORT_MAX ? team->ring_bytes : SHORT_LAP;

    return place + need <= limit ? team->end : team->end + (team->ring_bytes - place);
}

/* May we post for this round, and use `need` bytes of our ring? */
static bool has_room(frd_team *team, uint64_t round, size_t need)
{
    if (round >= FRD_TEAM_ROUNDS && !frd_team_all_done(team, round + 1 - FRD_TEAM_ROUNDS))
        return false;
    for (;;) {
        const uint64_t from = team->low < round ? team->starts[team->low % FRD_TEAM_ROUNDS] : team->end;

        if (need == 0 || place_of(team, need) + need <= from + team->ring_bytes)
            return true;
        if (team->low >= round || !frd_team_all_done(team, team->low + 1))
            return team->low >= round;
    }
}

bool frd_team_has_given(const frd_team *team, const frd_team_call *c, int member, uint32_t k)
{
    const frd_team_post *const post = &team->part[member]->give[(c->base + k) % FRD_TEAM_ROUNDS];

    return member == team->rank || team->send_of[member] != NULL ||
           atomic_load_explicit(&post->round, memory_order_acquire) == c->base + k + 1;
}

bool frd_team_has_result(const frd_team *team, const frd_team_call *c, int member, uint32_t k)
{
    const frd_team_post *const post = &team->part[member]->result[(c->base + k) % FRD_TEAM_ROUNDS];

    return member == team->rank ||
           atomic_load_explicit(&post->round, memory_order_acquire) == c->base + k + 1;
}

bool frd_team_is_source(const frd_team *team, const frd_team_call *c, int member)
{
    if (c->what.coll == FRD_NODE_BROADCAST || c->what.coll == FRD_NODE_SCATTER)
        return member == c->what.root;
    return member != team->rank;
}

bool frd_team_can_give(frd_team *team, const frd_team_call *c)
{
    return c->given < c->rounds && has_room(team, c->base + c->given, c->mapped ? 0 : c->need);
}

bool frd_team_can_take(frd_team *team, const frd_team_call *c)
{
    if (c->taken >= c->rounds || (c->gives && c->given <= c->taken))
        return false;
    if (c->mapped && c->results && !has_room(team, c->base + c->taken, 0)) /* for the result's post */
        return false;
    for (int i = 0; i < team->size; i++) {
        if (frd_team_is_source(team, c, i) && !frd_team_has_given(team, c, i, c->taken))
            return false;
    }
    return true;
}

bool frd_team_can_collect(const frd_team *team, const frd_team_call *c)
{
    if (c->led)
        return c->collected < c->rounds && c->given == c->rounds && frd_team_has_result(team, c, 0, 0);
    if (c->collected >= c->taken)
        return false;
    for (int i = 0; i < team->size; i++) {
        if (!frd_team_has_result(team, c, i, c->collected))
            return false;
    }
    return true;
}

void frd_team_wake(frd_team *team)
{
    if (team->fenced)
        atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&team->head->sleepers, memory_order_relaxed) == 0)
        return;
    for (int i = 0; i < team->size; i++) {
        if (i != team->rank)
            frd_shm_notify(team->shm->by_rank[team->world[i]]);
    }
}

void frd_team_publish(frd_team *team, frd_team_post *post, const frd_team_call *c, uint32_t k)
{
    post->len = c->what.len;
    post->kind = c->kind;
    atomic_store_explicit(&post->round, c->base + k + 1, memory_order_release);
    frd_team_wake(team);
}

/* Our ring's pages, before they are used one by one, each with a fault of its own. */
static void touch_ring(frd_team *team)
{
    volatile char *const ring = frd_team_ring(team, team->rank);
    void *const page = (void *)((uintptr_t)ring & ~(uintptr_t)4095);

    team->touched = true;
#ifdef MADV_POPULATE_WRITE /* glibc 2.35, Linux 5.14 */
    if (madvise(page, team->ring_bytes, MADV_POPULATE_WRITE) == 0)
        return;
#endif
    for (size_t at = 0; at < team->ring_bytes; at += 4096)
        ring[at] = ring[at];
}

/* `need` bytes of our ring in one piece. */
static char *take_room(frd_team *team, size_t need, uint32_t *at)
{
    if (need > SHORT_MAX && !team->touched)
        touch_ring(team);
    team->end = place_of(team, need);
    *at = (uint32_t)((team->end & (team->ring_bytes - 1)));
    team->end += need;
    return frd_team_ring(team, team->rank) + *at;
}

void frd_team_make_ready(const frd_team *team, size_t need)
{
    const char *const room = frd_team_ring(team, team->rank) + (team->end & (team->ring_bytes - 1));

    frd_prefetch_for_write(&team->mine->give[(team->round + 1) % FRD_TEAM_ROUNDS]);
    for (size_t at = 0; need > SHORT_MAX && need <= READY_MAX && at < need; at += LINE)
        frd_prefetch_for_write(room + at);
}

void frd_team_keep(const frd_team *team, frd_team_call *c, uint32_t k)
{
    const bool blocks = c->what.coll != FRD_NODE_SCATTER;
    size_t off;
    const size_t unit = frd_team_unit(team, c, team->rank, &off), at = frd_team_chunk(c, k);

    if (!c->keeps || c->kept > k)
        return;
    c->kept = k + 1;
    frd_team_copy(c, c->recv + (blocks ? (size_t)team->rank * c->what.len : 0) + at, c->send + off + at,
                  frd_team_piece(c, k, unit));
}

void frd_team_give(frd_team *team, frd_team_call *c)
{
    const uint32_t k = c->given;
    const uint64_t slot = (c->base + k) % FRD_TEAM_ROUNDS;
    frd_team_post *const post = &team->mine->give[slot];
    char *to = (char *)post->data;
    size_t off, unit;

    team->starts[slot] = team->end;
    post->at = 0;
    if (!c->small)
        to = take_room(team, c->need, &post->at);
    if (c->results)
        team->mine->result[slot].at = post->at + (uint32_t)(c->need - c->chunk); /* the last piece */
    if (!c->pieces && c->what.len > 0) {
        unit = frd_team_unit(team, c, team->rank, &off);
        memcpy(to, c->send + frd_team_chunk(c, k), frd_team_piece(c, k, unit));
    } else if (c->pieces) {
        for (int i = 0; i < team->size; i++) {
            if (i == team->rank)
                continue;
            unit = frd_team_unit(team, c, i, &off);
            memcpy(to, c->send + off + frd_team_chunk(c, k), frd_team_piece(c, k, unit));
            to += c->chunk;
        }
    }
    frd_team_publish(team, post, c, k);
    frd_team_keep(team, c, k);
    c->given++;
}

void frd_team_give_mapped(frd_team *team, frd_team_call *c)
{
    for (uint64_t round = c->base; round < c->base + c->rounds; round++)
        team->starts[round % FRD_TEAM_ROUNDS] = team->end;
    team->mine->give[c->base % FRD_TEAM_ROUNDS].at = FRD_TEAM_MAPPED;
    memcpy(team->mine->give[c->base % FRD_TEAM_ROUNDS].data, &c->place, sizeof(c->place));
    frd_team_publish(team, &team->mine->give[c->base % FRD_TEAM_ROUNDS], c, 0);
    c->given = c->rounds;
}

/* Maps another member's buffers. One that left the call may have freed them since. */
static int map_buffers(frd_team *team, frd_team_call *c, int member, const frd_team_place *place, frd_story *story)
{
    const int world = team->world[member];
    frd_story why = { .log = NULL };
    char *at;

    int rc = frd_shm_heap_map(team->shm, world, place->send_block, place->send_off, &at, &why);
    if (rc == FEDRDMA_OK && c->results)
        rc = frd_shm_heap_map(team->shm, world, place->recv_block, place->recv_off, &team->recv_of[member], &why);
    if (rc == FEDRDMA_OK) {
        team->send_of[member] = at;
    } else if (atomic_load_explicit(&team->part[member]->left, memory_order_acquire) > c->base) {
        c->spoiled = true;
        return FEDRDMA_OK;
    }
    return rc == FEDRDMA_OK ? rc : frd_fail(story, rc, "%s", why.text);
}

/* Where another member's buffers are here. */
static int locate(frd_team *team, frd_team_call *c, int member, frd_story *story)
{
    const frd_team_post *const post = &team->part[member]->give[c->base % FRD_TEAM_ROUNDS];
    const int world = team->world[member];
    frd_team_place place;

    memcpy(&place, post->data, sizeof(place));
    team->located = true;
    team->send_of[member] = frd_shm_heap_at(team->shm, world, place.send_block, place.send_off);
    team->recv_of[member] = frd_shm_heap_at(team->shm, world, place.recv_block, place.recv_off);
    if (team->send_of[member] != NULL && (team->recv_of[member] != NULL || !c->results))
        return FEDRDMA_OK;
    return map_buffers(team, c, member, &place, story);
}

int frd_team_look_at_posts(frd_team *team, frd_team_call *c, frd_story *story)
{
    bool all = c->mapped;
    int rc = FEDRDMA_OK;

    for (int i = 0; i < team->size && rc == FEDRDMA_OK; i++) {
        const frd_team_post *const post = &team->part[i]->give[c->base % FRD_TEAM_ROUNDS];

        if (i == team->rank || !frd_team_is_source(team, c, i))
            continue;
        if (post->len != c->what.len || post->kind != c->kind) {
            c->bad = i;
            c->bad_len = post->len;
            return FEDRDMA_ERR_MISMATCH;
        }
        all = all && post->at == FRD_TEAM_MAPPED;
        if (post->at == FRD_TEAM_MAPPED)
            rc = locate(team, c, i, story);
    }
    c->push = all && c->collects && c->what.coll == FRD_NODE_ALLREDUCE;
    return rc;
}

bool frd_team_is_spoiled(const frd_team *team, const frd_team_call *c)
{
    bool spoiled = false;

    if (!team->located)
        return false;
    atomic_thread_fence(memory_order_acquire); /* what we read was read before */
    for (int i = 0; i < team->size; i++)
        spoiled = spoiled || (team->send_of[i] != NULL && /* others may be ahead of us, and have left a later call */
                              atomic_load(&team->part[i]->left) > c->base);
    return spoiled;
}

/* Reduces chunk k of our slice and shows the others that it is there: in our ring, in our mapped receive buffer, or,
 * when we push, in theirs. Made of what a member that left had in its buffer it is shown to nobody. */
static void reduce_slice(frd_team *team, frd_team_call *c, uint32_t k)
{
    frd_team_post *const post = &team->mine->result[(c->base + k) % FRD_TEAM_ROUNDS];
    char *const ring = frd_team_ring(team, team->rank);
    size_t off;

    (void)frd_team_unit(team, c, team->rank, &off);
    if (c->push) /* who leaves waits while we store, and we don't when it has left: see frd_team_leave */
        atomic_store(&team->mine->storing, c->base + 1);
    c->spoiled = frd_team_is_spoiled(team, c);
    if (!c->spoiled)
        frd_team_reduce(team, c, k, c->collects ? c->recv + off + frd_team_chunk(c, k) : NULL,
                        c->mapped ? NULL : ring + post->at);
    if (c->push)
        atomic_store_explicit(&team->mine->storing, 0, memory_order_release);
    c->spoiled = c->spoiled || frd_team_is_spoiled(team, c);
    if (c->spoiled)
        return;
    if (c->mapped)
        post->at = FRD_TEAM_MAPPED;
    frd_team_publish(team, post, c, k);
    c->taken++;
}

int frd_team_take(frd_team *team, frd_team_call *c, frd_story *story)
{
    const frd_node_call *const w = &c->what;
    const uint32_t k = c->taken;
    size_t off;

    if (k == 0) {
        const int rc = frd_team_look_at_posts(team, c, story);
        if (rc != FEDRDMA_OK || c->spoiled)
            return rc;
    }
    if (w->len == 0) {
        c->taken = c->rounds;
        if (c->led)
            frd_team_publish(team, &team->mine->result[c->base % FRD_TEAM_ROUNDS], c, 0);
        return FEDRDMA_OK;
    }
    const size_t unit = frd_team_unit(team, c, team->rank, &off), len = frd_team_piece(c, k, unit);
    const size_t at = frd_team_chunk(c, k);
    if (c->results) {
        reduce_slice(team, c, k);
        return FEDRDMA_OK;
    }
    if (w->coll == FRD_NODE_ALLREDUCE || w->coll == FRD_NODE_REDUCE || w->coll == FRD_NODE_REDUCE_SCATTER) {
        frd_team_reduce(team, c, k, c->recv + at, NULL);
    } else if (w->coll == FRD_NODE_BROADCAST || (w->coll == FRD_NODE_SCATTER && team->rank != w->root)) {
        frd_team_copy(c, c->recv + at, frd_team_given(team, c, w->root, k, off), len);
    } else {
        frd_team_keep(team, c, k);
        for (int i = 0; i < team->size && w->coll != FRD_NODE_SCATTER; i++) {
            if (i != team->rank)
                frd_team_copy(c, c->recv + (size_t)i * w->len + at, frd_team_given(team, c, i, k, off), len);
        }
    }
    c->spoiled = frd_team_is_spoiled(team, c);
    c->taken++;
    return FEDRDMA_OK;
}

void frd_team_collect(frd_team *team, frd_team_call *c)
{
    const uint32_t k = c->collected;

    for (int i = 0; i < team->size && !c->push && !c->led; i++) { /* what was pushed is there already */
        const frd_team_post *const post = &team->part[i]->result[(c->base + k) % FRD_TEAM_ROUNDS];
        size_t off;
        const size_t len = frd_team_piece(c, k, frd_team_slice(team, &c->what, i, &off));
        const size_t at = off + frd_team_chunk(c, k);
        const char *const from = post->at == FRD_TEAM_MAPPED
                                     ? team->recv_of[i] + at
                                     : frd_team_ring(team, i) + (post->at & (team->ring_bytes - 1));

        if (i != team->rank)
            frd_team_copy(c, c->recv + at, from, len);
    }
    c->spoiled = !c->push && frd_team_is_spoiled(team, c);
    c->collected++;
}
