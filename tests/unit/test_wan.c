/* SPDX-License-Identifier: BSD-3-Clause
 * test_wan.c - the WAN's protocol over modelled links, in virtual time: what it must reach on clean and lossy
 * lines, that outages and dead routes only delay, and that nothing that a network may do breaks it.
 * FEDRDMA_TEST_SEED=n and CK_RUN_CASE=random rerun a failed random run. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reduce/crc32c.h"
#include "wan/rel.h"
#include "wan/span.h"
#include "wan_model.h"

#define GBIT UINT64_C(125000000)
#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

static model m;

static model_link line(uint64_t rate, uint64_t rtt_ns, double loss)
{
    return (model_link){ .rate = rate,
                         .delay_ns = rtt_ns / 2,
                         .queue_bytes = (uint64_t)((double)rate * (double)rtt_ns / 1e9),
                         .loss = loss };
}

static model_transfer *start(int from, int to, size_t len, uint32_t idx)
{
    model_transfer *const t = calloc(1, sizeof(*t));

    ck_assert_ptr_nonnull(t);
    t->from = from;
    t->to = to;
    t->len = len;
    t->seed = idx;
    t->tag = (frd_tag){ .comm = 1, .idx = idx };
    model_send(&m, t);
    return t;
}

static uint64_t again(void)
{
    uint64_t bytes = 0;

    for (int i = 0; i < m.nodes; i++)
        bytes += frd_wan_node_counts(m.node[i])->wan_again_bytes;
    return bytes;
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
            ck_assert_int_eq(frd_wan_spans_has(&spans, i), has[i]);
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
    const model_link link = line(GBIT, 40 * MS, goodput[_i].loss);
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
           whole, steady, (double)model_median_delay(&m) / 1e6, 100 * (double)again() / (double)len);
    ck_assert_double_ge(whole, goodput[_i].whole);
    ck_assert_double_ge(steady, goodput[_i].steady);
    ck_assert_double_le((double)again() / (double)len, goodput[_i].again);
    ck_assert_uint_le(model_median_delay(&m), 20 * MS);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* What comes late is not lost: once the path has shown how late, next to nothing goes again. */
START_TEST(test_reorder)
{
    model_link link = line(GBIT / 5, 40 * MS, 0);
    const size_t len = (size_t)64 << 20;

    link.reorder = 0.05;
    link.reorder_ns = (_i == 0 ? 4 : 12) * MS;
    model_init(&m, 2, 1);
    model_links(&m, &link);
    model_start(&m);
    start(0, 1, len, 1);
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    printf("reordered: again %.2f%%\n", 100 * (double)again() / (double)len);
    ck_assert_double_le((double)again() / (double)len, 0.015);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* ---- failures ---- */

START_TEST(test_outage)
{
    static const uint64_t outage[] = { 2 * S, 10 * S, 60 * S };
    const model_link link = line(GBIT, 40 * MS, 0.001);
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
    ck_assert_uint_le(again(), 2 * (GBIT / 25) + len / 100);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* A black hole on the direct line: through the third rank, within three heartbeats; and back when it heals.
 */
START_TEST(test_relay)
{
    const model_link link = line(GBIT / 10, 40 * MS, 0.001);
    frd_wan_route_info info;
    const int via = 2;
    uint64_t before;
    model_transfer *t;

    model_init(&m, 3, 3);
    model_links(&m, &link);
    model_start(&m);
    ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    t = start(0, 1, (size_t)40 << 20, 1);
    model_pass(&m, S);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[2])->wan_relayed, 100); /* both carry */
    m.link[0][1].down = m.link[1][0].down = true;
    model_pass(&m, 1500 * MS);
    before = frd_wan_node_counts(m.node[1])->wan_received_bytes;
    model_pass(&m, S / 2);
    printf("relay: %.2f of the line\n",
           (double)(frd_wan_node_counts(m.node[1])->wan_received_bytes - before) / (double)(GBIT / 20));
    ck_assert_uint_gt(frd_wan_node_counts(m.node[1])->wan_received_bytes - before, GBIT / 20 * 7 / 10);
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

/* A rank whose address nobody knows dials; later its address changes. */
START_TEST(test_nat)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0);
    const frd_wan_addr none = { .len = 0 };

    model_init(&m, 2, 5);
    model_links(&m, &link);
    m.addr[1] = none;
    model_start(&m);
    m.addr[1] = model_addr(1, 1);
    start(0, 1, 3 << 20, 1); /* waits */
    model_pass(&m, 500 * MS);
    ck_assert(!model_settled(&m));
    frd_wan_node_dial(m.node[1], 0, m.now_ns);
    ck_assert(model_run(&m, m.now_ns + 3 * S));
    m.addr[1] = model_addr(1, 2);
    start(1, 0, 1 << 20, 2);
    start(0, 1, 1 << 20, 3);
    ck_assert(model_run(&m, m.now_ns + 5 * S));
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* Nobody is there, another process is, or another job: who asks learns it. */
START_TEST(test_strangers)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0);
    static const char *const why[] = { "no route", "started again", "another job" };
    model_transfer *t;

    model_init(&m, 2, 6);
    model_links(&m, &link);
    m.params[0].lost_ns = m.params[1].lost_ns = 5 * S;
    model_start(&m);
    if (_i == 0) {
        m.link[0][1].down = true;
    } else {
        frd_wan_node_free(m.node[1]);
        m.params[1].epoch += _i == 1;
        m.params[1].job += _i == 2;
        ck_assert_int_eq(frd_wan_node_new(&m.params[1], &(frd_wan_user){ .offered = NULL }, &m.node[1]),
                         FEDRDMA_OK);
    }
    t = start(0, 1, 1 << 20, 1);
    t->ended_receive = true;
    model_pass(&m, 6 * S);
    ck_assert_int_eq(m.lost[0], 2);
    ck_assert_ptr_nonnull(strstr(m.why, why[_i]));
    ck_assert(t->ended_send && t->sent_rc == FEDRDMA_ERR_RANK_LOST);
    model_free(&m);
}
END_TEST

