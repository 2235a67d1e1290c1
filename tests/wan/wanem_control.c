/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_control.c - the control socket, and the commands that are not about links and silos: stat, health,
 * zero, at.
 */
#include "tests/wan/wanem_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/wan/wanem_command.h"
#include "tests/wan/wanem_report.h"
#include "tests/wan/wanem_value.h"

enum { REPLY_DEADLINE_S = 5 };

static int complain(const char *what, const char *path)
{
    fprintf(stderr, "wanem: %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

/* A socket with an address of its own. */
static int bound_socket(const char *path, int flags)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int bytes = 2 * WANEM_REPLY_BYTES;
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return complain("can't open", path);
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return complain("can't open", path);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        complain("can't open", path);
        close(fd);
        return -1;
    }
    return fd;
}

int wanem_control_open(wanem_control *c, const char *path)
{
    *c = (wanem_control){ .path = path };
    c->fd = bound_socket(path, SOCK_NONBLOCK);
    c->later = calloc(WANEM_SCHEDULED, sizeof *c->later);
    return c->fd < 0 || c->later == NULL ? -1 : 0;
}

void wanem_control_close(wanem_control *c)
{
    while (c->count > 0)
        free(c->later[--c->count].line);
    free(c->later);
    if (c->fd >= 0) {
        close(c->fd);
        (void)unlink(c->path);
    }
}

/* ---- at ---------------------------------------------------------------------------------------------------
 */

/* "at TIME COMMAND": the time counts from now. Seconds without a unit. */
static bool schedule(wanem_control *c, wanem_net *net, const char *rest, int64_t now_ns, char *story)
{
    char when[32], seconds[40];
    int used = 0, at;
    double ns;

    if (sscanf(rest, " %30s %n", when, &used) != 1 || rest[used] == '\0') {
        snprintf(story, WANEM_STORY_BYTES, "at needs a time and a command, such as at 2.0 link a b down");
        return false;
    }
    snprintf(seconds, sizeof seconds, "%ss", when);
    if (wanem_value_time(seconds, &ns) != NULL && wanem_value_time(when, &ns) != NULL) {
        snprintf(story, WANEM_STORY_BYTES, "at \"%s\" should be seconds, or a time with a unit such as 500ms",
                 when);
        return false;
    }
    if (!wanem_command(net, rest + used, WANEM_TRY, story))
        return false;
    if (c->count == WANEM_SCHEDULED) {
        snprintf(story, WANEM_STORY_BYTES, "more than %d commands are scheduled", WANEM_SCHEDULED);
        return false;
    }
    for (at = c->count; at > 0 && c->later[at - 1].at_ns <= now_ns + (int64_t)ns; at--)
        c->later[at] = c->later[at - 1];
    c->later[at] = (wanem_scheduled){ .at_ns = now_ns + (int64_t)ns, .line = strdup(rest + used) };
    c->count++;
    return true;
}

int64_t wanem_control_next_ns(const wanem_control *c)
{
    return c->count > 0 ? c->later[c->count - 1].at_ns : INT64_MAX;
}

void wanem_control_due(wanem_control *c, wanem_net *net, int64_t now_ns)
{
    char story[WANEM_STORY_BYTES];

    while (wanem_control_next_ns(c) <= now_ns) {
        char *line = c->later[--c->count].line;

        if (line == NULL || !wanem_command(net, line, WANEM_CHANGE, story))
            fprintf(stderr, "wanem: scheduled \"%s\": %s\n", line == NULL ? "" : line, story);
        free(line);
    }
}

/* ---- commands ---------------------------------------------------------------------------------------------
 */

static size_t reply_to(wanem_control *c, wanem_net *net, const char *line, int64_t now_ns, char *reply)
{
    char story[WANEM_STORY_BYTES];
    bool good;

    if (strcmp(line, "stat") == 0)
        return wanem_report_counts(net, reply, WANEM_REPLY_BYTES);
    if (strcmp(line, "health") == 0)
        return wanem_report_health(net, reply, WANEM_REPLY_BYTES);
    if (strcmp(line, "zero") == 0) {
        wanem_net_zero(net);
        good = true;
    } else if (strcmp(line, "forget") == 0) { /* what was scheduled */
        while (c->count > 0)
            free(c->later[--c->count].line);
        good = true;
    } else if (strncmp(line, "at ", 3) == 0) {
        good = schedule(c, net, line + 3, now_ns, story);
    } else {
        good = wanem_command(net, line, WANEM_CHANGE, story);
    }
    return (size_t)snprintf(reply, WANEM_REPLY_BYTES, good ? "ok\n" : "error: %s\n", story);
}

void wanem_control_answer(wanem_control *c, wanem_net *net, int64_t now_ns)
{
    static char reply[WANEM_REPLY_BYTES];
    char line[WANEM_COMMAND_BYTES + 64];
    struct sockaddr_un from;
    socklen_t bytes = sizeof from;
    const ssize_t n = recvfrom(c->fd, line, sizeof line - 1, 0, (struct sockaddr *)&from, &bytes);

    if (n < 0)
        return;
    line[n] = '\0';
    (void)sendto(c->fd, reply, reply_to(c, net, line, now_ns, reply), 0, (const struct sockaddr *)&from,
                 bytes);
}

/* ---- the other side ---------------------------------------------------------------------------------------
 */

static ssize_t exchange(int fd, const char *path, const char *line, char *reply)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    const struct timeval deadline = { .tv_sec = REPLY_DEADLINE_S };

    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    if (sendto(fd, line, strlen(line), 0, (const struct sockaddr *)&to, sizeof to) < 0)
        return complain("can't reach the emulator at", path);
    const ssize_t n = recv(fd, reply, WANEM_REPLY_BYTES - 1, 0);
    return n < 0 ? complain("no answer from the emulator at", path) : n;
}

/* One command. The status that wanem_control_ask returns; `where` is put before an error. */
static int ask(int fd, const char *path, const char *line, const char *where)
{
    static char reply[WANEM_REPLY_BYTES];
    const ssize_t n = exchange(fd, path, line, reply);

    if (n < 0)
        return 2;
    reply[n] = '\0';
    if (strncmp(reply, "error: ", 7) == 0) {
        fprintf(stderr, "wanem: %s%s", where, reply + 7);
        return 1;
    }
    fputs(reply, stdout);
    return strncmp(reply, "void", 4) == 0 ? 3 : 0;
}

/* A command a line; the first that goes wrong is the last. */
static int ask_lines(int fd, const char *path)
{
    char *line = NULL, where[WANEM_COMMAND_BYTES + 32];
    size_t room = 0;
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = getline(&line, &room, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        snprintf(where, sizeof where, "\"%s\": ", line);
        rc = ask(fd, path, line, where);
    }
    free(line);
    return rc;
}

int wanem_control_ask(const char *path, const char *line)
{
    char own[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int fd, rc;

    snprintf(own, sizeof own, "%s.%d", path, (int)getpid());
    fd = bound_socket(own, 0);
    if (fd < 0)
        return 2;
    rc = strcmp(line, "-") == 0 ? ask_lines(fd, path) : ask(fd, path, line, "");
    close(fd);
    (void)unlink(own);
    return rc;
}
