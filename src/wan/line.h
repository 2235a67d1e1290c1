/* SPDX-License-Identifier: BSD-3-Clause
 * line.h - what leaves a rank for a silo: caps, who waits for them, and what is forwarded for others. */
#ifndef FRD_WAN_LINE_H
#define FRD_WAN_LINE_H

#include <sys/queue.h>

#include "wan/node.h"
#include "wan/wire.h"

typedef struct frd_wan_route frd_wan_route;

/* A cap, and who waits for it: first come, first served, or who hears acknowledgements most often would have
 * it all. */
typedef struct frd_wan_gate {
    uint64_t rate;    /* bytes per second, 0: no cap */
    uint64_t next_ns; /* when the next bytes may go */
    TAILQ_HEAD(frd_wan_waits, frd_wan_wait) waiting;
} frd_wan_gate;

typedef struct frd_wan_wait {
    TAILQ_ENTRY(frd_wan_wait) link;
    frd_wan_route *route;
    bool queued;
} frd_wan_wait;

/* A datagram on its way through us. */
typedef struct frd_wan_relayed {
    STAILQ_ENTRY(frd_wan_relayed) link;
    frd_wan_addr to;
    uint32_t bytes, room;
    unsigned char data[];
} frd_wan_relayed;

/* What leaves for a silo. */
typedef struct frd_wan_line {
    frd_wan_gate gate;
    STAILQ_HEAD(, frd_wan_relayed) relayed;
} frd_wan_line;

int frd_wan_lines_new(frd_wan_node *node);
frd_wan_line *frd_wan_line_to(const frd_wan_node *node, int rank);
frd_wan_line *frd_wan_line_of(const frd_wan_route *route);
/* The most that a route may ever send; 0: as much as it can. */
uint64_t frd_wan_line_rate(const frd_wan_route *route);
/* When something may go. */
uint64_t frd_wan_line_due(const frd_wan_node *node, const frd_wan_line *line);
/* May the route send now? If not, it waits for its turn; it gives that up by leaving. */
bool frd_wan_line_may(frd_wan_route *route, uint64_t now_ns);
void frd_wan_line_leave(frd_wan_route *route);
void frd_wan_line_sent(frd_wan_node *node, frd_wan_line *line, uint64_t now_ns, const frd_wan_batch *batch);
/* Lets a datagram wait for its turn; false: too many do. */
bool frd_wan_line_queue(frd_wan_node *node, frd_wan_line *line, const frd_wan_addr *to, const void *datagram,
                        size_t bytes);
bool frd_wan_line_answer(frd_wan_node *node, const frd_wan_addr *to, const void *datagram, size_t bytes);
void frd_wan_line_forward(frd_wan_node *node, const frd_wan_parsed *parsed, unsigned char *datagram,
                          size_t bytes);
bool frd_wan_lines_pull(frd_wan_node *node, uint64_t now_ns, frd_wan_batch *batch);
uint64_t frd_wan_lines_due(const frd_wan_node *node);

#endif
