/* SPDX-License-Identifier: BSD-3-Clause
 * loop_port.c - one lock per port, held for a few instructions; packets are recycled through the port that
 * receives them, so that steady traffic allocates nothing. */
#include "net/loop_port.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

enum { PACKETS_FIRST = 32 };

void frd_loop_port_ref(frd_loop_port *p)
{
    pthread_mutex_lock(&p->lock);
    p->refs++;
    pthread_mutex_unlock(&p->lock);
}

void frd_loop_port_unref(frd_loop_port *p)
{
    int refs;

    pthread_mutex_lock(&p->lock);
    refs = --p->refs;
    pthread_mutex_unlock(&p->lock);
    if (refs > 0)
        return;
    for (int k = 0; k < CLASSES; k++) {
        for (frd_loop_packet *next; p->spare[k] != NULL; p->spare[k] = next) {
            next = p->spare[k]->next;
            frd_free(p->spare[k]);
        }
    }
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    frd_free(p);
}

static frd_loop_packet *packet_alloc(unsigned size_class)
{
    frd_loop_packet *const p = frd_alloc_aligned(16, (size_t)1 << size_class);

    if (p != NULL)
        *p = (frd_loop_packet){ .size_class = size_class };
    return p;
}

frd_loop_packet *frd_loop_packet_new(frd_loop_port *to, size_t data_bytes)
{
    const size_t bytes = sizeof(frd_loop_packet) + data_bytes;
    unsigned k = CLASS_FIRST;
    frd_loop_packet *p;

    while (bytes > (size_t)1 << k)
        k++;
    assert(k < CLASSES);
    pthread_mutex_lock(&to->lock);
    p = to->spare[k];
    if (p != NULL)
        to->spare[k] = p->next;
    pthread_mutex_unlock(&to->lock);
    if (p == NULL)
        return packet_alloc(k);
    *p = (frd_loop_packet){ .size_class = k };
    return p;
}

void frd_loop_packet_free(frd_loop_port *own, frd_loop_packet *p)
{
    pthread_mutex_lock(&own->lock);
    p->next = own->spare[p->size_class];
    own->spare[p->size_class] = p;
    pthread_mutex_unlock(&own->lock);
}

/* With some small packets, so that how many are on their way at a time does not show in allocations. */
frd_loop_port *frd_loop_port_new(void)
{
    frd_loop_port *p = frd_calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->refs = 1;
    p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->wake < 0 || pthread_mutex_init(&p->lock, NULL) != 0) {
        if (p->wake >= 0)
            close(p->wake);
        frd_free(p);
        return NULL;
    }
    for (int i = 0; i < PACKETS_FIRST; i++) {
        frd_loop_packet *const one = packet_alloc(CLASS_FIRST);

        if (one != NULL)
            frd_loop_packet_free(p, one);
    }
    return p;
}

bool frd_loop_port_push(frd_loop_port *to, frd_loop_packet *p)
{
    bool closed;

    pthread_mutex_lock(&to->lock);
    closed = to->closed;
    if (!closed) {
        p->next = NULL;
        if (to->head == NULL)
            to->head = p;
        else
            to->tail->next = p;
        to->tail = p;
        if (to->sleeping) {
            const uint64_t one = 1;

            to->sleeping = false;
            (void)!write(to->wake, &one, sizeof(one));
        }
    }
    pthread_mutex_unlock(&to->lock);
    if (closed)
        frd_free(p);
    return !closed;
}

frd_loop_packet *frd_loop_port_take(frd_loop_port *own)
{
    frd_loop_packet *all;

    pthread_mutex_lock(&own->lock);
    all = own->head;
    own->head = NULL;
    pthread_mutex_unlock(&own->lock);
    return all;
}

bool frd_loop_port_arm(frd_loop_port *own)
{
    bool idle;

    pthread_mutex_lock(&own->lock);
    idle = own->head == NULL;
    own->sleeping = idle;
    pthread_mutex_unlock(&own->lock);
    return idle;
}

void frd_loop_port_disarm(frd_loop_port *own)
{
    uint64_t count;

    pthread_mutex_lock(&own->lock);
    own->sleeping = false;
    (void)!read(own->wake, &count, sizeof(count));
    pthread_mutex_unlock(&own->lock);
}

void frd_loop_port_close(frd_loop_port *own)
{
    frd_loop_packet *all;

    pthread_mutex_lock(&own->lock);
    own->closed = true;
    pthread_mutex_unlock(&own->lock);
    all = frd_loop_port_take(own);
    for (frd_loop_packet *next; all != NULL; all = next) {
        next = all->next;
        frd_free(all);
    }
}
