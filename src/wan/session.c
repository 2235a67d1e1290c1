/* SPDX-License-Identifier: BSD-3-Clause
 * session.c - what joins two ranks: its routes, and which of them carries what.
 *
 * Every route that is up and has room takes the next chunks, so the load follows what each delivers; but none
 * takes a chunk that it would bring later than the others bring all that is left. */
#include "base/clock.h"
#include "base/num.h"
#include "wan/core.h"

/* Both ends compute the same, whoever asks. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ b >> 32) * UINT64_C(0x9e3779b97f4a7c15) + b;

    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

frd_wan_session *frd_wan_session_new(frd_wan_node *node, int rank, uint64_t epoch)
{
    const bool first = node->params.rank < rank;
    const uint64_t low = first ? node->params.epoch : epoch, high = first ? epoch : node->params.epoch;
    const frd_wan_via direct = { .rank = { 0xffff, 0xffff, 0xffff, 0xffff } };
    frd_wan_session *const s = frd_calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->node = node;
    s->rank = rank;
    s->epoch = epoch;
    s->seal.ops = &frd_wan_seal_crc;
    s->seal.secret = mix(mix(low, high), node->params.job);
    s->id = (uint32_t)mix(s->seal.secret, 1);
    s->due_ns = UINT64_MAX;
    STAILQ_INIT(&s->notes);
    STAILQ_INIT(&s->again);
    TAILQ_INIT(&s->controls);
    TAILQ_INIT(&s->blocked);
    for (unsigned f = 0; f < FRD_WAN_FLOWS; f++)
        TAILQ_INIT(&s->flow[f]);
    if (frd_wan_session_route(s, &direct, 0, true) == NULL) {
        frd_wan_session_free(s);
        return NULL;
    }
    return s;
}

/* Pools are freed as a whole: only what is not from a pool has to go by itself. */
void frd_wan_session_free(frd_wan_session *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->routes; i++)
        frd_wan_route_free(s->route[i]);
    for (uint32_t i = 0; s->outs.bucket != NULL && i <= s->outs.mask; i++) {
        for (frd_wan_entry *entry = s->outs.bucket[i]; entry != NULL; entry = entry->next) {
            frd_wan_out *const out = (frd_wan_out *)entry;

            if (out->copy != NULL)
                frd_wan_bytes_put(&s->node->memory, out->copy, out->len);
        }
    }
    for (uint32_t i = 0; s->ins.bucket != NULL && i <= s->ins.mask; i++) {
        for (frd_wan_entry *entry = s->ins.bucket[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            frd_wan_in_free(&s->node->memory, (frd_wan_in *)entry);
        }
    }
    frd_wan_table_free(&s->outs);
    frd_wan_table_free(&s->ins);
    frd_free(s);
}

void frd_wan_session_wake(frd_wan_session *session)
{
    session->due_ns = 0;
}

frd_wan_route *frd_wan_session_route(frd_wan_session *s, const frd_wan_via *via, unsigned hops, bool may_add)
{
    for (unsigned i = 0; i < s->routes; i++) {
        if (s->route[i]->hops == hops && __builtin_memcmp(&s->route[i]->via, via, sizeof(*via)) == 0)
            return s->route[i];
    }
    if (s->routes == FRD_WAN_ROUTES || !may_add)
        return NULL;
    s->route[s->routes] = frd_wan_route_new(s, via, hops);
    return s->route[s->routes] == NULL ? NULL : s->route[s->routes++];
}

bool frd_wan_session_up(const frd_wan_session *s)
{
    for (unsigned i = 0; i < s->routes; i++) {
        if (frd_wan_route_usable(s->route[i]))
            return true;
    }
    return false;
}

size_t frd_wan_session_narrowest(const frd_wan_session *s)
{
    size_t room = FRD_WAN_DATAGRAM_MAX;

    for (unsigned i = 0; i < s->routes; i++) {
        const frd_wan_route *const r = s->route[i];

        if (frd_wan_route_usable(r))
            room =
                frd_min_size(room, r->datagram_bytes - frd_wan_head_bytes(r->hops) - s->seal.ops->tag_bytes);
    }
    return room;
}

void frd_wan_session_lose(frd_wan_session *s, const char *why)
{
    if (s->lost)
        return;
    s->lost = true;
    s->why = why;
    s->due_ns = UINT64_MAX;
    frd_wan_outs_end(s, FEDRDMA_ERR_RANK_LOST);
    frd_wan_ins_end(s);
    s->node->user.lost(s->node->user.arg, s->rank, why);
}

/* A peer that left is lost only to who still wants something from it. What it sent came before its goodbye.
 */
static bool wanted(const frd_wan_session *s)
{
    if (s->outs.count > 0 || s->unsent_bytes > 0)
        return true;
    for (uint32_t i = 0; s->ins.bucket != NULL && i <= s->ins.mask; i++) {
        for (const frd_wan_entry *entry = s->ins.bucket[i]; entry != NULL; entry = entry->next) {
            if (((const frd_wan_in *)entry)->state == FRD_WAN_IN_ACCEPTED)
                return true;
        }
    }
    return false;
}

/* We may have been told of a peer long before it is told of us, and until then it does not answer: how long
 * that may take is the start's to say. */
static uint64_t lost_at(const frd_wan_session *s)
{
    const uint64_t wait = s->node->params.lost_ns + (s->met ? 0 : s->node->params.meet_ns);

    return s->node->params.lost_ns == 0 || s->alone_ns == 0 ? UINT64_MAX : s->alone_ns + wait;
}

/* Bytes that a route may take now without delaying the whole: not if the others are done with everything
 * sooner. */
