/* SPDX-License-Identifier: BSD-3-Clause
 * lane.h - what carries a node's datagrams: one UDP socket. Non-blocking; belongs to the thread that drives
 * the node. */
#ifndef FRD_WAN_LANE_H
#define FRD_WAN_LANE_H

#include "wan/node.h"

typedef struct frd_wan_lane frd_wan_lane;

/* Where a rank can be reached; goes into its card. */
typedef struct frd_wan_place {
    char boot_id[40]; /* names the host, zero padded */
    uint64_t network; /* inode of the network namespace */
    uint16_t port;    /* in host order */
    uint16_t family;  /* AF_INET or AF_INET6; of all its addresses */
    uint32_t count;
    uint8_t address[FRD_WAN_ADDRS][16]; /* in network order; IPv4: the first 4 bytes */
} frd_wan_place;
_Static_assert(sizeof(frd_wan_place) == 184, "wire format");

/* Opens the socket that the options ask for; `port` is the topology file's (0: none), for where they name
 * none; if that one is in use, it is another. *datagram_most: what its interfaces carry. */
int frd_wan_lane_open(const frd_conf *conf, uint16_t port, frd_story *story, frd_wan_lane **lane,
                      frd_wan_place *place, uint32_t *datagram_most);
void frd_wan_lane_close(frd_wan_lane *lane); /* NULL is fine */
int frd_wan_lane_fd(const frd_wan_lane *lane);

/* Addresses to try for a peer, as seen from `own`, best first; returns their number. */
unsigned frd_wan_lane_addresses(const frd_wan_place *own, const frd_wan_place *its, frd_wan_addr *addr);

/* The addresses that a host name (or address) of the topology file has in the lane's family, at most `most`;
 * `port` 0 is the peer's own. Asks the system's resolver, and returns 0 if it knows none. */
unsigned frd_wan_lane_resolve(const frd_wan_place *its, const char *host, uint16_t port, frd_wan_addr *addr,
                              unsigned most);

/* Sends a batch. False: the socket is full, the batch must be offered again when it is writable. */
bool frd_wan_lane_send(frd_wan_lane *lane, const frd_wan_batch *batch);
/* Receives what is there, up to a bound, for frd_wan_lane_take. Returns the number of buffers; 0: nothing. */
int frd_wan_lane_receive(frd_wan_lane *lane);
/* The next datagram of what was received; NULL: no more. Valid until the next receive. */
void *frd_wan_lane_take(frd_wan_lane *lane, size_t *bytes, frd_wan_addr *from);

/* Has the system reported an error since the last frd_wan_lane_refused that returned NULL? */
bool frd_wan_lane_failed(const frd_wan_lane *lane);
/* The beginning of a datagram that we sent and that its addressee's host refused, nobody listening there
 * (*carried is 0), or that was too long for a host on the way, which carries UDP datagrams of *carried bytes;
 * NULL: no more. Valid until the next call. */
const void *frd_wan_lane_refused(frd_wan_lane *lane, size_t *bytes, uint32_t *carried);

#endif
