/* SPDX-License-Identifier: BSD-3-Clause
 * test_ucx_hostile.c - the UCX transport and what it is told from outside: garbage among messages, pieces that lie
 * elsewhere, cards, addresses, options that UCX can't serve. */
#include "ucx_ranks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "net/ucx_parts.h"

/* ---- garbage ---- */

static void on_garbage(void *request, ucs_status_t status, void *arg)
{
    (void)status, (void)arg;
    ucp_request_free(request);
}

static void send_garbage(rank *r, frd_ucx_peer *peer, unsigned char header[64])
{
    static unsigned char data[300];
    const ucp_request_param_t param = { .op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_CALLBACK,
                                        .flags = rand_r(&r->seed) % 4 == 0 ? UCP_AM_SEND_FLAG_RNDV : 0,
                                        .cb.send = on_garbage };
    const size_t len = (size_t)rand_r(&r->seed) % sizeof data;
    size_t header_bytes = sizeof(frd_ucx_wire);
    frd_ucx_wire wire = { .magic = FRD_UCX_MAGIC,
                          .kind = (uint32_t)rand_r(&r->seed) % 12,
                          .source = (uint32_t)rand_r(&r->seed) % 3,
                          .tag = { .comm = 7 },
                          .len = len,
                          .id = (uint64_t)rand_r(&r->seed) % 4,
                          .arg = (uint64_t)rand_r(&r->seed) % 1000 };

    if (wire.kind == FRD_UCX_GOODBYE)
        wire.kind = 0;
    if (rand_r(&r->seed) % 3 == 0)
        wire.len = UINT64_MAX - (uint64_t)rand_r(&r->seed) % 3;
    if (rand_r(&r->seed) % 3 == 0)
        wire.arg = UINT64_MAX - (uint64_t)rand_r(&r->seed) % 300;
    if (rand_r(&r->seed) % 9 == 0)
        wire.tag.comm = FRD_TAG_CONTROL;
    if (rand_r(&r->seed) % 9 == 0)
        wire.credit = UINT32_MAX;
    memset(header, 0xff, 64);
    memcpy(header, &wire, sizeof(wire));
    if (rand_r(&r->seed) % 9 == 0)
        header_bytes = (size_t)rand_r(&r->seed) % 64;
    if (rand_r(&r->seed) % 9 == 0)
        header[(size_t)rand_r(&r->seed) % sizeof(wire)] ^= 0x10;
    (void)ucp_am_send_nbx(peer->ep, 0, header, header_bytes, data, len, &param);
}

/* Rank 0 sends garbage among messages; rank 1 survives and loses none of the messages. Its receives are not
 * to be hit: ids of garbage are small, and theirs come after those of a few dozen others. */
static void body_garbage(rank *r)
{
    static const frd_tag dead = { .comm = 7 };
    unsigned char *const buf = calloc(100, 1000);
    static unsigned char header[2000][64];
    note notes[100];

    for (uint32_t i = 0; i < 100; i++)
        note_set(&notes[i], 1 - r->rank, i, buf + i * 1000, 1000);
    r->dead = &dead;
    note_send(r, &notes[0]);
    wait_notes(r, notes, 1);
    meet_driving(r, 1);
    for (uint32_t i = 1; i < 100; i++) {
        if (r->rank == 0) {
            memset(notes[i].msg.buf, (int)i, 1000);
            note_send(r, &notes[i]);
            for (uint32_t k = 0; k < 20; k++)
                send_garbage(r, ((frd_ucx *)r->net)->peer[1], header[20 * i + k]);
        } else {
            note_recv(r, &notes[i]);
        }
    }
    wait_notes(r, notes, 100);
    meet_driving(r, 2);
    for (uint32_t i = 1; r->rank == 1 && i < 100; i++) {
        for (size_t at = 0; at < 1000; at++) {
            if (buf[i * 1000 + at] != i)
                ck_abort_msg("message %u is wrong", i);
        }
    }
    if (r->rank == 1)
        ck_assert_uint_gt(r->stat.net_dropped, 100);
    ck_assert_int_eq(r->lost[0] + r->lost[1], 0);
    free(buf);
}

START_TEST(test_garbage)
{
    run_threads(world_create(2, body_garbage));
}
END_TEST

static void send_raw(rank *r, frd_ucx_wire wire, size_t len)
{
    static unsigned char data[2000];
    static frd_ucx_wire header[16]; /* UCX may still read them */
    static int used;
    const ucp_request_param_t param = { .op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_CALLBACK,
                                        .flags = UCP_AM_SEND_FLAG_EAGER,
                                        .cb.send = on_garbage };

    memset(data, 0x33, sizeof data);
    wire.magic = FRD_UCX_MAGIC;
    wire.source = (uint32_t)r->rank;
    header[used] = wire;
    (void)ucp_am_send_nbx(((frd_ucx *)r->net)->peer[1]->ep, 0, &header[used++], sizeof(wire), data, len, &param);
}

