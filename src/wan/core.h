/* SPDX-License-Identifier: BSD-3-Clause
 * core.h - what the parts behind node.h share; nobody else includes it. */
#ifndef FRD_WAN_CORE_H
#define FRD_WAN_CORE_H

#include "wan/chunk.h"
#include "wan/line.h"
#include "wan/mtu.h"
#include "wan/node.h"
#include "wan/rel.h"
#include "wan/seal.h"

typedef struct frd_wan_session frd_wan_session;

struct frd_wan_route {
    frd_wan_session *session;
    unsigned hops;
    bool spare; /* carries data only while no other is up */
    frd_wan_via via;
    frd_wan_addr addr; /* direct: where the peer was last heard */
    unsigned tries;    /* direct: addresses knocked at */
    enum frd_wan_route_state state;
    frd_wan_path path;
    frd_wan_pace pace;
    frd_wan_rel rel;
    uint32_t datagram_bytes, datagram_most; /* that may be sent, tag and head included; that both ends can */
    frd_wan_mtu mtu;
    uint32_t knocked;  /* length of the knock before the next, of several that go together; 0: none */
    uint64_t heard_ns; /* anything valid */
    uint64_t hello_ns, hello_wait_ns;          /* NEW: next knock */
    uint64_t ping_ns;                          /* next heartbeat */
    bool ping, push, hello, answer_hello, bye; /* to be sent; push: with data, whatever the cap says */
    frd_wan_hello answer;
    frd_wan_addr answer_to;
    frd_wan_wait wait_line, wait_egress;
};

/* A rank whose host refuses what we send (refuse.c). All zero: it does not. */
typedef struct frd_wan_doubt {
    uint64_t since_ns, ask_ns;
    uint64_t sure_number; /* of what left late enough to be sure; 0: nothing did yet */
} frd_wan_doubt;

enum { FRD_WAN_FLOWS = 16 }; /* collectives that share a session fairly; more share flows */

struct frd_wan_session {
    frd_wan_node *node;
    int rank;
    uint32_t id;
    frd_wan_seal seal;
    uint64_t epoch;
    frd_wan_addr addr[FRD_WAN_ADDRS];
    unsigned addrs;
    frd_wan_route *route[FRD_WAN_ROUTES];
    unsigned routes, turn;
    uint64_t due_ns;
    uint64_t used_ns;  /* last message */
    uint64_t alone_ns; /* since then no route is up */
    bool dialed, left, leaving, lost;
    bool met;           /* some route was up */
    bool barred;        /* nothing goes straight to it, or comes straight from it */
    frd_wan_line *line; /* to its silo; NULL: without a cap */
    const char *why;
    frd_wan_doubt doubt;
    /* out */
    uint32_t next_id;
    uint32_t opened_below; /* all messages before it are known to the peer */
    frd_wan_table outs;
    struct frd_wan_items notes, again;
    unsigned notes_left; /* notes that have not arrived */
    struct frd_wan_outs controls, blocked, flow[FRD_WAN_FLOWS];
    unsigned flows_used; /* bits */
    unsigned flow_now;
    uint64_t flow_left; /* bytes until the next flow's turn */
    uint64_t early_bytes, copy_bytes, unsent_bytes;
    unsigned copies; /* not yet arrived */
    /* in */
    frd_wan_table ins;
    uint32_t seen_id; /* highest + 1 */
    uint64_t stash_bytes;
};

struct frd_wan_node {
    frd_wan_params params;
    frd_wan_user user;
    frd_wan_counts counts;
    frd_wan_memory memory;
    frd_wan_session **session; /* by rank */
    frd_wan_session **list;    /* those that there are */
    unsigned sessions, turn;
    frd_wan_gate egress; /* of the rank */
    frd_wan_line *line;  /* by the rank that stands for the silo; the last one is of all that have no cap */
    unsigned line_turn;
    uint64_t relayed_bytes;
};

enum {
    FRD_WAN_OPEN_MAX = 1 << 15,      /* messages of one direction between their opening and their end */
    FRD_WAN_UNKNOWN_MAX = 1 << 12,   /* of them, how many the peer may not know yet */
    FRD_WAN_RELAYED_BYTES = 4 << 20, /* that wait to be forwarded */
    FRD_WAN_STRIPE = 64 * 1024,      /* of a flow before the next one has its turn */
    FRD_WAN_BELOW = 28               /* bytes of the headers below ours, IPv4 and UDP: they take time, too */
};

