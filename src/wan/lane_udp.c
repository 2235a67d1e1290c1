/* SPDX-License-Identifier: BSD-3-Clause
 * lane_udp.c - datagrams over one UDP socket. With segmentation offload one call sends up to 64 KiB of
 * datagrams, and one buffer receives as many; at 1 Gbit/s and 1472 bytes each that is the difference between
 * one and a tenth of a core. Where the kernel has no offload, each goes by itself.
 *
 * What the network or the kernel refuses (no route, a datagram larger than the interface) counts as lost on
 * the way: the protocol above asks again. */
#include "wan/lane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/process.h"

enum {
    BUFFERS = 16,
    BUFFER_BYTES = 1 << 16,
    HEADERS = 28, /* of IPv4 and UDP; 48 of IPv6 */
    SOCKET_BYTES = 8 << 20,
    PORT_TRIES = 1000,
    SEND_TRIES = 3,    /* an error may be an earlier datagram's, to somebody else */
    QUOTED_BYTES = 64, /* of a refused datagram: its head */
    ERRORS_MAX = 1000  /* taken in a row */
};

struct frd_wan_lane {
    int fd;
    bool plain;  /* no segmentation offload when sending */
    bool failed; /* the error queue may have something */
    int received, at;
    size_t offset;
    struct mmsghdr head[BUFFERS];
    struct iovec part[BUFFERS];
    struct sockaddr_storage from[BUFFERS];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control[BUFFERS];
    unsigned char (*data)[BUFFER_BYTES];
    unsigned char quoted[QUOTED_BYTES];
};

/* ---- addresses ---- */

