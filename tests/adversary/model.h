/* SPDX-License-Identifier: BSD-3-Clause
 * model.h - the data of a case before it runs, and what it must be afterwards, by the plainest means. */
#ifndef ADV_MODEL_H
#define ADV_MODEL_H

#include "tests/adversary/cases.h"

typedef struct adv_model {
    const adv_case *c;
    unsigned char *send[ADV_RANKS_MAX], *recv[ADV_RANKS_MAX]; /* contents before */
    unsigned char *want[ADV_RANKS_MAX];                       /* contents of recv afterwards */
    size_t checked[ADV_RANKS_MAX]; /* bytes of want that count: behind them MPI leaves them undefined */
} adv_model;

/* Draws the data and computes the results. False when out of memory. */
bool adv_model_make(adv_model *m, const adv_case *c, adv_rng *rng);

/* Compares member's buffers after a run. False, with a story, when they are wrong. */
bool adv_model_check(const adv_model *m, int member, const unsigned char *send, const unsigned char *recv,
                     char story[ADV_STORY_MAX]);
void adv_model_free(adv_model *m);

#endif
