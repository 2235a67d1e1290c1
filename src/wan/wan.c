/* SPDX-License-Identifier: BSD-3-Clause
 * wan.c - the transport between silos, as net.h wants it. Messages go into the node (node.h) under its lock,
 * at the caller's side; everything else is the thread's business (wan_thread.c).
 *
 * Small messages (conf.eager, while conf.eager_credit lasts) and control messages are copied and end at once;
 * larger ones end when the peer has all of them, for they may have to be sent again. Arriving messages meet
 * their receives in the match table as offers, whatever their size: what has come of them meanwhile waits in
 * the node's early window. */
#include "wan/wan.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

/* ---- messages ---- */

static void unlock_and_wake(frd_wan *w)
{
    const bool sleeps = frd_wan_thread_sleeps(w);

    pthread_mutex_unlock(&w->lock);
    if (sleeps)
        frd_wan_thread_wake(w);
}

static void wan_send(frd_net *net, frd_msg *msg)
{
    frd_wan *const w = (frd_wan *)net;
    const frd_wan_message message = { .tag = msg->tag, .buf = msg->buf, .len = msg->len, .user = msg };
    frd_wan_out *out;
    int rc;

    msg->word[FRD_WAN_SENDING] = 1;
    msg->word[FRD_WAN_ENDED] = 0;
    pthread_mutex_lock(&w->lock);
    rc = frd_wan_send(w->node, msg->peer, frd_now_ns(), &message, &out);
    msg->handle = out;
    unlock_and_wake(w);
    if (out == NULL)
        msg->done(msg, rc);
}

static void wan_accept(frd_net *net, frd_msg *msg, const frd_offer *offer)
{
    frd_wan *const w = (frd_wan *)net;
    frd_wan_early *early = NULL;
    int rc = FEDRDMA_OK;
    bool more;

    msg->word[FRD_WAN_SENDING] = msg->word[FRD_WAN_ENDED] = 0;
    msg->handle = offer->handle;
    do {
        frd_wan_early_move(early, msg->buf);
        pthread_mutex_lock(&w->lock);
        more = frd_wan_accept(w->node, frd_now_ns(), offer->handle, msg->buf, msg, &early, &rc);
        unlock_and_wake(w);
    } while (early != NULL);
    if (!more)
        msg->done(msg, rc);
}

static void wan_refuse(frd_net *net, const frd_offer *offer)
{
    frd_wan *const w = (frd_wan *)net;

    pthread_mutex_lock(&w->lock);
    frd_wan_refuse(w->node, frd_now_ns(), offer->handle);
    unlock_and_wake(w);
}

static void wan_cancel(frd_net *net, frd_msg *msg)
{
    frd_wan *const w = (frd_wan *)net;
    bool ended;

    pthread_mutex_lock(&w->lock);
    ended = msg->word[FRD_WAN_ENDED] != 0; /* its end is in the list of events */
    if (!ended && msg->word[FRD_WAN_SENDING] != 0)
        frd_wan_cancel_send(w->node, msg->peer, frd_now_ns(), msg->handle);
    else if (!ended)
        frd_wan_cancel_receive(w->node, frd_now_ns(), msg->handle);
    unlock_and_wake(w);
    if (!ended)
        msg->done(msg, FEDRDMA_ERR_CANCELED);
}

/* ---- progress and sleep ---- */

static int wan_progress(frd_net *net)
{
    return frd_wan_event_run((frd_wan *)net);
}

static bool wan_flushed(frd_net *net)
{
    frd_wan *const w = (frd_wan *)net;
    bool flushed;

    pthread_mutex_lock(&w->lock);
    flushed = frd_wan_flushed(w->node);
    pthread_mutex_unlock(&w->lock);
    return flushed;
}

static int wan_fd(frd_net *net)
{
    return ((frd_wan *)net)->event_fd;
}

/* A peer that left without what we still want from it is lost. What it sent before its goodbye has been
 * handled. */
static bool find_deserted(frd_wan *w)
{
    bool found = false;

    for (int i = 0; w->lefts > 0 && i < w->env.size; i++) {
        if (!w->left[i] || w->lost[i] || !frd_match_expects(w->env.match, i))
            continue;
        pthread_mutex_lock(&w->lock);
        frd_wan_lose(w->node, i, "it has left the job");
        pthread_mutex_unlock(&w->lock);
        found = true;
    }
    return found;
}

