/* SPDX-License-Identifier: BSD-3-Clause
 * topology.c - the topology file from hostile bytes: either a clear error, or a topology whose normal form
 * says the same when read again, and that answers every question. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "topo/silos.h"

static void must(bool good, const char *what, const frd_story *story)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, story->text);
    abort();
}

/* "hostile:line:column: what; mend", in printable characters. */
static void check_story(int rc, const frd_story *story, const uint8_t *data, size_t bytes)
{
    static const char path[] = "hostile:";
    int line = 0, column = 0;
    size_t lines = 1;

    must(rc == FEDRDMA_ERR_INVALID || rc == FEDRDMA_ERR_NOMEM, "an error of another kind", story);
    must(strncmp(story->text, path, sizeof path - 1) == 0 &&
             sscanf(story->text + sizeof path - 1, "%d:%d:", &line, &column) == 2,
         "an error without its place", story);
    for (size_t i = 0; i < bytes; i++) /* all that YAML 1.1 takes for ends of lines */
        lines += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 || data[i] == 0xa9;
    must(line >= 1 && column >= 1 && (size_t)line <= lines, "an error outside the file", story);
    for (const char *at = story->text; *at != '\0'; at++)
        must((unsigned char)*at >= ' ' && *at != 0x7f, "a control character in an error", story);
}

static char *written(const frd_silos *silos, bool for_people)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL)
        abort();
    if (for_people)
        frd_silos_print(silos, out);
    else
        frd_silos_write(silos, out);
    fclose(out);
    return text;
}

static void ask(const frd_silos *silos, frd_story *story)
{
    const frd_silos_who who = { "", "n", "host.example", 3 };
    const int n = silos->count;
    int silo;

    must(n >= 1 && n <= FRD_SILOS_MAX, "a count", story);
    (void)frd_silos_place(silos, "hostile", &who, story, &silo);
    for (int i = 0; i < n * n; i++) {
        if (i / n == i % n)
            continue;
        must(frd_silos_reachable(silos, i / n, i % n), "a silo without a way", story);
        (void)frd_silos_cap_bps(silos, i / n, i % n);
        must(!frd_silos_may_relay(silos, i / n, i % n, i % n), "an end that relays", story);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    frd_silos *silos = NULL, *again = NULL;
    frd_story story = { 0 };

    const int rc = frd_silos_parse("hostile", data, bytes, &story, &silos);
    if (rc != FEDRDMA_OK) {
        must(silos == NULL, "a result with an error", &story);
        check_story(rc, &story, data, bytes);
        return 0;
    }
    ask(silos, &story);
    char *once = written(silos, false), *table = written(silos, true);
    must(frd_silos_parse("again", once, strlen(once), &story, &again) == FEDRDMA_OK, "not read again",
         &story);
    char *twice = written(again, false);
    must(strcmp(once, twice) == 0 && silos->hash == again->hash, "another topology when read again", &story);
    free(once);
    free(twice);
    free(table);
    frd_silos_destroy(silos);
    frd_silos_destroy(again);
    return 0;
}