/* A process that ends is noticed within a second where its host answers for it: while data flows to or from
 * it, or nothing but heartbeats. */
START_TEST(test_gone)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0.01);
    uint64_t died;

    model_init(&m, 3, 6);
    model_links(&m, &link);
    model_start(&m);
    start(0, 1, 1000, 1);
    start(2, 0, 1000, 2);
    ck_assert(model_run(&m, m.now_ns + S));
    if (_i < 2)
        start(_i, 1 - _i, 8 << 20, 3);
    model_pass(&m, 100 * MS);
    m.dead[1] = true;
    died = m.now_ns;
    while (m.lost[0] == 0 && m.now_ns < died + 2 * S)
        model_pass(&m, 10 * MS);
    printf("gone: %.2f s\n", (double)(m.now_ns - died) / 1e9);
    ck_assert_uint_le(m.now_ns, died + S);
    model_pass(&m, 10 * S);
    ck_assert_int_eq(m.lost[0], 2);
    ck_assert_int_eq(m.lost[2], 0); /* it had no business with it */
    ck_assert_ptr_nonnull(strstr(m.why, "ended"));
    model_free(&m);
}
END_TEST

/* Refusals that are strays, or made up, do nothing to who answers: not even all of them, on a lossy line. Nor
 * those from a NAT that forgot. */
START_TEST(test_strays)
{
    const model_link link = line(GBIT / 10, 60 * MS, 0.05);
    const frd_wan_addr none = { .len = 0 };
    unsigned char made_up[64] = { 0x11, 0, 0, 0, 0, 0, 1, 0 };

    model_init(&m, 2, 7);
    model_links(&m, &link);
    m.strays[1] = _i == 0 ? 1 : 0.05;
    m.addr[1] = _i == 2 ? none : m.addr[1];
    model_start(&m);
    m.addr[1] = model_addr(1, 0);
    frd_wan_node_dial(m.node[1], 0, m.now_ns);
    start(0, 1, 4 << 20, 1);
    ck_assert(model_run(&m, m.now_ns + 20 * S));
    for (int i = 0; i < 300; i++) {
        for (size_t k = 8; k < 16; k++)
            made_up[k] = (unsigned char)model_draw(&m);
        frd_wan_node_refused(m.node[0], m.now_ns, made_up, model_draw(&m) % sizeof(made_up));
        model_pass(&m, 100 * MS);
    }
    ck_assert_uint_gt(frd_wan_node_counts(m.node[0])->wan_refused, _i == 2 ? 0 : 10);
    if (_i == 2) { /* it is silent for some time, its NAT has forgotten it: then it is back */
        m.dead[1] = true;
        model_pass(&m, 2 * S);
        m.dead[1] = false;
        start(1, 0, 1000, 2);
        ck_assert(model_run(&m, m.now_ns + 20 * S));
    }
    ck_assert_int_eq(m.lost[0], 0);
    model_free(&m);
}
END_TEST

/* An idle pair: few datagrams, the route stays up. */
START_TEST(test_idle)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0);
    frd_wan_route_info info;

    model_init(&m, 2, 6);
    model_links(&m, &link);
    model_start(&m);
    start(0, 1, 1000, 1);
    ck_assert(model_run(&m, m.now_ns + S));
    model_pass(&m, 60 * S);
    ck_assert(frd_wan_node_look(m.node[0], 1, 0, &info) && info.state == FRD_WAN_ROUTE_UP);
    ck_assert_uint_le(frd_wan_node_counts(m.node[0])->wan_datagrams_sent, 80);
    ck_assert_uint_ge(frd_wan_node_counts(m.node[0])->wan_datagrams_sent, 4);
    ck_assert_uint_eq(frd_wan_node_counts(m.node[0])->wan_heartbeats_lost, 0);
    model_free(&m);
}
END_TEST