static bool address_of(const struct sockaddr *a, uint16_t family, uint8_t *out)
{
    const struct sockaddr_in6 *const v6 = (const void *)a;

    if (a == NULL || a->sa_family != family)
        return false;
    if (family == AF_INET)
        memcpy(out, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
    else if (!IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
        memcpy(out, &v6->sin6_addr, 16);
    else
        return false;
    return true;
}

static bool is_named(const char *wanted, const char *interface, uint16_t family, const uint8_t *address)
{
    char text[INET6_ADDRSTRLEN];

    return strcmp(wanted, interface) == 0 ||
           (inet_ntop(family, address, text, sizeof(text)) != NULL && strcmp(wanted, text) == 0);
}

static int mtu_of(int fd, const char *interface)
{
    struct ifreq request = { .ifr_mtu = 0 };

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    return ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

/* The addresses of one family; those of the loopback interface only where it is named. Returns the largest
 * MTU. */
static int collect(const char *wanted, uint16_t family, int fd, frd_wan_place *place)
{
    struct ifaddrs *list = NULL;
    int most = 0;

    place->family = family;
    place->count = 0;
    if (getifaddrs(&list) != 0)
        return 0;
    for (const struct ifaddrs *i = list; i != NULL && place->count < FRD_WAN_ADDRS; i = i->ifa_next) {
        uint8_t *const at = place->address[place->count];
        const bool loopback = (i->ifa_flags & IFF_LOOPBACK) != 0;
        int mtu;

        if ((i->ifa_flags & IFF_UP) == 0 || !address_of(i->ifa_addr, family, at))
            continue;
        mtu = mtu_of(fd, i->ifa_name);
        if (wanted[0] != '\0' ? !is_named(wanted, i->ifa_name, family, at) : loopback) {
            if (loopback && wanted[0] == '\0')
                most = mtu > most ? mtu : most; /* ranks of the same host */
            continue;
        }
        most = mtu > most ? mtu : most;
        place->count++;
    }
    freeifaddrs(list);
    return most;
}

static frd_wan_addr to_addr(uint16_t family, const uint8_t *address, uint16_t port)
{
    frd_wan_addr addr = { .len = 0 };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    _Static_assert(sizeof(v4) <= sizeof(addr.bytes) && sizeof(v6) <= sizeof(addr.bytes),
                   "room for an address");
    if (family == AF_INET) {
        memcpy(&v4.sin_addr, address, 4);
        memcpy(addr.bytes, &v4, sizeof(v4));
        addr.len = sizeof(v4);
    } else {
        memcpy(&v6.sin6_addr, address, 16);
        memcpy(addr.bytes, &v6, sizeof(v6));
        addr.len = sizeof(v6);
    }
    return addr;
}

unsigned frd_wan_lane_addresses(const frd_wan_place *own, const frd_wan_place *its, frd_wan_addr *addr)
{
    static const uint8_t loopback[2][16] = { { 127, 0, 0, 1 }, { [15] = 1 } };
    const bool same = own->boot_id[0] != '\0' &&
                      memcmp(own->boot_id, its->boot_id, sizeof(own->boot_id)) == 0 &&
                      own->network == its->network;
    unsigned n = 0;

    if (same)
        addr[n++] = to_addr(its->family, loopback[its->family == AF_INET6], its->port);
    for (uint32_t i = 0; i < its->count && i < FRD_WAN_ADDRS && n < FRD_WAN_ADDRS; i++)
        addr[n++] = to_addr(its->family, its->address[i], its->port);
    return n;
}

unsigned frd_wan_lane_resolve(const frd_wan_place *its, const char *host, uint16_t port, frd_wan_addr *addr,
                              unsigned most)
{
    const struct addrinfo hints = { .ai_family = its->family, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *list = NULL;
    uint8_t address[16];
    unsigned n = 0;

    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return 0;
    for (const struct addrinfo *i = list; i != NULL && n < most; i = i->ai_next) {
        if (address_of(i->ai_addr, its->family, address))
            addr[n++] = to_addr(its->family, address, port != 0 ? port : its->port);
    }
    freeaddrinfo(list);
    return n;
}

/* ---- opening ---- */

static int bad_port(const frd_conf *conf, frd_story *story)
{
    return frd_fail(
        story, FEDRDMA_ERR_INVALID,
        "option wan_port is \"%s\": give a UDP port, the first and last of several (47000-47099), or 0",
        conf->wan_port);
}

static int parse_ports(const frd_conf *conf, frd_story *story, long *first, long *last)
{
    char *end;

    *first = *last = strtol(conf->wan_port, &end, 10);
    if (end == conf->wan_port)
        return bad_port(conf, story);
    if (*end == '-') {
        const char *const second = end + 1;

        *last = strtol(second, &end, 10);
        if (end == second)
            return bad_port(conf, story);
    }
    if (*end != '\0' || *first < 0 || *last > UINT16_MAX || *first > *last || (*first == 0 && *last > 0))
        return bad_port(conf, story);
    return FEDRDMA_OK;
}

/* Binds to the only address that was asked for, or to all. */
static int bind_socket(int fd, const frd_conf *conf, uint16_t file_port, frd_wan_place *place,
                       frd_story *story)
{
    static const uint8_t any[16] = { 0 };
    const bool one = conf->wan_address[0] != '\0' && place->count == 1;
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof(bound);
    long first, last;
    int rc = parse_ports(conf, story, &first, &last);

    if (rc != FEDRDMA_OK)
        return rc;
    if (last == 0)
        first = last = file_port;
    for (long port = first; port <= last && port < first + PORT_TRIES; port++) {
        const frd_wan_addr addr = to_addr(place->family, one ? place->address[0] : any, (uint16_t)port);

        if (bind(fd, (const struct sockaddr *)(const void *)addr.bytes, addr.len) == 0)
            break;
        if (port == last && port == file_port && port != 0 &&
            errno == EADDRINUSE) { /* any: our card says which */
            first = last = file_port = 0;
            port = -1;
            continue;
        }
        if (port == last)
            return frd_fail(story, FEDRDMA_ERR_SYSTEM, "cannot bind UDP port %s (option wan_port): %s",
                            conf->wan_port, strerror(errno));
    }
    if (getsockname(fd, (struct sockaddr *)&bound, &bytes) != 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "getsockname: %s", strerror(errno));
    place->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&bound)->sin_port
                                                   : ((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
    return FEDRDMA_OK;
}

static void tune(frd_wan_lane *lane)
{
    const int size = SOCKET_BYTES, on = 1, probe = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;

    /* FORCE needs a privilege; the other is cut at net.core.rmem_max. */
    if (setsockopt(lane->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        (void)setsockopt(lane->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (setsockopt(lane->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
        (void)setsockopt(lane->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    (void)setsockopt(lane->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
    (void)setsockopt(lane->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
    (void)setsockopt(lane->fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
    (void)setsockopt(lane->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
    (void)setsockopt(lane->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

static int open_socket(frd_wan_lane *lane, const frd_conf *conf, uint16_t port, frd_story *story,
                       frd_wan_place *place, int *mtu)
{
    static const uint16_t families[2] = { AF_INET, AF_INET6 };
    frd_process self;
    struct stat network;

    frd_process_self(&self);
    memcpy(place->boot_id, self.boot_id, sizeof(place->boot_id));
    place->network = stat("/proc/self/ns/net", &network) == 0 ? network.st_ino : 0;
    for (int i = 0; i < 2; i++) {
        lane->fd = socket(families[i], SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (lane->fd < 0)
            continue;
        *mtu = collect(conf->wan_address, families[i], lane->fd, place);
        if (place->count > 0 || (i == 1 && conf->wan_address[0] == '\0'))
            return bind_socket(lane->fd, conf, port, place, story);
        if (i == 0 && conf->wan_address[0] == '\0') { /* nothing but the loopback interface? */
            frd_wan_place v6 = *place;

            (void)collect("", AF_INET6, lane->fd, &v6);
            if (v6.count == 0)
                return bind_socket(lane->fd, conf, port, place, story);
        }
        close(lane->fd);
        lane->fd = -1;
    }
    if (conf->wan_address[0] != '\0')
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "option wan_address is \"%s\": no interface that is up has this name or address",
                        conf->wan_address);
    return frd_fail(story, FEDRDMA_ERR_SYSTEM, "cannot open a UDP socket: %s", strerror(errno));
}

int frd_wan_lane_open(const frd_conf *conf, uint16_t port, frd_story *story, frd_wan_lane **lane,
                      frd_wan_place *place, uint32_t *datagram_most)
{
    frd_wan_lane *const l = frd_calloc(1, sizeof(*l));
    int mtu = 0, rc;

    if (l == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "UDP lane");
    memset(place, 0, sizeof(*place));
    l->fd = -1;
    l->data = frd_alloc_aligned(64, (size_t)BUFFERS * BUFFER_BYTES);
    if (l->data == NULL) {
        frd_wan_lane_close(l);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "buffers of the UDP lane");
    }
    rc = open_socket(l, conf, port, story, place, &mtu);
    if (rc != FEDRDMA_OK) {
        frd_wan_lane_close(l);
        return rc;
    }
    tune(l);
    mtu -= place->family == AF_INET6 ? HEADERS + 20 : HEADERS;
    *datagram_most = mtu > 0 ? (uint32_t)mtu : 0;
    *lane = l;
    return FEDRDMA_OK;
}

void frd_wan_lane_close(frd_wan_lane *lane)
{
    if (lane == NULL)
        return;
    if (lane->fd >= 0)
        close(lane->fd);
    frd_free(lane->data);
    frd_free(lane);
}

int frd_wan_lane_fd(const frd_wan_lane *lane)
{
    return lane->fd;
}

/* ---- sending ---- */

/* What the network says of one datagram, the system reports at the next call, whatever that sends. */
static ssize_t send_some(frd_wan_lane *lane, const struct msghdr *head)
{
    ssize_t sent = -1;

    for (int i = 0; sent < 0 && i < SEND_TRIES; i++) {
        sent = sendmsg(lane->fd, head, 0);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
            break;
        lane->failed |= sent < 0;
    }
    return sent;
}

/* False: they were too long. */
static bool send_plain(frd_wan_lane *lane, const frd_wan_batch *batch)
{
    bool fits = true;

    for (size_t at = 0; at < batch->bytes; at += batch->segment_bytes) {
        const size_t left = batch->bytes - at;
        struct iovec part = { .iov_base = batch->data + at,
                              .iov_len = left < batch->segment_bytes ? left : batch->segment_bytes };
        const struct msghdr head = {
            .msg_name = (void *)(uintptr_t)batch->to.bytes,
            .msg_namelen = batch->to.len,
            .msg_iov = &part,
            .msg_iovlen = 1,
        };

        if (send_some(lane, &head) < 0 && errno == EMSGSIZE)
            fits = false;
    }
    return fits;
}

bool frd_wan_lane_send(frd_wan_lane *lane, const frd_wan_batch *batch)
{
    struct iovec part = { .iov_base = batch->data, .iov_len = batch->bytes };
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct msghdr head = {
        .msg_name = (void *)(uintptr_t)batch->to.bytes,
        .msg_namelen = batch->to.len,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };
    const uint16_t segment = (uint16_t)batch->segment_bytes;

    if (lane->plain) {
        (void)send_plain(lane, batch);
        return true;
    }
    if (batch->count > 1) {
        head.msg_control = control.bytes;
        head.msg_controllen = sizeof(control.bytes);
        control.align = (struct cmsghdr){ .cmsg_level = SOL_UDP,
                                          .cmsg_type = UDP_SEGMENT,
                                          .cmsg_len = CMSG_LEN(sizeof(segment)) };
        memcpy(CMSG_DATA(&control.align), &segment, sizeof(segment));
    }
    if (send_some(lane, &head) >= 0)
        return true;
    if (errno == EAGAIN || errno == ENOBUFS)
        return false;
    if (batch->count > 1 && (errno == EIO || errno == EINVAL || errno == ENOPROTOOPT)) {
        lane->plain = send_plain(lane, batch); /* or an interface carries less than it did, and that was it */
        return true;
    }
    return true; /* lost */
}

/* ---- receiving ---- */

int frd_wan_lane_receive(frd_wan_lane *lane)
{
    for (int i = 0; i < BUFFERS; i++) {
        lane->part[i] = (struct iovec){ .iov_base = lane->data[i], .iov_len = BUFFER_BYTES };
        lane->head[i].msg_hdr = (struct msghdr){
            .msg_name = &lane->from[i],
            .msg_namelen = sizeof(lane->from[i]),
            .msg_iov = &lane->part[i],
            .msg_iovlen = 1,
            .msg_control = lane->control[i].bytes,
            .msg_controllen = sizeof(lane->control[i].bytes),
        };
    }
    lane->at = 0;
    lane->offset = 0;
    lane->received = recvmmsg(lane->fd, lane->head, BUFFERS, 0, NULL);
    if (lane->received < 0) {
        lane->failed |= errno != EAGAIN && errno != EINTR;
        lane->received = 0;
    }
    return lane->received;
}

/* How long each datagram in a buffer is. */
static size_t segment_of(struct msghdr *head, size_t all)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
        int segment;

        if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
            continue;
        memcpy(&segment, CMSG_DATA(c), sizeof(segment));
        return segment > 0 ? (size_t)segment : all;
    }
    return all;
}

void *frd_wan_lane_take(frd_wan_lane *lane, size_t *bytes, frd_wan_addr *from)
{
    while (lane->at < lane->received) {
        struct mmsghdr *const head = &lane->head[lane->at];
        const size_t all = head->msg_len, segment = segment_of(&head->msg_hdr, all),
                     left = all - lane->offset;
        unsigned char *const data = lane->data[lane->at] + lane->offset;

        if (left == 0 || head->msg_hdr.msg_namelen > sizeof(from->bytes)) {
            lane->at++;
            lane->offset = 0;
            continue;
        }
        *bytes = left < segment ? left : segment;
        lane->offset += *bytes;
        memset(from, 0, sizeof(*from));
        memcpy(from->bytes, &lane->from[lane->at], head->msg_hdr.msg_namelen);
        from->len = head->msg_hdr.msg_namelen;
        return data;
    }
    return NULL;
}

/* ---- what came back ---- */

bool frd_wan_lane_failed(const frd_wan_lane *lane)
{
    return lane->failed;
}

static bool is_refusal(struct msghdr *head, uint32_t *carried)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c != NULL; c = CMSG_NXTHDR(head, c)) {
        struct sock_extended_err error;
        uint32_t headers;

        if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
            !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
            continue;
        memcpy(&error, CMSG_DATA(c), sizeof(error));
        if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6)
            return false;
        headers = error.ee_origin == SO_EE_ORIGIN_ICMP ? HEADERS : HEADERS + 20;
        *carried = error.ee_errno == EMSGSIZE && error.ee_info > headers ? error.ee_info - headers : 0;
        return error.ee_errno == ECONNREFUSED || *carried > 0;
    }
    return false;
}

const void *frd_wan_lane_refused(frd_wan_lane *lane, size_t *bytes, uint32_t *carried)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6)) +
                   CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { .iov_base = lane->quoted, .iov_len = sizeof(lane->quoted) };

    for (int i = 0; i < ERRORS_MAX; i++) {
        struct msghdr head = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof(control.bytes),
        };
        const ssize_t quoted = recvmsg(lane->fd, &head, MSG_ERRQUEUE | MSG_DONTWAIT);

        if (quoted < 0)
            break;
        *bytes = (size_t)quoted;
        if (is_refusal(&head, carried))
            return lane->quoted;
    }
    lane->failed = false;
    return NULL;
}
