/* SPDX-License-Identifier: BSD-3-Clause
 * node.h - a rank's end of the WAN, without socket, clock or thread: datagrams and the time go in, datagrams
 * and the time of the next deadline come out. Lanes drive it (lane.h); tests drive it in virtual time.
 *
 *     node      the sessions of a rank, what it relays, its cap      node.c, line.c
 *     session   messages to and from one other rank                  session.c, session_send.c,
 * session_receive.c route     one way there: address or relays, state, heartbeats  route.c mtu       how long
 * its datagrams may be                        mtu.c rel       which datagrams of a route arrived rel.c pace
 * how fast the route sends                             pace.c path      what the route has shown of itself
 * path.c seal      what protects a datagram                             seal.h
 *
 * One caller at a time. Callbacks of frd_wan_user come from within calls of this file and must not call back.
 */
#ifndef FRD_WAN_NODE_H
#define FRD_WAN_NODE_H

#include "net/net.h"

typedef struct frd_wan_node frd_wan_node;
typedef struct frd_wan_in frd_wan_in;
typedef struct frd_wan_out frd_wan_out;
typedef struct frd_wan_stash frd_wan_early;

/* Where a datagram goes to or came from: the lane's business, compared as a whole. */
typedef struct frd_wan_addr {
    uint8_t bytes[28];
    uint32_t len; /* 0: none */
} frd_wan_addr;

enum {
    FRD_WAN_ADDRS = 8,
    FRD_WAN_ROUTES = 4,
    FRD_WAN_VIA = 3,
    FRD_WAN_DATAGRAM_LEAST = 1200, /* bounds of datagram_bytes and datagram_most */
    FRD_WAN_DATAGRAM_LARGEST = 9000
};

/* Counted since the node was made. */
#define FRD_WAN_COUNT_FIELD(field, name, text) uint64_t field;
typedef struct frd_wan_counts {
    FRD_STAT_WAN(FRD_WAN_COUNT_FIELD)
} frd_wan_counts;
#undef FRD_WAN_COUNT_FIELD

/* Everything that a topology file or options may say. Zero where "0:" says so. */
typedef struct frd_wan_params {
    int rank, size;
    uint64_t job;   /* hash of the job's name */
    uint64_t epoch; /* random: this process */
    uint64_t heartbeat_ns;
    uint64_t lost_ns;        /* a peer without any route is lost after that; 0: never */
    uint64_t meet_ns;        /* one that was never up, so much later: it may wait to be told of us */
    uint64_t early_bytes;    /* taken from a peer before its messages are accepted */
    uint64_t copy_most;      /* a message of up to so many bytes is copied, and ends at once */
    uint64_t copy_bytes;     /* copies kept per peer, at most */
    uint64_t start_bytes;    /* sent in the first round trip of a route */
    uint64_t inflight_most;  /* on its way per route */
    uint64_t rate;           /* bytes per second that this rank may send; 0: no limit */
    uint32_t datagram_bytes; /* that every path is taken to carry */
    uint32_t datagram_most;  /* that the lane can carry: paths are probed for it */
    bool relay;              /* forward for others */
} frd_wan_params;

typedef struct frd_wan_user {
    /* A message came, as far as its beginning; one of accept and refuse must follow, in any order, at any
     * time. */
    void (*offered)(void *arg, int peer, const frd_tag *tag, uint64_t len, frd_wan_in *in);
    void (*control)(void *arg, int peer, const frd_tag *tag, const void *data, size_t len);
    /* A send (receive) ended: OK, CANCELED (the sender took it back), RANK_LOST. Its buffer is the caller's
     * again. */
    void (*sent)(void *arg, void *user, int rc);
    void (*received)(void *arg, void *user, int rc);
    void (*left)(void *arg, int peer); /* it said goodbye */
    void (*lost)(void *arg, int peer, const char *why);
    void *arg;
} frd_wan_user;

int frd_wan_node_new(const frd_wan_params *params, const frd_wan_user *user, frd_wan_node **node);
void frd_wan_node_free(frd_wan_node *node); /* NULL is fine; nobody is told */
const frd_wan_counts *frd_wan_node_counts(const frd_wan_node *node);

/* Tells where a rank is: addresses to try, none if it must dial us. `epoch` is the peer's. FEDRDMA_ERR_NOMEM.
 */
int frd_wan_node_peer(frd_wan_node *node, int rank, uint64_t epoch, const frd_wan_addr *addr, unsigned addrs);
/* No more than `rate` bytes a second leave for the ranks of one silo together, whatever way they go and
 * whoever sent them. Any number below the job's size stands for the silo; a rank that was told belongs to it
 * from now on. 0: no cap.
 */
void frd_wan_node_cap(frd_wan_node *node, int rank, int silo, uint64_t rate);
/* Nothing goes straight to a rank that was told, and nothing that comes straight from it is taken. */
void frd_wan_node_bar(frd_wan_node *node, int rank);
/* One more way to a rank: through these ranks, in order. Both ends may say so; one suffices.
 * FEDRDMA_ERR_INVALID: an unknown rank, or too many. */
