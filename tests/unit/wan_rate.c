/* SPDX-License-Identifier: BSD-3-Clause
 * wan_rate.c - see wan_rate.h. */
#include "wan_rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS FRD_NS_PER_MS
#define S FRD_NS_PER_S

enum { PIECE = 64 << 10, STEP_MS = 10 };

static model_link line(uint64_t rate, uint64_t rtt_ns, double queue)
{
    return (model_link){ .rate = rate,
                         .delay_ns = rtt_ns / 2,
                         .queue_bytes = (uint64_t)((double)rate * (double)rtt_ns / 1e9 * queue) };
}

void rate_begin(rate_world *w, int nodes, uint64_t seed, uint64_t rate, uint64_t rtt_ns, double queue)
{
    const model_link link = line(rate, rtt_ns, queue);

    memset(w, 0, sizeof(*w));
    model_init(&w->m, nodes, seed);
    w->m.late_ns = MS / 10;
    model_links(&w->m, &link);
    model_start(&w->m);
}

void rate_end(rate_world *w)
{
    if (w->m.failures > 0) {
        fprintf(stderr, "%d failures\n", w->m.failures);
        abort();
    }
    model_free(&w->m);
}

void rate_line(rate_world *w, int from, uint64_t rate, uint64_t rtt_ns, double queue)
{
    const model_link link = line(rate, rtt_ns, queue);

    for (int i = 0; i < w->m.nodes; i++) {
        model_link *const there = &w->m.link[from][i], *const back = &w->m.link[i][from];

        there->rate = back->rate = link.rate;
        there->delay_ns = back->delay_ns = link.delay_ns;
        there->queue_bytes = back->queue_bytes = link.queue_bytes;
    }
}

void rate_flow(rate_world *w, int from, int to)
{
    if (w->flows == RATE_FLOWS)
        abort();
    w->flow[w->flows].from = from;
    w->flow[w->flows].to = to;
    w->flow[w->flows].ahead_bytes = 8 << 20;
    w->flows++;
}

/* Ended messages go: the model looks at all that there are. */
static void prune(rate_world *w)
{
    for (model_transfer **at = &w->m.transfer, *t; (t = *at) != NULL;) {
        if (!t->ended_send || !t->ended_receive || t->todo) {
            at = &t->next;
            continue;
        }
        w->got[t->to][t->from] += t->len;
        *at = t->next;
        free(t->source);
        free(t->target);
        free(t);
    }
}

static void feed(rate_world *w)
{
    prune(w);
    for (int f = 0; f < w->flows; f++) {
        uint64_t ahead = 0;

        for (const model_transfer *t = w->m.transfer; t != NULL; t = t->next)
            ahead += t->from == w->flow[f].from && t->to == w->flow[f].to ? t->len : 0;
        while (ahead < w->flow[f].ahead_bytes) {
            model_transfer *const t = calloc(1, sizeof(*t));

            if (t == NULL)
                abort();
            t->from = w->flow[f].from;
            t->to = w->flow[f].to;
            t->len = 1 << 20;
            t->seed = w->flow[f].serial;
            t->tag = (frd_tag){ .comm = 1, .idx = w->flow[f].serial++ };
            model_send(&w->m, t);
            ahead += t->len;
        }
    }
}

void rate_pass(rate_world *w, uint64_t ns)
{
    const uint64_t until = w->m.now_ns + ns;

    while (w->m.now_ns < until) {
        feed(w);
        model_pass(&w->m, until - w->m.now_ns < STEP_MS * MS ? until - w->m.now_ns : STEP_MS * MS);
    }
    prune(w);
}

uint64_t rate_got(const rate_world *w, int to, int from)
{
    uint64_t bytes = w->got[to][from];

    /* What of a message has come shows in its buffer, which was 0xaa. */
    for (const model_transfer *t = w->m.transfer; t != NULL; t = t->next) {
        for (size_t at = 0; t->to == to && t->from == from && t->target != NULL && at < t->len; at += PIECE) {
            static const unsigned char none[16] = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
                                                    0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa };

            bytes += memcmp(t->target + at, none, sizeof(none)) != 0 ? PIECE : 0;
        }
    }
    return bytes;
}

