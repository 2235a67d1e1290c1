/* SPDX-License-Identifier: BSD-3-Clause
 * test_shm.c - the ring between two ranks of a node, and what a rank makes of a peer that writes nonsense
 * into its memory: it may be lost, nothing may break. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "net/fabric_impl.h"
#include "net/shm_impl.h"
#include "net_world.h"

/* ---- the ring alone ------------------------------------------------------------------------------- */

typedef struct pipe_test {
    frd_shm_ring producer, consumer;
    uint64_t seed;
} pipe_test;

enum { RECORDS = 20000 };

static pipe_test pipe_new(uint64_t size)
{
    unsigned char *const memory = frd_alloc_aligned(128, sizeof(frd_shm_ring_shared) + size);
    frd_shm_ring ring = { .size = size };

    ck_assert_ptr_nonnull(memory);
    memset(memory, 0, sizeof(frd_shm_ring_shared) + size);
    ring.shared = (frd_shm_ring_shared *)(void *)memory;
    ring.data = memory + sizeof(frd_shm_ring_shared);
    return (pipe_test){ .producer = ring, .consumer = ring };
}

static frd_shm_record random_record(uint64_t *random, const frd_shm_ring *ring)
{
    const uint64_t z = world_draw(random);

    return (frd_shm_record){ .kind = 1 + (uint32_t)(z % (FRD_SHM_KINDS - 1)),
                             .bytes = (uint32_t)((z >> 8) % (frd_shm_ring_payload_max(ring) + 1)),
                             .tag = { .comm = (uint32_t)z, .seq = 1, .frag = 2, .idx = 3 },
                             .len = z,
                             .id = z >> 1,
                             .arg = z >> 2 };
}

static void *produce(void *arg)
{
    pipe_test *const t = arg;
    uint64_t random = t->seed;

    for (int i = 0; i < RECORDS; i++) {
        const frd_shm_record record = random_record(&random, &t->producer);
        unsigned char *at;

        while ((at = frd_shm_ring_reserve(&t->producer, &record)) == NULL)
            sched_yield();
        memset(at, (int)(record.len & 0xff), record.bytes);
        frd_shm_ring_commit(&t->producer);
    }
    return NULL;
}

START_TEST(test_ring)
{
    pipe_test t = pipe_new(_i == 0 ? FRD_SHM_RING_MIN : 1 << 16);
    uint64_t random = t.seed = (uint64_t)_i + 5;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, produce, &t), 0);
    for (int i = 0; i < RECORDS; i++) {
        const frd_shm_record expected = random_record(&random, &t.consumer);
        const unsigned char *payload;
        frd_shm_record record;

        while (!frd_shm_ring_peek(&t.consumer, &record, &payload)) {
            ck_assert(!t.consumer.broken);
            sched_yield();
        }
        ck_assert_mem_eq(&record, &expected, sizeof(record));
        for (uint32_t k = 0; k < record.bytes; k++) {
            if (payload[k] != (unsigned char)record.len)
                ck_abort_msg("record %d, byte %u", i, k);
        }
        frd_shm_ring_pop(&t.consumer);
    }
    pthread_join(thread, NULL);
    ck_assert(!frd_shm_ring_has_data(&t.consumer) && frd_shm_ring_has_room(&t.producer));
    frd_free(t.producer.shared);
}
END_TEST