/* Receives come late: the early window bounds what waits, and nothing is lost. */
START_TEST(test_late_receive)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0.01);

    model_init(&m, 2, 7);
    model_links(&m, &link);
    m.params[0].early_bytes = m.params[1].early_bytes = 1 << 20;
    model_start(&m);
    for (uint32_t n = 0; n < 300; n++) {
        model_transfer *const t = start(0, 1, n % 3 == 0 ? (size_t)n << 12 : n, n);

        t->accept_after_ns = 3 * S + (300 - n) * MS;
    }
    model_pass(&m, 2900 * MS);
    ck_assert_uint_le(frd_wan_node_counts(m.node[1])->wan_received_bytes, 1 << 20);
    for (const model_transfer *t = m.transfer; t != NULL; t = t->next)
        ck_assert(t->offered);
    ck_assert(model_run(&m, m.now_ns + 30 * S));
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* Both ends count the early window alike, whatever the datagrams' size: it fills up, and nothing is turned
 * away. */
START_TEST(test_early_window)
{
    static const uint32_t datagram[] = { 1472, 1700, 2100, 4400, 9000 };
    const uint64_t early = 4 << 20;
    model_link link = line(GBIT, 2 * MS, 0);

    link.queue_bytes = 4 << 20;
    model_init(&m, 2, 7);
    model_links(&m, &link);
    m.params[0].early_bytes = m.params[1].early_bytes = early;
    m.params[0].datagram_most = m.params[1].datagram_most = datagram[_i];
    model_start(&m);
    for (uint32_t n = 0; n < 8; n++)
        start(0, 1, 1 << 20, n)->accept_after_ns = S;
    model_pass(&m, 900 * MS);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[1])->wan_received_bytes, early * 9 / 10);
    ck_assert_uint_le(frd_wan_node_counts(m.node[1])->wan_received_bytes, early);
    ck_assert(model_run(&m, m.now_ns + 10 * S));
    ck_assert_uint_eq(frd_wan_node_counts(m.node[1])->wan_no_room, 0);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* ---- steady memory ---- */

/* With no more than a megabyte in flight, nothing that timing, loss or late receives do makes an allocation:
 * the second half of the rounds differs from the first in all of them. */
START_TEST(test_steady_memory)
{
    const model_link link = line(GBIT / 10, 20 * MS, 0);
    uint64_t allocations = 0;

    model_init(&m, 2, 8 + (uint64_t)_i);
    model_links(&m, &link);
    m.params[0].copy_most = m.params[1].copy_most = _i == 1 ? 1 << 20 : 8192;
    m.params[0].copy_bytes = m.params[1].copy_bytes = 2 << 20;
    model_start(&m);
    for (uint32_t n = 0; n < 60; n++) {
        model_transfer *t;

        if (n == 30) {
            allocations = frd_mem_allocations();
            m.link[0][1].loss = m.link[1][0].loss = _i == 3 ? 0.05 : 0.005;
            m.link[0][1].reorder = _i == 2 ? 0.1 : 0;
            m.link[0][1].reorder_ns = 5 * MS;
        }
        t = start(0, 1, 800000, 100 * n);
        t->accept_after_ns = n >= 30 ? model_draw(&m) % (100 * MS) : 0;
        for (uint32_t k = 1; k < 30; k++) {
            t = start((int)(k % 2), 1 - (int)(k % 2), k * 200, 100 * n + k);
            t->accept_after_ns = n >= 30 ? model_draw(&m) % (50 * MS) : 0;
        }
        ck_assert(model_run(&m, m.now_ns + 20 * S));
    }
    ck_assert_uint_eq(frd_mem_allocations(), allocations);
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}
END_TEST

/* ---- whatever a network may do ---- */

static void impair(void)
{
    for (int i = 0; i < m.nodes; i++) {
        for (int k = 0; k < m.nodes; k++) {
            model_link *const l = &m.link[i][k];

            *l = line(GBIT / (1 + model_draw(&m) % 200), (1 + model_draw(&m) % 100) * MS, 0);
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
    const struct {
        const char *name;
        const TTest *test;
        int times;
    } tests[] = {
        { "crc", test_crc, 1 },
        { "spans", test_spans, 5 },
        { "goodput", test_goodput, 4 },
        { "reorder", test_reorder, 2 },
        { "outage", test_outage, 3 },
        { "relay", test_relay, 1 },
        { "nat", test_nat, 1 },
        { "strangers", test_strangers, 3 },
        { "gone", test_gone, 3 },
        { "strays", test_strays, 3 },
        { "idle", test_idle, 1 },
        { "late_receive", test_late_receive, 1 },
        { "early_window", test_early_window, 5 },
        { "steady_memory", test_steady_memory, 4 },
        { "random", test_random, 8 },
    };
    Suite *const suite = suite_create("wan");
    SRunner *const runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        TCase *const tcase = tcase_create(tests[i].name);

        tcase_set_timeout(tcase, 100);
        tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].times);
        suite_add_tcase(suite, tcase);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
