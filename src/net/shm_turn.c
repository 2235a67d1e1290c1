/* SPDX-License-Identifier: BSD-3-Clause
 * shm_turn.c - the life of a team's call: its turn, its rounds as they become possible, its end, or its being left.
 *
 * Calls take turns by ticket, in the same order on all members. Who leaves a call early, or before its turn, still goes
 * past its rounds, so that the numbers of later rounds stay the same everywhere. */
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "net/shm_call.h"

enum {
    MAPPED_MIN = 8 * 1024, /* below it mapped buffers gain nothing */
    EAGER_LOOKS = 64,      /* before the core rests between two looks */
    YIELD_EACH = 256       /* looks between two times that the core is given away, whoever may want it */
};

/* A member that stores takes some 50 us; one that was stopped while it did is not waited for longer than this. */
#define LEAVE_NS FRD_NS_PER_S

/* What can't stay where others read it: a reduced slice of a rank without a receive buffer, and data that its own
 * result overwrites. */
static bool may_map(const frd_team_call *c)
{
    if (c->what.coll == FRD_NODE_ALLREDUCE && !c->results && c->send == c->recv)
        return false;
    return c->gives && c->what.len >= MAPPED_MIN && c->what.coll != FRD_NODE_REDUCE &&
           !(c->what.coll == FRD_NODE_REDUCE_SCATTER && c->what.in_place);
}

static void note_core(frd_team *team)
{
    const int32_t core = sched_getcpu() + 1; /* 0 where the kernel can't tell */

    if (atomic_load_explicit(&team->mine->core, memory_order_relaxed) != core)
        atomic_store_explicit(&team->mine->core, core, memory_order_relaxed);
}

