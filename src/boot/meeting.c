/* SPDX-License-Identifier: BSD-3-Clause
 * meeting.c - the rules of the rendezvous.
 *
 * First all ranks come (WAITING), then they gather in rounds (READY); a round's contributions are received in
 * place in the answer that goes to all. When a rank that has left comes again, the next meeting begins: a
 * program may have one context after the other. Who is no rank of this job is refused alone; anything that
 * keeps the ranks of this job from going on (a deadline, a rank that left, sizes that differ) fails it for
 * all of them with one story, which later comers get too. Time is bounded by the store's timeout and by how
 * long each waiting rank says that it will wait, so every rank hears the story before it gives up. */
#include "boot/meeting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/ranges.h"

#define STRANGER_NS (5 * FRD_NS_PER_S) /* to say HELLO in; a rank needs a round trip */
#define LEAVING_NS (5 * FRD_NS_PER_S)  /* for the last answer to arrive before the connection is cut */
#define HINTS_MAX 180
#define RANKS_TEXT_MAX 160 /* of a list of ranks in a story */

int frd_meeting_init(frd_meeting *meeting, const frd_store_params *params, const char *address,
                     uint64_t now_ns)
{
    memset(meeting, 0, sizeof *meeting);
    meeting->by_rank = frd_calloc((size_t)params->size, sizeof(frd_conn *));
    if (meeting->by_rank == NULL)
        return FEDRDMA_ERR_NOMEM;
    meeting->size = params->size;
    meeting->gone = -1;
    meeting->once = params->once;
    meeting->timeout_ns = params->timeout_ns;
    meeting->since_ns = now_ns;
    meeting->deadline_ns = now_ns + params->timeout_ns;
    snprintf(meeting->job, sizeof meeting->job, "%s", params->job);
    snprintf(meeting->address, sizeof meeting->address, "%s", address);
    return FEDRDMA_OK;
}

void frd_meeting_free(frd_meeting *meeting)
{
    while (meeting->first != NULL)
        frd_meeting_remove(meeting, meeting->first);
    frd_blob_drop(meeting->gathered);
    frd_free(meeting->by_rank);
    memset(meeting, 0, sizeof *meeting);
}

void frd_meeting_add(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    conn->deadline_ns = now_ns + STRANGER_NS;
    conn->prev = meeting->last;
    if (meeting->last == NULL)
        meeting->first = conn;
    else
        meeting->last->next = conn;
    meeting->last = conn;
    meeting->connections++;
}

void frd_meeting_remove(frd_meeting *meeting, frd_conn *conn)
{
    if (conn->prev == NULL)
        meeting->first = conn->next;
    else
        conn->prev->next = conn->next;
    if (conn->next == NULL)
        meeting->last = conn->prev;
    else
        conn->next->prev = conn->prev;
    meeting->connections--;
    frd_conn_free(conn);
}

/* ---- refusing and failing ---- */

/* From here on whatever it sends goes nowhere. */
static void leave(frd_conn *conn, uint64_t now_ns)
{
    conn->state = FRD_CONN_LEAVING;
    conn->deadline_ns = now_ns + LEAVING_NS;
    conn->body = NULL;
    conn->body_got = 0;
    conn->header_got = sizeof conn->raw;
    conn->header.bytes = UINT64_MAX;
}

static void queue_text(frd_conn *conn, enum frd_wire_type type, int code, const char *text)
{
    frd_wire_header header = frd_wire_make(type, strlen(text));

    header.code = code;
    /* Out of memory, the peer is told nothing and hits its own deadline. */
    (void)frd_conn_queue(conn, header, text, NULL);
}

__attribute__((format(printf, 4, 5))) static void refuse(frd_conn *conn, uint64_t now_ns, int rc,
                                                         const char *format, ...)
{
    char text[FRD_WIRE_TEXT_MAX];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    queue_text(conn, FRD_WIRE_FAIL, rc, text);
    leave(conn, now_ns);
}

