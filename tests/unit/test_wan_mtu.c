/* SPDX-License-Identifier: BSD-3-Clause
 * test_wan_mtu.c - how long datagrams get on paths that carry more or less, and that nobody has to say so:
 * from the first round trip on, after losses, where a path shrinks, through relays; and how few bytes a
 * datagram spends on itself. In virtual time. */
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "wan/core.h"
#include "wan_model.h"

#define GBIT UINT64_C(125000000)
#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

static model m;

static uint32_t length(int from, int to, unsigned k)
{
    frd_wan_route_info info;

    ck_assert(frd_wan_node_look(m.node[from], to, k, &info));
    return info.datagram_bytes;
}

/* Two ranks and a path between them that carries IP packets of so many bytes; both lanes could more. */
static void begin(uint32_t mtu, uint32_t most, double loss)
{
    model_link link = model_line(GBIT / 5, 40 * MS, loss);

    link.mtu = mtu;
    link.queue_bytes *= 16;
    model_init(&m, 2, mtu);
    model_links(&m, &link);
    m.params[0].datagram_most = m.params[1].datagram_most = most;
    model_start(&m);
}

static void end(void)
{
    ck_assert_int_eq(m.failures, 0);
    model_free(&m);
}

/* Where the path carries what is usual, no data ever goes in shorter datagrams, nor in ones that are too
 * long: knocks have asked. */
static const struct {
    uint32_t mtu, most, bytes, later;
} start[] = {
    { 1500, 1472, 1472, 1472 }, { 1420, 1392, 1392, 1392 }, { 1420, 1472, 1392, 1392 },
    { 1500, 8972, 1472, 1472 }, { 9000, 8972, 8972, 8972 }, { 1460, 1472, 1392, 1432 },
    { 1480, 1452, 1452, 1452 }, { 1280, 1472, 1200, 1252 }, { 1228, 1472, 1200, 1200 },
    { 1450, 8972, 1392, 1422 }, { 8901, 8972, 1472, 8873 },
};

START_TEST(test_start)
{
    const size_t len = 4 << 20;

    begin(start[_i].mtu, start[_i].most, 0);
    model_begin(&m, 0, 1, len, 1);
    model_pass(&m, 41 * MS);
    ck_assert_uint_gt(frd_wan_node_counts(m.node[0])->wan_datagrams_sent, 10); /* data is on its way */
    ck_assert_uint_eq(length(0, 1, 0), start[_i].bytes);
    ck_assert(model_run(&m, m.now_ns + 2 * S));
    model_pass(&m, S);
    ck_assert_uint_eq(length(0, 1, 0), start[_i].later);
    ck_assert_uint_eq(length(1, 0, 0), start[_i].later);
    ck_assert_uint_eq(model_again(&m), 0);
    ck_assert_uint_le(m.too_long, 60);
    end();
}
END_TEST

/* What a datagram of a long message spends on itself; a relay's list of hops, on a route that carries little, is no
 * reason to spend more on all the others. */
START_TEST(test_overhead)
{
    const size_t len = 8 << 20;
    const int via = 2;
    uint64_t datagrams;

    if (_i == 0) {
        begin(1500, 1472, 0);
    } else {
        model_link link = model_line(GBIT / 5, 40 * MS, 0), thin = model_line(GBIT / 100, 40 * MS, 0);

        link.mtu = thin.mtu = 1500;
        thin.queue_bytes *= 16;
        model_init(&m, 3, 1);
        model_links(&m, &link);
        m.link[2][1] = m.link[1][2] = thin;
        model_start(&m);
        ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    }
    model_begin(&m, 0, 1, _i == 0 ? 1000 : len, 1); /* and the relayed route, too, knows what it carries */
    ck_assert(model_run(&m, m.now_ns + 4 * S));
    datagrams = frd_wan_node_counts(m.node[0])->wan_datagrams_sent;
    model_begin(&m, 0, 1, len, 2);
    ck_assert(model_run(&m, m.now_ns + 2 * S));
    datagrams = frd_wan_node_counts(m.node[0])->wan_datagrams_sent - datagrams;
    printf("%.1f bytes a datagram\n", 1472 - (double)len / (double)datagrams);
    ck_assert_uint_le(datagrams, len / (1472 - 24) * 1003 / 1000);
    end();
}
END_TEST

/* Every range is said often and long enough that it arrives, and then no more: holes are for ever, but not in every
 * acknowledgement. Every 250th number never comes, and some cases have the next one late: so much that what is beside
 * it has been said often enough, and is left out. On the slow route 100 ms are less than an acknowledgement. */
