/* SPDX-License-Identifier: BSD-3-Clause
 * pace.c - rate control after BBR (Cardwell et al., ACM Queue 2016, and
 * draft-cardwell-iccrg-bbr-congestion-control): a model of the path, its rate (best delivery rate of the last
 * round trips) and its bare round trip, not its losses, decides. Where it differs from BBR, and why:
 *
 *   - CRUISE keeps a small queue (QUEUE of the path's content) instead of none and up to a whole one: the
 * line never runs empty, and neither jitter nor our own late wake-ups cost goodput, which BBR's eight-phase
 * cycle and its 200 ms of ProbeRTT do. The rate steers there, within some per cent of the path's.
 *   - START ends when a queue shows, not only when the rate stops to grow three rounds later: a queue of one
 * path's content then does not overflow.
 *   - The bare round trip shows in the DOWN round after each UP, where the cap is exactly the path's content.
 *   - Loss alone is not congestion: DOWN rounds, where there is no queue, show how much of it the path has
 * anyway, and so much more is sent. Loss beyond that is a shallow queue that overflows: then CRUISE gives up
 * its surplus. */
#include "wan/pace.h"

#include "base/clock.h"

/* Shares of the path's content (rate x bare round trip). */
#define QUEUE 0.10 /* that CRUISE keeps in the queue; also its median queueing delay over the round trip */
#define QUEUE_BYTES \
    32768. /* and so many bytes more, alike for all: of two that share a line, the slower one gains */
#define QUEUE_SHOWS 0.25   /* START has filled the path */
#define QUEUE_TOO_LONG 0.4 /* others fill it, too: let go */
#define QUEUE_NONE 0.02    /* the path can carry more */
#define UP_CAP 1.5
#define UP_RATE 1.25
#define CRUISE_LEAST 0.94
#define CRUISE_MOST 1.06
#define CRUISE_CAP 1.5
#define START_RATE 2.0
#define DOWN_RATE 0.97
#define DRAIN_RATE 0.5
#define LOSS_EXCESS 0.02 /* above that of DOWN rounds: the queue overflows */
#define SURPLUS_LEAST (-0.4)
#define SURPLUS_STEP 0.2
#define UP_GROWTH 1.1  /* UP has found more */
#define LOSS_START 0.1 /* ends START, where the loss of the path is not known yet */
#define LOSS_MOST 0.3  /* that we send more for */
#define GROWTH 1.25    /* a round of START must bring so much */

enum {
    CRUISE_ROUNDS = 8, /* between two UPs, twice as many after each one in vain */
    CRUISE_ROUNDS_MOST = 32,
    FLAT_ROUNDS = 3,
    IDLE_ROUNDS = 2,
    QUANTUM_MAX = 48 * 1024, /* one batch of segmentation offload */
    QUANTUM_MIN = 2 * 1500
};

#define CAP_LEAST (4. * QUANTUM_MIN)
#define QUEUE_NOISE_NS (2 * FRD_NS_PER_MS)  /* a queue shorter than this may be our own wake-ups */
#define QUANTUM_NS (FRD_NS_PER_MS / 2)      /* what may go at once, in time */
#define LATE_NS (FRD_NS_PER_MS)             /* a sender that wakes late may catch up with so much */
#define ACK_NS (FRD_NS_PER_MS + QUANTUM_NS) /* acknowledgements and wake-ups come in steps: room for one */

void frd_wan_pace_init(frd_wan_pace *pace, uint64_t start_bytes, uint64_t most_rate, uint64_t inflight_max)
{
    *pace = (frd_wan_pace){
        .start_bytes = start_bytes,
        .most_rate = most_rate,
        .inflight_max = inflight_max,
        .cap = start_bytes,
        .surplus = 1,
        .cruise_rounds = CRUISE_ROUNDS,
        .quantum_bytes = QUANTUM_MIN,
    };
}

static double bytes_in(uint64_t rate, uint64_t ns)
{
    return (double)rate * (double)ns / (double)FRD_NS_PER_S;
}

static void enter(frd_wan_pace *pace, enum frd_wan_pace_mode mode)
{
    pace->mode = mode;
    pace->rounds = pace->idle_rounds = pace->flat_rounds = 0;
}

static bool longer(const frd_wan_path *path, uint64_t queue_ns, double share)
{
    return (double)queue_ns > share * (double)path->base_ns && queue_ns > QUEUE_NOISE_NS;
}

/* The smoothed round trip follows within some dozen acknowledgements. */
static bool queue_shows(const frd_wan_path *path)
{
    return path->smooth_ns > path->base_ns && longer(path, path->smooth_ns - path->base_ns, QUEUE_SHOWS);
}

/* More loss than without a queue. */
static bool excess(const frd_wan_pace *pace)
{
    return pace->loss_round > pace->loss_bare + LOSS_EXCESS;
}

