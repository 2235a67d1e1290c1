/* SPDX-License-Identifier: BSD-3-Clause
 * fuzz.h - a target: what is done with hostile bytes. libFuzzer calls it (clang -fsanitize=fuzzer), and so
 * does replay.c where there is none. It aborts on what must not be, and returns 0. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
