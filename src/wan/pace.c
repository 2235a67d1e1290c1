/* SPDX-License-Identifier: BSD-3-Clause
 * pace.c - rate control by delay: a window on what is on its way, steered so that a short queue stands before
 * the narrowest line of the path. In the family of TCP Vegas (Brakmo and Peterson, 1995) and FAST TCP (Wei,
 * Jin, Low and Hegde, 2006), with BBR's (Cardwell et al., 2016) delivery rate, pacing, and indifference to
 * loss.
 *
 *   - A window, not a rate: when the line shrinks, or the round trip grows, what is on its way waits in a
 * queue and acknowledgements come slower, so that nothing overruns before we have even noticed.
 *   - The queue that a flow wants, in time, falls with its rate (target_ns). All flows in a queue see the
 * same one, so those that are slower than others gain, whatever their round trips are, until all are alike.
 * A way through relays crosses several lines and sees their queues added up, so it wants more.
 *   - Loss alone is not congestion: DOWN rounds, where there is no queue, show how much of it the path has
 * anyway. Loss beyond that is a shallow queue that overflows, and we keep a smaller share of it.
 *   - The bare round trip shows in DOWN rounds, for which every flow lets go of its queue; who sees another
 * do so does it at the same time. A round trip that does not follow our window is not our queue: the path is
 * another one. */
#include "wan/pace.h"

#include <math.h>

#include "base/clock.h"

/* The queue that we keep: QUEUE_NS is what late wake-ups at both ends need, so that the line never runs
 * empty. The other part is sqrt(QUEUE_K / rate): 13 ms at 10 Mbit/s, 4 ms at 100 Mbit/s, 1.3 ms at 1 Gbit/s.
 */
#define QUEUE_NS (1.5 * (double)FRD_NS_PER_MS)
#define QUEUE_K 200.    /* byte seconds */
#define QUEUE_MOST 0.25 /* of the bare round trip, and QUEUE_MOST_NS where that is more */
#define QUEUE_MOST_NS (12. * (double)FRD_NS_PER_MS)

#define GAIN \
    0.4 /* of the difference, in a round: its effect shows a round later, and half of it is stable \
         */
#define LEAST_STEP (-0.4)
#define IDLE_STEP 0.04 /* where no queue shows, each round doubles the step, from four times this */
#define MOST_STEP 0.6
#define BACK_MOST 2.    /* of the rest of the round trip */
#define QUEUE_NONE 0.25 /* of the target: the path can carry more */
#define QUEUE_LOW 0.25  /* of the target: the bare round trip shows */
#define QUEUE_FAR 2.0   /* of the target: others fill it, or the path has changed */

#define DOUBT_CAP 0.7 /* of the window, when the queue does not become shorter: is it ours? */
#define STILL 0.9     /* of the queue before is still there */

#define START_RATE 1.25
#define START_FAST 4. /* times the first window: until then it grows twice as fast, and spares a round trip \
                       */
#define CRUISE_RATE 1.15 /* of window by round trip: what was late catches up, and the window rules */
#define DOWN_EVERY_NS (1500 * FRD_NS_PER_MS)
#define DOWN_LEAST_NS (50 * FRD_NS_PER_MS) /* for others, whose rounds may be longer than ours, to see it */
#define DOWN_CAP 0.96                      /* of the path's content */
#define DOWN_AGAIN \
    0.85 /* the same where that showed a shorter round trip than we knew: how far does it go? */
#define DOWN_FOUND 0.02    /* of the round trip */
#define QUEUE_SHOWS 0.0625 /* of the bare round trip: START has filled the path */
#define QUEUE_NOISE_NS (2. * (double)FRD_NS_PER_MS)
#define START_OVER \
    0.75                 /* of the window is left then: a round trip ago it was half, and the path was full \
                          */
#define GROWTH 1.25      /* a round of START must bring so much */
#define LOSS_START 0.1   /* ends START, where the loss of the path is not known yet */
#define LOSS_EXCESS 0.02 /* above that of DOWN rounds: the queue overflows */
#define LOSS_HEAVY 0.2   /* above it: the line has shrunk */
#define LOSS_MOST 0.5    /* that we send more for */
#define SHARE_LEAST 0.05
#define SHARE_GROWS 1.15
#define SHARE_SHRINKS 0.7
#define PACKET_BYTES 1400.