static bool wan_arm(frd_net *net)
{
    frd_wan *const w = (frd_wan *)net;
    bool idle;

    if (find_deserted(w))
        return false;
    pthread_mutex_lock(&w->lock);
    idle = w->events.count == 0;
    w->armed = idle;
    pthread_mutex_unlock(&w->lock);
    return idle;
}

static void wan_disarm(frd_net *net)
{
    frd_wan *const w = (frd_wan *)net;
    uint64_t drain;

    pthread_mutex_lock(&w->lock);
    w->armed = false;
    pthread_mutex_unlock(&w->lock);
    (void)!read(w->event_fd, &drain, sizeof(drain));
}

/* The shortest way of those that are up carries most: routes through others are spare. */
static bool wan_look(frd_net *net, int peer, frd_net_sight *sight)
{
    frd_wan *const w = (frd_wan *)net;
    frd_wan_route_info info, best = { .state = FRD_WAN_ROUTE_NEW };

    pthread_mutex_lock(&w->lock);
    for (unsigned k = 0; frd_wan_node_look(w->node, peer, k, &info); k++) {
        if (info.state == FRD_WAN_ROUTE_UP && (best.state != FRD_WAN_ROUTE_UP || info.hops < best.hops ||
                                               (info.hops == best.hops && info.rate > best.rate)))
            best = info;
    }
    pthread_mutex_unlock(&w->lock);
    if (best.state != FRD_WAN_ROUTE_UP)
        return false;
    *sight = (frd_net_sight){ .hops = best.hops,
                              .rtt_ns = best.base_rtt_ns,
                              .rate = best.rate,
                              .delivered_bytes = best.delivered_bytes,
                              .lost_bytes = best.lost_bytes };
    for (unsigned i = 0; i < best.hops; i++)
        sight->via[i] = best.via[i];
    return true;
}

/* ---- close ---- */

static void wait_until(frd_wan *w, bool (*done)(const frd_wan_node *node))
{
    const uint64_t end = frd_now_ns() + frd_wan_linger_ns(w->node);
    const struct timespec when = { .tv_sec = (time_t)(end / FRD_NS_PER_S),
                                   .tv_nsec = (long)(end % FRD_NS_PER_S) };
    int rc = 0;

    while (rc == 0 && !done(w->node))
        rc = pthread_cond_timedwait(&w->quiet, &w->lock, &when);
}

static void discard(frd_wan *w)
{
    frd_wan_thread_stop(w);
    frd_wan_node_free(w->node);
    frd_wan_lane_close(w->lane);
    frd_wan_event_free(w);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    if (w->event_fd >= 0)
        close(w->event_fd);
    pthread_cond_destroy(&w->quiet);
    pthread_mutex_destroy(&w->lock);
    frd_free(w->left);
    frd_free(w->known);
    frd_free(w->lost);
    frd_free(w);
}

static void wan_close(frd_net *net)
{
    frd_wan *const w = (frd_wan *)net;

    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    (void)frd_wan_thread_sleeps(w);
    frd_wan_thread_wake(w);
    wait_until(w, frd_wan_flushed);
    frd_wan_goodbye(w->node, frd_now_ns());
    frd_wan_thread_wake(w);
    wait_until(w, frd_wan_parted);
    pthread_mutex_unlock(&w->lock);
    discard(w);
}

/* ---- open ---- */

static int check_size(const frd_net_env *env, frd_story *story)
{
    if (env->size > UINT16_MAX)
        return frd_fail(story, FEDRDMA_ERR_UNSUPPORTED, "the WAN transport carries %d ranks at most, not %d",
                        UINT16_MAX, env->size);
    return FEDRDMA_OK;
}

