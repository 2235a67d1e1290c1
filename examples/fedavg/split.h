/* SPDX-License-Identifier: BSD-3-Clause
 * split.h - who owns which rows: the held-out rows, and each silo's. */
#ifndef FEDAVG_SPLIT_H
#define FEDAVG_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "data.h"

/* Row numbers; a view into the split that it comes from. */
struct rows {
    const size_t *row;
    size_t count;
};

struct split {
    int nsilos;
    struct rows held_out; /* never trained on; the same for every seed and number of silos */
    struct rows pooled;   /* all other rows */
    struct rows *silo;    /* pooled, dealt to the silos */
    size_t *memory;
};

/* How the pooled rows are dealt. */
struct deal {
    int nsilos;
    double alpha; /* skew of the label mix: 0.1 almost one class a silo, 100 the same mix everywhere */
    uint64_t seed;
};

/* Returns 0, or -1 with the reason in error[ERROR_SIZE]. */
int split_make(struct split *split, const struct dataset *data, const struct deal *deal, char *error);
void split_free(struct split *split);

/* The part of a silo's rows that the k-th of its n ranks trains on. */
struct rows rows_share(struct rows silo, size_t k, size_t n);

/* mix[c] = rows of class c. */
void rows_mix(struct rows rows, const struct dataset *data, size_t mix[MAX_CLASSES]);

#endif
