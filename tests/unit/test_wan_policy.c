/* SPDX-License-Identifier: BSD-3-Clause
 * test_wan_policy.c - what a topology file forbids, in virtual time: caps hold for a silo's ranks together
 * and for what is relayed, and cost no more than they say; ranks that may not talk exchange no datagram. */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "wan_model.h"

#define GBIT UINT64_C(125000000)
#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

static model m;

static void begin(int nodes, uint64_t rate)
{
    const model_link link = { .rate = rate, .delay_ns = 20 * MS, .queue_bytes = rate / 25 };

    model_init(&m, nodes, 1);
    m.late_ns = MS / 10;
    model_links(&m, &link);
}

static void finish(void)
{
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}

static void start(int from, int to, size_t len, uint32_t idx)
{
    (void)model_begin(&m, from, to, len, idx);
}

static uint64_t received(int rank)
{
    return frd_wan_node_counts(m.node[rank])->wan_received_bytes;
}

static void is_near(const char *what, double got, double cap)
{
    printf("%s: %.3f of the cap\n", what, got / cap);
    ck_assert_double_le(got, cap);
    ck_assert_double_ge(got, 0.85 * cap);
}

/* Two ranks of one silo behind a cap, a third without. */
START_TEST(caps_hold_for_a_silo)
{
    const uint64_t cap = GBIT / 40;
    uint64_t both, free;

    begin(4, GBIT / 10);
    model_start(&m);
    frd_wan_node_cap(m.node[0], 1, 1, cap);
    frd_wan_node_cap(m.node[0], 2, 1, cap);
    start(0, 1, (size_t)64 << 20, 1);
    start(0, 2, (size_t)64 << 20, 2);
    start(0, 3, (size_t)64 << 20, 3);
    model_pass(&m, S);
    both = received(1) + received(2);
    free = received(3);
    model_pass(&m, 2 * S);
    is_near("two ranks", (double)(received(1) + received(2) - both) / 2, (double)cap);
    ck_assert_uint_gt(received(1), cap / 2); /* and they share it */
    ck_assert_uint_gt(received(2), cap / 2);
    ck_assert_uint_gt(received(3) - free, GBIT / 10 * 2 * 8 / 10);
    finish();
}
END_TEST

/* The rank's own cap, over silos. */
START_TEST(caps_hold_for_a_rank)
{
    uint64_t before;

    begin(3, GBIT / 10);
    m.params[0].rate = GBIT / 20;
    model_start(&m);
    start(0, 1, (size_t)64 << 20, 1);
    start(0, 2, (size_t)64 << 20, 2);
    model_pass(&m, S);
    before = received(1) + received(2);
    model_pass(&m, 2 * S);
    is_near("two silos", (double)(received(1) + received(2) - before) / 2, (double)GBIT / 20);
    finish();
}
END_TEST

/* 0 and 1 may not talk; 2 relays, and may send little to 1: its own traffic and what it forwards share that.
 */
START_TEST(relays_keep_their_caps)
{
    const uint64_t cap = GBIT / 40;
    const int via = 2;
    uint64_t before;

    begin(3, GBIT / 10);
    m.params[2].relay = true;
    model_start(&m);
    frd_wan_node_bar(m.node[0], 1);
    frd_wan_node_bar(m.node[1], 0);
    frd_wan_node_cap(m.node[2], 1, 1, cap);
    ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    start(0, 1, (size_t)64 << 20, 1);
    start(2, 1, (size_t)64 << 20, 2);
    model_pass(&m, 2 * S);
    before = received(1);
    model_pass(&m, 2 * S);
    is_near("relayed and own", (double)(received(1) - before) / 2, (double)cap);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[2])->wan_relayed, 100);
    finish();
}
END_TEST

/* Where only one of two knows that they may not talk, no route between them opens; what must pass, passes the
 * relay. */
START_TEST(barred_ranks_exchange_nothing)
{
    const int via = 2;
    frd_wan_route_info info;

    begin(3, GBIT / 10);
    model_start(&m);
    frd_wan_node_bar(m.node[_i], 1 - _i);
    ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    frd_wan_node_dial(m.node[0], 1, m.now_ns);
    frd_wan_node_dial(m.node[1], 0, m.now_ns);
    start(0, 1, 1 << 20, 1);
    start(1, 0, 1 << 20, 2);
    ck_assert(model_run(&m, m.now_ns + 10 * S));
    ck_assert(model_settled(&m));
    for (int i = 0; i < 2; i++) {
        ck_assert(frd_wan_node_look(m.node[i], 1 - i, 0, &info));
        ck_assert_uint_eq(info.hops, 0);
        ck_assert_int_eq(info.state, FRD_WAN_ROUTE_NEW);
    }
    ck_assert_uint_gt(frd_wan_node_counts(m.node[_i])->wan_malformed, 0); /* knocks that were not answered */
    finish();
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "caps_hold_for_a_silo", caps_hold_for_a_silo, 1 },
        { "caps_hold_for_a_rank", caps_hold_for_a_rank, 1 },
        { "relays_keep_their_caps", relays_keep_their_caps, 1 },
        { "barred_ranks_exchange_nothing", barred_ranks_exchange_nothing, 2 },
    };

    return cases_run("wan policy", rows, sizeof(rows) / sizeof(rows[0]));
}
