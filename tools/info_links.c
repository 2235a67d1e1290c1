/* SPDX-License-Identifier: BSD-3-Clause
 * info_links.c - every silo's first gateway sends to every other one for a while, and tells what its
 * transport saw of it.
 *
 * In a round each silo has one partner, and each pair sends first one way and then the other, so that no line
 * carries two measurements in one direction: S silos take S - 1 rounds (S of them, one silo resting in each,
 * where S is odd). The first two thirds of a measurement find the rate, and overrun queues while they do;
 * loss is that of the last third.
 *
 * A transport that keeps no count of such things (ucx) shows how much went in the last third; the round trip
 * is then that of the quickest of a few small messages. */
#include "info_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/matrix.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    PINGS = 5,
    RTTS = 25, /* that a measurement takes at least: what is slower to find its rate is not worth much */
    DEPTH = 8,
    LEAST = 64 << 10, /* bytes of a message */
    MOST = 4 << 20,
    NAMES = FRD_LINKS_MAX
};
#define TIME_NS FRD_NS_PER_S
#define END UINT64_MAX

typedef struct job {
    const info_links *what;
    fedrdma_context *context;
    fedrdma_comm *world;
    frd_comm *comm;
    int silos, silo;     /* ours */
    bool speaks;         /* we are its gateway */
    fedrdma_comm **pair; /* by round, with our partner; NULL: none */
    frd_links *links;
    frd_matrix_row *row;     /* by silo */
    uint64_t *buffer[DEPTH]; /* of messages; NULL where we don't speak */
    const char *name[NAMES];
} job;

static int complain(const job *j, int rc)
{
    if (rc != FEDRDMA_OK)
        fprintf(stderr, "fedrdma-info: %s\n", fedrdma_last_error(j->world));
    return rc;
}

/* Rounds of a tournament (the circle method); -1: this silo rests. Symmetric. */
static int partner(int silos, int silo, int round)
{
    const int n = silos + silos % 2, last = n - 1;
    int other;

    if (silo == last) { /* plays who would play himself */
        other = round % 2 == 0 ? round / 2 : (round + last) / 2;
    } else {
        other = (round - silo + last) % last;
        other = other == silo ? last : other;
    }
    return other < silos ? other : -1;
}

static int rounds(int silos)
{
    return silos + silos % 2 - 1;
}

/* ---- one direction of one link ---- */

/* A stream of messages, of which DEPTH are on their way. The first word of each says how long the one is that
 * is posted when it is done: as long as the link is fast. */
typedef struct stream {
    fedrdma_comm *pair;
    int root, posted, done;
    int last; /* the one that says so; DEPTH - 1 follow, which are posted already; -1: not yet */
    uint64_t bytes[DEPTH], next_bytes;
    fedrdma_request *request[DEPTH];
} stream;

static stream open_stream(fedrdma_comm *pair, int root)
{
    stream s = { .pair = pair, .root = root, .last = -1, .next_bytes = LEAST };

    for (int i = 0; i < DEPTH; i++)
        s.bytes[i] = LEAST;
    return s;
}

static bool streams_on(const stream *s)
{
    return s->last < 0 || s->done < s->last + DEPTH;
}

static int post(job *j, stream *s)
{
    const int at = s->posted % DEPTH;

    if (s->root == fedrdma_comm_rank(s->pair)) {
        s->last = s->next_bytes == END && s->last < 0 ? s->posted : s->last;
        j->buffer[at][0] = s->next_bytes;
    }
    s->posted++;
    return fedrdma_ibroadcast(j->buffer[at], s->bytes[at], FEDRDMA_U8, s->root, s->pair, &s->request[at]);
}

