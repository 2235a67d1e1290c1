/* SPDX-License-Identifier: BSD-3-Clause
 * session_receive.c - what comes in: frames to messages.
 *
 * Ids count up, so a message that is not in the table is either new or over; ids that were skipped get their
 * records at once, which keeps that true whatever overtakes what. A peer can make us hold FRD_WAN_OPEN_MAX
 * records and twice the early window, not more: a datagram that would need more is dropped as if it had been
 * lost. */
#include <string.h>

#include "wan/core.h"

static bool complete(const frd_wan_in *in)
{
    if (!in->opened)
        return false;
    return in->len == 0 || (in->spans.count == 1 && in->spans.at[0].lo == 0 && in->spans.at[0].hi == in->len);
}

/* More of a message than this is not copied while the thread that drives the node has to wait. */
#define MOVE_BYTES UINT64_C(65536)

static void close_in(frd_wan_session *s, frd_wan_in *in)
{
    s->stash_bytes -= in->stash_bytes + in->moving_bytes;
    frd_wan_table_remove(&s->ins, &in->entry);
    frd_wan_in_free(&s->node->memory, in);
}

/* The record of a message; NULL with *rc OK when it is over. */
static frd_wan_in *find_in(frd_wan_session *s, uint32_t id, int *rc)
{
    frd_wan_in *in = (frd_wan_in *)frd_wan_table_find(&s->ins, id);
    const int32_t ahead = (int32_t)(id - s->seen_id);

    *rc = FEDRDMA_OK;
    if (in != NULL || ahead < 0)
        return in;
    if (ahead > FRD_WAN_UNKNOWN_MAX + FRD_WAN_ITEMS)
        *rc = FEDRDMA_ERR_INVALID;
    else if (s->ins.count + (uint32_t)ahead >= FRD_WAN_OPEN_MAX + FRD_WAN_UNKNOWN_MAX)
        *rc = FEDRDMA_ERR_NOMEM;
    while (*rc == FEDRDMA_OK && (int32_t)(id - s->seen_id) >= 0) {
        in = frd_wan_in_new(&s->node->memory);
        if (in != NULL) {
            in->session = s;
            in->entry.id = s->seen_id;
        }
        if (in == NULL || !frd_wan_table_add(&s->ins, &in->entry)) {
            if (in != NULL)
                frd_wan_in_free(&s->node->memory, in);
            *rc = FEDRDMA_ERR_NOMEM;
            break;
        }
        s->seen_id++;
    }
    return *rc == FEDRDMA_OK ? in : NULL;
}

static void deliver_control(frd_wan_session *s, frd_wan_in *in)
{
    unsigned char data[FRD_CONTROL_MAX];

    s->stash_bytes -= in->stash_bytes;
    frd_wan_in_unstash(&s->node->memory, in, data);
    s->node->user.control(s->node->user.arg, s->rank, &in->tag, data, (size_t)in->len);
    close_in(s, in);
}

/* Its beginning came. False: what came before lies outside of it. */
static bool open_in(frd_wan_in *in, const frd_wan_frame *frame)
{
    if (in->opened)
        return true;
    if (in->spans.count > 0 && in->spans.at[in->spans.count - 1].hi > frame->open.len)
        return false;
    in->opened = true;
    in->tag = frame->open.tag;
    in->len = frame->open.len;
    return true;
}

static int take_chunk(frd_wan_session *s, uint64_t now_ns, const frd_wan_frame *frame)
{
    const frd_wan_chunk *const chunk = &frame->chunk;
    frd_wan_counts *const counts = &s->node->counts;
    int rc;
    frd_wan_in *const in = find_in(s, chunk->id, &rc);
    uint64_t stash;
    int64_t fresh;

    if (in == NULL || in->state == FRD_WAN_IN_WITHDRAWN) {
        counts->wan_duplicate_bytes += rc == FEDRDMA_OK ? chunk->bytes : 0;
        return rc;
    }
    if (chunk->opens && !open_in(in, frame))
        return FEDRDMA_ERR_INVALID;
    if (in->state != FRD_WAN_IN_ACCEPTED && s->stash_bytes > 2 * s->node->params.early_bytes + (1 << 20))
        return FEDRDMA_ERR_NOMEM;
    stash = in->stash_bytes;
    fresh = frd_wan_in_take(&s->node->memory, in, chunk->offset, frame->data, chunk->bytes);
    if (fresh < 0)
        return (int)fresh;
    s->stash_bytes += in->stash_bytes - stash;
    counts->wan_received_bytes += (uint64_t)fresh;
    counts->wan_duplicate_bytes += chunk->bytes - (uint64_t)fresh;
    s->used_ns = now_ns;
    if (in->opened && in->tag.comm == FRD_TAG_CONTROL) {
        if (complete(in))
            deliver_control(s, in);
    } else if (in->opened && in->state == FRD_WAN_IN_NEW) {
        in->state = FRD_WAN_IN_OFFERED;
        s->node->user.offered(s->node->user.arg, s->rank, &in->tag, in->len, in);
    } else if (in->state == FRD_WAN_IN_ACCEPTED && fresh > 0 && complete(in)) {
        void *const user = in->user;

        close_in(s, in);
        s->node->user.received(s->node->user.arg, user, FEDRDMA_OK);
    }
    return FEDRDMA_OK;
}

