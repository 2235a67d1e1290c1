/* SPDX-License-Identifier: BSD-3-Clause
 * wan_event.c - what the node reports goes into a list under the lock; the context's thread takes the list as
 * a whole and works through it without. Two lists change places, so that a steady run allocates nothing. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "wan/wan.h"

enum { EVENTS_FIRST = 1024, DATA_FIRST = 4096 };

static void wake_context(frd_wan *w)
{
    const uint64_t one = 1;

    atomic_store_explicit(&w->pending, true, memory_order_release);
    if (w->armed && write(w->event_fd, &one, sizeof(one)) > 0)
        w->armed = false;
}

static void add(frd_wan *w, const frd_wan_event *event)
{
    frd_wan_events *const list = &w->events;

    if (list->count == list->room) {
        const size_t room = 2 * list->room;
        frd_wan_event *const more = frd_realloc(list->at, room * sizeof(*more));

        if (more == NULL) {
            w->failed = true;
            return;
        }
        list->at = more;
        list->room = room;
    }
    list->at[list->count++] = *event;
    wake_context(w);
}

static void on_offered(void *arg, int peer, const frd_tag *tag, uint64_t len, frd_wan_in *in)
{
    add(arg,
        &(frd_wan_event){ .kind = FRD_WAN_EVENT_OFFER, .peer = peer, .tag = *tag, .len = len, .in = in });
}

static void on_control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    frd_wan *const w = arg;
    frd_wan_events *const list = &w->events;
    frd_wan_event event = { .kind = FRD_WAN_EVENT_CONTROL, .peer = peer, .tag = *tag, .len = len };

    if (list->data_room - list->data_bytes < len) {
        const size_t room = 2 * list->data_room;
        unsigned char *const more = frd_realloc(list->data, room);

        if (more == NULL) {
            w->failed = true;
            return;
        }
        list->data = more;
        list->data_room = room;
    }
    if (len > 0)
        memcpy(list->data + list->data_bytes, data, len);
    event.data = list->data_bytes;
    list->data_bytes += len;
    add(w, &event);
}

static void on_end(void *arg, void *user, int rc)
{
    frd_msg *const msg = user;

    msg->word[FRD_WAN_ENDED] = 1;
    add(arg, &(frd_wan_event){ .kind = FRD_WAN_EVENT_END, .msg = msg, .rc = rc });
}

static void on_left(void *arg, int peer)
{
    add(arg, &(frd_wan_event){ .kind = FRD_WAN_EVENT_LEFT, .peer = peer });
}

static void on_lost(void *arg, int peer, const char *why)
{
    add(arg, &(frd_wan_event){ .kind = FRD_WAN_EVENT_LOST, .peer = peer, .why = why });
}

frd_wan_user frd_wan_event_user(frd_wan *wan)
{
    return (frd_wan_user){
        .offered = on_offered,
        .control = on_control,
        .sent = on_end,
        .received = on_end,
        .left = on_left,
        .lost = on_lost,
        .arg = wan,
    };
}

static void run(frd_wan *w, const frd_wan_event *e)
{
    const frd_offer offer = { .peer = e->peer, .tag = e->tag, .len = (size_t)e->len, .handle = e->in };

    switch (e->kind) {
    case FRD_WAN_EVENT_OFFER:
        (void)frd_match_offer(w->env.match, &w->base, &offer);
        break;
    case FRD_WAN_EVENT_CONTROL:
        w->env.control(w->env.arg, e->peer, &e->tag, w->taken.data + e->data, (size_t)e->len);
        break;
    case FRD_WAN_EVENT_END:
        e->msg->done(e->msg, e->rc);
        break;
    case FRD_WAN_EVENT_LEFT:
        w->lefts += !w->left[e->peer];
        w->left[e->peer] = true;
        break;
    case FRD_WAN_EVENT_LOST:
        if (!w->lost[e->peer])
            w->env.peer_lost(w->env.arg, e->peer, e->why);
        w->lost[e->peer] = true;
        break;
    }
}

int frd_wan_event_run(frd_wan *wan)
{
    const frd_wan_counts *const c = frd_wan_node_counts(wan->node);
    frd_stat *const stat = wan->env.stat;
    frd_wan_events list;

    if (!atomic_load_explicit(&wan->pending, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&wan->lock);
    list = wan->events;
    wan->events = wan->taken;
    wan->events.count = wan->events.data_bytes = 0;
    wan->taken = list;
    atomic_store_explicit(&wan->pending, false, memory_order_relaxed);
#define COPY(field, name, text) stat->field = c->field;
    FRD_STAT_WAN(COPY)
#undef COPY
    pthread_mutex_unlock(&wan->lock);
    for (size_t i = 0; i < list.count; i++)
        run(wan, &wan->taken.at[i]);
    return (int)list.count;
}

bool frd_wan_event_init(frd_wan *wan)
{
    frd_wan_events *const list[2] = { &wan->events, &wan->taken };

    for (int i = 0; i < 2; i++) {
        list[i]->at = frd_calloc(EVENTS_FIRST, sizeof(*list[i]->at));
        list[i]->data = frd_calloc(1, DATA_FIRST);
        if (list[i]->at == NULL || list[i]->data == NULL)
            return false;
        list[i]->room = EVENTS_FIRST;
        list[i]->data_room = DATA_FIRST;
    }
    return true;
}

void frd_wan_event_free(frd_wan *wan)
{
    frd_free(wan->events.at);
    frd_free(wan->events.data);
    frd_free(wan->taken.at);
    frd_free(wan->taken.data);
}
