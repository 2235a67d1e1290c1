/* SPDX-License-Identifier: BSD-3-Clause
 * ucx.c - the transport over UCX's active messages: between nodes, any network that UCX knows.
 *
 * Cost: one UCX call a message and about as much memory as is in flight; a peer that is never talked to costs its
 * address. Everything in UCX is our own (context, worker, options FEDRDMA_UCX_*), so that an MPI beside us that uses
 * UCX too does not notice; ucx_process.c has what that takes.
 *
 * Not here: who talks to whom (fabric.c), matching (match.c), the WAN (src/wan has a context of its own). */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/ucx_parts.h"

/* How long close() waits for the peers' goodbyes, and then for the last bytes to leave. Leaving is collective, so
 * the goodbyes are on their way; this bounds the wait for ranks that died or hang. */
#define LINGER_NS (200 * FRD_NS_PER_MS)

/* ---- open ---- */

static int open_sleep(frd_ucx *net, frd_story *story)
{
    struct epoll_event readable = { .events = EPOLLIN };
    int efd;

    if (ucp_worker_get_efd(net->worker, &efd) != UCS_OK)
        return frd_fail(story, FEDRDMA_ERR_NET, "UCX has no event descriptor to sleep on");
    net->epoll = epoll_create1(EPOLL_CLOEXEC);
    net->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (net->epoll < 0 || net->timer < 0 || epoll_ctl(net->epoll, EPOLL_CTL_ADD, efd, &readable) != 0 ||
        epoll_ctl(net->epoll, EPOLL_CTL_ADD, net->timer, &readable) != 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "cannot open an epoll descriptor: %s", strerror(errno));
    return FEDRDMA_OK;
}

static void discard(frd_ucx *net)
{
    frd_ucx_mem_close(net);
    frd_ucx_worker_close(net);
    if (net->epoll >= 0)
        close(net->epoll);
    if (net->timer >= 0)
        close(net->timer);
    for (int i = 0; net->peer != NULL && i < net->env.size; i++)
        frd_free(net->peer[i]);
    frd_free(net->peer);
    frd_slots_free(&net->out);
    frd_slots_free(&net->in);
    frd_pool_free(&net->ops);
    frd_free(net);
}

static int ucx_open(const frd_net_env *env, frd_story *story, frd_net **net, const void **card,
                    size_t *card_bytes)
{
    const frd_log *const outer = frd_ucx_log_enter(env->log);
    frd_ucx *n = frd_calloc(1, sizeof(*n));
    int rc = FEDRDMA_ERR_NOMEM;

    if (n == NULL) {
        frd_fail(story, rc, "UCX transport");
        goto out;
    }
    n->base.ops = &frd_net_ucx;
    n->env = *env;
    n->epoll = n->timer = -1;
    TAILQ_INIT(&n->active);
    TAILQ_INIT(&n->arrived);
    TAILQ_INIT(&n->endings);
    frd_pool_init(&n->ops, sizeof(frd_ucx_op));
    n->peer = frd_calloc((size_t)env->size, sizeof(*n->peer));
    if (n->peer == NULL)
        frd_fail(story, rc, "UCX transport of %d ranks", env->size);
    else
        rc = frd_ucx_worker_open(n, story);
    if (rc == FEDRDMA_OK)
        rc = open_sleep(n, story);
    if (rc != FEDRDMA_OK) {
        discard(n);
        goto out;
    }
    *net = &n->base;
    *card = &n->card;
    *card_bytes = sizeof(n->card);
out:
    frd_ucx_log_leave(outer);
    return rc;
}