int frd_wan_node_route(frd_wan_node *node, int rank, const int *via, unsigned hops, uint64_t now_ns);
/* The same for a way that is kept alive, and carries data only while no other is up: what goes through
 * another silo takes of that silo's line, and no more leaves our own. */
int frd_wan_node_spare(frd_wan_node *node, int rank, const int *via, unsigned hops, uint64_t now_ns);
/* Knocks at a peer, so that the first message finds its route open. */
void frd_wan_node_dial(frd_wan_node *node, int rank, uint64_t now_ns);

/* ---- messages ---- */

typedef struct frd_wan_message {
    frd_tag tag;
    const void *buf;
    size_t len;
    void *user;
} frd_wan_message;

/* Sends. *out is NULL when the message ended at once, with what is returned (it was copied, or
 * FEDRDMA_ERR_*); otherwise user.sent tells. */
int frd_wan_send(frd_wan_node *node, int peer, uint64_t now_ns, const frd_wan_message *message,
                 frd_wan_out **out);
/* Takes a send back: user.sent will not be called for it. */
void frd_wan_cancel_send(frd_wan_node *node, int peer, uint64_t now_ns, frd_wan_out *out);
/* Takes an offer into `buf`. True: not whole yet, user.received tells; false: over, *rc says how. *early is
 * NULL at first; where much of the message came before, true is returned with some of that in *early: then
 * comes frd_wan_early_move, and this again, until *early is NULL. */
bool frd_wan_accept(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in, void *buf, void *user,
                    frd_wan_early **early, int *rc);
/* Copies it into its place; touches nothing of the node, other calls may run meanwhile. */
void frd_wan_early_move(const frd_wan_early *early, void *buf);
void frd_wan_refuse(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in);
/* Takes a receive back: user.received will not be called for it. */
void frd_wan_cancel_receive(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in);

/* Nobody wants anything more from a peer that left: it is lost. */
void frd_wan_lose(frd_wan_node *node, int peer, const char *why);

/* Has all that was copied and all that was answered arrived? */
bool frd_wan_flushed(const frd_wan_node *node);
/* Says goodbye to all: the datagrams come out of frd_wan_node_pull. */
void frd_wan_goodbye(frd_wan_node *node, uint64_t now_ns);

/* How long it makes sense to wait for frd_wan_flushed, and then for frd_wan_parted. */
uint64_t frd_wan_linger_ns(const frd_wan_node *node);

/* Has everyone who can heard the goodbye? */
bool frd_wan_parted(const frd_wan_node *node);

/* ---- datagrams ---- */

/* Some datagrams for one address, one behind the other: all of segment_bytes but the last, which may be
 * shorter. */
typedef struct frd_wan_batch {
    frd_wan_addr to;
    unsigned char *data; /* the caller's room */
    size_t room;         /* of it, at least FRD_WAN_DATAGRAM_MAX */
    size_t bytes, segment_bytes;
    unsigned count, most; /* datagrams; how many fit into a call of the lane */
} frd_wan_batch;

/* Takes a datagram in; its bytes are changed. */
void frd_wan_node_input(frd_wan_node *node, uint64_t now_ns, const frd_wan_addr *from, void *datagram,
                        size_t bytes);
/* A host answered that nobody listens where a datagram of ours went; `quoted` is the beginning of that, as
 * far as it came back. */
void frd_wan_node_refused(frd_wan_node *node, uint64_t now_ns, const void *quoted, size_t bytes);
/* A host on the way answered that it carries UDP datagrams of so many bytes only; `quoted` as above. */
void frd_wan_node_too_long(frd_wan_node *node, uint64_t now_ns, const void *quoted, size_t bytes,
                           uint32_t carried);
/* What is to be sent now; false: nothing (more). Does what is due first. */
bool frd_wan_node_pull(frd_wan_node *node, uint64_t now_ns, frd_wan_batch *batch);
/* When to pull again, if nothing comes in before; UINT64_MAX: never. */
uint64_t frd_wan_node_due(const frd_wan_node *node);

/* ---- what there is to see ---- */

enum frd_wan_route_state {
    FRD_WAN_ROUTE_NEW, /* nobody has answered yet */
    FRD_WAN_ROUTE_UP,
    FRD_WAN_ROUTE_DEGRADED, /* what was sent is not acknowledged: probes only */
    FRD_WAN_ROUTE_DOWN      /* silent: heartbeats only */
};

typedef struct frd_wan_route_info {
    enum frd_wan_route_state state;
    unsigned hops;
    int via[FRD_WAN_VIA];
    uint64_t rtt_ns, base_rtt_ns, rate, loss_ppm, inflight, cap;
    uint64_t delivered_bytes, lost_bytes; /* since the route is there */
    uint32_t datagram_bytes;
    int mode; /* enum frd_wan_pace_mode */
} frd_wan_route_info;

/* The k-th route to a rank; false: there is none. */
bool frd_wan_node_look(const frd_wan_node *node, int rank, unsigned k, frd_wan_route_info *info);

#endif
