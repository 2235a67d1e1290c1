/* SPDX-License-Identifier: BSD-3-Clause
 * fedrdma-run.c - starts the ranks of a job on this host, holds their rendezvous, and stays until all have
 * ended: hands on their output and the user's signals, and ends the rest when one fails or time is up.
 *
 * How a job ends: first what is wrong is reported, then the ranks have a while (--grace) to end by
 * themselves, since they know more of it and should say so; then SIGTERM, and a little later SIGKILL. If this
 * process is killed, the kernel kills the ranks (PR_SET_PDEATHSIG).
 *
 * One thread polls; the rendezvous has its own. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/ranges.h"
#include "boot/store.h"
#include "run_options.h"
#include "run_ranks.h"
#include "run_say.h"

#define TERM_NS (2 * FRD_NS_PER_S)  /* from SIGTERM to SIGKILL */
#define DRAIN_NS (1 * FRD_NS_PER_S) /* for output that is held open behind the last rank's end */
#define NEVER_NS UINT64_MAX
#define RANKS_TEXT_MAX 128

enum { STATUS_USAGE = 2, STATUS_TIMEOUT = 124, STATUS_OUTPUT = 128 + SIGPIPE };

enum phase {
    RUNNING,
    GRACE,  /* the ranks may end by themselves */
    ENDING, /* they were told to */
    KILLED  /* they had no choice */
};

typedef struct launch {
    run_options options;
    run_places places;
    run_job job;
    frd_store *store;
    int signals; /* a signalfd */
    enum phase phase;
    uint64_t phase_end_ns, timeout_end_ns;
    int failed;      /* the first rank that failed by itself; -1: none */
    int status;      /* why the launcher itself ends the job: 124, 128 + signal; 0: it doesn't */
    int interrupted; /* the last signal that was passed on to end the job; 0: none */
    bool deaf;       /* nobody reads our output any more */
} launch;

void run_say(const char *format, ...)
{
    char text[1024] = "fedrdma-run: ";
    const size_t used = strlen(text);
    va_list args;
    size_t len;

    va_start(args, format);
    vsnprintf(text + used, sizeof text - used - 1, format, args);
    va_end(args);
    len = strlen(text);
    text[len] = '\n';
    (void)!write(STDERR_FILENO, text, len + 1);
}

/* ---- what to do with the ranks ---- */

static bool is_running(const void *arg, int rank)
{
    return ((const launch *)arg)->job.ranks[rank].running;
}

/* "rank 3 is", "ranks 0, 2 are"; returns how many. */
static int still_running(const launch *l, char text[RANKS_TEXT_MAX])
{
    char ranks[RANKS_TEXT_MAX - 16];
    const int n = frd_ranges_text(ranks, sizeof ranks, l->options.ranks, is_running, l);

    snprintf(text, RANKS_TEXT_MAX, "rank%s %s", n == 1 ? "" : "s", ranks);
    return n;
}

static void enter(launch *l, enum phase phase, uint64_t for_ns)
{
    l->phase = phase;
    l->phase_end_ns = for_ns == NEVER_NS ? NEVER_NS : frd_now_ns() + for_ns;
}

static void kill_all(launch *l)
{
    run_ranks_signal(&l->job, SIGKILL);
    run_ranks_signal(&l->job, SIGCONT);
    enter(l, KILLED, NEVER_NS);
}

/* SIGCONT lets a stopped rank see the other signal. */
static void end_all(launch *l, int sig, uint64_t for_ns)
{
    run_ranks_signal(&l->job, sig);
    run_ranks_signal(&l->job, SIGCONT);
    enter(l, ENDING, for_ns);
}

static void on_phase_end(launch *l)
{
    char ranks[RANKS_TEXT_MAX];
    const int n = still_running(l, ranks);

    if (l->phase == GRACE) {
        run_say("%s still run%s; ending %s", ranks, n == 1 ? "s" : "", n == 1 ? "it" : "them");
        end_all(l, SIGTERM, TERM_NS);
    } else {
        run_say("%s did not end; killing %s", ranks, n == 1 ? "it" : "them");
        kill_all(l);
    }
}

static void on_timeout(launch *l)
{
    char ranks[RANKS_TEXT_MAX];
    const int n = still_running(l, ranks);

    l->timeout_end_ns = NEVER_NS;
    if (l->status == 0)
        l->status = STATUS_TIMEOUT;
    run_say("timeout after %g s: %s %s still running", (double)l->options.timeout_ns / (double)FRD_NS_PER_S,
            ranks, n == 1 ? "was" : "were");
    if (l->phase < ENDING)
        end_all(l, SIGTERM, TERM_NS);
}

