/* SPDX-License-Identifier: BSD-3-Clause
 * value.h - texts to numbers: integers, sizes with a unit, times with a unit, yes and no. Strict:
 * the whole text must be the value, nothing is skipped or rounded away.
 *
 * Each returns NULL and writes *out, or says in a few words what is wrong ("is not a whole number")
 * and leaves *out alone. */
#ifndef FRD_BASE_VALUE_H
#define FRD_BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *frd_value_int(const char *text, int *out);     /* decimal, may be negative */
const char *frd_value_size(const char *text, size_t *out); /* bytes; k, m, g are 1024-based */
const char *frd_value_time_ns(const char *text,
                              uint64_t *out); /* needs ns, us, ms, s, m or h; 1.5s is fine */
const char *frd_value_rate_bps(const char *text, uint64_t *out); /* needs k, M, G, T (1000-based) or bit/s, kbit/s... */
const char *frd_value_percent_ppm(const char *text, uint32_t *out); /* needs %; to parts of a million */
const char *frd_value_bool(const char *text, bool *out); /* 0/1, no/yes, off/on, false/true */

#endif
