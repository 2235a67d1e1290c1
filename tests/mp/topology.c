/* SPDX-License-Identifier: BSD-3-Clause
 *
 * topology.c - contexts with a topology file: the silo comes from the file, wrong silos and files are told,
 * and ranks that were given different files refuse each other. Ranks are threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/mp/expect.h"
#include "tests/mp/threads.h"

MP_EXPECT_DEFINE;

#define SILOS \
    "silos:\n" \
    "  north: {gateways: {n1: 192.0.2.1:7100}, ranks: 0-1}\n" \
    "  south: {gateways: {s1: 192.0.2.2:7100}, hosts: [s2]}\n"

enum { RANKS = 3 };

static struct {
    char same[64], spaced[64], other[64], broken[64], apart[64];
} file;

static void put(char path[64], const char *text)
{
    strcpy(path, "/tmp/frd-topology-XXXXXX");
    const int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

typedef struct plan {
    const char *settings[RANKS][7]; /* of each rank, ended by NULL */
    int code;                       /* of all ranks; or, if `alone` >= 0, of that one */
    int alone;
    const char *says[2];
} plan;

static void start(mp_job *job, int rank, void *arg)
{
    const plan *p = arg;
    fedrdma_context *context = NULL;

    mp_expect_rank = rank;
    if (p->alone >= 0 && p->alone != rank)
        return;
    const int rc = mp_threads_init(job, rank, p->settings[rank], &context);
    if (!EXPECT_CODE(rc, p->code))
        return;
    for (int i = 0; i < 2 && rc != FEDRDMA_OK; i++)
        EXPECT_STORY(NULL, p->says[i]);
    if (rc != FEDRDMA_OK)
        return;
    const fedrdma_comm *world = fedrdma_world(context);
    EXPECT(fedrdma_comm_nsilos(world) == 2);
    for (int r = 0; r < RANKS; r++)
        EXPECT(strcmp(fedrdma_comm_silo_name(world, fedrdma_comm_silo(world, r)),
                      r < 2 ? "north" : "south") == 0);
    EXPECT_OK(fedrdma_finalize(&context));
}

/* Ranks 0 and 1 may not talk; the silo of 2 relays. All of it over UDP, but for the case that can't. */
static void relayed(mp_job *job, int rank, void *arg)
{
    const bool may = arg != NULL;
    const char *const settings[] = { "topology",        file.apart, "transports", may ? "wan" : "ucx",
                                     "connect_timeout", "20s",      NULL };
    fedrdma_context *context = NULL;
    static float in[RANKS][20000], out[RANKS][20000];
    uint64_t relayed = 0, sent = 0;
    bool right = true;

    mp_expect_rank = rank;
    for (int i = 0; i < 20000; i++)
        in[rank][i] = (float)(rank + 1 + i % 7);
    const int rc = mp_threads_init(job, rank, settings, &context);
    if (!EXPECT_CODE(rc, may ? FEDRDMA_OK : FEDRDMA_ERR_UNREACHABLE) || !may) {
        EXPECT_STORY(NULL, rank < 2
                               ? "their silos exchange nothing without a relay, through which only wan goes"
                               : "no transport joins rank 1 and rank 0");
        return;
    }
    for (int i = 0; i < 3; i++)
        EXPECT_OK(
            fedrdma_allreduce(in[rank], out[rank], 20000, FEDRDMA_F32, FEDRDMA_SUM, fedrdma_world(context)));
    for (int i = 0; i < 20000; i++)
        right = right && out[rank][i] == (float)(6 + 3 * (i % 7));
    EXPECT(right);
    EXPECT_OK(fedrdma_counter(context, "wan.relayed", &relayed));
    EXPECT_OK(fedrdma_counter(context, "wan.sent_bytes", &sent));
    EXPECT((rank == 2) == (relayed > 0));
    EXPECT(sent > 0);
    EXPECT_OK(fedrdma_finalize(&context));
}

#define T(path) "topology", path
static const plan plans[] = {
    /* silos by rank, by name, by node; files that differ in nothing that counts */
    { { { T(file.same) }, { T(file.spaced), "silo", "north" }, { T(file.same), "node", "S2" } },
      FEDRDMA_OK,
      -1,
      { "", "" } },
    { { { T(file.same) }, { T(file.same) }, { T(file.other), "silo", "south" } },
      FEDRDMA_ERR_MISMATCH,
      -1,
      { "the topology file of rank 2", file.other + 5 } },
    { { { T(file.same) }, { "silo", "north" }, { T(file.same), "silo", "south" } },
      FEDRDMA_ERR_MISMATCH,
      -1,
      { "rank 0 has FEDRDMA_TOPOLOGY='/tmp/frd-topology-", "rank 1 has none" } },
    { { { "silo", "north" }, { "silo", "north" }, { T(file.same), "silo", "south" } },
      FEDRDMA_ERR_MISMATCH,
      -1,
      { "rank 2 has FEDRDMA_TOPOLOGY='/tmp/frd-topology-", "rank 0 has none" } },
    /* before anybody is met */
    { { { T(file.same), "silo", "soth" } },
      FEDRDMA_ERR_INVALID,
      0,
      { "FEDRDMA_SILO is \"soth\"", "it has north, south" } },
    { { { T(file.same), "silo", "south" } },
      FEDRDMA_ERR_INVALID,
      0,
      { "rank 0 in silo \"south\"", "\"north\"" } },
    { { [2] = { T(file.same) } }, FEDRDMA_ERR_INVALID, 2, { "nor rank 2", "one of north, south" } },
    { { { T(file.broken) } }, FEDRDMA_ERR_INVALID, 0, { ":4:1: unknown key \"norht\"", file.broken } },
    { { { T("/nonexistent/t.yaml") } }, FEDRDMA_ERR_SYSTEM, 0, { "/nonexistent/t.yaml", "No such file" } },
};

int main(void)
{
    const int count = (int)(sizeof plans / sizeof plans[0]);

    put(file.same, "version: 1\n" SILOS);
    put(file.spaced, "# a comment\n" SILOS "version:   1\n");
    put(file.other, "version: 1\n" SILOS "links: [{between: [north, south], rate: 1M}]\n");
    put(file.broken, "version: 1\nsilos:\n  a:\nnorht: 2\n");
    put(file.apart, "version: 1\n"
                    "silos:\n"
                    "  a: {gateways: {n1: 127.0.0.2}, ranks: 0}\n"
                    "  b: {gateways: {n2: 127.0.0.3}, ranks: 1, relay: no}\n"
                    "  c: {gateways: {n3: localhost}, ranks: 2}\n"
                    "links: [{between: [a, b], talk: no}]\n");
    printf("1..%d\n", count + 2);
    for (int i = 0; i < count; i++) {
        const int before = mp_expect_failures;
        plan p = plans[i];
        mp_threads_run(RANKS, start, &p);
        printf("%s %d\n", mp_expect_failures == before ? "ok" : "not ok", i + 1);
        fflush(stdout);
    }
    for (int i = 0; i < 2; i++) {
        const int before = mp_expect_failures;
        mp_threads_run(RANKS, relayed, i == 0 ? &file : NULL);
        printf("%s %d\n", mp_expect_failures == before ? "ok" : "not ok", count + i + 1);
    }
    unlink(file.apart);
    unlink(file.same);
    unlink(file.spaced);
    unlink(file.other);
    unlink(file.broken);
    return mp_expect_failures > 0;
}
