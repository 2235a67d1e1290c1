/* SPDX-License-Identifier: BSD-3-Clause
 * run_options.h - fedrdma-run's command line. */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum run_bind { RUN_BIND_AUTO, RUN_BIND_ALWAYS, RUN_BIND_NEVER } run_bind;

typedef struct run_options {
    int ranks;
    int silos;           /* 0: not emulated; so are nodes then */
    int nodes_per_silo;  /* at least 1 */
    run_bind bind;       /* ranks to cores; auto: if there are more of them */
    bool prefix, tag;    /* before each line: the rank; its silo as well */
    uint64_t timeout_ns; /* of the whole job; 0: none */
    uint64_t grace_ns;   /* for the other ranks after one failed, or after a signal */
    const char **env;    /* NAME=value of --env, NULL at the end; points into argv */
    char **command;      /* the program and its arguments */
} run_options;

typedef enum run_parsed { RUN_GO, RUN_DONE, RUN_BAD } run_parsed;

/* Parses the command line. RUN_DONE: help or version was printed. RUN_BAD: a message was. */
run_parsed run_options_parse(run_options *options, int argc, char **argv);
void run_options_free(run_options *options);

#endif
