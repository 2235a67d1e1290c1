/* SPDX-License-Identifier: BSD-3-Clause
 * wait.c - waiting that adapts: a pause while the answer may be one cache line away, then the core is offered
 * to others (more ranks than cores), then the kernel wakes us. A sleeper arms every transport first; a
 * transport that has work already refuses, so nothing that comes between the last progress and the sleep is
 * lost.
 *
 * A sleep is one ppoll: a handful of descriptors, a deadline in nanoseconds, and nothing to keep. Ranks of one node
 * that use nothing else sleep on a futex, which wakes them some 10 us sooner.
 *
 * A core that has slept for long takes long to wake: an idle virtual CPU is halted, and a bare futex comes back 70 to
 * 110 us after the call, where it takes 30 to 40 us when the idle loop polls. So who asked for it (keep_awake) has the
 * kernel keep cores awake while ranks sleep (/dev/cpu_dma_latency, which gives the request up when we die): not in
 * the first millisecond, which costs nothing yet, and not after the first seconds, when power counts more. A rank that
 * was late by 1 s is noticed after 60 to 105 us instead of 100 to 150. */
#include "net/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

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

/* How far into a sleep cores are kept awake. */
#define AWAKE_FROM_NS (1 * FRD_NS_PER_MS)
#define AWAKE_UNTIL_NS (2 * FRD_NS_PER_S)

/* In microseconds, as the kernel takes it; the second is none. */
enum { AT_ONCE = 0, AT_LEISURE = 2000000000 };

static bool set_cores(int fd, int32_t wake_us)
{
    return write(fd, &wake_us, sizeof(wake_us)) == (ssize_t)sizeof(wake_us);
}

void frd_wait_open(frd_wait *wait)
{
    wait->cores_fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (wait->cores_fd >= 0 && !set_cores(wait->cores_fd, AT_LEISURE))
        frd_wait_close(wait);
}

void frd_wait_close(frd_wait *wait)
{
    if (wait->cores_fd >= 0)
        close(wait->cores_fd);
    wait->cores_fd = -1;
}

/* Are cores kept awake `slept_ns` into a sleep? *most_ns is shortened to the time when that changes. */
static bool keeps_awake(const frd_wait *wait, uint64_t slept_ns, uint64_t *most_ns)
{
    if (wait->cores_fd < 0 || slept_ns >= AWAKE_UNTIL_NS)
        return false;
    const bool awake = slept_ns >= AWAKE_FROM_NS;
    const uint64_t left = (awake ? AWAKE_UNTIL_NS : AWAKE_FROM_NS) - slept_ns;

    if (left < *most_ns)
        *most_ns = left;
    return awake;
}

static void sleep_until(const frd_wait *wait, uint64_t now_ns, uint64_t slept_ns, uint64_t deadline_ns)
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
    const bool awake = keeps_awake(wait, slept_ns, &most) && set_cores(wait->cores_fd, AT_ONCE);
    if (wait->nets == 1 && wait->net[0]->ops->sleep != NULL) {
        wait->net[0]->ops->sleep(wait->net[0], most);
    } else {
        timeout.tv_sec = (time_t)(most / FRD_NS_PER_S);
        timeout.tv_nsec = (long)(most % FRD_NS_PER_S);
        (void)ppoll(fd, n, &timeout, NULL); /* whatever ends it, the caller looks again */
    }
    if (awake)
        (void)set_cores(wait->cores_fd, AT_LEISURE);
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
        sleep_until(wait, now, idle - wait->spin_ns - wait->yield_ns, deadline_ns);
    }
}
