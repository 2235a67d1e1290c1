/* SPDX-License-Identifier: BSD-3-Clause
 *
 * channel.c - communicators as the engine sees them: which messages are still wanted, how a failure reaches
 * the other ranks, and what a lost peer means.
 *
 * A failure is told directly by the rank that found it to all others of the channel, which is O(n) small
 * messages once in a communicator's life. Those who are told tell it on to the ranks 1, 2, 4, ... away, in both
 * directions: these are the ones that may be waiting for them, and would blame them if they left the job before
 * the news came; and the news spreads even if the first rank dies while telling. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "run/engine_impl.h"

/* The body of a control message: operation `seq` of channel `comm` failed with `rc`. */
struct notice {
    uint64_t comm;
    uint32_t seq;
    int32_t rc;
    uint32_t text_bytes, unused;
    char text[FRD_STORY_MAX];
};
_Static_assert(sizeof(struct notice) <= FRD_CONTROL_MAX, "fits a control message");

static const char told_by[] = " (told by rank ";

struct control {
    frd_msg msg;
    frd_engine *engine;
    struct notice notice;
};

static frd_channel *find_channel(const frd_engine *e, uint64_t id)
{
    frd_channel *ch = e->channels;

    while (ch != NULL && ch->id != id)
        ch = ch->next;
    return ch;
}

/* So that what comes late, after a cancel, is dropped: 8 bytes for each communicator freed, looked at only for
 * messages of communicators that we don't have. */
static void remember_freed(frd_engine *e, uint64_t id)
{
    if (e->nfreed == e->freed_cap) {
        const size_t cap = e->freed_cap == 0 ? 16 : e->freed_cap * 2;
        uint64_t *more = frd_realloc(e->freed, cap * sizeof(*more));
        if (more == NULL)
            return; /* its late messages wait for the end of the job */
        e->freed = more;
        e->freed_cap = cap;
    }
    e->freed[e->nfreed++] = id;
    e->attention = true; /* to purge what is there already */
}

void frd_engine_remove_channel(frd_engine *e, frd_channel *ch)
{
    frd_channel **at = &e->channels;

    while (*at != NULL && *at != ch)
        at = &(*at)->next;
    if (*at != NULL)
        *at = ch->next;
    remember_freed(e, ch->id);
    frd_free(ch->canceled);
    ch->canceled = NULL;
    ch->ncanceled = ch->canceled_cap = 0;
}

/* Not started here yet; operation numbers wrap around. */
static bool is_ahead(const frd_channel *ch, uint32_t seq)
{
    return (int32_t)(seq - ch->next_seq) >= 0;
}

static bool was_freed(const frd_engine *e, uint64_t id)
{
    for (size_t i = 0; i < e->nfreed; i++)
        if (e->freed[i] == id)
            return true;
    return false;
}

/* An unexpected message is of no use when its operation has ended here; one that we have not started yet, or
 * of a channel that we have not made yet, is early. */
bool frd_engine_dead(void *engine, const frd_tag *tag)
{
    const frd_engine *e = engine;
    const frd_channel *ch = find_channel(e, tag->comm);

    if (ch == NULL)
        return was_freed(e, tag->comm);
    if (ch->broken != FEDRDMA_OK)
        return true;
    if (is_ahead(ch, tag->seq)) {
        for (size_t i = 0; i < ch->ncanceled; i++)
            if (ch->canceled[i] == tag->seq)
                return true;
        return false;
    }
    for (const frd_op *op = e->active; op != NULL; op = op->next)
        if (op->channel == ch && op->seq == tag->seq)
            return op->rc != FEDRDMA_OK;
    return true;
}

static void note_canceled(frd_channel *ch, uint32_t seq)
{
    if (ch->ncanceled == ch->canceled_cap) {
        const size_t cap = ch->canceled_cap == 0 ? 8 : ch->canceled_cap * 2;
        uint32_t *list = frd_realloc(ch->canceled, cap * sizeof(*list));
        if (list == NULL) { /* we can't remember it, so we must not start it */
            ch->broken = frd_fail(&ch->story, FEDRDMA_ERR_NOMEM, "out of memory for a cancellation");
            return;
        }
        ch->canceled = list;
        ch->canceled_cap = cap;
    }
    ch->canceled[ch->ncanceled++] = seq;
}

