/* SPDX-License-Identifier: BSD-3-Clause
 * quick.h - the short way for blocking calls inside a node that were made before. */
#ifndef FRD_API_QUICK_H
#define FRD_API_QUICK_H

#include <stdbool.h>
#include <stdint.h>

#include "net/shm_team.h"

enum { FRD_QUICK_KINDS = 17 }; /* frd_entry */

struct frd_comm;
struct frd_args;
struct frd_op_work;

/* What a call was like; all zero is none. */
typedef struct frd_quick {
    bool valid, send_in_place, recv_in_place;
    int op, root, sendtype, recvtype;
    size_t sendcount, recvcount;
    size_t count; /* of every rank in recvcounts; SIZE_MAX: there is no such array */
    size_t send_bytes, recv_bytes; /* that the call needs of its buffers */
    frd_team_call call; /* shaped */
    frd_ref in, out;
} frd_quick;

/* Makes the call if it is known: true when it is over, and well. Otherwise the long way is to be gone. */
bool frd_quick_run(struct frd_comm *comm, const struct frd_args *args);

/* Remembers a call that went well. */
void frd_quick_learn(struct frd_comm *comm, const struct frd_args *args, const struct frd_op_work *work);

#endif