static int open_node(frd_wan *w, uint32_t carried, frd_story *story)
{
    const frd_conf *const conf = w->env.conf;
    const frd_net_policy *const policy = w->env.policy;
    const uint64_t file_rate = policy != NULL ? policy->rate : 0;
    const frd_wan_user user = frd_wan_event_user(w);
    const size_t most = frd_min_size(frd_min_size(carried, conf->wan_datagram_max), FRD_WAN_DATAGRAM_LARGEST);
    const frd_wan_params params = {
        .rank = w->env.rank,
        .size = w->env.size,
        .job = w->card.job,
        .epoch = w->card.epoch,
        .heartbeat_ns = conf->wan_heartbeat,
        .lost_ns = conf->wan_lost,
        .meet_ns = conf->connect_timeout,
        .early_bytes = conf->wan_early,
        .copy_most = conf->eager,
        .copy_bytes = conf->eager_credit,
        .start_bytes = frd_max_size(conf->wan_start, 8 * conf->wan_datagram),
        .inflight_most = frd_max_size(conf->wan_inflight, 16 * conf->wan_datagram),
        .rate =
            conf->wan_rate == 0 || (file_rate > 0 && file_rate < conf->wan_rate) ? file_rate : conf->wan_rate,
        .datagram_bytes = (uint32_t)conf->wan_datagram,
        .datagram_most = (uint32_t)frd_max_size(most, conf->wan_datagram),
        .relay = policy == NULL || policy->relay,
    };

    if (frd_wan_node_new(&params, &user, &w->node) != FEDRDMA_OK)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "WAN transport of %d ranks", w->env.size);
    return FEDRDMA_OK;
}

static int open_parts(frd_wan *w, frd_story *story)
{
    uint32_t carried;
    int rc = check_size(&w->env, story);

    if (rc != FEDRDMA_OK)
        return rc;
    if (w->left == NULL || w->lost == NULL || w->known == NULL || !frd_wan_event_init(w))
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "WAN transport of %d ranks", w->env.size);
    if (w->wake_fd < 0 || w->event_fd < 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "eventfd: %s", strerror(errno));
    if (getrandom(&w->card.epoch, sizeof(w->card.epoch), 0) != (ssize_t)sizeof(w->card.epoch))
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "getrandom: %s", strerror(errno));
    rc = frd_wan_lane_open(w->env.conf, w->env.policy != NULL ? w->env.policy->port : 0, story, &w->lane,
                           &w->card.place, &carried);
    if (rc != FEDRDMA_OK)
        return rc;
    if (w->env.policy != NULL && w->env.policy->port != 0 && strcmp(w->env.conf->wan_port, "0") == 0 &&
        w->env.policy->port != w->card.place.port)
        frd_logf(w->env.log, FEDRDMA_LOG_WARN,
                 "UDP port %u, which the topology file gives for this gateway, is in use; other silos must "
                 "reach port %u",
                 w->env.policy->port, w->card.place.port);
    rc = open_node(w, carried, story);
    return rc == FEDRDMA_OK ? frd_wan_thread_start(w, story) : rc;
}

static int wan_open(const frd_net_env *env, frd_story *story, frd_net **net, const void **card,
                    size_t *card_bytes)
{
    frd_wan *const w = frd_calloc(1, sizeof(*w));
    pthread_condattr_t monotonic;
    int rc;

    if (w == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "WAN transport");
    w->base.ops = &frd_net_wan;
    w->env = *env;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->left = frd_calloc((size_t)env->size, sizeof(*w->left));
    w->lost = frd_calloc((size_t)env->size, sizeof(*w->lost));
    w->known = frd_calloc((size_t)env->size, sizeof(*w->known));
    w->card.magic = FRD_WAN_CARD_MAGIC;
    w->card.rank = env->rank;
    w->card.job = frd_hash_text(FRD_HASH_START, env->conf->job);
    w->card.silo = frd_hash_text(FRD_HASH_START, env->conf->silo);
    rc = open_parts(w, story);
    if (rc != FEDRDMA_OK) {
        discard(w);
        return rc;
    }
    *net = &w->base;
    *card = &w->card;
    *card_bytes = sizeof(w->card);
    return FEDRDMA_OK;
}

/* Inside a silo ucx is better, where it may be used. */
static bool for_us(const frd_wan *w, const frd_wan_card *its, frd_story *story)
{
    if (its->magic != FRD_WAN_CARD_MAGIC || its->place.count > FRD_WAN_ADDRS) {
        (void)frd_fail(story, FEDRDMA_OK, "its card is of another version or byte order");
        return false;
    }
    if (its->silo == w->card.silo && strstr(w->env.conf->transports, "ucx") != NULL) {
        (void)frd_fail(story, FEDRDMA_OK, "it is in the same silo");
        return false;
    }
    if (its->place.family != w->card.place.family) {
        (void)frd_fail(story, FEDRDMA_OK, "its addresses are of another IP version (option wan_address)");
        return false;
    }
    return true;
}

