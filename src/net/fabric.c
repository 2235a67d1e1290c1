/* SPDX-License-Identifier: BSD-3-Clause
 * fabric.c - the calls of every day: each message goes to the transport that fabric_start.c chose for its
 * peer. A peer that is lost is lost once, and then ends every new message at once.
 *
 * Not here: how to wait (wait.c), how to match (match.c), what goes on a wire (the transports). */
#include <assert.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/fabric_impl.h"

static void peer_lost(void *arg, int peer, const char *why)
{
    frd_fabric *const fabric = arg;

    if (fabric->lost[peer])
        return;
    fabric->lost[peer] = true;
    frd_logf(fabric->params.log, FEDRDMA_LOG_WARN, "rank %d is lost: %s", peer, why);
    fabric->params.peer_lost(fabric->params.arg, peer, why);
}

static void control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    frd_fabric *const fabric = arg;

    fabric->params.control(fabric->params.arg, peer, tag, data, len);
}

int frd_fabric_open(const frd_fabric_params *params, frd_story *story, frd_fabric **fabric)
{
    frd_fabric *f = frd_calloc(1, sizeof(*f));
    int rc = FEDRDMA_ERR_NOMEM;

    if (f == NULL)
        return frd_fail(story, rc, "fabric");
    f->params = *params;
    f->wait.cores_fd = -1;
    f->carrier = frd_calloc((size_t)params->size, sizeof(*f->carrier));
    f->lost = frd_calloc((size_t)params->size, sizeof(*f->lost));
    if (f->carrier == NULL || f->lost == NULL) {
        frd_fail(story, rc, "fabric of %d ranks", params->size);
        goto fail;
    }
    rc = frd_match_create(params->stat, params->dead, params->arg, &f->match);
    if (rc != FEDRDMA_OK) {
        frd_fail(story, rc, "match table");
        goto fail;
    }
    f->env = (frd_net_env){ .conf = params->conf,
                            .log = params->log,
                            .stat = params->stat,
                            .match = f->match,
                            .rank = params->rank,
                            .size = params->size,
                            .peer_lost = peer_lost,
                            .control = control,
                            .policy = params->policy,
                            .arg = f };
    rc = frd_fabric_start(f, story);
    if (rc != FEDRDMA_OK)
        goto fail;
    *fabric = f;
    return FEDRDMA_OK;
fail:
    frd_fabric_close(f);
    return rc;
}

void frd_fabric_close(frd_fabric *fabric)
{
    if (fabric == NULL)
        return;
    if (fabric->match != NULL)
        frd_match_clear(fabric->match);
    for (size_t i = 0; i < fabric->nets; i++)
        fabric->net[i]->ops->close(fabric->net[i]);
    frd_wait_close(&fabric->wait);
    frd_match_destroy(fabric->match);
    frd_free(fabric->carrier);
    frd_free(fabric->lost);
    frd_free(fabric);
}

bool frd_fabric_look(const frd_fabric *fabric, int peer, frd_net_sight *sight)
{
    frd_net *const net = fabric->carrier[peer];

    return net != NULL && net->ops->look != NULL && net->ops->look(net, peer, sight);
}

const char *frd_fabric_transport(const frd_fabric *fabric, int peer)
{
    return fabric->carrier[peer] == NULL ? "self" : fabric->carrier[peer]->ops->name;
}

bool frd_fabric_lost(const frd_fabric *fabric, int peer)
{
    return fabric->lost[peer];
}

void frd_fabric_send(frd_fabric *fabric, frd_msg *msg)
{
    frd_net *const net = fabric->carrier[msg->peer];

    assert(msg->peer != fabric->params.rank && net != NULL);
    if (fabric->lost[msg->peer]) {
        msg->done(msg, FEDRDMA_ERR_RANK_LOST);
        return;
    }
    msg->net = net;
    net->ops->send(net, msg);
}

