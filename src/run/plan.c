/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan.c - runs of a graph, kept for reuse. A run costs 4 bytes twice a step, one frd_run_msg a message, and
 * the graph's scratch; resetting it is one pass over the steps. */
#include "run/plan.h"

#include <string.h>

#include "base/mem.h"

#define SCRATCH_ALIGN 64

int frd_plan_create(frd_graph *graph, frd_stat *stat, frd_plan **out)
{
    frd_plan *plan = frd_calloc(1, sizeof(*plan));

    if (plan == NULL) {
        frd_graph_destroy(graph);
        return FEDRDMA_ERR_NOMEM;
    }
    plan->graph = graph;
    plan->stat = stat;
    plan->users = 1;
    *out = plan;
    return FEDRDMA_OK;
}

static void run_destroy(frd_run *run)
{
    if (run == NULL)
        return;
    frd_free(run->waits);
    frd_free(run->queue);
    frd_free(run->msgs);
    frd_free(run->calls);
    if (run->scratch != NULL)
        run->plan->stat->mem_scratch_bytes -= run->plan->graph->tmp_bytes;
    frd_free(run->scratch);
    frd_free(run);
}

void frd_plan_trim(frd_plan *plan)
{
    while (plan->idle != NULL) {
        frd_run *run = plan->idle;
        plan->idle = run->next;
        run_destroy(run);
    }
}

void frd_plan_release(frd_plan *plan)
{
    if (plan == NULL || --plan->users > 0)
        return;
    frd_plan_trim(plan);
    frd_graph_destroy(plan->graph);
    frd_free(plan);
}

static frd_run *run_create(frd_plan *plan)
{
    const frd_graph *g = plan->graph;
    frd_run *run = frd_calloc(1, sizeof(*run));

    if (run == NULL)
        return NULL;
    run->plan = plan;
    run->waits = frd_calloc(g->nsteps + 1, sizeof(*run->waits));
    run->queue = frd_calloc(g->nsteps + 1, sizeof(*run->queue));
    run->msgs = frd_calloc((size_t)g->nsends + g->nrecvs + 1, sizeof(*run->msgs));
    run->calls = frd_calloc((size_t)g->ncalls + 1, sizeof(*run->calls));
    if (g->tmp_bytes > 0)
        run->scratch = frd_alloc_aligned(SCRATCH_ALIGN, g->tmp_bytes);
    if (run->scratch != NULL) {
        /* Some algorithms send scratch that they never wrote (a barrier's tokens): not what the heap held. */
        memset(run->scratch, 0, g->tmp_bytes);
        plan->stat->mem_scratch_bytes += g->tmp_bytes;
    }
    if (run->waits == NULL || run->queue == NULL || run->msgs == NULL || run->calls == NULL ||
        (g->tmp_bytes > 0 && run->scratch == NULL)) {
        run_destroy(run);
        return NULL;
    }
    return run;
}

frd_run *frd_plan_take(frd_plan *plan)
{
    const frd_graph *g = plan->graph;
    frd_run *run = plan->idle;

    if (run != NULL)
        plan->idle = run->next;
    else
        run = run_create(plan);
    if (run == NULL)
        return NULL;

    run->next = run->prev = run->next_runnable = NULL;
    run->runnable = run->canceled = false;
    run->left = g->nsteps;
    run->inflight = run->polled = 0;
    run->next_polled = NULL;
    run->head = 0;
    run->tail = g->nroots;
    for (uint32_t i = 0; i < g->nsteps; i++)
        run->waits[i] = g->steps[i].ndeps;
    for (uint32_t i = 0; i < g->nroots; i++)
        run->queue[i] = g->roots[i];
    plan->users++;
    return run;
}

void frd_plan_give_back(frd_run *run)
{
    frd_plan *plan = run->plan;

    run->op = NULL;
    run->next = plan->idle;
    plan->idle = run;
    frd_plan_release(plan);
}
