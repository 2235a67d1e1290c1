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
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "net/shm_call.h"

enum {
    SHORT_LAP = 64 * 1024, /* the part of the ring that short data goes round in */
    SHORT_MAX = 3 * 1024,
    MAPPED_MIN = 8 * 1024, /* below it mapped buffers gain nothing */
    EAGER_LOOKS = 64       /* before the core rests between two looks */
};

/* A member that stores takes some 50 us; one that was stopped while it did is not waited for longer than this. */
#define LEAVE_NS FRD_NS_PER_S

/* ---- rounds --------------------------------------------------------------------------------------- */

/* Are the first `rounds` rounds of all done by everybody, as far as a look can tell? */
static bool all_done(frd_team *team, uint64_t rounds)
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
    if (round >= FRD_TEAM_ROUNDS && !all_done(team, round + 1 - FRD_TEAM_ROUNDS))
        return false;
    for (;;) {
        const uint64_t from = team->low < round ? team->starts[team->low % FRD_TEAM_ROUNDS] : team->end;

        if (need == 0 || place_of(team, need) + need <= from + team->ring_bytes)
            return true;
        if (team->low >= round || !all_done(team, team->low + 1))
            return team->low >= round;
    }
}

static bool has_given(const frd_team *team, const frd_team_call *c, int member, uint32_t k)
{
    const frd_team_post *const post = &team->part[member]->give[(c->base + k) % FRD_TEAM_ROUNDS];

    return member == team->rank || team->send_of[member] != NULL ||
           atomic_load_explicit(&post->round, memory_order_acquire) == c->base + k + 1;
}

static bool has_result(const frd_team *team, const frd_team_call *c, int member, uint32_t k)
{
    const frd_team_post *const post = &team->part[member]->result[(c->base + k) % FRD_TEAM_ROUNDS];

    return member == team->rank ||
           atomic_load_explicit(&post->round, memory_order_acquire) == c->base + k + 1;
}

/* Does a member that takes need what this one gives? */
static bool is_source(const frd_team *team, const frd_team_call *c, int member)
{
    if (c->what.coll == FRD_NODE_BROADCAST || c->what.coll == FRD_NODE_SCATTER)
        return member == c->what.root;
    return member != team->rank;
}

static bool can_give(frd_team *team, const frd_team_call *c)
{
    return c->given < c->rounds && has_room(team, c->base + c->given, c->mapped ? 0 : c->need);
}

static bool can_take(frd_team *team, const frd_team_call *c)
{
    if (c->taken >= c->rounds || (c->gives && c->given <= c->taken))
        return false;
    if (c->mapped && c->results && !has_room(team, c->base + c->taken, 0)) /* for the result's post */
        return false;
    for (int i = 0; i < team->size; i++) {
        if (is_source(team, c, i) && !has_given(team, c, i, c->taken))
            return false;
    }
    return true;
}

static bool can_collect(const frd_team *team, const frd_team_call *c)
{
    if (c->collected >= c->taken)
        return false;
    for (int i = 0; i < team->size; i++) {
        if (!has_result(team, c, i, c->collected))
            return false;
    }
    return true;
}

static void wake(frd_team *team)
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

static void publish(frd_team *team, frd_team_post *post, const frd_team_call *c, uint32_t k)
{
    post->len = c->what.len;
    post->kind = c->kind;
    atomic_store_explicit(&post->round, c->base + k + 1, memory_order_release);
    wake(team);
}

