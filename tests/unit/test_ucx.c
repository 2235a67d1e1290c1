/* SPDX-License-Identifier: BSD-3-Clause
 * test_ucx.c - the UCX transport: messages of all sizes in any order, taking them back, peers that leave, die or
 * hang, garbage, and that nothing is printed. Ranks are threads, or processes where one has to die. Every case
 * runs both ways to move a large message, and over whatever UCX finds (loopback TCP where there is nothing else). */
#include "ucx_ranks.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include "net/ucx.h"

/* ---- sizes ---- */

static const size_t sizes[] = { 0,      1,      2,      7,       8,       9,       63,      64,       65,
                                1000,   8191,   8192,   8193,    16384,   65535,   65536,   65537,    131072,
                                261119, 261120, 261121, 262144,  522239,  522240,  522241,  1000000,  1 << 20,
                                (1 << 20) + 1,  3000000, 1 << 22, 5000001, 8 << 20 };
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Every size both ways: first expected, then unexpected. */
static void body_sizes(rank *r)
{
    const int peer = 1 - r->rank;
    note *const send = calloc(2 * SIZES, sizeof(note)), *const recv = calloc(2 * SIZES, sizeof(note));

    for (uint32_t i = 0; i < 2 * SIZES; i++) {
        const size_t len = sizes[i % SIZES];

        note_set(&send[i], peer, i, filled(r->rank, i, len), len);
        note_set(&recv[i], peer, i, malloc(len + 1), len);
        ((unsigned char *)recv[i].msg.buf)[len] = 0xa5;
    }
    for (size_t i = 0; i < SIZES; i++)
        note_recv(r, &recv[i]);
    meet(r);
    for (size_t i = 0; i < 2 * SIZES; i++)
        note_send(r, &send[i]);
    wait_notes(r, recv, SIZES);
    for (size_t i = 2 * SIZES; i-- > SIZES;)
        note_recv(r, &recv[i]);
    wait_notes(r, recv, 2 * SIZES);
    wait_notes(r, send, 2 * SIZES);
    for (uint32_t i = 0; i < 2 * SIZES; i++) {
        const size_t len = sizes[i % SIZES];

        ck_assert_int_eq(send[i].rc, 0);
        ck_assert_int_eq(recv[i].rc, 0);
        ck_assert_msg(is_filled(recv[i].msg.buf, peer, i, len), "message %u of %zu bytes", i, len);
        ck_assert_uint_eq(((unsigned char *)recv[i].msg.buf)[len], 0xa5);
        ck_assert(is_filled(send[i].msg.buf, r->rank, i, len));
        free(send[i].msg.buf);
        free(recv[i].msg.buf);
    }
    ck_assert_uint_eq(r->stat.ucx_sent_messages, 2 * SIZES);
    ck_assert_uint_eq(r->stat.ucx_sent_bytes, r->stat.ucx_received_bytes);
    ck_assert_uint_eq(r->stat.net_dropped, 0);
    meet_driving(r, 1);
    free(send);
    free(recv);
}

START_TEST(test_sizes)
{
    static const char *const eager[] = { "8k", "0", "1m", "8k" }, *const credit[] = { "256k", "0", "64m", "100" };
    world *const w = world_create(2, body_sizes);

    w->large = large[_i % 2];
    w->eager = eager[_i / 2];
    w->credit = credit[_i / 2];
    run_threads(w);
}
END_TEST

/* ---- many, among several ranks, in any order ---- */

enum { MANY = 1500 };

static void shuffle(rank *r, note **list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)rand_r(&r->seed) % i;
        note *const swap = list[i - 1];

        list[i - 1] = list[j];
        list[j] = swap;
    }
}

/* The length that `from` and `to` agree on for message `idx`: mostly small. */
static size_t length_of(int from, int to, uint32_t idx)
{
    unsigned seed = (unsigned)(from * 31 + to) * 7919 + idx;
    const size_t some = (size_t)rand_r(&seed);

    return idx % 50 == 0 ? some % 600000 : idx % 5 == 0 ? some % 20000 : some % 300;
}

