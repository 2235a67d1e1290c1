/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cut.c - how a call is cut into fragments. Large regular calls are, into equal ones and a rest, so that one recorded
 * schedule (two with the rest's) serves any length; fragments are independent, since each touches its own slice of
 * every block. Decides what is sent, so all ranks must come to the same. */
#include "collectives/cut.h"

#include "base/num.h"
#include "collectives/levels.h"

/* Smallest slice of one block: below it the cost per message dominates. */
#define MIN_SLICE_BYTES (64 * 1024)
#define SLICE_ALIGN 64 /* keeps vectors in fragments as aligned as the user's */

static bool has_blocks(int coll)
{
    return coll == FRD_COLL_GATHER || coll == FRD_COLL_SCATTER || coll == FRD_COLL_ALLGATHER ||
           coll == FRD_COLL_REDUCE_SCATTER || coll == FRD_COLL_ALLTOALL;
}

/* Between silos a fragment is cut into one message for each of them, and each ends in a round trip of its own, so
 * there it is larger, while four fit in the window. (128 MiB, bbr, no loss: five silos 6.20 s with 1 MiB, 6.11 s
 * with 4 or 8; three silos 5.18 s and 5.09 s.) But no larger than that: what is lost twice holds its fragment up for
 * three round trips, and the window with it. (Two silos, 1 Gbit/s, 40 ms, 1% loss, 256 MiB one way: 0.95 of the line
 * with 1 MiB, 0.96 with 2, 0.89 with 4.) */
size_t frd_silo_fragment(int nsilos, size_t fragment, size_t window)
{
    enum { IN_FLIGHT = 4 };
    const size_t parts = nsilos > 2 ? 4 : 2; /* a third leaves a rest in the window: three silos 5.15 s */

    return fragment > window / (parts * IN_FLIGHT) ? fragment : parts * fragment;
}

/* Bytes of the vector (of each block) that one fragment carries; the whole length when it isn't cut. */
static size_t slice_bytes(const frd_algo *algo, const frd_call *c, const frd_group *g, size_t fragment, size_t window)
{
    const int nsilos = g->levels != NULL ? g->levels->nsilos : 1;
    const size_t total = nsilos > 1 ? frd_silo_fragment(nsilos, fragment, window) : fragment;
    size_t slice = total;

    if (total == 0 || c->irregular || (algo->flags & FRD_ALGO_NODE) != 0)
        return c->len;
    if (has_blocks(c->coll))
        slice = frd_max_size(total / (size_t)g->size, frd_min_size(MIN_SLICE_BYTES, total));
    slice = frd_max_size(slice & ~(size_t)(SLICE_ALIGN - 1), SLICE_ALIGN);
    /* A rest of less than half a fragment is cheaper inside the last one than as a fragment. */
    return c->len < slice + slice / 2 ? c->len : slice;
}

frd_cut frd_coll_cut(const frd_algo *algo, const frd_call *call, const frd_group *g, size_t fragment, size_t window)
{
    const size_t slice = slice_bytes(algo, call, g, fragment, window);
    const bool whole = slice == 0 || slice == call->len;
    const size_t payload = has_blocks(call->coll) ? slice * (size_t)g->size : slice;

    return (frd_cut){ .slice = slice,
                      .full = whole ? 1 : call->len / slice,
                      .rest = whole ? 0 : call->len % slice,
                      .window = frd_max_size(window / frd_max_size(payload, 1), 1) };
}
