/* SPDX-License-Identifier: BSD-3-Clause
 * sim.h - runs the schedules that the algorithms record, of all ranks, in virtual time on a model of machines and
 * links. For what nobody here can rent: thousands of ranks, hundreds of silos.
 *
 * The model. A rank does one thing at a time: local steps, and its side of each message. A message
 *     within a node         takes both ends' time, and a latency
 *     within a silo         passes the sending node's port, a latency, the receiving node's port
 *     between silos         passes its gateway, its silo's line, the link, the latency, the other silo's line and
 *                           gateway; through a relay that silo's lines and another link as well
 * Each of these has a rate and serves messages one after the other, in the order in which their first bytes come;
 * bytes pass on as they come, so that a message costs its length once on its way, at the slowest place. There are no
 * packets and no rate control: a line is as well used as `wan_share` says it is. What is lost on a link costs its
 * share of the link, and delays a message by a round trip if it was among the last of it.
 *
 * Deterministic: the same world, call and seed give the same result. */
#ifndef FRD_SIM_SIM_H
#define FRD_SIM_SIM_H

#include "collectives/cut.h"

/* Of machines. Times in ns, rates in bytes per second. */
typedef struct frd_sim_costs {
    double step_ns;                    /* a local step, beside its bytes */
    double copy_rate, reduce_rate;     /* of its output */
    double message_ns;                 /* each end of a message */
    double node_ns, node_rate;         /* within a node; the rate is each end's */
    double fabric_ns, fabric_rate;     /* within a silo; the rate is a node's, each way */
    double wan_ns, gateway_rate;       /* between silos, beside the link's latency; the rate is a gateway's, each way */
    double wan_share;                  /* of a line's bytes that are payload, at best: headers, rate control */
    double call_ns, call_rate;         /* a collective of a node in shared memory */
    double notice_ns;                  /* until a link that went down is left for a relay */
} frd_sim_costs;

/* Rough figures of a server of today, but for wan_share, which the WAN transport was seen to reach (docs/plan.md). */
extern const frd_sim_costs frd_sim_costs_default;

/* One direction between two silos; rates in bytes per second, 0: none but the lines'. */
typedef struct frd_sim_link {
    double rate, latency_ns;
    double jitter_ns; /* a message is late by up to so much */
    double loss;      /* of packets */
    bool talk;        /* else only through a relay */
} frd_sim_link;

typedef struct frd_sim_silo {
    double egress, ingress; /* 0: no limit */
    bool relay;
} frd_sim_silo;

/* A link is down, both ways, for some time. */
typedef struct frd_sim_outage {
    int a, b;
    double from_ns, until_ns;
} frd_sim_outage;

typedef struct frd_sim_world {
    int ranks, silos;
    const int *silo, *node;     /* by rank; nodes are numbered through all silos; no node is in two */
    const frd_sim_silo *line;   /* by silo */
    const frd_sim_link *link;   /* [from * silos + to] */
    const frd_sim_outage *outage;
    size_t outages;
    int gateways;               /* of each silo, at most */
    const struct frd_forest *forest; /* a plan of the ways between them, or NULL */
    size_t fragment, window;    /* the options */
    uint64_t seed;
    const frd_sim_costs *costs;
    void (*progress)(double share, void *arg); /* now and then, or NULL */
    void *arg;
} frd_sim_world;

typedef struct frd_sim_result {
    double seconds;          /* until the last rank is done; all begin at 0 */
    uint64_t messages, events;
    size_t fragments;
    uint64_t scratch_bytes;  /* of the rank that needs most: scratch of schedules, */
    uint64_t early_bytes;    /* and what came before its receive */
    uint64_t *link_bytes;    /* [from * silos + to], payload; the caller's, silos x silos, or NULL */
} frd_sim_result;

/* Runs one call of the group of all ranks, of root or size as it says (regular ones only), by `algo`.
 * FEDRDMA_ERR_INVALID: no such world, or two silos can't reach each other. FEDRDMA_ERR_NOMEM. Errors of
 * frd_coll_record. FEDRDMA_ERR_INTERNAL: the schedules wait for each other. */
int frd_sim_run(const frd_sim_world *world, const frd_algo *algo, const frd_call *call, frd_story *story,
                frd_sim_result *result);

#endif
