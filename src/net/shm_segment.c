/* SPDX-License-Identifier: BSD-3-Clause
 * shm_segment.c - making a segment, and opening another rank's. Start-up only.
 *
 * A peer is believed to be who its card says only when everything fits: same node, same pid namespace, the
 * process with that pid started when the card says, and the memory behind its descriptor carries the card's
 * random key and is sealed against shrinking (so that touching it can't raise SIGBUS). */
#include "net/shm_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/num.h"
#include "topo/topo.h"

enum {
    PAGE = 4096, /* alignment within the segment; larger pages only waste less */
    RING_MAX = 1 << 30
};

/* Two ranks of one node have the same; conf.node says what a node is, else the host. Another user's
 * descriptors can't be opened. */
static void identify_node(const frd_conf *conf, frd_shm_card *card)
{
    char host[FRD_TOPO_IDENTITY_MAX], text[512];

    frd_topo_node_identity(host, sizeof(host));
    if (conf->node[0] != '\0')
        snprintf(text, sizeof(text), "node %s", conf->node);
    else
        snprintf(text, sizeof(text), "host %s user %u", host, (unsigned)geteuid());
    card->node_hash = frd_hash_text(FRD_HASH_START, text);
    snprintf(card->node, sizeof(card->node), "%.*s", FRD_SHM_NODE_MAX - 1, text);
}

static uint64_t ring_size(size_t wanted)
{
    uint64_t size = FRD_SHM_RING_MIN;

    while (size < wanted && size < RING_MAX)
        size *= 2;
    return size;
}

/* false when the layout does not fit a size_t. */
static bool layout(uint64_t ranks, uint64_t ring_bytes, frd_shm_segment *segment)
{
    size_t rings;

    segment->ring_bytes = ring_bytes;
    segment->ring_stride = frd_round_up(sizeof(frd_shm_ring_shared) + ring_bytes, PAGE);
    return !frd_mul_overflows(segment->ring_stride, ranks, &rings) &&
           !frd_add_overflows(rings, frd_round_up(sizeof(frd_shm_head), PAGE), &segment->bytes);
}

static int map(frd_shm_segment *segment, int fd)
{
    void *const at = mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (at == MAP_FAILED)
        return FEDRDMA_ERR_SYSTEM;
    segment->head = at;
    return FEDRDMA_OK;
}

int frd_shm_segment_create(const frd_conf *conf, int rank, int ranks, frd_shm_card *card,
                           frd_shm_segment *segment, int fd[3], frd_story *story)
{
    frd_shm_segment s = { .head = NULL };
    frd_shm_head *head;

    fd[0] = fd[1] = fd[2] = -1;
    memset(card, 0, sizeof(*card));
    frd_process_self(&card->process);
    identify_node(conf, card);
    card->rank = rank;
    card->ranks = ranks;
    if (!layout((uint64_t)ranks, ring_size(conf->shm_ring), &s))
        return frd_fail(story, FEDRDMA_ERR_INVALID, "shm_ring is too large for %d ranks", ranks);
    if (getrandom(card->key, sizeof(card->key), 0) != (ssize_t)sizeof(card->key))
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no random bytes: %s", strerror(errno));
    fd[0] = memfd_create("fedrdma", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd[0] < 0 || ftruncate(fd[0], (off_t)s.bytes) != 0 ||
        fcntl(fd[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        map(&s, fd[0]) != FEDRDMA_OK)
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no shared memory of %zu bytes: %s", s.bytes,
                        strerror(errno));
    if (pipe2(fd + 1, O_CLOEXEC | O_NONBLOCK) != 0) {
        frd_shm_segment_unmap(&s);
        return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no pipe: %s", strerror(errno));
    }
    card->memory_fd = fd[0];
    card->wake_fd = fd[2];
    head = s.head;
    head->magic = FRD_SHM_MAGIC;
    memcpy(head->key, card->key, sizeof(head->key));
    head->ranks = (uint64_t)ranks;
    head->ring_bytes = s.ring_bytes;
    head->ring_stride = s.ring_stride;
    *segment = s;
    return FEDRDMA_OK;
}

static int open_fd_of(const frd_shm_card *peer, int fd, int flags)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%lld/fd/%d", (long long)peer->process.pid, fd);
    return open(path, flags | O_CLOEXEC | O_NONBLOCK);
}

