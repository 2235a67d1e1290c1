/* SPDX-License-Identifier: BSD-3-Clause
 * sim_queue.c - events in the order of their times (a heap of four children, which is shallower than one of two and
 * as quick to sift), and pairs of messages and receives (a hash table with linear probing). */
#include "sim/sim_impl.h"

#include "base/mem.h"

enum { CHILDREN = 4, FIRST = 1024 };

static bool before(const frd_sim_event *a, const frd_sim_event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns <= b->at_ns && a->order < b->order);
}

bool frd_sim_push(frd_sim_queue *q, const frd_sim_event *event)
{
    size_t i = q->count;
    frd_sim_event e = *event;

    if (q->count == q->room) {
        const size_t room = q->room == 0 ? FIRST : 2 * q->room;
        frd_sim_event *const heap = frd_realloc(q->heap, room * sizeof(*heap));

        if (heap == NULL)
            return false;
        q->heap = heap;
        q->room = room;
    }
    e.order = q->next++;
    q->count++;
    while (i > 0 && before(&e, &q->heap[(i - 1) / CHILDREN])) {
        q->heap[i] = q->heap[(i - 1) / CHILDREN];
        i = (i - 1) / CHILDREN;
    }
    q->heap[i] = e;
    return true;
}

bool frd_sim_pop(frd_sim_queue *q, frd_sim_event *event)
{
    size_t i = 0;

    if (q->count == 0)
        return false;
    *event = q->heap[0];
    const frd_sim_event last = q->heap[--q->count];

    for (;;) {
        size_t least = CHILDREN * i + 1;

        if (least >= q->count)
            break;
        for (size_t k = least + 1; k <= CHILDREN * i + CHILDREN && k < q->count; k++)
            least = before(&q->heap[k], &q->heap[least]) ? k : least;
        if (!before(&q->heap[least], &last))
            break;
        q->heap[i] = q->heap[least];
        i = least;
    }
    if (q->count > 0)
        q->heap[i] = last;
    return true;
}

/* ---- pairs ---- */

static uint64_t spread(uint64_t key)
{
    key ^= key >> 31;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return key ^ key >> 29;
}

static uint64_t key_of(int rank, uint32_t frag)
{
    return ((uint64_t)(uint32_t)rank << 32 | frag) + 1;
}

static size_t find(const frd_sim_pairs *p, uint64_t key, uint32_t step)
{
    size_t i = spread(key + ((uint64_t)step << 20)) & (p->room - 1);

    while (p->at[i].key != 0 && (p->at[i].key != key || p->at[i].step != step))
        i = (i + 1) & (p->room - 1);
    return i;
}

static bool grow(frd_sim_pairs *p)
{
    frd_sim_pairs more = { .count = p->count, .room = p->room == 0 ? FIRST : 2 * p->room };

    more.at = frd_calloc(more.room, sizeof(*more.at));
    if (more.at == NULL)
        return false;
    for (size_t i = 0; i < p->room; i++) {
        if (p->at[i].key != 0)
            more.at[find(&more, p->at[i].key, p->at[i].step)] = p->at[i];
    }
    frd_free(p->at);
    *p = more;
    return true;
}

/* Those behind it in the same run move up, or they would not be found. */
static void take_out(frd_sim_pairs *p, size_t i)
{
    p->at[i].key = 0;
    p->count--;
    for (size_t k = (i + 1) & (p->room - 1); p->at[k].key != 0; k = (k + 1) & (p->room - 1)) {
        const struct frd_sim_pair moved = p->at[k];

        p->at[k].key = 0;
        p->at[find(p, moved.key, moved.step)] = moved;
    }
}

bool frd_sim_meet(frd_sim_pairs *p, int rank, uint32_t frag, uint32_t step, bool *nomem)
{
    const uint64_t key = key_of(rank, frag);

    if (2 * p->count >= p->room && !grow(p)) {
        *nomem = true;
        return false;
    }
    const size_t i = find(p, key, step);
    if (p->at[i].key != 0) {
        take_out(p, i);
        return true;
    }
    p->at[i] = (struct frd_sim_pair){ .key = key, .step = step };
    p->count++;
    return false;
}