/* ---- route.c ---- */
frd_wan_route *frd_wan_route_new(frd_wan_session *session, const frd_wan_via *via, unsigned hops);
void frd_wan_route_free(frd_wan_route *route);
/* Something valid came on it. */
void frd_wan_route_heard(frd_wan_route *route, uint64_t now_ns);
void frd_wan_route_hello(frd_wan_route *route, uint64_t now_ns, const frd_wan_hello *hello,
                         const frd_wan_addr *from);
void frd_wan_route_ack(frd_wan_route *route, uint64_t now_ns, const frd_wan_frame *ack);
/* Does what is due. */
void frd_wan_route_run(frd_wan_route *route, uint64_t now_ns);
uint64_t frd_wan_route_due(const frd_wan_route *route);
/* May it carry new data? */
bool frd_wan_route_usable(const frd_wan_route *route);
/* Bytes of messages that may go now. */
uint64_t frd_wan_route_room(const frd_wan_route *route, uint64_t now_ns);
/* Writes knocks, answers, heartbeats and probes into the batch; true: it did. */
bool frd_wan_route_signal(frd_wan_route *route, uint64_t now_ns, frd_wan_batch *batch);
/* Head and hops of a datagram on this route; returns their bytes. */
size_t frd_wan_write_head(const frd_wan_route *route, unsigned char *at, unsigned kind, uint8_t flags,
                          uint64_t number);
/* The address for a batch on this route; false: unknown. */
bool frd_wan_route_address(const frd_wan_route *route, frd_wan_addr *to);

/* ---- session.c ---- */
frd_wan_session *frd_wan_session_new(frd_wan_node *node, int rank, uint64_t epoch);
void frd_wan_session_free(frd_wan_session *session);
void frd_wan_session_lose(frd_wan_session *session, const char *why);
/* Does what is due, and says when something will be. */
void frd_wan_session_run(frd_wan_session *session, uint64_t now_ns);
bool frd_wan_session_pull(frd_wan_session *session, uint64_t now_ns, frd_wan_batch *batch);
/* The route through these relays; NULL: there is none, and no room for it, or it may not be added. */
frd_wan_route *frd_wan_session_route(frd_wan_session *session, const frd_wan_via *via, unsigned hops,
                                     bool may_add);
bool frd_wan_session_up(const frd_wan_session *session);
/* Bytes of a chunk with its header that fit into a datagram of any route: it may have to go again. */
size_t frd_wan_session_narrowest(const frd_wan_session *session);
/* Looks again at when something is due. */
void frd_wan_session_wake(frd_wan_session *session);

/* ---- refuse.c ---- */
/* What left straight for the rank with this number was refused by its host. */
void frd_wan_session_refused(frd_wan_session *session, uint64_t now_ns, uint64_t number);
void frd_wan_doubt_run(frd_wan_session *session, uint64_t now_ns);
static inline uint64_t frd_wan_doubt_due(const frd_wan_doubt *doubt)
{
    return doubt->since_ns == 0 ? UINT64_MAX : doubt->ask_ns;
}
/* Something was heard. */
static inline void frd_wan_doubt_end(frd_wan_doubt *doubt)
{
    *doubt = (frd_wan_doubt){ .since_ns = 0 };
}

/* ---- session_send.c ---- */
bool frd_wan_session_has_work(const frd_wan_session *session);
/* Writes a datagram of messages (and an acknowledgement where one is due) behind the batch; returns its
 * bytes, 0: none was made. `data` false: only what is due. */
size_t frd_wan_session_write(frd_wan_route *route, uint64_t now_ns, unsigned char *at, size_t room,
                             bool data);
void frd_wan_item_note(frd_wan_session *session, uint8_t type, uint8_t verdict, uint32_t id);
void frd_wan_items_acked(void *arg, frd_wan_packet *packet);
void frd_wan_items_lost(void *route, frd_wan_packet *packet);
void frd_wan_items_forget(void *route, frd_wan_packet *packet);
void frd_wan_on_verdict(frd_wan_session *session, uint32_t id, uint8_t verdict);
void frd_wan_outs_end(frd_wan_session *session, int rc); /* all of them */

/* ---- session_receive.c ---- */
/* Takes the frames of a datagram. 1: it asks to be acknowledged; 0: it does not; negative: it could not be
 * taken (FEDRDMA_ERR_NOMEM) or is malformed (FEDRDMA_ERR_INVALID). */
int frd_wan_session_frames(frd_wan_route *route, uint64_t now_ns, const unsigned char *at,
                           const unsigned char *end);
void frd_wan_ins_end(
    frd_wan_session *session); /* accepted ones; the others stay for their accept or refuse */

#endif
