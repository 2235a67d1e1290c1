/* SPDX-License-Identifier: BSD-3-Clause
 * path.c - round trip, delivery rate and loss of a route.
 *
 * The delivery rate is draft-cheng-iccrg-delivery-rate-estimation's: between a datagram's sending and its
 * acknowledgement so many bytes were delivered; the time for it is the longer one of how long these took to
 * send and to be acknowledged, so that neither bursts nor bunched acknowledgements make the path look faster
 * than it is.
 *
 * The queue is measured on the way there only, by the receiver's clock in its acknowledgements: what waits on
 * the way back is others' traffic, which we cannot mend by sending less.
 *
 * Bare are the least *means* of parts of a round, not the least samples: on a path whose delay jitters the
 * least sample is one that nothing travels at, and a window made of it starves the path. */
#include "wan/path.h"

#include "base/clock.h"

enum { PART_SAMPLES = 4 };

void frd_wan_path_sent(frd_wan_path *path, uint64_t now_ns, uint32_t bytes, frd_wan_stamp *stamp)
{
    if (path->inflight == 0)
        path->first_ns = path->delivered_ns = now_ns;
    *stamp = (frd_wan_stamp){
        .sent_ns = now_ns,
        .delivered = path->delivered,
        .delivered_ns = path->delivered_ns,
        .first_ns = path->first_ns,
        .bytes = bytes,
        .limited = path->delivered < path->limited_until,
    };
    path->inflight += bytes;
}

void frd_wan_path_limited(frd_wan_path *path)
{
    path->limited_until = path->delivered + path->inflight + 1;
}

/* ---- round trip and queue ---- */

void frd_wan_path_first(frd_wan_path *path, uint64_t rtt_ns)
{
    rtt_ns += rtt_ns == 0;
    path->latest_ns = path->least_ns = path->smooth_ns = path->base_ns = rtt_ns;
    path->var_ns = rtt_ns / 2;
}

/* The least of the slots; those that a quiet time skipped are empty. */
static void find_base(frd_wan_path *path, uint64_t now_ns)
{
    const uint64_t second = now_ns / FRD_NS_PER_S;
    uint64_t base = path->settled ? 0 : path->base_ns;
    int64_t way = path->settled ? INT64_MAX : path->way_base_ns;

    for (uint64_t s = path->base_second + 1; s <= second && s <= path->base_second + FRD_WAN_BASE_SLOTS; s++)
        path->base_slot[s % FRD_WAN_BASE_SLOTS] = 0;
    path->base_second = second;
    for (int i = 0; i < FRD_WAN_BASE_SLOTS; i++) {
        if (path->base_slot[i] == 0)
            continue;
        base = base == 0 || path->base_slot[i] < base ? path->base_slot[i] : base;
        way = path->way_slot[i] < way ? path->way_slot[i] : way;
    }
    if (base > 0 && way < INT64_MAX) {
        path->base_ns = base;
        path->way_base_ns = way;
    }
}

/* The means of a part of a round go into the slot of their second. */
static void note_part(frd_wan_path *path, uint64_t now_ns)
{
    const int slot = (int)(now_ns / FRD_NS_PER_S % FRD_WAN_BASE_SLOTS);
    const uint64_t rtt = path->part.rtt_sum_ns / path->part.samples;
    const int64_t way = path->part.way_sum_ns / (int64_t)path->part.samples;

    find_base(path, now_ns);
    if (path->base_slot[slot] == 0 || way < path->way_slot[slot])
        path->way_slot[slot] = way;
    if (path->base_slot[slot] == 0 || rtt < path->base_slot[slot])
        path->base_slot[slot] = rtt;
    find_base(path, now_ns);
    path->part_queue_ns = way > path->way_base_ns ? (uint64_t)(way - path->way_base_ns) : 0;
    path->part.since_ns = now_ns;
    path->part.rtt_sum_ns = path->part.samples = 0;
    path->part.way_sum_ns = 0;
}

/* Where delays jitter, parts of a round differ by chance, and the least of many is one that nothing travels
 * at. */
static bool jitters(const frd_wan_path *path)
{
    return path->way_var_ns > path->base_ns / 32 && path->way_var_ns > FRD_NS_PER_MS;
}

static int64_t way_of(frd_wan_path *path, uint32_t way_us)
{
    if (!path->way_known)
        path->way_zero_us = way_us;
    return (int64_t)(int32_t)(way_us - path->way_zero_us) * 1000;
}

static uint64_t apart(int64_t a, int64_t b)
{
    return (uint64_t)(a > b ? a - b : b - a);
}

