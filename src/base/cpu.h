/* SPDX-License-Identifier: BSD-3-Clause
 * cpu.h - a moment's rest for a core that polls: lets its sibling thread work, and memory settle. */
#ifndef FRD_BASE_CPU_H
#define FRD_BASE_CPU_H

#if defined(__x86_64__) || defined(__i386__)
static inline void frd_pause(void)
{
    __builtin_ia32_pause();
}
#elif defined(__aarch64__)
static inline void frd_pause(void)
{
    __asm__ volatile("isb" ::: "memory"); /* waits tens of ns; "yield" is free there, and so too short */
}
#else
static inline void frd_pause(void)
{
    __asm__ volatile("" ::: "memory");
}
#endif

#endif
