/* SPDX-License-Identifier: BSD-3-Clause
 * plan_say.h - what fedrdma-plan itself has to say: one line on standard error. */
#ifndef FEDRDMA_PLAN_SAY_H
#define FEDRDMA_PLAN_SAY_H

/* "fedrdma-plan: ...". */
void plan_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
