/* SPDX-License-Identifier: BSD-3-Clause
 * loop.c - ranks of one process (a thread each, with its own context) talk through queues: for tests.
 *
 * Each rank owns a port: a locked queue of packets and an eventfd. Its card is the process's identity and the
 * port's address, so nothing is global; a port lives until its owner and all who connected have let go of it.
 * Only packets cross between threads: a rank's buffers are touched by its own thread alone, and a
 * cancelled message is one whose id is not valid any more.
 *
 *     eager:       EAGER ---------------->             credit goes back with CREDIT when it was received
 *     rendezvous:  OFFER ---------------->
 *                        <---------------- PULL        receive posted (or REFUSE: not wanted)
 *                  DATA  ---------------->             (or GONE: cancelled meanwhile)
 *
 * With conf.loop_seed each call of progress delivers some of what is waiting in random order, so that
 * messages of a pair overtake each other in all ways that the interface allows. Only BYE stays behind what
 * its sender sent before. Not here: speed. Data is copied twice and every packet takes locks. */
#include "net/net.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_port.h"
#include "net/match.h"
#include "net/process.h"
#include "net/slots.h"

/* How often peers that left are looked at again, for a receive that they will never fulfil. */
#define LEFT_CHECK_NS (10 * FRD_NS_PER_MS)

typedef struct card {
    frd_process process;
    uint64_t address;
    int64_t rank;
} card;

typedef struct peer {
    frd_loop_port *port; /* NULL: not connected */
    size_t in_use;       /* credit: eager bytes that it has not received yet */
    size_t owed;         /* credit to give back to it */
    size_t waiting;      /* its packets in loop.pending */
    bool left, lost;
} peer;

typedef struct loop {
    frd_net net;
    const frd_net_env *env;
    frd_loop_port *port;
    card card;
    peer *peer;
    frd_slots sends, recvs;    /* offered; pulled */
    frd_loop_packet **pending; /* taken from the port, not yet delivered */
    size_t pendings, pending_room;
    uint64_t random; /* 0: in order */
    uint64_t left_check_ns;
    int left; /* peers that left and are not lost */
} loop;

/* Sends a packet about `id`, `into`; what goes to a closed port is forgotten. */
static int tell(loop *l, int to, frd_loop_packet head, const void *data, size_t data_bytes)
{
    frd_loop_packet *const p = frd_loop_packet_new(l->peer[to].port, data_bytes);

    if (p == NULL)
        return FEDRDMA_ERR_NOMEM;
    head.size_class = p->size_class;
    head.from = l->env->rank;
    *p = head;
    if (data_bytes > 0)
        memcpy(p->data, data, data_bytes);
    return frd_loop_port_push(l->peer[to].port, p) ? FEDRDMA_OK : FEDRDMA_ERR_RANK_LOST;
}

/* ---- messages ------------------------------------------------------------------------------------- */

enum { ID, SENDING }; /* of msg->word */

static void end(frd_slots *slots, frd_msg *msg, int rc)
{
    frd_slots_remove(slots, msg->word[ID]);
    msg->done(msg, rc);
}

static void lose(loop *l, int who, const char *why)
{
    frd_slots *const both[2] = { &l->sends, &l->recvs };

    if (l->peer[who].lost)
        return;
    l->peer[who].lost = true;
    l->left -= l->peer[who].left;
    for (int i = 0; i < 2; i++) {
        size_t from = 0;
        uint64_t id;

        for (frd_msg *msg; (msg = frd_slots_next(both[i], who, &from, &id)) != NULL;)
            end(both[i], msg, FEDRDMA_ERR_RANK_LOST);
    }
    l->env->peer_lost(l->env->arg, who, why);
}

/* A peer that left is lost only to those who still want something from it. */
static void check_left(loop *l, int who)
{
    size_t from = 0, from2 = 0;
    uint64_t id;

    if (frd_slots_next(&l->sends, who, &from, &id) != NULL ||
        frd_slots_next(&l->recvs, who, &from2, &id) != NULL || frd_match_expects(l->env->match, who))
        lose(l, who, "the rank left the job with messages outstanding");
}

