/* SPDX-License-Identifier: BSD-3-Clause
 * fabric.h - all transports of a context as one: which carries what to whom, progress, and how to wait. */
#ifndef FRD_NET_FABRIC_H
#define FRD_NET_FABRIC_H

#include "net/match.h"
#include "net/net.h"

typedef struct frd_fabric frd_fabric;

/* All ranks' bytes, as frd_boot_allgather; how cards are exchanged. */
typedef int frd_exchange_fn(void *arg, const void *mine, void *all, size_t bytes, frd_story *story);

typedef struct frd_fabric_params {
    const frd_conf *conf;
    const frd_log *log;
    frd_stat *stat;
    int rank, size;
    frd_exchange_fn *exchange;
    void *exchange_arg;
    frd_match_dead_fn *dead;
    void (*peer_lost)(void *arg, int peer, const char *why);
    void (*control)(void *arg, int peer, const frd_tag *tag, const void *data, size_t len);
    void *arg; /* of the three */
    const frd_net_policy *policy; /* as net.h's, or NULL; outlives the fabric */
} frd_fabric_params;

/* Opens the transports named in conf->transports (in order of preference), exchanges cards, and picks for each
 * peer the first transport that reaches it. FEDRDMA_ERR_UNREACHABLE: no transport reaches some rank (story:
 * which, and why not). Collective. */
int frd_fabric_open(const frd_fabric_params *params, frd_story *story, frd_fabric **fabric);
void frd_fabric_close(frd_fabric *fabric); /* NULL is fine */

/* The transport's name for a peer ("shm", "ucx", ...; "self"). */
const char *frd_fabric_transport(const frd_fabric *fabric, int peer);

/* As net.h's look, of the transport to that peer; false also where it has none. */
bool frd_fabric_look(const frd_fabric *fabric, int peer, frd_net_sight *sight);

/* A lost peer's messages end at once with FEDRDMA_ERR_RANK_LOST, but for receives of what it sent before. When a
 * peer is lost the messages that a transport carries end; receives still posted stay so until cancelled. */
void frd_fabric_send(frd_fabric *fabric, frd_msg *msg);
void frd_fabric_recv(frd_fabric *fabric, frd_msg *msg);
/* Ends msg early: done(FEDRDMA_ERR_CANCELED), or its normal end, follows as net.h's cancel says. */
void frd_fabric_cancel(frd_fabric *fabric, frd_msg *msg);
void frd_fabric_purge(frd_fabric *fabric, int peer); /* as frd_match_purge */
bool frd_fabric_lost(const frd_fabric *fabric, int peer);

/* The transport of that kind; NULL: not open. */
frd_net *frd_fabric_net(const frd_fabric *fabric, const frd_net_ops *ops);

/* Moves everything on; number of events. */
int frd_fabric_progress(frd_fabric *fabric);

/* Does nothing that was sent wait for our progress any more? As net.h's flushed; asked until true before leaving. */
bool frd_fabric_flushed(frd_fabric *fabric);

/* One step of waiting after progress found nothing since `idle_since_ns`: poll on (a pause), yield the core,
 * or sleep in the kernel until something comes or `deadline_ns` passes; by conf.spin and conf.yield. */
void frd_fabric_idle(frd_fabric *fabric, uint64_t idle_since_ns, uint64_t deadline_ns);

/* Are there more ranks on this host than cores? Then who polls keeps others from working. */
bool frd_fabric_crowded(const frd_fabric *fabric);

int frd_fabric_mem_add(frd_fabric *fabric, size_t bytes, void **memory, frd_story *story);
void frd_fabric_mem_remove(frd_fabric *fabric, void *memory, size_t bytes);

#endif
