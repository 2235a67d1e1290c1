/* SPDX-License-Identifier: BSD-3-Clause
 * net.h - what a transport is to the layers above: it carries messages between two ranks, by tag.
 *
 * A message is an frd_msg that the engine owns until its done() is called, exactly once, from within any call
 * into the fabric or transport. done() only notes the completion; it never calls back into this layer.
 * Receives are matched in one table for all transports (match.h), by (peer, tag) alone, so the order of
 * arrival never matters. Everything here belongs to the context's thread.
 *
 * Small messages go eagerly. A message above conf.eager, or one that finds the peer's eager credit used up,
 * is offered (rendezvous): the sender's buffer stays put until the receive is posted. That is the back
 * pressure: a rank that runs ahead holds at most eager_credit bytes at a peer, plus headers. */
#ifndef FRD_NET_NET_H
#define FRD_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/error.h"
#include "base/stat.h"
#include "topo/silos.h"

/* Identifies a message between two ranks; fixed layout, it goes on the wire in this machine's byte order
 * (transports refuse peers of the other one). */
typedef struct frd_tag {
    uint64_t comm; /* communicator, FRD_TAG_CONTROL for the engine's own messages */
    uint32_t seq;  /* operation on it */
    uint32_t frag; /* fragment of the operation */
    uint32_t idx;  /* i-th message from that peer within the fragment's schedule */
    uint32_t zero; /* keeps the size a multiple of 8; always 0, since tags are compared whole */
} frd_tag;
_Static_assert(sizeof(frd_tag) == 24, "wire format");

#define FRD_TAG_CONTROL UINT64_MAX
#define FRD_CONTROL_MAX 600 /* longest control message; always eager, never waits for credit */

typedef struct frd_msg frd_msg;
struct frd_msg {
    frd_tag tag;
    int peer;  /* rank in the context's world */
    void *buf; /* not written when sending */
    size_t len;
    void (*done)(frd_msg *msg, int rc); /* rc: 0 or FEDRDMA_ERR_*; msg is the caller's again */
    /* below: the transport's and the match table's while the message is in flight */
    frd_msg *next, *prev;
    struct frd_net *net; /* transport that carries it; NULL: posted receive not yet matched */
    void *handle;        /* e.g. the UCX request */
    uint64_t word[4];
};

/* A rendezvous offer that arrived: enough for the transport to fetch the data or to refuse it. */
typedef struct frd_offer {
    int peer;
    frd_tag tag;
    size_t len;
    void *handle;     /* transport's, e.g. the UCX data descriptor */
    uint64_t word[4]; /* transport's, e.g. address and id at the sender */
} frd_offer;

typedef struct frd_match frd_match;
typedef struct frd_net frd_net;

enum { FRD_NET_HOPS = 3 }; /* relays between two ranks, at most */

/* What the topology file says of the way from us to a rank of another silo. All zero: it says nothing. */
typedef struct frd_net_way {
    bool barred;   /* no byte may go straight between the two: relays carry what they say */
    bool waits;    /* it opens connections to us, never we to it */
    int silo;      /* its silo's lowest rank, which stands for the silo */
    uint64_t rate; /* bytes a second that we may send to that silo, to all of its ranks; 0: no cap */
    unsigned hops; /* barred: the relays of the shortest way there, in order */
    int via[FRD_NET_HOPS];
    const frd_silo_address *addresses; /* where it is dialed, best first, before what its card says */
    size_t naddresses;
} frd_net_way;

/* Who may send what to whom between silos; all ranks have the same opinion of it. */
typedef struct frd_net_policy {
    /* Is `via` the rank of a third silo that relays between those of these two, and may it? */
    bool (*relays)(void *arg, int from, int to, int via);
    void (*way)(void *arg, int peer, frd_net_way *way);
    bool relay;    /* we are one */
    uint64_t rate; /* bytes a second that we may send to other silos together; 0: no cap */
    uint16_t port; /* at which others are told to dial us; 0: none */
    void *arg;
} frd_net_policy;

