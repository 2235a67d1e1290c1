/* SPDX-License-Identifier: BSD-3-Clause
 * rel.c - datagram numbers and acknowledgements of a route, after QUIC's (RFC 9002) with RACK's (RFC 8985)
 * idea of loss: a datagram is lost when one sent later has arrived and it is overdue by the reordering that
 * the path has shown. Counting how many overtook it would be quicker, and wrong on any path of two lanes.
 *
 * Numbers are never used twice, so every acknowledgement gives an unambiguous round trip. A datagram given up
 * is remembered for some time: if its acknowledgement comes after all, its items need not go again, and the
 * reordering that we allow grows. Cost of an acknowledgement: what it newly acknowledges, and the holes in
 * front of it. */
#include "wan/rel.h"

#include <string.h>

#include "base/clock.h"

enum {
    GOT_KEPT = 768, /* ranges that are left of FRD_WAN_GOT_RANGES when these are used up */
    OWED_MAX = 16,  /* datagrams that one acknowledgement may cover when they come fast */
    OWED_FIRST = 64 /* of the first so many, every second is acknowledged: the sender starts by them */
};

#define RANGE_MAX (UINT64_C(1) << 30) /* numbers in a range: more than are ever on their way, and less than 2^31 */
#define ACK_DELAY_NS (FRD_NS_PER_MS)       /* and when they come slowly, it waits so long */
#define REORDER_LEAST_NS (FRD_NS_PER_MS)   /* less is the wake-ups of both ends */
#define PROBE_LEAST_NS (5 * FRD_NS_PER_MS) /* the same */
#define REMEMBER_NS (3 * FRD_NS_PER_S)     /* a datagram given up is remembered so long, at most */

void frd_wan_rel_init(frd_wan_rel *rel, frd_pool *packets, const frd_wan_rel_user *user)
{
    *rel = (frd_wan_rel){ .user = *user, .packets = packets, .loss_ns = UINT64_MAX, .ack_ns = UINT64_MAX };
    TAILQ_INIT(&rel->sent);
    rel->got.at = rel->got_room;
    rel->got.room = FRD_WAN_GOT_RANGES;
}

static void take_out(frd_wan_rel *rel, frd_wan_packet *p)
{
    TAILQ_REMOVE(&rel->sent, p, link);
    rel->count--;
    rel->inflight -= !p->lost;
}

static void forget(frd_wan_rel *rel, frd_wan_packet *p)
{
    take_out(rel, p);
    rel->user.forget(rel->user.arg, p);
    frd_pool_put(rel->packets, p);
}

void frd_wan_rel_free(frd_wan_rel *rel)
{
    frd_wan_packet *p;

    while (rel->packets != NULL && (p = TAILQ_FIRST(&rel->sent)) != NULL)
        forget(rel, p);
}

/* ---- sending ---- */

frd_wan_packet *frd_wan_rel_packet(frd_wan_rel *rel)
{
    frd_wan_packet *p;

    if (rel->count >= FRD_WAN_PACKETS_MAX) {
        p = TAILQ_FIRST(&rel->sent);
        if (!p->lost)
            return NULL;
        forget(rel, p);
    }
    p = frd_pool_get(rel->packets);
    if (p == NULL)
        return NULL;
    p->number = rel->next;
    p->items = 0;
    p->probe_bytes = 0;
    p->lost = false;
    return p;
}

void frd_wan_rel_drop(frd_wan_rel *rel, frd_wan_packet *packet)
{
    frd_pool_put(rel->packets, packet);
}

void frd_wan_rel_sent(frd_wan_rel *rel, frd_wan_path *path, frd_wan_packet *packet, uint64_t now_ns,
                      uint32_t bytes)
{
    frd_wan_path_sent(path, now_ns, bytes, &packet->stamp);
    TAILQ_INSERT_TAIL(&rel->sent, packet, link);
    rel->count++;
    rel->inflight++;
    if (rel->asked_ns == 0)
        rel->asked_ns = now_ns;
    rel->last_ns = now_ns;
}

/* An acknowledged packet that was given up came later than we allowed. */
static void too_soon(frd_wan_rel *rel, const frd_wan_path *path, uint64_t now_ns, const frd_wan_packet *p)
{
    const uint64_t took = now_ns - p->stamp.sent_ns;
    const uint64_t late = took > path->smooth_ns ? took - path->smooth_ns : 0;

    rel->spurious++;
    rel->reorder_ns = late > rel->reorder_ns ? late : rel->reorder_ns;
    if (rel->reorder_ns > path->smooth_ns)
        rel->reorder_ns = path->smooth_ns;
}