/* Our ring's pages, before they are used one by one, each with a fault of its own. */
static void touch_ring(frd_team *team)
{
    team->touched = true;
    if (madvise((void *)((uintptr_t)frd_team_ring(team, team->rank) & ~(uintptr_t)4095), team->ring_bytes, MADV_POPULATE_WRITE) == 0)
        return;
    volatile char *const ring = frd_team_ring(team, team->rank); /* kernels before 5.14 */
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

/* Copies what is our own of chunk k: while the others are waited for, and while it is in the cache. */
static void keep(const frd_team *team, frd_team_call *c, uint32_t k)
{
    const bool blocks = c->what.coll != FRD_NODE_SCATTER;
    size_t off;
    const size_t unit = frd_team_unit(team, c, team->rank, &off), at = k * c->chunk;

    if (!c->keeps || c->kept > k)
        return;
    c->kept = k + 1;
    frd_team_copy(c, c->recv + (blocks ? (size_t)team->rank * c->what.len : 0) + at, c->send + off + at,
                  frd_team_piece(c, k, unit));
}

static void give(frd_team *team, frd_team_call *c)
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
    team->mine->result[slot].at = post->at + (uint32_t)(c->need - c->stride); /* the last piece */
    if (!c->pieces) {
        unit = frd_team_unit(team, c, team->rank, &off);
        memcpy(to, c->send + k * c->chunk, frd_team_piece(c, k, unit));
    } else {
        for (int i = 0; i < team->size; i++) {
            if (i == team->rank)
                continue;
            unit = frd_team_unit(team, c, i, &off);
            memcpy(to, c->send + off + k * c->chunk, frd_team_piece(c, k, unit));
            to += c->stride;
        }
    }
    publish(team, post, c, k);
    keep(team, c, k);
    c->given++;
}

static void give_mapped(frd_team *team, frd_team_call *c)
{
    for (uint64_t round = c->base; round < c->base + c->rounds; round++)
        team->starts[round % FRD_TEAM_ROUNDS] = team->end;
    team->mine->give[c->base % FRD_TEAM_ROUNDS].at = FRD_TEAM_MAPPED;
    memcpy(team->mine->give[c->base % FRD_TEAM_ROUNDS].data, &c->place, sizeof(c->place));
    publish(team, &team->mine->give[c->base % FRD_TEAM_ROUNDS], c, 0);
    c->given = c->rounds;
}

/* Where another member's buffers are here. */
static int locate(frd_team *team, const frd_team_call *c, int member, frd_story *story)
{
    const frd_team_post *const post = &team->part[member]->give[c->base % FRD_TEAM_ROUNDS];
    const int world = team->world[member];
    frd_team_place place;
    char *at;

    memcpy(&place, post->data, sizeof(place));
    int rc = frd_shm_heap_map(team->shm, world, place.send_block, place.send_off, &at, story);
    if (rc != FEDRDMA_OK)
        return rc;
    team->located = true;
    team->send_of[member] = at;
    if (c->results)
        rc = frd_shm_heap_map(team->shm, world, place.recv_block, place.recv_off, &team->recv_of[member], story);
    return rc;
}

