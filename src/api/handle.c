/* SPDX-License-Identifier: BSD-3-Clause
 *
 * handle.c - the graveyard of communicator handles. */
#include "api/handle.h"

#include <pthread.h>
#include <stddef.h>

#include "base/mem.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fedrdma_comm *dead;

void frd_handle_bury(struct fedrdma_comm *handle)
{
    pthread_mutex_lock(&lock);
    handle->magic = FRD_HANDLE_DEAD;
    handle->comm = NULL;
    handle->next = dead;
    dead = handle;
    pthread_mutex_unlock(&lock);
}

void frd_handle_exhume(struct fedrdma_comm *handle)
{
    pthread_mutex_lock(&lock);
    struct fedrdma_comm **at = &dead;
    while (*at != NULL && *at != handle)
        at = &(*at)->next;
    if (*at != NULL) {
        *at = handle->next;
        frd_free(handle);
    }
    pthread_mutex_unlock(&lock);
}
