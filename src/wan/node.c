/* SPDX-License-Identifier: BSD-3-Clause
 * node.c - all sessions of a rank: which one a datagram belongs to, and who sends next. */
#include "base/clock.h"

#include <string.h>

#include "wan/core.h"

/* How long who leaves waits for what was said to arrive: lost several times, on the slowest route that is up.
 */
#define LINGER_NS (200 * FRD_NS_PER_MS)
#define LINGER_MOST_NS (3 * FRD_NS_PER_S)
enum { LINGER_TRIPS = 8 };

int frd_wan_node_new(const frd_wan_params *params, const frd_wan_user *user, frd_wan_node **node)
{
    frd_wan_node *const n = frd_calloc(1, sizeof(*n));

    if (n == NULL)
        return FEDRDMA_ERR_NOMEM;
    n->params = *params;
    n->user = *user;
    frd_wan_memory_init(&n->memory);
    n->session = frd_calloc((size_t)params->size, sizeof(*n->session));
    n->list = frd_calloc((size_t)params->size, sizeof(*n->list));
    if (n->session == NULL || n->list == NULL || frd_wan_lines_new(n) != FEDRDMA_OK) {
        frd_wan_node_free(n);
        return FEDRDMA_ERR_NOMEM;
    }
    *node = n;
    return FEDRDMA_OK;
}

void frd_wan_node_free(frd_wan_node *node)
{
    if (node == NULL)
        return;
    for (unsigned i = 0; i < node->sessions; i++)
        frd_wan_session_free(node->list[i]);
    frd_free(node->session);
    frd_free(node->list);
    frd_free(node->line);
    frd_wan_memory_free(&node->memory);
    frd_free(node);
}

const frd_wan_counts *frd_wan_node_counts(const frd_wan_node *node)
{
    return &node->counts;
}

int frd_wan_node_peer(frd_wan_node *node, int rank, uint64_t epoch, const frd_wan_addr *addr, unsigned addrs)
{
    frd_wan_session *const s = frd_wan_session_new(node, rank, epoch);

    if (s == NULL)
        return FEDRDMA_ERR_NOMEM;
    frd_wan_memory_reserve(&node->memory, node->params.early_bytes, node->params.datagram_bytes,
                           node->params.datagram_most + (uint32_t)sizeof(frd_wan_stash));
    s->addrs = addrs < FRD_WAN_ADDRS ? addrs : FRD_WAN_ADDRS;
    memcpy(s->addr, addr, s->addrs * sizeof(*addr));
    node->session[rank] = s;
    node->list[node->sessions++] = s;
    return FEDRDMA_OK;
}

void frd_wan_node_bar(frd_wan_node *node, int rank)
{
    node->session[rank]->barred = true;
    node->session[rank]->addrs = 0;
}

static int add_route(frd_wan_node *node, int rank, const int *via, unsigned hops, uint64_t now_ns, bool spare)
{
    frd_wan_via list = { .rank = { 0xffff, 0xffff, 0xffff, 0xffff } };
    frd_wan_route *route;

    if (hops == 0 || hops > FRD_WAN_HOPS || node->session[rank] == NULL)
        return FEDRDMA_ERR_INVALID;
    for (unsigned i = 0; i < hops; i++) {
        if (via[i] < 0 || via[i] >= node->params.size || via[i] == rank || via[i] == node->params.rank)
            return FEDRDMA_ERR_INVALID;
        list.rank[i] = (uint16_t)via[i];
    }
    route = frd_wan_session_route(node->session[rank], &list, hops, true);
    if (route == NULL)
        return FEDRDMA_ERR_INVALID;
    route->spare = spare;
    route->hello_ns = now_ns;
    frd_wan_session_wake(node->session[rank]);
    return FEDRDMA_OK;
}

int frd_wan_node_route(frd_wan_node *node, int rank, const int *via, unsigned hops, uint64_t now_ns)
{
    return add_route(node, rank, via, hops, now_ns, false);
}

int frd_wan_node_spare(frd_wan_node *node, int rank, const int *via, unsigned hops, uint64_t now_ns)
{
    return add_route(node, rank, via, hops, now_ns, true);
}

void frd_wan_node_dial(frd_wan_node *node, int rank, uint64_t now_ns)
{
    frd_wan_session *const s = node->session[rank];

    s->dialed = true;
    s->used_ns = now_ns;
    frd_wan_session_wake(s);
}

bool frd_wan_flushed(const frd_wan_node *node)
{
    for (unsigned i = 0; i < node->sessions; i++) {
        const frd_wan_session *const s = node->list[i];

        if (!s->lost && !s->left && (s->copies > 0 || s->notes_left > 0))
            return false;
    }
    return true;
}