/* Posts what may be on its way beside what is, and waits for the oldest. */
static int turn(job *j, stream *s)
{
    const int at = s->done % DEPTH;
    int rc = FEDRDMA_OK;

    while (rc == FEDRDMA_OK && s->posted < s->done + DEPTH && (s->last < 0 || s->posted < s->last + DEPTH))
        rc = post(j, s);
    if (rc == FEDRDMA_OK)
        rc = fedrdma_wait(&s->request[at], NULL);
    if (rc != FEDRDMA_OK)
        return rc;
    const uint64_t next_bytes = j->buffer[at][0];
    if (next_bytes < sizeof(next_bytes) || next_bytes > MOST) /* also what no sender says */
        s->last = s->last < 0 ? s->done : s->last;
    else
        s->bytes[at] = next_bytes;
    s->done++;
    return FEDRDMA_OK;
}

static int take_stream(job *j, fedrdma_comm *pair, int root)
{
    stream s = open_stream(pair, root);
    int rc = FEDRDMA_OK;

    while (rc == FEDRDMA_OK && streams_on(&s))
        rc = turn(j, &s);
    return rc;
}

/* Adds what the transport has seen since `*from`, where it keeps count; else what went in that time. */
static void add(const job *j, int gateway, const frd_net_sight *from, uint64_t sent_bps, frd_matrix_row *row)
{
    const uint64_t best_bps = row->rate_bps, best_ns = row->rtt_ns;
    frd_net_sight now = *from;
    frd_matrix_row seen;

    if (!frd_matrix_look(j->comm, gateway, &now, &seen)) {
        row->rate_bps = sent_bps;
        return;
    }
    *row = seen;
    row->rate_bps = seen.rate_bps > best_bps ? seen.rate_bps : best_bps;
    row->rtt_ns = seen.rtt_ns < best_ns ? seen.rtt_ns : best_ns; /* it may have a queue in it */
}

/* Enough for what the link holds to quadruple, or for some milliseconds. */
static uint64_t suitable_bytes(uint64_t bps, uint64_t rtt_ns)
{
    const double ns = 4.0 * (double)rtt_ns > 1e7 ? 4.0 * (double)rtt_ns : 1e7;
    const double bytes = (double)bps / 8 * ns / 1e9 / DEPTH;

    return bytes < LEAST ? LEAST : bytes > MOST ? MOST : (uint64_t)bytes;
}

/* `row` has the round trip. */
static int send_stream(job *j, fedrdma_comm *pair, int to, frd_matrix_row *row)
{
    const uint64_t least_ns = RTTS * row->rtt_ns > TIME_NS ? RTTS * row->rtt_ns : TIME_NS;
    const uint64_t all_ns = j->what->time_ns > 0 ? j->what->time_ns : least_ns, start_ns = frd_now_ns();
    const int gateway = frd_matrix_gateway(j->comm, to);
    stream s = open_stream(pair, fedrdma_comm_rank(pair));
    frd_net_sight before = { .rtt_ns = 0 };
    frd_matrix_row unused, sofar = *row;
    uint64_t from_ns = start_ns, bytes = 0, now_ns = start_ns;
    bool warm = false;
    int rc = FEDRDMA_OK;

    while (rc == FEDRDMA_OK && streams_on(&s)) {
        if (!warm && now_ns - start_ns >= all_ns / 3 * 2) {
            warm = true;
            from_ns = now_ns;
            bytes = 0;
            sofar = *row;
            (void)frd_matrix_look(j->comm, gateway, &before, &unused);
        }
        s.next_bytes =
            warm && now_ns - start_ns >= all_ns ? END : suitable_bytes(sofar.rate_bps, row->rtt_ns);
        bytes += s.bytes[s.done % DEPTH];
        rc = turn(j, &s);
        now_ns = frd_now_ns();
        add(j, gateway, &before, (uint64_t)((double)bytes * 8e9 / (double)(now_ns - from_ns + 1)), &sofar);
    }
    *row = sofar;
    return rc;
}

