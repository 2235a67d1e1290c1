/* SPDX-License-Identifier: BSD-3-Clause
 * track.h - who last wrote, and who has read since, each byte of one space: the source of dependencies. */
#ifndef FRD_SCHED_TRACK_H
#define FRD_SCHED_TRACK_H

#include <stddef.h>
#include <stdint.h>

#define FRD_TRACK_NOBODY UINT32_MAX

struct frd_track_seg;
struct frd_track_reader;

/* All zero is valid and empty. */
typedef struct frd_track {
    struct frd_track_seg *segs; /* sorted, disjoint; bytes in none were never touched */
    size_t nsegs, cap;
    struct frd_track_reader *readers; /* persistent lists: segments that were split share their tails */
    size_t nreaders, readers_cap;
} frd_track;

/* Called for every step that `step` must wait for, perhaps more than once for the same. */
typedef void frd_track_dep_fn(void *arg, uint32_t earlier);

/* Step `step` reads (writes) bytes [lo, hi), lo < hi. FEDRDMA_ERR_NOMEM leaves the tracker unusable. */
int frd_track_read(frd_track *t, size_t lo, size_t hi, uint32_t step, frd_track_dep_fn *dep, void *arg);
int frd_track_write(frd_track *t, size_t lo, size_t hi, uint32_t step, frd_track_dep_fn *dep, void *arg);
void frd_track_free(frd_track *t);

#endif
