/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_ranks.h - ranks for the tests of the UCX transport: threads or processes, each with a transport and a match
 * table of its own and nothing above them. */
#ifndef FRD_TESTS_UCX_RANKS_H
#define FRD_TESTS_UCX_RANKS_H

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "net/match.h"
#include "net/net.h"

enum { RANKS_MAX = 6, CARD_MAX = 4096 };

typedef struct rank rank;

/* What the ranks share: by address space, or mapped before the fork. */
typedef struct world {
    int size;
    const char *eager, *credit, *large; /* options */
    pthread_barrier_t barrier;
    size_t card_bytes[RANKS_MAX];
    char card[RANKS_MAX][CARD_MAX];
    volatile int word; /* for a test's own signals */
    void (*body)(rank *rank);
} world;

struct rank {
    world *world;
    int rank;
    frd_conf conf;
    frd_stat stat;
    frd_match *match;
    frd_net *net;
    int lost[RANKS_MAX]; /* calls of peer_lost */
    uint64_t lost_ns;    /* when the last came */
    int controls;
    char control[FRD_CONTROL_MAX];
    size_t control_bytes;
    uint64_t sleeps;
    unsigned seed;
    const frd_tag *dead; /* arrivals with this tag.comm are not wanted; NULL: all are */
};

/* A message of a test. */
typedef struct note {
    frd_msg msg;
    int dones, rc;
} note;

extern const char *const large[2]; /* ways to move a large message */

void on_done(frd_msg *msg, int rc);

/* ---- a rank's transport ---- */
void rank_open(rank *r);
void rank_close(rank *r);
/* One round of progress; sleeps up to `ms` when there is nothing to do. */
void step(rank *r, int ms);
/* Waits for the others, asleep; or driving the transport (the `round` is the n-th time). */
void meet(rank *r);
void meet_driving(rank *r, int round);

/* ---- messages ---- */
void note_set(note *n, int peer, uint32_t idx, void *buf, size_t len);
void note_send(rank *r, note *n);
void note_recv(rank *r, note *n);
/* Drives the rank until all notes have ended. */
void wait_notes(rank *r, const note *notes, size_t count);
/* What message `idx` from `from` consists of. */
unsigned char pattern(int from, uint32_t idx, size_t at);
unsigned char *filled(int from, uint32_t idx, size_t len);
bool is_filled(const unsigned char *buf, int from, uint32_t idx, size_t len);

/* ---- running ---- */
world *world_create(int size, void (*body)(rank *rank));
rank *rank_new(world *w, int i);
void *rank_main(void *arg); /* a rank_new(): opens, runs the body, closes */
void run_threads(world *w); /* and destroys it */
/* A case whose tests fail when anything is printed. */
TCase *add_case(Suite *suite, const char *name, double seconds);
int run_suite(Suite *suite);

#endif
