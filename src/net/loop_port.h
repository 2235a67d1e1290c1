/* SPDX-License-Identifier: BSD-3-Clause
 * loop_port.h - where the packets for one rank of the loop transport arrive: a locked queue and an eventfd.
 */
#ifndef FRD_NET_LOOP_PORT_H
#define FRD_NET_LOOP_PORT_H

#include <pthread.h>

#include "net/net.h"

enum frd_loop_kind { EAGER, OFFER, PULL, REFUSE, DATA, GONE, CREDIT, BYE };

enum { CLASS_FIRST = 7, CLASSES = 40 }; /* packets are recycled by size, 2^7 bytes and up */

typedef struct frd_loop_packet frd_loop_packet;
struct frd_loop_packet {
    frd_loop_packet *next;
    enum frd_loop_kind kind;
    int from;
    unsigned size_class;
    frd_tag tag;
    size_t len;    /* of the message, or the credit; the data is behind */
    uint64_t id;   /* at the sender of the message */
    uint64_t into; /* id at its receiver */
    unsigned char data[];
};

/* What others see of a rank; guarded by its lock. */
typedef struct frd_loop_port {
    pthread_mutex_t lock;
    int refs;
    int wake; /* eventfd, written when the owner sleeps */
    bool closed, sleeping;
    frd_loop_packet *head, *tail;
    frd_loop_packet *spare[CLASSES];
} frd_loop_port;

/* Owned once by the maker; NULL when out of memory or descriptors. */
frd_loop_port *frd_loop_port_new(void);
void frd_loop_port_ref(frd_loop_port *p);
void frd_loop_port_unref(frd_loop_port *p);

/* A packet that may be pushed to `to`, recycled if it has one; NULL when out of memory. */
frd_loop_packet *frd_loop_packet_new(frd_loop_port *to, size_t data_bytes);
/* Gives a packet that was taken out of `own` back for recycling. */
void frd_loop_packet_free(frd_loop_port *own, frd_loop_packet *p);

/* Queues `p` and wakes the owner; false when the port is closed (then p was freed). */
bool frd_loop_port_push(frd_loop_port *to, frd_loop_packet *p);
/* Takes the whole queue out, oldest first. */
frd_loop_packet *frd_loop_port_take(frd_loop_port *own);
/* About to sleep on own->wake; false when packets are queued. */
bool frd_loop_port_arm(frd_loop_port *own);
void frd_loop_port_disarm(frd_loop_port *own);
/* Nothing can be pushed any more, and what is queued is freed. */
void frd_loop_port_close(frd_loop_port *own);

#endif
