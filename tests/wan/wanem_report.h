/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_report.h - what has happened, as text: lines of words and key=value. */
#ifndef WANEM_REPORT_H
#define WANEM_REPORT_H

#include <stddef.h>

#include "tests/wan/wanem_net.h"

/* Everything that is counted. The length, less than `room`. */
size_t wanem_report_counts(wanem_net *net, char *text, size_t room);

/* "ok", or "void: " and why what was measured since the last zero is worth nothing: the emulator delivered
 * too late, or lost packets by itself. */
size_t wanem_report_health(wanem_net *net, char *text, size_t room);

#endif
