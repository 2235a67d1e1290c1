/* SPDX-License-Identifier: BSD-3-Clause
 * ranges.h - sets of ranks as people write them: "3, 7-9". */
#ifndef FRD_BASE_RANGES_H
#define FRD_BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>

typedef bool frd_ranges_fn(const void *arg, int rank);

/* Writes the ranks below n that `has` is true for, cut with ", ..." where `bytes` (at least 32) don't
 * suffice. Returns how many there are. */
int frd_ranges_text(char *text, size_t bytes, int n, frd_ranges_fn *has, const void *arg);

#endif
