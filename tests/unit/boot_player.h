/* SPDX-License-Identifier: BSD-3-Clause
 * boot_player.h - for the tests of the rendezvous: threads that play ranks, and raw sockets that play
 * everything else.
 *
 * Ports are never fixed: a store on port 0 tells its port, and where rank 0 must listen itself, a free port
 * is found by binding one and letting it go. */
#ifndef TEST_BOOT_PLAYER_H
#define TEST_BOOT_PLAYER_H

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/conf.h"
#include "boot/store.h"
#include "boot/wire.h"

#define RANKS_MAX 16
#define SHORT_NS (300 * FRD_NS_PER_MS)
#define SOON_NS (5 * FRD_NS_PER_S)  /* what must not wait for a deadline ends within this */
#define LONG_NS (20 * FRD_NS_PER_S) /* never reached by a test that passes */

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* One rank: a thread that joins and gathers. */
typedef struct player {
    frd_conf conf;
    size_t bytes; /* of each allgather */
    int rounds;
    int meetings; /* one after the other; 0 is 1 */
    int rc;
    uint64_t took_ns;
    frd_story story;
    const char *wrong; /* NULL: all data right */
    pthread_t thread;
} player;

extern player players[RANKS_MAX + 1];
extern char rendezvous[64]; /* where players meet that are prepared from now on */

/* Makes players[index] rank `rank` of `size`, patient, in the job without a name. */
player *prepare(int index, int rank, int size);
void start(player *p);
void join(player *p);
void assert_well(const player *p);
void assert_fails(const player *p, int rc, const char *part_of_story);

void meet_at(uint16_t port);
void meet_at_free_port(void);
/* A store as fedrdma-run has it; the players meet there. */
frd_store *launcher_store(int size, const char *job, uint64_t timeout_ns);

/* A socket bound to a free port of loopback, listening when `backlog` is above 0. */
int bound_socket(int backlog, uint16_t *port);
int connect_to(uint16_t port);
void say(int fd, const void *data, size_t bytes);
void say_hello(int fd, int rank, int size, uint64_t wait_ns);
void say_gather(int fd, uint64_t round, uint64_t bytes);
/* The next header on `fd`; its type is 0 at the end of the stream. */
frd_wire_header hear(int fd);
/* Waits for the other side to close `fd`; the test's time limit bounds it. */
bool is_closed(int fd);

/* Byte i of what `rank` gives in `round`. */
unsigned char pattern(int rank, int round, size_t i);

TCase *add_case(Suite *suite, const char *name);
void add_ranks(Suite *suite);
void add_rounds(Suite *suite);
void add_strangers(Suite *suite);
void add_impostors(Suite *suite);

#endif
