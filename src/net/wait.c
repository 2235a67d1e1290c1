/* SPDX-License-Identifier: BSD-3-Clause
 * wait.c - waiting that adapts: a pause while the answer may be one cache line away, then the core is offered
 * to others (more ranks than cores), then the kernel wakes us. A sleeper arms every transport first; a
 * transport that has work already refuses, so nothing that comes between the last progress and the sleep is
 * lost.
 *
 * A sleep is one ppoll: a handful of descriptors, a deadline in nanoseconds, and nothing to keep. Ranks of one node
 * that use nothing else sleep on a futex, which wakes them some 10 us sooner. */
#include "net/wait.h"

#include <poll.h>
#include <sched.h>

#include "base/clock.h"
#include "base/cpu.h"

enum {
    PAUSES = 16, /* per step: longer than a look at the rings, far shorter than a yield */
    FDS_MAX = 8  /* transports that exist, with room */
};

/* Transports have timers of their own (UCX keepalive, a peer that left): even a long sleep lets them run. */
#define SLEEP_MAX_NS (200 * FRD_NS_PER_MS)
/* A transport without a descriptor has to be polled: that often. */
#define SLEEP_POLLED_NS (1 * FRD_NS_PER_MS)

static void sleep_until(const frd_wait *wait, uint64_t now_ns, uint64_t deadline_ns)
{
    struct pollfd fd[FDS_MAX];
    uint64_t most = SLEEP_MAX_NS;
    struct timespec timeout;
    size_t armed = 0;
    nfds_t n = 0;

    while (armed < wait->nets && armed < FDS_MAX) {
        frd_net *const net = wait->net[armed++];

        fd[n].fd = net->ops->fd(net);
        fd[n].events = POLLIN;
        if (fd[n].fd < 0)
            most = SLEEP_POLLED_NS;
        else
            n++;
        if (!net->ops->arm(net))
            goto disarm;
    }
    if (deadline_ns - now_ns < most)
        most = deadline_ns - now_ns;
    wait->stat->net_sleeps++;
    if (wait->nets == 1 && wait->net[0]->ops->sleep != NULL) {
        wait->net[0]->ops->sleep(wait->net[0], most);
        goto disarm;
    }
    timeout.tv_sec = (time_t)(most / FRD_NS_PER_S);
    timeout.tv_nsec = (long)(most % FRD_NS_PER_S);
    (void)ppoll(fd, n, &timeout, NULL); /* whatever ends it, the caller looks again */
disarm:
    while (armed > 0) {
        frd_net *const net = wait->net[--armed];

        net->ops->disarm(net);
    }
}

void frd_wait_step(const frd_wait *wait, uint64_t idle_since_ns, uint64_t deadline_ns)
{
    const uint64_t now = frd_now_ns();
    const uint64_t idle = now > idle_since_ns ? now - idle_since_ns : 0;

    if (now >= deadline_ns)
        return;
    if (idle < wait->spin_ns) {
        for (int i = 0; i < PAUSES; i++)
            frd_pause();
    } else if (idle - wait->spin_ns < wait->yield_ns) {
        (void)sched_yield();
    } else {
        sleep_until(wait, now, deadline_ns);
    }
}
