/* SPDX-License-Identifier: BSD-3-Clause
 * wan_bench.c - a table of what the WAN's rate control makes of modelled links, in virtual time: shares of
 * the line, of payload by wire, so that headers (4.3% with 1500-byte packets) are in. Not a test: what of it
 * must hold is in test_wan_rate.c. Arguments: scenarios by the beginning of their names (all). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wan_model.h"
#include "wan_rate.h"

#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

typedef struct scenario {
    const char *name, *what;
    void (*run)(void);
} scenario;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)fflush(stdout);
}

/* Whole transfers from a cold start. */
static void goodput(void)
{
    static const double loss[] = { 0, 0.001, 0.01, 0.05 };

    for (size_t i = 0; i < sizeof(loss) / sizeof(loss[0]); i++) {
        const rate_goodput g = rate_transfer(125000000, 40 * MS, loss[i], (size_t)256 << 20);

        say("  loss %.3f: whole %.3f, steady %.3f, queue %.1f ms, again %.2f%%\n", loss[i], g.whole, g.steady,
            (double)g.median_ns / 1e6, 100 * g.again);
    }
}

static void slow_links(void)
{
    static const uint64_t rate[] = { 62500, 250000, 1250000, 12500000 };

    for (size_t i = 0; i < sizeof(rate) / sizeof(rate[0]); i++) {
        const rate_goodput g = rate_transfer(rate[i], 60 * MS, 0.001, rate[i] * 6);

        say("  %.1f Mbit/s, 60 ms: whole %.3f, steady %.3f, queue %.1f ms, again %.2f%%\n",
            (double)rate[i] * 8e-6, g.whole, g.steady, (double)g.median_ns / 1e6, 100 * g.again);
    }
}

/* One flow whose line changes after 3 s; its share in the time after. */
static void change(const char *what, uint64_t rate0, uint64_t rtt0, uint64_t rate1, uint64_t rtt1,
                   uint64_t out_ns)
{
    rate_world w;
    uint64_t again;

    rate_begin(&w, 2, 1, rate0, rtt0, 1.0);
    rate_flow(&w, 0, 1);
    rate_pass(&w, 3 * S);
    again = model_again(&w.m);
    rate_line(&w, 0, rate1, rtt1, 1.0);
    if (out_ns > 0) {
        w.m.link[0][1].down = w.m.link[1][0].down = true;
        rate_pass(&w, out_ns);
        w.m.link[0][1].down = w.m.link[1][0].down = false;
    }
    say("  %-28s share in seconds after:", what);
    for (int i = 0; i < 6; i++) {
        const uint64_t before = rate_got(&w, 1, 0);

        rate_pass(&w, S);
        say(" %.2f", (double)(rate_got(&w, 1, 0) - before) / (double)rate1);
    }
    say(", again %.2f bdp\n",
        (double)(model_again(&w.m) - again) / ((double)(rate0 > rate1 ? rate0 : rate1) * (double)rtt0 / 1e9));
    rate_end(&w);
}

static void changes(void)
{
    change("RTT 40 -> 120 ms", 12500000, 40 * MS, 12500000, 120 * MS, 0);
    change("RTT 20 -> 200 ms", 12500000, 20 * MS, 12500000, 200 * MS, 0);
    change("RTT 120 -> 40 ms", 12500000, 120 * MS, 12500000, 40 * MS, 0);
    change("rate / 10", 25000000, 40 * MS, 2500000, 40 * MS, 0);
    change("rate x 10", 2500000, 40 * MS, 25000000, 40 * MS, 0);
    change("3 s out", 25000000, 40 * MS, 25000000, 40 * MS, 3 * S);
    change("3 s out, rate / 10", 25000000, 40 * MS, 2500000, 40 * MS, 3 * S);
    change("3 s out, RTT 40 -> 100 ms", 25000000, 40 * MS, 25000000, 100 * MS, 3 * S);
}

