/* SPDX-License-Identifier: BSD-3-Clause
 * wan_thread.c - the thread that drives a context's node: takes in what the lane has, sends what is due,
 * sleeps until something comes or the next deadline. It keeps links alive and transfers going while the
 * application computes.
 *
 * ppoll, not epoll with a timer descriptor: two descriptors, and its timeout in nanoseconds costs no system
 * call more. With the timer slack at its least, it wakes some 10 us after the time. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wan/wan.h"

enum {
    BATCH_BYTES = 64000, /* below what one call with segmentation offload takes */
    SEGMENTS = 44,       /* of 1472 bytes; the kernel's limit is 64 in older ones */
    SENDS = 8,           /* batches before the lane is looked at again */
    REFUSALS = 64        /* and refused datagrams */
};

typedef struct driver {
    frd_wan *wan;
    frd_wan_batch batch;
    bool full; /* the lane did not take the batch */
} driver;

static void take_refusals(frd_wan *w)
{
    const void *quoted;
    uint32_t carried;
    size_t bytes;

    for (int i = 0; i < REFUSALS && (quoted = frd_wan_lane_refused(w->lane, &bytes, &carried)) != NULL; i++) {
        pthread_mutex_lock(&w->lock);
        if (carried > 0)
            frd_wan_node_too_long(w->node, frd_now_ns(), quoted, bytes, carried);
        else
            frd_wan_node_refused(w->node, frd_now_ns(), quoted, bytes);
        pthread_mutex_unlock(&w->lock);
    }
}

static int take_in(driver *d)
{
    frd_wan *const w = d->wan;
    const int buffers = frd_wan_lane_receive(w->lane);
    frd_wan_addr from;
    uint64_t now;
    size_t bytes;

    if (frd_wan_lane_failed(w->lane)) {
        take_refusals(w);
        if (buffers == 0)
            return 1; /* the error stood in front of what has come */
    }
    if (buffers == 0)
        return 0;
    now = frd_now_ns();
    pthread_mutex_lock(&w->lock);
    for (void *at; (at = frd_wan_lane_take(w->lane, &bytes, &from)) != NULL;)
        frd_wan_node_input(w->node, now, &from, at, bytes);
    pthread_mutex_unlock(&w->lock);
    return buffers;
}

static bool pull(driver *d)
{
    frd_wan *const w = d->wan;
    bool some;

    pthread_mutex_lock(&w->lock);
    some = frd_wan_node_pull(w->node, frd_now_ns(), &d->batch);
    pthread_mutex_unlock(&w->lock);
    return some;
}

static int send_out(driver *d)
{
    int sent = 0;

    while (sent < SENDS && (d->full || pull(d))) {
        d->full = !frd_wan_lane_send(d->wan->lane, &d->batch);
        if (d->full)
            break;
        sent++;
    }
    return sent;
}

/* Until something comes, or is due. False: the end. */
static bool rest(driver *d)
{
    frd_wan *const w = d->wan;
    struct pollfd fd[2] = {
        { .fd = frd_wan_lane_fd(w->lane), .events = (short)(d->full ? POLLIN | POLLOUT : POLLIN) },
        { .fd = w->wake_fd, .events = POLLIN },
    };
    const uint64_t now = frd_now_ns();
    struct timespec timeout;
    uint64_t due, drain;
    bool stop;

    pthread_mutex_lock(&w->lock);
    due = frd_wan_node_due(w->node);
    stop = atomic_load_explicit(&w->stop, memory_order_relaxed);
    if (w->closing)
        pthread_cond_signal(&w->quiet);
    if (d->full)
        due = now + 10 * FRD_NS_PER_MS;
    w->asleep = due > now && !stop;
    pthread_mutex_unlock(&w->lock);
    if (due <= now || stop)
        return !stop;
    due = due - now < FRD_NS_PER_S ? due - now : FRD_NS_PER_S;
    timeout.tv_sec = (time_t)(due / FRD_NS_PER_S);
    timeout.tv_nsec = (long)(due % FRD_NS_PER_S);
    (void)ppoll(fd, 2, &timeout, NULL);
    if ((fd[0].revents & POLLERR) != 0)
        take_refusals(w);
    if ((fd[1].revents & POLLIN) != 0)
        (void)!read(w->wake_fd, &drain, sizeof(drain));
    pthread_mutex_lock(&w->lock);
    w->asleep = false;
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void *drive(void *arg)
{
    driver *const d = arg;

    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    (void)prctl(PR_SET_NAME, "fedrdma-wan", 0, 0, 0);
    for (bool more = true; more;) {
        const int events = take_in(d) + send_out(d);

        if (events == 0 || atomic_load_explicit(&d->wan->stop, memory_order_relaxed))
            more = rest(d);
    }
    frd_free(d->batch.data);
    frd_free(d);
    return NULL;
}

int frd_wan_thread_start(frd_wan *wan, frd_story *story)
{
    driver *const d = frd_calloc(1, sizeof(*d));
    sigset_t all, old;
    int rc;

    if (d == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "WAN thread");
    d->wan = wan;
    d->batch.room = BATCH_BYTES;
    d->batch.most = SEGMENTS;
    d->batch.data = frd_alloc_aligned(64, BATCH_BYTES);
    if (d->batch.data == NULL) {
        frd_free(d);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "WAN thread");
    }
    sigfillset(&all); /* the application's handlers run on its own threads */
    pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&wan->thread, NULL, drive, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        frd_free(d->batch.data);
        frd_free(d);
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "cannot start the WAN thread: %s", strerror(rc));
    }
    wan->running = true;
    return FEDRDMA_OK;
}

bool frd_wan_thread_sleeps(frd_wan *wan)
{
    const bool asleep = wan->asleep;

    wan->asleep = false;
    return asleep;
}

void frd_wan_thread_wake(frd_wan *wan)
{
    const uint64_t one = 1;

    (void)!write(wan->wake_fd, &one, sizeof(one));
}

void frd_wan_thread_stop(frd_wan *wan)
{
    if (!wan->running)
        return;
    atomic_store_explicit(&wan->stop, true, memory_order_relaxed);
    frd_wan_thread_wake(wan);
    pthread_join(wan->thread, NULL);
    wan->running = false;
}
