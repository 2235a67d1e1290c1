/* SPDX-License-Identifier: BSD-3-Clause
 * run_ranks.c - fork, exec and wait. Between fork and exec the child only makes system calls and sets
 * variables: the launcher's other thread (the rendezvous) may hold any lock at that moment, so the
 * environment is built by the parent. */
#include "run_ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "run_say.h"

/* ---- environment ---- */

/* Adds or replaces NAME=value; `environment` has room. The texts live in the arena or in argv. */
static void put(const char **environment, const char *setting)
{
    const size_t name = strcspn(setting, "=") + 1;

    while (*environment != NULL && strncmp(*environment, setting, name) != 0)
        environment++;
    if (*environment == NULL)
        environment[1] = NULL;
    *environment = setting;
}

static const char *setting(frd_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *setting(frd_arena *arena, const char *format, ...)
{
    char text[512], *copy;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    copy = frd_arena_alloc(arena, strlen(text) + 1);
    return copy == NULL ? NULL : strcpy(copy, text);
}

/* A rank's own variables; NULL for those that it doesn't get. */
enum { OWN_VARIABLES = 7 };

static bool own_settings(const run_job *job, int rank, frd_arena *arena, const char *own[OWN_VARIABLES])
{
    const run_options *o = job->options;
    int n = 0;

    own[n++] = setting(arena, "FEDRDMA_RANK=%d", rank);
    own[n++] = setting(arena, "FEDRDMA_SIZE=%d", o->ranks);
    own[n++] = setting(arena, "FEDRDMA_RENDEZVOUS=%s", job->rendezvous);
    own[n++] = "FEDRDMA_RENDEZVOUS_SERVER=launcher";
    own[n++] = setting(arena, "FEDRDMA_JOB=%s", job->name);
    if (o->silos > 0) {
        char name[RUN_NAME_MAX];

        run_silo_name(job->places, rank, name);
        own[n++] = setting(arena, "FEDRDMA_SILO=%s", name);
        run_node_name(job->places, rank, name);
        own[n++] = setting(arena, "FEDRDMA_NODE=%s", name);
    }
    for (int i = 0; i < n; i++)
        if (own[i] == NULL)
            return false;
    while (n < OWN_VARIABLES)
        own[n++] = NULL;
    return true;
}

/* Ours, then the rank's own, then --env. NULL: out of memory. */
static const char **environment_of(const run_job *job, int rank, frd_arena *arena)
{
    const char *own[OWN_VARIABLES];
    const char **all;
    size_t n = 0, extra = 0;

    while (environ[n] != NULL)
        n++;
    while (job->options->env[extra] != NULL)
        extra++;
    all = frd_arena_alloc(arena, (n + extra + OWN_VARIABLES + 1) * sizeof *all);
    if (all == NULL || !own_settings(job, rank, arena, own))
        return NULL;
    memcpy(all, environ, n * sizeof *all);
    for (int i = 0; i < OWN_VARIABLES; i++)
        if (own[i] != NULL)
            put(all, own[i]);
    for (size_t i = 0; i < extra; i++)
        put(all, job->options->env[i]);
    return all;
}

/* ---- starting ---- */

typedef struct child {
    int in, out, err; /* descriptors to become 0, 1, 2; -1: inherited */
    int trouble;      /* to tell errno to the parent; closes when exec works */
    pid_t parent;
    int rank;
    const char **environment;
} child;

/* Ranks that wait for each other give their cores away all the time, and the kernel then leaves several on one core
 * though another is idle: 4 ranks on 2 cores took up to three times as long. So they take the cores in turns. */
static void bind_to_core(const run_options *options, int rank)
{
    cpu_set_t allowed, one;
    int cores, nth;

    if (options->bind == RUN_BIND_NEVER || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    cores = CPU_COUNT(&allowed);
    if (cores == 0 || (options->bind == RUN_BIND_AUTO && options->ranks <= cores))
        return;
    nth = rank % cores;
    CPU_ZERO(&one);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &allowed) && nth-- == 0)
            CPU_SET(core, &one);
    }
    (void)sched_setaffinity(0, sizeof one, &one);
}

/* Only async-signal-safe calls. */
static void become(const run_job *job, const child *c)
{
    int error;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != c->parent) /* it died before the call above */
        _exit(128 + SIGKILL);
    (void)setpgid(0, 0);
    bind_to_core(job->options, c->rank);
    (void)setrlimit(RLIMIT_NOFILE, &job->files);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &job->signals, NULL);
    if ((c->in >= 0 && dup2(c->in, STDIN_FILENO) < 0) || (c->out >= 0 && dup2(c->out, STDOUT_FILENO) < 0) ||
        (c->err >= 0 && dup2(c->err, STDERR_FILENO) < 0))
        error = errno;
    else {
        execvpe(job->options->command[0], job->options->command, (char *const *)c->environment);
        error = errno;
    }
    (void)!write(c->trouble, &error, sizeof error);
    _exit(127);
}

