/* SPDX-License-Identifier: BSD-3-Clause
 * policy.h - what the topology file lets ranks of different silos do: who talks straight to whom, who opens
 * the connection and where, who relays, and how much may be sent. Without a file everything is allowed, and
 * the first gateway of each silo relays.
 *
 * Caps are of silos, and a silo has several ranks: each of its gateways gets an equal share; where there are
 * other ranks, which send little between silos, these share a sixteenth. So the sum never exceeds the cap. */
#ifndef FRD_API_POLICY_H
#define FRD_API_POLICY_H

#include "net/net.h"

struct frd_place;
typedef struct frd_policy frd_policy;

typedef struct frd_policy_facts {
    const frd_silos *silos;         /* NULL: no file */
    const struct frd_place *places; /* by rank; like `silos` it outlives the policy */
    int size, rank;
    int gateways; /* of each silo, wanted */
} frd_policy_facts;

/* FEDRDMA_ERR_UNREACHABLE: two silos of the job may not talk, and none that is in it can relay for them (the
 * same on all ranks). FEDRDMA_ERR_NOMEM. */
int frd_policy_create(const frd_policy_facts *facts, frd_story *story, frd_policy **policy);
void frd_policy_free(frd_policy *policy); /* NULL is fine */
const frd_net_policy *frd_policy_net(const frd_policy *policy);

/* How many gateways each silo should have: `option` if above 0, else as many as the file names for each of
 * the silos of these ranks (in `places`; NULL: of all), else one. */
int frd_policy_gateways(const frd_silos *silos, const struct frd_place *places, const int *ranks, int size,
                        int option);

#endif
