/* SPDX-License-Identifier: BSD-3-Clause
 * route.c - one way to a rank: is it up, and what must be said to know.
 *
 *     NEW --- our knock is answered ---> UP --- two probes unanswered ---> DEGRADED
 *                                        ^ ^------ an acknowledgement -------+  |  silent for DOWN_BEATS
 * heartbeats
 *                                        +-------- an acknowledgement ------- DOWN
 *
 * Only acknowledgements count, not what the peer sends: the route must work in both directions. In UP every
 * datagram is a heartbeat; where none comes for an interval, a PING goes. What was on its way on a route that
 * is not up goes on to the others, or waits for it when there is none. */
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "wan/core.h"

enum {
    PROBES_DEGRADED = 2,
    DOWN_HALF_BEATS = 5, /* 2.5 heartbeats: below the 3 in which a dead route must be left */
    IDLE_BEATS = 10      /* without messages, heartbeats are so much rarer */
};

/* What a route wants more of a queue for each relay: it sees the queues of several lines added up. With 0, where
 * all lines are full, it gets a tenth of its share; with 1, where only one is, the relay's own flow gets that
 * little. (In the model, 300 Mbit/s, 40 ms, three silos, a link that goes down in the middle of an allreduce of 128
 * MiB. Of what the lines allow it reaches then, and in a second call, 0.74 and 0.87 with 0; 0.82 and 0.92 with 0.5;
 * 0.86 and 0.92 with 1. A gather to one of the two: relayed and direct flow get 0.40 and 0.56 of its line with 0,
 * 0.60 and 0.36 with 0.5, 0.74 and 0.22 with 1.) */
#define RELAY_QUEUE 0.5
/* Bounds of favour(). The upper one is for who must catch up, as a route does that carries for another one since
 * just now (the same model: 0.77 and 0.89 with 1.6, 0.82 and 0.92 with 4). */
#define FAVOUR_LEAST 0.6
#define FAVOUR_MOST 4.0
#define IDLE_NS (5 * FRD_NS_PER_S)       /* without messages for so long a session is idle */
#define IDLE_MOST_NS (10 * FRD_NS_PER_S) /* NAT forgets a binding after 30 s */
#define KNOCK_NS (20 * FRD_NS_PER_MS)    /* first wait for an answer, then doubled */

frd_wan_route *frd_wan_route_new(frd_wan_session *session, const frd_wan_via *via, unsigned hops)
{
    const frd_wan_params *const params = &session->node->params;
    const frd_wan_rel_user user = {
        .acked = frd_wan_items_acked,
        .lost = frd_wan_items_lost,
        .forget = frd_wan_items_forget,
    };
    frd_wan_route *const route = frd_calloc(1, sizeof(*route));

    if (route == NULL)
        return NULL;
    route->session = session;
    route->hops = hops;
    route->via = *via;
    frd_wan_mtu_init(route);
    route->hello_wait_ns = KNOCK_NS;
    frd_wan_rel_init(&route->rel, &session->node->memory.packets, &user);
    route->rel.user.arg = route;
    frd_wan_pace_init(&route->pace, params->start_bytes, params->rate, params->inflight_most);
    route->pace.lines = 1 + RELAY_QUEUE * (double)hops;
    return route;
}

void frd_wan_route_free(frd_wan_route *route)
{
    if (route == NULL)
        return;
    frd_wan_rel_free(&route->rel);
    frd_free(route);
}

bool frd_wan_route_usable(const frd_wan_route *route)
{
    return route->state == FRD_WAN_ROUTE_UP;
}

uint64_t frd_wan_route_room(const frd_wan_route *route, uint64_t now_ns)
{
    bool full;

    return frd_wan_route_usable(route) ? frd_wan_pace_room(&route->pace, &route->path, now_ns, &full) : 0;
}

