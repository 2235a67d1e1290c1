/* SPDX-License-Identifier: BSD-3-Clause
 * wan_events.h - what happens in a modelled network, in the order of time: a heap. */
#ifndef FRD_TESTS_WAN_EVENTS_H
#define FRD_TESTS_WAN_EVENTS_H

#include <stdlib.h>

#include "wan_model.h"

typedef struct model_event {
    uint64_t at_ns;
    size_t serial;
    bool refused;     /* an ICMP message */
    uint32_t carried; /* UDP bytes; 0: port unreachable */
    bool arrived;     /* or has still the line into its rank before it */
    uint64_t sent_ns; /* if so */
    int to, from;
    frd_wan_addr addr;
    size_t bytes;
    unsigned char *data;
} model_event;

static inline bool model_event_before(const model_event *a, const model_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static inline void model_event_push(model *m, model_event e)
{
    size_t i = m->events++;

    if (m->events > m->room) {
        m->room = m->room == 0 ? 1024 : 2 * m->room;
        m->heap = realloc(m->heap, m->room * sizeof(*m->heap));
        if (m->heap == NULL)
            abort();
    }
    e.serial = m->serial++;
    while (i > 0 && model_event_before(&e, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = e;
}

static inline model_event model_event_pop(model *m)
{
    const model_event top = m->heap[0], last = m->heap[--m->events];
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < m->events; i = child) {
        if (child + 1 < m->events && model_event_before(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!model_event_before(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
    }
    m->heap[i] = last;
    return top;
}

#endif
