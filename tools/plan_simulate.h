/* SPDX-License-Identifier: BSD-3-Clause
 * plan_simulate.h - fedrdma-plan simulate. */
#ifndef FEDRDMA_PLAN_SIMULATE_H
#define FEDRDMA_PLAN_SIMULATE_H

/* argv[0] is "simulate". The exit status. */
int plan_simulate(int argc, char **argv);

#endif
