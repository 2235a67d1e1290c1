/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_command.c - reads a command word by word. Settings are made on a copy first, so a command with a
 * mistake in its last word has changed nothing. */
#include "tests/wan/wanem_command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "tests/wan/wanem_value.h"

enum { WORDS = 64, MTU_MIN = 576, MTU_MAX = 65535 };

typedef struct command {
    wanem_net *net;
    wanem_command_mode mode;
    char *story;
    char *word[WORDS + 1]; /* NULL behind the last */
    int at;                /* the next word */
} command;

static bool wrong(command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(command *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->story, WANEM_STORY_BYTES, format, args);
    va_end(args);
    return false;
}

int wanem_command_words(char *line, char **words, int max)
{
    int n = 0;

    line[strcspn(line, "#")] = '\0';
    for (char *rest = NULL, *w = strtok_r(line, " \t\r\n", &rest); w != NULL && n < max;
         w = strtok_r(NULL, " \t\r\n", &rest))
        words[n++] = w;
    return n;
}

/* The value of the setting `key`: the next word, or NULL after a story. */
static const char *value_of(command *c, const char *key)
{
    if (c->word[c->at] == NULL) {
        wrong(c, "%s needs a value", key);
        return NULL;
    }
    return c->word[c->at++];
}

static bool judged(command *c, const char *key, const char *value, const char *problem)
{
    return problem == NULL || wrong(c, "%s \"%.60s\" %s", key, value, problem);
}

static bool take_int(command *c, const char *key, int min, int max, int *out)
{
    const char *value = value_of(c, key);
    int n;

    if (value == NULL)
        return false;
    if (frd_value_int(value, &n) != NULL || n < min || n > max)
        return wrong(c, "%s \"%.60s\" should be a number from %d to %d", key, value, min, max);
    *out = n;
    return true;
}

static bool take_name(command *c, const char *key, char out[WANEM_NAME])
{
    const char *value = value_of(c, key);
    size_t bytes;

    if (value == NULL)
        return false;
    bytes = strlen(value);
    if (bytes >= WANEM_NAME || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != bytes)
        return wrong(c, "%s \"%.60s\" should be up to %d of a-z, 0-9, - and _", key, value, WANEM_NAME - 1);
    memcpy(out, value, bytes + 1);
    return true;
}

/* ---- links ------------------------------------------------------------------------------------------------
 */

static bool set_chance(command *c, const char *key, wanem_chance *chance)
{
    const char *value = value_of(c, key);
    double share;

    if (value == NULL || !judged(c, key, value, wanem_value_share(value, &share)))
        return false;
    wanem_chance_set(chance, share, &c->net->random);
    return true;
}

static bool set_time(command *c, const char *key, double divisor, double *out)
{
    const char *value = value_of(c, key);
    double ns;

    if (value == NULL || !judged(c, key, value, wanem_value_time(value, &ns)))
        return false;
    *out = ns / divisor;
    return true;
}

static bool set_word(command *c, const char *key, wanem_link *link)
{
    const char *value = value_of(c, key), *problem;

    if (value == NULL)
        return false;
    if (strcmp(key, "rate") == 0)
        problem = wanem_value_rate(value, &link->line.rate_bps);
    else if (strcmp(key, "queue") == 0)
        problem = wanem_value_queue(value, &link->line);
    else if (strcmp(key, "gilbert") == 0)
        problem = wanem_value_gilbert(value, &link->gilbert);
    else if (strcmp(key, "checksum") == 0)
        problem = wanem_value_checksum(value, &link->checksum);
    else
        return wrong(c, "\"%.60s\" is nothing that a link has", key);
    return judged(c, key, value, problem);
}

static bool set_link(command *c, const char *key, wanem_link *link)
{
    if (strcmp(key, "up") == 0 || strcmp(key, "down") == 0) {
        link->down = key[0] == 'd';
        return true;
    }
    if (strcmp(key, "rtt") == 0)
        return set_time(c, key, 2, &link->delay_ns);
    if (strcmp(key, "delay") == 0)
        return set_time(c, key, 1, &link->delay_ns);
    if (strcmp(key, "jitter") == 0)
        return set_time(c, key, 1, &link->jitter_ns);
    if (strcmp(key, "jitter-period") == 0)
        return set_time(c, key, 1, &link->jitter_period_ns);
    if (strcmp(key, "reorder-by") == 0)
        return set_time(c, key, 1, &link->reorder_by_ns);
    if (strcmp(key, "nat") == 0) {
        const char *const value = c->word[c->at];

        if (value == NULL || strcmp(value, "none") != 0)
            return set_time(c, key, 1, &link->nat_ns);
        c->at++;
        link->nat_ns = 0;
        return true;
    }
    if (strcmp(key, "loss") == 0) {
        link->gilbert.on = false;
        return set_chance(c, key, &link->loss);
    }
    if (strcmp(key, "duplicate") == 0)
        return set_chance(c, key, &link->duplicate);
    if (strcmp(key, "corrupt") == 0)
        return set_chance(c, key, &link->corrupt);
    if (strcmp(key, "reorder") == 0)
        return set_chance(c, key, &link->reorder);
    return set_word(c, key, link);
}