static void begin(frd_team *team, frd_team_call *c)
{
    if (team->sharing)
        note_core(team);
    c->begun = true;
    c->base = team->round;
    c->given = c->taken = c->collected = c->kept = c->shown = 0;
    c->mapped = c->push = c->spoiled = false;
    if (!c->shaped)
        frd_team_shape(team, c);
    c->backwards = team->backwards;
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

/* Longer calls go to and fro: what the last one left in the caches is where the next begins (1 MiB: -9 %). */
static void pass(frd_team *team, uint32_t rounds)
{
    team->round += rounds;
    if (rounds > 1)
        team->backwards = !team->backwards;
}

static void next_turn(frd_team *team, uint32_t rounds)
{
    team->running = NULL;
    pass(team, rounds);
    team->serving++;
    for (size_t i = 0; i < team->nskips;) {
        if (team->skips[i].ticket != team->serving) {
            i++;
            continue;
        }
        note_starts(team, team->round, team->skips[i].rounds);
        pass(team, team->skips[i].rounds);
        atomic_store_explicit(&team->mine->done, team->round, memory_order_release);
        frd_team_wake(team);
        team->serving++;
        team->skips[i] = team->skips[--team->nskips];
        i = 0;
    }
}

/* Tells the rounds of which we need nothing any more. */
static void show_done(frd_team *team, frd_team_call *c)
{
    uint32_t done = c->takes ? c->taken : c->rounds;

    if (c->collects && c->collected < done)
        done = c->collected;
    if (done == c->shown)
        return;
    c->shown = done;
    atomic_store_explicit(&team->mine->done, c->base + done, memory_order_release);
    frd_team_wake(team);
}

/* Who pushed and has seen the others' results knows that they have read all of its buffer, and stored all of theirs. */
static bool is_over(frd_team *team, const frd_team_call *c)
{
    return !c->spoiled && (!c->gives || c->given == c->rounds) && c->shown == c->rounds &&
           (!c->mapped || c->push || frd_team_all_done(team, c->base + c->rounds));
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
    if (c->gives && frd_team_can_give(team, c)) {
        if (c->mapped)
            frd_team_give_mapped(team, c);
        else
            frd_team_give(team, c);
        moved = true;
    }
    if (c->takes && frd_team_can_take(team, c)) {
        const int rc = frd_team_take(team, c, story);
        if (rc != FEDRDMA_OK)
            return rc;
        moved = true;
    }
    if (c->collects && frd_team_can_collect(team, c)) {
        frd_team_collect(team, c);
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

/* Does a member on our core go on sooner if we give it away: one that we wait for, or, if we are patient no more, one
 * that is behind us? Else that costs 1.3 us for nothing, and what we wait for may come meanwhile. */
static bool keeps_others(const frd_team *team, const frd_team_call *c, bool patient)
{
    const int core = sched_getcpu() + 1;
    const uint64_t done = atomic_load_explicit(&team->mine->done, memory_order_relaxed);

    for (int i = 0; i < team->size; i++) {
        const frd_team_part *const part = team->part[i];

        if (i != team->rank && core > 0 && atomic_load_explicit(&part->core, memory_order_relaxed) == core &&
            (frd_team_waits_for(team, c, i) ||
             (!patient && atomic_load_explicit(&part->done, memory_order_relaxed) < done)))
            return true;
    }
    return false;
}

bool frd_team_rest(const frd_team *team, const frd_team_call *c, frd_team_patience patience, int n)
{
    if (n >= patience.looks)
        return false;
    if (n >= patience.yield_from && (n % YIELD_EACH == 0 || keeps_others(team, c, n < EAGER_LOOKS)))
        (void)sched_yield();
    else if (n >= EAGER_LOOKS)
        frd_pause();
    return true;
}

static bool await(const frd_team *team, const frd_team_call *c, int member, frd_team_patience patience)
{
    for (int n = 0; !frd_team_has_given(team, c, member, 0); n++) {
        if (!frd_team_rest(team, c, patience, n))
            return false;
    }
    return true;
}

/* Of a led barrier. */
static bool await_result(const frd_team *team, frd_team_call *c, frd_team_patience patience)
{
    for (int n = 0; !frd_team_has_result(team, c, 0, 0); n++) {
        if (!frd_team_rest(team, c, patience, n))
            return false;
    }
    c->collected = 1;
    return true;
}

static bool give_short(frd_team *team, frd_team_call *c)
{
    frd_team_post *const post = &team->mine->give[c->base % FRD_TEAM_ROUNDS];

    if (!frd_team_can_give(team, c))
        return false;
    if (!c->small || c->pieces) {
        frd_team_give(team, c);
        return true;
    }
    team->starts[c->base % FRD_TEAM_ROUNDS] = team->end;
    if (c->what.len > 0)
        memcpy(post->data, c->send, c->what.len);
    post->at = 0;
    frd_team_publish(team, post, c, 0);
    c->given = 1;
    return true;
}

/* What frd_team_poll does for a call of one round, in two goes. For the shortest calls, whose data is in the posts,
 * each instruction counts: 4 of them are a nanosecond, and all there is to wait for is 55. */
bool frd_team_short_give(frd_team *team, frd_team_call *c)
{
    if (team->serving != c->ticket)
        return false;
    begin(team, c);
    if (c->mapped || c->rounds > 1 || c->results)
        return false;
    if (!c->gives)
        return true;
    return give_short(team, c);
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
        frd_team_keep(team, c, 0);
        for (int i = 0; i < team->size; i++) {
            if (frd_team_is_source(team, c, i) && !await(team, c, i, patience))
                return false;
        }
        if (c->small && c->kernel != NULL && team->size == 2 && c->what.coll == FRD_NODE_ALLREDUCE) {
            if (frd_team_look_at_posts(team, c, NULL) != FEDRDMA_OK)
                return false;
            take_smallest(team, c, &team->part[1 - team->rank]->give[slot]);
        } else if (frd_team_take(team, c, NULL) != FEDRDMA_OK || c->spoiled) {
            return false;
        }
    }
    if (c->led && c->collects && !await_result(team, c, patience))
        return false;
    atomic_store_explicit(&team->mine->done, c->base + 1, memory_order_release);
    frd_team_wake(team);
    if (!c->gives)
        team->starts[slot] = team->end;
    next_turn(team, 1);
    frd_team_make_ready(team, c->need);
    return true;
}

bool frd_team_waits_for(const frd_team *team, const frd_team_call *c, int member)
{
    if (!c->begun || c->done || member == team->rank)
        return false;
    if (c->led && c->collects && c->given == c->rounds && c->collected < c->rounds)
        return !frd_team_has_given(team, c, member, 0) || (member == 0 && !frd_team_has_result(team, c, 0, 0));
    if (c->takes && c->taken < c->rounds && (!c->gives || c->given > c->taken))
        return frd_team_is_source(team, c, member) && !frd_team_has_given(team, c, member, c->taken);
    if (c->collects && c->collected < c->taken)
        return !frd_team_has_result(team, c, member, c->collected);
    const uint64_t needed = c->gives && c->given < c->rounds ? c->base + c->given : c->base + c->rounds;
    return atomic_load_explicit(&team->part[member]->done, memory_order_acquire) < needed;
}

bool frd_team_ready(frd_team *team)
{
    frd_team_call *const c = team->running;

    return c != NULL && !c->spoiled &&
           ((c->gives && frd_team_can_give(team, c)) || (c->takes && frd_team_can_take(team, c)) ||
            (c->collects && frd_team_can_collect(team, c)) || is_over(team, c));
}

int frd_team_reserve(frd_team *team, size_t calls)
{
    const size_t need = (size_t)(team->tickets - team->serving) + calls;
    size_t cap = team->skips_cap == 0 ? 16 : team->skips_cap;

    if (need <= team->skips_cap)
        return FEDRDMA_OK;
    while (cap < need)
        cap *= 2;
    frd_team_skip *const skips = frd_realloc(team->skips, cap * sizeof(*skips));
    if (skips == NULL)
        return FEDRDMA_ERR_NOMEM;
    team->skips = skips;
    team->skips_cap = cap;
    return FEDRDMA_OK;
}

/* Leaving is two stores and two looks, in the order of Dekker: we say that we left and look who stores; who wants
 * to store says so and looks who left. So nobody stores after this has returned true. */
bool frd_team_leave(frd_team *team, frd_team_call *c)
{
    bool stores = false;

    if (!c->done && c->begun) {
        atomic_store(&team->mine->left, c->base + 1);
        note_starts(team, c->base + c->given, c->rounds - c->given); /* what we gave may still be taken */
        atomic_store_explicit(&team->mine->done, c->base + c->rounds, memory_order_release);
        frd_team_wake(team);
        next_turn(team, c->rounds);
    } else if (!c->done) {
        team->skips[team->nskips++] = (frd_team_skip){ c->ticket, frd_team_rounds(team, &c->what) };
        if (team->serving == c->ticket) {
            team->serving--; /* next_turn's own step */
            next_turn(team, 0);
        }
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