static void body_many(rank *r)
{
    const int size = r->world->size;
    const size_t each = MANY / (size_t)size, all = each * (size_t)(size - 1);
    note *const send = calloc(all, sizeof(note)), *const recv = calloc(all, sizeof(note));
    note **const order = calloc(2 * all, sizeof(note *));
    size_t n = 0;

    for (int peer = 0; peer < size; peer++) {
        for (uint32_t i = 0; peer != r->rank && i < each; i++, n++) {
            const size_t out = length_of(r->rank, peer, i), in = length_of(peer, r->rank, i);

            note_set(&send[n], peer, i, filled(r->rank, i, out), out);
            note_set(&recv[n], peer, i, malloc(in + 1), in);
            order[2 * n] = &send[n];
            order[2 * n + 1] = &recv[n];
        }
    }
    shuffle(r, order, 2 * all);
    for (size_t i = 0; i < 2 * all; i++) {
        if (order[i] >= send && order[i] < send + all)
            note_send(r, order[i]);
        else
            note_recv(r, order[i]);
        if (rand_r(&r->seed) % 4 == 0)
            frd_net_ucx.progress(r->net);
    }
    wait_notes(r, send, all);
    wait_notes(r, recv, all);
    for (size_t i = 0; i < all; i++) {
        ck_assert_int_eq(send[i].rc, 0);
        ck_assert_int_eq(recv[i].rc, 0);
        ck_assert(is_filled(recv[i].msg.buf, recv[i].msg.peer, recv[i].msg.tag.idx, recv[i].msg.len));
        free(send[i].msg.buf);
        free(recv[i].msg.buf);
    }
    meet_driving(r, 1);
    free(send);
    free(recv);
    free(order);
}

START_TEST(test_many)
{
    static const char *const credit[] = { "256k", "500" };
    world *const w = world_create(_i / 4 == 0 ? 2 : 4, body_many);

    w->large = large[_i % 2];
    w->credit = credit[_i / 2 % 2];
    run_threads(w);
}
END_TEST

/* ---- lengths that differ; offers that nobody wants ---- */

static void body_mismatch(rank *r)
{
    static const size_t sent[] = { 100, 100, 100000, 100000, 400000, 0 };
    static const size_t posted[] = { 99, 101, 99999, 100001, 100, 1 };
    enum { N = sizeof sent / sizeof sent[0] };
    unsigned char *const buf = calloc(1, 400001);
    note notes[2 * N];

    for (uint32_t i = 0; i < 2 * N; i++) {
        note_set(&notes[i], 1 - r->rank, i, buf, r->rank == 0 ? sent[i % N] : posted[i % N]);
        if (r->rank == 1 && i < N)
            note_recv(r, &notes[i]);
    }
    meet(r);
    for (uint32_t i = 0; r->rank == 0 && i < 2 * N; i++)
        note_send(r, &notes[i]);
    if (r->rank == 1)
        wait_notes(r, notes, N);
    for (uint32_t i = N; r->rank == 1 && i < 2 * N; i++)
        note_recv(r, &notes[i]);
    wait_notes(r, notes, 2 * N);
    for (uint32_t i = 0; i < 2 * N; i++) {
        ck_assert_int_eq(notes[i].rc, r->rank == 0 ? 0 : FEDRDMA_ERR_MISMATCH);
        if (r->rank == 1)
            ck_assert_uint_eq(notes[i].msg.word[0], sent[i % N]);
    }
    for (size_t i = 0; i < 400001; i++) {
        if (buf[i] != 0)
            ck_abort_msg("byte %zu was written", i);
    }
    meet_driving(r, 1);
    free(buf);
}

START_TEST(test_mismatch)
{
    world *const w = world_create(2, body_mismatch);

    w->large = large[_i];
    run_threads(w);
}
END_TEST