/* ---- measurements ---- */

rate_goodput rate_transfer(uint64_t rate, uint64_t rtt_ns, double loss, size_t len)
{
    static rate_world w;
    rate_goodput g;
    uint64_t half_ns, half_bytes;
    model_transfer *t;

    rate_begin(&w, 2, 1, rate, rtt_ns, 1.0);
    w.m.link[0][1].loss = w.m.link[1][0].loss = loss;
    t = model_begin(&w.m, 0, 1, len, 1);
    model_pass(&w.m, (uint64_t)(0.3 * (double)len / (double)rate * 1e9));
    half_ns = w.m.now_ns;
    half_bytes = frd_wan_node_counts(w.m.node[1])->wan_received_bytes;
    if (!model_run(&w.m, w.m.now_ns + 100 * S))
        abort();
    g.whole = (double)len / ((double)(t->received_ns - t->start_ns) / 1e9) / (double)rate;
    g.steady = (double)(len - half_bytes) / ((double)(t->received_ns - half_ns) / 1e9) / (double)rate;
    g.again = (double)model_again(&w.m) / (double)len;
    g.median_ns = model_median_delay(&w.m);
    rate_end(&w);
    return g;
}

static double exchange(rate_world *w, uint64_t rate, unsigned mib, uint32_t first)
{
    const uint32_t nodes = (uint32_t)w->m.nodes, pairs = nodes * (nodes - 1), messages = 2 * mib / nodes;
    const uint64_t began = w->m.now_ns;

    for (uint32_t n = 0; n < pairs * messages; n++) {
        const uint32_t pair = n % pairs, from = pair % nodes, by = 1 + pair / nodes;

        model_begin(&w->m, (int)from, (int)((from + by) % nodes), 1 << 20, first + n);
    }
    if (!model_run(&w->m, w->m.now_ns + 60 * S))
        abort();
    prune(w);
    return (double)(w->m.now_ns - began) / 1e9 /
           ((double)messages * (double)(nodes - 1) * (1 << 20) / (double)rate + 0.04);
}

double rate_exchange(int nodes, uint64_t seed, double loss, unsigned mib, double *cold)
{
    static rate_world w;
    const uint64_t rate = 37500000;
    double warm;

    rate_begin(&w, nodes, seed, 0, 40 * MS, 0);
    for (int i = 0; i < nodes; i++) {
        w.m.in[i] = w.m.out[i] = (model_shaper){ .rate = rate, .queue_bytes = rate / 25 };
        for (int k = 0; k < nodes; k++)
            w.m.link[i][k].loss = loss;
    }
    *cold = exchange(&w, rate, mib, 0);
    warm = exchange(&w, rate, mib, 1 << 20);
    rate_end(&w);
    return warm;
}

double rate_relay(double loss, double queue, double *dropped)
{
    static rate_world w;
    uint64_t before, lost;

    rate_begin(&w, 3, 3, 12500000, 40 * MS, queue);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++)
            w.m.link[i][k].loss = loss;
    }
    if (frd_wan_node_route(w.m.node[0], 1, &(int){ 2 }, 1, w.m.now_ns) != FEDRDMA_OK)
        abort();
    rate_flow(&w, 0, 1);
    rate_pass(&w, S);
    w.m.link[0][1].down = w.m.link[1][0].down = true;
    rate_pass(&w, 1500 * MS);
    before = rate_got(&w, 1, 0);
    lost = w.m.dropped;
    w.m.queued = 0;
    rate_pass(&w, 3 * S);
    before = rate_got(&w, 1, 0) - before;
    *dropped = (double)(w.m.dropped - lost) / (double)w.m.queued;
    rate_end(&w);
    return (double)before / 37500000;
}

