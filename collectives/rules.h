/* SPDX-License-Identifier: BSD-3-Clause
 * rules.h - which algorithm for which call. */
#ifndef FRD_COLLECTIVES_RULES_H
#define FRD_COLLECTIVES_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "sched/sched.h"

struct frd_algo;

/* What decides the choice. */
typedef struct frd_choice {
    int coll;
    int ranks;
    size_t bytes; /* vector length, or one block's (irregular: the mean) */
    bool regular, commutative;
    int silos;    /* that ranks are in; 0: they are all in one */
    bool ordered; /* silos follow each other */
    bool planned; /* there is a plan of the ways between them */
    bool node;    /* all ranks are on one node and share memory there */
} frd_choice;

/* Selection rules: the built-in table, and the user's text before it. One rule: collective, byte range, at
 * most so many ranks, algorithm. The first that matches and whose algorithm can do it wins. */
typedef struct frd_rules frd_rules;
int frd_rules_parse(const char *text, frd_story *story, frd_rules **rules); /* "" is fine */
void frd_rules_destroy(frd_rules *rules);
const struct frd_algo *frd_rules_select(const frd_rules *rules, const frd_choice *choice);

/* For fedrdma-info: the rules in order of precedence as text lines, "" after the last. */
void frd_rules_line(const frd_rules *rules, size_t index, char *line, size_t bytes);

#endif