enum {
    FLAT_ROUNDS = 3,
    DOWN_FIRST = 4, /* rounds after START: until then the bare round trip is a guess */
    DOWN_ROUNDS_LEAST = 8,
    DOWN_ROUNDS = 2, /* one until what was sent in it comes back, one to look at */
    HIGH_ROUNDS = 4,
    QUANTUM_MAX = 48 * 1024, /* one batch of segmentation offload */
    QUANTUM_SLOW = 16 * 1024,
    QUANTUM_MIN = 2 * 1500,
    MEASURE_BYTES = 64 * 1024
};

#define CAP_LEAST (4. * QUANTUM_MIN)
/* What may go at once: half a millisecond's; on slow routes up to two, so that it is one call with segmentation
 * offload all the same. (128 MiB among five silos of 300 Mbit/s on two processors: 1.32 to 1.7 x the bound with half
 * a millisecond everywhere, 1.13 to 1.17 with this; what is saved are wake-ups at both ends.) */
#define QUANTUM_NS (FRD_NS_PER_MS / 2)
#define QUANTUM_SLOW_NS (2 * FRD_NS_PER_MS)
#define LATE_NS (FRD_NS_PER_MS)        /* a sender that wakes late may catch up with so much */
#define ACK_NS (1. * FRD_NS_PER_MS)    /* acknowledgements come in steps: room for one */

void frd_wan_pace_init(frd_wan_pace *pace, uint64_t start_bytes, uint64_t most_rate, uint64_t inflight_max)
{
    *pace = (frd_wan_pace){
        .start_bytes = start_bytes,
        .most_rate = most_rate,
        .inflight_max = inflight_max,
        .window = (double)start_bytes,
        .cap = start_bytes,
        .share = 1,
        .favour = 1,
        .lines = 1,
        .quantum_bytes = QUANTUM_MIN,
    };
}

static double bytes_in(double rate, double ns)
{
    return rate * ns / (double)FRD_NS_PER_S;
}

static void enter(frd_wan_pace *pace, enum frd_wan_pace_mode mode)
{
    pace->mode = mode;
    pace->rounds = pace->idle_rounds = pace->high_rounds = pace->flat_rounds = 0;
}

/* The queue that we want to see, before loss takes its share. */
static double target_ns(const frd_wan_pace *pace, const frd_wan_path *path, double rate)
{
    const double base = (double)path->base_ns;
    const double most = QUEUE_MOST * base > QUEUE_MOST_NS ? QUEUE_MOST * base : QUEUE_MOST_NS;
    const double jitter =
        (double)path->way_var_ns < QUEUE_MOST * base ? (double)path->way_var_ns : QUEUE_MOST * base;
    const double queue = QUEUE_NS + 1e9 * sqrt(QUEUE_K / (rate + 1));

    return pace->lines * (queue < most ? queue : most) + jitter / 2;
}

/* Bytes to send for each one that arrives. */
static double for_each(const frd_wan_pace *pace)
{
    const double random = pace->loss_mean < pace->loss_bare ? pace->loss_mean : pace->loss_bare;

    return 1.0 / (1.0 - (random < LOSS_MOST ? random : LOSS_MOST));
}

/* The window that carries this rate, and makes so much of a queue. */
static double window_of(const frd_wan_pace *pace, const frd_wan_path *path, double rate, double queue_ns)
{
    const double window = bytes_in(rate, (double)path->base_ns + ACK_NS + queue_ns) * for_each(pace);

    return window < CAP_LEAST ? CAP_LEAST : window;
}

/* The smoothed round trip follows within some dozen acknowledgements. */
static bool queue_shows(const frd_wan_path *path)
{
    const double queue = (double)frd_wan_path_queue(path);

    return queue > QUEUE_SHOWS * (double)path->base_ns && queue > QUEUE_NOISE_NS &&
           queue > 2 * (double)path->way_var_ns;
}

/* More loss than the path has anyway, and more than chance makes of that in a round. */
static bool excess(const frd_wan_pace *pace)
{
    return pace->loss_round > pace->loss_bare + LOSS_EXCESS + pace->loss_chance;
}

