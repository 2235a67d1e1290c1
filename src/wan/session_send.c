/* SPDX-License-Identifier: BSD-3-Clause
 * session_send.c - messages on their way out: what goes into the next datagram, and what becomes of it.
 *
 * Order: notes (verdicts, resets), control messages, chunks that were lost, then new chunks. New ones come
 * from flows, a flow being a collective (communicator and sequence number): inside a flow first come, first
 * sent, so that fragments finish one after the other; between flows a stripe each in turn.
 *
 * Before the receiver's verdict a message may use the early window, shared by all such messages; what does
 * not fit stays `blocked`, but its beginning goes without data, so that the receiver knows of it. */
#include <string.h>

#include "base/num.h"
#include "wan/core.h"

enum { DATA_LEAST = 64 }; /* a chunk shorter than this is not begun at the end of a datagram */

/* ---- items ---- */

static frd_wan_item *item_new(frd_wan_session *s, uint8_t type, uint32_t id)
{
    frd_wan_item *const item = frd_pool_get(&s->node->memory.items);

    if (item != NULL)
        *item = (frd_wan_item){ .type = type, .id = id };
    return item;
}

static void item_unref(frd_wan_session *s, frd_wan_item *item)
{
    if (item->done && item->packets == 0 && !item->queued)
        frd_pool_put(&s->node->memory.items, item);
}

void frd_wan_item_note(frd_wan_session *s, uint8_t type, uint8_t verdict, uint32_t id)
{
    frd_wan_item *item;

    if (s->left || s->lost) /* nobody is there to read it */
        return;
    item = item_new(s, type, id);
    if (item == NULL) {
        frd_wan_session_lose(s, "out of memory");
        return;
    }
    item->verdict = verdict;
    item->queued = true;
    s->notes_left++;
    STAILQ_INSERT_TAIL(&s->notes, item, link);
    frd_wan_session_wake(s);
}

/* ---- messages: their lists ---- */

static unsigned flow_of(const frd_tag *tag)
{
    const uint64_t h = (tag->comm * 31 + tag->seq) * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(h >> 60);
}
_Static_assert(FRD_WAN_FLOWS == 16, "the upper four bits");

static struct frd_wan_outs *list_of(frd_wan_session *s, const frd_wan_out *out)
{
    if (out->control)
        return &s->controls;
    return out->blocked ? &s->blocked : &s->flow[flow_of(&out->tag)];
}

static void link_out(frd_wan_session *s, frd_wan_out *out, bool first)
{
    struct frd_wan_outs *const list = list_of(s, out);

    if (first)
        TAILQ_INSERT_HEAD(list, out, link);
    else
        TAILQ_INSERT_TAIL(list, out, link);
    out->linked = true;
    if (!out->control && !out->blocked)
        s->flows_used |= 1U << flow_of(&out->tag);
}

static void unlink_out(frd_wan_session *s, frd_wan_out *out)
{
    struct frd_wan_outs *const list = list_of(s, out);

    if (!out->linked)
        return;
    TAILQ_REMOVE(list, out, link);
    out->linked = false;
    if (!out->control && !out->blocked && TAILQ_EMPTY(list))
        s->flows_used &= ~(1U << flow_of(&out->tag));
}

/* ---- messages: their ends ---- */

static void out_free(frd_wan_session *s, frd_wan_out *out)
{
    unlink_out(s, out);
    s->early_bytes -= out->early_bytes;
    if (out->copy != NULL)
        frd_wan_bytes_put(&s->node->memory, out->copy, out->len);
    if (out->opened)
        frd_wan_table_remove(&s->outs, &out->entry);
    frd_pool_put(&s->node->memory.outs, out);
}

static void tell(frd_wan_session *s, frd_wan_out *out, int rc)
{
    if (out->told)
        return;
    out->told = true;
    if (out->user == NULL) { /* the caller was told when it was copied */
        s->copies--;
        s->copy_bytes -= out->len;
    } else {
        s->node->user.sent(s->node->user.arg, out->user, rc);
    }
}

/* What is not sent of it will not be. */
static void out_stop(frd_wan_session *s, frd_wan_out *out)
{
    unlink_out(s, out);
    s->unsent_bytes -= out->len - out->cut;
    out->cut = out->len;
    out->reset = true;
}