__attribute__((format(printf, 4, 5))) static void fail(frd_meeting *meeting, uint64_t now_ns, int rc,
                                                       const char *format, ...)
{
    va_list args;

    if (meeting->phase == FRD_MEETING_FAILED)
        return;
    va_start(args, format);
    if (vsnprintf(meeting->story, sizeof meeting->story, format, args) < 0)
        meeting->story[0] = '\0';
    va_end(args);
    meeting->rc = rc;
    meeting->phase = FRD_MEETING_FAILED;
    meeting->deadline_ns = FRD_NEVER_NS;
    for (int rank = 0; rank < meeting->size; rank++)
        if (meeting->by_rank[rank] != NULL) {
            refuse(meeting->by_rank[rank], now_ns, rc, "%s", meeting->story);
            meeting->by_rank[rank] = NULL;
        }
    frd_blob_drop(meeting->gathered); /* nobody receives into it any more */
    meeting->gathered = NULL;
}

static void fail_nomem(frd_meeting *meeting, uint64_t now_ns)
{
    fail(meeting, now_ns, FEDRDMA_ERR_NOMEM, "the rendezvous at %s is out of memory", meeting->address);
}

/* Closes what is no rank of ours. */
static void drop_stranger(frd_meeting *meeting, frd_conn *conn)
{
    meeting->dropped++;
    strcpy(meeting->dropped_peer, conn->peer);
    close(conn->fd);
    conn->fd = -1;
}

void frd_meeting_drop(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const int rank = conn->rank;
    bool owes;

    if (conn->fd < 0)
        return;
    if (conn->state == FRD_CONN_STRANGER) {
        drop_stranger(meeting, conn);
        return;
    }
    close(conn->fd);
    conn->fd = -1;
    if (conn->state != FRD_CONN_RANK)
        return;
    meeting->by_rank[rank] = NULL;
    owes = meeting->gathered != NULL && !conn->contributed;
    if (meeting->phase == FRD_MEETING_WAITING)
        fail(meeting, now_ns, FEDRDMA_ERR_UNREACHABLE,
             "rank %d (process %d at %s) came and left again before all %d ranks had come to %s; its own "
             "output tells why",
             rank, conn->hello.pid, conn->peer, meeting->size, meeting->address);
    else if (owes)
        fail(meeting, now_ns, FEDRDMA_ERR_UNREACHABLE,
             "rank %d (process %d at %s) left during start-up; its own output tells why", rank,
             conn->hello.pid, conn->peer);
    else
        meeting->gone = rank;
}

/* ---- deadlines ---- */

static bool has_not_come(const void *arg, int rank)
{
    const frd_meeting *meeting = arg;

    return meeting->by_rank[rank] == NULL;
}

static bool has_not_contributed(const void *arg, int rank)
{
    const frd_meeting *meeting = arg;

    return meeting->by_rank[rank] == NULL || !meeting->by_rank[rank]->contributed;
}

/* What may have kept ranks from coming. */
static void hints(const frd_meeting *meeting, char text[HINTS_MAX])
{
    text[0] = '\0';
    if (meeting->starved)
        strcpy(text, "; the rendezvous ran out of file descriptors, raise `ulimit -n` where it runs");
    else if (meeting->dropped > 0)
        snprintf(text, HINTS_MAX, "; %llu connections that were no rank's were dropped, the last from %.80s",
                 (unsigned long long)meeting->dropped, meeting->dropped_peer);
}