START_TEST(test_acknowledgements)
{
    enum { NUMBERS = 40000, EACH = 16, HOLE = 250 };
    static const struct {
        uint64_t apart_ns, behind; /* 0: none is late */
    } row[] = { { 100000, 0 }, { 100000, 100 }, { 100000, 3000 }, { 10000000, 0 }, { 10000000, 3000 } };
    const uint64_t apart_ns = row[_i].apart_ns, behind = row[_i].behind;
    const unsigned by_time = (unsigned)(FRD_WAN_SAID_NS / apart_ns / EACH),
                   least = by_time > FRD_WAN_SAID ? by_time : FRD_WAN_SAID, lasts = 2 * (least + 1) * EACH;
    static frd_wan_rel rel;
    static unsigned said[NUMBERS];
    const frd_wan_rel_user nobody = { 0 };
    unsigned most = 0, since = 0;
    frd_wan_wire_ack head = { 0 };
    unsigned char room[1024];

    memset(said, 0, sizeof(said));
    frd_wan_rel_init(&rel, NULL, &nobody);
    for (uint64_t n = 0; n < NUMBERS; n++) {
        const uint64_t now_ns = n * apart_ns;

        if (behind > 0 && n >= behind && n - behind < NUMBERS / 2 && (n - behind) % HOLE == 1)
            frd_wan_rel_received(&rel, n - behind, now_ns, true, false);
        if (n < NUMBERS / 2 && (n % HOLE == 0 || (behind > 0 && n % HOLE == 1)))
            continue;
        frd_wan_rel_received(&rel, n, now_ns, true, false);
        if (++since < EACH)
            continue;
        since = 0;
        ck_assert_uint_gt(frd_wan_rel_write_ack(&rel, now_ns, room, sizeof(room)), sizeof(head));
        memcpy(&head, room, sizeof(head));
        most = head.ranges > most ? head.ranges : most;
        for (unsigned r = 0; r < head.ranges; r++) {
            frd_wan_range range;

            memcpy(&range, room + sizeof(head) + r * sizeof(range), sizeof(range));
            ck_assert_uint_le(range.last, n);
            for (uint32_t k = range.first; k <= range.last; k++)
                said[k]++;
        }
    }
    for (unsigned n = 0; n < NUMBERS - lasts; n++) {
        const bool hole = n < NUMBERS / 2 && n % HOLE == 0;

        ck_assert(hole ? said[n] == 0 : said[n] >= least);
    }
    printf("at most %u ranges, in the end %u\n", most, head.ranges);
    ck_assert_uint_le(most, (lasts / HOLE + 2) * (behind > 0 ? 2 : 1));
    ck_assert_uint_eq(head.ranges, 1);
}
END_TEST

/* The numbers of a burst that came late as a whole, but for two, are said all, though they are more than are
 * remembered as late; and after so many numbers that their low half wraps, an acknowledgement can still be read. */
START_TEST(test_acknowledged_late)
{
    enum { FIRST = 20000, LATE = 200, LAST = 30000 };
    static frd_wan_rel rel;
    const frd_wan_rel_user nobody = { 0 };
    const uint64_t far = UINT64_C(3) << 30;
    unsigned char room[1024];
    const unsigned char *at = room;
    bool found[LATE] = { false };
    frd_wan_wire_ack head;
    frd_wan_frame frame;
    size_t bytes;

    frd_wan_rel_init(&rel, NULL, &nobody);
    for (uint64_t n = 0; n < LAST; n++) {
        if (n >= FIRST && n < FIRST + LATE)
            continue;
        frd_wan_rel_received(&rel, n, n * 100000, true, false);
        if (n % 16 == 0)
            frd_wan_rel_write_ack(&rel, n * 100000, room, sizeof(room));
    }
    for (uint64_t k = 0; k < LATE; k++) {
        if (k != 70 && k != 150)
            frd_wan_rel_received(&rel, FIRST + k, LAST * UINT64_C(100000), true, false);
    }
    bytes = frd_wan_rel_write_ack(&rel, LAST * UINT64_C(100000), room, sizeof(room));
    memcpy(&head, room, sizeof(head));
    for (unsigned r = 0; r < head.ranges; r++) {
        frd_wan_range range;

        memcpy(&range, room + sizeof(head) + r * sizeof(range), sizeof(range));
        for (unsigned k = 0; k < LATE; k++)
            found[k] = found[k] || (range.first <= FIRST + k && FIRST + k <= range.last);
    }
    for (unsigned k = 0; k < LATE; k++)
        ck_assert_int_eq(found[k], k != 70 && k != 150);
    ck_assert_int_eq(frd_wan_next_frame(&at, room + bytes, &frame), 1);

    rel.got.at[rel.got.count - 1].hi += far; /* as if they had come */
    rel.got_largest += far;
    frd_wan_rel_received(&rel, rel.got_largest + 5, LAST * UINT64_C(100000), true, false);
    bytes = frd_wan_rel_write_ack(&rel, LAST * UINT64_C(100000), room, sizeof(room));
    at = room;
    ck_assert_int_eq(frd_wan_next_frame(&at, room + bytes, &frame), 1);
    ck_assert_uint_eq(frame.ack.ranges, 2);
}
END_TEST

