/* SPDX-License-Identifier: BSD-3-Clause
 * matrix.c - links seen by ranks become a matrix of silos that all ranks know. An exchange is one allgather
 * of 40 bytes a silo from each rank. */
#include "api/matrix.h"

#include "base/clock.h"
#include "base/mem.h"

#define BITS_PER_BYTE 8
#define PPM 1000000

int frd_matrix_create(const frd_comm *comm, frd_links **out)
{
    const frd_silos *const silos = comm->ctx->silos;
    const int n = comm->nsilos;
    frd_links *links;
    int number[FRD_LINKS_MAX];

    int rc = frd_links_create(n, &links);
    if (rc != FEDRDMA_OK)
        return rc;
    for (int i = 0; silos != NULL && i < comm->channel.size; i++)
        number[comm->silo_of[i]] = frd_silos_find(silos, comm->silo_by_rank[i]);
    for (int i = 0; silos != NULL && i < n * n; i++) {
        const int from = number[i / n], to = number[i % n];

        if (i / n == i % n || from < 0 || to < 0)
            continue;
        frd_link_facts facts = frd_links_get(silos->links, from, to)->declared;
        facts.rate_bps = frd_silos_cap_bps(silos, from, to);
        frd_links_declare(links, i / n, i % n, frd_links_get(silos->links, from, to)->flags, &facts);
    }
    *out = links;
    return FEDRDMA_OK;
}

int frd_matrix_gateway(const frd_comm *comm, int silo)
{
    return comm->levels != NULL ? comm->levels->gate_peer[silo] : 0;
}

/* The silo of a world rank; -1: it is not in the communicator. */
static int silo_of_world(const frd_comm *comm, int world)
{
    for (int i = 0; i < comm->channel.size; i++) {
        if (comm->world[i] == world)
            return comm->silo_of[i];
    }
    return -1;
}

bool frd_matrix_look(const frd_comm *comm, int rank, frd_net_sight *before, frd_matrix_row *row)
{
    frd_net_sight now;

    if (!frd_fabric_look(comm->ctx->fabric, comm->world[rank], &now))
        return false;
    const uint64_t delivered = now.delivered_bytes - before->delivered_bytes;
    const uint64_t lost = now.lost_bytes - before->lost_bytes;

    *row = (frd_matrix_row){ .rate_bps = now.rate * BITS_PER_BYTE, .rtt_ns = now.rtt_ns };
    /* Of another route than before the difference says nothing. */
    if (now.delivered_bytes >= before->delivered_bytes && now.lost_bytes >= before->lost_bytes &&
        delivered > 0)
        row->loss_ppm = (uint32_t)((double)lost * PPM / (double)(lost + delivered));
    for (unsigned i = 0; i < now.hops; i++) {
        const int silo = silo_of_world(comm, now.via[i]);

        if (silo >= 0)
            row->via[row->hops++] = silo;
    }
    *before = now;
    return true;
}

/* What others say is checked: it becomes indices. */
static void take(frd_links *links, int from, int to, const frd_matrix_row *row)
{
    const int n = frd_links_count(links);
    const frd_link_facts facts = { .rate_bps = row->rate_bps,
                                   .rtt_ns = row->rtt_ns,
                                   .loss_ppm = row->loss_ppm < PPM ? row->loss_ppm : PPM };

    if ((row->rate_bps == 0 && row->rtt_ns == 0) || row->hops > FRD_LINK_HOPS)
        return;
    for (uint32_t i = 0; i < row->hops; i++) {
        if (row->via[i] < 0 || row->via[i] >= n)
            return;
    }
    frd_links_measure(links, from, to, &facts, frd_now_ns());
    frd_links_measure_route(links, from, to, row->via, row->hops);
}

int frd_matrix_share(fedrdma_comm *handle, const frd_matrix_row *rows, frd_links *links)
{
    int rc = FEDRDMA_OK;
    const frd_comm *const comm = frd_comm_of(handle, "links", &rc);

    if (comm == NULL)
        return rc;
    const int n = comm->nsilos, size = comm->channel.size;
    const size_t bytes = (size_t)n * sizeof(*rows);
    frd_matrix_row *const all = frd_calloc((size_t)size, bytes);

    if (all == NULL)
        return FEDRDMA_ERR_NOMEM;
    rc = fedrdma_allgather(rows, bytes, FEDRDMA_U8, all, bytes, FEDRDMA_U8, handle);
    for (int i = 0; i < size * n && rc == FEDRDMA_OK; i++) {
        const int from = comm->silo_of[i / n], to = i % n;

        if (from != to)
            take(links, from, to, &all[i]);
    }
    frd_free(all);
    return rc;
}
