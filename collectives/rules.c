/* SPDX-License-Identifier: BSD-3-Clause
 * rules.c - which algorithm for which call: a table of rules, and the user's before it.
 *
 * The first rule wins that covers the collective, the size and the number of ranks, and whose algorithm can
 * do the call (flags). Text of the user's rules, where sizes are [from, to) and an open end has no limit:
 *
 *     rules  = group { ";" group }
 *     group  = collective ":" rule { "," rule }
 *     rule   = from "-" [ to ] ":" algorithm
 *
 *     allreduce:0-4k:recdbl,4k-:ring;broadcast:0-:binomial */
#include "collectives/coll.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/value.h"

#define OPEN SIZE_MAX /* no upper limit of size */
#define ANY INT32_MAX /* no upper limit of ranks */
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define NUMBER_MAX 24 /* characters of a size in a rule: 20 digits, a unit, and room */

typedef struct rule {
    int coll;
    size_t from, to; /* bytes, as in frd_choice */
    int max_ranks;
    const char *algo;
} rule;

struct frd_rules {
    rule *rules;
    size_t count, cap;
};

/* Built-in rules. The shape is Thakur, Rabenseifner, Gropp 2005 (short: fewest steps; long: least
 * bytes). A step costs a latency, so with 4 ranks recursive doubling, 2 steps of L, meets halving and
 * doubling, 4 steps that move 1.5 L, at L = 4 x latency x rate; that is 12 KiB for 0.3 us and 10 GB/s (a
 * node) and 36 KiB for 4.5 us and 2 GB/s (TCP): hence 16 KiB. Chains need many more fragments (1 MiB) in
 * flight than ranks. Block sizes of the others are the paper's, in powers of two. Where shared memory can do all of
 * a call nothing else comes near. */
/* The way that it saves, 20 ms, is 250 KB at 100 Mbit/s, and it sends S - 2 times more: to SILO_DIRECT means
 * to so many bytes among up to 3 silos, to their (S - 2)th part among more. */
#define SILO_DIRECT (OPEN - 1)
#define SILO_DIRECT_BYTES (256 * KIB)

