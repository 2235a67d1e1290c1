/* SPDX-License-Identifier: BSD-3-Clause
 * error.c - writes an error's story, logs it once, and keeps the thread's last published one.
 *
 * The published story is per thread so that it is there when no communicator is (fedrdma_init) and
 * two contexts driven by two threads don't overwrite each other's. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char published[FRD_STORY_MAX];

const char *frd_strerror(int rc)
{
#define ROW(name, value, text) { value, text },
    static const struct {
        int code;
        const char *text;
    } rows[] = { FEDRDMA_ERROR_TABLE(ROW) };
#undef ROW

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].code == rc)
            return rows[i].text;
    return "unknown error code";
}

int frd_fail(frd_story *story, int rc, const char *format, ...)
{
    va_list args;

    if (story == NULL)
        return rc;
    story->rc = rc;
    va_start(args, format);
    if (vsnprintf(story->text, sizeof story->text, format, args) < 0)
        story->text[0] = '\0';
    va_end(args);
    frd_logf(story->log, FEDRDMA_LOG_ERROR, "%s: %s", frd_strerror(rc), story->text);
    return rc;
}

void frd_story_publish(const frd_story *story)
{
    if (story == NULL)
        published[0] = '\0';
    else
        memmove(published, story->text, sizeof published);
}

const char *frd_story_published(void)
{
    return published;
}
