/* SPDX-License-Identifier: BSD-3-Clause
 * cases.h - what is tried: one call of one algorithm on one group, drawn from a seed and a number. */
#ifndef ADV_CASES_H
#define ADV_CASES_H

#include "collectives/coll.h"
#include "tests/adversary/world.h"

#define ADV_RANKS_MAX 20
#define ADV_SPARE_MAX 3 /* ranks of the communicator that are not in the group */
#define ADV_CASE_TEXT 256

typedef struct adv_case {
    const frd_algo *algo;
    int n, size; /* of the group, of the communicator */
    int peer[ADV_RANKS_MAX];
    int nsilos, gates; /* 0 silos: all in one */
    uint64_t plan_seed; /* of the links between them */
    bool ordered;      /* silos follow each other */
    int silo[ADV_RANKS_MAX], node[ADV_RANKS_MAX];
    unsigned char known[ADV_RANKS_MAX]; /* of their being gateways */
    frd_call call;     /* what is the same on every rank */
    adv_user_fn *user; /* or NULL */
    bool exact;        /* any grouping of the operands gives the same bits */
    size_t element;    /* bytes */
    double weight[ADV_RANKS_MAX];
    /* Irregular blocks, bytes: [0] sent, [1] received; by rank, by block. */
    size_t off[2][ADV_RANKS_MAX][ADV_RANKS_MAX], len[2][ADV_RANKS_MAX][ADV_RANKS_MAX];
} adv_case;

/* Case `number` of the seed; the first frd_algo_messages() x ADV_RANKS_MAX numbers are every algorithm with
 * every group size, and so are the next, with other sizes of data. */
void adv_case_draw(adv_case *c, uint64_t seed, uint64_t number);

/* One line that says what it is. */
void adv_case_print(const adv_case *c, char text[ADV_CASE_TEXT]);

/* The call as member `member` makes it. */
frd_call adv_case_call(const adv_case *c, int member);

/* Our blocks on one side: [0] sent, [1] received. */
frd_blocks adv_case_blocks(const adv_case *c, int side, int member);

/* Bytes of member's buffers. */
size_t adv_case_send_bytes(const adv_case *c, int member);
size_t adv_case_recv_bytes(const adv_case *c, int member);

#endif