bool frd_wan_rel_ack(frd_wan_rel *rel, frd_wan_path *path, uint64_t now_ns, const frd_wan_frame *ack,
                     uint64_t *acked_bytes, frd_wan_round *round, bool *round_over)
{
    const uint64_t largest = frd_wan_widen(ack->range[0].last, rel->next);
    const uint64_t delay_ns = (uint64_t)ack->ack.delay_16us * 16000;
    unsigned r = ack->ack.ranges; /* the lowest first, as the list */
    frd_wan_stamp newest = { .sent_ns = 0 };
    uint64_t newest_number = 0;
    bool any = false;

    *acked_bytes = 0;
    *round_over = false;
    if (largest >= rel->next)
        return false;
    for (frd_wan_packet *p = TAILQ_FIRST(&rel->sent), *after; p != NULL && p->number <= largest; p = after) {
        after = TAILQ_NEXT(p, link);
        while (r > 0 && frd_wan_widen(ack->range[r - 1].last, largest) < p->number)
            r--;
        if (r == 0)
            break;
        if (frd_wan_widen(ack->range[r - 1].first, largest) > p->number)
            continue;
        if (p->lost) {
            too_soon(rel, path, now_ns, p);
        } else {
            frd_wan_path_acked(path, now_ns, &p->stamp);
            *acked_bytes += p->stamp.bytes;
            newest = p->stamp;
            newest_number = p->number;
            any = true;
        }
        take_out(rel, p);
        rel->user.acked(rel->user.arg, p);
        frd_pool_put(rel->packets, p);
    }
    if (!rel->acked_any || largest > rel->largest_acked)
        rel->largest_acked = largest;
    rel->acked_any = true;
    if (!any)
        return true;
    if (newest_number == largest) {
        const uint64_t rtt = now_ns - newest.sent_ns;

        frd_wan_path_rtt(path, now_ns,
                         rtt > delay_ns && rtt - delay_ns >= path->least_ns ? rtt - delay_ns : rtt,
                         ack->ack.came_us - (uint32_t)(newest.sent_ns / 1000));
    }
    *round_over = frd_wan_path_ack(path, now_ns, &newest, round);
    rel->probes = 0;
    rel->last_ns = now_ns;
    rel->asked_ns = rel->inflight > 0 ? now_ns : 0;
    return true;
}

unsigned frd_wan_rel_detect(frd_wan_rel *rel, frd_wan_path *path, uint64_t now_ns)
{
    const uint64_t rtt = path->latest_ns > path->smooth_ns ? path->latest_ns : path->smooth_ns;
    const uint64_t least = path->least_ns / 8 > REORDER_LEAST_NS ? path->least_ns / 8 : REORDER_LEAST_NS;
    const uint64_t allowed = rtt + (rel->reorder_ns > least ? rel->reorder_ns + rel->reorder_ns / 4 : least);
    unsigned lost = 0;

    rel->loss_ns = UINT64_MAX;
    for (frd_wan_packet *p = TAILQ_FIRST(&rel->sent), *after; p != NULL; p = after) {
        after = TAILQ_NEXT(p, link);
        if (!rel->acked_any || p->number >= rel->largest_acked)
            break;
        if (p->lost) {
            if (p->stamp.sent_ns + 3 * allowed < now_ns || p->stamp.sent_ns + REMEMBER_NS < now_ns)
                forget(rel, p);
            continue;
        }
        if (p->stamp.sent_ns + allowed > now_ns) {
            rel->loss_ns = p->stamp.sent_ns + allowed;
            break; /* the others were sent later */
        }
        p->lost = true;
        rel->inflight--;
        if (p->probe_bytes > 0)
            frd_wan_path_unsent(path, &p->stamp); /* that it was too long says nothing about the rate */
        else
            frd_wan_path_lost(path, &p->stamp);
        rel->user.lost(rel->user.arg, p);
        lost++;
    }
    if (rel->inflight == 0)
        rel->asked_ns = 0;
    return lost;
}

void frd_wan_rel_fail(frd_wan_rel *rel, frd_wan_path *path)
{
    frd_wan_packet *p;

    TAILQ_FOREACH(p, &rel->sent, link)
    {
        if (p->lost)
            continue;
        p->lost = true;
        rel->inflight--;
        frd_wan_path_lost(path, &p->stamp);
        rel->user.lost(rel->user.arg, p);
    }
    rel->loss_ns = UINT64_MAX;
    rel->asked_ns =
        0; /* or a late acknowledgement opens the route, and this closes it again at once, for ever */
}

uint64_t frd_wan_rel_probe_ns(const frd_wan_rel *rel, const frd_wan_path *path)
{
    uint64_t wait;

    if (rel->inflight == 0)
        return UINT64_MAX;
    wait = path->smooth_ns == 0 ? 200 * FRD_NS_PER_MS
                                : path->smooth_ns + 4 * path->var_ns + ACK_DELAY_NS + PROBE_LEAST_NS;
    return rel->last_ns + (wait << (rel->probes > 6 ? 6 : rel->probes));
}

/* ---- receiving ---- */