void frd_meeting_expire(frd_meeting *meeting, uint64_t now_ns)
{
    const bool in_round = meeting->phase == FRD_MEETING_READY;
    const double seconds = (double)(now_ns - meeting->since_ns) / (double)FRD_NS_PER_S;
    const int decimals = seconds < 10 ? 1 : 0;
    char ranks[RANKS_TEXT_MAX], hint[HINTS_MAX];
    int missing;

    if (now_ns < meeting->deadline_ns)
        return;
    missing = frd_ranges_text(ranks, sizeof ranks, meeting->size,
                              in_round ? has_not_contributed : has_not_come, meeting);
    hints(meeting, hint);
    if (in_round)
        fail(meeting, now_ns, FEDRDMA_ERR_TIMEOUT,
             "rank%s %s of %d %s behind at start-up: no answer within %.*f s; see why in their output, or "
             "raise FEDRDMA_CONNECT_TIMEOUT",
             missing == 1 ? "" : "s", ranks, meeting->size, missing == 1 ? "is" : "are", decimals, seconds);
    else
        fail(meeting, now_ns, FEDRDMA_ERR_TIMEOUT,
             "rank%s %s of %d %s not come to %s within %.*f s; see why in their output, or raise "
             "FEDRDMA_CONNECT_TIMEOUT%s",
             missing == 1 ? "" : "s", ranks, meeting->size, missing == 1 ? "has" : "have", meeting->address,
             decimals, seconds, hint);
}

/* A rank that waits for `wait_ns` from now. */
static void bound_deadline(frd_meeting *meeting, uint64_t wait_ns, uint64_t now_ns)
{
    uint64_t until;

    if (!__builtin_add_overflow(now_ns, wait_ns, &until) && until < meeting->deadline_ns)
        meeting->deadline_ns = until;
}

/* ---- coming ---- */

static void become_ready(frd_meeting *meeting, uint64_t now_ns)
{
    meeting->phase = FRD_MEETING_READY;
    meeting->deadline_ns = FRD_NEVER_NS;
    for (int rank = 0; rank < meeting->size; rank++)
        if (frd_conn_queue(meeting->by_rank[rank], frd_wire_make(FRD_WIRE_READY, 0), NULL, NULL) < 0) {
            fail_nomem(meeting, now_ns);
            return;
        }
}

/* Why a rank can't take part, whoever else is here; true when it was refused. */
static bool refuse_hello(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const frd_wire_hello *h = &conn->hello;
    const char *at = meeting->address;

    if (strcmp(h->job, meeting->job) != 0)
        refuse(conn, now_ns, FEDRDMA_ERR_REFUSED,
               "job \"%s\" came to %s, where job \"%s\" meets; give each job a port of its own in "
               "FEDRDMA_RENDEZVOUS",
               h->job, at, meeting->job);
    else if (h->size != meeting->size)
        refuse(conn, now_ns, FEDRDMA_ERR_REFUSED,
               "rank %d of a job of %d came to %s, where a job of %d meets; set the same "
               "FEDRDMA_SIZE for "
               "all ranks, or, if another job uses this port, another port in FEDRDMA_RENDEZVOUS",
               h->rank, h->size, at, meeting->size);
    else if (h->rank < 0 || h->rank >= meeting->size)
        refuse(conn, now_ns, FEDRDMA_ERR_REFUSED, "rank %d came to %s, where ranks 0 to %d meet", h->rank, at,
               meeting->size - 1);
    return conn->state == FRD_CONN_LEAVING;
}

/* Whether `conn` says HELLO for the rank that `before` was: it has closed `before`, which we may not have
 * noticed yet, or, when the network is slow to tell us, it is at least the same process. */