/* Whatever is in the memory, the consumer stays inside the ring. */
START_TEST(test_garbage)
{
    uint64_t random = (uint64_t)_i;
    int broken = 0;

    for (int round = 0; round < 2000; round++) {
        pipe_test t = pipe_new(FRD_SHM_RING_MIN);
        const unsigned char *payload;
        frd_shm_record record;

        /* Headers here and there that are nearly right, random bytes between. */
        for (uint64_t k = 0; k < t.consumer.size; k++)
            t.consumer.data[k] = (unsigned char)(round % 3 == 0 ? world_draw(&random) : 0);
        for (uint64_t k = 0; k < t.consumer.size; k += 64) {
            record = random_record(&random, &t.consumer);
            record.bytes = (uint32_t)(world_draw(&random) >> (world_draw(&random) % 64));
            if (round % 3 != 0)
                memcpy(t.consumer.data + k, &record, sizeof(record));
        }
        t.consumer.own = t.consumer.other = world_draw(&random) % 100 * FRD_SHM_RECORD_ALIGN;
        atomic_store(&t.consumer.shared->head,
                     t.consumer.own + (world_draw(&random) >> (world_draw(&random) % 64)));
        while (frd_shm_ring_peek(&t.consumer, &record, &payload)) {
            ck_assert(payload >= t.consumer.data);
            ck_assert(payload + record.bytes <= t.consumer.data + t.consumer.size);
            frd_shm_ring_pop(&t.consumer);
        }
        broken += t.consumer.broken;
        frd_free(t.producer.shared);
    }
    ck_assert_int_gt(broken, 500);
}
END_TEST

/* ---- a peer gone mad ------------------------------------------------------------------------------ */

enum { POSTED = 64, WANTED = 150, ROW = 400 };

static void ignore(frd_msg *msg, int rc)
{
    (void)rc;
    msg->handle = msg; /* ended */
}

static frd_tag some_tag(uint64_t z)
{
    return (frd_tag){ .comm = z % 50 == 0 ? FRD_TAG_CONTROL : 1, .idx = (uint32_t)z % POSTED };
}

static void write_record(rank *r, frd_shm_peer *to, const frd_shm_record *record)
{
    while (frd_shm_ring_reserve(&to->out, record) == NULL)
        world_turn(r);
    frd_shm_ring_commit(&to->out);
    frd_shm_notify(to);
}

/* Well-formed records that mean nothing, or something that cannot be; at last one that is no record. */
static void write_nonsense(rank *r, frd_shm_peer *to)
{
    const frd_shm_record bad = { .kind = FRD_SHM_KINDS };

    for (int i = 0; i < 20000; i++) {
        const uint64_t z = world_draw(&r->random);
        const uint64_t id = (z >> 8 & 1) << 32 | (z >> 9) % 20;
        frd_shm_record record = { .kind = (uint32_t)(z >> 32) % FRD_SHM_KINDS,
                                  .bytes = z >> 50 & 1 ? (uint32_t)(z >> 40) % 200 : 0,
                                  .tag = some_tag(z >> 20),
                                  .len = z >> 51 & 1 ? WANTED : z >> (z >> 52 & 63),
                                  .id = z >> 53 & 1 ? id : z,
                                  .arg = z >> 54 & 1   ? id
                                         : z >> 56 & 1 ? 0
                                                       : world_draw(&r->random) };

        if ((z >> 57) % 4 == 0) /* most likely to hit something, and too long for it */
            record = (frd_shm_record){ .kind = FRD_SHM_DATA, .bytes = (uint32_t)(ROW - z % 50), .id = id };
        if (record.kind == FRD_SHM_EAGER && z >> 55 & 1)
            record.len = record.bytes;
        write_record(r, to, &record);
        for (int k = 0; k < 4; k++)
            atomic_store(&to->segment.head->offer[world_draw(&r->random) % 20], world_draw(&r->random) >> 31);
        if (i % 100 == 0)
            frd_fabric_progress(r->fabric);
    }
    write_record(r, to, &bad);
}

