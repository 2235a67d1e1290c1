/* SPDX-License-Identifier: BSD-3-Clause
 *
 * comm.c - communicators: making one from a list of ranks, asking it things, its errors. */
#include "api/comm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int refuse(int rc, const char *call, const char *text)
{
    frd_story story = { 0 };

    frd_fail(&story, rc, "%s: %s", call, text);
    frd_story_publish(&story);
    return rc;
}

frd_comm *frd_comm_of(const fedrdma_comm *handle, const char *call, int *rc)
{
    if (handle == NULL)
        *rc = refuse(FEDRDMA_ERR_INVALID, call, "the communicator is NULL; was it freed?");
    else if (handle->magic == FRD_HANDLE_LIVE)
        return handle->comm;
    else if (handle->magic == FRD_HANDLE_DEAD)
        *rc = refuse(FEDRDMA_ERR_FINALIZED, call, "the communicator's context was finalized");
    else
        *rc = refuse(FEDRDMA_ERR_INVALID, call, "this is no communicator");
    return NULL;
}

int frd_comm_fail(frd_comm *comm, int rc, const char *format, ...)
{
    va_list args;
    char text[FRD_STORY_MAX];

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    comm->story.log = &comm->ctx->log;
    frd_fail(&comm->story, rc, "%s", text);
    frd_story_publish(&comm->story);
    return rc;
}

/* The channel's story was logged when it was written; it is not logged again. */
int frd_comm_fail_channel(frd_comm *comm, int rc, const char *call)
{
    comm->story.log = NULL;
    if (rc == FEDRDMA_ERR_BROKEN)
        frd_fail(&comm->story, rc, "%s: the communicator is broken since: %.*s", call,
                 FRD_STORY_MAX - 100, comm->channel.story.text);
    else
        frd_fail(&comm->story, rc, "%s", comm->channel.story.text);
    frd_story_publish(&comm->story);
    return rc;
}

/* Numbers equal names by their first rank: out[i] is the number of rank i's name. */
static int number_names(const frd_comm *comm, size_t name_offset, int *out)
{
    int count = 0;

    for (int i = 0; i < comm->channel.size; i++) {
        const char *mine = (const char *)&comm->ctx->places[comm->world[i]] + name_offset;
        int j = 0;
        while (j < i &&
               strcmp((const char *)&comm->ctx->places[comm->world[j]] + name_offset, mine) != 0)
            j++;
        out[i] = j < i ? out[j] : count++;
    }
    return count;
}

frd_group frd_comm_group(const frd_comm *comm)
{
    return (frd_group){ .size = comm->channel.size,
                        .rank = comm->channel.rank,
                        .peer = comm->identity,
                        .node = comm->node_of,
                        .silo = comm->silo_of,
                        .levels = comm->levels };
}

int frd_comm_create(fedrdma_context *ctx, uint64_t id, const int *world, int size, int rank,
                    frd_comm **out)
{
    const size_t n = (size_t)size;
    frd_comm *comm = frd_calloc(1, sizeof(*comm));

    if (comm == NULL)
        return FEDRDMA_ERR_NOMEM;
    comm->ctx = ctx;
    comm->handle = frd_calloc(1, sizeof(*comm->handle));
    comm->world = frd_calloc(n, sizeof(int));
    comm->identity = frd_calloc(n, sizeof(int));
    comm->silo_of = frd_calloc(n, sizeof(int));
    comm->node_of = frd_calloc(n, sizeof(int));
    comm->silo_by_rank = frd_calloc(n, sizeof(*comm->silo_by_rank));
    comm->lengths = frd_calloc(6 * n, sizeof(size_t));
    if (comm->handle == NULL || comm->world == NULL || comm->identity == NULL ||
        comm->silo_of == NULL || comm->node_of == NULL || comm->silo_by_rank == NULL ||
        comm->lengths == NULL)
        goto fail;
    for (int i = 0; i < size; i++) {
        comm->world[i] = world[i];
        comm->identity[i] = i;
        comm->silo_by_rank[i] = ctx->places[world[i]].silo;
    }
    comm->channel = (frd_channel){ .id = id,
                                   .size = size,
                                   .rank = rank,
                                   .world = comm->world,
                                   .silo = comm->silo_by_rank };
    comm->nsilos = number_names(comm, offsetof(frd_place, silo), comm->silo_of);
    comm->nnodes = number_names(comm, offsetof(frd_place, node), comm->node_of);
    if (comm->nsilos > 1) {
        const frd_group group = frd_comm_group(comm);

        const int wanted = frd_policy_gateways(ctx->silos, ctx->places, world, size, ctx->conf.gateways);
        frd_levels *const levels = frd_calloc(1, frd_levels_bytes(size, comm->nsilos, wanted));
        unsigned char *const known = frd_calloc(n, 1);

        comm->levels = levels;
        if (levels == NULL || known == NULL) {
            frd_free(known);
            goto fail;
        }
        for (int i = 0; i < size; i++)
            known[i] = frd_place_known(&ctx->places[world[i]]);
        frd_levels_init(levels, &group, comm->nsilos, wanted, known);
        frd_free(known);
        if (frd_forests_create(comm, &comm->forests) != FEDRDMA_OK)
            goto fail;
    }
    comm->handle->magic = FRD_HANDLE_LIVE;
    comm->handle->comm = comm;
    comm->next = ctx->comms;
    ctx->comms = comm;
    frd_engine_add_channel(ctx->engine, &comm->channel);
    *out = comm;
    return FEDRDMA_OK;

fail:
    frd_free(comm->handle);
    comm->channel.id = FRD_TAG_CONTROL; /* not yet the engine's */
    frd_comm_destroy(comm);
    return FEDRDMA_ERR_NOMEM;
}

