/* SPDX-License-Identifier: BSD-3-Clause
 * test_wan_hostile.c - what a broken or hostile peer sends, behind a seal that is right: it is refused, and
 * what it can make us hold is bounded. (Whatever else it may send: tests/fuzz/fuzz_wan.) */
#include <string.h>

#include "cases.h"
#include "wan/core.h"
#include "wan_model.h"

#define GBIT UINT64_C(125000000)
#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

static model m;

/* Two ranks that have met. */
static frd_wan_session *meet(void)
{
    const model_link link = model_line(GBIT / 10, 20 * MS, 0);

    model_init(&m, 3, 21);
    model_links(&m, &link);
    model_start(&m);
    model_begin(&m, 0, 1, 1000, 1);
    ck_assert(model_run(&m, m.now_ns + S));
    return m.node[1]->session[0];
}

/* An acknowledgement of what was never sent is none. */
START_TEST(test_never_sent)
{
    frd_wan_route *const route = meet()->route[0];
    frd_wan_wire_ack ack = { .type = FRD_WAN_ACK, .ranges = 1 };
    frd_wan_range range = { 0, (uint32_t)route->rel.next + (uint32_t)_i - 1 };
    const uint64_t malformed = m.node[1]->counts.wan_malformed;
    unsigned char frame[sizeof(ack) + sizeof(range)];

    memcpy(frame, &ack, sizeof(ack));
    memcpy(frame + sizeof(ack), &range, sizeof(range));
    ck_assert_int_eq(frd_wan_session_frames(route, m.now_ns, frame, frame + sizeof(frame)), 0);
    ck_assert_uint_eq(m.node[1]->counts.wan_malformed, malformed + (_i > 0));
    ck_assert_uint_lt(route->rel.largest_acked, route->rel.next);
    model_free(&m);
}
END_TEST

/* As many ranges as a byte can say, all of them there. */
START_TEST(test_many_ranges)
{
    static unsigned char bytes[sizeof(frd_wan_wire_ack) + 255 * sizeof(frd_wan_range)];
    const frd_wan_wire_ack ack = { .type = FRD_WAN_ACK, .ranges = (uint8_t)(FRD_WAN_ACK_RANGES + _i) };
    const unsigned char *at = bytes;
    static frd_wan_frame frame[8]; /* room for what must not be written */

    memcpy(bytes, &ack, sizeof(ack));
    for (uint32_t i = 0; i < 255; i++) {
        const frd_wan_range range = { 2000 - 4 * i, 2000 - 4 * i };

        memcpy(bytes + sizeof(ack) + i * sizeof(range), &range, sizeof(range));
    }
    ck_assert_int_eq(frd_wan_next_frame(&at, bytes + sizeof(bytes), frame), _i == 0 ? 1 : -1);
}
END_TEST

/* A byte from the middle of one message after the other: each makes a record of all that were skipped. */
START_TEST(test_unknown_messages)
{
    frd_wan_session *const s = meet();
    const uint32_t most = FRD_WAN_OPEN_MAX + FRD_WAN_UNKNOWN_MAX;
    unsigned char frame[32] = { 0 };
    int rc = FEDRDMA_OK;

    for (uint32_t n = 1; n <= 2 * most / 4000 && rc >= 0; n++) {
        const frd_wan_chunk chunk = { .bytes = 1, .id = s->seen_id + 3999, .offset = 7 };
        const size_t bytes = frd_wan_write_chunk(frame, &chunk, NULL, true) + 1;

        rc = frd_wan_session_frames(s->route[0], m.now_ns, frame, frame + bytes);
    }
    ck_assert_int_eq(rc, FEDRDMA_ERR_NOMEM);
    ck_assert_uint_le(s->ins.count, most);
    ck_assert_uint_ge(s->ins.count, most / 2);
    model_free(&m);
}
END_TEST

/* What waits to be forwarded for others is bounded, too. */
START_TEST(test_relayed_flood)
{
    static const unsigned char datagram[1400];
    uint64_t taken = 0;

    (void)meet();
    while (taken <= FRD_WAN_RELAYED_BYTES && frd_wan_line_queue(m.node[2], frd_wan_line_to(m.node[2], 1),
                                                                &m.addr[1], datagram, sizeof(datagram)))
        taken += sizeof(datagram);
    ck_assert_uint_le(taken, FRD_WAN_RELAYED_BYTES);
    ck_assert_uint_gt(taken, FRD_WAN_RELAYED_BYTES - 2 * sizeof(datagram));
    model_pass(&m, S); /* they go, and there is room again */
    ck_assert(frd_wan_line_queue(m.node[2], frd_wan_line_to(m.node[2], 1), &m.addr[1], datagram, 100));
    model_free(&m);
}
END_TEST

/* What a host says that refuses our datagrams, and what others write that only looks like it: of a rank that
 * is silent for a second. Only the first is believed. */
enum refusal { REAL, SPEAKS, SESSION, SENDER, RELAYED, KNOCK, UNSENT, OLD, SHORT, UNNAMED, FEW, REFUSALS };

static void refuse(enum refusal kind, int n)
{
    const frd_wan_session *const s = m.node[0]->session[1];
    const uint64_t next = s->route[0]->rel.next;
    frd_wan_head head = {
        .kind = FRD_WAN_VERSION << 4 | (kind == KNOCK ? FRD_WAN_HELLO : FRD_WAN_DATA),
        .way = kind == RELAYED ? 1 << 4 : 0,
        .from = kind == SENDER ? 2 : 0,
        .session = s->id + (kind == SESSION),
        .number = (uint32_t)(kind == UNSENT ? next
                             : kind == OLD  ? 0
                                            : next - 1),
    };
    const frd_wan_hops hops = { .rank = { 2, 0xffff, 0xffff }, .to = 1 };
    unsigned char quoted[sizeof(head) + sizeof(hops)];

    memcpy(quoted, &head, sizeof(head));
    memcpy(quoted + sizeof(head), &hops, sizeof(hops));
    if (kind != FEW || n < 2)
        frd_wan_node_refused(m.node[0], m.now_ns, quoted,
                             kind == RELAYED ? sizeof(quoted) : sizeof(head) - (kind == SHORT));
}

START_TEST(test_refusals)
{
    const enum refusal kind = (enum refusal)_i;

    (void)meet();
    m.link[1][0].down = kind != SPEAKS;
    if (kind == SPEAKS)
        model_begin(&m, 0, 1, 20 << 20, 2);
    if (kind == UNNAMED)
        m.node[0]->session[1]->addrs = 0;
    for (int n = 0; n < 100; n++) {
        refuse(kind, n);
        model_pass(&m, 10 * MS);
    }
    ck_assert_int_eq(m.lost[0], kind == REAL ? 2 : 0);
    m.link[1][0].down = false;
    if (kind != REAL) {
        model_begin(&m, 0, 1, 1000, 3);
        ck_assert(model_run(&m, m.now_ns + 5 * S));
        ck_assert_int_eq(m.failures, 0);
    }
    model_free(&m);
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "never_sent", test_never_sent, 2 },
        { "many_ranges", test_many_ranges, 2 },
        { "unknown_messages", test_unknown_messages, 1 },
        { "relayed_flood", test_relayed_flood, 1 },
        { "refusals", test_refusals, REFUSALS },
    };

    return cases_run("wan_hostile", rows, sizeof(rows) / sizeof(rows[0]));
}
