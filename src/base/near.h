/* SPDX-License-Identifier: BSD-3-Clause
 * near.h - names for error texts: the one that was probably meant, and lists of what there is. */
#ifndef FRD_BASE_NEAR_H
#define FRD_BASE_NEAR_H

#include <stddef.h>

#define FRD_NEAR_MAX 32 /* bytes; longer names are near to nothing */

/* The nearest of `names` to `name` by edit distance, whatever case, or NULL when none is near. */
const char *frd_nearest(const char *name, const char *const *names, size_t count);

/* "a, b, c", cut with "..." where `bytes` (at least 8) don't suffice. */
void frd_names_list(char *list, size_t bytes, const char *const *names, size_t count);

#endif
