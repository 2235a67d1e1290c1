/* SPDX-License-Identifier: BSD-3-Clause
 * wait.h - one step of waiting for transports: poll on, yield the core, or sleep in the kernel. */
#ifndef FRD_NET_WAIT_H
#define FRD_NET_WAIT_H

#include "net/net.h"

typedef struct frd_wait {
    uint64_t spin_ns, yield_ns; /* how long to poll, and then to yield, before sleeping */
    frd_net *const *net;
    size_t nets;
    frd_stat *stat;
    int cores_fd; /* of frd_wait_open; -1: cores fall as deep as they like */
} frd_wait;

/* Gets leave to keep cores awake during the first seconds of a sleep, where this system gives it. */
void frd_wait_open(frd_wait *wait);
void frd_wait_close(frd_wait *wait);

/* As frd_fabric_idle. */
void frd_wait_step(const frd_wait *wait, uint64_t idle_since_ns, uint64_t deadline_ns);

#endif
