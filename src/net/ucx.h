/* SPDX-License-Identifier: BSD-3-Clause
 * ucx.h - what the UCX transport is made of; ucx_parts.h has the calls among its parts, and nobody else includes
 * either.
 *
 *   ucx.c          the transport's table; open, connect, progress, sleep, close
 *   ucx_worker.c   UCX's configuration, context, worker and listener
 *   ucx_devices.c  what UCX found to use, and what verbs devices need
 *   ucx_place.c    the addresses of a host, and which of a peer's to connect to
 *   ucx_process.c  what UCX does to a process: its log lines, its crash handlers
 *   ucx_peer.c     one peer: what is in flight, what waits to be sent to it, its loss
 *   ucx_connect.c  its endpoints
 *   ucx_send.c     sending: eager, offered, pieces; taking a send back
 *   ucx_recv.c     arrivals, and receiving what was offered
 *   ucx_memory.c   registered memory
 *
 * UCX calls back only from within its own calls. Callbacks change lists and counters and queue what is to be
 * sent; sending, connecting and closing happen after UCX has returned (frd_ucx.inside). */
#ifndef FRD_NET_UCX_H
#define FRD_NET_UCX_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <ucp/api/ucp.h>

#include "base/mem.h"
#include "net/match.h"
#include "net/net.h"
#include "net/slots.h"
#include "net/ucx_wire.h"

typedef struct frd_ucx frd_ucx;
typedef struct frd_ucx_peer frd_ucx_peer;
typedef struct frd_ucx_op frd_ucx_op;
TAILQ_HEAD(frd_ucx_ops, frd_ucx_op);
TAILQ_HEAD(frd_ucx_peers, frd_ucx_peer);

enum frd_ucx_op_kind {
    FRD_UCX_OP_HELLO,   /* the first message on our own endpoint: tells when that is up */
    FRD_UCX_OP_NOTE,    /* a message of the protocol's own: header only */
    FRD_UCX_OP_SEND,    /* a message in one UCX request: eager, or UCX's rendezvous */
    FRD_UCX_OP_OFFERED, /* a message that waits for CLEAR */
    FRD_UCX_OP_STREAM,  /* a message on its way in pieces */
    FRD_UCX_OP_PIECE,   /* one of them */
    FRD_UCX_OP_ARRIVED, /* a peer's offer that has not met its receive */
    FRD_UCX_OP_FETCH,   /* a receive that UCX's rendezvous fills */
    FRD_UCX_OP_GATHER   /* a receive that pieces fill */
};

/* Something in flight; from a pool. A message's operation ends (done()) when `ending` is set and no UCX
 * request uses its buffer any more (`busy` is 0). */
struct frd_ucx_op {
    TAILQ_ENTRY(frd_ucx_op) link;  /* messages: in the peer's sends, receives or offers */
    TAILQ_ENTRY(frd_ucx_op) queue; /* outbox, stream, arrived or endings: never in two at once */
    frd_ucx_peer *peer;
    frd_msg *msg;         /* NULL: note, piece, arrived */
    frd_ucx_op *whole;    /* piece: its message */
    void *descriptor;     /* arrived: UCX's handle of the payload; NULL: the peer sends pieces */
    uint64_t id, peer_id; /* slots.h: ours (0: none), the peer's */
    size_t offset_bytes;  /* stream, gather: how far it is */
    uint64_t give_up_ns;  /* when an end that needs the peer is forced; 0: no such */
    unsigned busy;
    int rc; /* while ending */
    enum frd_ucx_op_kind kind;
    bool queued; /* in the outbox: UCX has not seen it */
    bool ending, withdrawn;
    frd_ucx_wire wire; /* sent as it is: must live as long as UCX's request */
};

struct frd_ucx_peer {
    frd_ucx *net;
    int rank;
    frd_ucx_card card;
    ucp_ep_h ep;            /* the one of the next two that we send on, for good; NULL: none is up */
    ucp_ep_h own, accepted; /* endpoints that we connected, that the peer connected */
    ucs_status_ptr_t parting[2]; /* UCX's requests to close them */
    ucp_conn_request_h knock; /* the peer connects; not looked at yet */
    int tried;              /* candidates of ucx_place.c */
    bool own_up, own_failed;
    bool active;   /* in net->active: there is something to do */
    bool broken;   /* not usable any more; goes on to lost when UCX has returned */
    bool lost;     /* nothing goes to it and nothing comes from it any more */
    bool left;     /* said goodbye */
    bool withdrew; /* some of its offers: they may have descriptors to be released */
    bool reported; /* env.peer_lost was called */
    const char *why;
    size_t window_bytes, credit_bytes; /* eager bytes that may wait there: in all, and still */
    size_t owed_bytes;                 /* eager bytes from it that we have consumed and not told */
    unsigned pieces;                   /* in flight */
    struct frd_ucx_ops sends, receives, offers;
    struct frd_ucx_ops outbox, stream;
    TAILQ_ENTRY(frd_ucx_peer) active_link;
};

typedef struct frd_ucx_region {
    const char *start;
    size_t bytes;
    ucp_mem_h memh;
} frd_ucx_region;

struct frd_ucx {
    frd_net base;
    frd_net_env env;
    ucp_context_h context;
    ucp_worker_h worker;
    ucp_listener_h listener;
    frd_ucx_card card;
    frd_ucx_peer **peer; /* by rank; NULL: not reached by us */
    int epoll, timer;    /* timer: for endings */
    uint64_t timer_ns;   /* what it is set to; 0: off */
    bool verbs;          /* UCX has verbs devices to use */
    bool pieces;         /* large messages go in pieces, not by UCX's rendezvous */
    bool inside;         /* UCX is on the stack */
    bool closing;
    unsigned left;     /* peers that said goodbye */
    unsigned requests; /* UCX's, in flight */
    bool unflushed;    /* something was sent since the last flush */
    bool flushing;     /* UCX works on one */
    struct frd_ucx_peers active;
    struct frd_ucx_ops arrived; /* offers that came since UCX returned */
    struct frd_ucx_ops endings; /* ends that wait for UCX or the peer, earliest give_up_ns first */
    frd_slots out, in;          /* ids of messages offered, of receives filled by pieces */
    frd_pool ops;
    frd_ucx_region *region;
    size_t regions;
};

#endif