/* Everything that is left of the command, to one link. */
static bool set_link_all(command *c, wanem_link *link)
{
    const char *key;

    while ((key = c->word[c->at]) != NULL) {
        c->at++;
        if (!set_link(c, key, link))
            return false;
    }
    return true;
}

/* A silo by its name, -1 for *, -2 after a story. */
static int take_end(command *c)
{
    const char *name = c->word[c->at];
    int silo;

    if (name == NULL) {
        wrong(c, "link needs two silos, such as link a b or link a > b");
        return -2;
    }
    c->at++;
    if (strcmp(name, "*") == 0)
        return -1;
    silo = wanem_net_silo(c->net, name);
    if (silo < 0) {
        wrong(c, "there is no silo \"%.60s\"", name);
        return -2;
    }
    return silo;
}

static bool is_meant(const command *c, int from, int to, const int ends[2], bool one_way)
{
    const bool forth = (ends[0] < 0 || ends[0] == from) && (ends[1] < 0 || ends[1] == to);
    const bool back = !one_way && (ends[0] < 0 || ends[0] == to) && (ends[1] < 0 || ends[1] == from);

    return from != to && (forth || back) && (c->mode == WANEM_DECLARE || c->net->link[from][to].declared);
}

static bool do_link(command *c)
{
    int ends[2], matched = 0, settings;
    bool one_way;

    ends[0] = take_end(c);
    if (ends[0] == -2)
        return false;
    one_way = c->word[c->at] != NULL && strcmp(c->word[c->at], ">") == 0;
    c->at += one_way;
    ends[1] = take_end(c);
    if (ends[1] == -2)
        return false;
    if (ends[0] >= 0 && ends[0] == ends[1])
        return wrong(c, "a link needs two silos, not one and itself");
    settings = c->at;
    for (int pass = 0; pass < (c->mode == WANEM_TRY ? 1 : 2); pass++) {
        matched = 0;
        for (int from = 0; from < c->net->silos; from++) {
            for (int to = 0; to < c->net->silos; to++) {
                wanem_link copy = c->net->link[from][to];

                if (!is_meant(c, from, to, ends, one_way))
                    continue;
                matched++;
                c->at = settings;
                if (!set_link_all(c, &copy)) /* of the first pass: the second repeats what went well */
                    return false;
                copy.declared = true;
                if (pass == 1)
                    c->net->link[from][to] = copy;
            }
        }
    }
    return matched > 0 || wrong(c, "there is no such link");
}

/* ---- silos ------------------------------------------------------------------------------------------------
 */

static bool set_silo(command *c, const char *key, wanem_silo *silo)
{
    const char *value, *problem;

    if (c->mode == WANEM_DECLARE && strcmp(key, "nodes") == 0)
        return take_int(c, key, 1, WANEM_NODES, &silo->nodes);
    if (c->mode == WANEM_DECLARE && strcmp(key, "cc") == 0)
        return take_name(c, key, silo->cc);
    value = value_of(c, key);
    if (value == NULL)
        return false;
    if (strcmp(key, "egress") == 0)
        problem = wanem_value_rate(value, &silo->egress.rate_bps);
    else if (strcmp(key, "ingress") == 0)
        problem = wanem_value_rate(value, &silo->ingress.rate_bps);
    else if (strcmp(key, "queue") == 0) {
        problem = wanem_value_queue(value, &silo->egress);
        silo->ingress.queue = silo->egress.queue;
        silo->ingress.queue_unit = silo->egress.queue_unit;
    } else
        return wrong(c, "\"%.60s\" is nothing that a silo has%s", key,
                     c->mode == WANEM_DECLARE ? "" : ", or can't be changed while it is up");
    return judged(c, key, value, problem);
}

static bool set_silo_all(command *c, wanem_silo *silo)
{
    const char *key;

    while ((key = c->word[c->at]) != NULL) {
        c->at++;
        if (!set_silo(c, key, silo))
            return false;
    }
    return true;
}

