/* SPDX-License-Identifier: BSD-3-Clause
 * cut.h - how a call is cut into fragments. */
#ifndef FRD_COLLECTIVES_CUT_H
#define FRD_COLLECTIVES_CUT_H

#include "collectives/coll.h"

/* `full` fragments of `slice` bytes (of the vector, or of each block), one of the `rest` if that is not 0, and how many
 * of them are in flight at once. */
typedef struct frd_cut {
    size_t slice, full, rest, window;
} frd_cut;

/* By the options fragment and window. */
frd_cut frd_coll_cut(const frd_algo *algo, const frd_call *call, const frd_group *g, size_t fragment, size_t window);

/* Payload of a fragment between silos, of which there are two or more. */
size_t frd_silo_fragment(int nsilos, size_t fragment, size_t window);

#endif