static int ucx_connect(frd_net *base, int rank, const void *card, size_t card_bytes, bool *reach,
                       frd_story *story)
{
    frd_ucx *const net = (frd_ucx *)base;
    frd_ucx_card its;
    frd_ucx_peer *peer;

    *reach = false;
    if (card_bytes < sizeof(its))
        return FEDRDMA_OK;
    memcpy(&its, card, sizeof(its));
    if (its.magic != FRD_UCX_MAGIC || its.places > FRD_UCX_PLACES || its.port > UINT16_MAX)
        return FEDRDMA_OK; /* another version, or another byte order */
    peer = frd_calloc(1, sizeof(*peer));
    if (peer == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "rank %d's UCX address", rank);
    peer->card = its;
    peer->net = net;
    peer->rank = rank;
    peer->window_bytes = peer->credit_bytes = its.window_bytes;
    TAILQ_INIT(&peer->sends);
    TAILQ_INIT(&peer->receives);
    TAILQ_INIT(&peer->offers);
    TAILQ_INIT(&peer->outbox);
    TAILQ_INIT(&peer->stream);
    frd_free(net->peer[rank]);
    net->peer[rank] = peer;
    *reach = true;
    return FEDRDMA_OK;
}

/* ---- progress and sleep ---- */

static int ucx_progress(frd_net *base)
{
    frd_ucx *const net = (frd_ucx *)base;
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);
    int count;

    net->inside = true;
    count = (int)ucp_worker_progress(net->worker);
    count += frd_ucx_match_offers(net);
    net->inside = false;
    count += frd_ucx_give_up(net);
    count += frd_ucx_run(net);
    frd_ucx_log_leave(outer);
    return count;
}

static void on_flushed(void *request, ucs_status_t status, void *user_data)
{
    frd_ucx *const net = user_data;

    (void)status; /* an endpoint that failed has nothing left to send */
    net->flushing = false;
    net->requests--;
    ucp_request_free(request);
}

/* UCX over TCP calls a message sent when it has copied it; what the socket did not take leaves by progress only. With
 * RDMA the network card sends on by itself. */
static bool ucx_flushed(frd_net *base)
{
    frd_ucx *const net = (frd_ucx *)base;
    const ucp_request_param_t params = {
        .op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA,
        .cb.send = on_flushed,
        .user_data = net,
    };
    const frd_log *outer;

    if (!TAILQ_EMPTY(&net->active))
        return false;
    if (!net->pieces || net->flushing || !net->unflushed)
        return !net->flushing;
    outer = frd_ucx_log_enter(net->env.log);
    net->unflushed = false;
    net->flushing = UCS_PTR_IS_PTR(ucp_worker_flush_nbx(net->worker, &params));
    if (net->flushing)
        net->requests++;
    frd_ucx_log_leave(outer);
    return !net->flushing;
}

static int ucx_fd(frd_net *base)
{
    return ((frd_ucx *)base)->epoll;
}

/* A peer that left without what we still want from it is lost; nothing else would say so on a network
 * without connections. Asked only when nothing moves any more, so what it sent before has arrived. */
static bool find_deserted(frd_ucx *net)
{
    bool found = false;

    for (int i = 0; net->left > 0 && i < net->env.size; i++) {
        frd_ucx_peer *const peer = net->peer[i];

        if (peer != NULL && peer->left && !peer->lost && frd_ucx_deserted(peer)) {
            frd_ucx_break(peer, "it has left the job");
            found = true;
        }
    }
    return found;
}