double rate_relayed_gather(double *direct)
{
    static rate_world w;
    const uint64_t rate = 37500000;
    double relayed;

    rate_begin(&w, 3, 1, 0, 40 * MS, 0);
    for (int i = 0; i < 3; i++)
        w.m.in[i] = w.m.out[i] = (model_shaper){ .rate = rate, .queue_bytes = rate / 25 };
    if (frd_wan_node_route(w.m.node[1], 0, &(int){ 2 }, 1, w.m.now_ns) != FEDRDMA_OK)
        abort();
    w.m.link[0][1].down = w.m.link[1][0].down = true;
    rate_flow(&w, 1, 0);
    rate_flow(&w, 2, 0);
    rate_pass(&w, 5 * S);
    relayed = (double)rate_got(&w, 0, 1);
    *direct = (double)rate_got(&w, 0, 2);
    rate_pass(&w, 5 * S);
    relayed = ((double)rate_got(&w, 0, 1) - relayed) / (5 * (double)rate);
    *direct = ((double)rate_got(&w, 0, 2) - *direct) / (5 * (double)rate);
    rate_end(&w);
    return relayed;
}

/* ---- an allreduce ---- */

enum { FRAGMENT = 4 << 20, WINDOW = 4, FRAGMENTS_MOST = 64 };

/* Of a fragment at a rank: pieces that came and were taken, of reduction (0) and result (1), and what it began. */
typedef struct piece {
    unsigned came[2], left[2];
    bool began[2], ended;
} piece;

static void begin_pieces(rate_world *w, int rank, uint32_t first, uint32_t fragment, unsigned kind)
{
    for (int by = 1; by < w->m.nodes; by++)
        model_begin(&w->m, rank, (rank + by) % w->m.nodes, FRAGMENT / (size_t)w->m.nodes, first + fragment * 2 + kind);
}

static void note_pieces(const rate_world *w, uint32_t first, piece table[][FRAGMENTS_MOST])
{
    for (const model_transfer *t = w->m.transfer; t != NULL; t = t->next) {
        const uint32_t n = t->tag.idx - first;

        if (t->ended_receive)
            table[t->to][n / 2].came[n % 2] |= 1U << t->from;
        if (t->ended_send)
            table[t->from][n / 2].left[n % 2] |= 1U << t->to;
    }
}

/* When so much of an allreduce is done, the link between 0 and 1 goes down: what is left when 0 notices that? */
typedef struct cut {
    double at, left;
    uint64_t noticed_ns; /* 0: not yet */
} cut;

static uint64_t got_by_all(const rate_world *w)
{
    uint64_t bytes = 0;

    for (int to = 0; to < w->m.nodes; to++) {
        for (int from = 0; from < w->m.nodes; from++)
            bytes += rate_got(w, to, from);
    }
    return bytes;
}

static void watch_cut(rate_world *w, cut *c, double done)
{
    if (done >= c->at)
        w->m.link[0][1].down = w->m.link[1][0].down = true;
    if (frd_wan_node_counts(w->m.node[0])->wan_routes_down > 0) {
        c->noticed_ns = w->m.now_ns;
        c->left = 1 - done;
    }
}

/* By direct reduce-scatter and allgather, four fragments at a time, as the library does it. Its seconds. */
static double allreduce(rate_world *w, uint32_t fragments, uint32_t first, cut *c)
{
    static piece table[MODEL_NODES][FRAGMENTS_MOST];
    const double all_bytes = 2. * FRAGMENT * (double)fragments * (double)(w->m.nodes - 1);
    const uint64_t began = w->m.now_ns, before = got_by_all(w);
    int running = w->m.nodes;

    if (fragments > FRAGMENTS_MOST)
        abort();
    memset(table, 0, sizeof(table));
    while (running > 0) {
        running = 0;
        for (int rank = 0; rank < w->m.nodes; rank++) {
            const unsigned all = ((1U << w->m.nodes) - 1) & ~(1U << rank);
            uint32_t open = 0;

            for (uint32_t f = 0; f < fragments; f++) {
                piece *const p = &table[rank][f];

                if (!p->began[0] && open < WINDOW) {
                    begin_pieces(w, rank, first, f, 0);
                    p->began[0] = true;
                }
                if (!p->began[1] && p->began[0] && p->came[0] == all) {
                    begin_pieces(w, rank, first, f, 1);
                    p->began[1] = true;
                }
                p->ended = p->began[1] && p->came[1] == all && p->left[0] == all && p->left[1] == all;
                open += p->began[0] && !p->ended;
                running += !p->ended;
            }
        }
        if (running == 0)
            break;
        if (w->m.now_ns - began > 100 * S)
            abort();
        model_pass(&w->m, MS / 2);
        note_pieces(w, first, table);
        prune(w);
        if (c != NULL && c->noticed_ns == 0)
            watch_cut(w, c, (double)(got_by_all(w) - before) / all_bytes);
    }
    return (double)(w->m.now_ns - began) / 1e9;
}

