/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_command.h - one language for topology files and for changes while the emulator runs; docs/lab.md has
 * it. */
#ifndef WANEM_COMMAND_H
#define WANEM_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/wan/wanem_net.h"

enum { WANEM_COMMAND_BYTES = 1024, WANEM_STORY_BYTES = 256 };

typedef enum wanem_command_mode {
    WANEM_DECLARE, /* a line of a file: makes silos and links */
    WANEM_CHANGE,  /* while running: silos and links must be there, * stands for those */
    WANEM_TRY      /* as WANEM_CHANGE, but nothing is changed */
} wanem_command_mode;

/* Does what the line says, all of it or nothing. False: `story` says what is wrong with it. */
bool wanem_command(wanem_net *net, const char *line, wanem_command_mode mode, char story[WANEM_STORY_BYTES]);

/* Reads a topology file; prints file:line: story for what is wrong. */
bool wanem_command_file(wanem_net *net, const char *path);

/* Splits at blanks, in place, up to a #; the number of words, at most `max`. */
int wanem_command_words(char *line, char **words, int max);

#endif