/* Ends it when all of it has arrived (and, where it was not copied, its receive is there: until then it can
 * be taken back); frees it when nobody needs it any more. */
static void out_settle(frd_wan_session *s, frd_wan_out *out)
{
    if (!out->reset && out->opened && out->open_acked && out->acked == out->len && out->items == 0 &&
        (out->user == NULL || out->verdict != 0))
        tell(s, out, FEDRDMA_OK);
    if (out->items == 0 && (out->reset || (out->told && (out->control || out->verdict != 0))))
        out_free(s, out);
}

static void release_early(frd_wan_session *s, frd_wan_out *out)
{
    frd_wan_out *next;

    s->early_bytes -= out->early_bytes;
    out->early_bytes = 0;
    while ((next = TAILQ_FIRST(&s->blocked)) != NULL && s->early_bytes < s->node->params.early_bytes / 2) {
        unlink_out(s, next);
        next->blocked = false;
        link_out(s, next, true);
        if (next->len - next->cut > s->node->params.early_bytes / 2)
            break;
    }
}

void frd_wan_on_verdict(frd_wan_session *s, uint32_t id, uint8_t verdict)
{
    frd_wan_out *const out = (frd_wan_out *)frd_wan_table_find(&s->outs, id);

    if (out == NULL || out->reset || out->control)
        return;
    if (verdict == FRD_WAN_REFUSE) {
        out_stop(s, out);
        tell(s, out, FEDRDMA_OK);
    } else if (out->blocked) {
        unlink_out(s, out);
        out->blocked = false;
        link_out(s, out, false);
    }
    out->verdict = verdict;
    release_early(s, out);
    out_settle(s, out);
    frd_wan_session_wake(s);
}

static void end_list(frd_wan_session *s, struct frd_wan_outs *list, int rc)
{
    for (frd_wan_out *out = TAILQ_FIRST(list), *next; out != NULL; out = next) {
        next = TAILQ_NEXT(out, link);
        out_stop(s, out);
        tell(s, out, rc);
        out_settle(s, out);
    }
}

void frd_wan_outs_end(frd_wan_session *s, int rc)
{
    end_list(s, &s->controls, rc);
    end_list(s, &s->blocked, rc);
    for (unsigned f = 0; f < FRD_WAN_FLOWS; f++)
        end_list(s, &s->flow[f], rc);
    for (uint32_t i = 0; s->outs.bucket != NULL && i <= s->outs.mask; i++) {
        for (frd_wan_entry *entry = s->outs.bucket[i], *next; entry != NULL; entry = next) {
            frd_wan_out *const out = (frd_wan_out *)entry;

            next = entry->next;
            if (!out->reset)
                out_stop(s, out);
            tell(s, out, rc);
            out_settle(s, out);
        }
    }
}

/* ---- what the user asks for ---- */

int frd_wan_send(frd_wan_node *node, int peer, uint64_t now_ns, const frd_wan_message *message,
                 frd_wan_out **result)
{
    frd_wan_session *const s = node->session[peer];
    const bool control = message->tag.comm == FRD_TAG_CONTROL;
    const bool copy = control || (message->len <= node->params.copy_most &&
                                  message->len <= node->params.copy_bytes -
                                                      frd_min_size(node->params.copy_bytes, s->copy_bytes));
    frd_wan_out *out;
    size_t room;

    *result = NULL;
    if (s->left && !s->lost)
        frd_wan_session_lose(s, "it has left the job");
    if (s->lost)
        return FEDRDMA_ERR_RANK_LOST;
    out = frd_pool_get(&node->memory.outs);
    if (out == NULL)
        return FEDRDMA_ERR_NOMEM;
    *out = (frd_wan_out){ .tag = message->tag, .buf = message->buf, .len = message->len, .control = control };
    if (copy && message->len > 0) {
        out->copy = frd_wan_bytes_get(&node->memory, message->len, &room);
        if (out->copy == NULL) {
            frd_pool_put(&node->memory.outs, out);
            return FEDRDMA_ERR_NOMEM;
        }
        memcpy(out->copy, message->buf, message->len);
        out->buf = out->copy;
    }
    if (copy) {
        s->copies++;
        s->copy_bytes += message->len;
    } else {
        out->user = message->user;
        *result = out;
    }
    node->counts.wan_sent_messages++;
    node->counts.wan_sent_bytes += message->len;
    s->unsent_bytes += message->len;
    s->used_ns = now_ns;
    s->dialed = true;
    link_out(s, out, false);
    frd_wan_session_wake(s);
    return FEDRDMA_OK;
}