void frd_fabric_recv(frd_fabric *fabric, frd_msg *msg)
{
    const frd_tag tag = msg->tag;
    const int peer = msg->peer;

    assert(peer != fabric->params.rank);
    frd_match_post(fabric->match, msg);
    if (!fabric->lost[peer])
        return;
    /* What a lost peer sent before may still be received; there will be no more. */
    msg = frd_match_take(fabric->match, peer, &tag);
    if (msg != NULL)
        msg->done(msg, FEDRDMA_ERR_RANK_LOST);
}

void frd_fabric_cancel(frd_fabric *fabric, frd_msg *msg)
{
    if (msg->net != NULL)
        msg->net->ops->cancel(msg->net, msg);
    else if (frd_match_cancel(fabric->match, msg))
        msg->done(msg, FEDRDMA_ERR_CANCELED);
}

void frd_fabric_purge(frd_fabric *fabric, int peer)
{
    frd_match_purge(fabric->match, peer);
}

int frd_fabric_progress(frd_fabric *fabric)
{
    int events = 0;

    for (size_t i = 0; i < fabric->nets; i++)
        events += fabric->net[i]->ops->progress(fabric->net[i]);
    return events;
}

frd_net *frd_fabric_net(const frd_fabric *fabric, const frd_net_ops *ops)
{
    for (size_t i = 0; i < fabric->nets; i++) {
        if (fabric->net[i]->ops == ops)
            return fabric->net[i];
    }
    return NULL;
}

bool frd_fabric_flushed(frd_fabric *fabric)
{
    bool all = true;

    for (size_t i = 0; i < fabric->nets; i++)
        all = fabric->net[i]->ops->flushed(fabric->net[i]) && all;
    return all;
}

void frd_fabric_idle(frd_fabric *fabric, uint64_t idle_since_ns, uint64_t deadline_ns)
{
    frd_wait_step(&fabric->wait, idle_since_ns, deadline_ns);
}

bool frd_fabric_crowded(const frd_fabric *fabric)
{
    return fabric->crowded;
}

/* ---- memory --------------------------------------------------------------------------------------- */

static void memory_free(frd_fabric *fabric, size_t nets, void *memory, size_t bytes)
{
    bool freed = false;

    for (size_t i = nets; i-- > 0;) {
        frd_net *const net = fabric->net[i];

        if (net->ops->mem_remove != NULL)
            net->ops->mem_remove(net, memory, bytes);
    }
    for (size_t i = 0; i < fabric->nets && !freed; i++)
        freed = fabric->net[i]->ops->mem_free != NULL && fabric->net[i]->ops->mem_free(fabric->net[i], memory);
    if (!freed)
        (void)munmap(memory, frd_max_size(bytes, 1));
}

static void *private_memory(size_t bytes)
{
    void *const block =
        mmap(NULL, frd_max_size(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return NULL;
    (void)madvise(block, bytes, MADV_HUGEPAGE); /* reading it from another process is 2-3 times faster */
    return block;
}

/* One transport, or nobody in particular, provides the memory; the transports register it, those that care. */
int frd_fabric_mem_add(frd_fabric *fabric, size_t bytes, void **memory, frd_story *story)
{
    void *block = NULL;

    for (size_t i = 0; i < fabric->nets && block == NULL; i++) {
        if (fabric->net[i]->ops->mem_new != NULL)
            block = fabric->net[i]->ops->mem_new(fabric->net[i], bytes);
    }
    if (block == NULL)
        block = private_memory(bytes);
    if (block == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "%zu bytes of memory", bytes);
    for (size_t i = 0; i < fabric->nets; i++) {
        frd_net *const net = fabric->net[i];
        const int rc = net->ops->mem_add == NULL ? FEDRDMA_OK : net->ops->mem_add(net, block, bytes, story);

        if (rc != FEDRDMA_OK) {
            memory_free(fabric, i, block, bytes);
            return rc;
        }
    }
    *memory = block;
    return FEDRDMA_OK;
}

void frd_fabric_mem_remove(frd_fabric *fabric, void *memory, size_t bytes)
{
    memory_free(fabric, fabric->nets, memory, bytes);
}
