/* SPDX-License-Identifier: BSD-3-Clause
 *
 * main.c - one benchmark program; compiled once for each collective and library, with BENCH_COLLECTIVE its
 * name. */
#include "perf/harness.h"

int main(int argc, char **argv)
{
    return bench_main(argc, argv, BENCH_COLLECTIVE);
}