void frd_wan_cancel_send(frd_wan_node *node, int peer, uint64_t now_ns, frd_wan_out *out)
{
    frd_wan_session *const s = node->session[peer];
    const uint32_t id = out->entry.id;
    const bool opened = out->opened;

    (void)now_ns;
    out->told = true;
    out_stop(s, out);
    release_early(s, out);
    out_settle(s, out);
    if (opened)
        frd_wan_item_note(s, FRD_WAN_RESET, 0, id); /* the last: it may lose the session */
}

/* ---- fate of datagrams ---- */

static void item_done(frd_wan_session *s, frd_wan_item *item)
{
    frd_wan_out *const out = item->out;

    item->done = true;
    item->out = NULL;
    s->notes_left -= item->type != FRD_WAN_CHUNK;
    if (out == NULL)
        return;
    out->items--;
    out->acked += item->bytes;
    if (item->opens) {
        out->open_acked = true;
        for (frd_wan_entry *e; s->opened_below != s->next_id; s->opened_below++) {
            e = frd_wan_table_find(&s->outs, s->opened_below);
            if (e != NULL && !((frd_wan_out *)e)->open_acked)
                break;
        }
    }
    out_settle(s, out);
}

void frd_wan_items_acked(void *arg, frd_wan_packet *packet)
{
    frd_wan_route *const route = arg;
    frd_wan_session *const s = route->session;

    frd_wan_mtu_acked(route, packet);
    for (unsigned i = 0; i < packet->items; i++) {
        frd_wan_item *const item = packet->item[i];

        item->packets--;
        if (!item->done)
            item_done(s, item);
        item_unref(s, item);
    }
}

void frd_wan_items_lost(void *route, frd_wan_packet *packet)
{
    frd_wan_session *const s = ((frd_wan_route *)route)->session;

    frd_wan_mtu_lost(route, packet);
    for (unsigned i = 0; i < packet->items; i++) {
        frd_wan_item *const item = packet->item[i];

        if (item->done || item->queued)
            continue;
        item->queued = true;
        STAILQ_INSERT_TAIL(item->type == FRD_WAN_CHUNK ? &s->again : &s->notes, item, link);
    }
}

void frd_wan_items_forget(void *route, frd_wan_packet *packet)
{
    frd_wan_session *const s = ((frd_wan_route *)route)->session;

    for (unsigned i = 0; i < packet->items; i++) {
        packet->item[i]->packets--;
        item_unref(s, packet->item[i]);
    }
}

/* ---- what goes next ---- */

/* The first item of a queue that is still to be sent; those that arrived meanwhile, or whose message ended,
 * go. */
static frd_wan_item *first(frd_wan_session *s, struct frd_wan_items *queue)
{
    frd_wan_item *item;

    while ((item = STAILQ_FIRST(queue)) != NULL) {
        if (!item->done && item->out != NULL && item->out->reset)
            item_done(s, item); /* nobody wants it */
        if (!item->done)
            return item;
        STAILQ_REMOVE_HEAD(queue, link);
        item->queued = false;
        item_unref(s, item);
    }
    return NULL;
}

static bool may_open(const frd_wan_session *s)
{
    return s->outs.count < FRD_WAN_OPEN_MAX && s->next_id - s->opened_below < FRD_WAN_UNKNOWN_MAX;
}

static uint64_t early_room(const frd_wan_session *s)
{
    const uint64_t used = s->early_bytes + FRD_WAN_STASH_COST, all = s->node->params.early_bytes;

    return used < all ? all - used : 0;
}

/* The message of a flow that may be cut now. Others that wait for their verdict step aside. */
static frd_wan_out *flow_head(frd_wan_session *s, unsigned f)
{
    frd_wan_out *out;

    while ((out = TAILQ_FIRST(&s->flow[f])) != NULL) {
        if (!out->opened)
            return may_open(s) ? out : NULL;
        if (out->verdict != 0 || early_room(s) >= DATA_LEAST)
            return out;
        unlink_out(s, out);
        out->blocked = true;
        link_out(s, out, false);
    }
    return NULL;
}