static void note_losses(frd_wan_pace *pace, const frd_wan_path *path, const frd_wan_round *round)
{
    const double sent = (double)(round->acked + round->lost);
    const bool drained = pace->mode == FRD_WAN_PACE_DOWN && pace->rounds >= DOWN_ROUNDS &&
                         (double)pace->queue_ns < target_ns(pace, path, (double)frd_wan_path_rate(path)) / 2;

    if (sent <= 0)
        return;
    pace->loss_round = (double)round->lost / sent;
    pace->loss_mean += (pace->loss_round - pace->loss_mean) / 8;
    /* Where others' queue stands, loss may be its overflow. */
    if (drained)
        pace->loss_bare = pace->loss_round;
    else if (pace->loss_round < pace->loss_bare)
        pace->loss_bare += (pace->loss_round - pace->loss_bare) / 8;
    pace->loss_chance = 2 * sqrt((pace->loss_bare + 0.01) * PACKET_BYTES / sent);
    if (pace->mode != FRD_WAN_PACE_CRUISE)
        return;
    if (!excess(pace)) {
        pace->share = pace->share * SHARE_GROWS > 1 ? 1 : pace->share * SHARE_GROWS;
    } else if (pace->tested) {
        pace->share = pace->share * SHARE_SHRINKS < SHARE_LEAST ? SHARE_LEAST : pace->share * SHARE_SHRINKS;
        pace->window *= 1 - (pace->loss_round - pace->loss_bare) / 2;
    }
}

/* ---- START and DRAIN ---- */

static void begin_drain(frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns)
{
    enter(pace, FRD_WAN_PACE_DRAIN);
    pace->mark_ns = now_ns;
    pace->mark_bytes = path->delivered;
    pace->window *= START_OVER;
}

static void start_round(frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns,
                        const frd_wan_round *round)
{
    const uint64_t rate = frd_wan_path_rate(path);

    if (pace->loss_round > pace->loss_bare + LOSS_START && round->lost > pace->start_bytes / 8) {
        begin_drain(pace, path, now_ns);
        return;
    }
    if (round->limited)
        return;
    if ((double)rate >= GROWTH * (double)pace->full_rate) {
        pace->full_rate = rate;
        pace->flat_rounds = 0;
    } else if (++pace->flat_rounds >= FLAT_ROUNDS) {
        begin_drain(pace, path, now_ns);
    }
}

/* For one round trip nothing grows: what is acknowledged in it is what a full path delivers. */
static void drain(frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns)
{
    double rate;

    if (pace->mark_ns != 0) {
        const uint64_t bytes = path->delivered - pace->mark_bytes, ns = now_ns - pace->mark_ns;

        if (ns < path->base_ns && (ns < path->base_ns / 2 || bytes < MEASURE_BYTES))
            return;
        rate = (double)bytes * 1e9 / (double)(ns + 1);
        pace->window = window_of(pace, path, rate, pace->share * target_ns(pace, path, rate));
        pace->mark_ns = 0;
    }
    if ((double)path->inflight <= pace->window) {
        enter(pace, FRD_WAN_PACE_CRUISE);
        pace->since = 0;
        pace->down_way_ns = path->way_base_ns;
    }
}

/* ---- CRUISE and DOWN ---- */

static double step(frd_wan_pace *pace, const frd_wan_round *round, double target)
{
    const double queue = (double)pace->queue_ns;
    double change = GAIN * (target - queue) / (double)round->rtt_ns;

    if (queue > QUEUE_NONE * target || excess(pace))
        pace->idle_rounds = 0;
    else if (pace->used)
        pace->idle_rounds++;
    if (change > 0 && !pace->used)
        return 0;
    if (pace->idle_rounds > 1) {
        const double jump = (double)(1U << (pace->idle_rounds > 5 ? 5 : pace->idle_rounds)) * IDLE_STEP;

        change = jump > change ? jump : change;
    }
    return change < LEAST_STEP ? LEAST_STEP : change > MOST_STEP ? MOST_STEP : change;
}

/* The bare way is shorter than we knew: others held a queue when we measured it. */
static bool found_lower(const frd_wan_pace *pace, const frd_wan_path *path)
{
    return (double)(pace->down_way_ns - path->way_base_ns) > DOWN_FOUND * (double)path->base_ns;
}

