/* SPDX-License-Identifier: BSD-3-Clause
 *
 * graph.c - references and the end of a graph's life. */
#include "sched/graph.h"

#include "base/mem.h"
#include "base/num.h"
#include "reduce/reduce.h"
#include "sched/verbs.h"

frd_ref frd_sub(frd_ref r, size_t off, size_t len)
{
    r.off += off;
    r.len = len;
    return r;
}

frd_ref frd_head(frd_ref r, size_t len)
{
    return frd_sub(r, 0, len);
}

frd_ref frd_parts(const frd_sched *s, frd_ref r, int n, int first, int k)
{
    (void)s;
    const size_t element = frd_max_size(frd_type_size(r.type), 1);
    const size_t count = r.len / element, parts = (size_t)n;
    const size_t base = count / parts, extra = count % parts;
    const size_t lo = (size_t)first, hi = (size_t)(first + k);
    const size_t from = lo * base + frd_min_size(lo, extra);
    const size_t to = hi * base + frd_min_size(hi, extra);

    return frd_sub(r, from * element, (to - from) * element);
}

frd_ref frd_part(const frd_sched *s, frd_ref r, int n, int i)
{
    return frd_parts(s, r, n, (i % n + n) % n, 1);
}

void frd_graph_destroy(frd_graph *graph)
{
    if (graph == NULL)
        return;
    frd_free(graph->steps);
    frd_free(graph->next);
    frd_free(graph->roots);
    frd_free(graph->calls);
    frd_free(graph);
}