void frd_wan_goodbye(frd_wan_node *node, uint64_t now_ns)
{
    (void)now_ns;
    for (unsigned i = 0; i < node->sessions; i++) {
        frd_wan_session *const s = node->list[i];

        s->leaving = true;
        for (unsigned k = 0; k < s->routes && !s->lost && !s->left; k++)
            s->route[k]->bye = s->route[k]->state != FRD_WAN_ROUTE_NEW;
        frd_wan_session_wake(s);
    }
}

static bool may_arrive(const frd_wan_route *route)
{
    return route->state == FRD_WAN_ROUTE_UP || route->state == FRD_WAN_ROUTE_DEGRADED;
}

uint64_t frd_wan_linger_ns(const frd_wan_node *node)
{
    uint64_t longest = 0;

    for (unsigned i = 0; i < node->sessions; i++) {
        const frd_wan_session *const s = node->list[i];

        for (unsigned k = 0; k < s->routes && !s->lost && !s->left; k++) {
            const frd_wan_path *const path = &s->route[k]->path;

            if (may_arrive(s->route[k]) && path->smooth_ns + 4 * path->var_ns > longest)
                longest = path->smooth_ns + 4 * path->var_ns;
        }
    }
    longest = LINGER_NS + LINGER_TRIPS * longest;
    return longest < LINGER_MOST_NS ? longest : LINGER_MOST_NS;
}

bool frd_wan_parted(const frd_wan_node *node)
{
    for (unsigned i = 0; i < node->sessions; i++) {
        const frd_wan_session *const s = node->list[i];

        for (unsigned k = 0; k < s->routes && !s->lost && !s->left; k++) {
            if (s->route[k]->bye || (may_arrive(s->route[k]) && s->route[k]->rel.inflight > 0))
                return false;
        }
    }
    return true;
}

void frd_wan_lose(frd_wan_node *node, int peer, const char *why)
{
    frd_wan_session_lose(node->session[peer], why);
}

/* ---- in ---- */

static void answer_refusal(frd_wan_node *node, const frd_wan_addr *from, const frd_wan_parsed *parsed,
                           const frd_wan_hello *hello, enum frd_wan_refusal why)
{
    static const frd_wan_seal open_seal = { .ops = &frd_wan_seal_crc };
    unsigned char datagram[sizeof(frd_wan_head) + sizeof(frd_wan_hello) + FRD_WAN_TAG_MAX];
    const frd_wan_head head = { .kind = FRD_WAN_VERSION << 4 | FRD_WAN_HELLO,
                                .from = hello->to,
                                .session = parsed->head.session };
    frd_wan_hello answer = *hello;

    answer.answer = 2;
    answer.why = (uint8_t)why;
    answer.to = parsed->head.from;
    answer.epoch_from = node->params.epoch;
    answer.epoch_to = hello->epoch_from;
    memcpy(datagram, &head, sizeof(head));
    memcpy(datagram + sizeof(head), &answer, sizeof(answer));
    open_seal.ops->seal(&open_seal, 0, datagram, sizeof(head), sizeof(answer));
    (void)frd_wan_line_answer(node, from, datagram, sizeof(head) + sizeof(answer) + open_seal.ops->tag_bytes);
}

/* The way back. Added where it is not known: only for datagrams that were sealed. */
static frd_wan_route *route_of(frd_wan_session *s, const frd_wan_parsed *parsed, bool may_add)
{
    frd_wan_via back = { .rank = { 0xffff, 0xffff, 0xffff, 0xffff } };

    for (unsigned i = 0; i < parsed->hops; i++) {
        back.rank[i] = parsed->via.rank[parsed->hops - 1 - i];
        if (back.rank[i] >= s->node->params.size)
            return NULL;
    }
    return frd_wan_session_route(s, &back, parsed->hops, may_add);
}