bool frd_wan_rel_fresh(const frd_wan_rel *rel, uint64_t number)
{
    return number >= rel->got_floor && !frd_wan_spans_has(&rel->got, number);
}

void frd_wan_rel_received(frd_wan_rel *rel, uint64_t number, uint64_t now_ns, bool asks, bool at_once)
{
    const bool in_order = rel->got.count == 0 || number == rel->got.at[rel->got.count - 1].hi;

    if (rel->got.count == FRD_WAN_GOT_RANGES) {
        frd_wan_spans_keep(&rel->got, GOT_KEPT);
        rel->got_floor = rel->got.at[0].lo;
    }
    if (number < rel->got_floor)
        return;
    if (frd_wan_spans_add(&rel->got, number, number + 1) < 0)
        return;
    rel->got_count++;
    if (rel->got_count == 1 || number > rel->got_largest) {
        rel->got_largest = number;
        rel->got_largest_ns = now_ns;
    } else {
        rel->late[rel->lates++ % FRD_WAN_LATE] = number;
    }
    if (!asks)
        return;
    rel->owed++;
    if (at_once || !in_order || rel->owed >= OWED_MAX || (rel->got_count < OWED_FIRST && rel->owed >= 2))
        rel->ack_ns = now_ns;
    else if (rel->ack_ns > now_ns + ACK_DELAY_NS)
        rel->ack_ns = now_ns + ACK_DELAY_NS;
}

_Static_assert((int)FRD_WAN_LATE < (int)FRD_WAN_ACK_RANGES,
               "the latest ranges must be among those acknowledged");

/* Which ranges to acknowledge, latest first: the latest ones, and where something came late, or on a path
 * that holds many back it would never be said. What has been said often enough is left out: a lost number stays
 * a hole for ever, and every one since the route began would cost 8 bytes in each. */
static unsigned choose(const frd_wan_rel *rel, uint32_t *chosen)
{
    const uint32_t count = rel->got.count;
    const bool many = rel->lates - rel->said.lates > FRD_WAN_LATE; /* not all of them are in rel->late */
    const unsigned lates = many ? FRD_WAN_LATE : rel->lates - rel->said.lates;
    uint64_t said = many ? 0 : rel->said.largest;
    unsigned n = 0;

    if (rel->got_largest > said + RANGE_MAX) /* what the numbers' low 32 bits can't tell */
        said = rel->got_largest - RANGE_MAX;
    for (uint32_t i = count; i-- > 0 && n < (unsigned)FRD_WAN_ACK_RANGES - (unsigned)FRD_WAN_LATE;) {
        if (n > 0 && rel->got.at[i].hi <= said)
            break;
        chosen[n++] = i;
    }
    for (unsigned k = 1; k <= lates; k++) {
        const uint32_t i = frd_wan_spans_find(&rel->got, rel->late[(rel->lates - k) % FRD_WAN_LATE]);
        unsigned at = n;

        while (at > 0 && chosen[at - 1] < i)
            at--;
        if (i == count || (at > 0 && chosen[at - 1] == i))
            continue;
        memmove(chosen + at + 1, chosen + at, (n - at) * sizeof(*chosen));
        chosen[at] = i;
        n++;
    }
    return n;
}

size_t frd_wan_rel_write_ack(frd_wan_rel *rel, uint64_t now_ns, unsigned char *at, size_t room)
{
    const uint64_t delay = (now_ns - rel->got_largest_ns) / 16000;
    frd_wan_wire_ack head = { .type = FRD_WAN_ACK,
                              .delay_16us = delay > UINT16_MAX ? UINT16_MAX : (uint16_t)delay,
                              .came_us = (uint32_t)(rel->got_largest_ns / 1000) };
    uint32_t chosen[FRD_WAN_ACK_RANGES];
    size_t bytes = sizeof(head);

    for (unsigned k = choose(rel, chosen), i = 0; i < k && bytes + sizeof(frd_wan_range) <= room; i++) {
        const frd_wan_span *const span = &rel->got.at[chosen[i]];
        const uint64_t lo = span->hi - span->lo > RANGE_MAX ? span->hi - RANGE_MAX : span->lo;
        const frd_wan_range range = { (uint32_t)lo, (uint32_t)(span->hi - 1) };

        memcpy(at + bytes, &range, sizeof(range));
        bytes += sizeof(range);
        head.ranges++;
    }
    if (head.ranges == 0)
        return 0;
    memcpy(at, &head, sizeof(head));
    if (rel->acks >= rel->soon.acks + FRD_WAN_SAID && now_ns >= rel->soon.ns + FRD_WAN_SAID_NS) {
        rel->said = rel->soon;
        rel->soon = (frd_wan_said){ now_ns, rel->acks, rel->got_largest, rel->lates };
    }
    rel->acks++;
    rel->owed = 0;
    rel->ack_ns = UINT64_MAX;
    return bytes;
}
