/* SPDX-License-Identifier: BSD-3-Clause
 * wan_model.c - see wan_model.h. A discrete event simulation: a heap of arrivals, and the nodes' own
 * deadlines. */
#include "wan_model.h"
#include "wan_events.h"
#include "wan_pattern.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROOM = 64000, HEADERS = 28 };

uint64_t model_draw(model *m)
{
    uint64_t z = m->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double model_chance(model *m)
{
    return (double)(model_draw(m) >> 11) * 0x1p-53;
}

frd_wan_addr model_addr(int rank, int variant)
{
    frd_wan_addr addr = { .len = 4, .bytes = { 10, 0, (uint8_t)variant, (uint8_t)rank } };

    return addr;
}

/* ---- links ---- */

/* When a packet that comes at `at` has left a shaper; 0: its queue is full. */
static uint64_t shape(uint64_t rate, uint64_t queue_bytes, uint64_t *free_ns, uint64_t at, size_t bytes)
{
    const uint64_t wait = *free_ns > at ? *free_ns - at : 0;

    if (rate == 0)
        return at;
    if (queue_bytes > 0 && (double)wait * (double)rate / 1e9 > (double)queue_bytes)
        return 0;
    *free_ns = at + wait + (uint64_t)((double)bytes * 1e9 / (double)rate);
    return *free_ns;
}

static bool is_lost(model *m, model_link *l)
{
    if (l->bad_enter > 0) {
        l->bad = l->bad ? model_chance(m) >= l->bad_leave : model_chance(m) < l->bad_enter;
        if (l->bad && model_chance(m) < l->bad_loss)
            return true;
    }
    return l->loss > 0 && model_chance(m) < l->loss;
}

static unsigned char *copy_of(const unsigned char *data, size_t bytes)
{
    unsigned char *const copy = malloc(bytes);

    if (copy == NULL)
        abort();
    memcpy(copy, data, bytes);
    return copy;
}

static void deliver(model *m, int from, int to, const unsigned char *data, size_t bytes, uint64_t at)
{
    model_link *const l = &m->link[from][to];
    model_event e = { .at_ns = at + l->delay_ns,
                      .arrived = true,
                      .to = to,
                      .from = from,
                      .addr = m->addr[from],
                      .bytes = bytes };

    if (l->jitter_ns > 0) {
        e.at_ns += model_draw(m) % l->jitter_ns;
        if (l->reorder == 0 && e.at_ns < l->last_ns) /* jitter alone keeps the order */
            e.at_ns = l->last_ns;
    }
    if (l->reorder > 0 && model_chance(m) < l->reorder)
        e.at_ns += l->reorder_ns;
    else
        l->last_ns = e.at_ns;
    e.data = copy_of(data, bytes);
    if (l->corrupt > 0 && model_chance(m) < l->corrupt)
        e.data[model_draw(m) % bytes] ^= (unsigned char)(1 << model_draw(m) % 8);
    model_event_push(m, e);
}

/* Behind all lines: what becomes of it on the way. */
static void cross(model *m, int from, int to, const unsigned char *data, size_t bytes, uint64_t sent_ns,
                  uint64_t at)
{
    model_link *const l = &m->link[from][to];
    const uint64_t wait = (at - sent_ns) / m->delay_unit_ns;

    m->delays[wait < 511 ? wait : 511]++;
    m->queued++;
    if (is_lost(m, l))
        return;
    deliver(m, from, to, data, bytes, at);
    if (l->duplicate > 0 && model_chance(m) < l->duplicate)
        deliver(m, from, to, data, bytes, at);
}

static void transmit(model *m, int from, const frd_wan_addr *addr, const unsigned char *data, size_t bytes)
{
    const int to = addr->bytes[3];
    model_link *const l = &m->link[from][to];
    const size_t wire = bytes + HEADERS;
    uint64_t at = m->now_ns;

    if (to >= m->nodes || memcmp(addr, &m->addr[to], sizeof(*addr)) != 0 || l->down)
        return; /* nobody has that address (any more) */
    if (l->mtu > 0 && wire > l->mtu) {
        m->too_long++;
        if (l->tells)
            model_event_push(m, (model_event){ .at_ns = m->now_ns + l->delay_ns,
                                               .refused = true,
                                               .carried = l->mtu - HEADERS,
                                               .to = from,
                                               .from = to,
                                               .bytes = bytes < 64 ? bytes : 64,
                                               .data = copy_of(data, bytes < 64 ? bytes : 64) });
        return;
    }
    at = shape(m->out[from].rate, m->out[from].queue_bytes, &m->out[from].free_ns, at, wire);
    if (at > 0)
        at = shape(l->rate, l->queue_bytes, &l->free_ns, at, wire);
    if (at == 0)
        m->dropped++;
    else if (m->in[to].rate == 0)
        cross(m, from, to, data, bytes, m->now_ns, at);
    else
        model_event_push(m, (model_event){ .at_ns = at,
                                           .sent_ns = m->now_ns,
                                           .to = to,
                                           .from = from,
                                           .bytes = bytes,
                                           .data = copy_of(data, bytes) });
}

/* A datagram stands before the line into its rank. */
static void enter(model *m, const model_event *e)
{
    model_shaper *const in = &m->in[e->to];
    const uint64_t at = shape(in->rate, in->queue_bytes, &in->free_ns, e->at_ns, e->bytes + HEADERS);

    if (at == 0)
        m->dropped++;
    else
        cross(m, e->from, e->to, e->data, e->bytes, e->sent_ns, at);
}

uint64_t model_median_delay(const model *m)
{
    uint64_t sum = 0;
    size_t i = 0;

    while (i < 511 && (sum += m->delays[i]) * 2 < m->queued)
        i++;
    return i * m->delay_unit_ns;
}

/* ---- users ---- */

/* One per node: what the callbacks get. */
typedef struct end {
    model *m;
    int rank;
} end;
static end ends[MODEL_NODES];

static void ended(model *m, model_transfer *t, bool sending, int rc)
{
    size_t bad;

    if (sending ? t->ended_send : t->ended_receive)
        m->failures++;
    if (sending) {
        t->ended_send = true;
        t->sent_rc = rc;
        t->sent_ns = m->now_ns;
        return;
    }
    t->ended_receive = true;
    t->received_rc = rc;
    t->received_ns = m->now_ns;
    m->delivered += rc == FEDRDMA_OK ? t->len : 0;
    bad = rc == FEDRDMA_OK ? wan_pattern_check(t->seed, t->target, t->len) : t->len;
    if (bad < t->len) {
        fprintf(stderr, "bytes behind %zu of %zu are wrong\n", bad, t->len);
        m->failures++;
    }
}

/* Transfers with which something is to be done, perhaps later, are in a list of their own. */
static void look_at(model *m, model_transfer *t)
{
    if (t->todo)
        return;
    t->todo = true;
    t->next_todo = m->todo;
    m->todo = t;
}

static bool is_served(const model_transfer *t)
{
    const bool cancels = t->cancel_send && !t->ended_send && t->out != NULL;

    return !cancels && (t->ended_receive || t->in == NULL ||
                        (t->target != NULL && t->early == NULL && !t->cancel_receive));
}

static void on_offered(void *arg, int peer, const frd_tag *tag, uint64_t len, frd_wan_in *in)
{
    end *const e = arg;
    model_transfer *t = e->m->transfer;

    while (t != NULL && (memcmp(&t->tag, tag, sizeof(*tag)) != 0 || t->from != peer || t->to != e->rank))
        t = t->next;
    if (t == NULL || t->offered || t->len != len) {
        e->m->failures++;
        return;
    }
    t->offered = true;
    t->in = in;
    look_at(e->m, t);
}

static void on_control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    end *const e = arg;
    const unsigned char *const at = data;

    (void)peer;
    e->m->controls[e->rank]++;
    e->m->failures += len != tag->seq;
    for (size_t i = 0; i < len; i++)
        e->m->failures += at[i] != (unsigned char)tag->idx;
}

