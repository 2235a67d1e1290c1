/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_value.h - texts to rates, times, probabilities and queue lengths. Each returns NULL, or what the text
 * should have been, and leaves the output alone. */
#ifndef WANEM_VALUE_H
#define WANEM_VALUE_H

#include "tests/wan/wanem_net.h"

const char *wanem_value_rate(const char *text, double *bps);      /* 300M, 1.5G (decimal), none */
const char *wanem_value_time(const char *text, double *time_ns);  /* 20ms */
const char *wanem_value_share(const char *text, double *share);   /* 0.1%, 0.001 */
const char *wanem_value_queue(const char *text, wanem_shaper *s); /* 1bdp, 50ms, 256k (bytes, 1024-based) */
const char *wanem_value_gilbert(const char *text, wanem_gilbert *gilbert); /* TO_BAD:TO_GOOD[:BAD[:GOOD]] */
const char *wanem_value_checksum(const char *text, wanem_checksum *checksum);

#endif