/* Flows that share the first rank's line out. */
static void sharing(const char *what, int flows, const uint64_t *rtt_ns, const uint64_t *start_ns,
                    double queue)
{
    rate_world w;
    uint64_t before[MODEL_NODES], dropped;
    double sum = 0, squares = 0;

    rate_begin(&w, flows + 1, 1, 0, 40 * MS, 1.0);
    w.m.out[0] = (model_shaper){ .rate = 12500000, .queue_bytes = (uint64_t)(12500000 * 0.04 * queue) };
    for (int i = 1; i <= flows; i++)
        w.m.link[0][i].delay_ns = w.m.link[i][0].delay_ns = rtt_ns[i - 1] / 2;
    for (uint64_t at = 0; at < 20 * S; at += S / 2) {
        for (int i = 0; i < flows; i++) {
            if (start_ns[i] == at)
                rate_flow(&w, 0, i + 1);
        }
        rate_pass(&w, S / 2);
    }
    for (int i = 1; i <= flows; i++)
        before[i] = rate_got(&w, i, 0);
    dropped = w.m.dropped;
    memset(w.m.delays, 0, sizeof(w.m.delays));
    w.m.queued = 0;
    rate_pass(&w, 10 * S);
    say("  %-34s shares", what);
    for (int i = 1; i <= flows; i++) {
        const double share = (double)(rate_got(&w, i, 0) - before[i]) / 125e6;

        say(" %.3f", share);
        sum += share;
        squares += share * share;
    }
    say(", sum %.3f, Jain %.3f, dropped %.2f%%, queue %.1f ms\n", sum, sum * sum / squares / flows,
        100.0 * (double)(w.m.dropped - dropped) / (double)(w.m.queued + 1),
        (double)model_median_delay(&w.m) / 1e6);
    rate_end(&w);
}

static void shares(void)
{
    sharing("RTT 10, 100 ms", 2, (uint64_t[]){ 10 * MS, 100 * MS }, (uint64_t[]){ 0, 0 }, 2);
    sharing("RTT 10, 100 ms; long one late", 2, (uint64_t[]){ 10 * MS, 100 * MS }, (uint64_t[]){ 0, 5 * S },
            2);
    sharing("RTT 10, 100 ms; short one late", 2, (uint64_t[]){ 10 * MS, 100 * MS }, (uint64_t[]){ 5 * S, 0 },
            2);
    sharing("RTT 40, 40; one late", 2, (uint64_t[]){ 40 * MS, 40 * MS }, (uint64_t[]){ 0, 5 * S }, 1);
    sharing("4, RTT 40, late 0 5 10 15 s", 4, (uint64_t[]){ 40 * MS, 40 * MS, 40 * MS, 40 * MS },
            (uint64_t[]){ 0, 5 * S, 10 * S, 15 * S }, 1);
    sharing("3, queue 0.25", 3, (uint64_t[]){ 40 * MS, 40 * MS, 40 * MS }, (uint64_t[]){ 0, 5 * S, 10 * S },
            0.25);
    sharing("3, queue 0.1", 3, (uint64_t[]){ 40 * MS, 40 * MS, 40 * MS }, (uint64_t[]){ 0, 5 * S, 10 * S },
            0.1);
    sharing("1, queue 0.1", 1, (uint64_t[]){ 40 * MS }, (uint64_t[]){ 0 }, 0.1);
    sharing("1, queue 0.04", 1, (uint64_t[]){ 40 * MS }, (uint64_t[]){ 0 }, 0.04);
}

static void jitter(void)
{
    static const struct {
        uint64_t jitter_ns;
        double loss;
    } set[] = { { 5 * MS, 0 }, { 20 * MS, 0 }, { 20 * MS, 0.01 }, { 40 * MS, 0.01 } };

    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        say("  %.0f ms each way, loss %.2f:", (double)set[i].jitter_ns / 1e6, set[i].loss);
        for (uint64_t seed = 1; seed <= 3; seed++) {
            rate_world w;
            uint64_t before;

            rate_begin(&w, 2, seed, 12500000, 40 * MS, 2.0);
            w.m.link[0][1].jitter_ns = w.m.link[1][0].jitter_ns = set[i].jitter_ns;
            w.m.link[0][1].loss = w.m.link[1][0].loss = set[i].loss;
            rate_flow(&w, 0, 1);
            rate_pass(&w, 2 * S);
            before = rate_got(&w, 1, 0);
            rate_pass(&w, 8 * S);
            say(" %.3f", (double)(rate_got(&w, 1, 0) - before) / 100e6);
            rate_end(&w);
        }
        say("\n");
    }
}