static int take_reset(frd_wan_session *s, uint32_t id)
{
    int rc;
    frd_wan_in *const in = find_in(s, id, &rc);
    void *user;

    if (in == NULL)
        return rc;
    user = in->user;
    if (in->state == FRD_WAN_IN_OFFERED) {
        s->stash_bytes -= in->stash_bytes;
        frd_wan_in_unstash(&s->node->memory, in, NULL);
        in->state = FRD_WAN_IN_WITHDRAWN;
    } else if (in->state == FRD_WAN_IN_NEW) {
        close_in(s, in);
    } else if (in->state == FRD_WAN_IN_ACCEPTED) {
        close_in(s, in);
        s->node->user.received(s->node->user.arg, user, FEDRDMA_ERR_CANCELED);
    }
    return FEDRDMA_OK;
}

static int take_frame(frd_wan_route *route, uint64_t now_ns, const frd_wan_frame *frame)
{
    frd_wan_session *const s = route->session;

    switch (frame->type) {
    case FRD_WAN_ACK:
        frd_wan_route_ack(route, now_ns, frame);
        return FEDRDMA_OK;
    case FRD_WAN_CHUNK:
        return take_chunk(s, now_ns, frame);
    case FRD_WAN_VERDICT:
        frd_wan_on_verdict(s, frame->note.id, frame->note.verdict);
        return FEDRDMA_OK;
    case FRD_WAN_RESET:
        return take_reset(s, frame->note.id);
    case FRD_WAN_PING:
        return FEDRDMA_OK;
    case FRD_WAN_BYE:
        if (!s->left) {
            s->left = true;
            s->node->user.left(s->node->user.arg, s->rank);
        }
        return FEDRDMA_OK;
    }
    return FEDRDMA_ERR_INVALID;
}

int frd_wan_session_frames(frd_wan_route *route, uint64_t now_ns, const unsigned char *at,
                           const unsigned char *end)
{
    frd_wan_frame frame;
    int asks = 0, more;

    while ((more = frd_wan_next_frame(&at, end, &frame)) > 0) {
        const int rc = take_frame(route, now_ns, &frame);

        if (rc < 0)
            return rc;
        asks |= frame.type != FRD_WAN_ACK;
    }
    return more < 0 ? FEDRDMA_ERR_INVALID : asks;
}

/* ---- what the user asks for ---- */

/* While early bytes are on their way into the buffer, others still join those that wait, so that nobody else
 * writes there; the peer has been told already. */
bool frd_wan_accept(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in, void *buf, void *user,
                    frd_wan_early **early, int *rc)
{
    frd_wan_session *const s = in->session;
    const bool told = in->moving_bytes > 0;

    s->used_ns = now_ns;
    s->stash_bytes -= in->moving_bytes;
    in->moving_bytes = 0;
    frd_wan_stash_free_all(&node->memory, *early);
    *early = NULL;
    if (!told && in->state == FRD_WAN_IN_OFFERED)
        frd_wan_item_note(s, FRD_WAN_VERDICT, FRD_WAN_ACCEPT, in->entry.id); /* may lose the session */
    if (in->state == FRD_WAN_IN_WITHDRAWN || (s->lost && !complete(in))) {
        *rc = in->state == FRD_WAN_IN_WITHDRAWN ? FEDRDMA_ERR_CANCELED : FEDRDMA_ERR_RANK_LOST;
        close_in(s, in);
        return false;
    }
    if (in->stash_bytes > MOVE_BYTES) {
        *early = frd_wan_in_detach(in, 4 * MOVE_BYTES);
        return true;
    }
    s->stash_bytes -= in->stash_bytes;
    frd_wan_in_unstash(&node->memory, in, buf);
    in->state = FRD_WAN_IN_ACCEPTED;
    in->buf = buf;
    in->user = user;
    if (!complete(in))
        return true;
    close_in(s, in);
    *rc = FEDRDMA_OK;
    return false;
}

void frd_wan_refuse(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in)
{
    frd_wan_session *const s = in->session;

    const uint32_t id = in->entry.id;
    const bool withdrawn = in->state == FRD_WAN_IN_WITHDRAWN;

    (void)node;
    (void)now_ns;
    close_in(s, in);
    if (!withdrawn)
        frd_wan_item_note(s, FRD_WAN_VERDICT, FRD_WAN_REFUSE, id); /* the last: it may lose the session */
}

void frd_wan_cancel_receive(frd_wan_node *node, uint64_t now_ns, frd_wan_in *in)
{
    frd_wan_refuse(node, now_ns, in);
}

void frd_wan_ins_end(frd_wan_session *s)
{
    for (uint32_t i = 0; s->ins.bucket != NULL && i <= s->ins.mask; i++) {
        for (frd_wan_entry *entry = s->ins.bucket[i], *next; entry != NULL; entry = next) {
            frd_wan_in *const in = (frd_wan_in *)entry;
            void *const user = in->user;

            next = entry->next;
            if (in->state != FRD_WAN_IN_ACCEPTED)
                continue;
            close_in(s, in);
            s->node->user.received(s->node->user.arg, user, FEDRDMA_ERR_RANK_LOST);
        }
    }
}
