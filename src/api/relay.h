/* SPDX-License-Identifier: BSD-3-Clause
 * relay.h - which ranks carry what others send to each other: in each silo one, its first gateway by the topology file,
 * else its first rank; between which silos, is that file's policy. */
#ifndef FRD_API_RELAY_H
#define FRD_API_RELAY_H

#include <stdbool.h>

#include "base/error.h"

struct fedrdma_context;
typedef struct frd_relays frd_relays;

/* From ctx->places and ctx->silos, which outlive it. FEDRDMA_ERR_NOMEM. */
int frd_relays_create(const struct fedrdma_context *ctx, frd_relays **relays);
void frd_relays_free(frd_relays *relays); /* NULL is fine */

/* As net.h's; `relays` is a frd_relays. */
bool frd_relays_ask(void *relays, int from, int to, int via);

#endif
