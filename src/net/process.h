/* SPDX-License-Identifier: BSD-3-Clause
 * process.h - who a process is, among all processes of all hosts; for cards. */
#ifndef FRD_NET_PROCESS_H
#define FRD_NET_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Fixed layout, goes on the wire. Two processes at the same time never have equal ones: the boot id tells
 * hosts apart, the namespace containers of one host, and the start time a reused pid. What cannot be found
 * out is zero. */
typedef struct frd_process {
    char boot_id[40];       /* /proc/sys/kernel/random/boot_id, zero padded */
    uint64_t pid_namespace; /* inode of /proc/self/ns/pid */
    uint64_t start_ticks;   /* clock ticks from boot to the process's start */
    int64_t pid;
} frd_process;
_Static_assert(sizeof(frd_process) == 64, "wire format");

void frd_process_self(frd_process *self);
bool frd_process_same(const frd_process *a, const frd_process *b);

/* Start time of a process as in start_ticks, 0 when there is no such process (or no /proc). */
uint64_t frd_process_start(int64_t pid);

/* Is it there, not a zombie, and the one that started then? Reads /proc, about 10 us. */
bool frd_process_alive(int64_t pid, uint64_t start_ticks);

/* A descriptor that becomes readable when the process ends (a pidfd); -1 where the kernel has none. */
int frd_process_watch(int64_t pid);

#endif
