/* SPDX-License-Identifier: BSD-3-Clause
 *
 * badinput.h - the parts of the bad-input test: each checks codes and stories, and leaves nothing behind. */
#ifndef TESTS_MP_BADINPUT_H
#define TESTS_MP_BADINPUT_H

/* badinput.c */
void bad_options(void);
void bad_environment(void);

/* badmeeting.c: start-up values and the rendezvous */
void bad_start_values(void);
void bad_meetings(void);

/* badcalls.c: arguments, requests, handles; ranks are threads */
void bad_arguments(void);
void bad_requests(void);
void bad_mismatches(void);

#endif
