/* SPDX-License-Identifier: BSD-3-Clause
 * run_output.h - one stream of a rank, handed on in whole lines. */
#ifndef RUN_OUTPUT_H
#define RUN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct run_output {
    int from;        /* the rank's end of a pipe, nonblocking; -1: closed, or not piped */
    int to;          /* our standard output or error */
    char prefix[96]; /* "" for none */
    char *line;      /* what has come of a line that has no end yet */
    size_t used, room;
} run_output;

/* Reads what there is (at most a bounded part of it) and writes the lines that are whole; at the end of the
 * stream also what is left of the last one. False when nobody reads our output any more. */
bool run_output_pump(run_output *output);

/* Writes what is left of a line and closes. */
bool run_output_end(run_output *output);

#endif
