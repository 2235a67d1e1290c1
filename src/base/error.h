/* SPDX-License-Identifier: BSD-3-Clause
 * error.h - an error code with its story: who, which peer, what to do.
 *
 * The function that first knows an error calls frd_fail(), which writes the story, logs it once and returns
 * the code; everybody above just returns the code. */
#ifndef FRD_BASE_ERROR_H
#define FRD_BASE_ERROR_H

#include "base/log.h"

#define FRD_STORY_MAX 512 /* longer stories are cut */

typedef struct frd_story {
    int rc;
    const frd_log *log; /* may be NULL */
    char text[FRD_STORY_MAX];
} frd_story;

/* Fills `story` (may be NULL) and returns `rc`. The text is one or two sentences without a full stop at the
 * end: what happened, naming the thing; then what to do. */
int frd_fail(frd_story *story, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One line for any code of FEDRDMA_ERROR_TABLE, "unknown error code" for others; static. */
const char *frd_strerror(int rc);

/* The story that fedrdma_last_error(NULL) reports for this thread; publishing NULL clears it. */
void frd_story_publish(const frd_story *story);
const char *frd_story_published(void);

#endif