void frd_wan_path_rtt(frd_wan_path *path, uint64_t now_ns, uint64_t rtt_ns, uint32_t way_us)
{
    const int64_t way = way_of(path, way_us);

    rtt_ns += rtt_ns == 0;
    if (path->smooth_ns == 0)
        frd_wan_path_first(path, rtt_ns);
    path->latest_ns = rtt_ns;
    path->least_ns = rtt_ns < path->least_ns ? rtt_ns : path->least_ns;
    path->var_ns = path->var_ns - path->var_ns / 4 + apart((int64_t)rtt_ns, (int64_t)path->smooth_ns) / 4;
    path->smooth_ns = path->smooth_ns - path->smooth_ns / 8 + rtt_ns / 8;
    if (!path->way_known) {
        path->way_known = true;
        path->way_smooth_ns = path->way_base_ns = way;
    }
    path->way_var_ns = path->way_var_ns - path->way_var_ns / 4 + apart(way, path->way_smooth_ns) / 4;
    path->way_smooth_ns += (way - path->way_smooth_ns) / 8;
    if (!path->settled) {
        path->base_ns = rtt_ns < path->base_ns ? rtt_ns : path->base_ns;
        path->way_base_ns = way < path->way_base_ns ? way : path->way_base_ns;
    }
    path->whole.rtt_sum_ns += rtt_ns;
    path->whole.way_sum_ns += way;
    path->whole.samples++;
    path->part.rtt_sum_ns += rtt_ns;
    path->part.way_sum_ns += way;
    path->part.samples++;
    if (path->part.samples >= PART_SAMPLES &&
        now_ns - path->part.since_ns >= path->base_ns / (jitters(path) ? 1 : 4))
        note_part(path, now_ns);
}

void frd_wan_path_settle(frd_wan_path *path, uint64_t now_ns)
{
    path->settled = true;
    find_base(path, now_ns);
}

void frd_wan_path_rebase(frd_wan_path *path, uint64_t now_ns)
{
    const int slot = (int)(now_ns / FRD_NS_PER_S % FRD_WAN_BASE_SLOTS);

    for (int i = 0; i < FRD_WAN_BASE_SLOTS; i++)
        path->base_slot[i] = 0;
    path->settled = true;
    path->base_second = now_ns / FRD_NS_PER_S;
    path->base_slot[slot] = path->base_ns = path->smooth_ns;
    path->way_slot[slot] = path->way_base_ns = path->way_smooth_ns;
    path->part.since_ns = now_ns;
    path->part.rtt_sum_ns = path->part.samples = path->part_queue_ns = 0;
    path->part.way_sum_ns = 0;
}

uint64_t frd_wan_path_queue(const frd_wan_path *path)
{
    return path->way_smooth_ns > path->way_base_ns ? (uint64_t)(path->way_smooth_ns - path->way_base_ns) : 0;
}

uint64_t frd_wan_path_back(const frd_wan_path *path)
{
    const uint64_t there = path->base_ns + frd_wan_path_queue(path);

    return path->smooth_ns > there ? path->smooth_ns - there : 0;
}

/* ---- delivery ---- */

void frd_wan_path_acked(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *stamp)
{
    path->inflight -= stamp->bytes;
    path->delivered += stamp->bytes;
    path->delivered_ns = now_ns;
    if (stamp->sent_ns > path->first_ns)
        path->first_ns = stamp->sent_ns;
    path->round.acked += stamp->bytes;
}

void frd_wan_path_lost(frd_wan_path *path, const frd_wan_stamp *stamp)
{
    path->inflight -= stamp->bytes;
    path->round.lost += stamp->bytes;
    path->lost_bytes += stamp->bytes;
}

void frd_wan_path_unsent(frd_wan_path *path, const frd_wan_stamp *stamp)
{
    path->inflight -= stamp->bytes;
}

static uint64_t rate_sample(const frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *s)
{
    const uint64_t sending = s->sent_ns - s->first_ns, acking = now_ns - s->delivered_ns;
    const uint64_t interval = sending > acking ? sending : acking;
    const uint64_t bytes = path->delivered - s->delivered;

    return interval == 0 ? 0 : (uint64_t)((double)bytes * (double)FRD_NS_PER_S / (double)interval);
}

bool frd_wan_path_ack(frd_wan_path *path, uint64_t now_ns, const frd_wan_stamp *newest, frd_wan_round *round)
{
    const uint64_t rate = rate_sample(path, now_ns, newest);

    path->latest_rate = rate;
    if (rate > path->round.rate)
        path->round.rate = rate;
    path->round.limited = path->round.limited || newest->limited;
    if (newest->delivered < path->round_at)
        return false;
    path->round_at = path->delivered;
    if (path->whole.samples > 0) {
        const int64_t way = path->whole.way_sum_ns / (int64_t)path->whole.samples;

        path->round.rtt_ns = path->whole.rtt_sum_ns / path->whole.samples;
        path->round.queue_ns = way > path->way_base_ns ? (uint64_t)(way - path->way_base_ns) : 0;
    }
    /* A round without enough to send cannot lower the estimate, but what it shows to be possible is. */
    if ((!path->round.limited && !path->hold) || path->round.rate > frd_wan_path_rate(path)) {
        path->rate_of[path->rounds % FRD_WAN_RATE_ROUNDS] = path->round.rate;
        path->rounds++;
    }
    path->whole.rtt_sum_ns = path->whole.samples = 0;
    path->whole.way_sum_ns = 0;
    *round = path->round;
    path->round = (frd_wan_round){ .rate = 0 };
    return true;
}

uint64_t frd_wan_path_rate(const frd_wan_path *path)
{
    uint64_t best = path->round.rate;

    for (int i = 0; i < FRD_WAN_RATE_ROUNDS; i++)
        best = path->rate_of[i] > best ? path->rate_of[i] : best;
    return best;
}