double rate_relayed_allreduce(uint64_t seed, unsigned mib, double *rest)
{
    static rate_world w;
    const uint64_t rate = 37500000;
    const double bound = 8. / 3. * (double)mib * (1 << 20) / (double)rate, bare = 0.04;
    cut c = { .at = 0.4 };
    double second;

    rate_begin(&w, 3, seed, 0, 40 * MS, 0);
    for (int i = 0; i < 3; i++)
        w.m.in[i] = w.m.out[i] = (model_shaper){ .rate = rate, .queue_bytes = rate / 25 };
    for (int i = 0; i < 2; i++) {
        if (frd_wan_node_route(w.m.node[i], 1 - i, &(int){ 2 }, 1, w.m.now_ns) != FEDRDMA_OK)
            abort();
    }
    (void)allreduce(&w, mib / 4, 0, NULL);
    (void)allreduce(&w, mib / 4, 1 << 20, &c);
    *rest = (c.left * bound + bare) / ((double)(w.m.now_ns - c.noticed_ns) / 1e9);
    second = (bound + bare) / allreduce(&w, mib / 4, 1 << 21, NULL);
    rate_end(&w);
    return second;
}

double rate_slow_silo(double *slow)
{
    static rate_world w;
    double share[2];

    for (int with = 0; with < 2; with++) {
        uint64_t before, before_slow;

        rate_begin(&w, 3, 1, 0, 40 * MS, 0);
        for (int i = 0; i < 3; i++) {
            const uint64_t rate = i == 2 ? 3750000 : 37500000;

            w.m.in[i] = w.m.out[i] = (model_shaper){ .rate = rate, .queue_bytes = rate / 25 };
        }
        if (with)
            rate_flow(&w, 0, 2);
        rate_flow(&w, 0, 1);
        rate_pass(&w, 2 * S);
        before = rate_got(&w, 1, 0);
        before_slow = rate_got(&w, 2, 0);
        rate_pass(&w, 4 * S);
        share[with] = (double)(rate_got(&w, 1, 0) - before) / 150e6;
        *slow = (double)(rate_got(&w, 2, 0) - before_slow) / 15e6;
        rate_end(&w);
    }
    return share[1] / share[0];
}

uint64_t rate_trap(uint64_t rate, uint64_t rtt_ns, double loss)
{
    static rate_world w;
    model_transfer *t;

    rate_begin(&w, 2, 1, rate, rtt_ns, 1.0);
    w.m.link[0][1].loss = w.m.link[1][0].loss = loss;
    model_begin(&w.m, 0, 1, rate * 5, 1);
    model_pass(&w.m, 5 * S);
    w.m.link[0][1].loss = w.m.link[1][0].loss = 0;
    if (!model_run(&w.m, w.m.now_ns + 500 * S))
        abort();
    w.m.link[0][1].loss = w.m.link[1][0].loss = loss;
    model_begin(&w.m, 0, 1, rate, 2);
    model_pass(&w.m, 5 * S);
    w.m.link[0][1].loss = w.m.link[1][0].loss = 0;
    t = model_begin(&w.m, 0, 1, 262144, 3);
    if (!model_run(&w.m, w.m.now_ns + 500 * S))
        abort();
    rtt_ns = t->received_ns - t->start_ns;
    rate_end(&w);
    return rtt_ns;
}
