/* SPDX-License-Identifier: BSD-3-Clause
 * wanflow.c - `wanflow a1 b1` within a lab: sends from a node to another and says what came through. Sender
 * and receiver are processes of one program with sockets in two network namespaces, so nobody waits for the
 * other to start, and delays are measured by one clock. */
#include "tests/wan/wanflow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/wan/wanem_value.h"

static const char HELP[] =
    "Usage: wanflow [options] FROM TO          within a lab: fedrdma-lab run FILE -- wanflow a1 b1\n"
    "\n"
    "Sends from one node to another and prints what came through, as key=value on one line.\n"
    "\n"
    "  --rate R      payload per second, e.g. 300M (UDP: 100M; TCP: as fast as it goes)\n"
    "  --time S      for so many seconds (2)\n"
    "  --skip S      TCP's goodput is that after so many seconds (0)\n"
    "  --size BYTES  payload of a datagram, 32 to 65000 (1472)\n"
    "  --plain       no offload: a system call for each datagram\n"
    "  --tcp         one TCP connection instead of UDP\n"
    "  --help        this text\n";

static __attribute__((noreturn)) void mistake(const char *what, const char *which)
{
    fprintf(stderr, "wanflow: %s%s; `wanflow --help` tells what there is\n", what, which);
    exit(2);
}

void wanflow_fail(const char *what)
{
    fprintf(stderr, "wanflow: %s: %s\n", what, strerror(errno));
    exit(1);
}

int wanflow_socket(int net, int type, const struct sockaddr_in *address)
{
    const int one = 1;
    int fd;

    if (setns(net, CLONE_NEWNET) != 0)
        wanflow_fail("can't enter the node's network");
    fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        wanflow_fail("can't open a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        wanflow_fail("can't bind to the node's address");
    return fd;
}

/* Looks the node up in what fedrdma-lab wrote: name silo nodes address pid cc. */
static int find_node(const char *name, struct sockaddr_in *address)
{
    const char *state = getenv("FRD_LAB_STATE");
    char path[4096], line[256], node[32], ip[32];
    FILE *nodes;
    int pid, net = -1;

    if (state == NULL)
        mistake("this is for use within a lab", "");
    snprintf(path, sizeof path, "%s/nodes", state);
    nodes = fopen(path, "r");
    if (nodes == NULL)
        wanflow_fail(path);
    while (net < 0 && fgets(line, sizeof line, nodes) != NULL) {
        if (sscanf(line, "%31s %*s %*s %31s %d", node, ip, &pid) != 3 || strcmp(node, name) != 0)
            continue;
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = inet_addr(ip);
        snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
        net = open(path, O_RDONLY | O_CLOEXEC);
        if (net < 0)
            wanflow_fail(path);
    }
    fclose(nodes);
    if (net < 0)
        mistake("the lab has no node ", name);
    return net;
}

static double seconds_of(const char *text)
{
    char *end;
    const double value = strtod(text, &end);

    if (*end != '\0' || !(value >= 0 && value <= 3600))
        mistake("no number of seconds up to 3600: ", text);
    return value;
}

static bool parse(wanflow *f, int argc, char **argv)
{
    enum { RATE, TIME, SKIP, SIZE, PLAIN, TCP, HELP_ASKED };
    static const struct option longs[] = {
        { "rate", required_argument, NULL, RATE }, { "time", required_argument, NULL, TIME },
        { "skip", required_argument, NULL, SKIP }, { "size", required_argument, NULL, SIZE },
        { "plain", no_argument, NULL, PLAIN },     { "tcp", no_argument, NULL, TCP },
        { "help", no_argument, NULL, HELP_ASKED }, { NULL, 0, NULL, 0 }
    };
    bool tcp = false;
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case RATE:
            if (wanem_value_rate(optarg, &f->rate_bps) != NULL)
                mistake("no rate: ", optarg);
            break;
        case TIME:
            f->seconds = seconds_of(optarg);
            break;
        case SKIP:
            f->skip_seconds = seconds_of(optarg);
            break;
        case SIZE:
            f->datagram_bytes = atoi(optarg);
            break;
        case PLAIN:
            f->offload = false;
            break;
        case TCP:
            tcp = true;
            break;
        case HELP_ASKED:
            fputs(HELP, stdout);
            exit(0);
        default:
            exit(2);
        }
    }
    return tcp;
}

int main(int argc, char **argv)
{
    wanflow f = { .seconds = 2, .datagram_bytes = 1472, .offload = true };
    const bool tcp = parse(&f, argc, argv);

    if (f.datagram_bytes < 32 || f.datagram_bytes > 65000)
        mistake("--size should be 32 to 65000", "");
    if (argc - optind != 2)
        mistake("from which node to which?", "");
    f.from_net = find_node(argv[optind], &f.from);
    f.to_net = find_node(argv[optind + 1], &f.to);
    if (!tcp && f.rate_bps <= 0)
        f.rate_bps = 100e6;
    return tcp ? wanflow_tcp(&f) : wanflow_udp(&f);
}