/* Rank 1 declares an operation dead: its sends end, unexpected or not. */
static void body_dead(rank *r)
{
    static const frd_tag dead = { .comm = 1 };
    unsigned char *const buf = calloc(1, 300000);
    note notes[40];

    for (uint32_t i = 0; i < 40; i++)
        note_set(&notes[i], 1 - r->rank, i, buf, i % 2 == 0 ? 300000 : 1000);
    for (uint32_t i = 0; r->rank == 0 && i < 20; i++)
        note_send(r, &notes[i]);
    meet_driving(r, 1);
    if (r->rank == 1) {
        r->dead = &dead;
        frd_match_purge(r->match, -1);
    }
    meet_driving(r, 2);
    for (uint32_t i = 20; r->rank == 0 && i < 40; i++)
        note_send(r, &notes[i]);
    if (r->rank == 0) {
        wait_notes(r, notes, 40);
        for (uint32_t i = 0; i < 40; i++)
            ck_assert_int_eq(notes[i].rc, 0);
    }
    meet_driving(r, 3);
    if (r->rank == 1)
        ck_assert_uint_eq(r->stat.net_dropped, 40);
    free(buf);
}

START_TEST(test_dead)
{
    world *const w = world_create(2, body_dead);

    w->large = large[_i];
    run_threads(w);
}
END_TEST

/* ---- control messages, credit ---- */

static void body_control(rank *r)
{
    char text[FRD_CONTROL_MAX];
    note notes[100];

    memset(text, 'x', sizeof text);
    for (uint32_t i = 0; r->rank == 0 && i < 100; i++) {
        note_set(&notes[i], 1, i, text, i == 0 ? 0 : FRD_CONTROL_MAX);
        notes[i].msg.tag.comm = FRD_TAG_CONTROL;
        note_send(r, &notes[i]);
    }
    if (r->rank == 0)
        wait_notes(r, notes, 100);
    while (r->rank == 1 && r->controls < 100)
        step(r, 1000);
    if (r->rank == 1) {
        ck_assert_uint_eq(r->control_bytes, sizeof text);
        ck_assert_mem_eq(r->control, text, sizeof text);
    } else {
        ck_assert_uint_eq(r->stat.ucx_rendezvous, 0);
    }
    meet_driving(r, 1);
}

START_TEST(test_control)
{
    world *const w = world_create(2, body_control);

    w->eager = "0";
    w->credit = "0";
    run_threads(w);
}
END_TEST

/* A rank that runs ahead puts no more than the credit at its peer; the rest waits at home, and all of it comes
 * through. In a steady state everything stays eager. */
static void body_credit(rank *r)
{
    static char data[1000];
    note notes[200];

    for (uint32_t i = 0; i < 200; i++)
        note_set(&notes[i], 1 - r->rank, i, data, sizeof data);
    for (uint32_t i = 0; r->rank == 0 && i < 100; i++)
        note_send(r, &notes[i]);
    meet_driving(r, 1);
    if (r->rank == 0) {
        ck_assert_uint_eq(r->stat.ucx_rendezvous, 90);
    } else {
        for (uint32_t i = 0; i < 100; i++)
            note_recv(r, &notes[i]);
    }
    wait_notes(r, notes, 100);
    meet_driving(r, 2);
    for (int k = 0; k < 50; k++)
        step(r, 1); /* until all of the credit is back */
    for (uint32_t i = 100; i < 200; i++) { /* one at a time */
        if (r->rank == 0)
            note_send(r, &notes[i]);
        else
            note_recv(r, &notes[i]);
        wait_notes(r, &notes[i], 1);
        meet_driving(r, (int)i - 97);
    }
    if (r->rank == 0)
        ck_assert_uint_eq(r->stat.ucx_rendezvous, 90);
}

START_TEST(test_credit)
{
    world *const w = world_create(2, body_credit);

    w->credit = "10000";
    run_threads(w);
}
END_TEST

/* ---- sleeping ---- */

