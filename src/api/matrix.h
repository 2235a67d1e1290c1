/* SPDX-License-Identifier: BSD-3-Clause
 * matrix.h - the matrix of links between the silos of a communicator (topo/links.h), as the transports see
 * them: each rank looks at its own, and an exchange makes that known to all. */
#ifndef FRD_API_MATRIX_H
#define FRD_API_MATRIX_H

#include "api/comm.h"

/* What was seen of the link to one silo; goes between ranks. All zero: nothing was. */
typedef struct frd_matrix_row {
    uint64_t rate_bps, rtt_ns;
    uint32_t loss_ppm, hops;
    int32_t via[FRD_LINK_HOPS]; /* silos */
    uint32_t zero;
} frd_matrix_row;
_Static_assert(sizeof(frd_matrix_row) == 40, "wire format");

/* A matrix of the communicator's silos, with what the topology file declares. FEDRDMA_ERR_NOMEM. */
int frd_matrix_create(const frd_comm *comm, frd_links **links);

/* The rank that speaks for a silo: its first gateway. */
int frd_matrix_gateway(const frd_comm *comm, int silo);

/* Where the transport to a rank of another silo keeps count of such things: what it has seen. Rate and round
 * trip are as of lately; loss is of what was sent since `before`, which is moved on (all zero at first). */
bool frd_matrix_look(const frd_comm *comm, int rank, frd_net_sight *before, frd_matrix_row *row);

/* Collective, blocking: `rows`, by silo, are what this rank has seen of the links from its silo; what anybody
 * has goes into everybody's matrix. Errors as of fedrdma_allgather. */
int frd_matrix_share(fedrdma_comm *comm, const frd_matrix_row *rows, frd_links *links);

#endif
