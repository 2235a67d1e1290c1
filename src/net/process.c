/* SPDX-License-Identifier: BSD-3-Clause
 * process.c - identity of a process, read from /proc. A few file reads at start-up; nothing is kept. */
#include "net/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* At most room - 1 bytes of the file, as a string; "" when it cannot be read. */
static void read_text(const char *path, char *text, size_t room)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;

    if (fd >= 0) {
        got = read(fd, text, room - 1);
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
}

/* Field `number` of /proc/<pid>/stat into `text`; NULL when there is none. */
static const char *read_stat(int64_t pid, int number, char *text, size_t room)
{
    char path[64];
    const char *at;

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    read_text(path, text, room);
    /* The second field, the name, may hold blanks and parentheses: count from its end. */
    at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at, ' ');
        if (at != NULL)
            at++;
    }
    return at;
}

uint64_t frd_process_start(int64_t pid)
{
    char text[1024];
    const char *const at = read_stat(pid, 22, text, sizeof(text));

    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

bool frd_process_alive(int64_t pid, uint64_t start_ticks)
{
    char text[1024];
    const char *const state = read_stat(pid, 3, text, sizeof(text));

    return state != NULL && *state != 'Z' && *state != 'X' && frd_process_start(pid) == start_ticks;
}

#ifdef SYS_pidfd_open
int frd_process_watch(int64_t pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0); /* close-on-exec by definition */
}
#else
int frd_process_watch(int64_t pid)
{
    (void)pid;
    return -1;
}
#endif

void frd_process_self(frd_process *self)
{
    struct stat st;

    memset(self, 0, sizeof(*self));
    read_text("/proc/sys/kernel/random/boot_id", self->boot_id, sizeof(self->boot_id));
    self->boot_id[strcspn(self->boot_id, "\n")] = '\0';
    if (stat("/proc/self/ns/pid", &st) == 0)
        self->pid_namespace = st.st_ino;
    self->pid = getpid();
    self->start_ticks = frd_process_start(self->pid);
}

bool frd_process_same(const frd_process *a, const frd_process *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