static void taken(frd_net *net, int who, size_t len)
{
    ((loop *)net)->peer[who].owed += len;
}

static void loop_send(frd_net *net, frd_msg *msg)
{
    loop *const l = (loop *)net;
    peer *const to = &l->peer[msg->peer];
    const bool is_control = msg->tag.comm == FRD_TAG_CONTROL;
    const bool eager = is_control || (msg->len <= l->env->conf->eager &&
                                      to->in_use + msg->len <= l->env->conf->eager_credit);
    frd_loop_packet head = { .kind = eager ? EAGER : OFFER, .tag = msg->tag, .len = msg->len };
    int rc;

    assert(!is_control || msg->len <= FRD_CONTROL_MAX);
    if (!eager) {
        head.id = msg->word[ID] = frd_slots_add(&l->sends, msg);
        msg->word[SENDING] = true;
        if (head.id == 0) {
            msg->done(msg, FEDRDMA_ERR_NOMEM);
            return;
        }
    }
    rc = to->lost ? FEDRDMA_ERR_RANK_LOST : tell(l, msg->peer, head, msg->buf, eager ? msg->len : 0);
    if (rc == FEDRDMA_OK) {
        l->env->stat->loop_sent_messages++;
        l->env->stat->loop_sent_bytes += msg->len;
    }
    if (rc == FEDRDMA_ERR_RANK_LOST && !is_control) {
        const int who = msg->peer;

        if (eager)
            msg->done(msg, rc);
        lose(l, who, "the rank left the job before it was sent a message"); /* ends the offer */
    } else if (!eager && rc != FEDRDMA_OK) {
        end(&l->sends, msg, rc);
    } else if (eager) {
        if (rc == FEDRDMA_OK && !is_control)
            to->in_use += msg->len;
        msg->done(msg, rc);
    }
}

static void loop_accept(frd_net *net, frd_msg *msg, const frd_offer *offer)
{
    loop *const l = (loop *)net;
    frd_loop_packet head = { .kind = PULL, .id = offer->word[0] };
    int rc;

    msg->word[SENDING] = false;
    head.into = msg->word[ID] = frd_slots_add(&l->recvs, msg);
    if (head.into == 0) {
        msg->done(msg, FEDRDMA_ERR_NOMEM);
        return;
    }
    rc = l->peer[offer->peer].lost ? FEDRDMA_ERR_RANK_LOST : tell(l, offer->peer, head, NULL, 0);
    if (rc == FEDRDMA_ERR_RANK_LOST) {
        lose(l, offer->peer, "the rank left the job with messages outstanding");
        if (frd_slots_get(&l->recvs, head.into) == NULL)
            return;
    }
    if (rc != FEDRDMA_OK)
        end(&l->recvs, msg, rc);
}

static void loop_refuse(frd_net *net, const frd_offer *offer)
{
    (void)tell((loop *)net, offer->peer, (frd_loop_packet){ .kind = REFUSE, .id = offer->word[0] }, NULL, 0);
}

static void loop_cancel(frd_net *net, frd_msg *msg)
{
    loop *const l = (loop *)net;

    end(msg->word[SENDING] ? &l->sends : &l->recvs, msg, FEDRDMA_ERR_CANCELED);
}

/* ---- delivery ------------------------------------------------------------------------------------- */

static void on_eager(loop *l, const frd_loop_packet *p)
{
    bool consumed;

    l->env->stat->loop_received_bytes += p->len;
    if (p->tag.comm == FRD_TAG_CONTROL) {
        l->env->control(l->env->arg, p->from, &p->tag, p->data, p->len);
        return;
    }
    (void)frd_match_eager(l->env->match, &l->net, p->from, &p->tag, p->data, p->len, taken, &consumed);
    if (consumed)
        taken(&l->net, p->from, p->len);
}

static void on_offer(loop *l, const frd_loop_packet *p)
{
    const frd_offer offer = { .peer = p->from, .tag = p->tag, .len = p->len, .word = { p->id } };

    (void)frd_match_offer(l->env->match, &l->net, &offer);
}