static void note_losses(frd_wan_pace *pace, const frd_wan_round *round)
{
    const uint64_t sent = round->acked + round->lost;

    if (sent == 0)
        return;
    pace->loss_round = (double)round->lost / (double)sent;
    pace->loss_mean += (pace->loss_round - pace->loss_mean) / 8;
    if ((pace->mode == FRD_WAN_PACE_DOWN && pace->rounds >= 2) || pace->loss_round < pace->loss_bare)
        pace->loss_bare += (pace->loss_round - pace->loss_bare) / 2;
    if (pace->mode == FRD_WAN_PACE_START || pace->mode == FRD_WAN_PACE_DRAIN)
        return;
    if (!excess(pace))
        pace->surplus = pace->surplus + SURPLUS_STEP / 4 > 1 ? 1 : pace->surplus + SURPLUS_STEP / 4;
    else if (pace->mode == FRD_WAN_PACE_CRUISE && pace->tested)
        pace->surplus =
            pace->surplus - SURPLUS_STEP < SURPLUS_LEAST ? SURPLUS_LEAST : pace->surplus - SURPLUS_STEP;
}

static void start_round(frd_wan_pace *pace, const frd_wan_path *path, const frd_wan_round *round)
{
    const uint64_t rate = frd_wan_path_rate(path);

    if (pace->loss_round > pace->loss_bare + LOSS_START && round->lost > pace->start_bytes / 8) {
        enter(pace, FRD_WAN_PACE_DRAIN);
        return;
    }
    if (round->limited)
        return;
    if ((double)rate >= GROWTH * (double)pace->full_rate) {
        pace->full_rate = rate;
        pace->flat_rounds = 0;
    } else if (++pace->flat_rounds >= FLAT_ROUNDS) {
        enter(pace, FRD_WAN_PACE_DRAIN);
    }
}

static void cruise_round(frd_wan_pace *pace, const frd_wan_path *path, const frd_wan_round *round)
{
    const bool idle = !round->limited && pace->surplus >= 1 &&
                      (double)pace->queue_ns < QUEUE_NONE * (double)path->base_ns + (double)QUANTUM_NS;

    pace->idle_rounds = idle ? pace->idle_rounds + 1 : 0;
    pace->cruise_rtt_ns = round->rtt_ns;
    if ((longer(path, pace->queue_ns, QUEUE_TOO_LONG) && pace->rounds >= CRUISE_ROUNDS / 2) ||
        (excess(pace) && !pace->tested)) {
        enter(pace, FRD_WAN_PACE_DOWN);
    } else if (pace->idle_rounds >= IDLE_ROUNDS || pace->rounds >= pace->cruise_rounds) {
        pace->full_rate = frd_wan_path_rate(path);
        enter(pace, FRD_WAN_PACE_UP);
    }
}

/* More on its way that makes more come through did not wait in a queue: the round trip before UP was a bare
 * one, whatever we thought. */
static bool has_grown(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns)
{
    const uint64_t rate = frd_wan_path_rate(path);

    if ((double)rate <= UP_GROWTH * (double)pace->full_rate)
        return false;
    pace->full_rate = rate;
    pace->cruise_rounds = CRUISE_ROUNDS;
    pace->tested = false;
    if ((double)pace->queue_ns < 2 * QUEUE_NONE * (double)path->base_ns) {
        enter(pace, FRD_WAN_PACE_START);
        return true;
    }
    if (++pace->grown >= 2 && pace->cruise_rtt_ns > path->base_ns)
        frd_wan_path_rebase(path, now_ns, pace->cruise_rtt_ns);
    enter(pace, FRD_WAN_PACE_UP);
    return true;
}

/* The first round of UP shows the rate before it, the last ones of its answer come in the first one of DOWN.
 */
static void up_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns)
{
    if (pace->rounds < 2 || has_grown(pace, path, now_ns))
        return;
    enter(pace, FRD_WAN_PACE_DOWN);
    pace->asked = true;
}

static void down_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns)
{
    const bool asked = pace->asked;

    pace->asked = false;
    if (asked && has_grown(pace, path, now_ns))
        return;
    if (asked)
        pace->cruise_rounds =
            2 * pace->cruise_rounds > CRUISE_ROUNDS_MOST ? CRUISE_ROUNDS_MOST : 2 * pace->cruise_rounds;
    if (pace->rounds < 2)
        return;
    pace->tested = true;
    pace->grown = 0;
    enter(pace, FRD_WAN_PACE_CRUISE);
}

static void on_round(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, const frd_wan_round *round)
{
    pace->rounds++;
    pace->queue_ns = round->rtt_ns > path->base_ns ? round->rtt_ns - path->base_ns : 0;
    note_losses(pace, round);
    switch (pace->mode) {
    case FRD_WAN_PACE_START:
        start_round(pace, path, round);
        break;
    case FRD_WAN_PACE_DRAIN:
        break;
    case FRD_WAN_PACE_CRUISE:
        cruise_round(pace, path, round);
        break;
    case FRD_WAN_PACE_UP:
        up_round(pace, path, now_ns);
        break;
    case FRD_WAN_PACE_DOWN:
        down_round(pace, path, now_ns);
        break;
    }
}

