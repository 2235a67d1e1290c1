/* SPDX-License-Identifier: BSD-3-Clause
 * side.h - the memory that one side of a call touches: one piece, or a block for each rank. */
#ifndef FRD_API_SIDE_H
#define FRD_API_SIDE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct frd_side {
    const char *name; /* "send", "recv" */
    const void *buffer;
    size_t first, end;         /* bytes from `buffer` to the first touched and behind the last; end 0: none */
    const size_t *offs, *lens; /* irregular blocks, in bytes; NULL: all from first to end is touched */
} frd_side;

/* Do the n blocks lie apart? `room` holds 2 n. */
bool frd_blocks_apart(const size_t *offs, const size_t *lens, int n, size_t *room);

/* Do the sides have a byte in common? The blocks of `recv` lie apart; `room` holds 2 n. */
bool frd_sides_overlap(const frd_side *send, const frd_side *recv, int n, size_t *room);

#endif