/* Pieces that do not lie within their message are dropped. */
static void body_pieces(rank *r)
{
    static const struct {
        uint64_t id, offset, told;
        size_t len;
    } bad[] = { { 1, 900, 101, 101 }, { 1, 1001, 1, 1 },      { 1, UINT64_MAX, 1, 1 }, { 1, UINT64_MAX - 98, 200, 200 },
                { 1, 0, 1001, 1001 }, { 1, 0, 1000, 999 },    { 2, 0, 1000, 1000 },    { 0, 0, 1000, 1000 },
                { 1ull << 32 | 1, 0, 1000, 1000 }, { 1ull << 63 | 1, 0, 1000, 1000 } };
    enum { BAD = sizeof bad / sizeof bad[0] };
    unsigned char *const buf = calloc(1, 1000); /* a sanitizer sees what goes beyond */
    note n;

    note_set(&n, 1 - r->rank, 1, buf, 1);
    if (r->rank == 0)
        note_send(r, &n);
    else
        note_recv(r, &n);
    wait_notes(r, &n, 1);
    meet_driving(r, 1);
    note_set(&n, 0, 2, buf, 1000);
    if (r->rank == 1) {
        note_recv(r, &n);
        while (frd_slots_get(&((frd_ucx *)r->net)->in, 1) == NULL)
            step(r, 1000);
        meet(r);
        while (r->stat.net_dropped < BAD)
            step(r, 1000);
        ck_assert_uint_eq(buf[0], 0);
        ck_assert_uint_eq(buf[999], 0);
        __atomic_store_n(&r->world->word, 3, __ATOMIC_SEQ_CST);
        wait_notes(r, &n, 1);
        __atomic_store_n(&r->world->word, 4, __ATOMIC_SEQ_CST);
        ck_assert_int_eq(n.rc, 0);
        ck_assert_uint_eq(buf[999], 0x33);
    } else { /* without progress: it would say that it knows of no such message */
        send_raw(r, (frd_ucx_wire){ .kind = FRD_UCX_OFFER, .tag = n.msg.tag, .len = 1000, .id = 77 }, 0);
        meet(r);
        for (size_t i = 0; i < BAD; i++)
            send_raw(r,
                     (frd_ucx_wire){
                         .kind = FRD_UCX_PIECE, .id = bad[i].id, .arg = bad[i].offset, .len = bad[i].told },
                     bad[i].len);
        while (__atomic_load_n(&r->world->word, __ATOMIC_SEQ_CST) < 3)
            poll(NULL, 0, 1);
        send_raw(r, (frd_ucx_wire){ .kind = FRD_UCX_PIECE, .id = 1, .len = 1000 }, 1000);
        while (__atomic_load_n(&r->world->word, __ATOMIC_SEQ_CST) < 4)
            poll(NULL, 0, 1);
    }
    free(buf);
}

START_TEST(test_pieces)
{
    run_threads(world_create(2, body_pieces));
}
END_TEST

START_TEST(test_card)
{
    static const frd_ucx_card bad[] = {
        { .magic = 0, .port = 1 },
        { .magic = 0x01585546, .port = 1 },
        { .magic = FRD_UCX_MAGIC, .port = 65536 },
        { .magic = FRD_UCX_MAGIC, .port = 1, .places = FRD_UCX_PLACES + 1 },
    };
    world *const w = world_create(1, NULL);
    rank *const r = rank_new(w, 0);
    bool reach = true;

    rank_open(r);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        reach = true;
        ck_assert_int_eq(frd_net_ucx.connect(r->net, 0, &bad[i], sizeof bad[i], &reach, NULL), 0);
        ck_assert(!reach);
    }
    ck_assert_int_eq(frd_net_ucx.connect(r->net, 0, bad, 3, &reach, NULL), 0);
    ck_assert(!reach);
    rank_close(r);
    free(r);
}
END_TEST

/* ---- addresses ---- */

static const char *as_text(const struct sockaddr_storage *address, uint16_t port, char *text, socklen_t room)
{
    const struct sockaddr_in *const v4 = (const void *)address;

    ck_assert_uint_eq(ntohs(v4->sin_port), port);
    ck_assert_ptr_nonnull(inet_ntop(AF_INET, &v4->sin_addr, text, room));
    return text;
}

/* The k-th address to try, as text; "" when there is none. */
static const char *chosen(const frd_ucx_card *own, const frd_ucx_card *its, int k)
{
    static char text[64];
    frd_ucx_way way;

    if (!frd_ucx_place_choose(own, false, its, k, &way))
        return "";
    ck_assert_uint_eq(way.from_bytes, 0);
    return as_text(&way.to, 4711, text, sizeof text);
}