static void take_hello(frd_wan_node *node, uint64_t now_ns, const frd_wan_addr *from, frd_wan_parsed *parsed,
                       unsigned char *datagram)
{
    static const frd_wan_seal open_seal = { .ops = &frd_wan_seal_crc };
    static const char *const why[] = { "it refused us", "it belongs to another job (option job)",
                                       "another process answers at its address: it was started again",
                                       "another rank answers at its address",
                                       "it has given us up: no route to us worked for too long (its wan_lost)" };
    frd_wan_session *const s =
        parsed->head.from < node->params.size ? node->session[parsed->head.from] : NULL;
    const size_t tag = open_seal.ops->tag_bytes, head = (size_t)(parsed->body - datagram);
    frd_wan_hello hello;
    frd_wan_route *route;
    bool up;

    if (parsed->body_bytes < sizeof(hello) + tag ||
        !open_seal.ops->open(&open_seal, 0, datagram, head, parsed->body_bytes - tag)) {
        node->counts.wan_corrupt++;
        return;
    }
    memcpy(&hello, parsed->body, sizeof(hello));
    if (s != NULL && s->barred && parsed->hops == 0) {
        node->counts.wan_malformed++;
        return;
    }
    if (hello.magic != FRD_WAN_HELLO_MAGIC || hello.answer > 2 || hello.zero != 0 ||
        (parsed->hops > 0 && parsed->to != hello.to) ||
        (hello.answer == 0 ? hello.bytes != head + parsed->body_bytes
                           : parsed->body_bytes != sizeof(hello) + tag)) {
        node->counts.wan_malformed++;
        return;
    }
    if (hello.answer == 2) {
        up = s == NULL || s->lost || frd_wan_session_up(s) || hello.epoch_to != node->params.epoch;
        if (!up)
            frd_wan_session_lose(s, why[hello.why <= FRD_WAN_GIVEN_UP ? hello.why : 0]);
        return;
    }
    if (s == NULL && hello.to == node->params.rank && hello.job == node->params.job &&
        hello.epoch_to == node->params.epoch)
        return; /* we have not been told of it yet: it will knock again */
    if (hello.to != node->params.rank || s == NULL || hello.job != node->params.job ||
        hello.epoch_to != node->params.epoch || hello.epoch_from != s->epoch) {
        node->counts.wan_malformed++;
        if (hello.answer == 0 && parsed->hops == 0)
            answer_refusal(node, from, parsed, &hello,
                           hello.job != node->params.job   ? FRD_WAN_OTHER_JOB
                           : hello.to != node->params.rank ? FRD_WAN_OTHER_RANK
                                                           : FRD_WAN_OTHER_PROCESS);
        return;
    }
    if (s->lost) {
        if (hello.answer == 0 && parsed->hops == 0)
            answer_refusal(node, from, parsed, &hello, FRD_WAN_GIVEN_UP);
        return;
    }
    route = route_of(s, parsed, true);
    if (route != NULL)
        frd_wan_route_hello(route, now_ns, &hello, from);
}

static void take_data(frd_wan_node *node, uint64_t now_ns, const frd_wan_addr *from, frd_wan_parsed *parsed,
                      unsigned char *datagram)
{
    frd_wan_session *const s =
        parsed->head.from < node->params.size ? node->session[parsed->head.from] : NULL;
    const size_t head = (size_t)(parsed->body - datagram);
    frd_wan_route *route;
    uint64_t number;
    bool latest;
    size_t bytes;
    int rc;

    if (s == NULL || s->lost || parsed->head.session != s->id || (s->barred && parsed->hops == 0) ||
        parsed->body_bytes < s->seal.ops->tag_bytes) {
        node->counts.wan_malformed++;
        return;
    }
    bytes = parsed->body_bytes - s->seal.ops->tag_bytes;
    route = route_of(s, parsed, false);
    number = frd_wan_widen(parsed->head.number, route == NULL ? 0 : route->rel.got_largest);
    if (!s->seal.ops->open(&s->seal, number, datagram, head, bytes)) {
        node->counts.wan_corrupt++;
        return;
    }
    route = route != NULL ? route : route_of(s, parsed, true);
    if (route == NULL) {
        node->counts.wan_no_room++;
        return;
    }
    if (!frd_wan_rel_fresh(&route->rel, number)) {
        node->counts.wan_duplicates++;
        if (route->rel.ack_ns > now_ns) /* our acknowledgements may not get through */
            route->rel.ack_ns = now_ns;
        frd_wan_session_wake(s);
        return;
    }
    latest = route->rel.got_count == 0 || number > route->rel.got_largest;
    rc = frd_wan_session_frames(route, now_ns, parsed->body, parsed->body + bytes);
    if (rc < 0) {
        node->counts.wan_no_room += rc == FEDRDMA_ERR_NOMEM;
        node->counts.wan_malformed += rc != FEDRDMA_ERR_NOMEM;
        return;
    }
    node->counts.wan_datagrams_received++;
    frd_wan_route_heard(route, now_ns);
    if (latest && parsed->hops == 0)
        route->addr = *from; /* the peer's address may change: it moved, or its NAT forgot */
    frd_wan_rel_received(&route->rel, number, now_ns, rc > 0, (parsed->head.way & FRD_WAN_ACK_NOW) != 0);
    frd_wan_session_wake(s);
}

