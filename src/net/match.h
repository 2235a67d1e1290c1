/* SPDX-License-Identifier: BSD-3-Clause
 * match.h - brings arriving messages and posted receives together by (peer, tag): a hash table of posted
 * receives, one of unexpected arrivals. O(1) each; unexpected data is copied once. */
#ifndef FRD_NET_MATCH_H
#define FRD_NET_MATCH_H

#include "net/net.h"

/* Is this tag of an operation that ended early (cancelled, failed, communicator freed)? Asked when an arrival
 * finds no posted receive; then it is dropped. */
typedef bool frd_match_dead_fn(void *arg, const frd_tag *tag);

int frd_match_create(frd_stat *stat, frd_match_dead_fn *dead, void *arg, frd_match **match);
/* Forgets all: unexpected data is freed, offers are refused, posted receives dropped without done(). Before the
 * transports close; they may still ask the table while they do. */
void frd_match_clear(frd_match *match);
void frd_match_destroy(frd_match *match); /* clears first; NULL is fine */

/* Posts a receive. It may end at once, or an offer may be accepted at once. A length that differs from the
 * arrival's ends it with FEDRDMA_ERR_MISMATCH (the arriving length is left in msg->word[0]). */
void frd_match_post(frd_match *match, frd_msg *msg);

/* An eager message came; `data` is copied before the return. FEDRDMA_ERR_NOMEM: it was dropped. *consumed
 * (may be NULL) tells whether a receive took it now; if not, `taken` is called later, when it leaves the
 * unexpected table (for credits). */
typedef void frd_match_taken_fn(frd_net *net, int peer, size_t len);
int frd_match_eager(frd_match *match, frd_net *net, int peer, const frd_tag *tag, const void *data,
                    size_t len, frd_match_taken_fn *taken, bool *consumed);

/* An offer came; it is accepted now, kept, or refused, through net->ops. */
int frd_match_offer(frd_match *match, frd_net *net, const frd_offer *offer);

/* A message that comes in pieces (e.g. through a small ring): takes the posted receive for (peer, tag) out of
 * the table and returns it, NULL when there is none (then the transport gathers the pieces and hands the
 * whole to frd_match_eager). The caller checks msg->len. */
frd_msg *frd_match_take(frd_match *match, int peer, const frd_tag *tag);

/* Takes a posted receive back; true when it was still there (done() is not called). */
bool frd_match_cancel(frd_match *match, frd_msg *msg);

/* Is any receive posted for `peer`? O(posted receives): for rare questions (a peer that left). */
bool frd_match_expects(const frd_match *match, int peer);

/* Drops all unexpected arrivals that are dead by now (dead_fn), or come from `peer` (>= 0). */
void frd_match_purge(frd_match *match, int peer);

#endif
