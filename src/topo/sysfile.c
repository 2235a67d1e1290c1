/* SPDX-License-Identifier: BSD-3-Clause
 * sysfile.c - reads the one-line files of /proc and /sys, one open, read and close each. */
#include "topo/sysfile.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/value.h"

bool frd_sysfile_line(const char *path, char *line, size_t bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, line, bytes - 1);

    if (fd >= 0)
        close(fd);
    line[got < 0 ? 0 : got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return got > 0;
}

int frd_sysfile_int(const char *path, int otherwise)
{
    char line[32];
    int value;

    if (!frd_sysfile_line(path, line, sizeof line) || frd_value_int(line, &value) != NULL)
        return otherwise;
    return value;
}
