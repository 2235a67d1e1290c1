/* SPDX-License-Identifier: BSD-3-Clause
 * near.c - compares the name with each of the list; nothing is indexed, as errors are rare. */
#include "base/near.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, one row of the table at a time; `b` is at most FRD_NEAR_MAX long. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[FRD_NEAR_MAX + 1];
    const size_t n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0]++;

        for (size_t j = 0; j < n; j++) {
            const unsigned change = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));

            diagonal = row[j + 1];
            row[j + 1] = min3(change, row[j] + 1, row[j + 1] + 1);
        }
    }
    return row[n];
}

const char *frd_nearest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = 0;

    if (strlen(name) > FRD_NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) > 2 * FRD_NEAR_MAX)
            continue;
        const unsigned d = distance(names[i], name);

        /* More than a third of the name wrong is another name. */
        if (d <= 1 + strlen(names[i]) / 3 && (best == NULL || d < best_distance)) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

void frd_names_list(char *list, size_t bytes, const char *const *names, size_t count)
{
    size_t used = 0;

    assert(bytes >= sizeof ", ...");
    list[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const size_t more = strlen(names[i]) + (i > 0 ? 2 : 0);
        const size_t end = i + 1 < count ? sizeof ", ..." : 1; /* room for a cut is kept where one may come */
        if (more + end > bytes - used) {
            strcpy(list + used, i > 0 ? ", ..." : "...");
            return;
        }
        used += (size_t)snprintf(list + used, bytes - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
}