static const rule builtin[] = {
    { FRD_COLL_ALLREDUCE, 0, OPEN, ANY, "node" },
    { FRD_COLL_REDUCE, 0, OPEN, ANY, "node" },
    { FRD_COLL_BROADCAST, 0, OPEN, ANY, "node" },
    { FRD_COLL_GATHER, 0, OPEN, ANY, "node" },
    { FRD_COLL_SCATTER, 0, OPEN, ANY, "node" },
    { FRD_COLL_ALLGATHER, 0, OPEN, ANY, "node" },
    { FRD_COLL_REDUCE_SCATTER, 0, OPEN, ANY, "node" },
    { FRD_COLL_ALLTOALL, 0, OPEN, ANY, "node" },
    { FRD_COLL_BARRIER, 0, OPEN, ANY, "node" },
    { FRD_COLL_ALLREDUCE, 0, SILO_DIRECT, ANY, "silo_direct" },
    { FRD_COLL_ALLREDUCE, 0, OPEN, ANY, "silo_planned" },
    { FRD_COLL_ALLREDUCE, 0, OPEN, ANY, "silo" },
    { FRD_COLL_REDUCE, 0, SILO_DIRECT, ANY, "silo_direct" },
    { FRD_COLL_REDUCE, 0, OPEN, ANY, "silo" },
    { FRD_COLL_BROADCAST, 0, SILO_DIRECT, ANY, "silo_direct" },
    { FRD_COLL_BROADCAST, 0, OPEN, ANY, "silo" },
    { FRD_COLL_GATHER, 0, OPEN, ANY, "silo" },
    { FRD_COLL_ALLGATHER, 0, OPEN, ANY, "silo" },
    { FRD_COLL_BARRIER, 0, OPEN, ANY, "silo" },
    { FRD_COLL_SCATTER, 0, OPEN, ANY, "silo" },
    { FRD_COLL_REDUCE_SCATTER, 0, OPEN, ANY, "silo" },
    { FRD_COLL_ALLTOALL, 0, OPEN, ANY, "silo" },
    { FRD_COLL_SCAN, 0, OPEN, ANY, "silo" },
    { FRD_COLL_EXSCAN, 0, OPEN, ANY, "silo" },
    { FRD_COLL_ALLREDUCE, 0, 16 * KIB, ANY, "recdbl" },
    { FRD_COLL_ALLREDUCE, 64 * KIB, OPEN, 16, "ring" }, /* 2(n-1) steps: more ranks, more latency */
    { FRD_COLL_ALLREDUCE, 16 * KIB, OPEN, ANY, "rabenseifner" },
    { FRD_COLL_REDUCE, 0, 16 * KIB, ANY, "binomial" },
    { FRD_COLL_REDUCE, 16 * MIB, OPEN, 8, "chain" },
    { FRD_COLL_REDUCE, 16 * KIB, OPEN, ANY, "rabenseifner" },
    { FRD_COLL_BROADCAST, 0, 16 * KIB, ANY, "knomial" },
    { FRD_COLL_BROADCAST, 16 * MIB, OPEN, 8, "chain" },
    { FRD_COLL_BROADCAST, 16 * KIB, OPEN, ANY, "scatter_allgather" },
    { FRD_COLL_SCAN, 16 * MIB, OPEN, 8, "linear" },
    { FRD_COLL_SCAN, 0, OPEN, ANY, "recdbl" },
    { FRD_COLL_EXSCAN, 16 * MIB, OPEN, 8, "linear" },
    { FRD_COLL_EXSCAN, 0, OPEN, ANY, "recdbl" },
    { FRD_COLL_GATHER, 0, 2 * KIB, ANY, "binomial" },
    { FRD_COLL_GATHER, 0, OPEN, ANY, "linear" },
    { FRD_COLL_SCATTER, 0, 2 * KIB, ANY, "binomial" },
    { FRD_COLL_SCATTER, 0, OPEN, ANY, "linear" },
    { FRD_COLL_ALLGATHER, 0, 16 * KIB, ANY, "recdbl" },
    { FRD_COLL_ALLGATHER, 0, 4 * KIB, ANY, "bruck" },
    { FRD_COLL_ALLGATHER, 4 * KIB, 64 * KIB, 8, "linear" },
    { FRD_COLL_ALLGATHER, 0, OPEN, ANY, "ring" },
    { FRD_COLL_REDUCE_SCATTER, 0, 64 * KIB, ANY, "rechalf" },
    { FRD_COLL_REDUCE_SCATTER, 64 * KIB, OPEN, ANY, "ring" },
    { FRD_COLL_REDUCE_SCATTER, 0, OPEN, ANY, "pairwise" },
    { FRD_COLL_ALLTOALL, 0, 256, ANY, "bruck" },
    { FRD_COLL_ALLTOALL, 0, 32 * KIB, ANY, "linear" },
    { FRD_COLL_ALLTOALL, 0, OPEN, ANY, "pairwise" },
    { FRD_COLL_BARRIER, 0, OPEN, ANY, "dissemination" },
};
#define BUILTINS (sizeof builtin / sizeof builtin[0])

static const frd_algo *algo_find(int coll, const char *name, size_t len)
{
    for (size_t i = 0; i < frd_algo_count(); i++) {
        const frd_algo *a = frd_algo_at(i);

        if (a->coll == coll && strlen(a->name) == len && strncmp(a->name, name, len) == 0)
            return a;
    }
    return NULL;
}

/* ---- parsing ---- */

/* A part of the text, blanks around it left out. */
typedef struct word {
    const char *at;
    size_t len;
    char end; /* the separator behind it, '\0' at the end of the text */
} word;

typedef struct parser {
    const char *text, *at;
    frd_story *story;
} parser;

/* The text up to one of `separators`. */
static word next_word(parser *p, const char *separators)
{
    word w = { p->at, strcspn(p->at, separators), '\0' };

    w.end = w.at[w.len];
    p->at += w.len + (w.end != '\0');
    while (w.len > 0 && *w.at == ' ') {
        w.at++;
        w.len--;
    }
    while (w.len > 0 && w.at[w.len - 1] == ' ')
        w.len--;
    return w;
}

/* Says that `w` is not `what`, where, and what could be there. */
static int wrong(const parser *p, word w, const char *what, const char *instead)
{
    return frd_fail(p->story, FEDRDMA_ERR_INVALID, "option algo = \"%.80s\", character %zu: \"%.*s\" %s; %s",
                    p->text, (size_t)(w.at - p->text) + 1, w.len < 40 ? (int)w.len : 40, w.at, what, instead);
}

