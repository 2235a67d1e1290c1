/* SPDX-License-Identifier: BSD-3-Clause
 * test_ucx_failures.c - the UCX transport when things go wrong: messages taken back at random moments, peers
 * that die, hang or leave, garbage, options that UCX can't serve. Every wait is bounded. */
#include "ucx_ranks.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>


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

/* A receive that is taken back in the middle stops its sender, for whom the message has ended as sent. */
static void body_stop(rank *r)
{
    enum { BYTES = 100 << 20, PIECES_ALL = BYTES / (255 * 1024) };
    unsigned char *const buf = calloc(1, BYTES);
    note n;

    note_set(&n, 1 - r->rank, 1, buf, BYTES);
    if (r->rank == 0) {
        note_send(r, &n);
        wait_notes(r, &n, 1);
        ck_assert_int_eq(n.rc, 0);
    } else {
        note_recv(r, &n);
        while (r->stat.ucx_received_bytes == 0 && buf[0] == 0 && n.msg.net == NULL)
            step(r, 1000);
        cancel(r, &n);
        ck_assert_int_eq(n.dones, 1);
        ck_assert_int_eq(n.rc, FEDRDMA_ERR_CANCELED);
    }
    meet_driving(r, 1);
    if (r->rank == 1)
        ck_assert_uint_lt(r->stat.net_dropped, PIECES_ALL / 2);
    free(buf);
}

START_TEST(test_stop)
{
    run_threads(world_create(2, body_stop));
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

int main(void)
{
    Suite *const suite = suite_create("ucx failures");
    TCase *const back = add_case(suite, "cancel", 60);
    TCase *const peers = add_case(suite, "peers", 60);

    tcase_add_loop_test(back, test_cancel, 0, 4);
    tcase_add_test(back, test_stop);
    tcase_add_loop_test(peers, test_death, 0, 8);
    tcase_add_loop_test(peers, test_leave, 0, 4);
    tcase_add_loop_test(peers, test_desert_offer, 0, 2);
    tcase_add_loop_test(peers, test_close, 0, 2);
    return run_suite(suite);
}
