/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_ranks.c - see ucx_ranks.h. */
#include "ucx_ranks.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

const char *const large[2] = { "pieces", "rendezvous" };

void on_done(frd_msg *msg, int rc)
{
    note *const n = (note *)msg;

    n->dones++;
    n->rc = rc;
}

static void on_lost(void *arg, int peer, const char *why)
{
    rank *const r = arg;

    (void)why;
    r->lost[peer]++;
    r->lost_ns = frd_now_ns();
}

static void on_control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    rank *const r = arg;

    (void)peer, (void)tag;
    r->controls++;
    memcpy(r->control, data, len);
    r->control_bytes = len;
}

static bool is_dead(void *arg, const frd_tag *tag)
{
    const rank *const r = arg;

    return r->dead != NULL && r->dead->comm == tag->comm;
}

void meet(rank *r)
{
    pthread_barrier_wait(&r->world->barrier);
}

void rank_open(rank *r)
{
    frd_story story = { 0 };
    frd_net_env env;
    const void *card;

    ck_assert_int_eq(frd_conf_init(&r->conf, NULL), 0);
    ck_assert_int_eq(frd_conf_set(&r->conf, "eager", r->world->eager, "test", NULL), 0);
    ck_assert_int_eq(frd_conf_set(&r->conf, "eager_credit", r->world->credit, "test", NULL), 0);
    ck_assert_int_eq(frd_conf_set(&r->conf, "ucx_large", r->world->large, "test", NULL), 0);
    ck_assert_int_eq(frd_match_create(&r->stat, is_dead, r, &r->match), 0);
    env = (frd_net_env){ .conf = &r->conf,
                         .stat = &r->stat,
                         .match = r->match,
                         .rank = r->rank,
                         .size = r->world->size,
                         .peer_lost = on_lost,
                         .control = on_control,
                         .arg = r };
    ck_assert_msg(frd_net_ucx.open(&env, &story, &r->net, &card, &r->world->card_bytes[r->rank]) == 0, "%s",
                  story.text);
    ck_assert_uint_le(r->world->card_bytes[r->rank], CARD_MAX);
    memcpy(r->world->card[r->rank], card, r->world->card_bytes[r->rank]);
    meet(r);
    for (int i = 0; i < r->world->size; i++) {
        bool reach = false;

        if (i == r->rank)
            continue;
        ck_assert_int_eq(
            frd_net_ucx.connect(r->net, i, r->world->card[i], r->world->card_bytes[i], &reach, &story), 0);
        ck_assert(reach);
    }
    meet(r);
}

void rank_close(rank *r)
{
    frd_match_clear(r->match);
    frd_net_ucx.close(r->net);
    frd_match_destroy(r->match);
    frd_conf_free(&r->conf);
}

/* One round of progress; sleeps up to `ms` when there is nothing to do. */
void step(rank *r, int ms)
{
    if (frd_net_ucx.progress(r->net) > 0)
        return;
    if (frd_net_ucx.arm(r->net)) {
        struct pollfd fd = { .fd = frd_net_ucx.fd(r->net), .events = POLLIN };

        r->sleeps++;
        poll(&fd, 1, ms);
    }
    frd_net_ucx.disarm(r->net);
}

/* Drives the rank until all notes have ended. */
void wait_notes(rank *r, const note *notes, size_t count)
{
    const uint64_t deadline = frd_now_ns() + 60 * FRD_NS_PER_S;
    size_t first = 0;

    while (first < count) {
        if (notes[first].dones > 0) {
            ck_assert_int_eq(notes[first].dones, 1);
            first++;
            continue;
        }
        ck_assert_msg(frd_now_ns() < deadline, "rank %d: message %zu of %zu does not end (tag %u, %zu bytes)",
                      r->rank, first, count, notes[first].msg.tag.idx, notes[first].msg.len);
        step(r, 20000);
    }
}

/* Drives the rank until the others have come here too. */
void meet_driving(rank *r, int round)
{
    const int target = round * r->world->size;

    __atomic_add_fetch(&r->world->word, 1, __ATOMIC_SEQ_CST);
    do {
        step(r, 2);
    } while (__atomic_load_n(&r->world->word, __ATOMIC_SEQ_CST) < target);
}

static frd_tag tag_of(uint32_t idx)
{
    return (frd_tag){ .comm = 1, .seq = 2, .frag = 3, .idx = idx };
}

void note_set(note *n, int peer, uint32_t idx, void *buf, size_t len)
{
    *n = (note){ .msg = { .tag = tag_of(idx), .peer = peer, .buf = buf, .len = len, .done = on_done } };
}

void note_send(rank *r, note *n)
{
    frd_net_ucx.send(r->net, &n->msg);
}

void note_recv(rank *r, note *n)
{
    frd_match_post(r->match, &n->msg);
}

unsigned char pattern(int from, uint32_t idx, size_t at)
{
    return (unsigned char)((size_t)from * 101 + idx * 31 + at * 7 + (at >> 8) * 13 + (at >> 16));
}

unsigned char *filled(int from, uint32_t idx, size_t len)
{
    unsigned char *const buf = malloc(len + 1);

    ck_assert_ptr_nonnull(buf);
    for (size_t i = 0; i < len; i++)
        buf[i] = pattern(from, idx, i);
    return buf;
}

bool is_filled(const unsigned char *buf, int from, uint32_t idx, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != pattern(from, idx, i))
            return false;
    }
    return true;
}

void *rank_main(void *arg)
{
    rank *const r = arg;

    rank_open(r);
    r->world->body(r);
    rank_close(r);
    free(r);
    return NULL;
}

world *world_create(int size, void (*body)(rank *rank))
{
    pthread_barrierattr_t shared;
    world *const w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(w, MAP_FAILED);
    w->size = size;
    w->body = body;
    w->eager = "8k";
    w->credit = "256k";
    w->large = "pieces";
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&w->barrier, &shared, (unsigned)size);
    return w;
}

rank *rank_new(world *w, int i)
{
    rank *const r = calloc(1, sizeof(*r));

    ck_assert_ptr_nonnull(r);
    r->world = w;
    r->rank = i;
    r->seed = 4711 + (unsigned)i;
    return r;
}

/* Runs the world as threads of this process. */
void run_threads(world *w)
{
    pthread_t thread[RANKS_MAX];

    for (int i = 0; i < w->size; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, rank_main, rank_new(w, i)), 0);
    for (int i = 0; i < w->size; i++)
        pthread_join(thread[i], NULL);
    munmap(w, sizeof(*w));
}

/* ---- nothing is printed ---- */

static int real[2], captured;

static void capture(void)
{
    captured = memfd_create("captured", 0);
    for (int i = 0; i < 2; i++) {
        real[i] = dup(i + 1);
        dup2(captured, i + 1);
    }
}

static void compare(void)
{
    char text[512];
    ssize_t got;

    fflush(NULL);
    for (int i = 0; i < 2; i++)
        dup2(real[i], i + 1);
    got = pread(captured, text, sizeof text - 1, 0);
    ck_assert_int_ge(got, 0);
    text[got] = '\0';
    ck_assert_msg(got == 0, "the library printed: %s", text);
}

/* ---- running ---- */

TCase *add_case(Suite *suite, const char *name, double seconds)
{
    TCase *const tcase = tcase_create(name);

    tcase_set_timeout(tcase, seconds);
    tcase_add_checked_fixture(tcase, capture, compare);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int run_suite(Suite *suite)
{
    SRunner *const runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