void frd_wan_node_input(frd_wan_node *node, uint64_t now_ns, const frd_wan_addr *from, void *datagram,
                        size_t bytes)
{
    frd_wan_parsed parsed;

    if (!frd_wan_parse(datagram, bytes, &parsed)) {
        node->counts.wan_malformed++;
        return;
    }
    if (parsed.place < parsed.hops) {
        if (parsed.via.rank[parsed.place] == node->params.rank && bytes <= FRD_WAN_DATAGRAM_MAX)
            frd_wan_line_forward(node, &parsed, datagram, bytes);
        else
            node->counts.wan_relay_dropped++;
        return;
    }
    if (parsed.kind == FRD_WAN_HELLO)
        take_hello(node, now_ns, from, &parsed, datagram);
    else if (parsed.to < 0 || parsed.to == node->params.rank)
        take_data(node, now_ns, from, &parsed, datagram);
    else
        node->counts.wan_malformed++;
}

/* Whose session the beginning of a datagram that went straight to it quotes; NULL: none of ours. */
static frd_wan_session *quoted_session(const frd_wan_node *node, const void *quoted, size_t bytes,
                                       uint64_t *number)
{
    frd_wan_parsed parsed;

    if (!frd_wan_parse(quoted, bytes, &parsed) || parsed.kind != FRD_WAN_DATA || parsed.hops > 0 ||
        parsed.head.from != node->params.rank)
        return NULL;
    for (unsigned i = 0; i < node->sessions; i++) {
        frd_wan_session *const s = node->list[i];

        *number = frd_wan_widen(parsed.head.number, s->route[0]->rel.next);
        if (s->id == parsed.head.session)
            return s;
    }
    return NULL;
}

void frd_wan_node_refused(frd_wan_node *node, uint64_t now_ns, const void *quoted, size_t bytes)
{
    uint64_t number;
    frd_wan_session *const s = quoted_session(node, quoted, bytes, &number);

    if (s != NULL)
        frd_wan_session_refused(s, now_ns, number);
}

void frd_wan_node_too_long(frd_wan_node *node, uint64_t now_ns, const void *quoted, size_t bytes,
                           uint32_t carried)
{
    uint64_t number;
    frd_wan_session *const s = quoted_session(node, quoted, bytes, &number);

    if (s != NULL && number < s->route[0]->rel.next)
        frd_wan_mtu_told(s->route[0], now_ns, carried);
}

/* ---- out ---- */

bool frd_wan_node_pull(frd_wan_node *node, uint64_t now_ns, frd_wan_batch *batch)
{
    if (frd_wan_lines_pull(node, now_ns, batch))
        return true;
    for (unsigned i = 0; i < node->sessions; i++) {
        const unsigned k = (node->turn + i) % node->sessions;
        frd_wan_session *const s = node->list[k];

        if (s->due_ns > now_ns)
            continue;
        frd_wan_session_run(s, now_ns);
        if (frd_wan_session_pull(s, now_ns, batch)) {
            node->turn = k + 1;
            return true;
        }
    }
    return false;
}

uint64_t frd_wan_node_due(const frd_wan_node *node)
{
    uint64_t due = frd_wan_lines_due(node);

    for (unsigned i = 0; i < node->sessions; i++)
        due = node->list[i]->due_ns < due ? node->list[i]->due_ns : due;
    return due;
}

bool frd_wan_node_look(const frd_wan_node *node, int rank, unsigned k, frd_wan_route_info *info)
{
    const frd_wan_session *const s = node->session[rank];
    const frd_wan_route *r;

    if (s == NULL || k >= s->routes)
        return false;
    r = s->route[k];
    *info = (frd_wan_route_info){
        .state = r->state,
        .hops = r->hops,
        .rtt_ns = r->path.smooth_ns,
        .base_rtt_ns = r->path.base_ns,
        .rate = frd_wan_path_rate(&r->path),
        .loss_ppm = (uint64_t)(r->pace.loss_round * 1e6),
        .inflight = r->path.inflight,
        .cap = r->pace.cap,
        .delivered_bytes = r->path.delivered,
        .lost_bytes = r->path.lost_bytes,
        .datagram_bytes = r->datagram_bytes,
        .mode = (int)r->pace.mode,
    };
    for (unsigned i = 0; i < r->hops; i++)
        info->via[i] = r->via.rank[i];
    return true;
}
