/* SPDX-License-Identifier: BSD-3-Clause
 * meeting.h - what the store knows and decides: who has come, what they gather, why it failed. It reads and
 * queues frames; sockets, time and threads are store.c's. */
#ifndef FRD_BOOT_MEETING_H
#define FRD_BOOT_MEETING_H

#include <stdint.h>

#include "boot/conn.h"
#include "boot/store.h"

#define FRD_NEVER_NS UINT64_MAX

enum frd_meeting_phase { FRD_MEETING_WAITING, FRD_MEETING_READY, FRD_MEETING_FAILED };

typedef struct frd_meeting {
    enum frd_meeting_phase phase;
    int size, came;
    char job[FRD_WIRE_JOB_BYTES];
    char address[FRD_ADDRESS_MAX];
    uint64_t timeout_ns;
    uint64_t since_ns;      /* when the wait for ranks, or for a round's contributions, began */
    uint64_t deadline_ns;   /* when it ends */
    frd_conn *first, *last; /* all connections, in the order in which they came */
    int connections;
    frd_conn **by_rank; /* size of them; NULL: not come yet, or gone */
    int gone;           /* a rank that left after all had come; -1: none */
    bool once;          /* no second meeting */
    int returned;       /* the rank that began the current meeting by coming again */

    uint64_t round;     /* the current or next */
    frd_blob *gathered; /* NULL: nobody has begun the round */
    uint64_t each_bytes;
    int contributed;

    int rc; /* of the failure, with its story */
    char story[FRD_STORY_MAX];
    bool starved;     /* a connection could not be accepted for want of descriptors */
    uint64_t dropped; /* connections that were no rank's */
    char dropped_peer[FRD_ADDRESS_MAX];
} frd_meeting;

/* `params` is checked. FEDRDMA_ERR_NOMEM. */
int frd_meeting_init(frd_meeting *meeting, const frd_store_params *params, const char *address,
                     uint64_t now_ns);
void frd_meeting_free(frd_meeting *meeting);

/* A connection came; it is the meeting's from now on. */
void frd_meeting_add(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns);

/* conn->header is whole (sets conn->body), or the frame is. Frames are queued, not sent. */
void frd_meeting_header(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns);
void frd_meeting_frame(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns);

/* The connection closed, broke or ran out of time: closes the socket and says what that means for the
 * others. The memory lives until frd_meeting_remove. */
void frd_meeting_drop(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns);
void frd_meeting_remove(frd_meeting *meeting, frd_conn *conn);

/* The meeting's own deadline has passed. */
void frd_meeting_expire(frd_meeting *meeting, uint64_t now_ns);

#endif