/* For a moment only the way back is black. What arrived meanwhile, with holes in it, doesn't go again. */
START_TEST(test_black_way_back)
{
    model_link link = model_line(GBIT, 40 * MS, 0.001);
    const size_t len = 100 << 20;
    const double lost = 0.001 * (double)len;

    link.mtu = 1500;
    model_init(&m, 2, 1);
    model_links(&m, &link);
    m.link[1][0].loss = 0;
    model_start(&m);
    model_begin(&m, 0, 1, len, 1);
    model_pass(&m, 500 * MS);
    m.link[1][0].down = true;
    model_pass(&m, 35 * MS);
    m.link[1][0].down = false;
    ck_assert(model_run(&m, m.now_ns + 5 * S));
    printf("black way back: %.2f%% again\n", 100 * (double)model_again(&m) / (double)len);
    ck_assert_double_le((double)model_again(&m), 3 * lost);
    end();
}
END_TEST

/* Knocks and questions are lost like anything else. */
START_TEST(test_loss)
{
    begin(1500, 1472, 0.3);
    m.random += (uint64_t)_i;
    model_begin(&m, 0, 1, 1 << 20, 1);
    model_pass(&m, 4 * S);
    ck_assert_uint_eq(length(0, 1, 0), 1472);
    ck_assert(model_run(&m, m.now_ns + 60 * S));
    end();
}
END_TEST

/* The path shrinks under a flow; what is short passes all the time: alone, beside answers, beside messages
 * that are short. Later it widens. */
START_TEST(test_black_hole)
{
    const size_t len = 16 << 20;
    uint64_t shrunk;

    begin(1500, 1472, _i == 1 ? 0.01 : 0);
    model_begin(&m, 0, 1, len, 1);
    if (_i == 1)
        model_begin(&m, 1, 0, len, 2);
    model_pass(&m, 300 * MS);
    m.link[0][1].mtu = m.link[1][0].mtu = 1300;
    m.link[0][1].tells = _i == 3;
    shrunk = m.now_ns;
    for (uint32_t n = 3; _i == 2 && n < 103; n++) {
        model_begin(&m, 0, 1, 100, n);
        model_pass(&m, 5 * MS);
    }
    ck_assert(model_run(&m, m.now_ns + 10 * S));
    printf("black hole: done after %.2f s, %.1f%% again\n", (double)(m.now_ns - shrunk) / 1e9,
           100 * (double)model_again(&m) / (double)len);
    ck_assert_uint_le(m.now_ns - shrunk, (_i == 1 ? 1700 : 1300) * MS);
    ck_assert_uint_le(length(0, 1, 0), 1272);
    model_pass(&m, 2 * S);
    ck_assert_uint_eq(length(0, 1, 0), _i == 3 ? 1272 : 1252); /* as ICMP said, or as is usual */
    m.link[0][1].mtu = m.link[1][0].mtu = 1500;
    model_pass(&m, 620 * S);
    ck_assert_uint_eq(length(0, 1, 0), 1472);
    end();
}
END_TEST

/* Heavy loss, in bursts or not, is no black hole for long. */
START_TEST(test_bursts)
{
    unsigned shorter = 0;

    begin(1500, 1472, 0);
    m.link[0][1].bad_enter = 0.002;
    m.link[0][1].bad_leave = 0.05;
    m.link[0][1].bad_loss = 0.9;
    model_begin(&m, 0, 1, 40 << 20, 1);
    model_pass(&m, 200 * MS);
    for (int i = 0; i < 150; i++) {
        model_pass(&m, 10 * MS);
        shorter += length(0, 1, 0) < 1472;
    }
    ck_assert_uint_le(shorter, 30);
    ck_assert(model_run(&m, m.now_ns + 60 * S));
    end();
}
END_TEST

/* Through a relay: the least of both hops; and each route by itself. */
START_TEST(test_relay)
{
    const int via = 2;
    model_link link = model_line(GBIT / 10, 40 * MS, 0);

    link.mtu = 1500;
    link.queue_bytes *= 16;
    model_init(&m, 3, 1);
    model_links(&m, &link);
    m.link[2][1].mtu = m.link[1][2].mtu = 1420;
    model_start(&m);
    ck_assert_int_eq(frd_wan_node_route(m.node[0], 1, &via, 1, m.now_ns), FEDRDMA_OK);
    model_begin(&m, 0, 1, 8 << 20, 1);
    ck_assert(model_run(&m, m.now_ns + 5 * S));
    ck_assert_uint_eq(length(0, 1, 0), 1472);
    ck_assert_uint_eq(length(0, 1, 1), 1392);
    ck_assert_uint_eq(model_again(&m), 0);
    end();
}
END_TEST