/* Rank 1 sleeps until a message comes: by its descriptor alone, no time-out. */
static void body_sleep(rank *r)
{
    static const size_t lengths[] = { 8, 100000, 5000000 };
    unsigned char *const buf = calloc(1, 5000000);

    for (uint32_t i = 0; i < 3; i++) {
        note n;

        note_set(&n, 1 - r->rank, i, buf, lengths[i]);
        if (r->rank == 1) {
            note_recv(r, &n);
            while (!frd_net_ucx.arm(r->net))
                frd_net_ucx.progress(r->net);
            __atomic_store_n(&r->world->word, (int)i + 1, __ATOMIC_SEQ_CST); /* asleep, as good as */
            while (n.dones == 0)
                step(r, 30000);
        } else {
            while (__atomic_load_n(&r->world->word, __ATOMIC_SEQ_CST) <= (int)i)
                step(r, 1);
            note_send(r, &n);
            wait_notes(r, &n, 1);
        }
        ck_assert_int_eq(n.rc, 0);
        while (!frd_net_ucx.flushed(r->net)) /* what UCX still holds needs our progress: nobody else wakes rank 1 */
            step(r, 1000);
        meet(r);
    }
    if (r->rank == 1)
        ck_assert_uint_gt(r->sleeps, 0);
    meet(r);
    free(buf);
}

START_TEST(test_sleep)
{
    world *const w = world_create(2, body_sleep);

    w->large = large[_i];
    run_threads(w);
}
END_TEST

/* ---- memory, handlers ---- */

static void body_memory(rank *r)
{
    enum { BYTES = 4 << 20 };
    void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *const bytes = memory;
    note notes[2];

    ck_assert_int_eq(frd_net_ucx.mem_add(r->net, memory, BYTES, NULL), 0);
    for (size_t i = 0; i < BYTES / 2; i++)
        bytes[i] = pattern(r->rank, 5, i);
    note_set(&notes[0], 1 - r->rank, 5, bytes, BYTES / 2);
    note_set(&notes[1], 1 - r->rank, 5, bytes + BYTES / 2, BYTES / 2);
    note_recv(r, &notes[1]);
    note_send(r, &notes[0]);
    wait_notes(r, notes, 2);
    ck_assert(is_filled(bytes + BYTES / 2, 1 - r->rank, 5, BYTES / 2));
    meet_driving(r, 1);
    frd_net_ucx.mem_remove(r->net, memory, BYTES);
    munmap(memory, BYTES);
}

START_TEST(test_memory)
{
    world *const w = world_create(2, body_memory);

    w->large = large[_i];
    run_threads(w);
}
END_TEST

/* The signals of crashes are not UCX's (a sanitizer may have them). */
static void body_handlers(rank *r)
{
    static const int crash[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE };

    meet_driving(r, 1);
    for (size_t i = 0; i < 4; i++) {
        struct sigaction action;
        Dl_info where;
        void *handler;

        ck_assert_int_eq(sigaction(crash[i], NULL, &action), 0);
        memcpy(&handler, &action.sa_sigaction, sizeof handler);
        if (handler != NULL && dladdr(handler, &where) != 0)
            ck_assert_ptr_null(strstr(where.dli_fname, "libucs"));
    }
}

START_TEST(test_handlers)
{
    run_threads(world_create(2, body_handlers));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("ucx");
    TCase *const messages = add_case(suite, "messages", 60);
    TCase *const process = add_case(suite, "process", 20);

    tcase_add_loop_test(messages, test_sizes, 0, 8);
    tcase_add_loop_test(messages, test_many, 0, 8);
    tcase_add_loop_test(messages, test_mismatch, 0, 2);
    tcase_add_loop_test(messages, test_dead, 0, 2);
    tcase_add_test(messages, test_control);
    tcase_add_test(messages, test_credit);
    tcase_add_loop_test(process, test_sleep, 0, 2);
    tcase_add_loop_test(process, test_memory, 0, 2);
    tcase_add_test(process, test_handlers);
    return run_suite(suite);
}
