/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_control.h - commands to a running emulator through a UNIX datagram socket, at once or at a time. */
#ifndef WANEM_CONTROL_H
#define WANEM_CONTROL_H

#include <stdint.h>

#include "tests/wan/wanem_net.h"

enum { WANEM_SCHEDULED = 4096, WANEM_REPLY_BYTES = 160 * 1024 };

typedef struct wanem_scheduled {
    int64_t at_ns;
    char *line;
} wanem_scheduled;

typedef struct wanem_control {
    int fd;
    const char *path;
    wanem_scheduled *later; /* by time, the next one last */
    int count;
} wanem_control;

/* 0, or -1 after a message. */
int wanem_control_open(wanem_control *control, const char *path);
void wanem_control_close(wanem_control *control);

/* Answers one command, if there is one. */
void wanem_control_answer(wanem_control *control, wanem_net *net, int64_t now_ns);

/* When the next scheduled command is to be done; INT64_MAX without any. */
int64_t wanem_control_next_ns(const wanem_control *control);

/* Does those whose time has come. */
void wanem_control_due(wanem_control *control, wanem_net *net, int64_t now_ns);

/* The other side: sends a command (or with - all lines of standard input), prints the reply. 0, 1 if the
 * reply is an error, 3 if it is "void", 2 without any reply within 5 s. */
int wanem_control_ask(const char *path, const char *line);

#endif