/* A pipe for one stream; *end is the rank's, -1 where it keeps ours. */
static int open_stream(run_output *output, int to, bool inherit, int *end)
{
    int ends[2];

    output->from = -1;
    output->to = to;
    *end = -1;
    if (inherit)
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    output->from = ends[0];
    *end = ends[1];
    return 0;
}

static void name_streams(const run_job *job, int rank)
{
    const run_options *o = job->options;
    run_rank *r = &job->ranks[rank];

    if (o->prefix && o->tag) {
        char silo[RUN_NAME_MAX];

        run_silo_name(job->places, rank, silo);
        snprintf(r->out.prefix, sizeof r->out.prefix, "[%d %.*s] ", rank, (int)sizeof r->out.prefix - 16,
                 silo);
    } else if (o->prefix)
        snprintf(r->out.prefix, sizeof r->out.prefix, "[%d] ", rank);
    memcpy(r->err.prefix, r->out.prefix, sizeof r->err.prefix);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Rank 0 reads our input, but a terminal would stop it: its process group is not the terminal's. */
static int open_input(int rank)
{
    return rank == 0 && !isatty(STDIN_FILENO) ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int open_streams(run_job *job, int rank, child *c)
{
    const bool terminal = !job->options->prefix && rank == 0;
    run_rank *r = &job->ranks[rank];

    c->in = open_input(rank);
    if (open_stream(&r->out, STDOUT_FILENO, terminal && isatty(STDOUT_FILENO), &c->out) < 0 ||
        open_stream(&r->err, STDERR_FILENO, terminal && isatty(STDERR_FILENO), &c->err) < 0)
        return -1;
    name_streams(job, rank);
    return 0;
}

/* 0, or the exit status for what the child told. */
static int hear_trouble(const run_job *job, int rank, int from)
{
    const char *program = job->options->command[0];
    int error = 0;
    ssize_t n;

    do
        n = read(from, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof error)
        return 0;
    run_say("can't run %s as rank %d: %s%s", program, rank, strerror(error),
            error == ENOENT && strchr(program, '/') == NULL ? "; give its path, e.g. with ./ before it" : "");
    return error == ENOENT ? 127 : 126;
}

static pid_t spawn(const run_job *job, int rank, child *c, int *status)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    c->trouble = ends[1];
    c->parent = getpid();
    c->rank = rank;
    pid = fork();
    if (pid == 0)
        become(job, c);
    close(ends[1]);
    if (pid > 0) {
        (void)setpgid(pid, pid); /* whoever comes first: we may signal the group from now on */
        *status = hear_trouble(job, rank, ends[0]);
    }
    close(ends[0]);
    return pid;
}

int run_ranks_start(run_job *job, int rank)
{
    run_rank *r = &job->ranks[rank];
    child c = { .in = -1, .out = -1, .err = -1, .trouble = -1 };
    frd_arena arena = { 0 };
    int status = 0;
    pid_t pid = -1;

    c.environment = environment_of(job, rank, &arena);
    if (c.environment == NULL)
        errno = ENOMEM;
    else if (open_streams(job, rank, &c) == 0)
        pid = spawn(job, rank, &c, &status);
    if (pid < 0) {
        run_say("can't start rank %d: %s; start fewer, or raise the limits that `ulimit -a` shows", rank,
                strerror(errno));
        status = 126;
    } else {
        r->pid = pid;
        r->running = true;
    }
    close_if_open(c.in);
    close_if_open(c.out);
    close_if_open(c.err);
    frd_arena_free(&arena);
    return status;
}

/* ---- ends ---- */

/* Looks, but leaves the zombie. */
static bool has_ended(run_rank *r)
{
    siginfo_t info = { 0 };

    if (!r->running || waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return false;
    r->sig = info.si_code == CLD_EXITED ? 0 : info.si_status;
    r->code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    r->dumped = info.si_code == CLD_DUMPED;
    return true;
}

int run_ranks_ended(run_job *job)
{
    int found = -1;

    for (int rank = 0; rank < job->options->ranks; rank++) {
        run_rank *r = &job->ranks[rank];

        if (has_ended(r) && (found < 0 || (r->sig != 0 && job->ranks[found].sig == 0)))
            found = rank;
    }
    if (found >= 0)
        job->ranks[found].running = false;
    return found;
}

void run_ranks_signal(const run_job *job, int sig)
{
    for (int rank = 0; rank < job->options->ranks; rank++)
        if (job->ranks[rank].running)
            (void)kill(-job->ranks[rank].pid, sig);
}

void run_ranks_reap(run_job *job)
{
    for (int rank = 0; rank < job->options->ranks; rank++) {
        run_rank *r = &job->ranks[rank];

        if (r->pid == 0)
            continue;
        (void)kill(-r->pid, SIGKILL);
        while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        r->pid = 0;
    }
}

void run_rank_fate(const run_rank *rank, char text[96])
{
    if (rank->sig != 0)
        snprintf(text, 96, "was killed by signal %d (%s)%s", rank->sig, strsignal(rank->sig),
                 rank->dumped ? ", core dumped" : "");
    else
        snprintf(text, 96, "exited with status %d", rank->code);
}