static void exchange(void)
{
    static const double loss[] = { 0, 0.001, 0.01 };

    for (int n = 3; n <= 5; n += 2) {
        for (size_t i = 0; i < 3; i++) {
            say("  %d ranks, loss %.3f, by the bound, cold and then warm:", n, loss[i]);
            for (uint64_t seed = 1; seed <= 3; seed++) {
                double cold;
                const double warm = rate_exchange(n, seed, loss[i], 64, &cold);

                say(" %.3f %.3f,", cold, warm);
            }
            say("\n");
        }
    }
}

static void relay(void)
{
    static const double queue[] = { 1, 0.25, 0.1 };
    double other;

    for (size_t i = 0; i < sizeof(queue) / sizeof(queue[0]); i++) {
        for (int lossy = 0; lossy < 2; lossy++) {
            const double got = rate_relay(lossy * 0.001, queue[i], &other);

            say("  queues of %.2f bdp, loss %.3f: %.3f of the line, dropped %.2f%%\n", queue[i], lossy * 0.001, got,
                100 * other);
        }
    }
    say("  a gather: %.3f of the line, ", rate_relayed_gather(&other));
    say("%.3f that come straight\n", other);
}

static void allreduce(void)
{
    double sum[2] = { 0, 0 };

    for (uint64_t seed = 1; seed <= 8; seed++) {
        double rest;
        const double second = rate_relayed_allreduce(seed, 128, &rest);

        say("  %.3f, then %.3f of what the lines allow\n", rest, second);
        sum[0] += rest / 8;
        sum[1] += second / 8;
    }
    say("  mean %.3f, then %.3f\n", sum[0], sum[1]);
}

static void slow_silo(void)
{
    double slow;
    const double fast = rate_slow_silo(&slow);

    say("  0 -> 1 beside 0 -> 2: %.3f of what it has without it; 0 -> 2 %.3f of its line\n", fast, slow);
}

static void trap(void)
{
    for (int i = 0; i < 4; i++) {
        static const uint64_t rate[] = { 250000, 250000, 1250000, 6250000 };
        static const double loss[] = { 0.3, 0.6, 0.5, 0.5 };

        say("  %.0f Mbit/s after 5 s of %.0f%% loss: 262 KB in %.2f s, bound %.2f s\n",
            (double)rate[i] * 8e-6, loss[i] * 100, (double)rate_trap(rate[i], 80 * MS, loss[i]) / 1e9,
            262144.0 / (double)rate[i] + 0.08);
    }
}

static const scenario table[] = {
    { "goodput", "256 MiB from cold, 1 Gbit/s, 40 ms, queue 1 bdp", goodput },
    { "slow", "slow links from cold", slow_links },
    { "change", "the line changes under a flow", changes },
    { "shares", "flows out of one rank, 100 Mbit/s, in one queue", shares },
    { "jitter", "100 Mbit/s, 40 ms, and jitter", jitter },
    { "exchange", "all to all, lines of 300 Mbit/s, 40 ms, queues of 1 bdp", exchange },
    { "relay", "through a third rank", relay },
    { "allreduce", "128 MiB among three, lines of 300 Mbit/s, a link down in the middle", allreduce },
    { "silo", "a rank ten times slower than the others", slow_silo },
    { "trap", "after heavy loss", trap },
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        bool wanted = argc < 2;

        for (int a = 1; a < argc; a++)
            wanted = wanted || strncmp(table[i].name, argv[a], strlen(argv[a])) == 0;
        if (!wanted)
            continue;
        say("%s: %s\n", table[i].name, table[i].what);
        table[i].run();
    }
    return EXIT_SUCCESS;
}
