/* SPDX-License-Identifier: BSD-3-Clause
 * path.c - round trip, delivery rate and loss of a route.
 *
 * The delivery rate is draft-cheng-iccrg-delivery-rate-estimation's: between a datagram's sending and its
 * acknowledgement so many bytes were delivered; the time for it is the longer one of how long these took to
 * send and to be acknowledged, so that neither bursts nor bunched acknowledgements make the path look faster
 * than it is.
 *
 * The round trip without queues is the least *mean of a round*, not the least sample: on a path whose delay
 * jitters the least sample is one that nothing travels at, and a window made of it starves the path. */
#include "wan/path.h"

#include "base/clock.h"

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

void frd_wan_path_rtt(frd_wan_path *path, uint64_t now_ns, uint64_t rtt_ns)
{
    rtt_ns += rtt_ns == 0;
    path->latest_ns = rtt_ns;
    if (path->least_ns == 0 || rtt_ns < path->least_ns)
        path->least_ns = rtt_ns;
    if (path->smooth_ns == 0) {
        path->smooth_ns = rtt_ns;
        path->var_ns = rtt_ns / 2;
        path->base_ns = rtt_ns;
        path->base_second = now_ns / FRD_NS_PER_S;
        path->base_slot[path->base_second % FRD_WAN_BASE_SLOTS] = rtt_ns;
    } else {
        const uint64_t off = rtt_ns > path->smooth_ns ? rtt_ns - path->smooth_ns : path->smooth_ns - rtt_ns;

        path->var_ns = path->var_ns - path->var_ns / 4 + off / 4;
        path->smooth_ns = path->smooth_ns - path->smooth_ns / 8 + rtt_ns / 8;
    }
    path->rtt_sum_ns += rtt_ns;
    path->rtt_samples++;
}

/* A round's mean goes into the slot of its second; slots that a quiet time skipped are empty. */
static void note_base(frd_wan_path *path, uint64_t now_ns, uint64_t mean_ns)
{
    const uint64_t second = now_ns / FRD_NS_PER_S;
    uint64_t *const slot = &path->base_slot[second % FRD_WAN_BASE_SLOTS], base = 0;

    for (uint64_t s = path->base_second + 1; s <= second && s <= path->base_second + FRD_WAN_BASE_SLOTS; s++)
        path->base_slot[s % FRD_WAN_BASE_SLOTS] = 0;
    path->base_second = second;
    if (*slot == 0 || mean_ns < *slot)
        *slot = mean_ns;
    for (int i = 0; i < FRD_WAN_BASE_SLOTS; i++) {
        if (path->base_slot[i] > 0 && (base == 0 || path->base_slot[i] < base))
            base = path->base_slot[i];
    }
    path->base_ns = base;
}

void frd_wan_path_rebase(frd_wan_path *path, uint64_t now_ns, uint64_t base_ns)
{
    for (int i = 0; i < FRD_WAN_BASE_SLOTS; i++)
        path->base_slot[i] = 0;
    path->base_second = now_ns / FRD_NS_PER_S;
    path->base_slot[path->base_second % FRD_WAN_BASE_SLOTS] = path->base_ns = base_ns;
}

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

    if (rate > path->round.rate)
        path->round.rate = rate;
    path->round.limited = path->round.limited || newest->limited;
    if (newest->delivered < path->round_at)
        return false;
    path->round_at = path->delivered;
    if (path->rtt_samples > 0) {
        path->round.rtt_ns = path->rtt_sum_ns / path->rtt_samples;
        note_base(path, now_ns, path->round.rtt_ns);
    }
    /* A round without enough to send cannot lower the estimate, but what it shows to be possible is. */
    if ((!path->round.limited && !path->hold) || path->round.rate > frd_wan_path_rate(path)) {
        path->rate_of[path->rounds % FRD_WAN_RATE_ROUNDS] = path->round.rate;
        path->rounds++;
    }
    path->rtt_sum_ns = path->rtt_samples = 0;
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