/* At the first round: do the others mean the same call, and where are their buffers? */
static int look_at_posts(frd_team *team, frd_team_call *c, frd_story *story)
{
    bool all = c->mapped;
    int rc = FEDRDMA_OK;

    for (int i = 0; i < team->size && rc == FEDRDMA_OK; i++) {
        const frd_team_post *const post = &team->part[i]->give[c->base % FRD_TEAM_ROUNDS];

        if (i == team->rank || !is_source(team, c, i))
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

/* Has a member whose buffers we read where they are left the call? Then what we read may be anything. */
static bool is_spoiled(const frd_team *team, const frd_team_call *c)
{
    bool spoiled = false;

    if (!team->located)
        return false;
    atomic_thread_fence(memory_order_seq_cst);
    for (int i = 0; i < team->size; i++)
        spoiled = spoiled || atomic_load_explicit(&team->part[i]->left, memory_order_acquire) > c->base;
    return spoiled;
}

static int take(frd_team *team, frd_team_call *c, frd_story *story)
{
    const frd_node_call *const w = &c->what;
    const uint32_t k = c->taken;
    const uint64_t slot = (c->base + k) % FRD_TEAM_ROUNDS;
    size_t off;

    if (k == 0 && w->len + (w->coll == FRD_NODE_BARRIER) > 0) {
        const int rc = look_at_posts(team, c, story);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    if (w->len == 0) {
        c->taken = c->rounds;
        return FEDRDMA_OK;
    }
    const size_t unit = frd_team_unit(team, c, team->rank, &off), len = frd_team_piece(c, k, unit), at = k * c->chunk;
    if (c->push) { /* who leaves waits while we store, and we don't when it has left: see frd_team_leave */
        atomic_store(&team->mine->storing, c->base + 1);
        c->spoiled = is_spoiled(team, c);
        if (c->spoiled) {
            atomic_store_explicit(&team->mine->storing, 0, memory_order_release);
            return FEDRDMA_OK;
        }
    }
    if (c->results) {
        char *const to = c->collects ? c->recv + off + at : NULL;
        const bool shown = !c->mapped && !c->push;

        frd_team_reduce(team, c, k, to, shown ? frd_team_ring(team, team->rank) + team->mine->result[slot].at : NULL);
        if (!shown)
            team->mine->result[slot].at = FRD_TEAM_MAPPED;
        if (!c->push)
            publish(team, &team->mine->result[slot], c, k);
    } else if (w->coll == FRD_NODE_ALLREDUCE || w->coll == FRD_NODE_REDUCE || w->coll == FRD_NODE_REDUCE_SCATTER) {
        frd_team_reduce(team, c, k, c->recv + at, NULL);
    } else if (w->coll == FRD_NODE_BROADCAST || (w->coll == FRD_NODE_SCATTER && team->rank != w->root)) {
        frd_team_copy(c, c->recv + at, frd_team_given(team, c, w->root, k, off), len);
    } else {
        keep(team, c, k);
        for (int i = 0; i < team->size && w->coll != FRD_NODE_SCATTER; i++) {
            if (i != team->rank)
                frd_team_copy(c, c->recv + (size_t)i * w->len + at, frd_team_given(team, c, i, k, off), len);
        }
    }
    if (c->push)
        atomic_store_explicit(&team->mine->storing, 0, memory_order_release);
    c->spoiled = is_spoiled(team, c);
    c->taken++;
    return FEDRDMA_OK;
}

/* Copies the others' reduced slices. */
static void collect(frd_team *team, frd_team_call *c)
{
    const uint32_t k = c->collected;

    for (int i = 0; i < team->size; i++) {
        const frd_team_post *const post = &team->part[i]->result[(c->base + k) % FRD_TEAM_ROUNDS];
        size_t off;
        const size_t len = frd_team_piece(c, k, frd_team_slice(team, &c->what, i, &off)), at = off + k * c->chunk;

        if (i == team->rank)
            continue;
        frd_team_copy(c, c->recv + at,
             post->at == FRD_TEAM_MAPPED ? team->recv_of[i] + at : frd_team_ring(team, i) + (post->at & (team->ring_bytes - 1)), len);
    }
    c->spoiled = is_spoiled(team, c);
    c->collected++;
}

/* ---- the life of a call --------------------------------------------------------------------------- */

/* What can't stay where others read it: a reduced slice of a rank without a receive buffer, and data that its own
 * result overwrites. */
static bool may_map(const frd_team_call *c)
{
    if (c->what.coll == FRD_NODE_ALLREDUCE && !c->results && c->send == c->recv)
        return false;
    return c->gives && c->what.len >= MAPPED_MIN && c->what.coll != FRD_NODE_REDUCE &&
           !(c->what.coll == FRD_NODE_REDUCE_SCATTER && c->what.in_place);
}

static void begin(frd_team *team, frd_team_call *c)
{
    c->begun = true;
    c->base = team->round;
    c->given = c->taken = c->collected = c->kept = c->shown = 0;
    c->mapped = c->push = c->spoiled = false;
    if (!c->shaped)
        frd_team_shape(team, c);
    if (team->located) {
        memset(team->send_of, 0, (size_t)team->size * sizeof(*team->send_of));
        team->located = false;
    }
    if (may_map(c) && team->shm->heap.count > 0) {
        const size_t n = (size_t)team->size, all = c->pieces && !c->results ? c->what.len * (n - 1) : 0;
        frd_team_place place = { 0 };

        c->mapped = frd_shm_heap_find(&team->shm->heap, c->send, all + c->what.len, &place.send_block, &place.send_off);
        if (c->mapped && c->results)
            c->mapped =
                frd_shm_heap_find(&team->shm->heap, c->recv, c->what.len, &place.recv_block, &place.recv_off);
        c->place = place;
    }
    team->running = c;
}

/* Our ring as the rounds of a call in which we gave nothing leave it. */
static void note_starts(frd_team *team, uint64_t from, uint32_t rounds)
{
    const uint64_t end = from + rounds;

    for (uint64_t round = rounds > FRD_TEAM_ROUNDS ? end - FRD_TEAM_ROUNDS : from; round < end; round++)
        team->starts[round % FRD_TEAM_ROUNDS] = team->end;
}

static void next_turn(frd_team *team, uint32_t rounds)
{
    team->running = NULL;
    team->round += rounds;
    team->serving++;
    for (size_t i = 0; i < team->nskips;) {
        if (team->skips[i].ticket != team->serving) {
            i++;
            continue;
        }
        note_starts(team, team->round, team->skips[i].rounds);
        team->round += team->skips[i].rounds;
        atomic_store_explicit(&team->mine->done, team->round, memory_order_release);
        wake(team);
        team->serving++;
        team->skips[i] = team->skips[--team->nskips];
        i = 0;
    }
}

/* Tells the rounds of which we need nothing any more. */
static void show_done(frd_team *team, frd_team_call *c)
{
    uint32_t done = c->takes ? c->taken : c->rounds;

    if (c->collects && !c->push && c->collected < done)
        done = c->collected;
    if (done == c->shown)
        return;
    c->shown = done;
    atomic_store_explicit(&team->mine->done, c->base + done, memory_order_release);
    wake(team);
}

static bool is_over(frd_team *team, const frd_team_call *c)
{
    return !c->spoiled && (!c->gives || c->given == c->rounds) && c->shown == c->rounds &&
           (!c->mapped || all_done(team, c->base + c->rounds));
}

int frd_team_poll(frd_team *team, frd_team_call *c, frd_story *story)
{
    bool moved = false;

    if (!c->begun) {
        if (team->serving != c->ticket)
            return FRD_TEAM_IDLE;
        begin(team, c);
    }
    if (c->spoiled)
        return FRD_TEAM_IDLE;
    if (c->gives && can_give(team, c)) {
        if (c->mapped)
            give_mapped(team, c);
        else
            give(team, c);
        moved = true;
    }
    if (c->takes && can_take(team, c)) {
        const int rc = take(team, c, story);
        if (rc != FEDRDMA_OK)
            return rc;
        moved = true;
    }
    if (c->collects && !c->push && can_collect(team, c)) {
        collect(team, c);
        moved = true;
    }
    show_done(team, c);
    if (!is_over(team, c))
        return moved ? FRD_TEAM_MOVED : FRD_TEAM_IDLE;
    if (!c->gives)
        note_starts(team, c->base, c->rounds);
    next_turn(team, c->rounds);
    return FRD_TEAM_OVER;
}

/* One step of waiting, the n-th; false when that was long enough. */
bool frd_team_rest(frd_team_patience patience, int n)
{
    if (n >= patience.looks + patience.yields)
        return false;
    if (n >= patience.looks)
        (void)sched_yield();
    else if (n >= EAGER_LOOKS)
        frd_pause();
    return true;
}

static bool await(const frd_team_post *post, uint64_t round, frd_team_patience patience)
{
    for (int n = 0; atomic_load_explicit(&post->round, memory_order_acquire) != round; n++) {
        if (!frd_team_rest(patience, n))
            return false;
    }
    return true;
}

/* What frd_team_poll does for a call of one round, in two goes. For the shortest calls, whose data is in the posts, each
 * instruction counts: 4 of them are a nanosecond, and all there is to wait for is 55. */
bool frd_team_short_give(frd_team *team, frd_team_call *c)
{
    frd_team_post *const post = &team->mine->give[team->round % FRD_TEAM_ROUNDS];

    if (team->serving != c->ticket)
        return false;
    begin(team, c);
    if (c->mapped || c->rounds > 1 || c->results)
        return false;
    if (!c->gives)
        return true;
    if (!can_give(team, c))
        return false;
    if (c->small && !c->pieces) {
        team->starts[c->base % FRD_TEAM_ROUNDS] = team->end;
        memcpy(post->data, c->send, c->what.len);
        post->at = 0;
        publish(team, post, c, 0);
        c->given = 1;
    } else {
        give(team, c);
    }
    return true;
}

/* The allreduce of two. */
static void take_smallest(const frd_team *team, frd_team_call *c, const frd_team_post *post)
{
    if (team->rank == 0)
        c->kernel(c->recv, c->send, post->data, c->count);
    else
        c->kernel(c->recv, post->data, c->send, c->count);
    c->taken = 1;
}

bool frd_team_short_take(frd_team *team, frd_team_call *c, frd_team_patience patience)
{
    const uint64_t slot = c->base % FRD_TEAM_ROUNDS;

    if (c->takes) {
        keep(team, c, 0);
        for (int i = 0; i < team->size; i++) {
            if (is_source(team, c, i) && !await(&team->part[i]->give[slot], c->base + 1, patience))
                return false;
        }
        if (c->small && c->kernel != NULL && team->size == 2 && c->what.coll == FRD_NODE_ALLREDUCE) {
            if (look_at_posts(team, c, NULL) != FEDRDMA_OK)
                return false;
            take_smallest(team, c, &team->part[1 - team->rank]->give[slot]);
        } else if (take(team, c, NULL) != FEDRDMA_OK || c->spoiled) {
            return false;
        }
    }
    atomic_store_explicit(&team->mine->done, c->base + 1, memory_order_release);
    wake(team);
    if (!c->gives)
        team->starts[slot] = team->end;
    next_turn(team, 1);
    return true;
}

bool frd_team_ready(frd_team *team)
{
    frd_team_call *const c = team->running;

    return c != NULL && !c->spoiled &&
           ((c->gives && can_give(team, c)) || (c->takes && can_take(team, c)) ||
            (c->collects && !c->push && can_collect(team, c)) || is_over(team, c));
}

static int skip(frd_team *team, const frd_team_call *c)
{
    if (team->nskips == team->skips_cap) {
        const size_t cap = team->skips_cap == 0 ? 8 : 2 * team->skips_cap;
        frd_team_skip *const skips = frd_realloc(team->skips, cap * sizeof(*skips));

        if (skips == NULL)
            return FEDRDMA_ERR_NOMEM;
        team->skips = skips;
        team->skips_cap = cap;
    }
    team->skips[team->nskips++] = (frd_team_skip){ c->ticket, frd_team_rounds(team, &c->what) };
    return FEDRDMA_OK;
}

/* Leaving is two stores and two looks, in the order of Dekker: we say that we left and look who stores; who wants
 * to store says so and looks who left. So nobody stores after this has returned true. */
bool frd_team_leave(frd_team *team, frd_team_call *c)
{
    bool stores = false;

    if (!c->done && c->begun) {
        atomic_store(&team->mine->left, c->base + 1);
        note_starts(team, c->base, c->rounds);
        atomic_store_explicit(&team->mine->done, c->base + c->rounds, memory_order_release);
        wake(team);
        next_turn(team, c->rounds);
    } else if (!c->done && skip(team, c) == FEDRDMA_OK && team->serving == c->ticket) {
        team->serving--; /* next_turn's own step */
        next_turn(team, 0);
    }
    if (!c->done)
        c->left_ns = frd_now_ns();
    c->done = true;
    atomic_thread_fence(memory_order_seq_cst);
    for (int i = 0; c->mapped && i < team->size && !stores; i++)
        stores = i != team->rank && atomic_load(&team->part[i]->storing) == c->base + 1 &&
                 !team->shm->by_rank[team->world[i]]->lost;
    return !stores || frd_now_ns() - c->left_ns > LEAVE_NS;
}
