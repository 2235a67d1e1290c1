/* SPDX-License-Identifier: BSD-3-Clause
 * shm.c - the transport between ranks of one node: opening, sleeping and waking, and noticing the dead.
 *
 * Nothing here blocks but shm_sleep. A sleeper sets `sleeping` in its segment and looks at every ring once more; who
 * publishes something looks at that flag and, if it can clear it, writes a byte to the sleeper's pipe, or wakes its
 * futex where it waits for nothing but this transport. Peers
 * that die are found through pidfds behind the same descriptor (epoll), and about every 10 ms while polling;
 * what a dead peer had published is received before it is reported. A peer that closed properly is only lost
 * to those who still want something from it.
 *
 * Not here: the messages (shm_send.c, shm_receive.c), the memory (shm_segment.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/shm_impl.h"

/* How often deaths are looked for, and the clock is read. */
#define CHECK_NS (10 * FRD_NS_PER_MS)
#define SLEEP_NS (100 * FRD_NS_PER_MS)
enum {
    CALLS_PER_CLOCK = 64,
    EVENTS_MAX = 16,       /* deaths found by one look; the others by the next */
    CHECKS_PER_ASKING = 10 /* reading /proc costs 10 us for each peer, where there are no pidfds */
};

void frd_shm_list_add(frd_shm_list *list, frd_msg *msg)
{
    msg->next = NULL;
    msg->prev = list->tail;
    if (list->tail != NULL)
        list->tail->next = msg;
    else
        list->head = msg;
    list->tail = msg;
}

void frd_shm_list_remove(frd_shm_list *list, frd_msg *msg)
{
    if (msg->prev != NULL)
        msg->prev->next = msg->next;
    else
        list->head = msg->next;
    if (msg->next != NULL)
        msg->next->prev = msg->prev;
    else
        list->tail = msg->prev;
    msg->next = msg->prev = NULL;
}

