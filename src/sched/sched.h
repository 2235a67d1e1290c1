/* SPDX-License-Identifier: BSD-3-Clause
 * sched.h - the recorder from its owner's side: begin, let algorithms record, commit to a graph. */
#ifndef FRD_SCHED_SCHED_H
#define FRD_SCHED_SCHED_H

#include "base/error.h"
#include "sched/verbs.h"

typedef struct frd_sched_params {
    int rank;         /* ours in the communicator: messages to it are a bug */
    int size;         /* of the communicator: peers are below it */
    int type;         /* datatype of the data; 0: bytes */
    int op;           /* builtin operator, or any other value for a user's */
    bool commutative; /* only looked at for user operators */
    size_t send_bytes, recv_bytes; /* extents of the buffers: a reference beyond them is a bug */
} frd_sched_params;

int frd_sched_create(const frd_sched_params *params, frd_sched **s);

/* Sets the operator for the steps that follow (weights are summed beside the data). */
void frd_sched_set_op(frd_sched *s, int op);

/* Ends the recording: the graph, or the first sticky error with its story. The recorder stays to be
 * destroyed. */
int frd_sched_commit(frd_sched *s, frd_story *story, frd_graph **graph);
void frd_sched_destroy(frd_sched *s); /* NULL is fine */

#endif