bool frd_wan_route_address(const frd_wan_route *route, frd_wan_addr *to)
{
    const frd_wan_session *const first =
        route->hops == 0 ? NULL : route->session->node->session[route->via.rank[0]];

    if (route->hops == 0)
        *to = route->addr;
    else if (first != NULL)
        *to = first->route[0]->addr.len > 0 ? first->route[0]->addr : first->addr[0];
    else
        to->len = 0;
    return to->len > 0;
}

/* ---- state ---- */

static bool others_up(const frd_wan_route *route)
{
    const frd_wan_session *const s = route->session;

    for (unsigned i = 0; i < s->routes; i++) {
        if (s->route[i] != route && frd_wan_route_usable(s->route[i]))
            return true;
    }
    return false;
}

static void give_up(frd_wan_route *route)
{
    route->session->node->counts.wan_rerouted_chunks += route->rel.inflight;
    frd_wan_rel_fail(&route->rel, &route->path);
}

static void leave_up(frd_wan_route *route, enum frd_wan_route_state state, uint64_t now_ns)
{
    frd_wan_session *const s = route->session;

    route->state = state;
    frd_wan_mtu_reset(route); /* the path may have changed: long datagrams, and only they, may not pass */
    if (state == FRD_WAN_ROUTE_DOWN) {
        s->node->counts.wan_routes_down++;
        route->ping_ns = now_ns;
    }
    if (state == FRD_WAN_ROUTE_DOWN || others_up(route))
        give_up(route);
    if (s->alone_ns == 0 && !frd_wan_session_up(s))
        s->alone_ns = now_ns;
    frd_wan_session_wake(s);
}

static void go_up(frd_wan_route *route, uint64_t now_ns)
{
    const uint64_t beat = route->session->node->params.heartbeat_ns;

    if (route->state == FRD_WAN_ROUTE_UP)
        return;
    route->state = FRD_WAN_ROUTE_UP;
    route->session->alone_ns = 0;
    route->session->met = true;
    route->ping_ns = now_ns + beat;
    route->rel.probes = 0;
    frd_wan_mtu_search(route, now_ns);
    frd_wan_session_wake(route->session);
}

void frd_wan_route_heard(frd_wan_route *route, uint64_t now_ns)
{
    route->heard_ns = now_ns;
    frd_wan_doubt_end(&route->session->doubt);
}

/* ---- what comes in ---- */

void frd_wan_route_hello(frd_wan_route *route, uint64_t now_ns, const frd_wan_hello *hello,
                         const frd_wan_addr *from)
{
    const frd_wan_params *const params = &route->session->node->params;
    const bool open = route->state != FRD_WAN_ROUTE_UP;

    if (hello->datagram_bytes >= FRD_WAN_DATAGRAM_MIN)
        route->datagram_most = (uint32_t)frd_min_size(hello->datagram_bytes, params->datagram_most);
    if (hello->answer == 0) {
        const uint16_t others = route->answer_hello ? route->answer.bytes : 0; /* of a group of knocks */

        route->answer = *hello;
        route->answer.answer = 1;
        route->answer.datagram_bytes = (uint16_t)params->datagram_most;
        route->answer.bytes = others > hello->bytes ? others : hello->bytes;
        route->answer.to = (uint16_t)route->session->rank;
        route->answer.epoch_from = hello->epoch_to;
        route->answer.epoch_to = hello->epoch_from;
        route->answer_hello = true;
        route->answer_to = *from;
        if (route->state == FRD_WAN_ROUTE_NEW) {
            route->addr = *from;
            route->hello_ns = now_ns;
            route->session->dialed = true;
        }
    } else if (hello->sent_ns <= now_ns && now_ns - hello->sent_ns < FRD_NS_PER_S * 60) {
        if (route->path.smooth_ns == 0)
            frd_wan_path_first(&route->path, now_ns - hello->sent_ns);
        frd_wan_mtu_shown(route, hello->bytes);
        if (open)
            route->addr = *from;
        if (route->state == FRD_WAN_ROUTE_NEW) {
            frd_wan_pace_ack(&route->pace, &route->path, now_ns, 0, NULL);
            go_up(route, now_ns);
        } else if (open) {
            route->ping = true;
        }
    }
    frd_wan_session_wake(route->session);
}