/* Maps the memory behind `fd` if it is what the card says. */
static const char *map_peer(const frd_shm_card *own, const frd_shm_card *peer, int fd,
                            frd_shm_segment *segment)
{
    frd_shm_segment s = { .bytes = sizeof(frd_shm_head) };
    struct stat st;
    uint64_t ring_bytes;

    if (fstat(fd, &st) != 0 || (size_t)st.st_size < sizeof(frd_shm_head) ||
        (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
        return "its shared memory is not what its card says";
    if (map(&s, fd) != FEDRDMA_OK)
        return "its shared memory can't be mapped";
    ring_bytes = s.head->magic == FRD_SHM_MAGIC ? s.head->ring_bytes : 0;
    if (memcmp(s.head->key, peer->key, sizeof(peer->key)) != 0 || s.head->ranks != (uint64_t)own->ranks)
        ring_bytes = 0;
    frd_shm_segment_unmap(&s);
    if (ring_bytes < FRD_SHM_RING_MIN || ring_bytes > RING_MAX || (ring_bytes & (ring_bytes - 1)) != 0 ||
        !layout((uint64_t)own->ranks, ring_bytes, &s) || s.bytes != (size_t)st.st_size)
        return "its shared memory belongs to something else";
    if (map(&s, fd) != FEDRDMA_OK)
        return "its shared memory can't be mapped";
    *segment = s;
    return NULL;
}

const char *frd_shm_segment_open(const frd_shm_card *own, const frd_shm_card *peer, frd_shm_segment *segment,
                                 int *wake_fd)
{
    const char *why = NULL;
    struct stat st;
    int memory, wake;

    if (memcmp(peer->process.boot_id, own->process.boot_id, sizeof(own->process.boot_id)) != 0 ||
        peer->node_hash != own->node_hash || memcmp(peer->node, own->node, sizeof(own->node)) != 0)
        return "it is on another node";
    if (peer->process.pid_namespace != own->process.pid_namespace || peer->process.pid <= 0)
        return "it is in another pid namespace";
    memory = open_fd_of(peer, peer->memory_fd, O_RDWR);
    /* Also open for reading: a pipe that we could read ourselves never raises SIGPIPE. */
    wake = open_fd_of(peer, peer->wake_fd, O_RDWR);
    if (memory < 0 || wake < 0)
        why = "its descriptors in /proc can't be opened (another user, or not dumpable)";
    else if (frd_process_start(peer->process.pid) != peer->process.start_ticks)
        why = "its process has ended";
    else if (fstat(wake, &st) != 0 || !S_ISFIFO(st.st_mode))
        why = "its wake pipe is none";
    else
        why = map_peer(own, peer, memory, segment);
    if (memory >= 0)
        close(memory);
    if (why != NULL && wake >= 0)
        close(wake);
    if (why == NULL)
        *wake_fd = wake;
    return why;
}

void frd_shm_segment_unmap(frd_shm_segment *segment)
{
    if (segment->head != NULL)
        (void)munmap(segment->head, segment->bytes);
    segment->head = NULL;
}

frd_shm_ring frd_shm_segment_ring(const frd_shm_segment *segment, int sender)
{
    unsigned char *const at = (unsigned char *)segment->head + frd_round_up(sizeof(frd_shm_head), PAGE) +
                              (size_t)sender * segment->ring_stride;

    return (frd_shm_ring){ .shared = (frd_shm_ring_shared *)(void *)at,
                           .data = at + sizeof(frd_shm_ring_shared),
                           .size = segment->ring_bytes };
}
