/* SPDX-License-Identifier: BSD-3-Clause
 * test_ucx_failures.c - the UCX transport when things go wrong: messages taken back at random moments, peers
 * that die, hang or leave, garbage, options that UCX can't serve. Every wait is bounded. */
#include "ucx_ranks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/ucx_parts.h"

/* ---- ranks as processes ---- */

static pid_t run_process(world *w, int i)
{
    const pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(30);
        rank_main(rank_new(w, i));
        _exit(0);
    }
    return pid;
}

/* Rank 1 is expected to end by `signal` (0: well); it is continued or killed when rank 0 is through. */
static void run_processes(world *w, int signal)
{
    const pid_t pid[2] = { run_process(w, 0), run_process(w, 1) };
    int status;

    ck_assert_int_eq(waitpid(pid[0], &status, 0), pid[0]);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "rank 0 ended with status %x", status);
    if (signal == SIGKILL)
        kill(pid[1], SIGKILL); /* if it has not done so itself */
    ck_assert_int_eq(waitpid(pid[1], &status, 0), pid[1]);
    if (signal != 0)
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signal, "rank 1 ended with status %x",
                      status);
    else
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "rank 1 ended with status %x", status);
    munmap(w, sizeof(*w));
}

/* ---- taking messages back ---- */

enum { CANCELS = 400 };

/* As the fabric does it. */
static void cancel(rank *r, note *n)
{
    if (n->dones > 0)
        return;
    if (n->msg.net != NULL) {
        frd_net_ucx.cancel(r->net, &n->msg);
    } else if (frd_match_cancel(r->match, &n->msg)) {
        n->msg.done(&n->msg, FEDRDMA_ERR_CANCELED);
    }
}

/* What ended early is ours again: nobody may write to it, and nobody gets to see what we write. */
static void scribble(note *n, bool sent, bool *scribbled)
{
    if (n->dones > 0 && !*scribbled && (sent || n->rc != 0))
        memset(n->msg.buf, 0xee, n->msg.len);
    *scribbled = n->dones > 0;
}

static size_t cancel_length(uint32_t i)
{
    return i % 7 == 0 ? 2000000 + i : i % 3 == 0 ? 20000 + i : i % 3000;
}

static void body_cancel(rank *r)
{
    const int peer = 1 - r->rank;
    note *const send = calloc(CANCELS, sizeof(note)), *const recv = calloc(CANCELS, sizeof(note));
    bool *const over = calloc(2 * CANCELS, sizeof(bool));
    unsigned char **const out = calloc(CANCELS, sizeof(*out));

    for (uint32_t i = 0; i < CANCELS; i++) {
        const size_t len = cancel_length(i);

        note_set(&send[i], peer, i, out[i] = filled(r->rank, i, len), len);
        note_set(&recv[i], peer, i, malloc(len + 1), len);
    }
    for (uint32_t i = 0; i < CANCELS; i++) {
        const uint32_t some = (uint32_t)rand_r(&r->seed) % (i + 1);

        note_send(r, &send[i]);
        note_recv(r, &recv[i]);
        for (int k = rand_r(&r->seed) % 4; k > 0; k--)
            frd_net_ucx.progress(r->net);
        if (i % 2 == 0)
            cancel(r, rand_r(&r->seed) % 2 == 0 ? &send[some] : &recv[some]);
        scribble(&send[some], true, &over[some]);
        scribble(&recv[some], false, &over[CANCELS + some]);
    }
    for (int k = 0; k < 200; k++)
        step(r, 1);
    meet_driving(r, 1);
    for (uint32_t i = 0; i < CANCELS; i++) {
        cancel(r, &send[i]);
        cancel(r, &recv[i]);
    }
    wait_notes(r, send, CANCELS);
    wait_notes(r, recv, CANCELS);
    for (uint32_t i = 0; i < CANCELS; i++) {
        scribble(&send[i], true, &over[i]);
        scribble(&recv[i], false, &over[CANCELS + i]);
    }
    meet_driving(r, 2);
    for (uint32_t i = 0; i < CANCELS; i++) {
        const unsigned char *const in = recv[i].msg.buf;

        ck_assert(recv[i].rc == 0 || recv[i].rc == FEDRDMA_ERR_CANCELED);
        ck_assert(send[i].rc == 0 || send[i].rc == FEDRDMA_ERR_CANCELED);
        for (size_t at = 0; recv[i].rc != 0 && at < recv[i].msg.len; at++) {
            if (in[at] != 0xee)
                ck_abort_msg("message %u written to after its end", i);
        }
        if (recv[i].rc == 0)
            ck_assert_msg(is_filled(in, peer, i, recv[i].msg.len), "message %u", i);
        free(recv[i].msg.buf);
        free(out[i]);
    }
    ck_assert_int_eq(r->lost[peer], 0);
    free(send);
    free(recv);
    free(over);
    free(out);
}