static uint64_t rate_of(const frd_wan_session *s)
{
    uint64_t rate = 0;

    for (unsigned i = 0; i < s->routes; i++)
        rate += frd_wan_route_usable(s->route[i]) ? frd_wan_path_rate(&s->route[i]->path) : 0;
    return rate;
}

/* All that we send leaves by one line: who has more left than its rate is worth may keep a longer queue
 * there, who has less a shorter one, so that all end together. Bounds: a peer may be slow for reasons of its
 * own. */
static double favour(const frd_wan_route *route)
{
    const frd_wan_node *const node = route->session->node;
    const double mine = (double)rate_of(route->session), left = (double)route->session->unsent_bytes;
    double all = 0, all_left = 0, share;

    for (unsigned i = 0; i < node->sessions; i++) {
        const frd_wan_session *const s = node->list[i];

        if (s->unsent_bytes > 0 && !s->lost) {
            all += (double)rate_of(s);
            all_left += (double)s->unsent_bytes;
        }
    }
    if (left <= 0 || all_left <= left || mine <= 0)
        return 1;
    share = left / all_left * all / mine;
    return share < FAVOUR_LEAST ? FAVOUR_LEAST : share > FAVOUR_MOST ? FAVOUR_MOST : share;
}

void frd_wan_route_ack(frd_wan_route *route, uint64_t now_ns, const frd_wan_frame *ack)
{
    const unsigned before = route->rel.count;
    const uint64_t spurious = route->rel.spurious;
    uint64_t acked;
    frd_wan_round round;
    bool over;

    if (!frd_wan_rel_ack(&route->rel, &route->path, now_ns, ack, &acked, &round, &over)) {
        route->session->node->counts.wan_malformed++;
        return;
    }
    route->session->node->counts.wan_spurious += route->rel.spurious - spurious;
    if (route->rel.count == before)
        return;
    route->pace.most_rate = frd_wan_line_rate(route);
    if (over)
        route->pace.favour = favour(route);
    if (acked > 0)
        frd_wan_pace_ack(&route->pace, &route->path, now_ns, acked, over ? &round : NULL);
    (void)frd_wan_rel_detect(&route->rel, &route->path, now_ns);
    if (route->state != FRD_WAN_ROUTE_NEW)
        go_up(route, now_ns);
    frd_wan_session_wake(route->session);
}

/* ---- time ---- */

static uint64_t down_ns(const frd_wan_route *route)
{
    const bool asked = route->rel.inflight > 0 && route->rel.asked_ns > 0;

    if (!asked || route->state == FRD_WAN_ROUTE_DOWN)
        return UINT64_MAX;
    return route->rel.asked_ns + route->session->node->params.heartbeat_ns / 2 * DOWN_HALF_BEATS;
}

static uint64_t probe_ns(const frd_wan_route *route)
{
    if (route->state == FRD_WAN_ROUTE_DOWN)
        return UINT64_MAX;
    return frd_wan_rel_probe_ns(&route->rel, &route->path);
}

/* Nothing has been acknowledged for too long: asks again, with the oldest of what is missing. */
static void probe(frd_wan_route *route, uint64_t now_ns)
{
    frd_wan_session *const s = route->session;
    frd_wan_packet *p;

    route->rel.probes++;
    route->rel.last_ns = now_ns;
    route->ping = true;
    route->bye = s->leaving; /* perhaps that is what was lost */
    if (route->rel.probes == PROBES_DEGRADED && route->state == FRD_WAN_ROUTE_UP) {
        leave_up(route, FRD_WAN_ROUTE_DEGRADED, now_ns);
        return;
    }
    TAILQ_FOREACH(p, &route->rel.sent, link)
    {
        if (!p->lost)
            break;
    }
    for (unsigned i = 0; p != NULL && i < p->items; i++) {
        frd_wan_item *const item = p->item[i];

        if (item->done || item->queued)
            continue;
        item->queued = true;
        STAILQ_INSERT_HEAD(item->type == FRD_WAN_CHUNK ? &s->again : &s->notes, item, link);
        route->push = true;
    }
}

