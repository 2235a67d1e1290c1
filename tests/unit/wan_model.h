/* SPDX-License-Identifier: BSD-3-Clause
 * wan_model.h - ranks and the links between them in virtual time: drives src/wan's nodes without socket,
 * thread or clock. * The same seed gives the same run. */
#ifndef FRD_TESTS_WAN_MODEL_H
#define FRD_TESTS_WAN_MODEL_H

#include "base/clock.h"
#include "wan/node.h"

enum { MODEL_NODES = 6 };

/* One direction between two ranks. Rates in bytes per second, 0: no limit; shares from 0 to 1. */
typedef struct model_link {
    uint64_t delay_ns, jitter_ns;
    uint64_t rate, queue_bytes;
    double loss, bad_enter, bad_leave, bad_loss; /* bad_*: Gilbert's second state */
    double reorder;                              /* held back by reorder_ns */
    uint64_t reorder_ns;
    double duplicate, corrupt;
    uint32_t mtu; /* longer IP packets vanish; 0: none do */
    bool tells;   /* and ICMP says so */
    bool down;
    /* the model's */
    bool bad;
    uint64_t free_ns, last_ns;
} model_link;

typedef struct model_shaper {
    uint64_t rate, queue_bytes, free_ns;
} model_shaper;

typedef struct model_transfer {
    struct model_transfer *next;
    int from, to;
    size_t len;
    unsigned seed;
    frd_tag tag;
    unsigned char *source, *target; /* target: once the receive is posted */
    uint64_t start_ns, sent_ns, received_ns; /* 0: not yet */
    uint64_t accept_after_ns;                /* the receive is posted so late */
    bool refuse, cancel_send, cancel_receive;
    uint64_t cancel_ns;
    int sent_rc, received_rc;
    bool ended_send, ended_receive, offered;
    frd_wan_in *in;
    frd_wan_early *early;
    frd_wan_out *out;
    struct model_transfer *next_todo; /* the model's */
    bool todo;
} model_transfer;

struct model_event;

typedef struct model {
    int nodes;
    frd_wan_node *node[MODEL_NODES];
    frd_wan_params params[MODEL_NODES];
    frd_wan_addr addr[MODEL_NODES]; /* now; a rebinding changes it */
    model_link link[MODEL_NODES][MODEL_NODES];
    model_shaper out[MODEL_NODES], in[MODEL_NODES];
    bool untold[MODEL_NODES];   /* not told of the others by model_start, but by model_tell */
    bool dead[MODEL_NODES];     /* its process ended: its host refuses what comes for it */
    double strays[MODEL_NODES]; /* this share of what comes for it is refused, though it is taken, too */
    uint64_t now_ns, random;
    uint64_t late_ns; /* a sender wakes up to so late */
    uint64_t wake_ns[MODEL_NODES];
    struct model_event *heap;
    size_t events, room, serial;
    model_transfer *transfer, *todo; /* all of them; with which something is to be done */
    int controls[MODEL_NODES], lost[MODEL_NODES], left[MODEL_NODES];
    const char *why;
    uint64_t queue_sum_ns, queued, dropped, delivered, too_long;
    uint64_t delays[512]; /* datagrams by queueing delay, in units of delay_unit_ns */
    uint64_t delay_unit_ns;
    int failures;
} model;

void model_init(model *m, int nodes, uint64_t seed);
/* A line of so many bytes a second, with a queue of what it carries in a round trip. */
model_link model_line(uint64_t rate, uint64_t rtt_ns, double loss);
/* All links alike; then change m->link and m->params as needed and call model_start. */
void model_links(model *m, const model_link *link);
void model_start(model *m);
/* Tells a rank of all others; it dials them at once, as with a real lane. */
void model_tell(model *m, int rank);
void model_free(model *m);

/* Starts a send now and posts its receive (or, by its fields, later, or never). */
void model_send(model *m, model_transfer *t);
/* The same for a transfer that it makes. */
model_transfer *model_begin(model *m, int from, int to, size_t len, uint32_t idx);
/* Bytes that all sent again. */
uint64_t model_again(const model *m);
/* Runs until all transfers ended, or the time; false: the time. */
bool model_run(model *m, uint64_t until_ns);
/* Runs for exactly that long. */
void model_pass(model *m, uint64_t ns);
bool model_settled(const model *m); /* all transfers ended */
uint64_t model_median_delay(const model *m);
uint64_t model_draw(model *m);
double model_chance(model *m); /* 0 <= x < 1 */
frd_wan_addr model_addr(int rank, int variant);

#endif