static void nonsense_body(rank *r)
{
    frd_shm *const shm = (frd_shm *)r->fabric->net[0];
    static unsigned char buf[2 * POSTED][ROW];
    frd_msg msg[2 * POSTED];

    world_barrier(r);
    if (r->rank == 1) {
        write_nonsense(r, shm->by_rank[0]);
        while (world_flags(r)[0] == 0)
            frd_fabric_progress(r->fabric);
        return;
    }
    memset(msg, 0, sizeof(msg));
    memset(buf, 0xa5, sizeof(buf));
    for (unsigned i = 0; i < 2 * POSTED; i++)
        msg[i].handle = &msg[i];
    for (unsigned turn = 0; r->lost[1] == 0; turn++) {
        const unsigned i = turn % (2 * POSTED);

        world_turn(r);
        if (msg[i].handle != &msg[i])
            continue; /* in flight; its handle is the transport's */
        msg[i] = (frd_msg){
            .tag = some_tag(i | 1), .peer = 1, .buf = buf[i], .len = i < POSTED ? WANTED : 3, .done = ignore
        };
        msg[i].tag.comm = i < POSTED ? 1 : 2;
        if (i < POSTED)
            frd_fabric_recv(r->fabric, &msg[i]);
        else
            frd_fabric_send(r->fabric, &msg[i]);
    }
    REQUIRE(r->stat.net_dropped > 0);
    for (int i = 0; i < 2 * POSTED; i++) {
        for (int k = WANTED; k < ROW; k++)
            REQUIRE(buf[i][k] == 0xa5);
    }
    world_flags(r)[0] = 1;
}

START_TEST(test_nonsense)
{
    world w = { .transports = "shm",
                .option = { { "eager", _i % 2 ? "8k" : "0" }, { "shm_direct", _i % 4 < 2 ? "1" : "0" } },
                .size = 2,
                .body = nonsense_body,
                .seed = (unsigned)_i + 1,
                .any_control = true };

    world_run(&w);
}
END_TEST

/* ---- memory that cannot be read directly ----------------------------------------------------------- */

static void count(frd_msg *msg, int rc)
{
    REQUIRE(rc == FEDRDMA_OK);
    msg->len = 0; /* ended */
}

/* The kernel reads the first half and refuses the second: that is pulled. */
static void refused_body(rank *r)
{
    enum { LEN = 3 << 20, HALF = LEN / 2 };
    unsigned char *const buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    frd_msg msg = { .tag = { .comm = 1, .seq = 2, .frag = 3, .idx = 4 },
                    .peer = 1 - r->rank,
                    .buf = buf,
                    .len = LEN,
                    .done = count };

    REQUIRE(buf != MAP_FAILED);
    if (r->rank == 0) {
        for (size_t i = 0; i < LEN; i++)
            buf[i] = (unsigned char)(i * 3 + (i >> 11));
        REQUIRE(mprotect(buf + HALF, HALF, PROT_NONE) == 0);
        frd_fabric_send(r->fabric, &msg);
        while (world_flags(r)[0] == 0)
            ;
        REQUIRE(mprotect(buf + HALF, HALF, PROT_READ) == 0);
    } else {
        frd_fabric_recv(r->fabric, &msg);
        while (r->stat.shm_direct_bytes < HALF)
            world_turn(r);
        for (int i = 0; i < 10; i++)
            frd_fabric_progress(r->fabric);
        REQUIRE(r->stat.shm_direct_bytes == HALF && msg.len == LEN);
        world_flags(r)[0] = 1;
    }
    while (msg.len > 0)
        world_turn(r);
    for (size_t i = 0; i < LEN; i++)
        REQUIRE(buf[i] == (unsigned char)(i * 3 + (i >> 11)));
    REQUIRE(r->stat.shm_direct_bytes == (r->rank == 0 ? 0 : HALF));
    world_barrier(r);
    munmap(buf, LEN);
}

START_TEST(test_refused)
{
    world w = { .transports = "shm", .size = 2, .forked = _i, .body = refused_body };

    world_run(&w);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("shm");
    TCase *const tcase = tcase_create("shm");
    SRunner *const runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_ring, 0, 2);
    tcase_add_loop_test(tcase, test_garbage, 0, 3);
    tcase_add_loop_test(tcase, test_nonsense, 0, 8);
    tcase_add_loop_test(tcase, test_refused, 0, 2);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
