/* SPDX-License-Identifier: BSD-3-Clause
 * sysfile.h - reads the one-line files of /proc and /sys. */
#ifndef FRD_TOPO_SYSFILE_H
#define FRD_TOPO_SYSFILE_H

#include <stdbool.h>
#include <stddef.h>

/* The first line without its end, cut to fit. false, and "" in `line`, when it cannot be read. */
bool frd_sysfile_line(const char *path, char *line, size_t bytes);

/* The whole number in a file, or `otherwise`. */
int frd_sysfile_int(const char *path, int otherwise);

#endif