/* What a transport is given; outlives it. */
typedef struct frd_net_env {
    const frd_conf *conf;
    const frd_log *log;
    frd_stat *stat;
    frd_match *match;
    int rank, size;
    /* A peer is gone for good (process died, connection broken); `why` is a phrase for the story. Called
     * once per peer from within progress or send; only notes it. */
    void (*peer_lost)(void *arg, int peer, const char *why);
    /* A control message came (tag.comm == FRD_TAG_CONTROL); data is valid during the call. */
    void (*control)(void *arg, int peer, const frd_tag *tag, const void *data, size_t len);
    const frd_net_policy *policy; /* NULL: everything is allowed, and nobody relays */
    void *arg;
} frd_net_env;

/* What the way to a peer has shown of itself. */
typedef struct frd_net_sight {
    unsigned hops;                        /* relays that it passes */
    int via[FRD_NET_HOPS];                /* which ranks */
    uint64_t rtt_ns;                      /* without queues */
    uint64_t rate;                        /* bytes a second, delivered at its best lately */
    uint64_t delivered_bytes, lost_bytes; /* so far, headers included */
} frd_net_sight;

typedef struct frd_net_ops {
    const char *name; /* "shm", "wan", "ucx", "loop" */
    bool relays;      /* keeps to env.policy: reaches who may only be talked to through others */
    /* Opens; on success writes *card (valid until close) with what the peers must know. */
    int (*open)(const frd_net_env *env, frd_story *story, frd_net **net, const void **card,
                size_t *card_bytes);
    /* Tells a peer's card. *reach says whether this transport can talk to that peer (e.g. same node). May
     * connect lazily, at the first send. */
    int (*connect)(frd_net *net, int peer, const void *card, size_t card_bytes, bool *reach,
                   frd_story *story);
    /* Starts a send; errors come through done(). */
    void (*send)(frd_net *net, frd_msg *msg);
    /* Fetches an offer of equal length into msg, whose done() tells the end. Consumes the offer. */
    void (*accept)(frd_net *net, frd_msg *msg, const frd_offer *offer);
    /* Nobody wants the offer: the sender's message ends (as sent). Consumes the offer. */
    void (*refuse)(frd_net *net, const frd_offer *offer);
    /* Asks for the early end of a message this transport carries: done(FEDRDMA_ERR_CANCELED), or its normal
     * end if that comes first, follows soon: within this call or the next calls of progress, also when
     * the peer is dead or silent. Afterwards nothing touches the buffer. */
    void (*cancel)(frd_net *net, frd_msg *msg);
    /* Moves things on; returns the number of messages or events handled, 0 when idle. Never blocks. */
    int (*progress)(frd_net *net);
    /* Gets what was sent, or answered, out of buffers that only progress empties: a rank that computes for an hour must
     * not keep its peers' last bytes. Starts that, and tells whether nothing (more) waits for our progress. */
    bool (*flushed)(frd_net *net);
    /* What is known of the way that carries most to a peer; false: there is none now. NULL: never. */
    bool (*look)(frd_net *net, int peer, frd_net_sight *sight);
    /* Before sleeping: a file descriptor that becomes readable when there is something to do (-1: none), and
     * arm() to say that we are about to sleep on it: false when there is work already, or was a moment ago (it may
     * make progress). After waking, disarm() (also called after a false). */
    int (*fd)(frd_net *net);
    bool (*arm)(frd_net *net);
    void (*disarm)(frd_net *net);
    /* Instead of a sleep on fd, where this is the only transport: between arm and disarm, at most so long; or NULL. */
    void (*sleep)(frd_net *net, uint64_t most_ns);
    /* Memory for fedrdma_alloc that this transport's peers can reach, page aligned and zero; NULL: it has none to
     * give now. mem_free is false for what mem_new did not make. Both may be NULL. */
    void *(*mem_new)(frd_net *net, size_t bytes);
    bool (*mem_free)(frd_net *net, void *memory);
    /* Registers (forgets) memory of fedrdma_alloc, whoever made it; NULL when the transport has no use for it. */
    int (*mem_add)(frd_net *net, void *memory, size_t bytes, frd_story *story);
    void (*mem_remove)(frd_net *net, void *memory, size_t bytes);
    /* Ends everything at once; messages still in flight are dropped without done(). NULL is fine. */
    void (*close)(frd_net *net);
} frd_net_ops;

/* Every transport object starts with this. */
struct frd_net {
    const frd_net_ops *ops;
};

extern const frd_net_ops frd_net_shm, frd_net_ucx, frd_net_loop;
extern const frd_net_ops frd_net_wan; /* src/wan/wan.c */

#endif