static bool has_left(const frd_conn *before, const frd_conn *conn)
{
    char c;

    return before->hello.pid == conn->hello.pid ||
           recv(before->fd, &c, sizeof c, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Its rank has been here, and the others have come: they have all finished their start-up, or this one has
 * given it up. */
static void note_return(frd_meeting *meeting, const frd_conn *conn, uint64_t now_ns)
{
    const int rank = conn->hello.rank;
    frd_conn *const before = meeting->by_rank[rank];

    if (before != NULL && has_left(before, conn))
        frd_meeting_drop(meeting, before, now_ns);
    if (meeting->by_rank[rank] == NULL && meeting->gathered != NULL)
        fail(meeting, now_ns, FEDRDMA_ERR_UNREACHABLE,
             "rank %d left during start-up; its own output tells why", rank);
}

/* The next meeting of the same ranks. Who has not left the one before gets what is queued for it. */
static void open_next(frd_meeting *meeting, int rank, uint64_t now_ns)
{
    for (int r = 0; r < meeting->size; r++)
        if (meeting->by_rank[r] != NULL) {
            meeting->by_rank[r]->state = FRD_CONN_PAST;
            meeting->by_rank[r]->deadline_ns = now_ns + meeting->timeout_ns;
            meeting->by_rank[r] = NULL;
        }
    meeting->phase = FRD_MEETING_WAITING;
    meeting->came = 0;
    meeting->gone = -1;
    meeting->returned = rank;
    meeting->round = 0;
    meeting->since_ns = now_ns;
    meeting->deadline_ns = now_ns + meeting->timeout_ns;
}

/* False when this rank can't take part: it was told so. */
static bool has_room(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const int rank = conn->hello.rank;

    if (meeting->phase == FRD_MEETING_READY)
        note_return(meeting, conn, now_ns);
    if (meeting->phase == FRD_MEETING_FAILED) {
        refuse(conn, now_ns, meeting->rc, "the job failed before rank %d came: %s", rank, meeting->story);
    } else if (meeting->by_rank[rank] != NULL) {
        refuse(conn, now_ns, FEDRDMA_ERR_REFUSED,
               "rank %d is taken at %s: process %d at %s came first; give each rank a number of its own, "
               "or, if another job uses this port, set FEDRDMA_JOB or another port in FEDRDMA_RENDEZVOUS",
               rank, meeting->address, meeting->by_rank[rank]->hello.pid, meeting->by_rank[rank]->peer);
    } else if (meeting->phase == FRD_MEETING_READY && meeting->once) {
        close(conn->fd); /* without a word: it knocks again until the next store opens here */
        conn->fd = -1;
    } else {
        if (meeting->phase == FRD_MEETING_READY)
            open_next(meeting, rank, now_ns);
        return true;
    }
    return false;
}

static void on_hello(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    conn->hello = frd_wire_swap_hello(conn->hello);
    conn->hello.job[sizeof conn->hello.job - 1] = '\0';
    if (refuse_hello(meeting, conn, now_ns) || !has_room(meeting, conn, now_ns))
        return;
    conn->state = FRD_CONN_RANK;
    conn->rank = conn->hello.rank;
    conn->deadline_ns = FRD_NEVER_NS;
    meeting->by_rank[conn->rank] = conn;
    meeting->came++;
    bound_deadline(meeting, conn->header.wait_ns, now_ns);
    if (frd_conn_queue(conn, frd_wire_make(FRD_WIRE_ACCEPTED, 0), NULL, NULL) < 0)
        fail_nomem(meeting, now_ns);
    else if (meeting->came == meeting->size)
        become_ready(meeting, now_ns);
}

static void on_who(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    char text[FRD_WIRE_TEXT_MAX];

    snprintf(text, sizeof text, "the rendezvous of job \"%s\" of %d ranks (process %d)", meeting->job,
             meeting->size, (int)getpid());
    queue_text(conn, FRD_WIRE_INFO, 0, text);
    leave(conn, now_ns);
}

/* ---- gathering ---- */

static void begin_round(frd_meeting *meeting, const frd_wire_header *header, uint64_t now_ns)
{
    uint64_t total;

    if (__builtin_mul_overflow(header->bytes, (uint64_t)meeting->size, &total) ||
        total > FRD_WIRE_ROUND_MAX) {
        fail(meeting, now_ns, FEDRDMA_ERR_INVALID, "%llu bytes from each of %d ranks are too many to gather",
             (unsigned long long)header->bytes, meeting->size);
        return;
    }
    meeting->gathered = frd_blob_new((size_t)total);
    if (meeting->gathered == NULL) {
        fail_nomem(meeting, now_ns);
        return;
    }
    meeting->each_bytes = header->bytes;
    meeting->contributed = 0;
    meeting->since_ns = now_ns;
    meeting->deadline_ns = now_ns + meeting->timeout_ns;
}

static void on_gather_header(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const frd_wire_header *h = &conn->header;

    if (meeting->phase != FRD_MEETING_READY || conn->contributed || h->round != meeting->round) {
        fail(meeting, now_ns, FEDRDMA_ERR_PROTOCOL, "rank %d (process %d at %s) spoke out of turn",
             conn->rank, conn->hello.pid, conn->peer);
        return;
    }
    if (meeting->gone >= 0) {
        fail(meeting, now_ns, FEDRDMA_ERR_UNREACHABLE,
             "rank %d left during start-up; its own output tells why", meeting->gone);
        return;
    }
    if (meeting->gathered == NULL)
        begin_round(meeting, h, now_ns);
    if (meeting->phase == FRD_MEETING_FAILED)
        return;
    if (h->bytes != meeting->each_bytes) {
        fail(meeting, now_ns, FEDRDMA_ERR_MISMATCH,
             "rank %d gives %llu bytes where others give %llu at start-up; run the same version of the "
             "library and the same options on all ranks",
             conn->rank, (unsigned long long)h->bytes, (unsigned long long)meeting->each_bytes);
        return;
    }
    bound_deadline(meeting, h->wait_ns, now_ns);
    conn->body = meeting->gathered->data + (size_t)h->bytes * (size_t)conn->rank;
}

static void on_gather(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    frd_wire_header header = frd_wire_make(FRD_WIRE_GATHERED, 0);
    frd_blob *all = meeting->gathered;

    conn->contributed = true;
    if (++meeting->contributed < meeting->size)
        return;
    header.bytes = all->bytes;
    header.round = meeting->round++;
    meeting->gathered = NULL;
    meeting->deadline_ns = FRD_NEVER_NS;
    for (int rank = 0; rank < meeting->size; rank++) {
        frd_conn *to = meeting->by_rank[rank];

        if (to == NULL) /* left behind its contribution */
            continue;
        to->contributed = false;
        if (frd_conn_queue(to, header, NULL, all) < 0) {
            fail_nomem(meeting, now_ns);
            break;
        }
    }
    frd_blob_drop(all);
}

/* ---- frames ---- */

static void on_stranger_header(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const frd_wire_header *h = &conn->header;

    if (h->magic != FRD_WIRE_MAGIC)
        drop_stranger(meeting, conn);
    else if (h->version != FRD_WIRE_VERSION)
        refuse(conn, now_ns, FEDRDMA_ERR_REFUSED,
               "the rendezvous at %s speaks version %d of the protocol, the rank version %d; install the "
               "same libfedrdma everywhere",
               meeting->address, FRD_WIRE_VERSION, h->version);
    else if (h->type == FRD_WIRE_HELLO && h->bytes == sizeof conn->hello)
        conn->body = (unsigned char *)&conn->hello;
    else if (h->type != FRD_WIRE_WHO || h->bytes != 0)
        drop_stranger(meeting, conn);
}

void frd_meeting_header(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    const frd_wire_header *h = &conn->header;

    if (conn->state == FRD_CONN_STRANGER)
        on_stranger_header(meeting, conn, now_ns);
    else if (conn->state == FRD_CONN_PAST)
        refuse(conn, now_ns, FEDRDMA_ERR_UNREACHABLE,
               "rank %d left during start-up and began another; its own output tells why", meeting->returned);
    else if (h->magic == FRD_WIRE_MAGIC && h->version == FRD_WIRE_VERSION && h->type == FRD_WIRE_GATHER)
        on_gather_header(meeting, conn, now_ns);
    else
        fail(meeting, now_ns, FEDRDMA_ERR_PROTOCOL,
             "rank %d (process %d at %s) sent bytes that are no message of the rendezvous", conn->rank,
             conn->hello.pid, conn->peer);
}

void frd_meeting_frame(frd_meeting *meeting, frd_conn *conn, uint64_t now_ns)
{
    if (conn->state == FRD_CONN_RANK)
        on_gather(meeting, conn, now_ns);
    else if (conn->header.type == FRD_WIRE_HELLO)
        on_hello(meeting, conn, now_ns);
    else
        on_who(meeting, conn, now_ns);
}
