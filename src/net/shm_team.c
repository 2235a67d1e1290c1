/* SPDX-License-Identifier: BSD-3-Clause
 * shm_team.c - a team's segment: made by the first member as a memfd, opened by the others through
 * /proc/<pid>/fd, so nothing is left behind by members that are killed. Start-up and end only. */
#include "net/shm_team.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/shm_impl.h"
#include "net/shm_pages.h"
#include "topo/topo.h"

#define MAGIC UINT64_C(0x6672642d7465616e) /* changes with the layout */

enum {
    PAGE = 4096,
    RING_MIN = 64 * 1024,
    RING_MAX = 1 << 30,
    WHOLE_MAX = 32 * 1024,        /* allreduce: below it slices are slower (2 ranks, 4 KiB: 1.3 us, whole 0.6) */
    WHOLE_MAX_CROWDED = 8 * 1024, /* more ranks than cores: each does all the others' work again; not measured */
};

static size_t part_bytes(uint64_t ring)
{
    return frd_round_up(sizeof(frd_team_part) + ring, PAGE);
}

/* A round has a piece of at least a line for every member. */
static uint64_t ring_min(int size)
{
    return frd_max_size(RING_MIN, (size_t)size * 4 * 64);
}

static int map(frd_team *team, int fd, uint64_t ring)
{
    team->bytes = PAGE + (size_t)team->size * part_bytes(ring);
    void *const at = frd_shm_pages_map(fd, team->bytes);
    if (at == NULL)
        return FEDRDMA_ERR_SYSTEM;
    team->head = at;
    team->ring_bytes = ring;
    team->round_bytes = ring / 4; /* so that a round is taken while the next is given */
    for (int i = 0; i < team->size; i++)
        team->part[i] = (frd_team_part *)(void *)((char *)at + PAGE + (size_t)i * part_bytes(ring));
    team->mine = team->part[team->rank];
    return FEDRDMA_OK;
}

int frd_team_create(frd_net *net, const int *world, int size, int rank, frd_team **out, frd_story *story)
{
    frd_team *const team = frd_calloc(1, sizeof(*team));
    const size_t n = (size_t)size;

    if (team == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "team");
    team->shm = (frd_shm *)net;
    team->size = size;
    team->rank = rank;
    team->fd = -1;
    team->world = frd_calloc(n, sizeof(*team->world));
    team->part = frd_calloc(n, sizeof(*team->part));
    team->send_of = frd_calloc(n, sizeof(*team->send_of));
    team->recv_of = frd_calloc(n, sizeof(*team->recv_of));
    team->source = frd_calloc(n, sizeof(*team->source));
    team->scratch = frd_alloc_aligned(FRD_TEAM_LINE, FRD_TEAM_BLOCK);
    if (team->world == NULL || team->part == NULL || team->send_of == NULL || team->recv_of == NULL ||
        team->source == NULL || team->scratch == NULL) {
        frd_team_close(team);
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "team of %d ranks", size);
    }
    memcpy(team->world, world, n * sizeof(*world));
    *out = team;
    return FEDRDMA_OK;
}

/* Twice the second-level cache, see the top of shm_team.h. */
static uint64_t ring_bytes(const frd_team *team, const frd_topo_place *place)
{
    const size_t wanted = team->shm->env->conf->node_ring;
    uint64_t ring = RING_MIN;

    while (ring < ring_min(team->size) || (ring < (wanted != 0 ? wanted : 2 * place->l2_bytes) && ring < RING_MAX))
        ring *= 2;
    return ring;
}

