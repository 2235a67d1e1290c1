/* SPDX-License-Identifier: BSD-3-Clause
 * test_wan.c - the WAN's protocol over modelled links, in virtual time: what it must reach on clean and lossy
 * lines, that outages and dead routes only delay, and that nothing that a network may do breaks it.
 * FEDRDMA_TEST_SEED=n and CK_RUN_CASE=random rerun a failed random run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reduce/crc32c.h"
#include "wan/rel.h"
#include "wan/span.h"
#include "cases.h"
#include "wan_model.h"

#define GBIT UINT64_C(125000000)
#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

static model m;

static model_transfer *start(int from, int to, size_t len, uint32_t idx)
{
    return model_begin(&m, from, to, len, idx);
}

/* ---- parts ---- */

START_TEST(test_crc)
{
    unsigned char data[2000];
    uint64_t random = 1;

    ck_assert_uint_eq(frd_crc32c(0, "123456789", 9), 0xe3069283);
    memset(data, 0, 32);
    ck_assert_uint_eq(frd_crc32c(0, data, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(data, 0xff, 32);
    ck_assert_uint_eq(frd_crc32c(0, data, 32), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)((random = random * 6364136223846793005 + 1442695040888963407) >> 56);
    for (size_t len = 0; len < 300; len++) {
        const size_t at = len * 3, cut = len / 3;

        ck_assert_uint_eq(frd_crc32c(7, data + at, len), frd_crc32c_scalar(7, data + at, len));
        ck_assert_uint_eq(frd_crc32c(frd_crc32c(0, data, cut), data + cut, len - cut),
                          frd_crc32c(0, data, len));
    }
}
END_TEST

/* Against a bitmap. */
START_TEST(test_spans)
{
    frd_wan_span room[40];
    frd_wan_spans spans = { .at = room, .room = 40 };
    bool has[300] = { false };
    int wrong = 0;

    model_init(&m, 2, (uint64_t)_i);
    for (int n = 0; n < 2000; n++) {
        const size_t lo = model_draw(&m) % 280, hi = lo + 1 + model_draw(&m) % 20;
        int64_t fresh = 0, got;

        for (size_t i = lo; i < hi; i++)
            fresh += !has[i];
        got = frd_wan_spans_add(&spans, lo, hi);
        ck_assert(got == fresh || got < 0);
        for (size_t i = lo; i < hi && got >= 0; i++)
            has[i] = true;
        for (size_t i = 0; i < 300; i++)
            wrong += frd_wan_spans_has(&spans, i) != has[i];
        ck_assert_int_eq(wrong, 0);
        ck_assert_uint_le(spans.count, 40);
        if (n % 50 == 49) {
            const uint32_t keep = (uint32_t)(model_draw(&m) % 5);

            frd_wan_spans_keep(&spans, keep);
            for (size_t i = 0; i < 300 && (spans.count == 0 || i < spans.at[0].lo); i++)
                has[i] = false;
        }
    }
}
END_TEST

/* ---- goodput ---- */

/* The lab's first goals, in the model: a share of the line's rate, headers and start included. */
static const struct {
    double loss, whole, steady, again;
} goodput[] = { { 0, 0.85, 0.94, 0.01 },
                { 0.001, 0.85, 0.92, 0.012 },
                { 0.01, 0.83, 0.90, 0.03 },
                { 0.05, 0.70, 0.78, 0.08 } };

START_TEST(test_goodput)
{
    const model_link link = model_line(GBIT, 40 * MS, goodput[_i].loss);
    const size_t len = (size_t)256 << 20;
    uint64_t half_ns, half_bytes;
    model_transfer *t;
    double whole, steady;

    model_init(&m, 2, 1);
    m.late_ns = MS / 10;
    model_links(&m, &link);
    model_start(&m);
    t = start(0, 1, len, 1);
    model_pass(&m, 800 * MS);
    half_ns = m.now_ns;
    half_bytes = frd_wan_node_counts(m.node[1])->wan_received_bytes;
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    whole = (double)len / ((double)(t->received_ns - t->start_ns) / 1e9) / (double)GBIT;
    steady = (double)(len - half_bytes) / ((double)(t->received_ns - half_ns) / 1e9) / (double)GBIT;
    printf("loss %.3f: whole %.3f, steady %.3f, median queue %.1f ms, again %.2f%%\n", goodput[_i].loss,
           whole, steady, (double)model_median_delay(&m) / 1e6, 100 * (double)model_again(&m) / (double)len);
    ck_assert_double_ge(whole, goodput[_i].whole);
    ck_assert_double_ge(steady, goodput[_i].steady);
    ck_assert_double_le((double)model_again(&m) / (double)len, goodput[_i].again);
    ck_assert_uint_le(model_median_delay(&m), 20 * MS);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* What comes late is not lost: once the path has shown how late, next to nothing goes again. */
START_TEST(test_reorder)
{
    model_link link = model_line(_i == 2 ? GBIT : GBIT / 5, 40 * MS, 0);
    const size_t len = (size_t)64 << 20;

    link.reorder = 0.05;
    link.reorder_ns = (_i == 0 ? 4 : _i == 1 ? 12 : 30) * MS;
    link.duplicate = _i == 2 ? 0.01 : 0;
    link.corrupt = _i == 2 ? 0.001 : 0;
    model_init(&m, 2, 1);
    model_links(&m, &link);
    model_start(&m);
    start(0, 1, len, 1);
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    printf("reordered: again %.2f%%\n", 100 * (double)model_again(&m) / (double)len);
    ck_assert_double_le((double)model_again(&m) / (double)len, 0.015);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* ---- failures ---- */

START_TEST(test_outage)
{
    static const uint64_t outage[] = { 2 * S, 10 * S, 60 * S };
    const model_link link = model_line(GBIT, 40 * MS, 0.001);
    const size_t len = (size_t)128 << 20;
    uint64_t healed, before;
    model_transfer *t;

    model_init(&m, 2, (uint64_t)_i);
    model_links(&m, &link);
    model_start(&m);
    t = start(0, 1, len, 1);
    model_pass(&m, 700 * MS);
    m.link[0][1].down = m.link[1][0].down = true;
    model_pass(&m, outage[_i]);
    ck_assert(!t->ended_receive && m.lost[0] == 0 && m.lost[1] == 0);
    m.link[0][1].down = m.link[1][0].down = false;
    healed = m.now_ns;
    before = frd_wan_node_counts(m.node[1])->wan_received_bytes;
    model_pass(&m, 500 * MS); /* one heartbeat */
    ck_assert_uint_gt(frd_wan_node_counts(m.node[1])->wan_received_bytes, before + (1 << 20));
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    ck_assert_uint_le(t->received_ns - healed, (len - before) * S / GBIT * 115 / 100 + 500 * MS);
    ck_assert_uint_le(model_again(&m), 2 * (GBIT / 25) + len / 100);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* A black hole on the direct line: through the third rank, within three heartbeats; and back when it heals.
 */
START_TEST(test_relay)
{
    const model_link link = model_line(GBIT / 10, 40 * MS, 0.001);
    frd_wan_route_info info;
    const int via = 2;
    uint64_t before;
    model_transfer *t;

    model_init(&m, 3, 3);
    model_links(&m, &link);
    model_start(&m);
    ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    t = start(0, 1, (size_t)60 << 20, 1);
    model_pass(&m, S);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[2])->wan_relayed, 100); /* both carry */
    m.link[0][1].down = m.link[1][0].down = true;
    model_pass(&m, 500 * MS);
    ck_assert(frd_wan_node_look(m.node[0], 1, 0, &info));
    ck_assert_int_eq(info.state, FRD_WAN_ROUTE_DEGRADED);
    model_pass(&m, S);
    before = frd_wan_node_counts(m.node[1])->wan_received_bytes;
    model_pass(&m, S / 2);
    printf("relay: %.2f of the line\n",
           (double)(frd_wan_node_counts(m.node[1])->wan_received_bytes - before) / (double)(GBIT / 20));
    ck_assert_uint_gt(frd_wan_node_counts(m.node[1])->wan_received_bytes - before, GBIT / 20 * 9 / 10);
    ck_assert(frd_wan_node_look(m.node[0], 1, 0, &info));
    ck_assert_int_eq(info.state, FRD_WAN_ROUTE_DOWN);
    m.link[0][1].down = m.link[1][0].down = false;
    model_pass(&m, 500 * MS);
    ck_assert(frd_wan_node_look(m.node[0], 1, 0, &info));
    ck_assert_int_eq(info.state, FRD_WAN_ROUTE_UP);
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    ck_assert_int_eq(t->received_rc, FEDRDMA_OK);
    ck_assert_int_eq(m.failures, 0);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[0])->wan_rerouted_chunks, 0);
    model_free(&m);
}
END_TEST

/* ---- whatever a network may do ---- */

static void impair(void)
{
    for (int i = 0; i < m.nodes; i++) {
        for (int k = 0; k < m.nodes; k++) {
            model_link *const l = &m.link[i][k];

            *l = model_line(GBIT / (1 + model_draw(&m) % 200), (1 + model_draw(&m) % 100) * MS, 0);
            l->queue_bytes = 3000 + l->queue_bytes * (model_draw(&m) % 4) / 2;
            l->loss = model_draw(&m) % 3 == 0 ? model_chance(&m) * 0.1 : 0;
            l->jitter_ns = model_draw(&m) % 3 == 0 ? model_draw(&m) % (20 * MS) : 0;
            l->reorder = model_draw(&m) % 3 == 0 ? model_chance(&m) * 0.1 : 0;
            l->reorder_ns = model_draw(&m) % (30 * MS);
            l->duplicate = model_draw(&m) % 3 == 0 ? model_chance(&m) * 0.05 : 0;
            l->corrupt = model_draw(&m) % 3 == 0 ? model_chance(&m) * 0.02 : 0;
            l->mtu = model_draw(&m) % 4 == 0 ? 1440 : 0;
            if (model_draw(&m) % 4 == 0) {
                l->bad_enter = 0.002;
                l->bad_leave = 0.1;
                l->bad_loss = 0.7;
            }
        }
    }
}

static void some_messages(void)
{
    const uint32_t n = 1 + (uint32_t)(model_draw(&m) % 40);

    for (uint32_t i = 0; i < n; i++) {
        const int from = (int)(model_draw(&m) % (unsigned)m.nodes);
        const int to = (from + 1 + (int)(model_draw(&m) % (unsigned)(m.nodes - 1))) % m.nodes;
        const size_t len = model_draw(&m) % 4 == 0 ? model_draw(&m) % (400 << 10) : model_draw(&m) % 5000;
        model_transfer *const t = start(from, to, len, i);

        t->accept_after_ns = model_draw(&m) % 2 == 0 ? 0 : model_draw(&m) % (500 * MS);
        t->cancel_ns = m.now_ns + model_draw(&m) % S;
        t->cancel_send = model_draw(&m) % 10 == 0;
        t->cancel_receive = model_draw(&m) % 10 == 0;
        t->refuse = model_draw(&m) % 20 == 0;
        if (model_draw(&m) % 3 == 0)
            model_pass(&m, model_draw(&m) % (50 * MS));
    }
}

/* A cancelled send may be one that its receiver never hears of. */
static bool over(void)
{
    for (const model_transfer *t = m.transfer; t != NULL; t = t->next) {
        if (!t->ended_send || (!t->ended_receive && !(t->sent_rc == FEDRDMA_ERR_CANCELED && t->in == NULL)))
            return false;
    }
    return true;
}

static void random_run(uint64_t seed)
{
    uint64_t until;

    model_init(&m, 2 + (int)(seed % 2), seed);
    impair();
    for (int i = 0; i < m.nodes; i++) {
        m.late_ns = model_draw(&m) % MS;
        m.params[i].early_bytes = (uint64_t)20000 << model_draw(&m) % 8;
        m.params[i].copy_bytes = model_draw(&m) % 2 * (64 << 10);
        m.params[i].rate = model_draw(&m) % 5 == 0 ? GBIT / 100 : 0;
        m.params[i].inflight_most = (uint64_t)30000 << model_draw(&m) % 10;
        m.params[i].datagram_most = 1200 + (uint32_t)(model_draw(&m) % 4000);
        m.params[i].datagram_bytes = 1200 + (uint32_t)(model_draw(&m) % 201);
        if (m.params[i].datagram_most < m.params[i].datagram_bytes)
            m.params[i].datagram_most = m.params[i].datagram_bytes;
    }
    model_start(&m);
    if (m.nodes == 3) {
        const int via = 2;

        (void)frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns);
    }
    some_messages();
    if (seed % 3 == 0) {
        model_pass(&m, model_draw(&m) % (300 * MS));
        m.link[0][1].down = true;
        m.link[1][0].down = seed % 2 == 0;
        model_pass(&m, model_draw(&m) % (4 * S));
        m.link[0][1].down = m.link[1][0].down = false;
    }
    until = m.now_ns + 300 * S;
    while (!over() && m.now_ns < until)
        model_pass(&m, 50 * MS);
    if (!over() || m.failures > 0) {
        fprintf(stderr,
                "seed %llu failed (%d failures): rerun with FEDRDMA_TEST_SEED=%llu CK_RUN_CASE=random\n",
                (unsigned long long)seed, m.failures, (unsigned long long)seed);
        ck_abort();
    }
    for (const model_transfer *t = m.transfer; t != NULL; t = t->next) {
        if (t->received_rc == FEDRDMA_ERR_CANCELED || t->sent_rc == FEDRDMA_ERR_CANCELED)
            continue;
        ck_assert_int_eq(t->sent_rc, FEDRDMA_OK);
        ck_assert_int_eq(t->received_rc, FEDRDMA_OK);
    }
    model_free(&m);
}

START_TEST(test_random)
{
    const char *const seed = getenv("FEDRDMA_TEST_SEED");

    if (seed != NULL) {
        random_run(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t n = 0; n < 250; n++)
        random_run((uint64_t)_i * 250 + n + 1);
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "crc", test_crc, 1 },         { "spans", test_spans, 5 },   { "goodput", test_goodput, 4 },
        { "reorder", test_reorder, 3 }, { "outage", test_outage, 3 }, { "relay", test_relay, 1 },
        { "random", test_random, 8 },
    };

    return cases_run("wan", rows, sizeof(rows) / sizeof(rows[0]));
}