static void on_signal(launch *l, int sig)
{
    if (sig == SIGCHLD)
        return; /* looked at after every wake-up */
    if (sig == SIGUSR1 || sig == SIGUSR2) {
        run_ranks_signal(&l->job, sig);
        return;
    }
    if (l->interrupted != 0) {
        run_say("%s again: killing all ranks", strsignal(sig));
        kill_all(l);
        return;
    }
    run_say("%s: passed on to all ranks", strsignal(sig));
    l->interrupted = sig;
    end_all(l, sig, l->options.grace_ns);
}

static void on_ended(launch *l, int rank)
{
    const run_rank *r = &l->job.ranks[rank];
    char fate[96], silo[RUN_NAME_MAX], place[RUN_NAME_MAX + 2] = "";

    /* After a failure or a signal the rest is expected to fail in turn. */
    if (r->code == 0 || l->failed >= 0 || l->phase >= ENDING)
        return;
    l->failed = rank;
    run_rank_fate(r, fate);
    if (l->options.silos > 0) {
        run_silo_name(&l->places, rank, silo);
        snprintf(place, sizeof place, "%s, ", silo);
    }
    run_say("rank %d (%sprocess %d) %s", rank, place, (int)r->pid, fate);
    enter(l, GRACE, l->options.grace_ns);
}

/* ---- the loop ---- */

static int count_running(const launch *l)
{
    int n = 0;

    for (int rank = 0; rank < l->options.ranks; rank++)
        n += l->job.ranks[rank].running;
    return n;
}

static run_output *output_at(const launch *l, int i)
{
    return i % 2 == 0 ? &l->job.ranks[i / 2].out : &l->job.ranks[i / 2].err;
}

static void pump(launch *l, run_output *output)
{
    if (run_output_pump(output) || l->deaf)
        return;
    /* As a pipeline ends whose reader has gone; what ranks still say is read and lost. */
    l->deaf = true;
    l->status = l->status == 0 ? STATUS_OUTPUT : l->status;
    if (l->phase < ENDING)
        end_all(l, SIGTERM, TERM_NS);
}

/* Milliseconds to the nearer of the deadlines, -1 for none. */
static int wait_ms(uint64_t a, uint64_t b)
{
    const uint64_t until = a < b ? a : b, now = frd_now_ns();

    if (until == NEVER_NS)
        return -1;
    if (until <= now)
        return 0;
    return until - now > 3600 * FRD_NS_PER_S ? 3600000 : (int)((until - now) / FRD_NS_PER_MS) + 1;
}

static bool any_output(const launch *l)
{
    for (int i = 0; i < 2 * l->options.ranks; i++)
        if (output_at(l, i)->from >= 0)
            return true;
    return false;
}

/* Waits for output, a signal or a deadline; handles the first two. */
static void turn(launch *l, struct pollfd *polled, uint64_t until_ns)
{
    const int n = 2 * l->options.ranks;
    struct signalfd_siginfo info;

    polled[n] = (struct pollfd){ .fd = l->signals, .events = POLLIN };
    for (int i = 0; i < n; i++)
        polled[i] = (struct pollfd){ .fd = output_at(l, i)->from, .events = POLLIN };
    if (poll(polled, (nfds_t)n + 1, wait_ms(until_ns, l->timeout_end_ns)) <= 0)
        return;
    for (int i = 0; i < n; i++)
        if (polled[i].fd >= 0 && polled[i].revents != 0)
            pump(l, output_at(l, i));
    while (read(l->signals, &info, sizeof info) == (ssize_t)sizeof info)
        on_signal(l, (int)info.ssi_signo);
}

static void supervise(launch *l, struct pollfd *polled)
{
    uint64_t drained_ns;
    int rank;

    while (count_running(l) > 0) {
        turn(l, polled, l->phase_end_ns);
        while ((rank = run_ranks_ended(&l->job)) >= 0)
            on_ended(l, rank);
        if (count_running(l) > 0 && frd_now_ns() >= l->phase_end_ns)
            on_phase_end(l);
        if (count_running(l) > 0 && frd_now_ns() >= l->timeout_end_ns)
            on_timeout(l);
    }
    /* Processes that a rank left behind may still write, or only hold the pipes open. */
    l->timeout_end_ns = NEVER_NS;
    drained_ns = frd_now_ns() + DRAIN_NS;
    while (any_output(l) && frd_now_ns() < drained_ns)
        turn(l, polled, drained_ns);
}

/* ---- setting up and down ---- */

static void say_log(int level, const char *message, void *arg)
{
    (void)level;
    (void)arg;
    run_say("%s", message);
}

static const frd_log warnings = { .level = FEDRDMA_LOG_WARN + 1, .rank = -1, .fn = say_log };