static void beat(frd_wan_route *route, uint64_t now_ns)
{
    frd_wan_session *const s = route->session;
    const uint64_t every = s->node->params.heartbeat_ns;
    const bool idle = s->used_ns + IDLE_NS < now_ns;
    const uint64_t rare = every * IDLE_BEATS > IDLE_MOST_NS ? (every > IDLE_MOST_NS ? every : IDLE_MOST_NS)
                                                            : every * IDLE_BEATS;

    if (route->state == FRD_WAN_ROUTE_DOWN) {
        route->ping_ns = now_ns + every / 2;
        route->hello = route->hops == 0;
        s->node->counts.wan_heartbeats_lost++;
    } else {
        const uint64_t silent = now_ns - route->heard_ns, wait = idle ? rare : every;

        if (silent < wait) {
            route->ping_ns = route->heard_ns + wait;
            return;
        }
        route->ping_ns = now_ns + wait;
    }
    route->ping = true;
    s->node->counts.wan_heartbeats++;
}

void frd_wan_route_run(frd_wan_route *route, uint64_t now_ns)
{
    if (route->state == FRD_WAN_ROUTE_NEW)
        return;
    if (route->rel.loss_ns <= now_ns)
        (void)frd_wan_rel_detect(&route->rel, &route->path, now_ns);
    if (down_ns(route) <= now_ns)
        leave_up(route, FRD_WAN_ROUTE_DOWN, now_ns);
    if (probe_ns(route) <= now_ns)
        probe(route, now_ns);
    if (route->ping_ns <= now_ns)
        beat(route, now_ns);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t frd_wan_route_due(const frd_wan_route *route)
{
    uint64_t due;

    if (route->answer_hello || route->bye)
        return 0;
    if (route->state == FRD_WAN_ROUTE_NEW)
        return least(route->rel.ack_ns, route->session->dialed ? route->hello_ns : UINT64_MAX);
    if (route->ping || route->hello)
        return 0;
    due = least(route->rel.ack_ns, route->rel.loss_ns);
    due = least(due, least(probe_ns(route), down_ns(route)));
    due = least(due, route->state == FRD_WAN_ROUTE_UP ? route->mtu.due_ns : UINT64_MAX);
    return least(due, route->ping_ns);
}

/* ---- what goes out ---- */

size_t frd_wan_write_head(const frd_wan_route *route, unsigned char *at, unsigned kind, uint8_t flags,
                          uint64_t number)
{
    const frd_wan_head head = {
        .kind = (uint8_t)(FRD_WAN_VERSION << 4 | kind),
        .way = (uint8_t)(route->hops << 4 | flags),
        .from = (uint16_t)route->session->node->params.rank,
        .session = route->session->id,
        .number = (uint32_t)number,
    };

    frd_wan_hops list = { .to = (uint16_t)route->session->rank };

    memcpy(at, &head, sizeof(head));
    memcpy(list.rank, &route->via, sizeof(list.rank));
    if (route->hops > 0)
        memcpy(at + sizeof(head), &list, sizeof(list));
    return frd_wan_head_bytes(route->hops);
}

/* `all` bytes, padded up to there, or 0: as short as it is. */
static void write_hello(frd_wan_route *route, const frd_wan_hello *hello, size_t all, const frd_wan_addr *to,
                        frd_wan_batch *batch)
{
    static const frd_wan_seal open_seal = { .ops = &frd_wan_seal_crc };
    const size_t head = frd_wan_write_head(route, batch->data, FRD_WAN_HELLO, 0, 0),
                 least_bytes = head + sizeof(*hello) + open_seal.ops->tag_bytes;
    frd_wan_hello copy = *hello;

    all = all > least_bytes ? all : least_bytes;
    if (copy.answer == 0)
        copy.bytes = (uint16_t)all;
    memcpy(batch->data + head, &copy, sizeof(copy));
    memset(batch->data + head + sizeof(copy), 0, all - least_bytes);
    open_seal.ops->seal(&open_seal, 0, batch->data, head, all - head - open_seal.ops->tag_bytes);
    batch->to = *to;
    batch->bytes = batch->segment_bytes = all;
    batch->count = 1;
    route->session->node->counts.wan_datagrams_sent++;
}

/* The next address to knock at: where it was heard, or one after the other of those that it named. The knocks
 * of a group go to the same. */
static bool knock_at(frd_wan_route *route, frd_wan_addr *to)
{
    const frd_wan_session *const s = route->session;
    const unsigned k = route->knocked > 0 ? route->tries - 1 : route->tries++;

    if (route->hops > 0)
        return frd_wan_route_address(route, to);
    if (s->addrs == 0 || (route->addr.len > 0 && k % (s->addrs + 1) == 0))
        *to = route->addr;
    else
        *to = s->addr[k % s->addrs];
    return to->len > 0;
}

static bool knock(frd_wan_route *route, uint64_t now_ns, frd_wan_batch *batch)
{
    const frd_wan_session *const s = route->session;
    const frd_wan_params *const params = &s->node->params;
    const frd_wan_hello hello = {
        .magic = FRD_WAN_HELLO_MAGIC,
        .datagram_bytes = (uint16_t)params->datagram_most,
        .job = params->job,
        .epoch_from = params->epoch,
        .epoch_to = s->epoch,
        .to = (uint16_t)s->rank,
        .sent_ns = now_ns,
    };
    const uint32_t all = route->state != FRD_WAN_ROUTE_NEW
                             ? 0
                             : frd_wan_mtu_knock(route, route->knocked > 0 ? route->knocked : UINT32_MAX);
    frd_wan_addr to;

    route->hello = false;
    if (all > 0) { /* a shorter one follows at once */
        if (!knock_at(route, &to))
            return false; /* it must dial us */
        route->knocked = all;
        write_hello(route, &hello, all, &to, batch);
        return true;
    }
    route->hello_ns = now_ns + route->hello_wait_ns;
    if (route->tries >= s->addrs && route->hello_wait_ns < params->heartbeat_ns)
        route->hello_wait_ns *= 2;
    if (!knock_at(route, &to))
        return false;
    route->knocked = 0;
    write_hello(route, &hello, 0, &to, batch);
    return true;
}

bool frd_wan_route_signal(frd_wan_route *route, uint64_t now_ns, frd_wan_batch *batch)
{
    const bool is_new = route->state == FRD_WAN_ROUTE_NEW;
    frd_wan_addr to;

    if (route->answer_hello) {
        route->answer_hello = false;
        to = route->answer_to;
        if (route->hops == 0 || frd_wan_route_address(route, &to)) {
            write_hello(route, &route->answer, 0, &to, batch);
            return true;
        }
    }
    if (is_new ? route->session->dialed && route->hello_ns <= now_ns : route->hello) {
        if (knock(route, now_ns, batch))
            return true;
    }
    if (route->state == FRD_WAN_ROUTE_UP && route->mtu.due_ns <= now_ns &&
        frd_wan_mtu_write(route, now_ns, batch))
        return true;
    if (route->ping || route->bye || route->rel.ack_ns <= now_ns) {
        const bool push = route->push && route->state != FRD_WAN_ROUTE_DOWN;

        route->push = false;
        if (!frd_wan_route_address(route, &to)) {
            route->ping = route->bye = false;
            route->rel.ack_ns = UINT64_MAX;
            return false;
        }
        batch->bytes = batch->segment_bytes =
            frd_wan_session_write(route, now_ns, batch->data, batch->room, push);
        batch->count = 1;
        batch->to = to;
        if (batch->bytes == 0) {
            route->ping = route->bye = false;
            route->rel.ack_ns = UINT64_MAX;
        }
        return batch->bytes > 0;
    }
    return false;
}
