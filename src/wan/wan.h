/* SPDX-License-Identifier: BSD-3-Clause
 * wan.h - the WAN transport of a context: wan.c (net.h's functions, on the context's thread), wan_thread.c
 * (the thread that drives the node) and wan_event.c (what the node reports, on its way to the context's
 * thread). Nobody else includes it.
 *
 * One lock guards the node. The thread holds it while it takes datagrams in or makes some, never in a system
 * call; the context's thread while it hands in a message. So a cancelled message is out of the node when
 * cancel returns. */
#ifndef FRD_WAN_WAN_H
#define FRD_WAN_WAN_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/match.h"
#include "net/net.h"
#include "wan/lane.h"
#include "wan/node.h"

#define FRD_WAN_CARD_MAGIC UINT32_C(0x46574301)

typedef struct frd_wan_card {
    uint32_t magic;
    int32_t rank;
    uint64_t epoch, job, silo; /* random; hashes of the names */
    frd_wan_place place;
} frd_wan_card;
_Static_assert(sizeof(frd_wan_card) == 32 + sizeof(frd_wan_place), "wire format");

enum frd_wan_event_kind {
    FRD_WAN_EVENT_OFFER,
    FRD_WAN_EVENT_CONTROL,
    FRD_WAN_EVENT_END, /* of a message */
    FRD_WAN_EVENT_LEFT,
    FRD_WAN_EVENT_LOST
};

typedef struct frd_wan_event {
    enum frd_wan_event_kind kind;
    int peer, rc;
    frd_tag tag;
    uint64_t len;
    frd_wan_in *in;
    frd_msg *msg;
    const char *why;
    size_t data; /* control: its place in the events' data */
} frd_wan_event;

typedef struct frd_wan_events {
    frd_wan_event *at;
    size_t count, room;
    unsigned char *data; /* of control messages */
    size_t data_bytes, data_room;
} frd_wan_events;

typedef struct frd_wan {
    frd_net base;
    frd_net_env env;
    frd_wan_card card;
    bool *left, *lost; /* per rank: the context's view */
    bool *known;       /* ranks with a session */
    int lefts;
    /* shared with the thread; `lock` guards all but the atomics and the lane, which is the thread's */
    pthread_mutex_t lock;
    pthread_cond_t quiet; /* for close: something has changed */
    pthread_t thread;
    bool running, closing;
    atomic_bool stop;
    frd_wan_node *node;
    frd_wan_lane *lane;
    int wake_fd, event_fd;
    bool asleep, armed;  /* the thread; the context */
    atomic_bool pending; /* events has some */
    frd_wan_events events, taken;
    bool failed; /* no memory for an event: messages would hang */
} frd_wan;

enum { FRD_WAN_HANDLE, FRD_WAN_SENDING, FRD_WAN_ENDED }; /* of msg->word */

/* ---- wan_event.c ---- */
frd_wan_user frd_wan_event_user(frd_wan *wan);
/* Hands what was reported to the match table and the messages' owners; returns how many. Without the lock. */
int frd_wan_event_run(frd_wan *wan);
bool frd_wan_event_init(frd_wan *wan); /* false: no memory */
void frd_wan_event_free(frd_wan *wan);

/* ---- wan_thread.c ---- */
int frd_wan_thread_start(frd_wan *wan, frd_story *story);
void frd_wan_thread_stop(frd_wan *wan);
/* With the lock held: does the thread have to be woken? Then, without it, frd_wan_thread_wake. */
bool frd_wan_thread_sleeps(frd_wan *wan);
void frd_wan_thread_wake(frd_wan *wan);

#endif