/* Control messages go before all others, unless too many messages are unknown to the peer: then what tells it
 * of them must go first, again if need be. */
static bool control_is_next(const frd_wan_session *s)
{
    const frd_wan_out *const out = TAILQ_FIRST(&s->controls);

    return out != NULL && (out->opened || may_open(s));
}

static frd_wan_out *next_out(frd_wan_session *s)
{
    frd_wan_out *out;

    if (control_is_next(s))
        return TAILQ_FIRST(&s->controls);
    for (unsigned i = 0; i <= FRD_WAN_FLOWS && s->flows_used != 0; i++) {
        if (s->flow_left > 0 && (s->flows_used >> s->flow_now & 1) != 0) {
            out = flow_head(s, s->flow_now);
            if (out != NULL)
                return out;
        }
        s->flow_now = (s->flow_now + 1) % FRD_WAN_FLOWS;
        s->flow_left = FRD_WAN_STRIPE;
    }
    return NULL;
}

bool frd_wan_session_has_work(const frd_wan_session *session)
{
    frd_wan_session *const s = (frd_wan_session *)session; /* tidies its queues */

    return first(s, &s->notes) != NULL || first(s, &s->again) != NULL || next_out(s) != NULL;
}

/* Cuts the next chunk of a message into at most `room` bytes, headers included. */
static frd_wan_item *cut(frd_wan_session *s, frd_wan_out *out, size_t room)
{
    const size_t head = frd_wan_chunk_bytes(out->cut, !out->opened, true);
    const bool early = out->verdict == 0 && !out->control;
    frd_wan_item *item;
    size_t bytes;

    if (room < head + frd_min_size(out->len - out->cut, DATA_LEAST))
        return NULL;
    /* A relay's list of hops is no reason to cut all smaller: what goes that way after all is split. */
    bytes = frd_min_size(room, frd_wan_session_narrowest(s) + sizeof(frd_wan_hops)) - head;
    bytes = frd_min_size(bytes, out->len - out->cut);
    if (early)
        bytes = frd_min_size(bytes, early_room(s));
    item = item_new(s, FRD_WAN_CHUNK, out->entry.id);
    if (item == NULL)
        return NULL;
    if (!out->opened) {
        out->entry.id = s->next_id;
        if (!frd_wan_table_add(&s->outs, &out->entry)) {
            frd_pool_put(&s->node->memory.items, item);
            return NULL;
        }
        s->next_id++;
        item->id = out->entry.id;
        item->opens = out->opened = true;
    }
    item->out = out;
    item->offset = out->cut;
    item->bytes = (uint32_t)bytes;
    out->items++;
    out->cut += bytes;
    s->unsent_bytes -= bytes;
    s->flow_left -= frd_min_size(s->flow_left, bytes);
    if (early) {
        out->early_bytes += bytes + FRD_WAN_STASH_COST;
        s->early_bytes += bytes + FRD_WAN_STASH_COST;
    }
    if (out->cut == out->len)
        unlink_out(s, out);
    return item;
}

/* As the last one of its datagram. */
static size_t item_bytes(const frd_wan_item *item)
{
    if (item->type != FRD_WAN_CHUNK)
        return sizeof(frd_wan_wire_note);
    return frd_wan_chunk_bytes(item->offset, item->opens, true) + item->bytes;
}

/* A chunk that was cut for a larger datagram: what does not fit becomes an item of its own. (Should the
 * larger one have arrived after all, so has what is left of this one.) */
static bool split(frd_wan_session *s, frd_wan_item *item, size_t room)
{
    const size_t head = item_bytes(item) - item->bytes;
    frd_wan_item *rest;

    if (item->type != FRD_WAN_CHUNK || room < head + DATA_LEAST)
        return false;
    rest = item_new(s, FRD_WAN_CHUNK, item->id);
    if (rest == NULL)
        return false;
    rest->bytes = item->bytes - (uint32_t)(room - head);
    item->bytes -= rest->bytes;
    rest->offset = item->offset + item->bytes;
    rest->out = item->out;
    rest->sent = rest->queued = true;
    rest->out->items++;
    STAILQ_INSERT_AFTER(&s->again, item, rest, link);
    return true;
}