START_TEST(test_cancel)
{
    world *const w = world_create(2, body_cancel);

    w->large = large[_i % 2];
    w->credit = _i / 2 == 0 ? "256k" : "4k";
    run_threads(w);
}
END_TEST

/* ---- a peer that dies or hangs ---- */

enum { LEN = 30 << 20, HALF = 8 };

/* Rank 1 stops, in the way of `signal`, in the middle of large messages both ways; rank 0 finds out, and gets
 * all its buffers back. */
static void stop_in_the_middle(rank *r, int signal)
{
    static unsigned char *buf[2 * HALF];
    note notes[2 * HALF];

    for (uint32_t i = 0; i < 2 * HALF; i++) {
        buf[i] = calloc(1, LEN);
        note_set(&notes[i], 1 - r->rank, i / 2, buf[i], LEN);
        if (i % 2 == (uint32_t)r->rank)
            note_recv(r, &notes[i]);
        else
            note_send(r, &notes[i]);
    }
    if (r->rank == 1) {
        while (notes[0].dones == 0)
            step(r, 1000);
        kill(getpid(), signal);
    }
    while (signal == SIGKILL && r->lost[1] == 0)
        step(r, 5000);
    for (uint64_t start = frd_now_ns(); signal == SIGSTOP && frd_now_ns() - start < FRD_NS_PER_S;)
        step(r, 100); /* until it has stopped, and the sockets are full */
    for (uint32_t i = 0; i < 2 * HALF; i++)
        cancel(r, &notes[i]);
    wait_notes(r, notes, 2 * HALF);
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        ck_assert(notes[i].rc == 0 || notes[i].rc == FEDRDMA_ERR_RANK_LOST ||
                  notes[i].rc == FEDRDMA_ERR_CANCELED);
        memset(buf[i], 0xee, LEN);
    }
    for (int k = 0; k < 20; k++)
        step(r, 1);
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        for (size_t at = 0; at < LEN; at++) {
            if (buf[i][at] != 0xee)
                ck_abort_msg("message %u written to after its end", i);
        }
        free(buf[i]);
    }
}

static void body_kill(rank *r)
{
    unsigned char byte = 0;
    note n;

    stop_in_the_middle(r, SIGKILL);
    ck_assert_int_eq(r->lost[1], 1);
    note_set(&n, 1, 99, &byte, 1);
    note_send(r, &n);
    ck_assert_int_eq(n.dones, 1);
    ck_assert_int_eq(n.rc, FEDRDMA_ERR_RANK_LOST);
    ck_assert_int_eq(r->lost[1], 1);
}

static void body_hang(rank *r)
{
    const uint64_t start = frd_now_ns();

    stop_in_the_middle(r, SIGSTOP);
    ck_assert_uint_lt(frd_now_ns() - start, 15 * FRD_NS_PER_S);
}

/* An idle connection: nothing is in flight, but the death is seen, at once. */
static void body_idle(rank *r)
{
    unsigned char byte = 0;
    uint64_t start;
    note n;

    note_set(&n, 1 - r->rank, 1, &byte, 1);
    if (r->rank == 1)
        note_send(r, &n);
    else
        note_recv(r, &n);
    wait_notes(r, &n, 1);
    meet_driving(r, 1);
    if (r->rank == 1) {
        for (int k = 0; k < 20; k++)
            step(r, 1);
        kill(getpid(), SIGKILL);
    }
    start = frd_now_ns();
    while (r->lost[1] == 0)
        step(r, 5000);
    ck_assert_uint_lt(r->lost_ns - start, FRD_NS_PER_S);
}

/* A peer that was never talked to is dead: the first send finds out. */
static void body_first(rank *r)
{
    static unsigned char data[100000];
    note notes[2];

    if (r->rank == 1)
        kill(getpid(), SIGKILL);
    while (kill(getppid(), 0) == 0 && r->sleeps < 20)
        step(r, 5);
    note_set(&notes[0], 1, 1, data, 1);
    note_set(&notes[1], 1, 2, data, sizeof data);
    note_send(r, &notes[0]);
    note_send(r, &notes[1]);
    while (r->lost[1] == 0)
        step(r, 5000);
    wait_notes(r, notes, 2);
    ck_assert_int_eq(notes[1].rc, FEDRDMA_ERR_RANK_LOST);
}

START_TEST(test_death)
{
    static void (*const body[])(rank *) = { body_kill, body_hang, body_idle, body_first };
    world *const w = world_create(2, body[_i / 2]);

    w->large = large[_i % 2];
    run_processes(w, SIGKILL);
}
END_TEST

/* ---- a peer that leaves ---- */