bool frd_channel_take_canceled(frd_channel *ch, uint32_t seq)
{
    for (size_t i = 0; i < ch->ncanceled; i++) {
        if (ch->canceled[i] == seq) {
            ch->canceled[i] = ch->canceled[--ch->ncanceled];
            frd_fail(&ch->story, FEDRDMA_ERR_CANCELED, "cancelled by another rank");
            return true;
        }
    }
    return false;
}

int frd_channel_lost_rank(const frd_engine *e, const frd_channel *ch)
{
    for (int i = 0; i < ch->size; i++)
        if (i != ch->rank && frd_fabric_lost(e->fabric, ch->world[i]))
            return i;
    return -1;
}

int frd_channel_blame(frd_engine *e, frd_channel *ch, const char *what, int rank, const char *why)
{
    (void)e;
    const bool ours = strcmp(ch->silo[rank], ch->silo[ch->rank]) == 0;
    const bool named = ch->silo[rank][0] != '\0';

    return frd_fail(&ch->story, ours ? FEDRDMA_ERR_RANK_LOST : FEDRDMA_ERR_SILO_LOST,
                    "%s: lost rank %d%s%s%s while %s it: its process died or its network failed; "
                    "see that rank's own output, then restart the job without it",
                    what, rank, named ? " (silo '" : "", ch->silo[rank], named ? "')" : "", why);
}

static void control_done(frd_msg *msg, int rc)
{
    struct control *c = (struct control *)msg;

    (void)rc; /* a peer that can't be told has other ways to find out */
    c->engine->control_pending--;
    frd_pool_put(&c->engine->control_pool, c);
}

static void tell_one(frd_engine *e, const frd_channel *ch, int to, uint32_t seq, int rc)
{
    if (to == ch->rank || frd_fabric_lost(e->fabric, ch->world[to]))
        return;
    struct control *c = frd_pool_get(&e->control_pool);
    if (c == NULL)
        return;
    memset(c, 0, sizeof(*c));
    c->engine = e;
    c->notice = (struct notice){ .comm = ch->id, .seq = seq, .rc = rc };
    snprintf(c->notice.text, sizeof(c->notice.text), "%s", ch->story.text);
    c->notice.text_bytes = (uint32_t)strlen(c->notice.text);
    c->msg.tag = (frd_tag){ FRD_TAG_CONTROL, 0, 0, e->control_idx++, 0 };
    c->msg.peer = ch->world[to];
    c->msg.buf = &c->notice;
    c->msg.len = offsetof(struct notice, text) + c->notice.text_bytes;
    c->msg.done = control_done;
    e->control_pending++;
    frd_fabric_send(e->fabric, &c->msg);
}

static void tell_all(frd_engine *e, const frd_channel *ch, uint32_t seq, int rc)
{
    for (int i = 0; i < ch->size; i++)
        tell_one(e, ch, i, seq, rc);
}

static void tell_neighbours(frd_engine *e, const frd_channel *ch, uint32_t seq, int rc)
{
    for (int away = 1; away < ch->size; away *= 2) {
        tell_one(e, ch, (ch->rank + away) % ch->size, seq, rc);
        tell_one(e, ch, (ch->rank + ch->size - away) % ch->size, seq, rc);
    }
}

/* All that is active on a broken channel fails with it. */
static void break_channel(frd_engine *e, frd_channel *ch, int rc)
{
    if (ch->broken == FEDRDMA_OK)
        ch->broken = rc;
    for (frd_op *op = e->active; op != NULL; op = op->next)
        if (op->channel == ch)
            frd_op_fail(e, op, rc, false);
    e->attention = true;
}

/* What another rank says of a channel. Only notes it: we may be inside of the fabric. */
static void hear(frd_engine *e, frd_channel *ch, int peer, const struct notice *n)
{
    int from = 0;

    if (ch->broken != FEDRDMA_OK)
        return;
    while (from < ch->size && ch->world[from] != peer)
        from++;
    if (from == ch->size) {
        e->stat->net_dropped++;
        return;
    }
    if (n->rc != FEDRDMA_ERR_CANCELED) {
        if (strstr(n->text, told_by) != NULL) /* passed on: the first teller stays */
            frd_fail(&ch->story, n->rc, "%s", n->text);
        else
            frd_fail(&ch->story, n->rc, "%s%s%d)", n->text, told_by, from);
        ch->pass_on = true; /* not now: we are inside of the fabric */
        ch->news_seq = n->seq;
        break_channel(e, ch, n->rc);
        return;
    }
    if (is_ahead(ch, n->seq)) {
        note_canceled(ch, n->seq);
        e->attention = true; /* early messages of it are dead now */
        return;
    }
    for (frd_op *op = e->active; op != NULL; op = op->next) {
        if (op->channel == ch && op->seq == n->seq) {
            frd_fail(&ch->story, n->rc, "%s: cancelled by rank %d", op->what, from);
            frd_op_fail(e, op, n->rc, false);
        }
    }
}