/* The next item, taken out of where it waited, if it fits. */
static frd_wan_item *next_item(frd_wan_session *s, size_t room)
{
    struct frd_wan_items *const queue = first(s, &s->notes) != NULL ? &s->notes : &s->again;
    frd_wan_item *const item = !control_is_next(s) || queue == &s->notes ? first(s, queue) : NULL;
    frd_wan_out *out;

    if (item != NULL) {
        if (item_bytes(item) > room && !split(s, item, room))
            return NULL;
        STAILQ_REMOVE_HEAD(queue, link);
        item->queued = false;
        return item;
    }
    out = next_out(s);
    return out == NULL ? NULL : cut(s, out, room);
}

static size_t write_item(const frd_wan_item *item, unsigned char *at, size_t room)
{
    const frd_wan_wire_note note = { .type = item->type, .verdict = item->verdict, .id = item->id };
    const frd_wan_out *const out = item->out;
    const frd_wan_chunk chunk = { .bytes = (uint16_t)item->bytes, .id = item->id, .offset = item->offset };
    frd_wan_wire_open open;
    size_t bytes;

    if (item->type != FRD_WAN_CHUNK) {
        memcpy(at, &note, sizeof(note));
        return sizeof(note);
    }
    if (item->opens)
        open = (frd_wan_wire_open){ .tag = out->tag, .len = out->len };
    bytes = frd_wan_write_chunk(at, &chunk, item->opens ? &open : NULL,
                                frd_wan_chunk_bytes(item->offset, item->opens, false) + item->bytes > room);
    if (item->bytes > 0)
        memcpy(at + bytes, out->buf + item->offset, item->bytes);
    return bytes + item->bytes;
}

static size_t write_items(frd_wan_session *s, frd_wan_packet *packet, unsigned char *at, size_t room)
{
    frd_wan_item *item;
    size_t bytes = 0;

    while (packet->items < FRD_WAN_ITEMS && (item = next_item(s, room - bytes)) != NULL) {
        if (item->sent && item->type == FRD_WAN_CHUNK) {
            s->node->counts.wan_again_chunks++;
            s->node->counts.wan_again_bytes += item->bytes;
        }
        item->sent = true;
        item->packets++;
        packet->item[packet->items++] = item;
        bytes += write_item(item, at + bytes, room - bytes);
    }
    return bytes;
}

size_t frd_wan_session_write(frd_wan_route *route, uint64_t now_ns, unsigned char *at, size_t room, bool data)
{
    frd_wan_session *const s = route->session;
    const size_t head = frd_wan_head_bytes(route->hops), tag = s->seal.ops->tag_bytes;
    const bool ping = route->ping, bye = route->bye, ack = route->rel.ack_ns <= now_ns;
    const uint64_t number = route->rel.next;
    frd_wan_packet *packet = NULL;
    size_t bytes = 0;

    room = frd_min_size(room, ping ? s->node->params.datagram_bytes : route->datagram_bytes) - head - tag;
    if (data || ping || bye)
        packet = frd_wan_rel_packet(&route->rel);
    if (ack)
        bytes += frd_wan_rel_write_ack(&route->rel, now_ns, at + head, room);
    if (packet != NULL && (ping || bye)) {
        const frd_wan_wire_note note = { .type = bye ? FRD_WAN_BYE : FRD_WAN_PING };

        memcpy(at + head + bytes, &note, sizeof(note));
        bytes += sizeof(note);
        route->ping = route->bye = false;
    }
    if (packet != NULL && data)
        bytes += write_items(s, packet, at + head + bytes, room - bytes);
    if (packet != NULL && packet->items == 0 && !ping && !bye) {
        frd_wan_rel_drop(&route->rel, packet);
        packet = NULL;
    }
    if (bytes == 0)
        return 0;
    route->rel.next++;
    (void)frd_wan_write_head(
        route, at, FRD_WAN_DATA,
        packet != NULL && (ping || bye || !frd_wan_session_has_work(s)) ? FRD_WAN_ACK_NOW : 0, number);
    s->seal.ops->seal(&s->seal, number, at, head, bytes);
    bytes += head + tag;
    if (packet != NULL && !data)
        frd_wan_path_limited(&route->path); /* a heartbeat shows no rate */
    if (packet != NULL)
        frd_wan_rel_sent(&route->rel, &route->path, packet, now_ns, (uint32_t)bytes + FRD_WAN_BELOW);
    s->node->counts.wan_datagrams_sent++;
    return bytes;
}