static void on_sent(void *arg, void *user, int rc)
{
    ended(((end *)arg)->m, user, true, rc);
}

static void on_received(void *arg, void *user, int rc)
{
    ended(((end *)arg)->m, user, false, rc);
}

static void on_left(void *arg, int peer)
{
    ((end *)arg)->m->left[((end *)arg)->rank] |= 1 << peer;
}

static void on_lost(void *arg, int peer, const char *why)
{
    ((end *)arg)->m->lost[((end *)arg)->rank] |= 1 << peer;
    ((end *)arg)->m->why = why;
}

/* What came early is moved from one event to the next, so that anything may happen meanwhile. */
static void accept_some(model *m, model_transfer *t)
{
    int rc;

    frd_wan_early_move(t->early, t->target);
    m->wake_ns[t->to] = 0;
    if (!frd_wan_accept(m->node[t->to], m->now_ns, t->in, t->target, t, &t->early, &rc))
        ended(m, t, false, rc);
}

/* What the ranks do with offers, and when: after each event. */
static void serve(model *m)
{
    for (model_transfer *t = m->todo; t != NULL; t = t->next_todo) {
        if (t->cancel_ns > 0 && m->now_ns >= t->cancel_ns && t->cancel_send && !t->ended_send &&
            t->out != NULL) {
            frd_wan_cancel_send(m->node[t->from], t->to, m->now_ns, t->out);
            memset(t->source, 0xee, t->len);
            ended(m, t, true, FEDRDMA_ERR_CANCELED);
        }
        if (t->in == NULL || m->now_ns < t->start_ns + t->accept_after_ns || t->ended_receive ||
            m->dead[t->to])
            continue;
        if (t->early != NULL) {
            accept_some(m, t);
        } else if (t->cancel_receive && m->now_ns >= t->cancel_ns && t->target != NULL) {
            frd_wan_cancel_receive(m->node[t->to], m->now_ns, t->in);
            ended(m, t, false, FEDRDMA_ERR_CANCELED);
        } else if (t->refuse) {
            frd_wan_refuse(m->node[t->to], m->now_ns, t->in);
            ended(m, t, false, FEDRDMA_ERR_CANCELED);
        } else if (t->target == NULL) {
            t->target = malloc(t->len + 1);
            if (t->target == NULL)
                abort();
            memset(t->target, 0xaa, t->len + 1);
            accept_some(m, t);
        }
    }
    for (model_transfer **at = &m->todo, *t; (t = *at) != NULL;) {
        t->todo = !is_served(t);
        if (t->todo)
            at = &t->next_todo;
        else
            *at = t->next_todo;
    }
}