/* Nothing outstanding: no failure. What is asked of it later is one. */
static void body_leave(rank *r)
{
    unsigned char byte = 0;
    note n;

    note_set(&n, 1 - r->rank, 1, &byte, 1);
    if (r->rank == 1)
        note_send(r, &n);
    else
        note_recv(r, &n);
    wait_notes(r, &n, 1);
    meet_driving(r, 1);
    if (r->rank == 1)
        return;
    for (int k = 0; k < 100; k++)
        step(r, 5); /* it says goodbye and closes */
    ck_assert_int_eq(r->lost[1], 0);
    note_set(&n, 1, 2, &byte, 1);
    note_send(r, &n);
    wait_notes(r, &n, 1);
    ck_assert_int_eq(n.rc, FEDRDMA_ERR_RANK_LOST);
    ck_assert_int_eq(r->lost[1], 1);
}

/* Something outstanding: a receive that nobody will fill, an offer that nobody will take. */
static void body_desert(rank *r)
{
    static unsigned char data[100000];
    note notes[2];

    note_set(&notes[0], 1 - r->rank, 1, data, r->world->word == 0 ? 1 : sizeof data);
    note_set(&notes[1], 1 - r->rank, 2, data, 1);
    if (r->rank == 0)
        note_send(r, &notes[0]);
    else
        note_send(r, &notes[1]);
    for (int k = 0; k < 50; k++)
        step(r, 2);
    if (r->rank == 1)
        return;
    note_recv(r, &notes[1]);
    wait_notes(r, &notes[1], 1);
    note_set(&notes[1], 1, 3, data, 1);
    note_recv(r, &notes[1]);
    while (r->lost[1] == 0)
        step(r, 5000);
    wait_notes(r, notes, 1);
    ck_assert_int_eq(r->lost[1], 1);
    ck_assert(frd_match_cancel(r->match, &notes[1].msg));
}

START_TEST(test_leave)
{
    world *const w = world_create(2, _i / 2 == 0 ? body_leave : body_desert);

    w->large = large[_i % 2];
    run_processes(w, 0);
}
END_TEST

START_TEST(test_desert_offer)
{
    world *const w = world_create(2, body_desert);

    w->word = 1;
    w->large = large[_i];
    run_processes(w, 0);
}
END_TEST

/* Closing drops what is in flight: no done(), and the buffers are free. */
static void body_close(rank *r)
{
    unsigned char *const buf = calloc(1, 20000000);
    note notes[4];

    for (uint32_t i = 0; i < 4; i++) {
        note_set(&notes[i], 1 - r->rank, i, buf, i % 2 == 0 ? 5000000 : 5000);
        if ((int)i % 2 == r->rank)
            note_recv(r, &notes[i]);
        else
            note_send(r, &notes[i]);
    }
    for (int k = 0; k < r->rank * 3; k++)
        step(r, 1);
    frd_match_clear(r->match);
    frd_net_ucx.close(r->net);
    r->net = NULL;
    memset(buf, 1, 20000000);
    free(buf);
}

START_TEST(test_close)
{
    world *const w = world_create(2, body_close);

    w->large = large[_i];
    run_threads(w);
}
END_TEST

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

/* The k-th address to try, as text; "" when there is none. */
static const char *chosen(const frd_ucx_card *own, const frd_ucx_card *its, int k)
{
    static char text[64];
    struct sockaddr_storage address;
    socklen_t bytes;

    if (!frd_ucx_place_choose(own, its, k, &address, &bytes))
        return "";
    ck_assert_uint_eq(ntohs(((struct sockaddr_in *)(void *)&address)->sin_port), 4711);
    ck_assert_ptr_nonnull(inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&address)->sin_addr, text, sizeof text));
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
    its.network = 2;
    ck_assert_str_eq(chosen(&own, &its, 0), "10.1.7.3");
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
    ck_assert_int_lt(rc, 0);
    ck_assert_msg(strstr(story.text, bad[_i].word) != NULL, "%s", story.text);
    frd_conf_free(&conf);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ucx failures");
    TCase *const back = add_case(suite, "cancel", 60);
    TCase *const peers = add_case(suite, "peers", 60);
    TCase *const bytes = add_case(suite, "bytes", 20);

    tcase_add_loop_test(back, test_cancel, 0, 4);
    tcase_add_loop_test(peers, test_death, 0, 8);
    tcase_add_loop_test(peers, test_leave, 0, 4);
    tcase_add_loop_test(peers, test_desert_offer, 0, 2);
    tcase_add_loop_test(peers, test_close, 0, 2);
    tcase_add_test(bytes, test_garbage);
    tcase_add_test(bytes, test_card);
    tcase_add_test(bytes, test_place);
    tcase_add_loop_test(bytes, test_options, 0, 4);
    return run_suite(suite);
}