/* Steers towards a little queue: by the round trip as it is now, half of the difference in each one, which is
 * stable. The bounds are narrow. Who shares the line sees the same queue and is slowed down alike; a session
 * whose path has one queue more than theirs would otherwise give way to them until nothing is left of it. */
static double cruise_gain(const frd_wan_pace *pace, const frd_wan_path *path, double content)
{
    const uint64_t queue_ns = path->smooth_ns > path->base_ns ? path->smooth_ns - path->base_ns : 0;
    const double more = content > 8 * QUEUE_BYTES ? QUEUE_BYTES / content : 1.0 / 8;
    const double queue = (double)queue_ns / (double)(path->base_ns + 1);
    double gain = 1 + (QUEUE + more - queue) / 2;

    gain = gain < CRUISE_LEAST ? CRUISE_LEAST : gain > CRUISE_MOST ? CRUISE_MOST : gain;
    return gain > 1 ? 1 + (gain - 1) * pace->surplus : gain;
}

static void decide(frd_wan_pace *pace, const frd_wan_path *path)
{
    static const double rate_of[] = { [FRD_WAN_PACE_START] = START_RATE,
                                      [FRD_WAN_PACE_DRAIN] = DRAIN_RATE,
                                      [FRD_WAN_PACE_CRUISE] = 1.0,
                                      [FRD_WAN_PACE_UP] = UP_RATE,
                                      [FRD_WAN_PACE_DOWN] = DOWN_RATE };
    static const double cap_of[] = { [FRD_WAN_PACE_DRAIN] = 1.0,
                                     [FRD_WAN_PACE_CRUISE] = CRUISE_CAP,
                                     [FRD_WAN_PACE_UP] = UP_CAP,
                                     [FRD_WAN_PACE_DOWN] = 1.0 };
    const uint64_t best = frd_wan_path_rate(path);
    const double content = bytes_in(best, path->base_ns);
    const double random = pace->loss_mean < pace->loss_bare ? pace->loss_mean : pace->loss_bare;
    const double sent =
        1.0 / (1.0 - (random < LOSS_MOST ? random : LOSS_MOST)); /* for each byte that arrives */
    double rate = (double)best * sent, quantum;

    if (pace->mode == FRD_WAN_PACE_START) {
        rate = path->smooth_ns == 0
                   ? 0
                   : START_RATE * (double)pace->cap * (double)FRD_NS_PER_S / (double)path->smooth_ns;
    } else {
        double cap = content * sent * cap_of[pace->mode] + bytes_in(best, ACK_NS);

        rate *= pace->mode == FRD_WAN_PACE_CRUISE ? cruise_gain(pace, path, content) : rate_of[pace->mode];
        cap = cap < CAP_LEAST ? CAP_LEAST : cap;
        pace->cap = (uint64_t)cap;
        /* What was shown may be heartbeats, or what came through an outage: the least cap can always be used. */
        if (path->smooth_ns > 0 && rate < CAP_LEAST * (double)FRD_NS_PER_S / (double)path->smooth_ns)
            rate = CAP_LEAST * (double)FRD_NS_PER_S / (double)path->smooth_ns;
    }
    if (pace->most_rate > 0 && rate > (double)pace->most_rate)
        rate = (double)pace->most_rate;
    if (pace->cap > pace->inflight_max)
        pace->cap = pace->inflight_max;
    pace->rate = (uint64_t)rate;
    quantum = bytes_in(pace->rate, QUANTUM_NS);
    pace->quantum_bytes = quantum < QUANTUM_MIN   ? QUANTUM_MIN
                          : quantum > QUANTUM_MAX ? QUANTUM_MAX
                                                  : (uint64_t)quantum;
}

void frd_wan_pace_ack(frd_wan_pace *pace, frd_wan_path *path, uint64_t now_ns, uint64_t acked_bytes,
                      const frd_wan_round *round)
{
    if (round != NULL)
        on_round(pace, path, now_ns, round);
    /* Grow only when it is used; and a route that carries heartbeats beside others' data sees their queue, but has
     * shown no rate of its own that it could go on with. */
    if (pace->mode == FRD_WAN_PACE_START && path->inflight + acked_bytes >= pace->cap / 2) {
        pace->cap += acked_bytes;
        if (queue_shows(path))
            enter(pace, FRD_WAN_PACE_DRAIN);
    }
    if (pace->mode == FRD_WAN_PACE_DRAIN &&
        (double)path->inflight <= bytes_in(frd_wan_path_rate(path), path->base_ns + ACK_NS))
        enter(pace, FRD_WAN_PACE_CRUISE);
    path->hold = pace->mode == FRD_WAN_PACE_DOWN || pace->mode == FRD_WAN_PACE_DRAIN;
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
