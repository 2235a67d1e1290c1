/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_memory.c - memory of fedrdma_alloc, registered with the network once. All other buffers are left to UCX's
 * own cache of registrations. A look-up is linear: a program has a handful of such blocks, and only large
 * messages ask. */
#include <assert.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "net/ucx_parts.h"

/* Registered memory cannot be paged out, which is what the usual refusal is about. */
static int refused(frd_story *story, size_t bytes, ucs_status_t status)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < bytes)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM,
                        "UCX cannot register %zu bytes with the network (%s): this process may lock %zu bytes; "
                        "raise that limit (ulimit -l unlimited)",
                        bytes, ucs_status_string(status), (size_t)limit.rlim_cur);
    return frd_fail(story, status == UCS_ERR_NO_MEMORY ? FEDRDMA_ERR_NOMEM : FEDRDMA_ERR_SYSTEM,
                    "UCX cannot register %zu bytes with the network: %s", bytes, ucs_status_string(status));
}

int frd_ucx_mem_add(frd_net *base, void *memory, size_t bytes, frd_story *story)
{
    frd_ucx *const net = (frd_ucx *)base;
    const ucp_mem_map_params_t params = {
        .field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH,
        .address = memory,
        .length = bytes,
    };
    const frd_log *outer;
    frd_ucx_region *more;
    ucp_mem_h memh;
    ucs_status_t status;

    if (bytes == 0)
        return FEDRDMA_OK;
    more = frd_realloc(net->region, (net->regions + 1) * sizeof(*more));
    if (more == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "%zu blocks of registered memory", net->regions + 1);
    net->region = more;
    outer = frd_ucx_log_enter(net->env.log);
    status = ucp_mem_map(net->context, &params, &memh);
    frd_ucx_log_leave(outer);
    if (status != UCS_OK)
        return refused(story, bytes, status);
    more[net->regions++] = (frd_ucx_region){ memory, bytes, memh };
    return FEDRDMA_OK;
}

void frd_ucx_mem_remove(frd_net *base, void *memory, size_t bytes)
{
    frd_ucx *const net = (frd_ucx *)base;

    (void)bytes;
    for (size_t i = 0; i < net->regions; i++) {
        if (net->region[i].start == memory) {
            const frd_log *const outer = frd_ucx_log_enter(net->env.log);

            ucp_mem_unmap(net->context, net->region[i].memh);
            frd_ucx_log_leave(outer);
            net->region[i] = net->region[--net->regions];
            return;
        }
    }
}

void frd_ucx_mem_close(frd_ucx *net)
{
    while (net->regions > 0)
        ucp_mem_unmap(net->context, net->region[--net->regions].memh);
    frd_free(net->region);
    net->region = NULL;
}

void frd_ucx_mem_use(const frd_ucx *net, const void *buf, size_t len, ucp_request_param_t *param)
{
    for (size_t i = 0; i < net->regions; i++) {
        const frd_ucx_region *const region = &net->region[i];
        const size_t from = (size_t)((uintptr_t)buf - (uintptr_t)region->start);

        if ((uintptr_t)buf >= (uintptr_t)region->start && from <= region->bytes && len <= region->bytes - from) {
            param->op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
            param->memh = region->memh;
            return;
        }
    }
}
