/* SPDX-License-Identifier: BSD-3-Clause
 * chunk.h - messages on their way out and in, and the items that they are cut into.
 *
 * An item is what must arrive: a chunk of a message, a verdict, a reset. It belongs to no route: a datagram
 * that is lost gives its items back, and any route takes them. Once it is known to have arrived (`done`) it
 * never goes again, whatever its datagrams' fates. */
#ifndef FRD_WAN_CHUNK_H
#define FRD_WAN_CHUNK_H

#include <sys/queue.h>

#include "base/mem.h"
#include "net/net.h"
#include "wan/span.h"
#include "wan/wire.h"

typedef struct frd_wan_out frd_wan_out;
typedef struct frd_wan_in frd_wan_in;
typedef struct frd_wan_item frd_wan_item;
typedef struct frd_wan_stash frd_wan_stash;
struct frd_wan_session;

struct frd_wan_item {
    STAILQ_ENTRY(frd_wan_item) link; /* while queued */
    frd_wan_out *out;                /* of a chunk that is not done */
    uint64_t offset;
    uint32_t bytes, id;
    uint16_t packets; /* that carry it and may still arrive */
    uint8_t type;     /* FRD_WAN_CHUNK, _VERDICT, _RESET */
    uint8_t verdict;
    bool opens, sent, queued, done;
};
STAILQ_HEAD(frd_wan_items, frd_wan_item);

/* An entry of a table of messages by id. */
typedef struct frd_wan_entry {
    struct frd_wan_entry *next;
    uint32_t id;
} frd_wan_entry;

typedef struct frd_wan_table {
    frd_wan_entry **bucket;
    uint32_t mask, count;
} frd_wan_table;

/* A message that is sent. Its record lives until all of it has arrived and, control messages apart, the
 * receiver's verdict has come: then the peer holds nothing of it any more. */
struct frd_wan_out {
    frd_wan_entry entry;
    TAILQ_ENTRY(frd_wan_out)
    link; /* in a flow, in `blocked` or `controls`, while there is something to cut */
    frd_tag tag;
    const unsigned char *buf;
    void *copy; /* buf, when it is ours */
    size_t len;
    uint64_t cut, acked;
    uint64_t early_bytes; /* sent before the verdict, with what they cost */
    unsigned items;       /* that are not done */
    uint8_t verdict;
    bool control, opened, open_acked, linked, blocked;
    bool told;  /* its end was reported */
    bool reset; /* taken back */
    void *user;
};
TAILQ_HEAD(frd_wan_outs, frd_wan_out);

/* Bytes that came before their message was accepted. */
struct frd_wan_stash {
    frd_wan_stash *next;
    uint64_t offset;
    uint32_t bytes, room;
    unsigned char data[];
};

enum {
    FRD_WAN_STASH_COST =
        128, /* what a chunk in the stash counts besides its bytes; it takes twice that at most */
    FRD_WAN_SPANS_FEW = 32
};

enum frd_wan_in_state {
    FRD_WAN_IN_NEW,      /* nothing, or not its beginning, has come */
    FRD_WAN_IN_OFFERED,  /* the user knows it */
    FRD_WAN_IN_ACCEPTED, /* the user's buffer takes it */
    FRD_WAN_IN_WITHDRAWN /* the sender took it back; the user does not know yet */
};

struct frd_wan_in {
    frd_wan_entry entry;
    struct frd_wan_session *session;
    enum frd_wan_in_state state;
    bool opened;
    frd_tag tag;
    uint64_t len, got;
    frd_wan_spans spans;
    frd_wan_stash *stash;
    uint64_t stash_bytes;  /* as the sender counts them */
    uint64_t moving_bytes; /* of them, in the caller's hands (frd_wan_accept); 0: none */
    unsigned char *buf;
    void *user;
    frd_wan_span few[FRD_WAN_SPANS_FEW]; /* where spans are, until there are more */
};

/* ---- table ---- */

frd_wan_entry *frd_wan_table_find(const frd_wan_table *table, uint32_t id);
bool frd_wan_table_add(frd_wan_table *table, frd_wan_entry *entry); /* false: no memory */
void frd_wan_table_remove(frd_wan_table *table, frd_wan_entry *entry);
void frd_wan_table_free(frd_wan_table *table); /* the entries are the caller's */

/* ---- memory ---- */

enum { FRD_WAN_CLASSES = 7, FRD_WAN_LARGE = 24, FRD_WAN_SPANS = 2 };

/* All that is in flight on a rank comes from here. How much that is, timing decides: so that it is timing
 * neither whether a run that has been going on for some time allocates, room for a megabyte in flight is
 * there from the first peer on. */
typedef struct frd_wan_memory {
    frd_pool items, packets, outs, ins;
    frd_pool bytes[FRD_WAN_CLASSES];
    void *large[FRD_WAN_LARGE]; /* kept blocks above the classes: twice the largest, four times it, ... */
    frd_pool spans[FRD_WAN_SPANS];
} frd_wan_memory;

void frd_wan_memory_init(frd_wan_memory *memory);
/* Where there is none, makes room for a megabyte (or early_bytes) in datagrams of either size. */
void frd_wan_memory_reserve(frd_wan_memory *memory, uint64_t early_bytes, uint32_t datagram_bytes,
                            uint32_t datagram_most);
void frd_wan_memory_free(frd_wan_memory *memory);
/* Room for `bytes`, and how much it takes in *room; NULL: no memory. */
void *frd_wan_bytes_get(frd_wan_memory *memory, size_t bytes, size_t *room);
void frd_wan_bytes_put(frd_wan_memory *memory, void *block, size_t bytes);

frd_wan_stash *frd_wan_stash_new(frd_wan_memory *memory, const void *data, uint32_t bytes, uint64_t offset);
void frd_wan_stash_free(frd_wan_memory *memory, frd_wan_stash *stash);

frd_wan_in *frd_wan_in_new(frd_wan_memory *memory);
void frd_wan_in_free(frd_wan_memory *memory, frd_wan_in *in); /* with its stash */

/* Takes bytes of a message that is not closed: into its buffer, or the stash. Returns how many are new, or
 * negative: no room (FEDRDMA_ERR_NOMEM), or they lie outside of the message (FEDRDMA_ERR_INVALID). */
int64_t frd_wan_in_take(frd_wan_memory *memory, frd_wan_in *in, uint64_t offset, const void *data,
                        uint32_t bytes);
/* Its buffer is there: moves the stash into it. NULL: throws it away. */
void frd_wan_in_unstash(frd_wan_memory *memory, frd_wan_in *in, unsigned char *to);
/* Takes about `bytes` of the stash out of it, for frd_wan_early_move and then frd_wan_stash_free_all. */
frd_wan_stash *frd_wan_in_detach(frd_wan_in *in, uint64_t bytes);
void frd_wan_stash_free_all(frd_wan_memory *memory, frd_wan_stash *stash);

#endif