/* News of a channel that this rank does not know: others may be done with the split that makes it. The oldest go
 * when there are too many; those can only be of channels that were freed here. */
struct early {
    struct early *next;
    int peer;
    struct notice notice;
};
#define EARLY_MAX 256

static void keep_early(frd_engine *e, int peer, const struct notice *n)
{
    struct early *early = frd_calloc(1, sizeof(*early)), **last = &e->early;

    if (early == NULL) {
        e->stat->net_dropped++;
        return;
    }
    *early = (struct early){ e->early, peer, *n };
    e->early = early;
    if (e->nearly++ < EARLY_MAX)
        return;
    while ((*last)->next != NULL)
        last = &(*last)->next;
    frd_free(*last);
    *last = NULL;
    e->nearly--;
    e->stat->net_dropped++;
}

void frd_engine_add_channel(frd_engine *e, frd_channel *ch)
{
    ch->next = e->channels;
    e->channels = ch;
    ch->story.log = e->log;

    for (struct early **at = &e->early, *early; (early = *at) != NULL;) {
        if (early->notice.comm != ch->id) {
            at = &early->next;
            continue;
        }
        *at = early->next;
        e->nearly--;
        hear(e, ch, early->peer, &early->notice);
        frd_free(early);
    }
}

void frd_engine_forget_early(frd_engine *e)
{
    while (e->early != NULL) {
        struct early *early = e->early;
        e->early = early->next;
        frd_free(early);
    }
}

static bool sane(const struct notice *n, size_t len)
{
    return len >= offsetof(struct notice, text) && n->text_bytes < sizeof(n->text) &&
           len == offsetof(struct notice, text) + n->text_bytes && n->rc < 0 &&
           n->rc >= FEDRDMA_ERR_INTERNAL;
}

void frd_engine_control(void *engine, int peer, const frd_tag *tag, const void *data, size_t len)
{
    frd_engine *e = engine;
    struct notice n = { 0 };

    (void)tag;
    memcpy(&n, data, len < sizeof(n) ? len : sizeof(n));
    if (!sane(&n, len)) {
        e->stat->net_dropped++;
        return;
    }
    n.text[n.text_bytes] = '\0';
    for (char *c = n.text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';

    frd_channel *ch = find_channel(e, n.comm);
    if (ch == NULL)
        keep_early(e, peer, &n);
    else
        hear(e, ch, peer, &n);
}

void frd_engine_peer_lost(void *engine, int peer, const char *why)
{
    frd_engine *e = engine;

    e->nlost++;
    e->attention = true;
    frd_logf(e->log, FEDRDMA_LOG_INFO, "lost rank %d of the job: %s", peer, why);
}

static void fail_on_lost_peers(frd_engine *e)
{
    for (frd_op *op = e->active; op != NULL; op = op->next) {
        if (op->rc != FEDRDMA_OK)
            continue;
        const int rank = frd_channel_lost_rank(e, op->channel);
        if (rank >= 0)
            frd_op_fail(e, op, frd_channel_blame(e, op->channel, op->what, rank, "working with"), true);
    }
}

void frd_engine_attend(frd_engine *e)
{
    e->attention = false;
    if (e->nlost > 0)
        fail_on_lost_peers(e);

    for (frd_channel *ch = e->channels; ch != NULL; ch = ch->next) {
        if (ch->pass_on)
            tell_neighbours(e, ch, ch->news_seq, ch->broken);
        ch->pass_on = false;
    }
    frd_op *next;
    for (frd_op *op = e->active; op != NULL; op = next) {
        next = op->next;
        if (op->rc == FEDRDMA_OK)
            continue;
        if (op->untold) {
            op->untold = false;
            tell_all(e, op->channel, op->seq, op->rc);
            if (op->rc != FEDRDMA_ERR_CANCELED)
                break_channel(e, op->channel, op->rc);
        }
        if (op->live_frags == 0)
            frd_op_end(e, op);
    }
    frd_fabric_purge(e->fabric, -1);
}
