/* SPDX-License-Identifier: BSD-3-Clause
 * net_traffic.c - see net_traffic.h. */
#include "net_traffic.h"

#include <string.h>

#include "base/num.h"

enum { CANARY_BYTE = 0xa5, CANCELED_BYTE = 0x5a };

static uint64_t mix(const world *w, int from, int to, int i, int what)
{
    uint64_t z = w->seed * UINT64_C(1000003) + (uint64_t)from * 10007 + (uint64_t)to * 101 + (uint64_t)what;

    z = z * UINT64_C(0xd6e8feb86659fd93) + (uint64_t)i;
    return world_draw(&z);
}

/* Often at the limits of protocols. */
static size_t pick_len(const rank *r, uint64_t random, size_t len_max)
{
    const size_t limit[] = { 0,
                             1,
                             16,
                             FRD_CONTROL_MAX,
                             r->conf.eager,
                             r->conf.eager_credit,
                             r->conf.shm_ring / 4,
                             r->conf.shm_ring / 2,
                             r->conf.shm_ring,
                             2 * r->conf.shm_ring,
                             1 << 20 };
    const size_t n = sizeof(limit) / sizeof(limit[0]);
    size_t len = random >> 8 & 1023;

    if (random % 3 == 0) {
        len = limit[(random >> 20) % n];
        len += (random >> 40) % 3;
        len -= frd_min_size(len, 1);
    }
    return frd_min_size(len, len_max);
}

static void pattern(const item *i, unsigned char *out)
{
    const int from = i->sending ? i->rank->rank : i->msg.peer, to = i->sending ? i->msg.peer : i->rank->rank;
    const unsigned first = (unsigned)mix(i->rank->world, from, to, (int)i->msg.tag.idx, 7);

    for (size_t k = 0; k < i->msg.len; k++)
        out[k] = (unsigned char)(first + k * 7 + (k >> 8));
}

static void done(frd_msg *msg, int rc)
{
    item *const i = (item *)msg;
    traffic *const t = i->rank->user;

    REQUIRE(i->started && !i->ended);
    REQUIRE(rc == FEDRDMA_OK || rc == FEDRDMA_ERR_RANK_LOST || (rc == FEDRDMA_ERR_CANCELED && i->fragile));
    i->ended++;
    i->rc = rc;
    t->ended++;
    t->firm_ended += !i->fragile;
}

static void item_make(rank *r, const traffic_plan *plan, item *i, int peer, int number)
{
    const int from = i->sending ? r->rank : peer, to = i->sending ? peer : r->rank;
    const uint64_t fate = mix(r->world, from, to, number, 3);

    i->rank = r;
    i->msg.peer = peer;
    i->msg.done = done;
    i->msg.tag = (frd_tag){
        .comm = 1, .seq = (uint32_t)number / 64, .frag = (uint32_t)number % 64, .idx = (uint32_t)number
    };
    i->msg.len = pick_len(r, mix(r->world, from, to, number, 1), plan->len_max);
    i->cancels = (int)(fate % 100) < plan->cancel_percent;
    i->fragile = i->cancels || (plan->mortal > 0 && (from == plan->mortal || to == plan->mortal));
    i->cancels = i->cancels && (fate >> 8) % 3 != (i->sending ? 1 : 2); /* this end, the other, or both */
    i->block = malloc(i->msg.len + 2 * CANARY);
    REQUIRE(i->block != NULL);
    memset(i->block, CANARY_BYTE, i->msg.len + 2 * CANARY);
    i->msg.buf = i->block + CANARY;
    if (i->sending)
        pattern(i, i->msg.buf);
}

void traffic_plan_make(rank *r, const traffic_plan *plan, traffic *t)
{
    const int all = 2 * plan->messages * (r->size - 1);
    int *const order = malloc((size_t)all * sizeof(*order));
    int n = 0;

    *t = (traffic){ .item = calloc((size_t)all, sizeof(*t->item)), .items = all };
    REQUIRE(t->item != NULL && order != NULL);
    for (int i = 0; i < all; i++) {
        const int j = (int)world_below(r, (size_t)i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (int peer = 0; peer < r->size; peer++) {
        for (int i = 0; i < 2 * plan->messages && peer != r->rank; i++) {
            item *const it = &t->item[order[n++]];

            it->sending = i % 2;
            item_make(r, plan, it, peer, i / 2);
            t->firm += !it->fragile;
        }
    }
    free(order);
    r->user = t;
}

void traffic_start(traffic *t, item *i)
{
    i->started = true;
    t->started++;
    if (i->sending)
        frd_fabric_send(i->rank->fabric, &i->msg);
    else
        frd_fabric_recv(i->rank->fabric, &i->msg);
}

void traffic_start_all(rank *r, traffic *t)
{
    for (int i = 0; i < t->items; i++) {
        traffic_start(t, &t->item[i]);
        for (size_t turns = world_below(r, 8) < 5 ? 0 : world_below(r, 4); turns > 0; turns--)
            frd_fabric_progress(r->fabric);
    }
}

void traffic_cancel(rank *r, item *i)
{
    traffic *const t = r->user;

    if (!i->ended)
        frd_fabric_cancel(r->fabric, &i->msg);
    for (int turns = 0; !i->ended; turns++) {
        frd_fabric_progress(r->fabric);
        REQUIRE(turns < 1000000);
    }
    REQUIRE(t->ended <= t->started);
    /* The buffer is ours again: whoever still reads or writes it is found out. */
    if (i->sending)
        memset(i->msg.buf, CANCELED_BYTE, i->msg.len);
    else if (i->rc == FEDRDMA_ERR_CANCELED)
        memset(i->msg.buf, CANARY_BYTE, i->msg.len);
}

static bool all_canary(const unsigned char *at, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (at[k] != CANARY_BYTE)
            return false;
    }
    return true;
}

void traffic_check(const item *i)
{
    unsigned char *expected;

    REQUIRE(i->ended);
    REQUIRE(all_canary(i->block, CANARY) && all_canary(i->block + CANARY + i->msg.len, CANARY));
    if (i->sending)
        return;
    if (i->rc == FEDRDMA_ERR_CANCELED)
        REQUIRE(all_canary(i->msg.buf, i->msg.len));
    if (i->rc != FEDRDMA_OK)
        return;
    expected = malloc(i->msg.len + 1);
    REQUIRE(expected != NULL);
    pattern(i, expected);
    REQUIRE(memcmp(expected, i->msg.buf, i->msg.len) == 0);
    free(expected);
}

void traffic_free(traffic *t)
{
    for (int i = 0; i < t->items; i++)
        free(t->item[i].block);
    free(t->item);
}
