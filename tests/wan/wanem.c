/* SPDX-License-Identifier: BSD-3-Clause
 * wanem.c - a wide-area network in user space: one thread between the network namespaces of some nodes. It
 * polls their ports, the control socket and the clock, at real-time priority if it may: a packet that it
 * delivers late is an error of measurement. Usually started by fedrdma-lab; docs/lab.md tells what it
 * emulates. */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "tests/wan/wanem_command.h"
#include "tests/wan/wanem_control.h"
#include "tests/wan/wanem_net.h"

enum {
    READS = 64,       /* of one port before the clock and the others have their turn */
    DELIVERIES = 256, /* before ports have theirs */
    CLOCK_EVERY = 16, /* packets for one look at the clock */
    PRIORITY = 20,
    ALERT_NS = 1000000, /* the longest wait when alert */
    BUSY_NS = 1000000,  /* so long after a packet turns have a least length: */
    /* what comes or is due in it is handled at its end, all at once. Woken for each, five silos of 300 Mbit/s took 0.57
     * of a processor, by 20000 wake-ups a second. */
    TURN_NS = 100000
};

static const int64_t IDLE_NS = 1000000000,
                     TRAFFIC_NS = 2000000000; /* the longest wait; after a packet it is alert */

static const char HELP[] =
    "Usage: wanem plan FILE [--set COMMAND]...\n"
    "       wanem run FILE --socket PATH [--set COMMAND]... --port PID[:VETH]...\n"
    "       wanem control PATH COMMAND\n"
    "\n"
    "Emulates a wide-area network between network namespaces. fedrdma-lab calls it; see docs/lab.md.\n"
    "\n"
    "  plan     checks a topology file and lists what it asks for: silos, nodes with addresses, mtu\n"
    "  run      emulates it; --port gives for each silo in order a process in its network namespace, where\n"
    "           a TUN device wan0 is made, or with VETH the near end of a veth pair here; prints \"ready\"\n"
    "  control  sends a command to a running emulator: link, silo, seed, late, at, forget, stat, health, "
    "zero\n"
    "\n"
    "The exit status of control is 0, 1 for a command that is wrong, 2 if nobody answers, 3 if health is "
    "void.\n";

typedef struct options {
    const char *socket;
    const char *set[64], *port[WANEM_SILOS];
    int sets, ports;
} options;

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static bool parse(options *o, int argc, char **argv)
{
    static const struct option longs[] = { { "socket", required_argument, NULL, 's' },
                                           { "set", required_argument, NULL, 'c' },
                                           { "port", required_argument, NULL, 'p' },
                                           { NULL, 0, NULL, 0 } };
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 's')
            o->socket = optarg;
        else if (option == 'c' && o->sets < 64)
            o->set[o->sets++] = optarg;
        else if (option == 'p' && o->ports < WANEM_SILOS)
            o->port[o->ports++] = optarg;
        else
            return false;
    }
    return optind == argc;
}

static bool load(wanem_net *net, const char *file, const options *o)
{
    char story[WANEM_STORY_BYTES];

    wanem_net_init(net);
    if (!wanem_command_file(net, file))
        return false;
    for (int i = 0; i < o->sets; i++) {
        if (!wanem_command(net, o->set[i], WANEM_CHANGE, story)) {
            fprintf(stderr, "wanem: \"%s\": %s\n", o->set[i], story);
            return false;
        }
    }
    return true;
}

static void print_plan(const wanem_net *net)
{
    printf("mtu %d\n", net->mtu);
    for (int silo = 0; silo < net->silos; silo++) {
        const wanem_silo *s = &net->silo[silo];
        const char *cc = s->cc[0] != '\0' ? s->cc : net->cc;
        uint8_t mac[6];

        wanem_port_mac(wanem_net_address(silo, 0), mac);
        printf("silo %s %d %02x:%02x:%02x:%02x:%02x:%02x\n", s->name, s->nodes, mac[0], mac[1], mac[2],
               mac[3], mac[4], mac[5]);
        for (int i = 0; i < s->nodes; i++) {
            const struct in_addr address = { wanem_net_address(silo, i) };
            printf("node %s%d %s %s\n", s->name, i + 1, inet_ntoa(address), cc[0] != '\0' ? cc : "-");
        }
    }
}

/* ---- emulating --------------------------------------------------------------------------------------------
 */

static bool open_ports(wanem_net *net, const options *o)
{
    if (o->ports != net->silos) {
        fprintf(stderr, "wanem: %d silos, but %d times --port\n", net->silos, o->ports);
        return false;
    }
    for (int i = 0; i < net->silos; i++) {
        char *veth;
        const long pid = strtol(o->port[i], &veth, 10);

        if (wanem_port_open(&net->silo[i].port, (pid_t)pid, *veth == ':' ? veth + 1 : NULL,
                            wanem_net_address(i, 0)) != 0)
            return false;
    }
    return true;
}

static void hurry(void)
{
    const struct sched_param priority = { .sched_priority = PRIORITY };

    /* Freed packets stay with the process: no page faults in the middle of a burst. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)mallopt(M_TOP_PAD, 64 << 20);
    (void)prctl(PR_SET_TIMERSLACK, 1000UL);
    if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
        (void)setpriority(PRIO_PROCESS, 0, -20); /* stat tells what we got */
}