/* ---- runs ---- */

model_link model_line(uint64_t rate, uint64_t rtt_ns, double loss)
{
    return (model_link){ .rate = rate,
                         .delay_ns = rtt_ns / 2,
                         .queue_bytes = (uint64_t)((double)rate * (double)rtt_ns / 1e9),
                         .loss = loss };
}

void model_init(model *m, int nodes, uint64_t seed)
{
    mallopt(M_MMAP_THRESHOLD, 64 << 20); /* messages' buffers come and go */
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    memset(m, 0, sizeof(*m));
    m->nodes = nodes;
    m->random = seed * 1000003;
    m->now_ns = FRD_NS_PER_S;
    m->delay_unit_ns = FRD_NS_PER_MS / 4;
    for (int i = 0; i < nodes; i++) {
        m->addr[i] = model_addr(i, 0);
        m->params[i] = (frd_wan_params){
            .rank = i,
            .size = nodes,
            .job = 7,
            .epoch = model_draw(m),
            .heartbeat_ns = 500 * FRD_NS_PER_MS,
            .lost_ns = 180 * FRD_NS_PER_S,
            .early_bytes = 16 << 20,
            .copy_most = 8192,
            .copy_bytes = 256 << 10,
            .start_bytes = 256 << 10,
            .inflight_most = 64 << 20,
            .datagram_bytes = 1200,
            .datagram_most = 1472,
            .relay = true,
        };
    }
}

void model_links(model *m, const model_link *link)
{
    for (int i = 0; i < m->nodes; i++) {
        for (int k = 0; k < m->nodes; k++)
            m->link[i][k] = *link;
    }
}

static void tell(model *m, int rank)
{
    for (int k = 0; k < m->nodes; k++) {
        if (k != rank)
            (void)frd_wan_node_peer(m->node[rank], k, m->params[k].epoch, &m->addr[k], 1);
    }
}

void model_tell(model *m, int rank)
{
    tell(m, rank);
    for (int k = 0; k < m->nodes; k++) {
        if (k != rank)
            frd_wan_node_dial(m->node[rank], k, m->now_ns);
    }
    m->untold[rank] = false;
    m->wake_ns[rank] = 0;
}

void model_start(model *m)
{
    for (int i = 0; i < m->nodes; i++) {
        const frd_wan_user user = {
            .offered = on_offered,
            .control = on_control,
            .sent = on_sent,
            .received = on_received,
            .left = on_left,
            .lost = on_lost,
            .arg = &ends[i],
        };

        ends[i] = (end){ m, i };
        if (frd_wan_node_new(&m->params[i], &user, &m->node[i]) != FEDRDMA_OK)
            abort();
    }
    for (int i = 0; i < m->nodes; i++) {
        if (!m->untold[i])
            tell(m, i);
    }
}

void model_free(model *m)
{
    for (int i = 0; i < m->nodes; i++)
        frd_wan_node_free(m->node[i]);
    while (m->events > 0)
        free(model_event_pop(m).data);
    for (model_transfer *t = m->transfer, *next; t != NULL; t = next) {
        next = t->next;
        free(t->source);
        free(t->target);
        free(t);
    }
    free(m->heap);
}

void model_send(model *m, model_transfer *t)
{
    frd_wan_message message = { .tag = t->tag, .len = t->len, .user = t };
    int rc;

    t->next = m->transfer;
    m->transfer = t;
    look_at(m, t);
    t->start_ns = m->now_ns;
    t->source = malloc(t->len + 1);
    if (t->source == NULL)
        abort();
    wan_pattern_fill(t->seed, t->source, t->len);
    message.buf = t->source;
    m->wake_ns[t->from] = 0;
    rc = frd_wan_send(m->node[t->from], t->to, m->now_ns, &message, &t->out);
    if (t->out == NULL)
        ended(m, t, true, rc);
}