static uint64_t room(const frd_wan_session *s, const frd_wan_route *route, uint64_t now_ns)
{
    const uint64_t all = frd_wan_route_room(route, now_ns);
    const double here = (double)route->path.smooth_ns / 2 +
                        (double)route->path.inflight * 1e9 / (double)(route->pace.rate + 1);

    for (unsigned i = 0; all > 0 && i < s->routes; i++) {
        const frd_wan_route *const r = s->route[i];

        if (route->spare && !r->spare && frd_wan_route_usable(r))
            return 0;
        if (r->spare && !route->spare) /* which waits for us: to wait for it as well would be for ever */
            continue;
        if (r != route && frd_wan_route_usable(r) && r->pace.rate > 0 &&
            here > (double)r->path.smooth_ns / 2 +
                       (double)(s->unsent_bytes + r->path.inflight) * 1e9 / (double)r->pace.rate)
            return 0;
    }
    return all;
}

static uint64_t route_due(const frd_wan_session *s, const frd_wan_route *route, bool work)
{
    uint64_t due = frd_wan_route_due(route), data = route->pace.next_ns;
    bool full;

    if (!work || !frd_wan_route_usable(route))
        return due;
    (void)frd_wan_pace_room(&route->pace, &route->path, 0, &full);
    if (full || (room(s, route, UINT64_MAX) == 0))
        return due;
    if (frd_wan_line_due(s->node, frd_wan_line_of(route)) > data)
        data = frd_wan_line_due(s->node, frd_wan_line_of(route));
    return data < due ? data : due;
}

static uint64_t due(const frd_wan_session *s)
{
    uint64_t first = lost_at(s);
    const bool work = frd_wan_session_has_work(s);

    if (s->left) {
        first = UINT64_MAX;
        for (unsigned i = 0; i < s->routes; i++)
            first = s->route[i]->rel.ack_ns < first ? s->route[i]->rel.ack_ns : first;
        return first;
    }
    if (frd_wan_doubt_due(&s->doubt) < first)
        first = frd_wan_doubt_due(&s->doubt);
    for (unsigned i = 0; i < s->routes; i++) {
        const uint64_t d = route_due(s, s->route[i], work);

        first = d < first ? d : first;
    }
    return first;
}

void frd_wan_session_run(frd_wan_session *s, uint64_t now_ns)
{
    if (s->left) { /* nothing is said to it any more, but that its goodbye came */
        if (wanted(s))
            frd_wan_session_lose(s, "it has left the job");
        return;
    }
    if (s->dialed && s->alone_ns == 0 && !frd_wan_session_up(s))
        s->alone_ns = now_ns;
    for (unsigned i = 0; i < s->routes; i++)
        frd_wan_route_run(s->route[i], now_ns);
    frd_wan_doubt_run(s, now_ns);
    if (lost_at(s) <= now_ns)
        frd_wan_session_lose(s, s->met ? "no route to it has worked for as long as the option wan_lost allows"
                                       : "no route to it has ever worked, for as long as the options "
                                         "connect_timeout and wan_lost together allow");
}

/* Datagrams of messages, as many as may go at once. */
static bool fill(frd_wan_session *s, frd_wan_route *route, uint64_t now_ns, uint64_t most,
                 frd_wan_batch *batch)
{
    batch->bytes = batch->segment_bytes = batch->count = 0;
    if (!frd_wan_route_address(route, &batch->to))
        return false;
    while (batch->count < batch->most && batch->bytes < most &&
           batch->room - batch->bytes >= route->datagram_bytes) {
        const size_t bytes =
            frd_wan_session_write(route, now_ns, batch->data + batch->bytes,
                                  batch->count == 0 ? route->datagram_bytes : batch->segment_bytes, true);

        if (bytes == 0)
            break;
        batch->segment_bytes = batch->count == 0 ? bytes : batch->segment_bytes;
        batch->bytes += bytes;
        batch->count++;
        if (bytes < batch->segment_bytes || batch->segment_bytes + 64 < route->datagram_bytes)
            break; /* only the last one may be shorter */
    }
    if (batch->count == 0)
        return false;
    frd_wan_pace_sent(&route->pace, now_ns, batch->bytes + batch->count * FRD_WAN_BELOW);
    frd_wan_line_sent(s->node, frd_wan_line_of(route), now_ns, batch);
    if (!frd_wan_session_has_work(s))
        frd_wan_path_limited(&route->path);
    return true;
}

bool frd_wan_session_pull(frd_wan_session *s, uint64_t now_ns, frd_wan_batch *batch)
{
    if (s->lost || s->left || !frd_wan_session_has_work(s)) {
        for (unsigned i = 0; i < s->routes; i++)
            frd_wan_line_leave(s->route[i]);
    }
    if (s->lost) {
        s->due_ns = UINT64_MAX;
        return false;
    }
    for (unsigned i = 0; i < s->routes; i++) {
        if (frd_wan_route_signal(s->route[i], now_ns, batch)) {
            frd_wan_line_sent(s->node, frd_wan_line_of(s->route[i]), now_ns, batch);
            return true;
        }
    }
    if (s->left || !frd_wan_session_has_work(s))
        goto idle;
    for (unsigned i = 0; i < s->routes; i++) {
        frd_wan_route *const route = s->route[(s->turn + i) % s->routes];
        const uint64_t most = room(s, route, now_ns);

        if (most > 0 && !frd_wan_line_may(route, now_ns))
            continue;
        frd_wan_line_leave(route);
        if (most > 0 && fill(s, route, now_ns, most, batch)) {
            s->turn = (s->turn + i + 1) % s->routes;
            return true;
        }
    }
idle:
    s->due_ns = due(s);
    if (s->due_ns <= now_ns) /* whatever could not be done now cannot be done at once */
        s->due_ns = now_ns + FRD_NS_PER_MS / 4;
    return false;
}