static bool declare_silo(command *c)
{
    wanem_net *net = c->net;
    wanem_silo silo = net->silo[net->silos < WANEM_SILOS ? net->silos : 0];
    int nodes = 0;

    if (net->silos == WANEM_SILOS)
        return wrong(c, "that is one silo too many; there can be %d", WANEM_SILOS);
    if (!take_name(c, "silo", silo.name))
        return false;
    if (silo.name[0] < 'a' || strspn(silo.name, "abcdefghijklmnopqrstuvwxyz-_") != strlen(silo.name))
        return wrong(c, "silo \"%s\" should be called by letters alone: numbers are for its nodes",
                     silo.name);
    if (wanem_net_silo(net, silo.name) >= 0)
        return wrong(c, "silo \"%s\" is declared already", silo.name);
    silo.nodes = 1;
    if (!set_silo_all(c, &silo))
        return false;
    for (int i = 0; i < net->silos; i++)
        nodes += net->silo[i].nodes;
    if (nodes + silo.nodes > WANEM_NODES)
        return wrong(c, "these are %d nodes; there can be %d", nodes + silo.nodes, WANEM_NODES);
    net->silo[net->silos++] = silo;
    return true;
}

static bool do_silo(command *c)
{
    const char *name = c->word[c->at];
    const int settings = c->at + 1;
    int only = -1;

    if (name == NULL)
        return wrong(c, "silo needs a name");
    if (c->mode == WANEM_DECLARE && strcmp(name, "*") != 0)
        return declare_silo(c);
    if (strcmp(name, "*") != 0) {
        only = wanem_net_silo(c->net, name);
        if (only < 0)
            return wrong(c, "there is no silo \"%.60s\"", name);
    }
    for (int i = 0; i < c->net->silos; i++) {
        wanem_silo copy = c->net->silo[i];

        if (only >= 0 && i != only)
            continue;
        c->at = settings;
        if (!set_silo_all(c, &copy)) /* of the first: the others get what went well */
            return false;
        if (c->mode != WANEM_TRY)
            c->net->silo[i] = copy;
    }
    return true;
}

/* ---- all --------------------------------------------------------------------------------------------------
 */

static bool do_seed(command *c)
{
    int seed;

    if (!take_int(c, "seed", 0, 1000000000, &seed))
        return false;
    if (c->mode != WANEM_TRY) {
        c->net->seed = (uint64_t)seed;
        wanem_random_seed(&c->net->random, (uint64_t)seed);
    }
    return true;
}

static bool do_late(command *c)
{
    double ns;

    if (!set_time(c, "late", 1, &ns))
        return false;
    if (c->mode != WANEM_TRY)
        c->net->late_bound_ns = (int64_t)ns;
    return true;
}

static bool dispatch(command *c)
{
    const char *verb = c->word[c->at++];

    if (strcmp(verb, "link") == 0)
        return do_link(c);
    if (strcmp(verb, "silo") == 0)
        return do_silo(c);
    if (strcmp(verb, "seed") == 0)
        return do_seed(c);
    if (strcmp(verb, "late") == 0)
        return do_late(c);
    if (c->mode == WANEM_DECLARE && strcmp(verb, "mtu") == 0)
        return take_int(c, verb, MTU_MIN, MTU_MAX, &c->net->mtu);
    if (c->mode == WANEM_DECLARE && strcmp(verb, "cc") == 0)
        return take_name(c, verb, c->net->cc);
    return wrong(c, "\"%.60s\" is no command%s", verb,
                 c->mode == WANEM_DECLARE ? ": silo, link, cc, mtu, seed or late"
                                          : ": link, silo, seed or late");
}

bool wanem_command(wanem_net *net, const char *line, wanem_command_mode mode, char story[WANEM_STORY_BYTES])
{
    char text[WANEM_COMMAND_BYTES];
    command c = { .net = net, .mode = mode, .story = story };
    int words;

    story[0] = '\0';
    if (strlen(line) >= sizeof text)
        return wrong(&c, "longer than %d characters", WANEM_COMMAND_BYTES - 1);
    strcpy(text, line);
    words = wanem_command_words(text, c.word, WORDS + 1);
    if (words > WORDS)
        return wrong(&c, "more than %d words", WORDS);
    if (words == 0)
        return true;
    if (!dispatch(&c))
        return false;
    if (c.word[c.at] != NULL)
        return wrong(&c, "\"%.60s\" is too much", c.word[c.at]);
    wanem_net_fit(net);
    return true;
}

bool wanem_command_file(wanem_net *net, const char *path)
{
    FILE *file = fopen(path, "r");
    char story[WANEM_STORY_BYTES], *line = NULL;
    size_t room = 0;
    bool good = true;
    int number = 0;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    while (getline(&line, &room, file) >= 0) {
        number++;
        if (!wanem_command(net, line, WANEM_DECLARE, story)) {
            fprintf(stderr, "%s:%d: %s\n", path, number, story);
            good = false;
        }
    }
    if (ferror(file)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        good = false;
    }
    free(line);
    fclose(file);
    if (good && net->silos < 2) {
        fprintf(stderr, "%s:%d: the file ends with %d silos; a lab needs two at least\n", path, number,
                net->silos);
        good = false;
    }
    return good;
}