static void on_pull(loop *l, const frd_loop_packet *p)
{
    frd_msg *const msg = frd_slots_get(&l->sends, p->id);
    frd_loop_packet head = { .kind = msg != NULL ? DATA : GONE, .into = p->into };
    int rc;

    head.len = msg != NULL ? msg->len : 0;
    rc = tell(l, p->from, head, msg != NULL ? msg->buf : NULL, head.len);
    if (msg != NULL)
        end(&l->sends, msg, rc);
}

static void on_refuse(loop *l, const frd_loop_packet *p)
{
    frd_msg *const msg = frd_slots_get(&l->sends, p->id);

    if (msg != NULL)
        end(&l->sends, msg, FEDRDMA_OK);
}

static void on_data(loop *l, const frd_loop_packet *p)
{
    frd_msg *const msg = frd_slots_get(&l->recvs, p->into);

    if (msg == NULL)
        return;
    if (p->kind == DATA && p->len > 0)
        memcpy(msg->buf, p->data, p->len);
    l->env->stat->loop_received_bytes += p->len;
    end(&l->recvs, msg, p->kind == DATA ? FEDRDMA_OK : FEDRDMA_ERR_CANCELED);
}

static void on_credit(loop *l, const frd_loop_packet *p)
{
    assert(l->peer[p->from].in_use >= p->len);
    l->peer[p->from].in_use -= p->len;
}

static void on_bye(loop *l, const frd_loop_packet *p)
{
    if (l->peer[p->from].lost)
        return;
    l->peer[p->from].left = true;
    l->left++;
    check_left(l, p->from);
}

static void (*const handler[])(loop *, const frd_loop_packet *) = {
    [EAGER] = on_eager, [OFFER] = on_offer, [PULL] = on_pull,     [REFUSE] = on_refuse,
    [DATA] = on_data,   [GONE] = on_data,   [CREDIT] = on_credit, [BYE] = on_bye,
};

/* Takes everything out of the port. */
static void fetch(loop *l)
{
    for (frd_loop_packet *p = frd_loop_port_take(l->port), *next; p != NULL; p = next) {
        next = p->next;
        if (l->pendings == l->pending_room) {
            const size_t room = l->pending_room == 0 ? 64 : 2 * l->pending_room;
            frd_loop_packet **const more = frd_realloc(l->pending, room * sizeof(*more));

            if (more == NULL) {
                l->env->stat->net_dropped++;
                frd_loop_packet_free(l->port, p);
                continue;
            }
            l->pending = more;
            l->pending_room = room;
        }
        l->pending[l->pendings++] = p;
        l->peer[p->from].waiting++;
    }
}

static size_t draw(loop *l, size_t below)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return (size_t)(l->random >> 11) % below;
}

static void deliver(loop *l, frd_loop_packet *p)
{
    l->peer[p->from].waiting--;
    handler[p->kind](l, p);
    frd_loop_packet_free(l->port, p);
}

static int deliver_in_order(loop *l)
{
    const size_t n = l->pendings;

    l->pendings = 0;
    for (size_t i = 0; i < n; i++)
        deliver(l, l->pending[i]);
    return (int)n;
}

static int deliver_at_random(loop *l)
{
    int n = 0;

    for (size_t draws = l->pendings == 0 ? 0 : 1 + draw(l, l->pendings); draws > 0; draws--) {
        const size_t i = draw(l, l->pendings);
        frd_loop_packet *const p = l->pending[i];

        if (p->kind == BYE && l->peer[p->from].waiting > 1)
            continue;
        l->pending[i] = l->pending[--l->pendings];
        deliver(l, p);
        n++;
    }
    return n;
}

/* Gives credit back and looks after peers that left. */
static void tidy(loop *l)
{
    const uint64_t now = l->left > 0 ? frd_now_ns() : 0;
    const bool look = l->left > 0 && now - l->left_check_ns >= LEFT_CHECK_NS;

    if (look)
        l->left_check_ns = now;
    for (int i = 0; i < l->env->size; i++) {
        peer *const p = &l->peer[i];

        if (p->owed > 0 &&
            tell(l, i, (frd_loop_packet){ .kind = CREDIT, .len = p->owed }, NULL, 0) != FEDRDMA_ERR_NOMEM)
            p->owed = 0;
        if (look && p->left && !p->lost)
            check_left(l, i);
    }
}