/* "recdbl, ring, ..." */
static void list_add(char *list, size_t bytes, const char *name)
{
    const size_t used = strlen(list);

    snprintf(list + used, bytes - used, "%s%s", used == 0 ? "" : ", ", name);
}

static int parse_coll(parser *p, int *coll)
{
    const word w = next_word(p, ":,;");
    char list[FRD_STORY_MAX / 2] = "", instead[FRD_STORY_MAX];

    for (int c = 0; c < FRD_NCOLLS; c++) {
        if (strlen(frd_coll_name(c)) == w.len && strncmp(frd_coll_name(c), w.at, w.len) == 0) {
            if (w.end != ':')
                return wrong(p, w, "stands alone", "after a collective comes :from-to:algorithm");
            *coll = c;
            return FEDRDMA_OK;
        }
        list_add(list, sizeof list, frd_coll_name(c));
    }
    snprintf(instead, sizeof instead, "collectives are %s", list);
    return wrong(p, w, "is no collective", instead);
}

static const char *parse_size(word w, size_t *bytes)
{
    char number[NUMBER_MAX];

    if (w.len >= sizeof number)
        return "is too long for a size";
    memcpy(number, w.at, w.len);
    number[w.len] = '\0';
    return frd_value_size(number, bytes);
}

static int parse_range(parser *p, rule *r)
{
    static const char accepted[] = "give from-to, e.g. 0-4k or 4k- (bytes, k, m, g)";
    const word whole = next_word(p, ":,;");
    parser inner = { p->text, whole.at, p->story };
    const word from = next_word(&inner, "-:,;"), to = next_word(&inner, ":,;");
    const char *bad;

    if (from.end != '-')
        return wrong(p, whole, "is no range of sizes", accepted);
    bad = parse_size(from, &r->from);
    if (bad != NULL)
        return wrong(p, from, bad, accepted);
    bad = to.len == 0 ? NULL : parse_size(to, &r->to);
    if (bad != NULL)
        return wrong(p, to, bad, accepted);
    if (r->to <= r->from)
        return wrong(p, whole, "is an empty range", "the upper end must be above the lower");
    if (whole.end != ':')
        return wrong(p, whole, "has no algorithm", "after a range comes :algorithm");
    return FEDRDMA_OK;
}

static int parse_algo(parser *p, rule *r, char *end)
{
    const word w = next_word(p, ":,;");
    const frd_algo *algo = algo_find(r->coll, w.at, w.len);
    char list[FRD_STORY_MAX / 2] = "", instead[FRD_STORY_MAX];

    for (size_t i = 0; i < frd_algo_count(); i++)
        if (frd_algo_at(i)->coll == r->coll)
            list_add(list, sizeof list, frd_algo_at(i)->name);
    snprintf(instead, sizeof instead, "%s has %s", frd_coll_name(r->coll), list);
    if (algo == NULL)
        return wrong(p, w, "is no algorithm of this collective", instead);
    if (w.end == ':')
        return wrong(p, w, "is followed by a colon", "separate rules by , and collectives by ;");
    r->algo = algo->name;
    *end = w.end;
    return FEDRDMA_OK;
}

static int add(frd_rules *rules, rule r, frd_story *story)
{
    if (rules->count == rules->cap) {
        const size_t cap = rules->cap == 0 ? 8 : rules->cap * 2;
        rule *grown = frd_realloc(rules->rules, cap * sizeof *grown);

        if (grown == NULL)
            return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the rules of option algo");
        rules->rules = grown;
        rules->cap = cap;
    }
    rules->rules[rules->count++] = r;
    return FEDRDMA_OK;
}

/* One collective and its rules; *end is the separator behind. */
static int parse_group(parser *p, frd_rules *rules, char *end)
{
    rule r = { .max_ranks = ANY };
    int rc = parse_coll(p, &r.coll);

    do {
        r.to = OPEN;
        if (rc == FEDRDMA_OK)
            rc = parse_range(p, &r);
        if (rc == FEDRDMA_OK)
            rc = parse_algo(p, &r, end);
        if (rc == FEDRDMA_OK)
            rc = add(rules, r, p->story);
    } while (rc == FEDRDMA_OK && *end == ',');
    return rc;
}

