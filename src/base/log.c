/* SPDX-License-Identifier: BSD-3-Clause
 * log.c - the one sink of log lines: formats into a line buffer, then hands it to the callback or
 * writes it to standard error with one write, so that lines of several ranks don't mix. Longer
 * lines are cut. It keeps no state. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* a story (FRD_STORY_MAX) and what is put before it */

static const char *const level_names[] = { "error", "warn", "info", "debug" };
#define LEVELS ((int)(sizeof level_names / sizeof level_names[0]))

static void write_stderr(const frd_log *log, int level, char line[LINE_MAX_BYTES], const char *message)
{
    const char *name = level >= 0 && level < LEVELS ? level_names[level] : "debug";
    int n;

    if (log->rank >= 0)
        n = snprintf(line, LINE_MAX_BYTES, "fedrdma[%d] %s: %s", log->rank, name, message);
    else
        n = snprintf(line, LINE_MAX_BYTES, "fedrdma %s: %s", name, message);
    if (n < 0)
        return;
    if (n > LINE_MAX_BYTES - 1)
        n = LINE_MAX_BYTES - 1;
    line[n] = '\n'; /* takes the place of the final zero */
    /* Nobody could be told about a failure to write to standard error. */
    if (write(STDERR_FILENO, line, (size_t)n + 1) < 0)
        return;
}

void frd_logf(const frd_log *log, int level, const char *format, ...)
{
    char message[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    va_list args;

    if (log == NULL || level >= log->level)
        return;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';
    va_end(args);
    if (log->fn != NULL)
        log->fn(level, message, log->arg);
    else
        write_stderr(log, level, line, message);
}

int frd_log_level_parse(const char *text)
{
    if (text[0] == '\0' || strcmp(text, "off") == 0)
        return 0;
    for (int i = 0; i < LEVELS; i++)
        if (strcmp(text, level_names[i]) == 0 || (text[0] == '0' + i && text[1] == '\0'))
            return i + 1;
    return -1;
}
