/* SPDX-License-Identifier: BSD-3-Clause
 * plan_show.h - fedrdma-plan show: the plan that a topology file leads to. */
#ifndef PLAN_SHOW_H
#define PLAN_SHOW_H

/* argv[0] is "show". The exit status. Complaints go to standard error. */
int plan_show(int argc, char **argv);

#endif