int frd_rules_parse(const char *text, frd_story *story, frd_rules **out)
{
    frd_rules *rules = frd_calloc(1, sizeof *rules);
    parser p = { text, text, story };
    char end = text[0] == '\0' ? '\0' : ';';
    int rc = FEDRDMA_OK;

    if (rules == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for the rules of option algo");
    while (rc == FEDRDMA_OK && end != '\0')
        rc = parse_group(&p, rules, &end);
    if (rc < 0) {
        frd_rules_destroy(rules);
        return rc;
    }
    *out = rules;
    return FEDRDMA_OK;
}

void frd_rules_destroy(frd_rules *rules)
{
    if (rules == NULL)
        return;
    frd_free(rules->rules);
    frd_free(rules);
}

/* ---- selecting ---- */

/* Rule `index`, the user's first; NULL behind the last. */
static const rule *rule_at(const frd_rules *rules, size_t index)
{
    const size_t own = rules == NULL ? 0 : rules->count;

    if (index < own)
        return &rules->rules[index];
    return index - own < BUILTINS ? &builtin[index - own] : NULL;
}

static bool can_do(const frd_algo *algo, const frd_choice *c)
{
    const bool pow2 = (c->ranks & (c->ranks - 1)) == 0;

    return algo->coll == c->coll && (c->commutative || (algo->flags & FRD_ALGO_COMMUTATIVE) == 0) &&
           (c->commutative || c->ordered || (algo->flags & FRD_ALGO_SILO_ORDER) == 0) &&
           (c->regular || (algo->flags & FRD_ALGO_REGULAR) == 0) &&
           (c->node || (algo->flags & FRD_ALGO_NODE) == 0) &&
           (c->silos > 0 || (algo->flags & FRD_ALGO_SILOS) == 0) &&
           (c->planned || (algo->flags & FRD_ALGO_PLANNED) != FRD_ALGO_PLANNED) &&
           (pow2 || (algo->flags & FRD_ALGO_POW2) == 0);
}

static bool has_size(const rule *r, const frd_choice *c)
{
    const size_t times = c->silos > 3 ? (size_t)(c->silos - 2) : 1;
    const size_t to = r->to == SILO_DIRECT ? SILO_DIRECT_BYTES / times : r->to;

    return c->bytes >= r->from && c->bytes < to;
}

const frd_algo *frd_rules_select(const frd_rules *rules, const frd_choice *choice)
{
    const rule *r;

    for (size_t i = 0; (r = rule_at(rules, i)) != NULL; i++) {
        const frd_algo *algo = algo_find(r->coll, r->algo, strlen(r->algo));

        if (r->coll == choice->coll && has_size(r, choice) && choice->ranks <= r->max_ranks &&
            can_do(algo, choice))
            return algo;
    }
    for (size_t i = 0; i < frd_algo_count(); i++)
        if (can_do(frd_algo_at(i), choice))
            return frd_algo_at(i);
    return NULL; /* no such collective: every one has an algorithm without flags */
}

/* ---- printing ---- */

static void print_size(char *text, size_t bytes, size_t value)
{
    static const char units[] = { '\0', 'k', 'm', 'g' };
    size_t unit = 0;

    while (unit + 1 < sizeof units && value != 0 && value % KIB == 0) {
        value /= KIB;
        unit++;
    }
    if (units[unit] == '\0')
        snprintf(text, bytes, "%zu", value);
    else
        snprintf(text, bytes, "%zu%c", value, units[unit]);
}

void frd_rules_line(const frd_rules *rules, size_t index, char *line, size_t bytes)
{
    const rule *r = rule_at(rules, index);
    char from[NUMBER_MAX] = "", to[NUMBER_MAX] = "", ranks[NUMBER_MAX + 16] = "";

    if (r == NULL) {
        snprintf(line, bytes, "%s", "");
        return;
    }
    print_size(from, sizeof from, r->from);
    if (r->to != OPEN)
        print_size(to, sizeof to, r->to == SILO_DIRECT ? SILO_DIRECT_BYTES : r->to);
    if (r->max_ranks != ANY)
        snprintf(ranks, sizeof ranks, " (up to %d ranks)", r->max_ranks);
    if (r->to == SILO_DIRECT)
        snprintf(ranks, sizeof ranks, " (S > 3 silos: /(S-2))");
    snprintf(line, bytes, "%s:%s-%s:%s%s%s", frd_coll_name(r->coll), from, to, r->algo, ranks,
             rules != NULL && index < rules->count ? " (option algo)" : "");
}