/* The same with the option interface: "from > to". */
static const char *bound(const frd_ucx_card *own, const frd_ucx_card *its, int k)
{
    static char text[64];
    char from[32], to[32];
    frd_ucx_way way;

    if (!frd_ucx_place_choose(own, true, its, k, &way))
        return "";
    as_text(&way.to, 4711, to, sizeof to);
    snprintf(text, sizeof text, "%s > %s", way.from_bytes > 0 ? as_text(&way.from, 0, from, sizeof from) : "any", to);
    return text;
}

START_TEST(test_place)
{
    const frd_ucx_card own = { .boot_id = "here",
                               .network = 1,
                               .places = 2,
                               .place = { { .family = AF_INET, .prefix = 16, .address = { 172, 17, 0, 1 } },
                                          { .family = AF_INET, .prefix = 22, .address = { 10, 1, 4, 2 } } } };
    frd_ucx_card its = { .boot_id = "there",
                         .network = 1,
                         .port = 4711,
                         .places = 4,
                         .place = { { .family = AF_INET, .prefix = 16, .address = { 172, 17, 0, 1 } },
                                    { .family = AF_INET, .prefix = 24, .address = { 192, 168, 0, 9 } },
                                    { .family = AF_INET, .prefix = 22, .address = { 10, 1, 8, 3 } },
                                    { .family = AF_INET, .prefix = 22, .address = { 10, 1, 7, 3 } } } };

    ck_assert_str_eq(chosen(&own, &its, 0), "10.1.7.3");
    ck_assert_str_eq(chosen(&own, &its, 1), "192.168.0.9");
    ck_assert_str_eq(chosen(&own, &its, 2), "10.1.8.3");
    ck_assert_str_eq(chosen(&own, &its, 3), "");
    strcpy(its.boot_id, "here");
    ck_assert_str_eq(chosen(&own, &its, 0), "127.0.0.1");
    ck_assert_str_eq(chosen(&own, &its, 1), "172.17.0.1");
    ck_assert_str_eq(chosen(&own, &its, 4), "10.1.7.3");
    ck_assert_str_eq(chosen(&own, &its, 5), "");
    /* By the interface that was named, also on the same host; from the address in the same subnet, or the first. */
    ck_assert_str_eq(bound(&own, &its, 0), "172.17.0.1 > 172.17.0.1");
    ck_assert_str_eq(bound(&own, &its, 1), "172.17.0.1 > 192.168.0.9");
    ck_assert_str_eq(bound(&own, &its, 3), "10.1.4.2 > 10.1.7.3");
    ck_assert_str_eq(bound(&own, &its, 4), "");
    its.network = 2;
    ck_assert_str_eq(chosen(&own, &its, 0), "10.1.7.3");
    ck_assert_str_eq(bound(&own, &its, 0), "10.1.4.2 > 10.1.7.3");
    ck_assert_str_eq(bound(&own, &its, 1), "172.17.0.1 > 192.168.0.9");
    its.place[2].family = AF_INET6;
    ck_assert_str_eq(bound(&own, &its, 1), "172.17.0.1 > 192.168.0.9");
}
END_TEST

/* ---- options ---- */

START_TEST(test_options)
{
    static const struct {
        const char *variable, *value, *large, *word;
    } bad[] = {
        { "FEDRDMA_UCX_TLS", "carrier_pigeon", "auto", "FEDRDMA_UCX_TLS" },
        { "FEDRDMA_UCX_NET_DEVICES", "nosuch0", "auto", "FEDRDMA_UCX_NET_DEVICES" },
        { "FEDRDMA_UCX_ADDRESS_DEBUG_INFO", "x", "auto", "UCX" },
        { "FEDRDMA_UCX_KEEPALIVE_INTERVAL", "20s", "never", "ucx_large" },
    };
    frd_story story = { 0 };
    frd_stat stat = { 0 };
    frd_conf conf;
    frd_net_env env = { .conf = &conf, .stat = &stat, .size = 1 };
    const void *card;
    size_t card_bytes;
    frd_net *net;
    int rc;

    ck_assert_int_eq(frd_conf_init(&conf, NULL), 0);
    conf.ucx_large = bad[_i].large; /* frd_conf_set would refuse it */
    setenv(bad[_i].variable, bad[_i].value, 1);
    rc = frd_net_ucx.open(&env, &story, &net, &card, &card_bytes);
    unsetenv(bad[_i].variable);
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(story.text, bad[_i].word) != NULL, "%s", story.text);
    frd_conf_free(&conf);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ucx hostile");
    TCase *const bytes = add_case(suite, "bytes", 30);

    tcase_add_test(bytes, test_garbage);
    tcase_add_test(bytes, test_pieces);
    tcase_add_test(bytes, test_card);
    tcase_add_test(bytes, test_place);
    tcase_add_loop_test(bytes, test_options, 0, 4);
    return run_suite(suite);
}