static int measure_rtt(fedrdma_comm *pair, uint64_t *rtt_ns)
{
    uint64_t word = 0;
    int rc = FEDRDMA_OK;

    *rtt_ns = UINT64_MAX;
    for (int i = 0; i < PINGS && rc == FEDRDMA_OK; i++) {
        const uint64_t start_ns = frd_now_ns();

        rc = fedrdma_broadcast(&word, 1, FEDRDMA_U64, 0, pair);
        if (rc == FEDRDMA_OK)
            rc = fedrdma_broadcast(&word, 1, FEDRDMA_U64, 1, pair);
        const uint64_t took_ns = frd_now_ns() - start_ns;
        *rtt_ns = took_ns < *rtt_ns && fedrdma_comm_rank(pair) == 0 ? took_ns : *rtt_ns;
    }
    return rc == FEDRDMA_OK ? fedrdma_broadcast(rtt_ns, 1, FEDRDMA_U64, 0, pair) : rc;
}

static int measure_pair(job *j, fedrdma_comm *pair, int to)
{
    frd_matrix_row *const row = &j->row[to];
    int rc;

    *row = (frd_matrix_row){ .rate_bps = 0 };
    rc = measure_rtt(pair, &row->rtt_ns);
    for (int root = 0; root < 2 && rc == FEDRDMA_OK; root++)
        rc = root == fedrdma_comm_rank(pair) ? send_stream(j, pair, to, row) : take_stream(j, pair, root);
    return rc;
}

static int measure(job *j)
{
    int rc = FEDRDMA_OK;

    for (int k = 0; k < rounds(j->silos) && rc == FEDRDMA_OK; k++) {
        if (j->pair[k] != NULL) {
            rc = measure_pair(j, j->pair[k], partner(j->silos, j->silo, k));
            if (rc != FEDRDMA_OK)
                fprintf(stderr, "fedrdma-info: %s\n", fedrdma_last_error(j->pair[k]));
        }
        if (rc == FEDRDMA_OK)
            rc = complain(j, fedrdma_barrier(j->world)); /* the next round's lines are free */
    }
    return rc == FEDRDMA_OK ? complain(j, frd_matrix_share(j->world, j->row, j->links)) : rc;
}

/* ---- what it looks like ---- */

static const char *now_text(char text[32])
{
    const time_t now = time(NULL);
    struct tm parts;

    if (localtime_r(&now, &parts) == NULL || strftime(text, 32, "%H:%M:%S", &parts) == 0)
        text[0] = '\0';
    return text;
}

/* A line for each link, for programs and logs. */
static void print_lines(const job *j)
{
    char when[32], rate[FRD_FACT_MAX], rtt[FRD_FACT_MAX], loss[FRD_FACT_MAX], route[300];

    (void)now_text(when);
    for (int i = 0; i < j->silos * j->silos; i++) {
        const int from = i / j->silos, to = i % j->silos;
        const frd_link *const l = from == to ? NULL : frd_links_get(j->links, from, to);

        if (l == NULL)
            continue;
        frd_rate_text(l->measured.rate_bps, rate);
        frd_rtt_text(l->measured.rtt_ns, rtt);
        frd_loss_text(l->measured.loss_ppm, loss);
        frd_links_route_text(j->links, j->name, from, to, route, sizeof route);
        printf("%s  %s -> %s  rate %s  rtt %s  loss %s  %s\n", when, j->name[from], j->name[to], rate, rtt,
               l->measured.loss_ppm == 0 ? "0%" : loss, route);
    }
}

static int show(const job *j, int turn)
{
    char when[32];

    if (fedrdma_comm_rank(j->world) != 0)
        return FEDRDMA_OK;
    if (j->what->watch && !isatty(STDOUT_FILENO)) {
        print_lines(j);
    } else {
        if (j->what->watch)
            printf("\033[H\033[J%s  table %d; Ctrl-C ends\n\n", now_text(when), turn + 1);
        frd_links_print(j->links, j->name, stdout);
    }
    return fflush(stdout) == 0 ? FEDRDMA_OK : FEDRDMA_ERR_SYSTEM;
}

/* ---- the job ---- */

