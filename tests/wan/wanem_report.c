/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_report.c - counters as text. */
#include "tests/wan/wanem_report.h"

#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

/* A run is void if more than this share of the packets came later than the bound. */
static const double LATE_SHARE = 0.01;

typedef struct text {
    char *at;
    size_t used, room;
} text;

static void add(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->at + t->used, t->room - t->used, format, args);
    va_end(args);
    if (n > 0)
        t->used = t->used + (size_t)n < t->room ? t->used + (size_t)n : t->room - 1;
}

static void add_line(text *t, const wanem_shaper *s)
{
    add(t, " queue_dropped=%" PRIu64 " queue_p50_us=%.0f queue_p99_us=%.0f queue_max_us=%.0f", s->dropped,
        wanem_times_percentile_us(&s->waiting, 0.5), wanem_times_percentile_us(&s->waiting, 0.99),
        (double)s->waiting.max_ns / 1e3);
}

static void add_silo(text *t, const wanem_silo *s, const char *which, const wanem_shaper *line)
{
    add(t, "silo %s %s packets=%" PRIu64 " bytes=%" PRIu64, s->name, which, line->packets, line->bytes);
    add_line(t, line);
    add(t, "\n");
}

static void add_link(text *t, const wanem_net *n, int from, int to)
{
    const wanem_link *l = &n->link[from][to];
    const wanem_link_count *c = &l->count;

    add(t, "link %s > %s state=%s packets=%" PRIu64 " bytes=%" PRIu64, n->silo[from].name, n->silo[to].name,
        l->down ? "down" : "up", c->packets, c->bytes);
    add(t,
        " lost=%" PRIu64 " down=%" PRIu64 " closed=%" PRIu64
        " duplicated=%" PRIu64 " corrupted=%" PRIu64 " reordered=%" PRIu64,
        c->lost, c->down, c->closed, c->duplicated, c->corrupted, c->reordered);
    add(t, " delivered=%" PRIu64 " delivered_bytes=%" PRIu64, c->delivered, c->delivered_bytes);
    add_line(t, &l->line);
    add(t, "\n");
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static uint64_t late_count(const wanem_net *n)
{
    return wanem_times_over(&n->late, n->late_bound_ns);
}

size_t wanem_report_counts(wanem_net *n, char *out, size_t room)
{
    text t = { out, 0, room };
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    add(&t, "emulator ports=%s realtime=%s seed=%" PRIu64 " cpu_s=%.3f in_flight=%zu",
        n->silo[0].port.veth ? "veth" : "tun", sched_getscheduler(0) == SCHED_FIFO ? "yes" : "no", n->seed,
        seconds(used.ru_utime) + seconds(used.ru_stime), n->due.count);
    add(&t,
        " deliveries=%" PRIu64 " late=%" PRIu64
        " late_bound_us=%.0f late_p50_us=%.0f late_p99_us=%.0f late_max_us=%.0f\n",
        n->late.total, late_count(n), (double)n->late_bound_ns / 1e3,
        wanem_times_percentile_us(&n->late, 0.5), wanem_times_percentile_us(&n->late, 0.99),
        (double)n->late.max_ns / 1e3);
    for (int i = 0; i < n->silos; i++) {
        wanem_port *p = &n->silo[i].port;

        add(&t, "silo %s port read=%" PRIu64 " written=%" PRIu64 " failed=%" PRIu64, n->silo[i].name, p->read,
            p->written, p->failed);
        add(&t, " foreign=%" PRIu64 " overflow=%" PRIu64 "\n", p->foreign, wanem_port_overflow(p));
        add_silo(&t, &n->silo[i], "egress", &n->silo[i].egress);
        add_silo(&t, &n->silo[i], "ingress", &n->silo[i].ingress);
    }
    for (int a = 0; a < n->silos; a++)
        for (int b = 0; b < n->silos; b++)
            if (n->link[a][b].declared)
                add_link(&t, n, a, b);
    return t.used;
}

size_t wanem_report_health(wanem_net *n, char *out, size_t room)
{
    text t = { out, 0, room };
    const uint64_t late = late_count(n);
    const char *mark = "void: ";

    if ((double)late > LATE_SHARE * (double)n->late.total) {
        add(&t, "%s%.2f%% of %" PRIu64 " packets were delivered more than %.0f us late (at most %.0f us)",
            mark, 100 * (double)late / (double)n->late.total, n->late.total, (double)n->late_bound_ns / 1e3,
            (double)n->late.max_ns / 1e3);
        mark = "; ";
    }
    for (int i = 0; i < n->silos; i++) {
        const uint64_t over = wanem_port_overflow(&n->silo[i].port), failed = n->silo[i].port.failed;

        if (over == 0 && failed == 0)
            continue;
        add(&t,
            "%s%s lost %" PRIu64 " packets that the emulator did not fetch and %" PRIu64
            " that the kernel refused",
            mark, n->silo[i].name, over, failed);
        mark = "; ";
    }
    add(&t, "%s", t.used == 0 ? "ok\n" : "\n");
    return t.used;
}
