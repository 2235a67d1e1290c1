/* SPDX-License-Identifier: BSD-3-Clause
 * plan_whatif.c - reads --what-if. Names may have hyphens in them: every one is tried as the one between two silos. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/value.h"
#include "fedrdma.h"
#include "plan_whatif.h"

enum { TEXT_MAX = 512 };
static const char form[] = "write --what-if 'a-b rate=50M,rtt=80ms', 'a->b rate=50M' or 'a-b talk=no'";

int plan_find_silo(const frd_silos *silos, const char *name, frd_story *story, int *silo)
{
    const char *names[FRD_SILOS_MAX];
    char list[200];

    *silo = frd_silos_find(silos, name);
    if (*silo >= 0)
        return FEDRDMA_OK;
    for (int i = 0; i < silos->count; i++)
        names[i] = silos->silo[i].name;
    const char *near = frd_nearest(name, names, (size_t)silos->count);
    frd_names_list(list, sizeof list, names, (size_t)silos->count);
    return frd_fail(story, FEDRDMA_ERR_INVALID, "no silo is called \"%s\"%s%s%s; there are: %s", name,
                    near != NULL ? " (did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?)" : "",
                    list);
}

typedef struct edit {
    int a, b;
    bool one_way;
    const char *text; /* as given, for stories */
} edit;

/* Splits "a-b" or "a->b" at the hyphen at which both sides are silos. */
static int read_pair(const frd_silos *silos, char *pair, frd_story *story, edit *e)
{
    int found = 0;

    for (char *h = strchr(pair, '-'); h != NULL; h = strchr(h + 1, '-')) {
        const bool one_way = h[1] == '>';
        *h = '\0';
        const int a = frd_silos_find(silos, pair), b = frd_silos_find(silos, h + 1 + one_way);
        *h = '-';
        if (a < 0 || b < 0)
            continue;
        e->a = a;
        e->b = b;
        e->one_way = one_way;
        found++;
    }
    char *first = strchr(pair, '-');
    if (first == NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "--what-if '%s' names no two silos; %s", e->text, form);
    if (found > 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "--what-if '%s' can be read in %d ways; rename a silo with a hyphen", e->text, found);
    if (found == 1 && e->a != e->b)
        return FEDRDMA_OK;
    if (found == 1)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "silo \"%s\" has no link to itself; %s", silos->silo[e->a].name,
                        form);
    *first = '\0';
    int rc = plan_find_silo(silos, pair, story, &e->a);
    return rc != FEDRDMA_OK ? rc : plan_find_silo(silos, first + 1 + (first[1] == '>'), story, &e->b);
}

static int bad_value(const edit *e, const char *key, const char *wrong, frd_story *story)
{
    return frd_fail(story, FEDRDMA_ERR_INVALID, "--what-if '%s': %s %s; %s", e->text, key, wrong, form);
}

/* One key=value of one direction. */
static int change(frd_links *links, const edit *e, const char *key, const char *value, int from, frd_story *story)
{
    const int to = from == e->a ? e->b : e->a;
    const frd_link *old = frd_links_get(links, from, to);
    frd_link_facts facts = old->declared;
    unsigned flags = old->flags;
    const char *wrong = NULL;
    bool talk = true;

    if (strcmp(key, "rate") == 0) {
        wrong = frd_value_rate_bps(value, &facts.rate_bps);
        if (wrong == NULL && facts.rate_bps == 0)
            wrong = "is nothing (say talk=no)";
    } else if (strcmp(key, "rtt") == 0 && !e->one_way) {
        wrong = frd_value_time_ns(value, &facts.rtt_ns);
        if (wrong == NULL && facts.rtt_ns == 0)
            wrong = "is faster than light";
    } else if (strcmp(key, "talk") == 0 && !e->one_way) {
        wrong = frd_value_bool(value, &talk);
        flags = talk ? flags | FRD_LINK_TALK : flags & ~(unsigned)FRD_LINK_TALK;
    } else {
        wrong = e->one_way && (strcmp(key, "rtt") == 0 || strcmp(key, "talk") == 0)
                    ? "is of both directions; write a-b"
                    : "is nothing that a link has (rate, rtt, talk)";
    }
    if (wrong != NULL)
        return bad_value(e, key, wrong, story);
    frd_links_declare(links, from, to, flags, &facts);
    return FEDRDMA_OK;
}

int plan_whatif(frd_silos *silos, const char *text, frd_story *story)
{
    edit e = { .text = text };
    char copy[TEXT_MAX], *rest = NULL;

    if (strlen(text) >= sizeof copy)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "--what-if is longer than %d bytes", TEXT_MAX - 1);
    memcpy(copy, text, strlen(text) + 1);
    char *const pair = strtok_r(copy, " ", &rest);
    int rc = pair != NULL ? read_pair(silos, pair, story, &e)
                          : frd_fail(story, FEDRDMA_ERR_INVALID, "--what-if without a link; %s", form);
    int changes = 0;
    for (char *key = rc == FEDRDMA_OK ? strtok_r(NULL, " ,", &rest) : NULL; rc == FEDRDMA_OK && key != NULL;
         key = strtok_r(NULL, " ,", &rest)) {
        char *const value = strchr(key, '=');
        if (value == NULL)
            return bad_value(&e, key, "has no value", story);
        *value = '\0';
        rc = change(silos->links, &e, key, value + 1, e.a, story);
        if (rc == FEDRDMA_OK && !e.one_way)
            rc = change(silos->links, &e, key, value + 1, e.b, story);
        changes++;
    }
    if (rc == FEDRDMA_OK && changes == 0)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "--what-if '%s' changes nothing; %s", text, form);
    return rc;
}