static void set_timer(frd_ucx *net)
{
    const frd_ucx_op *const first = TAILQ_FIRST(&net->endings);
    const uint64_t at = first == NULL ? 0 : first->give_up_ns;
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at / FRD_NS_PER_S),
                                             .tv_nsec = (long)(at % FRD_NS_PER_S) } };

    if (at == net->timer_ns)
        return;
    if (timerfd_settime(net->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        net->timer_ns = at;
}

/* Will UCX's descriptor tell what comes from now on? A verbs device tells of completions behind the request to be told
 * (ibv_req_notify_cq): one that came between UCX's last look and the request would be slept upon, so one more look. */
static bool armed(frd_ucx *net)
{
    return ucp_worker_arm(net->worker) == UCS_OK && (!net->verbs || ucx_progress(&net->base) == 0);
}

static bool ucx_arm(frd_net *base)
{
    frd_ucx *const net = (frd_ucx *)base;
    const frd_log *const outer = frd_ucx_log_enter(net->env.log);
    bool idle = TAILQ_EMPTY(&net->active) && TAILQ_EMPTY(&net->arrived) && !find_deserted(net);

    if (idle)
        set_timer(net);
    idle = idle && armed(net);
    frd_ucx_log_leave(outer);
    return idle;
}

static void ucx_disarm(frd_net *base)
{
    (void)base; /* UCX needs none */
}

/* ---- close ---- */

/* Drives UCX until done(net) or the deadline. */
static void drive(frd_ucx *net, bool (*done)(const frd_ucx *net))
{
    const uint64_t deadline = frd_now_ns() + LINGER_NS;
    struct epoll_event event;

    while (!done(net)) {
        const uint64_t now = frd_now_ns();

        if (now >= deadline)
            break;
        if (ucx_progress(&net->base) == 0 && armed(net))
            epoll_wait(net->epoll, &event, 1, (int)((deadline - now) / FRD_NS_PER_MS) + 1);
    }
}

static bool all_said_goodbye(const frd_ucx *net)
{
    for (int i = 0; i < net->env.size; i++) {
        const frd_ucx_peer *const peer = net->peer[i];

        if (peer != NULL && peer->ep != NULL && !peer->left)
            return false;
    }
    return net->requests == 0;
}

static bool all_parted(const frd_ucx *net)
{
    bool all = true;

    for (int i = 0; i < net->env.size; i++)
        all = (net->peer[i] == NULL || frd_ucx_parted(net->peer[i], false)) && all;
    return all;
}

/* Messages still in flight are dropped: their owner may free the buffers as soon as close() returns. */
static void drop_messages(frd_ucx_peer *peer)
{
    struct frd_ucx_ops *const all[] = { &peer->sends, &peer->receives };
    frd_ucx_op *op;
    bool busy = false;

    for (size_t i = 0; i < 2; i++) {
        TAILQ_FOREACH(op, all[i], link)
        busy = busy || op->busy > 0;
    }
    if (busy)
        frd_ucx_disconnect(peer);
}

/* A goodbye to every peer that we have an endpoint to, theirs awaited: a connection that is closed with bytes
 * unread resets, and takes with it what the peer has not read yet. Then everything sent leaves, in order. */
static void ucx_close(frd_net *base)
{
    frd_ucx *const net = (frd_ucx *)base;
    const frd_log *outer;

    if (net == NULL)
        return;
    outer = frd_ucx_log_enter(net->env.log);
    net->closing = true;
    for (int i = 0; i < net->env.size; i++) {
        if (net->peer[i] == NULL)
            continue;
        drop_messages(net->peer[i]);
        if (net->peer[i]->ep != NULL)
            frd_ucx_note(net->peer[i], FRD_UCX_GOODBYE, 0, 0);
    }
    drive(net, all_said_goodbye);
    /* Who said goodbye is parted from in order. To part so from who is silent would leave UCX a flush that never ends,
     * and it aborts the process when the worker goes. */
    for (int i = 0; i < net->env.size; i++) {
        if (net->peer[i] != NULL && net->peer[i]->left)
            frd_ucx_part(net->peer[i]);
        else if (net->peer[i] != NULL)
            frd_ucx_disconnect(net->peer[i]);
    }
    (void)ucx_progress(base); /* gives back what was cut off */
    drive(net, all_parted);
    for (int i = 0; i < net->env.size; i++) {
        if (net->peer[i] != NULL)
            frd_ucx_parted(net->peer[i], true);
    }
    discard(net);
    frd_ucx_log_leave(outer);
}

const frd_net_ops frd_net_ucx = {
    .name = "ucx",
    .open = ucx_open,
    .connect = ucx_connect,
    .send = frd_ucx_send,
    .accept = frd_ucx_accept,
    .refuse = frd_ucx_refuse,
    .cancel = frd_ucx_cancel,
    .progress = ucx_progress,
    .flushed = ucx_flushed,
    .fd = ucx_fd,
    .arm = ucx_arm,
    .disarm = ucx_disarm,
    .mem_add = frd_ucx_mem_add,
    .mem_remove = frd_ucx_mem_remove,
    .close = ucx_close,
};