static int loop_progress(frd_net *net)
{
    loop *const l = (loop *)net;
    int events;

    fetch(l);
    events = l->random == 0 ? deliver_in_order(l) : deliver_at_random(l);
    tidy(l);
    return events;
}

/* ---- sleeping ------------------------------------------------------------------------------------- */

/* What was sent lies in the peer's port. */
static bool loop_flushed(frd_net *net)
{
    (void)net;
    return true;
}

static int loop_fd(frd_net *net)
{
    return ((loop *)net)->port->wake;
}

static bool loop_arm(frd_net *net)
{
    loop *const l = (loop *)net;

    return l->pendings == 0 && frd_loop_port_arm(l->port);
}

static void loop_disarm(frd_net *net)
{
    frd_loop_port_disarm(((loop *)net)->port);
}

/* ---- opening and closing -------------------------------------------------------------------------- */

static void loop_close(frd_net *net)
{
    loop *const l = (loop *)net;

    if (l == NULL)
        return;
    for (size_t i = 0; i < l->pendings; i++)
        frd_free(l->pending[i]);
    if (l->port != NULL)
        frd_loop_port_close(l->port);
    for (int i = 0; l->peer != NULL && i < l->env->size; i++) {
        if (l->peer[i].port == NULL)
            continue;
        (void)tell(l, i, (frd_loop_packet){ .kind = BYE }, NULL, 0);
        frd_loop_port_unref(l->peer[i].port);
    }
    if (l->port != NULL)
        frd_loop_port_unref(l->port);
    frd_slots_free(&l->sends);
    frd_slots_free(&l->recvs);
    frd_free(l->pending);
    frd_free(l->peer);
    frd_free(l);
}

static int loop_open(const frd_net_env *env, frd_story *story, frd_net **net, const void **out, size_t *bytes)
{
    loop *const l = frd_calloc(1, sizeof(*l));

    if (l == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "loop transport");
    l->net.ops = &frd_net_loop;
    l->env = env;
    l->peer = frd_calloc((size_t)env->size, sizeof(*l->peer));
    l->port = frd_loop_port_new();
    if (l->peer == NULL || l->port == NULL) {
        loop_close(&l->net);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "loop transport of %d ranks", env->size);
    }
    if (env->conf->loop_seed != 0) {
        l->random = (uint64_t)(unsigned)env->conf->loop_seed * UINT64_C(0x9e3779b97f4a7c15);
        l->random += (uint64_t)env->rank * UINT64_C(0xd6e8feb86659fd93);
        l->random |= 1; /* never 0 */
    }
    frd_process_self(&l->card.process);
    l->card.address = (uintptr_t)l->port;
    l->card.rank = env->rank;
    *out = &l->card;
    *bytes = sizeof(l->card);
    *net = &l->net;
    return FEDRDMA_OK;
}

static int loop_connect(frd_net *net, int who, const void *bytes, size_t card_bytes, bool *reach,
                        frd_story *story)
{
    loop *const l = (loop *)net;
    card theirs;

    *reach = false;
    if (card_bytes != sizeof(theirs)) {
        (void)frd_fail(story, FEDRDMA_OK, "its card has another size");
        return FEDRDMA_OK;
    }
    memcpy(&theirs, bytes, sizeof(theirs));
    if (!frd_process_same(&theirs.process, &l->card.process) || theirs.rank != who) {
        (void)frd_fail(story, FEDRDMA_OK, "it is another process");
        return FEDRDMA_OK;
    }
    l->peer[who].port = (frd_loop_port *)(uintptr_t)theirs.address;
    frd_loop_port_ref(l->peer[who].port);
    *reach = true;
    return FEDRDMA_OK;
}

const frd_net_ops frd_net_loop = {
    .name = "loop",
    .open = loop_open,
    .connect = loop_connect,
    .send = loop_send,
    .accept = loop_accept,
    .refuse = loop_refuse,
    .cancel = loop_cancel,
    .progress = loop_progress,
    .flushed = loop_flushed,
    .fd = loop_fd,
    .arm = loop_arm,
    .disarm = loop_disarm,
    .close = loop_close,
};
