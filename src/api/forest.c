/* SPDX-License-Identifier: BSD-3-Clause
 * forest.c - plans, made when the first call of their size is. The net is that of the topology file, of the
 * communicator's silos only: who has no rank in it carries nothing. */
#include "api/forest.h"

#include "api/comm.h"

enum { CLASSES = 65 };

struct frd_forests {
    frd_arena arena;
    frd_forest_net net;
    size_t fragment, window;
    const frd_log *log;
    bool known[CLASSES];
    frd_forest *forest[CLASSES]; /* NULL: none is needed, or can be made */
};

/* The rows and columns of `all` that `number` names. */
static bool pick(frd_forests *f, const frd_forest_net *all, const int *number, int n)
{
    const size_t cells = (size_t)n * (size_t)n;
    frd_forest_silo *const silo = frd_arena_alloc(&f->arena, (size_t)n * sizeof(*silo));
    frd_forest_link *const link = frd_arena_alloc(&f->arena, cells * sizeof(*link));
    const char **const name = frd_arena_alloc(&f->arena, (size_t)n * sizeof(*name));
    bool *const carry = frd_arena_alloc(&f->arena, cells * sizeof(*carry));

    if (silo == NULL || link == NULL || name == NULL || carry == NULL)
        return false;
    for (int i = 0; i < n; i++) {
        silo[i] = all->silo[number[i]];
        name[i] = all->name[number[i]];
        for (int k = 0; k < n; k++) {
            link[i * n + k] = all->link[number[i] * all->silos + number[k]];
            carry[i * n + k] = all->carry[number[i] * all->silos + number[k]];
        }
    }
    f->net = (frd_forest_net){ .silos = n, .name = name, .silo = silo, .link = link, .carry = carry };
    return true;
}

static bool numbers(const frd_comm *comm, int *number)
{
    for (int i = 0; i < comm->channel.size; i++) {
        number[comm->silo_of[i]] = frd_silos_find(comm->ctx->silos, comm->silo_by_rank[i]);
        if (number[comm->silo_of[i]] < 0)
            return false;
    }
    return true;
}

int frd_forests_create(const frd_comm *comm, frd_forests **forests)
{
    const frd_silos *const silos = comm->ctx->silos;
    frd_story story = { .log = NULL };
    int number[FRD_SILOS_MAX];
    frd_forest_net all;
    frd_forests *f;

    *forests = NULL;
    if (silos == NULL || comm->nsilos < 2 || comm->nsilos > silos->count || !numbers(comm, number))
        return FEDRDMA_OK;
    f = frd_calloc(1, sizeof(*f));
    if (f == NULL)
        return FEDRDMA_ERR_NOMEM;
    f->fragment = comm->ctx->conf.fragment;
    f->window = comm->ctx->conf.window;
    f->log = &comm->ctx->log;
    if (frd_forest_net_of(silos, silos->links, &f->arena, &story, &all) != FEDRDMA_OK ||
        !pick(f, &all, number, comm->nsilos)) {
        frd_forests_free(f);
        return FEDRDMA_ERR_NOMEM;
    }
    *forests = f;
    return FEDRDMA_OK;
}

void frd_forests_free(frd_forests *forests)
{
    if (forests == NULL)
        return;
    for (int i = 0; i < CLASSES; i++)
        frd_forest_destroy(forests->forest[i]);
    frd_arena_free(&forests->arena);
    frd_free(forests);
}

static int class_of(size_t bytes)
{
    int c = 0;

    while (bytes > 0) {
        bytes /= 2;
        c++;
    }
    return c;
}

static frd_forest *make(frd_forests *f, size_t bytes)
{
    const frd_forest_ask ask = frd_forest_allreduce(f->net.silos, bytes, f->fragment, f->window);
    frd_story story = { .log = NULL };
    frd_forest *forest = NULL;
    const int rc = frd_forest_make(&f->net, &ask, &story, &forest);

    if (rc != FEDRDMA_OK) {
        frd_logf(f->log, FEDRDMA_LOG_INFO, "allreduces between silos go without a plan: %s", story.text);
        return NULL;
    }
    frd_logf(f->log, FEDRDMA_LOG_INFO, "plan for allreduces of about %zu bytes: %s, expected %.3f s", bytes,
             frd_forest_form_text(forest->form), forest->cost.time_ns / 1e9);
    if (forest->form != FRD_FOREST_DIRECT && forest->form != FRD_FOREST_ALONE)
        return forest;
    frd_forest_destroy(forest);
    return NULL;
}

const frd_forest *frd_forests_get(frd_forests *f, size_t bytes)
{
    const int c = class_of(bytes);

    if (f == NULL || bytes == 0 || bytes > FRD_FOREST_BYTES_MAX)
        return NULL;
    if (!f->known[c]) {
        f->forest[c] = make(f, (size_t)1 << (c - 1));
        f->known[c] = true;
    }
    return f->forest[c];
}