static void deliver_due(wanem_net *net)
{
    int64_t now_ns = (int64_t)frd_now_ns();

    for (int i = 0; i < DELIVERIES && wanem_due_next_ns(&net->due) <= now_ns; i++) {
        wanem_net_deliver(net, now_ns);
        if (i % CLOCK_EVERY == CLOCK_EVERY - 1)
            now_ns = (int64_t)frd_now_ns();
    }
}

/* What stands in the port's queue has been there for up to `stalled_ns`, beside what it should. */
static bool read_port(wanem_net *net, int silo, int64_t stalled_ns)
{
    static uint8_t data[WANEM_PACKET_BYTES];
    int64_t now_ns = (int64_t)frd_now_ns();
    int i;

    for (i = 0; i < READS; i++) {
        wanem_packet p = { .data = data, .bytes = wanem_port_read(&net->silo[silo].port, data) };

        if (p.bytes == 0)
            break;
        if (i % CLOCK_EVERY == CLOCK_EVERY - 1)
            now_ns = (int64_t)frd_now_ns();
        wanem_net_take(net, silo, &p, now_ns);
    }
    if (stalled_ns > net->late_bound_ns)
        wanem_times_add(&net->late, stalled_ns, (uint64_t)i);
    return i > 0;
}

/* The loop's clock: how long it meant to wait, and so by how much a turn took longer. */
typedef struct turn {
    int64_t began_ns, traffic_ns; /* this turn; when packets were last read */
    int64_t stalled_ns;           /* of the last wait: too long, by so much */
} turn;

static struct timespec time_of(int64_t ns)
{
    return (struct timespec){ .tv_sec = ns / (int64_t)FRD_NS_PER_S, .tv_nsec = ns % (int64_t)FRD_NS_PER_S };
}

/* Until something arrives or is due; while packets come, to the end of the turn. With traffic it wakes up often, to see
 * that it still gets the processor. */
static int wait_for_work(turn *t, const wanem_net *net, const wanem_control *control, struct pollfd *fds)
{
    const int64_t packet_ns = wanem_due_next_ns(&net->due), command_ns = wanem_control_next_ns(control);
    const int64_t now_ns = (int64_t)frd_now_ns();
    const bool busy = now_ns - t->traffic_ns < BUSY_NS;
    const struct timespec end = time_of(t->began_ns + TURN_NS);
    int64_t left_ns = now_ns - t->traffic_ns < TRAFFIC_NS ? ALERT_NS : IDLE_NS;
    struct timespec wait;
    int events;

    if (packet_ns - now_ns < left_ns)
        left_ns = packet_ns - now_ns;
    if (command_ns - now_ns < left_ns)
        left_ns = command_ns - now_ns;
    if (busy) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
        left_ns -= (int64_t)frd_now_ns() - now_ns;
        t->began_ns += TURN_NS;
    }
    left_ns = left_ns < 0 ? 0 : left_ns;
    wait = time_of(left_ns);
    events = ppoll(fds, (nfds_t)net->silos + 1, &wait, NULL);
    t->stalled_ns = (int64_t)frd_now_ns() - t->began_ns - left_ns;
    t->began_ns = (int64_t)frd_now_ns();
    return events;
}

static void emulate(wanem_net *net, wanem_control *control)
{
    struct pollfd fds[WANEM_SILOS + 1];
    turn t = { .began_ns = (int64_t)frd_now_ns() };

    for (int i = 0; i < net->silos; i++)
        fds[i] = (struct pollfd){ .fd = net->silo[i].port.fd, .events = POLLIN };
    fds[net->silos] = (struct pollfd){ .fd = control->fd, .events = POLLIN };
    while (!stopped) {
        wanem_control_due(control, net, (int64_t)frd_now_ns());
        deliver_due(net);
        if (wait_for_work(&t, net, control, fds) <= 0)
            continue;
        for (int i = 0; i < net->silos; i++)
            if (fds[i].revents != 0 && read_port(net, i, t.stalled_ns))
                t.traffic_ns = t.began_ns;
        if (fds[net->silos].revents != 0)
            wanem_control_answer(control, net, (int64_t)frd_now_ns());
    }
}

static int run(wanem_net *net, const options *o)
{
    wanem_control control = { .fd = -1 };

    if (o->socket == NULL || !open_ports(net, o))
        return 1;
    if (wanem_control_open(&control, o->socket) != 0)
        return 1;
    (void)signal(SIGTERM, stop);
    (void)signal(SIGINT, stop);
    hurry();
    puts("ready");
    fflush(stdout);
    emulate(net, &control);
    wanem_control_close(&control);
    return 0;
}

int main(int argc, char **argv)
{
    static wanem_net net;
    static options o;
    const char *verb = argc > 1 ? argv[1] : "";
    int status = 2;

    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fputs(HELP, stdout);
        return 0;
    }
    if (strcmp(verb, "control") == 0 && argc == 4)
        return wanem_control_ask(argv[2], argv[3]);
    if ((strcmp(verb, "plan") != 0 && strcmp(verb, "run") != 0) || argc < 3 ||
        !parse(&o, argc - 2, argv + 2)) {
        fputs("wanem: wrong command line; `wanem --help` tells what there is\n", stderr);
        return 2;
    }
    if (load(&net, argv[2], &o)) {
        status = 0;
        if (verb[0] == 'p')
            print_plan(&net);
        else
            status = run(&net, &o);
    }
    wanem_net_free(&net);
    return status;
}
