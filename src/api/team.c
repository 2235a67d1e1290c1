/* SPDX-License-Identifier: BSD-3-Clause
 * team.c - gives a communicator whose ranks all share a node its team: two exchanges among them, of the segment that
 * the first rank made, and of who could open it. All use it or none. */
#include <string.h>

#include "api/request.h"
#include "base/mem.h"

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

/* Whether to try is known to all ranks alike; whether it works is not. */
int frd_comm_join_team(frd_comm *comm)
{
    const size_t n = (size_t)comm->channel.size, rank = (size_t)comm->channel.rank;
    const fedrdma_attr attr = comm->attr, brief = { .deadline_ns = comm->ctx->conf.connect_timeout };
    static const char what[] = "joining the node's ranks";
    frd_story story = { .log = NULL };
    frd_team *team = NULL;
    bool all = true;

    if (n < 2 || n > FRD_TEAM_RANKS_MAX || comm->nnodes != 1)
        return FEDRDMA_OK;
    frd_team_card *const cards = frd_calloc(n, sizeof(*cards));
    int32_t *const joined = frd_calloc(n, sizeof(*joined));
    if (cards == NULL || joined == NULL) {
        frd_free(cards);
        frd_free(joined);
        return frd_comm_fail(comm, FEDRDMA_ERR_NOMEM, "out of memory for a communicator of %zu ranks", n);
    }
    comm->attr = brief;
    int mine = offer(comm, &team, &cards[rank], &story);
    int rc = frd_comm_allgather(comm, cards, sizeof(*cards), what);
    if (mine == FEDRDMA_OK && rc == FEDRDMA_OK)
        mine = frd_team_join(team, &cards[0], &story);
    joined[rank] = mine == FEDRDMA_OK;
    if (rc == FEDRDMA_OK)
        rc = frd_comm_allgather(comm, joined, sizeof(*joined), what);
    for (size_t i = 0; i < n; i++)
        all = all && joined[i] == 1;
    if (rc == FEDRDMA_OK && all) {
        frd_team_joined(team);
        comm->channel.team = team;
    } else {
        frd_team_close(team);
        if (rc == FEDRDMA_OK)
            frd_logf(&comm->ctx->log, FEDRDMA_LOG_INFO, "collectives within the node use messages: %s",
                     mine != FEDRDMA_OK ? story.text : "another rank can't share memory");
    }
    frd_cache_clear(&comm->cache); /* what the exchanges recorded was for messages */
    comm->attr = attr;
    frd_free(cards);
    frd_free(joined);
    return rc;
}
