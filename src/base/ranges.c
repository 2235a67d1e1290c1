/* SPDX-License-Identifier: BSD-3-Clause
 * ranges.c - one pass over the ranks, run by run. */
#include "base/ranges.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CUT ", ..."
#define RUN_BYTES 32 /* ", 2147483646-2147483647" */

static size_t append_run(char *text, size_t bytes, size_t used, int begin, int end)
{
    const char *comma = used == 0 ? "" : ", ";
    char run[RUN_BYTES];

    if (end - begin == 1)
        snprintf(run, sizeof run, "%s%d", comma, begin);
    else
        snprintf(run, sizeof run, "%s%d-%d", comma, begin, end - 1);
    if (used + strlen(run) + sizeof CUT > bytes) { /* room for the cut is always kept */
        strcpy(text + used, CUT);
        return bytes;
    }
    strcpy(text + used, run);
    return used + strlen(run);
}

int frd_ranges_text(char *text, size_t bytes, int n, frd_ranges_fn *has, const void *arg)
{
    size_t used = 0;
    int count = 0;

    assert(bytes >= RUN_BYTES);
    text[0] = '\0';
    for (int rank = 0; rank < n; rank++) {
        const int begin = rank;

        while (rank < n && has(arg, rank))
            rank++;
        count += rank - begin;
        if (rank > begin && used < bytes)
            used = append_run(text, bytes, used, begin, rank);
    }
    return count;
}