/* ICMP's word counts only with a quote of a datagram that we sent, and never below what every path carries.
 */
START_TEST(test_hint)
{
    const frd_wan_head head = { .kind = FRD_WAN_VERSION << 4 | FRD_WAN_DATA, .number = 3 };
    frd_wan_head quoted = head;

    begin(1500, 1472, 0);
    model_begin(&m, 0, 1, 1 << 20, 1);
    ck_assert(model_run(&m, m.now_ns + 5 * S));
    quoted.session = m.node[0]->session[1]->id + 1;
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted), 1300);
    quoted.session--;
    quoted.from = 1;
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted), 1300);
    quoted.from = 0;
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted) - 1, 1300);
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted), 100);
    quoted.number = 1 << 20;
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted), 1300);
    ck_assert_uint_eq(length(0, 1, 0), 1472);
    quoted.number = 3;
    frd_wan_node_too_long(m.node[0], m.now_ns, &quoted, sizeof(quoted), 1300);
    ck_assert_uint_eq(length(0, 1, 0), 1300);
    model_begin(&m, 0, 1, 1 << 20, 2);
    model_pass(&m, 700 * S); /* it was not so: it finds out */
    ck_assert_uint_eq(length(0, 1, 0), 1472);
    end();
}
END_TEST

/* Chunks as they are written, read again; and every width of offset only where it is needed. */
START_TEST(test_chunk)
{
    static const uint64_t offset[] = {
        0, 1, (1 << 24) - 1, 1 << 24, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX / 2
    };
    static const size_t bytes[] = { 5, 8, 8, 9, 9, 13, 13 };
    const frd_wan_wire_open open = { .tag = { .comm = 3 }, .len = 1000 };
    unsigned char room[200];

    for (size_t i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
        for (int how = 0; how < 4; how++) {
            const bool last = (how & 1) != 0, opens = (how & 2) != 0;
            const frd_wan_chunk chunk = { .bytes = 7, .id = 0x87654321, .offset = offset[i] };
            const unsigned char *at = room, *const end_of =
                                                room + bytes[i] + (last ? 0 : 2) + (opens ? 32 : 0) + 7;
            frd_wan_frame frame;

            memset(room, 0x5a, sizeof(room));
            ck_assert_ptr_eq(room + frd_wan_write_chunk(room, &chunk, opens ? &open : NULL, last) + 7,
                             end_of);
            ck_assert_uint_eq(frd_wan_chunk_bytes(offset[i], opens, last) + 7, (size_t)(end_of - room));
            for (const unsigned char *cut = room + 1; cut < end_of - (last ? 6 : 0); cut++) {
                at = room;
                ck_assert_int_eq(frd_wan_next_frame(&at, cut, &frame),
                                 opens && last && i == 0 && cut == end_of - 7 ? 1 : -1);
            }
            at = room;
            ck_assert_int_eq(frd_wan_next_frame(&at, end_of, &frame), opens && i > 0 ? -1 : 1);
            if (opens && i > 0)
                continue;
            ck_assert_ptr_eq(at, end_of);
            ck_assert_uint_eq(frame.chunk.bytes, 7);
            ck_assert_uint_eq(frame.chunk.id, 0x87654321);
            ck_assert_uint_eq(frame.chunk.offset, offset[i]);
            ck_assert_int_eq(frame.chunk.opens, opens);
            ck_assert_ptr_eq(frame.data, end_of - 7);
            if (i > 0 && bytes[i] < 13) { /* the same offset, wider */
                memmove(room + (last ? 5 : 7) + 8, room + (last ? 5 : 7) + bytes[i] - 5, 7);
                memset(room + (last ? 5 : 7) + bytes[i] - 5, 0, 13 - bytes[i]);
                room[0] |= 3 << FRD_WAN_CHUNK_WIDTH;
                at = room;
                ck_assert_int_eq(frd_wan_next_frame(&at, end_of + 13 - bytes[i], &frame), -1);
            }
        }
    }
}
END_TEST

int main(void)
{
    const cases_row rows[] = {
        { "start", test_start, sizeof(start) / sizeof(start[0]) },
        { "overhead", test_overhead, 2 },
        { "acknowledgements", test_acknowledgements, 5 },
        { "acknowledged_late", test_acknowledged_late, 1 },
        { "black_way_back", test_black_way_back, 1 },
        { "loss", test_loss, 5 },
        { "black_hole", test_black_hole, 4 },
        { "bursts", test_bursts, 1 },
        { "relay", test_relay, 1 },
        { "hint", test_hint, 1 },
        { "chunk", test_chunk, 1 },
    };

    return cases_run("wan_mtu", rows, sizeof(rows) / sizeof(rows[0]));
}
