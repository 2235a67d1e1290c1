/* SPDX-License-Identifier: BSD-3-Clause
 * request.h - a collective call from its check to its completion. */
#ifndef FRD_API_REQUEST_H
#define FRD_API_REQUEST_H

#include "api/args.h"

enum frd_mode { FRD_MODE_BLOCKING, FRD_MODE_NONBLOCKING, FRD_MODE_PERSISTENT };

/* What every public collective does: check, find or record the schedule, and run it (BLOCKING), start it
 * (NONBLOCKING) or only make the request (PERSISTENT). `request` is NULL for BLOCKING only. */
int frd_submit(const frd_args *args, fedrdma_comm *handle, int mode, fedrdma_request **request);

/* A blocking allgather for the library's own use on a communicator (making others, comparing calls): every
 * rank's `bytes` are already in its place in `all`. Inside enter/leave. */
int frd_comm_allgather(frd_comm *comm, void *all, size_t bytes, const char *what);

/* Compares this call with the other ranks' (option check); inside enter/leave. */
int frd_check_agreement(frd_comm *comm, const frd_args *args, const frd_checked *checked);

#endif
