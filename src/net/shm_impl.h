/* SPDX-License-Identifier: BSD-3-Clause
 * shm_impl.h - the shared-memory transport's own view of itself: shm.c opens, wakes and buries, shm_send.c
 * and shm_receive.c carry messages.
 *
 *     eager:             EAGER with the payload ------->            taken += len returns the credit
 *     read directly:     OFFER ------------------------>
 *                                (process_vm_readv)  <--            receive posted
 *                                <------------------------ FIN      (or REFUSE: not wanted)
 *     through the ring:  OFFER ------------------------>
 *                                <------------------------ PULL     receive posted
 *                        DATA, DATA, ... -------------->            (or GONE: cancelled)
 *
 * A message that is cancelled must not be touched any more. A receive's id stops being valid, so DATA for it
 * is ignored. For a send, the offer's word in the sender's segment says whether the offer still stands, and
 * either side ends it by compare-and-swap: the receiver after it has read everything, the sender when it
 * cancels. A receiver that loses that race knows that what it read is worthless. Reading a buffer that its
 * owner has meanwhile freed is harmless: process_vm_readv fails where a load would trap, which is why it is
 * also used between ranks of one process.
 *
 * Large messages are read piece by piece, a bounded number of bytes per call of progress. */
#ifndef FRD_NET_SHM_IMPL_H
#define FRD_NET_SHM_IMPL_H

#include "base/mem.h"
#include "net/match.h"
#include "net/shm_heap.h"
#include "net/shm_segment.h"
#include "net/shm_team.h"
#include "net/slots.h"

/* Where a message is; kept in msg->word[FRD_SHM_STATE]. */
typedef enum frd_shm_state {
    FRD_SHM_QUEUED,    /* send: waits for room in the ring, in peer.control or peer.queue */
    FRD_SHM_OFFERED,   /* send: in shm.sends */
    FRD_SHM_STREAMING, /* send: in shm.sends and peer.streams */
    FRD_SHM_READING,   /* receive: in shm.reads */
    FRD_SHM_PULLED,    /* receive: in shm.pulls */
} frd_shm_state;

/* Use of msg->word. The id of the offer that a receive takes is in msg->handle. */
enum {
    FRD_SHM_STATE,
    FRD_SHM_ID, /* send: in shm.sends; receive: in shm.pulls; STREAMING: its handle is the peer's receive */
    FRD_SHM_OFFSET, /* bytes moved so far */
    FRD_SHM_ADDRESS /* READING: of the data at the sender */
};

typedef struct frd_shm_list {
    frd_msg *head, *tail;
} frd_shm_list;

/* A record without payload that waits for room. */
typedef struct frd_shm_note {
    struct frd_shm_note *next;
    frd_shm_record record;
} frd_shm_note;

typedef struct frd_shm_peer {
    int rank;
    int64_t pid;
    uint64_t start_ticks;
    frd_shm_segment segment;
    frd_shm_ring out, in;
    int wake_fd, pid_fd; /* pid_fd -1: our own process, or the kernel has none (then /proc is asked) */
    bool direct;         /* process_vm_readv works on it */
    bool left, lost;
    uint64_t eager_sent; /* bytes; less ring.taken is what it has not received yet */
    frd_shm_note *notes, *notes_tail;
    frd_shm_list control, queue, streams;
    frd_shm_mapping *mapping; /* FRD_SHM_BLOCKS; NULL: none of its blocks was used yet */
} frd_shm_peer;

typedef struct frd_shm {
    frd_net net;
    const frd_net_env *env;
    frd_shm_card card;
    frd_shm_segment segment;
    int fd[3];              /* memory, wake pipe's reading and writing end */
    int epoll_fd;           /* the pipe's reading end and the peers' pid_fds */
    frd_shm_peer **by_rank; /* NULL: not on this node */
    frd_shm_peer **peer;    /* those that exist */
    size_t peers;
    frd_pool notes;
    frd_slots sends, pulls;
    size_t offers; /* in sends */
    frd_shm_list reads;
    uint64_t checked_ns;    /* when death was looked for */
    unsigned calls, checks; /* of progress since the clock was read; for death, ever */
    frd_team *teams;        /* those that are joined */
    bool can_fence_others;  /* membarrier works */
    frd_shm_heap heap;
} frd_shm;

void frd_shm_list_add(frd_shm_list *list, frd_msg *msg);
void frd_shm_list_remove(frd_shm_list *list, frd_msg *msg);

/* Wakes the peer's owner if it sleeps; after publishing something for it. */
void frd_shm_notify(frd_shm_peer *peer);
/* The peer is lost: ends its messages, tells env. Once. */
void frd_shm_lose(frd_shm *shm, frd_shm_peer *peer, const char *why);

/* shm_send.c */
void frd_shm_send(frd_net *net, frd_msg *msg);
void frd_shm_cancel_send(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg);
/* Sends a record without payload, now or when there is room. */
void frd_shm_tell(frd_shm *shm, frd_shm_peer *peer, frd_shm_kind kind, uint64_t id, uint64_t arg,
                  uint64_t len);
/* Moves on what waits for room; number of records. */
int frd_shm_flush(frd_shm *shm, frd_shm_peer *peer);
static inline bool frd_shm_flush_wanted(const frd_shm_peer *peer)
{
    return peer->notes != NULL || peer->control.head != NULL || peer->queue.head != NULL ||
           peer->streams.head != NULL;
}
void frd_shm_on_pull(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *record);
void frd_shm_on_end(frd_shm *shm, frd_shm_peer *peer, const frd_shm_record *record); /* FIN, REFUSE */
/* Ends a send that has an id. */
void frd_shm_end_send(frd_shm *shm, frd_msg *msg, int rc);

/* shm_receive.c */
void frd_shm_accept(frd_net *net, frd_msg *msg, const frd_offer *offer);
void frd_shm_refuse(frd_net *net, const frd_offer *offer);
void frd_shm_cancel_receive(frd_shm *shm, frd_shm_peer *peer, frd_msg *msg);
/* Handles what has come from a peer, a bounded number of records; returns that number. */
int frd_shm_receive(frd_shm *shm, frd_shm_peer *peer);
/* Reads on directly, a bounded number of bytes; number of pieces. */
int frd_shm_read(frd_shm *shm);
/* Ends a receive that was accepted. */
void frd_shm_end_receive(frd_shm *shm, frd_msg *msg, int rc);

#endif
