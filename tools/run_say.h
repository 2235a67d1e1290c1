/* SPDX-License-Identifier: BSD-3-Clause
 * run_say.h - what fedrdma-run itself has to say: one line on standard error. */
#ifndef RUN_SAY_H
#define RUN_SAY_H

/* "fedrdma-run: ...", in one write. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