model_transfer *model_begin(model *m, int from, int to, size_t len, uint32_t idx)
{
    model_transfer *const t = calloc(1, sizeof(*t));

    if (t == NULL)
        abort();
    t->from = from;
    t->to = to;
    t->len = len;
    t->seed = idx;
    t->tag = (frd_tag){ .comm = 1, .idx = idx };
    model_send(m, t);
    return t;
}

uint64_t model_again(const model *m)
{
    uint64_t bytes = 0;

    for (int i = 0; i < m->nodes; i++)
        bytes += frd_wan_node_counts(m->node[i])->wan_again_bytes;
    return bytes;
}

bool model_settled(const model *m)
{
    for (const model_transfer *t = m->transfer; t != NULL; t = t->next) {
        if (!t->ended_send || !t->ended_receive)
            return false;
    }
    return true;
}

static void pull_all(model *m)
{
    static unsigned char room[BATCH_ROOM];

    for (int i = 0; i < m->nodes; i++) {
        frd_wan_batch batch = { .data = room, .room = sizeof(room), .most = 44 };
        int rounds = 0;

        if (m->dead[i] || frd_wan_node_due(m->node[i]) > m->now_ns || m->wake_ns[i] > m->now_ns)
            continue;
        while (frd_wan_node_pull(m->node[i], m->now_ns, &batch)) {
            for (size_t at = 0; at < batch.bytes; at += batch.segment_bytes) {
                const size_t left = batch.bytes - at;

                transmit(m, i, &batch.to, room + at, left < batch.segment_bytes ? left : batch.segment_bytes);
            }
            if (++rounds > 100000) {
                fprintf(stderr, "rank %d never stops sending\n", i);
                abort();
            }
        }
    }
}

static uint64_t next_time(model *m)
{
    uint64_t next = m->events > 0 ? m->heap[0].at_ns : UINT64_MAX;

    for (int i = 0; i < m->nodes; i++) {
        uint64_t due = m->dead[i] ? UINT64_MAX : frd_wan_node_due(m->node[i]);

        if (due <= m->now_ns) {
            due = m->wake_ns[i] > m->now_ns ? m->wake_ns[i] : m->now_ns + 1;
        } else if (m->late_ns > 0 && due != UINT64_MAX) {
            if (m->wake_ns[i] < due || m->wake_ns[i] > due + m->late_ns)
                m->wake_ns[i] = due + model_draw(m) % m->late_ns;
            due = m->wake_ns[i];
        }
        next = due < next ? due : next;
    }
    return next;
}

/* An ICMP message on its way back. */
static void refuse(model *m, const model_event *e)
{
    model_event_push(m, (model_event){ .at_ns = m->now_ns + m->link[e->to][e->from].delay_ns,
                                       .refused = true,
                                       .to = e->from,
                                       .from = e->to,
                                       .bytes = e->bytes < 64 ? e->bytes : 64,
                                       .data = copy_of(e->data, e->bytes < 64 ? e->bytes : 64) });
}

static void arrive(model *m, const model_event *e)
{
    m->wake_ns[e->to] = 0;
    if (e->refused && e->carried > 0)
        frd_wan_node_too_long(m->node[e->to], m->now_ns, e->data, e->bytes, e->carried);
    else if (e->refused)
        frd_wan_node_refused(m->node[e->to], m->now_ns, e->data, e->bytes);
    if (!e->refused && (m->dead[e->to] || (m->strays[e->to] > 0 && model_chance(m) < m->strays[e->to])))
        refuse(m, e);
    if (!e->refused && !m->dead[e->to])
        frd_wan_node_input(m->node[e->to], m->now_ns, &e->addr, e->data, e->bytes);
}

static void step(model *m, uint64_t until_ns)
{
    const uint64_t next = next_time(m);

    m->now_ns = next < until_ns ? next : until_ns;
    while (m->events > 0 && m->heap[0].at_ns <= m->now_ns) {
        model_event e = model_event_pop(m);

        if (e.arrived || e.refused)
            arrive(m, &e);
        else
            enter(m, &e);
        free(e.data);
    }
    serve(m);
    pull_all(m);
}

bool model_run(model *m, uint64_t until_ns)
{
    serve(m);
    pull_all(m);
    while (!model_settled(m) && m->now_ns < until_ns)
        step(m, until_ns);
    return model_settled(m);
}

void model_pass(model *m, uint64_t ns)
{
    const uint64_t until = m->now_ns + ns;

    pull_all(m);
    while (m->now_ns < until)
        step(m, until);
}