void frd_comm_destroy(frd_comm *comm)
{
    if (comm == NULL)
        return;
    frd_team_close(comm->channel.team);
    if (comm->channel.id != FRD_TAG_CONTROL) {
        frd_comm **at = &comm->ctx->comms;
        while (*at != comm)
            at = &(*at)->next;
        *at = comm->next;
        frd_engine_remove_channel(comm->ctx->engine, &comm->channel);
    }
    frd_cache_clear(&comm->cache);
    frd_free(comm->world);
    frd_free(comm->identity);
    frd_free(comm->silo_of);
    frd_free(comm->node_of);
    frd_free(comm->silo_by_rank);
    frd_free(comm->levels);
    frd_forests_free(comm->forests);
    frd_free(comm->lengths);
    frd_free(comm);
}

const char *fedrdma_last_error(const fedrdma_comm *handle)
{
    if (handle != NULL && handle->magic == FRD_HANDLE_LIVE)
        return handle->comm->story.text;
    return frd_story_published();
}

static const frd_comm *body(const fedrdma_comm *handle)
{
    return handle != NULL && handle->magic == FRD_HANDLE_LIVE ? handle->comm : NULL;
}

int fedrdma_comm_rank(const fedrdma_comm *handle)
{
    const frd_comm *comm = body(handle);
    return comm != NULL ? comm->channel.rank : -1;
}

int fedrdma_comm_size(const fedrdma_comm *handle)
{
    const frd_comm *comm = body(handle);
    return comm != NULL ? comm->channel.size : -1;
}

fedrdma_context *fedrdma_comm_context(const fedrdma_comm *handle)
{
    const frd_comm *comm = body(handle);
    return comm != NULL ? comm->ctx : NULL;
}

int fedrdma_comm_nsilos(const fedrdma_comm *handle)
{
    const frd_comm *comm = body(handle);
    return comm != NULL ? comm->nsilos : -1;
}

int fedrdma_comm_nnodes(const fedrdma_comm *handle)
{
    const frd_comm *comm = body(handle);
    return comm != NULL ? comm->nnodes : -1;
}

int fedrdma_comm_silo(const fedrdma_comm *handle, int rank)
{
    const frd_comm *comm = body(handle);
    return comm != NULL && rank >= 0 && rank < comm->channel.size ? comm->silo_of[rank] : -1;
}

int fedrdma_comm_node(const fedrdma_comm *handle, int rank)
{
    const frd_comm *comm = body(handle);
    return comm != NULL && rank >= 0 && rank < comm->channel.size ? comm->node_of[rank] : -1;
}

const char *fedrdma_comm_silo_name(const fedrdma_comm *handle, int silo)
{
    const frd_comm *comm = body(handle);

    for (int i = 0; comm != NULL && i < comm->channel.size; i++)
        if (comm->silo_of[i] == silo)
            return comm->silo_by_rank[i];
    return NULL;
}

int fedrdma_comm_set_attr(fedrdma_comm *handle, const fedrdma_attr *attr)
{
    int rc = FEDRDMA_OK;
    frd_comm *comm = frd_comm_of(handle, "fedrdma_comm_set_attr", &rc);

    if (comm == NULL)
        return rc;
    if (attr == NULL) {
        comm->attr = (fedrdma_attr){ 0 };
        return FEDRDMA_OK;
    }
    if (attr->min_silos < 0 || attr->min_silos > comm->nsilos)
        return frd_comm_fail(comm, FEDRDMA_ERR_INVALID,
                             "fedrdma_comm_set_attr: min_silos is %d, but the communicator has %d silos",
                             attr->min_silos, comm->nsilos);
    if (attr->min_silos > 0 && attr->min_silos < comm->nsilos)
        return frd_comm_fail(comm, FEDRDMA_ERR_UNSUPPORTED,
                             "fedrdma_comm_set_attr: min_silos %d of %d: going on without a lost silo is "
                             "not in this version; use 0",
                             attr->min_silos, comm->nsilos);
    comm->attr = *attr;
    return FEDRDMA_OK;
}

int fedrdma_comm_last_result(const fedrdma_comm *handle, fedrdma_result *result)
{
    int rc = FEDRDMA_OK;
    const frd_comm *comm = frd_comm_of(handle, "fedrdma_comm_last_result", &rc);

    if (comm == NULL)
        return rc;
    if (result == NULL)
        return frd_comm_fail(handle->comm, FEDRDMA_ERR_INVALID,
                             "fedrdma_comm_last_result: result is NULL");
    *result = comm->last;
    return FEDRDMA_OK;
}