static void add_spare(frd_wan *w, int to, int via, const frd_net_way *way)
{
    const frd_net_policy *const p = w->env.policy;

    if ((way->hops == 1 && way->via[0] == via) || !p->relays(p->arg, w->env.rank, to, via))
        return;
    (void)frd_wan_node_spare(w->node, to, &via, 1, frd_now_ns()); /* refused when there are enough */
}

/* Ways to a new rank through those that are known, and through it to them. */
static void add_spares(frd_wan *w, int rank, const frd_net_way *way)
{
    const frd_net_policy *const p = w->env.policy;
    frd_net_way its;

    for (int other = 0; p != NULL && other < w->env.size; other++) {
        if (!w->known[other] || other == rank)
            continue;
        p->way(p->arg, other, &its);
        add_spare(w, rank, other, way);
        add_spare(w, other, rank, &its);
    }
    w->known[rank] = true;
}

/* What the topology file says of it first: its own addresses may be those behind a NAT. */
static unsigned find_addresses(const frd_wan *w, const frd_wan_card *its, const frd_net_way *way,
                               frd_wan_addr *addr)
{
    frd_wan_addr shown[FRD_WAN_ADDRS];
    unsigned n = 0, more;

    for (size_t i = 0; i < way->naddresses && n < FRD_WAN_ADDRS; i++)
        n += frd_wan_lane_resolve(&its->place, way->addresses[i].host, way->addresses[i].port, addr + n,
                                  FRD_WAN_ADDRS - n);
    more = frd_wan_lane_addresses(&w->card.place, &its->place, shown);
    for (unsigned i = 0; i < more && n < FRD_WAN_ADDRS; i++)
        addr[n++] = shown[i];
    return n;
}

/* With the lock held. */
static int add_peer(frd_wan *w, int rank, const frd_wan_card *its, const frd_net_way *way,
                    const frd_wan_addr *addr, unsigned addrs)
{
    const int rc = frd_wan_node_peer(w->node, rank, its->epoch, addr, way->waits ? 0 : addrs);

    if (rc != FEDRDMA_OK)
        return rc;
    if (way->rate > 0)
        frd_wan_node_cap(w->node, rank, way->silo, way->rate);
    if (way->barred)
        frd_wan_node_bar(w->node, rank);
    if (way->hops > 0)
        (void)frd_wan_node_route(w->node, rank, way->via, way->hops, frd_now_ns());
    frd_wan_node_dial(w->node, rank, frd_now_ns());
    add_spares(w, rank, way);
    return FEDRDMA_OK;
}

static int wan_connect(frd_net *net, int rank, const void *card, size_t card_bytes, bool *reach,
                       frd_story *story)
{
    frd_wan *const w = (frd_wan *)net;
    frd_wan_addr addr[FRD_WAN_ADDRS];
    frd_net_way way = { .barred = false };
    frd_wan_card its;
    unsigned addrs;
    int rc;

    *reach = false;
    if (card_bytes != sizeof(its)) {
        (void)frd_fail(story, FEDRDMA_OK, "its card has another size");
        return FEDRDMA_OK;
    }
    memcpy(&its, card, sizeof(its));
    if (!for_us(w, &its, story))
        return FEDRDMA_OK;
    if (w->env.policy != NULL)
        w->env.policy->way(w->env.policy->arg, rank, &way);
    addrs = find_addresses(w, &its, &way, addr);
    pthread_mutex_lock(&w->lock);
    rc = add_peer(w, rank, &its, &way, addr, addrs);
    unlock_and_wake(w);
    if (rc != FEDRDMA_OK)
        return frd_fail(story, rc, "rank %d's WAN addresses", rank);
    *reach = true;
    return FEDRDMA_OK;
}

const frd_net_ops frd_net_wan = {
    .name = "wan",
    .relays = true,
    .open = wan_open,
    .connect = wan_connect,
    .send = wan_send,
    .accept = wan_accept,
    .refuse = wan_refuse,
    .cancel = wan_cancel,
    .progress = wan_progress,
    .flushed = wan_flushed,
    .look = wan_look,
    .fd = wan_fd,
    .arm = wan_arm,
    .disarm = wan_disarm,
    .close = wan_close,
};