static int make_pairs(job *j)
{
    int rc = FEDRDMA_OK;

    for (int k = 0; k < rounds(j->silos) && rc == FEDRDMA_OK; k++) {
        const int other = partner(j->silos, j->silo, k), low = other < j->silo ? other : j->silo;

        rc = fedrdma_comm_split(j->world, j->speaks && other >= 0 ? low : FEDRDMA_UNDEFINED, j->silo,
                                &j->pair[k]);
    }
    return complain(j, rc);
}

static int prepare(job *j)
{
    int rc = FEDRDMA_OK;
    bool room = true;

    j->world = fedrdma_world(j->context);
    j->comm = frd_comm_of(j->world, "links", &rc);
    j->silos = fedrdma_comm_nsilos(j->world);
    j->silo = fedrdma_comm_silo(j->world, fedrdma_comm_rank(j->world));
    if (j->silos < 2 || j->silos > FRD_LINKS_MAX) {
        if (fedrdma_comm_rank(j->world) == 0)
            fprintf(stderr,
                    "fedrdma-info: --links needs a job of 2 to %d silos, of which it is every rank, and this "
                    "one has "
                    "%d; e.g. fedrdma-run -n 2 --silos 2 --no-prefix fedrdma-info --links\n",
                    FRD_LINKS_MAX, j->silos);
        return FEDRDMA_ERR_INVALID;
    }
    for (int i = 0; i < j->silos; i++)
        j->name[i] = fedrdma_comm_silo_name(j->world, i);
    j->speaks = frd_matrix_gateway(j->comm, j->silo) == fedrdma_comm_rank(j->world);
    j->pair = frd_calloc((size_t)rounds(j->silos), sizeof(*j->pair));
    j->row = frd_calloc((size_t)j->silos, sizeof(*j->row));
    for (int i = 0; i < DEPTH; i++) {
        j->buffer[i] = frd_calloc(j->speaks ? MOST : LEAST, 1);
        room = room && j->buffer[i] != NULL;
    }
    if (j->pair == NULL || j->row == NULL || !room || frd_matrix_create(j->comm, &j->links) != FEDRDMA_OK) {
        fprintf(stderr, "fedrdma-info: out of memory\n");
        return FEDRDMA_ERR_NOMEM;
    }
    return make_pairs(j);
}

/* Until the next table is due; by the first rank's clock, for whom the others wait at the next barrier. */
static void wait_until(uint64_t due_ns)
{
    const uint64_t now_ns = frd_now_ns(), left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    const struct timespec left = { .tv_sec = (time_t)(left_ns / FRD_NS_PER_S),
                                   .tv_nsec = (long)(left_ns % FRD_NS_PER_S) };

    (void)nanosleep(&left, NULL);
}

int info_links_run(const info_links *what)
{
    job j = { .what = what };
    int rc = complain(&j, fedrdma_init(NULL, &j.context));

    if (rc == FEDRDMA_OK)
        rc = prepare(&j);
    for (int turn = 0;
         rc == FEDRDMA_OK && (turn == 0 || (what->watch && (what->count == 0 || turn < what->count)));
         turn++) {
        const uint64_t start_ns = frd_now_ns();

        rc = measure(&j);
        if (rc == FEDRDMA_OK)
            rc = show(&j, turn);
        if (rc == FEDRDMA_OK && what->watch && turn + 1 != what->count) {
            wait_until(start_ns + what->every_ns);
            rc = complain(&j, fedrdma_barrier(j.world));
        }
    }
    for (int k = 0; j.pair != NULL && k < rounds(j.silos); k++) {
        if (j.pair[k] != NULL)
            (void)fedrdma_comm_free(&j.pair[k]);
    }
    frd_links_destroy(j.links);
    frd_free(j.pair);
    frd_free(j.row);
    for (int i = 0; i < DEPTH; i++)
        frd_free(j.buffer[i]);
    if (j.context != NULL)
        (void)fedrdma_finalize(&j.context);
    return rc == FEDRDMA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