/* FEDRDMA_* as every rank will see them: mistakes are told once, by us, and not only by ranks that look. */
static int check_environment(launch *l)
{
    const run_options *const options = &l->options;
    frd_story story = { .text = "" };
    frd_conf conf = { 0 };
    int rc = FEDRDMA_OK;

    for (size_t i = 0; options->env[i] != NULL && rc == FEDRDMA_OK; i++)
        rc = putenv((char *)(uintptr_t)options->env[i]) == 0 ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
    if (rc == FEDRDMA_OK)
        rc = frd_conf_init(&conf, &story);
    if (rc == FEDRDMA_OK)
        rc = frd_conf_environment(&conf, &warnings, &story);
    if (rc < 0)
        run_say("%s", story.text[0] != '\0' ? story.text : frd_strerror(rc));
    else if (!run_places_open(&l->places, options, conf.topology))
        rc = FEDRDMA_ERR_INVALID;
    frd_conf_free(&conf);
    return rc;
}

/* Only the ranks' own patience (connect_timeout) counts: the store's would be a second one to set. */
static int start_store(launch *l)
{
    const frd_store_params params = {
        .host = "127.0.0.1", .size = l->options.ranks, .job = l->job.name, .timeout_ns = INT64_MAX
    };
    frd_story story = { .text = "" };
    const int rc = frd_store_start(&params, &warnings, &story, &l->store);

    if (rc < 0)
        run_say("%s", story.text);
    else
        snprintf(l->job.rendezvous, sizeof l->job.rendezvous, "127.0.0.1:%u", frd_store_port(l->store));
    return rc;
}

/* A signal that our parent made us ignore (nohup) stays ignored; blocked, it would come all the same. */
static bool is_ignored(int sig)
{
    struct sigaction action;

    return sig != SIGCHLD && sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Blocks what the signalfd is to get, and lets us have two descriptors for every rank. */
static int take_signals(launch *l)
{
    static const int wanted[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
    struct rlimit files;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!is_ignored(wanted[i]))
            sigaddset(&set, wanted[i]);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored by our parent, it would make zombies vanish */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, &l->job.signals);
    if (getrlimit(RLIMIT_NOFILE, &l->job.files) == 0) {
        files = l->job.files;
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signals < 0)
        run_say("no signalfd: %s", strerror(errno));
    return l->signals < 0 ? -1 : 0;
}

static int start_ranks(launch *l)
{
    for (int rank = 0; rank < l->options.ranks; rank++) {
        const int status = run_ranks_start(&l->job, rank);

        if (status != 0)
            return status;
    }
    return 0;
}

/* The exit status of a job that ran. */
static int outcome(const launch *l)
{
    if (l->failed >= 0)
        return l->job.ranks[l->failed].code;
    if (l->status != 0)
        return l->status;
    for (int rank = 0; rank < l->options.ranks; rank++)
        if (l->job.ranks[rank].code != 0)
            return l->job.ranks[rank].sig == SIGKILL && l->interrupted != 0 ? 128 + l->interrupted
                                                                            : l->job.ranks[rank].code;
    return 0;
}

static int run(launch *l)
{
    struct pollfd *polled = frd_calloc(2 * (size_t)l->options.ranks + 1, sizeof *polled);
    int status;

    for (int rank = 0; rank < l->options.ranks; rank++)
        l->job.ranks[rank].out.from = l->job.ranks[rank].err.from = -1;
    l->phase_end_ns = l->timeout_end_ns = NEVER_NS;
    if (l->options.timeout_ns != 0)
        l->timeout_end_ns = frd_now_ns() + l->options.timeout_ns;
    l->failed = -1;
    status = polled == NULL ? 1 : start_ranks(l);
    if (status == 0) {
        supervise(l, polled);
        status = outcome(l);
    }
    run_ranks_reap(&l->job);
    for (int i = 0; i < 2 * l->options.ranks; i++)
        (void)run_output_end(output_at(l, i));
    frd_free(polled);
    return status;
}

int main(int argc, char **argv)
{
    launch l = { .signals = -1 };
    run_parsed parsed = run_options_parse(&l.options, argc, argv);
    int status = parsed == RUN_DONE ? EXIT_SUCCESS : STATUS_USAGE;

    if (parsed == RUN_GO && check_environment(&l) == FEDRDMA_OK) {
        l.job.options = &l.options;
        l.job.places = &l.places;
        snprintf(l.job.name, sizeof l.job.name, "run-%d-%llx", (int)getpid(),
                 (unsigned long long)frd_now_ns());
        l.job.ranks = frd_calloc((size_t)l.options.ranks, sizeof *l.job.ranks);
        if (l.job.ranks == NULL)
            run_say("out of memory");
        else if (take_signals(&l) == 0 && start_store(&l) == FEDRDMA_OK)
            status = run(&l);
        frd_store_stop(l.store);
        frd_free(l.job.ranks);
    }
    run_places_close(&l.places);
    run_options_free(&l.options);
    if (fflush(stdout) != 0) /* help and version */
        status = EXIT_FAILURE;
    return status;
}