static void begin_down(frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns, double cap)
{
    enter(pace, FRD_WAN_PACE_DOWN);
    pace->down_way_ns = path->way_base_ns;
    pace->down_ns = now_ns;
    pace->down_cap = cap;
    pace->down_queue_ns = (double)pace->queue_ns;
    pace->doubt = false;
}

/* Whoever shares a queue sees it empty at the same time, and wants to see it again at the same time. */
static bool due(const frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns)
{
    if (!path->settled)
        return pace->since >= DOWN_FIRST;
    return pace->since >= DOWN_ROUNDS_LEAST && pace->low_ns + DOWN_EVERY_NS < now_ns;
}

static void cruise_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, const frd_wan_round *round)
{
    const double target = pace->share * pace->favour * target_ns(pace, path, (double)frd_wan_path_rate(path));

    pace->since++;
    if (round->rtt_ns == 0 || pace->rounds < 2) /* what was sent in another mode comes back now */
        return;
    pace->high_rounds = (double)pace->queue_ns > QUEUE_FAR * target ? pace->high_rounds + 1 : 0;
    if (pace->high_rounds >= HIGH_ROUNDS) {
        begin_down(pace, path, now_ns, DOWN_CAP);
        pace->doubt = true;
        return;
    }
    if (found_lower(pace, path)) {
        begin_down(pace, path, now_ns, DOWN_AGAIN);
        return;
    }
    if (due(pace, path, now_ns) || (excess(pace) && !pace->tested)) {
        begin_down(pace, path, now_ns, DOWN_CAP);
        return;
    }
    pace->window *= 1 + step(pace, round, target);
    if (pace->window < CAP_LEAST)
        pace->window = CAP_LEAST;
    if (pace->window > (double)pace->inflight_max)
        pace->window = (double)pace->inflight_max;
}

/* Less was on its way, and the queue, long as it is, has not become shorter: it is none of ours, and the path
 * is another one than we think. (Or others that don't give way hold the queue: against them, too, this is
 * what to do.) */
static bool elsewhere(const frd_wan_pace *pace, const frd_wan_path *path)
{
    const double target = pace->share * target_ns(pace, path, (double)frd_wan_path_rate(path));

    return pace->doubt && (double)pace->queue_ns > QUEUE_FAR * target &&
           (double)pace->queue_ns > STILL * pace->down_queue_ns;
}

static void down_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns)
{
    if (pace->rounds < DOWN_ROUNDS || now_ns < pace->down_ns + DOWN_LEAST_NS)
        return;
    pace->tested = true;
    frd_wan_path_settle(path, now_ns);
    if (found_lower(pace, path)) {
        begin_down(pace, path, now_ns, DOWN_AGAIN);
        return;
    }
    if (elsewhere(pace, path)) {
        frd_wan_path_rebase(path, now_ns);
        pace->full_rate = 0;
        enter(pace, FRD_WAN_PACE_START);
        return;
    }
    pace->since = 0;
    pace->down_way_ns = path->way_base_ns;
    enter(pace, FRD_WAN_PACE_CRUISE);
}

static void on_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, const frd_wan_round *round)
{
    pace->rounds++;
    pace->queue_ns = round->queue_ns;
    note_losses(pace, path, round);
    switch (pace->mode) {
    case FRD_WAN_PACE_START:
        start_round(pace, path, now_ns, round);
        break;
    case FRD_WAN_PACE_DRAIN:
        break;
    case FRD_WAN_PACE_CRUISE:
        cruise_round(pace, path, now_ns, round);
        break;
    case FRD_WAN_PACE_DOWN:
        down_round(pace, path, now_ns);
        break;
    }
    pace->used = pace->cut = false;
}

/* The line has shrunk, and its queue is full: what is lost makes room in the window, and would go out again
 * at once. */
static void cut(frd_wan_pace *pace, const frd_wan_path *path)
{
    const double lost = (double)path->round.lost, sent = lost + (double)path->round.acked;
    const double rate = (double)path->latest_rate;
    double window;

    if (pace->cut || lost < CAP_LEAST || sent < pace->window / 2 ||
        lost < (pace->loss_bare + LOSS_HEAVY) * sent)
        return;
    window = window_of(pace, path, rate, target_ns(pace, path, rate));
    if (window < pace->window)
        pace->window = window;
    pace->cut = true;
}

