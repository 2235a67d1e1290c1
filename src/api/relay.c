/* SPDX-License-Identifier: BSD-3-Clause
 * relay.c - who relays for whom. */
#include "api/relay.h"

#include <string.h>

#include "api/context.h"
#include "base/mem.h"

typedef struct rank_row {
    int silo;   /* the lowest rank of its silo */
    int number; /* of the silo in the file; -1: no file */
    bool relay;
} rank_row;

struct frd_relays {
    const frd_silos *silos;
    rank_row row[];
};

int frd_relays_create(const fedrdma_context *ctx, frd_relays **out)
{
    const int n = ctx->conf.size;
    frd_relays *const r = frd_calloc(1, sizeof(*r) + (size_t)n * sizeof(r->row[0]));

    if (r == NULL)
        return FEDRDMA_ERR_NOMEM;
    r->silos = ctx->silos;
    for (int i = 0; i < n; i++) {
        rank_row *const row = &r->row[i];

        while (strcmp(ctx->places[row->silo].silo, ctx->places[i].silo) != 0)
            row->silo++;
        row->number = r->silos != NULL ? frd_silos_find(r->silos, ctx->places[i].silo) : -1;
        row->relay = row->silo == i;
    }
    for (int i = n - 1; i >= 0; i--) { /* the lowest one comes last, and stays */
        for (int k = r->row[i].silo; ctx->places[i].is_gateway != 0 && k < n; k++) {
            if (r->row[k].silo == r->row[i].silo)
                r->row[k].relay = k == i;
        }
    }
    *out = r;
    return FEDRDMA_OK;
}

void frd_relays_free(frd_relays *relays)
{
    frd_free(relays);
}

bool frd_relays_ask(void *relays, int from, int to, int via)
{
    const frd_relays *const r = relays;
    const rank_row *const a = &r->row[from], *const b = &r->row[to], *const c = &r->row[via];

    if (!c->relay || a->silo == b->silo || a->silo == c->silo || b->silo == c->silo)
        return false;
    return r->silos == NULL || a->number < 0 || b->number < 0 || c->number < 0 ||
           frd_silos_may_relay(r->silos, a->number, b->number, c->number);
}
