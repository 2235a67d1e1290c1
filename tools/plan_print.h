/* SPDX-License-Identifier: BSD-3-Clause
 * plan_print.h - a plan for people, for programs, and as a picture. */
#ifndef PLAN_PRINT_H
#define PLAN_PRINT_H

#include <stdio.h>

#include "collectives/plan.h"

typedef struct plan_shown {
    const char *collective;
    const frd_forest_net *net;
    const frd_forest *forest;
    double bound_ns; /* frd_forest_bound_ns */
} plan_shown;

void plan_print_text(const plan_shown *p, FILE *out);
void plan_print_json(const plan_shown *p, FILE *out);
void plan_print_dot(const plan_shown *p, FILE *out); /* for Graphviz */

#endif
