/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_port.c - TUN devices and AF_PACKET sockets with virtio-net headers. Offsets in these headers count
 * from the Ethernet header where there is one; the rest of the emulator sees them counted from the IP header.
 */
#include "tests/wan/wanem_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4 /* headers before Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { ETHERNET_BYTES = 14, SOCKET_BYTES = 256 << 20 };

static int complain(const char *what, const char *name)
{
    fprintf(stderr, "wanem: %s %s: %s\n", what, name, strerror(errno));
    return -1;
}

/* ---- TUN --------------------------------------------------------------------------------------------------
 */

static int enter(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return complain("can't open", path);
    rc = setns(fd, CLONE_NEWNET);
    if (rc != 0)
        complain("can't enter", path);
    close(fd);
    return rc;
}

static int make_tun(wanem_port *p)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, .ifr_name = "wan0" };
    const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4, udp = TUN_F_USO4 | TUN_F_USO6;

    p->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (p->fd < 0)
        return complain("can't open", "/dev/net/tun");
    if (ioctl(p->fd, TUNSETIFF, &request) != 0)
        return complain("can't make TUN device", "wan0");
    if (ioctl(p->fd, TUNSETOFFLOAD, tcp | udp) != 0 && ioctl(p->fd, TUNSETOFFLOAD, tcp) != 0)
        return complain("can't have super-packets from", "wan0");
    return 0;
}

static int open_tun(wanem_port *p, pid_t pid)
{
    const int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    char path[64];
    int rc;

    if (own < 0)
        return complain("can't open", "/proc/self/ns/net");
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    rc = enter(path);
    if (rc == 0)
        rc = make_tun(p);
    if (rc == 0 && setns(own, CLONE_NEWNET) != 0)
        rc = complain("can't come back from", path);
    close(own);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof path, "/proc/%d/root/sys/class/net/wan0/statistics/tx_dropped", (int)pid);
    p->overflow_fd = open(path, O_RDONLY | O_CLOEXEC);
    return p->overflow_fd < 0 ? complain("can't open", path) : 0;
}

/* ---- AF_PACKET --------------------------------------------------------------------------------------------
 */

void wanem_port_mac(in_addr_t address, uint8_t mac[6])
{
    mac[0] = 2;
    mac[1] = 0;
    memcpy(mac + 2, &address, 4);
}

static int open_veth(wanem_port *p, const char *name, in_addr_t address)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
    struct ifreq request = { 0 };
    const int one = 1, bytes = SOCKET_BYTES;

    p->veth = true;
    p->overflow_fd = -1;
    p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        return complain("can't open a packet socket for", name);
    if (setsockopt(p->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) != 0 ||
        setsockopt(p->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
        setsockopt(p->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) != 0)
        return complain("can't set up the packet socket for", name);
    /* As large as we may; what does not fit is an overflow, which is counted. */
    if (setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    to.sll_ifindex = (int)if_nametoindex(name);
    if (to.sll_ifindex == 0 || bind(p->fd, (const struct sockaddr *)&to, sizeof to) != 0)
        return complain("can't bind to", name);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(p->fd, SIOCGIFHWADDR, &request) != 0)
        return complain("can't ask the address of", name);
    memcpy(p->near_mac, request.ifr_hwaddr.sa_data, sizeof p->near_mac);
    wanem_port_mac(address, p->far_mac);
    return 0;
}

int wanem_port_open(wanem_port *p, pid_t pid, const char *veth, in_addr_t address)
{
    *p = (wanem_port){ .fd = -1, .overflow_fd = -1 };
    return veth != NULL ? open_veth(p, veth, address) : open_tun(p, pid);
}

/* ---- packets ----------------------------------------------------------------------------------------------
 */

/* Counts the offsets in the header from the IP header (by = -14) or the Ethernet header (14). */
static void shift_offsets(uint8_t *data, int by)
{
    struct virtio_net_hdr v;

    memcpy(&v, data, WANEM_VNET_BYTES);
    if ((v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
        v.csum_start = (uint16_t)(v.csum_start + by);
    if (v.hdr_len != 0)
        v.hdr_len = (uint16_t)(v.hdr_len + by);
    memcpy(data, &v, WANEM_VNET_BYTES);
}

uint32_t wanem_port_read(wanem_port *p, uint8_t *data)
{
    uint8_t ethernet[ETHERNET_BYTES];
    const size_t skip = p->veth ? ETHERNET_BYTES : 0;
    struct iovec parts[3] = { { data, WANEM_VNET_BYTES },
                              { ethernet, skip },
                              { data + WANEM_VNET_BYTES, WANEM_PACKET_BYTES - WANEM_VNET_BYTES } };
    const ssize_t n = readv(p->fd, parts, 3);

    if (n <= (ssize_t)(WANEM_VNET_BYTES + skip)) {
        if (n < 0 && errno == ENETDOWN) { /* a socket tells this once */
            int error;
            socklen_t bytes = sizeof error;
            (void)getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
        }
        return 0;
    }
    if (p->veth)
        shift_offsets(data, -ETHERNET_BYTES);
    p->read++;
    return (uint32_t)((size_t)n - skip);
}

void wanem_port_write(wanem_port *p, const wanem_packet *packet)
{
    uint8_t ethernet[ETHERNET_BYTES] = { [12] = 8, [13] = 0 };
    struct iovec parts[3] = { { packet->data, WANEM_VNET_BYTES },
                              { ethernet, p->veth ? ETHERNET_BYTES : 0 },
                              { packet->data + WANEM_VNET_BYTES, packet->bytes - WANEM_VNET_BYTES } };

    if (p->veth) {
        memcpy(ethernet, p->far_mac, sizeof p->far_mac);
        memcpy(ethernet + 6, p->near_mac, sizeof p->near_mac);
        shift_offsets(packet->data, ETHERNET_BYTES);
    }
    if (writev(p->fd, parts, 3) < 0)
        p->failed++;
    else
        p->written++;
}

static uint64_t overflow_now(wanem_port *p)
{
    char text[32];
    ssize_t n;
    struct tpacket_stats stats;
    socklen_t bytes = sizeof stats;

    if (p->veth) { /* reading it zeroes it */
        if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0)
            p->overflow_sum += stats.tp_drops;
        return p->overflow_sum;
    }
    n = pread(p->overflow_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return strtoull(text, NULL, 10);
}

uint64_t wanem_port_overflow(wanem_port *p)
{
    return overflow_now(p) - p->overflow_start;
}

void wanem_port_zero(wanem_port *p)
{
    p->overflow_start = overflow_now(p);
    p->read = p->written = p->failed = p->foreign = 0;
}
