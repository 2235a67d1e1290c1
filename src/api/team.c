/* SPDX-License-Identifier: BSD-3-Clause
 * team.c - gives a communicator whose ranks all share a node its team: two exchanges among them, of the segment that
 * the first rank made, and of who could open it. All use it or none. */
#include "api/request.h"

/* Our own part of it: makes the team, and the segment if we are the first rank. */
static int offer(const frd_comm *comm, frd_team **team, frd_team_card *card, frd_story *story)
{
    const frd_channel *const ch = &comm->channel;
    frd_net *const net = frd_fabric_net(comm->ctx->fabric, &frd_net_shm);

    if (net == NULL)
        return frd_fail(story, FEDRDMA_ERR_UNSUPPORTED, "the transport shm is not in use");
    const int rc = frd_team_create(net, comm->world, ch->size, ch->rank, team, story);
    return rc == FEDRDMA_OK && ch->rank == 0 ? frd_team_offer(*team, card, story) : rc;
}

/* Takes part in both exchanges, also without a communicator to join for, since all ranks of the exchange have to. */
int frd_comm_join_team(frd_comm *comm, const frd_team_exchange *x, frd_story *story)
{
    const bool possible = comm != NULL && comm->nnodes == 1 && comm->channel.size > 1 &&
                          comm->channel.size <= FRD_TEAM_RANKS_MAX;
    frd_team_card *const cards = x->room;
    int32_t *const joined = (int32_t *)(void *)(cards + x->ranks);
    frd_story why = { .log = NULL };
    frd_team *team = NULL;
    int mine = FEDRDMA_ERR_UNSUPPORTED;
    bool all = possible;

    if (possible)
        mine = offer(comm, &team, &cards[x->rank], &why);
    int rc = x->gather(x->arg, cards, sizeof(*cards), story);
    if (rc == FEDRDMA_OK && mine == FEDRDMA_OK)
        mine = frd_team_join(team, &cards[x->member[0]], &why);
    joined[x->rank] = mine == FEDRDMA_OK;
    if (rc == FEDRDMA_OK)
        rc = x->gather(x->arg, joined, sizeof(*joined), story);
    for (int i = 0; all && i < comm->channel.size; i++)
        all = joined[x->member[i]] == 1;
    if (rc == FEDRDMA_OK && all) {
        frd_team_joined(team, frd_fabric_crowded(comm->ctx->fabric));
        comm->channel.team = team;
    } else {
        frd_team_close(team);
        if (rc == FEDRDMA_OK && possible)
            frd_logf(&comm->ctx->log, FEDRDMA_LOG_INFO, "collectives within the node use messages: %s",
                     mine != FEDRDMA_OK ? why.text : "another rank can't share memory");
    }
    return rc;
}
