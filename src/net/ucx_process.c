/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_process.c - what UCX does to the whole process, kept away from it as far as UCX 1.12 and later let us.
 *
 * Log lines. UCX writes its warnings to standard output. Its log handlers are a process-wide stack without
 * names, so ours is pushed once and stays; it takes only what UCX says on a thread that is inside one of our
 * calls, and lets everything else pass: an MPI that uses UCX too keeps its lines. Lines of UCX's own
 * asynchronous thread, which serves all its users, pass as well; so do those below a warning, which come only
 * when somebody asked for them by UCX_LOG_LEVEL, and want to read them.
 *
 * Crash handlers. Loading libucs installs handlers for SIGILL, SIGSEGV, SIGBUS and SIGFPE that print a
 * backtrace. A library that promises no signal handlers must not bring those in, and a Java or Python process
 * that lives by its own SIGSEGV breaks on them. So they are taken out again when this library is loaded,
 * which is right after libucs is; nothing happens where somebody else's handler is in place, or UCX_HANDLE_ERRORS
 * was set to anything but its default.
 *
 * What cannot be kept away: UCX_* variables and a ucx.conf in the working directory are read by libucs itself,
 * and the first registration of memory with a real NIC puts hooks on munmap and its like. */
#include "net/ucx_parts.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucs/config/global_opts.h>
#include <ucs/debug/debug.h>
#include <ucs/debug/log_def.h>

/* The log of the call that this thread is in; NULL: it is in none. */
static _Thread_local const frd_log *current;
/* The first error in it: UCX's status codes seldom say what its lines do. */
static _Thread_local char heard[160];
static const frd_log silent;

static pthread_once_t pushed = PTHREAD_ONCE_INIT;

static ucs_log_func_rc_t on_line(const char *file, unsigned line, const char *function, ucs_log_level_t level,
                                 const ucs_log_component_config_t *component, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

static ucs_log_func_rc_t on_line(const char *file, unsigned line, const char *function, ucs_log_level_t level,
                                 const ucs_log_component_config_t *component, const char *format, va_list args)
{
    char text[FRD_STORY_MAX];

    (void)file, (void)line, (void)function, (void)component;
    if (current == NULL || level > UCS_LOG_LEVEL_WARN)
        return UCS_LOG_FUNC_RC_CONTINUE;
    if (vsnprintf(text, sizeof text, format, args) < 0)
        return UCS_LOG_FUNC_RC_STOP;
    if (level <= UCS_LOG_LEVEL_ERROR && heard[0] == '\0')
        snprintf(heard, sizeof heard, "%.*s", (int)sizeof heard - 1, text);
    /* What it means for the job, the caller finds out and reports itself: for us this is background. */
    if (current->level > FEDRDMA_LOG_INFO)
        frd_logf(current, FEDRDMA_LOG_INFO, "UCX: %s", text);
    return UCS_LOG_FUNC_RC_STOP;
}

static void push(void)
{
    ucs_log_push_handler(on_line);
}

const frd_log *frd_ucx_log_enter(const frd_log *log)
{
    const frd_log *outer = current;

    pthread_once(&pushed, push);
    if (outer == NULL)
        heard[0] = '\0';
    current = log != NULL ? log : &silent;
    return outer;
}

void frd_ucx_log_leave(const frd_log *outer)
{
    current = outer;
}

const char *frd_ucx_log_heard(void)
{
    return heard;
}

static bool is_ucx(void (*handler)(int, siginfo_t *, void *))
{
    Dl_info where;
    void *address;

    memcpy(&address, &handler, sizeof address);
    return address != NULL && dladdr(address, &where) != 0 && where.dli_fname != NULL &&
           strstr(where.dli_fname, "libucs.so") != NULL;
}

__attribute__((constructor)) static void remove_crash_handlers(void)
{
    static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE };
    char mode[16];

    if (ucs_global_opts_get_value("HANDLE_ERRORS", mode, sizeof mode) != UCS_OK || strcmp(mode, "bt") != 0)
        return;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction action;

        if (sigaction(signals[i], NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) != 0 &&
            is_ucx(action.sa_sigaction))
            ucs_debug_disable_signal(signals[i]);
    }
}
