/* SPDX-License-Identifier: BSD-3-Clause
 * rel.h - which datagrams of a route arrived: numbers, acknowledgements with ranges, and when one counts as
 * lost. What a datagram carried is known by the items it points to (chunk.h); they go on to any route. */
#ifndef FRD_WAN_REL_H
#define FRD_WAN_REL_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wan/pace.h"
#include "wan/path.h"
#include "wan/span.h"
#include "wan/wire.h"

enum {
    FRD_WAN_ITEMS = 8,         /* in a datagram */
    FRD_WAN_GOT_RANGES = 1024, /* remembered of what arrived; what is older counts as arrived */
    FRD_WAN_LATE = 16,         /* of what came late last, acknowledged whatever came behind it */
    FRD_WAN_SAID = 32          /* acknowledgements at least, and FRD_WAN_SAID_NS, that say what arrived */
};

/* More than a way back is black for a moment: nobody sends again what did arrive. */
#define FRD_WAN_SAID_NS (100 * FRD_NS_PER_MS)

/* What was known when an acknowledgement was written. */
typedef struct frd_wan_said {
    uint64_t ns, acks, largest;
    unsigned lates;
} frd_wan_said;

struct frd_wan_item;

/* A datagram that asks for an acknowledgement, from its sending until that, or until nobody waits for it any
 * more. */
typedef struct frd_wan_packet {
    TAILQ_ENTRY(frd_wan_packet) link;
    uint64_t number;
    frd_wan_stamp stamp;
    uint16_t probe_bytes; /* it asks whether the path carries so much */
    bool lost;            /* given up, but it may still have arrived */
    uint8_t items;
    struct frd_wan_item *item[FRD_WAN_ITEMS];
} frd_wan_packet;
TAILQ_HEAD(frd_wan_packets, frd_wan_packet);

/* Whoever owns the items. Called with packets taken out of the list; they are freed after `acked`. */
typedef struct frd_wan_rel_user {
    void (*acked)(void *arg, frd_wan_packet *packet);
    void (*lost)(void *arg, frd_wan_packet *packet);   /* its items go again, unless they arrived */
    void (*forget)(void *arg, frd_wan_packet *packet); /* a lost one that nobody waits for any more */
    void *arg;
} frd_wan_rel_user;

typedef struct frd_wan_rel {
    frd_wan_rel_user user;
    frd_pool *packets;
    /* sending */
    struct frd_wan_packets sent; /* by number */
    unsigned count;              /* of them */
    uint64_t next, largest_acked;
    bool acked_any;
    unsigned inflight;   /* packets in the list that are not lost */
    uint64_t reorder_ns; /* so much later than others a datagram may arrive */
    uint64_t spurious;   /* given up too soon */
    uint64_t loss_ns;    /* when the next one counts as lost; UINT64_MAX: none */
    uint64_t asked_ns;   /* since then we wait for a sign; 0: we don't */
    unsigned probes;     /* in a row */
    uint64_t last_ns;    /* when one was last sent, or there was an acknowledgement */
    /* receiving */
    frd_wan_spans got;
    frd_wan_span got_room[FRD_WAN_GOT_RANGES];
    uint64_t got_floor; /* what is below counts as arrived */
    uint64_t late[FRD_WAN_LATE];
    unsigned lates;
    uint64_t got_largest, got_largest_ns, got_count;
    frd_wan_said said, soon; /* what has been said often enough; what will have been next */
    uint64_t acks;           /* written */
    unsigned owed;   /* datagrams since our last acknowledgement */
    uint64_t ack_ns; /* when it is due; UINT64_MAX: none */
} frd_wan_rel;

enum { FRD_WAN_PACKETS_MAX = 1 << 16 }; /* remembered per route: 94 MB of datagrams of 1440 */

void frd_wan_rel_init(frd_wan_rel *rel, frd_pool *packets, const frd_wan_rel_user *user);
void frd_wan_rel_free(frd_wan_rel *rel); /* forgets all packets */

/* ---- sending ---- */

/* A packet with the next number, whose items the caller fills in before frd_wan_rel_sent; NULL: too many, no
 * memory. */
frd_wan_packet *frd_wan_rel_packet(frd_wan_rel *rel);
void frd_wan_rel_drop(frd_wan_rel *rel, frd_wan_packet *packet); /* unsent */
void frd_wan_rel_sent(frd_wan_rel *rel, frd_wan_path *path, frd_wan_packet *packet, uint64_t now_ns,
                      uint32_t bytes);

/* Takes an ACK. False: it acknowledges what was never sent. *acked_bytes and *round as frd_wan_path_ack. */
bool frd_wan_rel_ack(frd_wan_rel *rel, frd_wan_path *path, uint64_t now_ns, const frd_wan_frame *ack,
                     uint64_t *acked_bytes, frd_wan_round *round, bool *round_over);
/* Gives up what is overdue by now. Returns their number. */
unsigned frd_wan_rel_detect(frd_wan_rel *rel, frd_wan_path *path, uint64_t now_ns);
/* Gives up everything on its way: the route is down. */
void frd_wan_rel_fail(frd_wan_rel *rel, frd_wan_path *path);
/* When to probe, for want of any acknowledgement; UINT64_MAX: nothing is on its way. */
uint64_t frd_wan_rel_probe_ns(const frd_wan_rel *rel, const frd_wan_path *path);

/* ---- receiving ---- */

/* Is a datagram of that number new? */
bool frd_wan_rel_fresh(const frd_wan_rel *rel, uint64_t number);
/* It came and was taken. `asks`: it is to be acknowledged; `at_once`: now. */
void frd_wan_rel_received(frd_wan_rel *rel, uint64_t number, uint64_t now_ns, bool asks, bool at_once);
/* Writes the acknowledgement into room for at least sizeof(frd_wan_wire_ack) + a range; returns its bytes, 0:
 * none. */
size_t frd_wan_rel_write_ack(frd_wan_rel *rel, uint64_t now_ns, unsigned char *at, size_t room);

#endif