void frd_shm_notify(frd_shm_peer *peer)
{
    _Atomic uint32_t *const sleeping = &peer->segment.head->sleeping;

    /* Again, in the order that sleeping needs: see shm_ring.c. */
    atomic_store(&peer->out.shared->head, peer->out.own);
    if (atomic_load(sleeping) == FRD_SHM_AWAKE)
        return;
    switch (atomic_exchange(sleeping, FRD_SHM_AWAKE)) {
    case FRD_SHM_ON_PIPE:
        (void)!write(peer->wake_fd, "", 1); /* a full pipe wakes as well */
        break;
    case FRD_SHM_ON_FUTEX:
        (void)syscall(SYS_futex, sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
        break;
    default:
        break;
    }
}

/* ---- peers that are gone -------------------------------------------------------------------------- */

static void end_list(frd_shm_list *list)
{
    for (frd_msg *msg; (msg = list->head) != NULL;) {
        frd_shm_list_remove(list, msg);
        msg->done(msg, FEDRDMA_ERR_RANK_LOST);
    }
}

static void stop_watching(frd_shm_peer *peer)
{
    if (peer->pid_fd >= 0)
        close(peer->pid_fd); /* leaves the epoll set by that */
    peer->pid_fd = -1;
}

void frd_shm_lose(frd_shm *shm, frd_shm_peer *peer, const char *why)
{
    size_t from = 0, from_pull = 0;
    uint64_t id;

    if (peer->lost)
        return;
    peer->lost = true;
    stop_watching(peer);
    for (frd_shm_note *note; (note = peer->notes) != NULL;) {
        peer->notes = note->next;
        frd_pool_put(&shm->notes, note);
    }
    end_list(&peer->control);
    end_list(&peer->queue);
    for (frd_msg *msg; (msg = frd_slots_next(&shm->sends, peer->rank, &from, &id)) != NULL;)
        frd_shm_end_send(shm, msg, FEDRDMA_ERR_RANK_LOST);
    for (frd_msg *msg; (msg = frd_slots_next(&shm->pulls, peer->rank, &from_pull, &id)) != NULL;)
        frd_shm_end_receive(shm, msg, FEDRDMA_ERR_RANK_LOST);
    for (frd_msg *msg = shm->reads.head, *next; msg != NULL; msg = next) {
        next = msg->next;
        if (msg->peer == peer->rank)
            frd_shm_end_receive(shm, msg, FEDRDMA_ERR_RANK_LOST);
    }
    shm->env->peer_lost(shm->env->arg, peer->rank, why);
}

/* Does anything here still need this peer? */
static bool needed(const frd_shm *shm, const frd_shm_peer *peer)
{
    size_t from = 0, from_pull = 0;
    uint64_t id;

    if (frd_shm_flush_wanted(peer) || frd_match_expects(shm->env->match, peer->rank) ||
        frd_slots_next(&shm->sends, peer->rank, &from, &id) != NULL ||
        frd_slots_next(&shm->pulls, peer->rank, &from_pull, &id) != NULL)
        return true;
    for (const frd_msg *msg = shm->reads.head; msg != NULL; msg = msg->next) {
        if (msg->peer == peer->rank)
            return true;
    }
    for (const frd_team *team = shm->teams; team != NULL; team = team->next) {
        for (int i = 0; team->running != NULL && i < team->size; i++) {
            if (team->world[i] == peer->rank)
                return true;
        }
    }
    return false;
}

/* The peer's last records were written before it closed or died: they are read before anybody is told. */
static void bury(frd_shm *shm, frd_shm_peer *peer, bool closed)
{
    char why[64];

    while (frd_shm_receive(shm, peer) > 0)
        ;
    if (!closed) {
        snprintf(why, sizeof(why), "process %lld died", (long long)peer->pid);
        frd_shm_lose(shm, peer, why);
    } else {
        peer->left = true;
        stop_watching(peer);
        if (needed(shm, peer))
            frd_shm_lose(shm, peer, "the rank left the job with messages outstanding");
    }
}

/* Without pidfds. */
static bool is_dead(const frd_shm *shm, const frd_shm_peer *peer)
{
    return peer->pid_fd < 0 && !peer->left && peer->pid != shm->card.process.pid &&
           !frd_process_alive(peer->pid, peer->start_ticks);
}

static void check_peers(frd_shm *shm)
{
    struct epoll_event event[EVENTS_MAX];
    const int events = epoll_wait(shm->epoll_fd, event, EVENTS_MAX, 0);
    const bool ask = shm->checks++ % CHECKS_PER_ASKING == 0;

    for (size_t i = 0; i < shm->peers; i++) {
        frd_shm_peer *const peer = shm->peer[i];

        if (!peer->lost && atomic_load_explicit(&peer->segment.head->closed, memory_order_acquire) != 0)
            bury(shm, peer, true);
        else if (!peer->lost && ask && is_dead(shm, peer))
            bury(shm, peer, false);
    }
    for (int i = 0; i < events; i++) {
        frd_shm_peer *const peer = event[i].data.ptr; /* NULL: the pipe */

        if (peer != NULL && !peer->lost && !peer->left)
            bury(shm, peer, false);
    }
}

/* ---- progress and sleep --------------------------------------------------------------------------- */

static int shm_progress(frd_net *net)
{
    frd_shm *const shm = (frd_shm *)net;
    int n = 0;

    for (size_t i = 0; i < shm->peers; i++) {
        frd_shm_peer *const peer = shm->peer[i];

        n += frd_shm_receive(shm, peer);
        if (frd_shm_flush_wanted(peer))
            n += frd_shm_flush(shm, peer);
    }
    n += frd_shm_read(shm);
    if (++shm->calls >= CALLS_PER_CLOCK) {
        const uint64_t now = frd_now_ns();

        shm->calls = 0;
        if (now - shm->checked_ns >= CHECK_NS) {
            shm->checked_ns = now;
            check_peers(shm);
        }
    }
    return n;
}

/* Messages are in the ring when they end; notes, that free the peer's buffers, may wait for room in it. */
static bool shm_flushed(frd_net *net)
{
    const frd_shm *const shm = (const frd_shm *)net;

    for (size_t i = 0; i < shm->peers; i++) {
        const frd_shm_peer *const peer = shm->peer[i];

        if (!peer->lost && !peer->left && peer->notes != NULL)
            return false;
    }
    return true;
}

static int shm_fd(frd_net *net)
{
    return ((frd_shm *)net)->epoll_fd;
}

/* Could a flush move something on? What only waits for the word of an offer is woken by the offer's end. */
static bool could_flush(const frd_shm *shm, frd_shm_peer *peer)
{
    const bool only_words = peer->notes == NULL && peer->control.head == NULL && peer->streams.head == NULL &&
                            shm->offers == FRD_SHM_OFFERS;

    atomic_store(&peer->out.shared->waiting, 1);
    return !only_words && frd_shm_ring_has_room(&peer->out);
}

/* Who posts to a team looks at its number of sleepers without a fence, which would cost every call some 20 ns; so
 * the sleeper, before it looks whether there is a post, makes all cores pass one. */
static bool arm_teams(frd_shm *shm)
{
    bool work = false;

    for (frd_team *team = shm->teams; team != NULL; team = team->next) {
        if (team->running == NULL)
            continue;
        team->armed = true;
        atomic_fetch_add(&team->head->sleepers, 1);
    }
    if (shm->teams != NULL && shm->can_fence_others)
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
    for (frd_team *team = shm->teams; team != NULL; team = team->next)
        work = work || (team->armed && frd_team_ready(team));
    return work;
}

static void disarm_teams(frd_shm *shm)
{
    for (frd_team *team = shm->teams; team != NULL; team = team->next) {
        if (team->armed)
            atomic_fetch_sub(&team->head->sleepers, 1);
        team->armed = false;
    }
}

static bool shm_arm(frd_net *net)
{
    frd_shm *const shm = (frd_shm *)net;
    bool work = shm->reads.head != NULL;

    atomic_store(&shm->segment.head->sleeping, FRD_SHM_ON_PIPE);
    work = arm_teams(shm) || work;
    for (size_t i = 0; i < shm->peers && !work; i++) {
        frd_shm_peer *const peer = shm->peer[i];

        work = !peer->lost &&
               (frd_shm_ring_has_data(&peer->in) || (frd_shm_flush_wanted(peer) && could_flush(shm, peer)));
    }
    return !work;
}

/* A death does not wake who sleeps here, so it looks for itself every SLEEP_NS. */
static void shm_sleep(frd_net *net, uint64_t most_ns)
{
    _Atomic uint32_t *const sleeping = &((frd_shm *)net)->segment.head->sleeping;
    const uint64_t ns = most_ns < SLEEP_NS ? most_ns : SLEEP_NS;
    const struct timespec timeout = { 0, (long)ns };
    uint32_t armed = FRD_SHM_ON_PIPE;

    if (atomic_compare_exchange_strong(sleeping, &armed, FRD_SHM_ON_FUTEX))
        (void)syscall(SYS_futex, sleeping, FUTEX_WAIT, FRD_SHM_ON_FUTEX, &timeout, NULL, 0);
}

static void shm_disarm(frd_net *net)
{
    frd_shm *const shm = (frd_shm *)net;
    char bytes[64];

    atomic_store(&shm->segment.head->sleeping, FRD_SHM_AWAKE);
    disarm_teams(shm);
    for (size_t i = 0; i < shm->peers; i++)
        atomic_store_explicit(&shm->peer[i]->out.shared->waiting, 0, memory_order_relaxed);
    while (read(shm->fd[1], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        ;
    shm->calls = CALLS_PER_CLOCK; /* what woke us may have been a death */
    shm->checked_ns = 0;
}

static void shm_cancel(frd_net *net, frd_msg *msg)
{
    frd_shm *const shm = (frd_shm *)net;
    frd_shm_peer *const peer = shm->by_rank[msg->peer];

    if (msg->word[FRD_SHM_STATE] == FRD_SHM_READING || msg->word[FRD_SHM_STATE] == FRD_SHM_PULLED)
        frd_shm_cancel_receive(shm, peer, msg);
    else
        frd_shm_cancel_send(shm, peer, msg);
}

/* ---- opening and closing -------------------------------------------------------------------------- */

static void peer_free(frd_shm_peer *peer)
{
    if (peer->pid_fd >= 0)
        close(peer->pid_fd);
    if (peer->wake_fd >= 0)
        close(peer->wake_fd);
    frd_shm_segment_unmap(&peer->segment);
    frd_free(peer);
}

/* Nobody may read our memory any more, and everybody may know that we are gone. */
static void say_goodbye(frd_shm *shm)
{
    for (size_t i = 0; i < shm->sends.room && i < FRD_SHM_OFFERS; i++)
        (void)atomic_fetch_or(&shm->segment.head->offer[i], FRD_SHM_OFFER_CANCELED);
    atomic_store(&shm->segment.head->closed, 1);
    for (size_t i = 0; i < shm->peers; i++)
        frd_shm_notify(shm->peer[i]);
}

static void shm_close(frd_net *net)
{
    frd_shm *const shm = (frd_shm *)net;

    if (shm == NULL)
        return;
    for (frd_team *team = shm->teams, *next; team != NULL; team = next) {
        next = team->next;
        team->shm = NULL;
    }
    if (shm->segment.head != NULL) {
        frd_shm_heap_close(shm);
        say_goodbye(shm);
    }
    for (size_t i = 0; i < shm->peers; i++)
        peer_free(shm->peer[i]);
    frd_shm_segment_unmap(&shm->segment);
    for (int i = 0; i < 3; i++) {
        if (shm->fd[i] >= 0)
            close(shm->fd[i]);
    }
    if (shm->epoll_fd >= 0)
        close(shm->epoll_fd);
    frd_slots_free(&shm->sends);
    frd_slots_free(&shm->pulls);
    frd_pool_free(&shm->notes);
    frd_free(shm->by_rank);
    frd_free(shm->peer);
    frd_free(shm);
}

static int shm_open_net(const frd_net_env *env, frd_story *story, frd_net **net, const void **card,
                        size_t *bytes)
{
    frd_shm *const shm = frd_calloc(1, sizeof(*shm));
    struct epoll_event event = { .events = EPOLLIN };
    int rc;

    if (shm == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "shared-memory transport");
    shm->net.ops = &frd_net_shm;
    shm->env = env;
    frd_pool_init(&shm->notes, sizeof(frd_shm_note));
    shm->can_fence_others = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
    shm->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rc = frd_shm_segment_create(env->conf, env->rank, env->size, &shm->card, &shm->segment, shm->fd, story);
    if (rc != FEDRDMA_OK)
        goto fail;
    shm->card.key_address = (uintptr_t)shm->card.key;
    shm->by_rank = frd_calloc((size_t)env->size, sizeof(frd_shm_peer *));
    shm->peer = frd_calloc((size_t)env->size, sizeof(frd_shm_peer *));
    if (shm->by_rank == NULL || shm->peer == NULL) {
        rc = frd_fail(story, FEDRDMA_ERR_NOMEM, "shared-memory transport of %d ranks", env->size);
        goto fail;
    }
    if (shm->epoll_fd < 0 || epoll_ctl(shm->epoll_fd, EPOLL_CTL_ADD, shm->fd[1], &event) != 0) {
        rc = frd_fail(story, FEDRDMA_ERR_SYSTEM, "no epoll descriptor: %s", strerror(errno));
        goto fail;
    }
    *card = &shm->card;
    *bytes = sizeof(shm->card);
    *net = &shm->net;
    return FEDRDMA_OK;
fail:
    shm_close(&shm->net);
    return rc;
}

/* Does process_vm_readv work on the peer? Its key is the proof. */
static bool can_read(const frd_shm_card *card)
{
    uint64_t key[2] = { 0, 0 };
    struct iovec local = { key, sizeof(key) };
    struct iovec remote = { (void *)(uintptr_t)card->key_address, sizeof(key) };

    return process_vm_readv((pid_t)card->process.pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(key) &&
           memcmp(key, card->key, sizeof(key)) == 0;
}

/* Watches for the end of the peer's process; false when it has ended already. */
static bool watch(frd_shm *shm, frd_shm_peer *peer)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

    if (peer->pid == shm->card.process.pid)
        return true;
    peer->pid_fd = frd_process_watch(peer->pid);
    if (peer->pid_fd >= 0 && epoll_ctl(shm->epoll_fd, EPOLL_CTL_ADD, peer->pid_fd, &event) != 0)
        stop_watching(peer); /* /proc is asked instead */
    return frd_process_start(peer->pid) == peer->start_ticks;
}

static int shm_connect(frd_net *net, int rank, const void *bytes, size_t card_bytes, bool *reach,
                       frd_story *story)
{
    frd_shm *const shm = (frd_shm *)net;
    const char *why = NULL;
    frd_shm_peer *peer;
    frd_shm_card card;

    *reach = false;
    if (card_bytes != sizeof(card)) {
        (void)frd_fail(story, FEDRDMA_OK, "its card has another size");
        return FEDRDMA_OK;
    }
    memcpy(&card, bytes, sizeof(card));
    peer = frd_calloc(1, sizeof(*peer));
    if (peer == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "peer");
    peer->rank = rank;
    peer->pid = card.process.pid;
    peer->start_ticks = card.process.start_ticks;
    peer->wake_fd = peer->pid_fd = -1;
    if (card.rank != rank || card.ranks != shm->env->size)
        why = "its card is another rank's";
    if (why == NULL)
        why = frd_shm_segment_open(&shm->card, &card, &peer->segment, &peer->wake_fd);
    if (why == NULL && !watch(shm, peer))
        why = "its process has ended";
    if (why != NULL) {
        (void)frd_fail(story, FEDRDMA_OK, "%s", why);
        peer_free(peer);
        return FEDRDMA_OK;
    }
    peer->direct = shm->env->conf->shm_direct && can_read(&card);
    peer->out = frd_shm_segment_ring(&peer->segment, shm->env->rank);
    peer->in = frd_shm_segment_ring(&shm->segment, rank);
    shm->by_rank[rank] = shm->peer[shm->peers++] = peer;
    *reach = true;
    return FEDRDMA_OK;
}

static void *shm_mem_new(frd_net *net, size_t bytes)
{
    return frd_shm_heap_new((frd_shm *)net, bytes);
}

static bool shm_mem_free(frd_net *net, void *memory)
{
    return frd_shm_heap_free((frd_shm *)net, memory);
}

const frd_net_ops frd_net_shm = {
    .name = "shm",
    .open = shm_open_net,
    .connect = shm_connect,
    .send = frd_shm_send,
    .accept = frd_shm_accept,
    .refuse = frd_shm_refuse,
    .cancel = shm_cancel,
    .progress = shm_progress,
    .flushed = shm_flushed,
    .fd = shm_fd,
    .arm = shm_arm,
    .disarm = shm_disarm,
    .sleep = shm_sleep,
    .mem_new = shm_mem_new,
    .mem_free = shm_mem_free,
    .close = shm_close,
};
