/* SPDX-License-Identifier: BSD-3-Clause
 * run_output.c - collects bytes until a line is whole, then writes prefix and line together, so that lines of
 * different ranks never mix. A line is broken only where it exceeds LINE_MAX_BYTES. */
#include "run_output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "run_say.h"

#define READ_BYTES 65536         /* a pipe's capacity */
#define READS 4                  /* per turn, then other streams have theirs */
#define LINE_MAX_BYTES (1 << 20) /* of memory that a rank which never ends its line may take */

/* All of it, also where our output is a nonblocking file of somebody else's. */
static bool write_all(int fd, struct iovec *part, int parts)
{
    while (parts > 0) {
        const ssize_t n = writev(fd, part, parts);
        size_t done = n > 0 ? (size_t)n : 0;

        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };
            (void)poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
        while (parts > 0 && done >= part->iov_len) {
            done -= part->iov_len;
            part++;
            parts--;
        }
        if (parts > 0) {
            part->iov_base = (char *)part->iov_base + done;
            part->iov_len -= done;
        }
    }
    return true;
}

/* A line, or with `ended` false the rest of one, which gets an end of its own where lines are prefixed. */
static bool write_line(const run_output *output, const char *line, size_t bytes, bool ended)
{
    const bool mend = !ended && output->prefix[0] != '\0';
    struct iovec parts[3] = { { (char *)output->prefix, strlen(output->prefix) },
                              { (char *)line, bytes },
                              { "\n", mend ? 1 : 0 } };

    return write_all(output->to, parts, 3);
}

static bool keep(run_output *output, const char *bytes, size_t n)
{
    if (output->used + n > output->room) {
        const size_t room = 2 * output->room > output->used + n ? 2 * output->room : output->used + n;
        char *grown = frd_realloc(output->line, room);

        if (grown == NULL)
            return false;
        output->line = grown;
        output->room = room;
    }
    memcpy(output->line + output->used, bytes, n);
    output->used += n;
    return true;
}

static bool flush_rest(run_output *output)
{
    const size_t n = output->used;

    output->used = 0;
    return n == 0 || write_line(output, output->line, n, false);
}

/* Lines of `bytes`, the first of which continues what is kept. */
static bool take(run_output *output, const char *bytes, size_t n)
{
    while (n > 0) {
        const char *newline = memchr(bytes, '\n', n);
        const size_t part = newline == NULL ? n : (size_t)(newline - bytes) + 1;
        bool well = true;

        if (newline != NULL && output->used == 0) {
            well = write_line(output, bytes, part, true);
        } else {
            const bool kept = keep(output, bytes, part);

            if (!kept) /* out of memory: lines break, nothing is lost */
                well = flush_rest(output) && write_line(output, bytes, part, newline != NULL);
            else if (newline != NULL) {
                well = write_line(output, output->line, output->used, true);
                output->used = 0;
            } else if (output->used >= LINE_MAX_BYTES) {
                well = flush_rest(output);
            }
        }
        if (!well)
            return false;
        bytes += part;
        n -= part;
    }
    return true;
}

bool run_output_end(run_output *output)
{
    const bool well = flush_rest(output);

    if (output->from >= 0)
        close(output->from);
    output->from = -1;
    frd_free(output->line);
    output->line = NULL;
    output->room = 0;
    return well;
}

bool run_output_pump(run_output *output)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < READS; i++) {
        const ssize_t n = read(output->from, bytes, sizeof bytes);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return run_output_end(output);
        if (n < 0)
            return true;
        if (!take(output, bytes, (size_t)n))
            return false;
    }
    return true;
}
