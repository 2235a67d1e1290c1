/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_parts.h - the calls of the parts of the UCX transport among themselves. */
#ifndef FRD_NET_UCX_PARTS_H
#define FRD_NET_UCX_PARTS_H

#include "net/ucx.h"

/* ---- ucx_worker.c ---- */
int frd_ucx_worker_open(frd_ucx *net, frd_story *story);
void frd_ucx_worker_close(frd_ucx *net); /* half-open is fine */

/* ---- ucx_devices.c ---- */
/* Does the context have nothing but TCP? */
bool frd_ucx_devices_only_tcp(ucp_context_h context);
/* Have the verbs devices that the context has what they need of this process and of their interfaces? *without: not of
 * this process, and the context is to be opened again without them, since TCP does. */
int frd_ucx_devices_check(frd_ucx *net, bool *without, frd_story *story);
/* "; verbs ports here: rxe1:1 active, 2 GIDs" for an error; returns text. */
const char *frd_ucx_devices_ports(char *text, size_t room);

/* ---- ucx_place.c ---- */
/* Fills in the card's boot_id, network and place. */
int frd_ucx_place_all(const frd_conf *conf, frd_ucx_card *card, frd_story *story);
typedef struct frd_ucx_way {
    struct sockaddr_storage to, from;
    socklen_t to_bytes, from_bytes; /* from_bytes 0: from wherever the kernel likes */
} frd_ucx_way;

/* The k-th best way to a peer as seen from `own`; false: there are no more. `bound`: our places are what the option
 * interface names, and connections leave from there. */
bool frd_ucx_place_choose(const frd_ucx_card *own, bool bound, const frd_ucx_card *its, int k, frd_ucx_way *way);

/* ---- ucx_process.c ---- */
/* From now on, until _leave(what _enter returned), UCX's own warnings on this thread go to `log`. */
const frd_log *frd_ucx_log_enter(const frd_log *log);
void frd_ucx_log_leave(const frd_log *outer);
/* The first error that UCX told this thread since the outermost _enter; "": none. */
const char *frd_ucx_log_heard(void);

/* ---- ucx_peer.c ---- */
frd_ucx_op *frd_ucx_op_new(frd_ucx_peer *peer, enum frd_ucx_op_kind kind); /* NULL: out of memory */
void frd_ucx_op_free(frd_ucx_op *op);
/* Ends a message now; op is gone. */
void frd_ucx_op_end(frd_ucx_op *op, int rc);
/* Ends a message with `rc` as soon as UCX has let go of its buffer. Within `limit_ns` that is forced. */
void frd_ucx_op_end_soon(frd_ucx_op *op, int rc, uint64_t limit_ns);
/* Ends every message whose limit has passed, by breaking its peer. Returns their number. */
int frd_ucx_give_up(frd_ucx *net);

/* Queues op->wire (with op->msg's payload for a SEND) for the peer, and sends it when UCX is not inside. */
void frd_ucx_post(frd_ucx_op *op);
/* Posts a header without payload. Failing to is the end of the peer: the protocol would stall. */
void frd_ucx_note(frd_ucx_peer *peer, enum frd_ucx_kind kind, uint64_t id, uint64_t arg);
void frd_ucx_kick(frd_ucx_peer *peer);
/* Notes that `len` eager bytes from the peer were consumed, and tells it when it is time. */
void frd_ucx_owe(frd_ucx_peer *peer, size_t len);
/* Does what kicked peers want. Returns their number. */
int frd_ucx_run(frd_ucx *net);
void frd_ucx_run_peer(frd_ucx_peer *peer);
/* The peer is not usable any more; `why` is static text. */
void frd_ucx_break(frd_ucx_peer *peer, const char *why);
void frd_ucx_report(frd_ucx_peer *peer, const char *why);
/* Did the peer leave while we want something from it: a receive, or that it takes an offer? */
bool frd_ucx_deserted(const frd_ucx_peer *peer);

/* ---- ucx_connect.c ---- */
/* Lets a knocking peer in, tries its next address, starts to connect: whatever is due. */
void frd_ucx_connect(frd_ucx_peer *peer);
/* Our own endpoint is up, or failed before it was. */
void frd_ucx_on_hello(frd_ucx_peer *peer, ucs_status_t status);
/* UCX's: somebody connects. */
void frd_ucx_on_knock(ucp_conn_request_h request, void *arg);
/* Closes the endpoints at once, by force. */
void frd_ucx_disconnect(frd_ucx_peer *peer);
/* Closes them when everything sent is out, and asks whether that is done. Before the worker is destroyed, one
 * must have given up what is not: UCX insists. */
void frd_ucx_part(frd_ucx_peer *peer);
bool frd_ucx_parted(frd_ucx_peer *peer, bool give_up);

/* ---- ucx_send.c ---- */
void frd_ucx_send(frd_net *base, frd_msg *msg);
void frd_ucx_cancel(frd_net *base, frd_msg *msg);
/* Hands op to UCX; its endpoint is there. */
void frd_ucx_submit(frd_ucx_op *op);
/* Keeps pieces flowing to the peer. */
void frd_ucx_pump(frd_ucx_peer *peer);
void frd_ucx_on_clear(frd_ucx_peer *peer, const frd_ucx_wire *wire);
void frd_ucx_on_refuse(frd_ucx_peer *peer, const frd_ucx_wire *wire);

/* ---- ucx_recv.c ---- */
ucs_status_t frd_ucx_on_arrival(void *arg, const void *header, size_t header_bytes, void *data, size_t len,
                                const ucp_am_recv_param_t *param);
/* Brings the offers that arrived to the match table. Returns their number. */
int frd_ucx_match_offers(frd_ucx *net);
void frd_ucx_release_withdrawn(frd_ucx_peer *peer);
void frd_ucx_accept(frd_net *base, frd_msg *msg, const frd_offer *offer);
void frd_ucx_refuse(frd_net *base, const frd_offer *offer);

/* ---- ucx_memory.c ---- */
int frd_ucx_mem_add(frd_net *base, void *memory, size_t bytes, frd_story *story);
void frd_ucx_mem_remove(frd_net *base, void *memory, size_t bytes);
void frd_ucx_mem_close(frd_ucx *net);
/* Adds the handle of registered memory to a request's parameters where `buf` lies in such. */
void frd_ucx_mem_use(const frd_ucx *net, const void *buf, size_t len, ucp_request_param_t *param);

#endif
