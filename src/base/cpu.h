/* SPDX-License-Identifier: BSD-3-Clause
 * cpu.h - a moment's rest for a core that polls: lets its sibling thread work, and memory settle. */
#ifndef FRD_BASE_CPU_H
#define FRD_BASE_CPU_H

#if defined(__x86_64__) || defined(__i386__)
static inline void frd_pause(void)
{
    __builtin_ia32_pause();
}

static inline void frd_prefetch_for_write(const volatile void *line)
{
    __asm__ volatile("prefetchw %0" ::"m"(*(const volatile char *)line));
}
#elif defined(__aarch64__)
static inline void frd_pause(void)
{
    __asm__ volatile("isb" ::: "memory"); /* waits tens of ns; "yield" is free there, and so too short */
}

static inline void frd_prefetch_for_write(const volatile void *line)
{
    __builtin_prefetch((const void *)line, 1);
}
#else
static inline void frd_pause(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline void frd_prefetch_for_write(const volatile void *line)
{
    __builtin_prefetch((const void *)line, 1);
}
#endif

#endif