int frd_team_offer(frd_team *team, frd_team_card *card, frd_story *story)
{
    frd_topo_place place = { 0 };
    frd_story unknown = { .log = NULL }; /* a machine that hwloc can't read has the defaults */
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    memset(card, 0, sizeof(*card));
    card->fd = -1;
    card->ranks = team->size;
    (void)frd_topo_place_find(NULL, &unknown, &place);
    card->ring_bytes = ring_bytes(team, &place);
    frd_process_self(&card->process);
    if (getrandom(card->key, sizeof(card->key), 0) != (ssize_t)sizeof(card->key))
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no random bytes: %s", strerror(errno));
    team->fd = memfd_create("fedrdma_team", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (team->fd < 0 ||
        ftruncate(team->fd, (off_t)(PAGE + (size_t)team->size * part_bytes(card->ring_bytes))) != 0 ||
        fcntl(team->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        map(team, team->fd, card->ring_bytes) != FEDRDMA_OK)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no shared memory for a team of %d ranks: %s", team->size,
                        strerror(errno));
    card->fd = team->fd;
    team->head->magic = MAGIC;
    memcpy(team->head->key, card->key, sizeof(card->key));
    team->head->ranks = (uint64_t)team->size;
    team->head->ring_bytes = card->ring_bytes;
    team->head->crowded = cores > 0 && team->size > cores;
    team->head->whole_max = team->head->crowded ? WHOLE_MAX_CROWDED : WHOLE_MAX;
    team->head->nontemporal = frd_max_size(place.cache_bytes, 4 << 20);
    return FEDRDMA_OK;
}

static int open_segment(frd_team *team, const frd_team_card *card, frd_story *story)
{
    char path[64];
    struct stat st;
    const char *why = NULL;

    if (card->fd < 0 || card->ranks != team->size || card->ring_bytes < ring_min(team->size) ||
        card->ring_bytes > RING_MAX ||
        (card->ring_bytes & (card->ring_bytes - 1)) != 0)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "rank %d offers no segment", team->world[0]);
    snprintf(path, sizeof(path), "/proc/%lld/fd/%d", (long long)card->process.pid, card->fd);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        why = strerror(errno);
    else if ((size_t)st.st_size != PAGE + (size_t)team->size * part_bytes(card->ring_bytes) ||
             (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        why = "it is another one";
    else if (map(team, fd, card->ring_bytes) != FEDRDMA_OK)
        why = strerror(errno);
    else if (team->head->magic != MAGIC || memcmp(team->head->key, card->key, sizeof(card->key)) != 0)
        why = "it is another one";
    if (fd >= 0)
        close(fd);
    return why == NULL ? FEDRDMA_OK
                       : frd_fail(story, FEDRDMA_ERR_SYSTEM, "the segment of rank %d can't be used: %s", team->world[0],
                                  why);
}

int frd_team_join(frd_team *team, const frd_team_card *card, frd_story *story)
{
    int rc = FEDRDMA_OK;

    for (int i = 0; i < team->size && rc == FEDRDMA_OK; i++) {
        if (i != team->rank && team->shm->by_rank[team->world[i]] == NULL)
            rc = frd_fail(story, FEDRDMA_ERR_SYSTEM, "rank %d is not reached through shared memory", team->world[i]);
    }
    if (rc == FEDRDMA_OK && team->head == NULL)
        rc = open_segment(team, card, story);
    if (rc == FEDRDMA_OK && !team->shm->can_fence_others)
        atomic_fetch_add(&team->head->fences, 1);
    return rc;
}

void frd_team_joined(frd_team *team, bool sharing)
{
    if (team->fd >= 0)
        close(team->fd);
    team->fd = -1;
    team->sharing = sharing;
    team->crowded = team->head->crowded;
    team->whole_max = team->head->whole_max;
    team->nontemporal = team->head->nontemporal;
    team->fenced = atomic_load(&team->head->fences) > 0;
    team->next = team->shm->teams;
    team->shm->teams = team;
}

void frd_team_close(frd_team *team)
{
    if (team == NULL)
        return;
    frd_team **at = team->shm != NULL ? &team->shm->teams : NULL;
    while (at != NULL && *at != NULL && *at != team)
        at = &(*at)->next;
    if (at != NULL && *at == team)
        *at = team->next;
    if (team->head != NULL)
        (void)munmap(team->head, team->bytes);
    if (team->fd >= 0)
        close(team->fd);
    frd_free(team->world);
    frd_free(team->part);
    frd_free(team->send_of);
    frd_free(team->recv_of);
    frd_free(team->source);
    frd_free(team->scratch);
    frd_free(team->skips);
    frd_free(team);
}
