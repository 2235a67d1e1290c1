/* SPDX-License-Identifier: BSD-3-Clause
 *
 * test_wrap.c - a communicator's operation numbers wrap around after 2^32: ranks that are ahead, cancelled operations
 * and late messages are told apart there as anywhere. Ranks are threads over the loop transport. */
#include <check.h>

#include "api/comm.h"
#include "tests/mp/expect.h"
#include "tests/mp/threads.h"

MP_EXPECT_DEFINE;

static void wrap_rank(mp_job *job, int rank, void *arg)
{
    const char *settings[] = { "timeout", "5s", "loop_seed", "3", NULL };
    fedrdma_context *context = NULL;
    fedrdma_request *requests[8] = { NULL };
    int in[8], out[8];

    (void)arg;
    mp_expect_rank = rank;
    if (!EXPECT_OK(mp_threads_init(job, rank, settings, &context)))
        return;
    fedrdma_comm *world = fedrdma_world(context);
    world->comm->channel.next_seq = UINT32_MAX - 3;
    mp_threads_meet(job);
    /* Rank 0 starts all while the others wait for each: its messages come many operations early. */
    for (int i = 0; i < 8; i++) {
        in[i] = rank + i;
        EXPECT_OK(fedrdma_iallreduce(&in[i], &out[i], 1, FEDRDMA_INT, FEDRDMA_SUM, world, &requests[i]));
        if (rank != 0)
            EXPECT_OK(fedrdma_wait(&requests[i], NULL));
    }
    EXPECT_OK(fedrdma_waitall(8, requests, NULL));
    for (int i = 0; i < 8; i++)
        EXPECT(out[i] == 3 + 3 * i);
    EXPECT(world->comm->channel.next_seq == 4);
    EXPECT_OK(fedrdma_finalize(&context));
}

START_TEST(test_wrap)
{
    mp_threads_run(3, wrap_rank, NULL);
    ck_assert_int_eq(atomic_load(&mp_expect_failures), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wrap");
    TCase *tcase = tcase_create("operation numbers");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_wrap);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