/* ---- what follows ---- */

static void decide(frd_wan_pace *pace, const frd_wan_path *path)
{
    const double best = (double)frd_wan_path_rate(path);
    const double there = (double)path->base_ns + (double)frd_wan_path_queue(path);
    const double back = (double)frd_wan_path_back(path);
    double window = pace->window, rate = 0, quantum;

    if (pace->mode == FRD_WAN_PACE_DOWN) {
        const double bare = pace->down_cap * window_of(pace, path, best, 0);

        if (pace->doubt)
            window *= DOUBT_CAP;
        window = window < bare ? window : bare;
    }
    if (path->smooth_ns > 0)
        rate = window * 1e9 / there;
    if (pace->mode == FRD_WAN_PACE_START)
        rate *= START_RATE;
    else
        rate = (rate > best ? rate : best) * (pace->mode == FRD_WAN_PACE_DOWN ? 1 : CRUISE_RATE);
    if (pace->most_rate > 0 && rate > (double)pace->most_rate)
        rate = (double)pace->most_rate;
    /* What others' traffic on the way back does to the round trip must not change our rate, or both
     * directions swing. */
    if (pace->mode != FRD_WAN_PACE_START && back > 0)
        window *= 1 + (back < BACK_MOST * there ? back / there : BACK_MOST);
    pace->cap = window < (double)pace->inflight_max ? (uint64_t)window : pace->inflight_max;
    pace->rate = (uint64_t)rate;
    quantum = fmax(bytes_in(rate, (double)QUANTUM_NS), fmin(bytes_in(rate, (double)QUANTUM_SLOW_NS), QUANTUM_SLOW));
    pace->quantum_bytes = quantum < QUANTUM_MIN   ? QUANTUM_MIN
                          : quantum > QUANTUM_MAX ? QUANTUM_MAX
                                                  : (uint64_t)quantum;
}

void frd_wan_pace_ack(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, uint64_t acked_bytes,
                      const frd_wan_round *round)
{
    /* Grow only when it is used; and a route that carries heartbeats beside others' data sees their queue,
     * but has shown no rate of its own that it could go on with. */
    const uint64_t full = pace->mode == FRD_WAN_PACE_START ? pace->cap / 2 : pace->cap - pace->cap / 8;
    const bool used = path->inflight + acked_bytes >= full;

    pace->used = pace->used || used;
    if (round != NULL)
        on_round(pace, path, now_ns, round);
    if (pace->mode == FRD_WAN_PACE_START && used) {
        pace->window += (pace->window < START_FAST * (double)pace->start_bytes ? 2 : 1) * (double)acked_bytes;
        if (pace->window > (double)pace->inflight_max)
            pace->window = (double)pace->inflight_max;
        if (queue_shows(path))
            begin_drain(pace, path, now_ns);
    }
    if ((double)path->part_queue_ns < target_ns(pace, path, (double)frd_wan_path_rate(path)) * QUEUE_LOW)
        pace->low_ns = now_ns;
    if (pace->mode == FRD_WAN_PACE_DRAIN)
        drain(pace, path, now_ns);
    else
        cut(pace, path);
    path->hold = pace->mode == FRD_WAN_PACE_DOWN;
    decide(pace, path);
}

uint64_t frd_wan_pace_room(const frd_wan_pace *pace, const frd_wan_path *path, uint64_t now_ns, bool *full)
{
    const uint64_t room = pace->cap > path->inflight ? pace->cap - path->inflight : 0;

    *full = room == 0;
    if (room == 0 || now_ns < pace->next_ns)
        return 0;
    return room < pace->quantum_bytes ? room : pace->quantum_bytes;
}

void frd_wan_pace_sent(frd_wan_pace *pace, uint64_t now_ns, uint64_t bytes)
{
    if (pace->rate == 0)
        return;
    if (pace->next_ns + LATE_NS < now_ns)
        pace->next_ns = now_ns - LATE_NS;
    pace->next_ns += (uint64_t)((double)bytes * (double)FRD_NS_PER_S / (double)pace->rate);
}
