/* SPDX-License-Identifier: BSD-3-Clause
 * fabric_start.c - which transport carries what to whom.
 *
 * Start-up is three exchanges among all ranks: lengths of the cards; the cards, padded to the longest; and,
 * after every rank has shown the cards to its own transports, whom each of them reaches. So all ranks know
 * the whole matrix: a transport carries messages between two ranks only if both can, and a pair that nothing
 * joins fails the start on every rank. The third exchange is also the barrier that lets a transport trust,
 * while it connects, that its peers are there.
 *
 * Cost: 1 byte per pair of ranks, on every rank, for the time of the call. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/fabric_impl.h"

/* The bit of a transport in the exchanged matrix is its place here. */
static const struct known {
    const frd_net_ops *ops;
    bool same_host; /* whom it reaches shares our cores */
} known[] = {
    { &frd_net_shm, true },
    { &frd_net_wan, false },
    { &frd_net_ucx, false },
    { &frd_net_loop, true },
};

enum {
    KNOWN = sizeof(known) / sizeof(known[0]),
    CARDS_MAX = 1 << 20, /* bytes of a rank's cards: UCX's are a few KiB at most; more is a broken peer */
    ALIGN = 8            /* of a card */
};

/* In front of a rank's cards. Another value comes from the other byte order or another version. */
#define CARDS_MAGIC UINT64_C(0x6672642d63617231)
typedef struct wire_head {
    uint64_t magic;
    uint64_t bytes; /* of the cards behind the heads */
} wire_head;
_Static_assert(sizeof(wire_head) == 16, "wire format");

/* In front of each card; the next one follows at a multiple of ALIGN. */
typedef struct wire_card {
    char name[12];
    uint32_t bytes;
} wire_card;
_Static_assert(sizeof(wire_card) == 16, "wire format");

/* What start-up holds; all freed at its end. */
typedef struct start {
    frd_fabric *fabric;
    frd_story *story;
    const void *card[KNOWN]; /* of net[i] */
    size_t card_bytes[KNOWN];
    unsigned char *mine, *all; /* cards: ours, everyone's */
    wire_head *head;           /* everyone's */
    size_t stride;             /* of `all` */
    unsigned char *reach;      /* ours: a byte of bits per peer */
    unsigned char *matrix;     /* everyone's */
    frd_story unopened;        /* why transports were not opened */
    frd_story why;             /* why some peer cannot be reached */
    int why_peer;              /* that peer; -1: none */
} start;

/* The next name of a comma-separated list, without blanks; false at its end. */
static bool next_name(const char **list, const char **name, size_t *len)
{
    const char *at = *list + strspn(*list, ", ");

    *name = at;
    *len = strcspn(at, ", ");
    *list = at + *len;
    return *len > 0;
}

static int find_known(const char *name, size_t len)
{
    for (int k = 0; k < KNOWN; k++) {
        if (strlen(known[k].ops->name) == len && memcmp(known[k].ops->name, name, len) == 0)
            return k;
    }
    return -1;
}

/* Adds "name: reason" to a list of why transports don't do. */
static void add_reason(frd_story *why, const char *name, const char *reason)
{
    const size_t used = strlen(why->text);

    snprintf(why->text + used, sizeof(why->text) - used, "%s%s: %.240s", used > 0 ? "; " : "", name, reason);
}

/* Opens one transport. One that cannot work here is left out: the others may do. */
static int open_net(start *s, int place)
{
    frd_fabric *const f = s->fabric;
    const size_t i = f->nets;
    frd_story story = { .log = NULL };
    int rc;

    for (size_t k = 0; k < i; k++) {
        if (f->place[k] == place)
            return FEDRDMA_OK;
    }
    rc = known[place].ops->open(&f->env, &story, &f->net[i], &s->card[i], &s->card_bytes[i]);
    if (rc == FEDRDMA_ERR_NOMEM)
        return frd_fail(s->story, rc, "%s: %s", known[place].ops->name, story.text);
    if (rc != FEDRDMA_OK) {
        frd_logf(f->params.log, FEDRDMA_LOG_WARN, "transport %s is not used: %s", known[place].ops->name,
                 story.text);
        add_reason(&s->unopened, known[place].ops->name, story.text);
        return FEDRDMA_OK;
    }
    f->place[i] = (unsigned char)place;
    f->nets++;
    return FEDRDMA_OK;
}

static int open_nets(start *s)
{
    const char *list = s->fabric->params.conf->transports, *name;
    size_t len;
    int rc = FEDRDMA_OK;

    while (rc == FEDRDMA_OK && next_name(&list, &name, &len)) {
        const int place = find_known(name, len);

        if (place < 0)
            return frd_fail(s->story, FEDRDMA_ERR_INVALID,
                            "transports: '%.*s' is none; use shm, wan, ucx, loop, or several with commas",
                            (int)len, name);
        rc = open_net(s, place);
    }
    return rc;
}

/* Our cards, one behind the other. */
static int pack_cards(start *s, size_t *bytes)
{
    unsigned char *at;

    *bytes = 0;
    for (size_t i = 0; i < s->fabric->nets; i++) {
        if (s->card_bytes[i] > CARDS_MAX / (KNOWN + 1))
            return frd_fail(s->story, FEDRDMA_ERR_INTERNAL, "card of %s has %zu bytes",
                            s->fabric->net[i]->ops->name, s->card_bytes[i]);
        *bytes += sizeof(wire_card) + frd_round_up(s->card_bytes[i], ALIGN);
    }
    at = s->mine = frd_calloc(1, *bytes);
    if (at == NULL)
        return frd_fail(s->story, FEDRDMA_ERR_NOMEM, "cards of %zu bytes", *bytes);
    for (size_t i = 0; i < s->fabric->nets; i++) {
        wire_card head = { .bytes = (uint32_t)s->card_bytes[i] };

        assert(strlen(s->fabric->net[i]->ops->name) < sizeof(head.name));
        memcpy(head.name, s->fabric->net[i]->ops->name, strlen(s->fabric->net[i]->ops->name));
        memcpy(at, &head, sizeof(head));
        memcpy(at + sizeof(head), s->card[i], s->card_bytes[i]);
        at += sizeof(head) + frd_round_up(s->card_bytes[i], ALIGN);
    }
    return FEDRDMA_OK;
}

static int exchange(start *s, const void *mine, void *all, size_t bytes)
{
    const frd_fabric_params *const p = &s->fabric->params;

    return p->exchange(p->exchange_arg, mine, all, bytes, s->story);
}

static int exchange_heads(start *s, size_t bytes)
{
    const int size = s->fabric->params.size;
    const wire_head mine = { CARDS_MAGIC, bytes };
    int rc;

    s->head = frd_calloc((size_t)size, sizeof(*s->head));
    if (s->head == NULL)
        return frd_fail(s->story, FEDRDMA_ERR_NOMEM, "card lengths of %d ranks", size);
    rc = exchange(s, &mine, s->head, sizeof(mine));
    if (rc != FEDRDMA_OK)
        return rc;
    for (int r = 0; r < size; r++) {
        if (s->head[r].magic != CARDS_MAGIC || s->head[r].bytes > CARDS_MAX)
            return frd_fail(s->story, FEDRDMA_ERR_UNREACHABLE,
                            "rank %d runs another version of libfedrdma or has the other byte order", r);
        s->stride = frd_max_size(s->stride, s->head[r].bytes);
    }
    return FEDRDMA_OK;
}

static int exchange_cards(start *s)
{
    const size_t size = (size_t)s->fabric->params.size;
    unsigned char *padded;
    size_t bytes;
    int rc = pack_cards(s, &bytes);

    if (rc != FEDRDMA_OK)
        return rc;
    rc = exchange_heads(s, bytes);
    if (rc != FEDRDMA_OK)
        return rc;
    padded = frd_realloc(s->mine, s->stride);
    s->all = padded == NULL ? NULL : frd_calloc(size, s->stride);
    s->mine = padded == NULL ? s->mine : padded;
    if (s->all == NULL)
        return frd_fail(s->story, FEDRDMA_ERR_NOMEM, "cards of %zu ranks", size);
    memset(s->mine + bytes, 0, s->stride - bytes);
    return s->stride == 0 ? FEDRDMA_OK : exchange(s, s->mine, s->all, s->stride);
}

/* The card of `peer` for a transport, NULL when it has none (or malformed ones). */
static const void *find_card(const start *s, int peer, const char *name, size_t *bytes)
{
    const unsigned char *at = s->all + (size_t)peer * s->stride;
    const unsigned char *const end = at + s->head[peer].bytes;

    while ((size_t)(end - at) >= sizeof(wire_card)) {
        wire_card head;
        const unsigned char *const body = at + sizeof(head);

        memcpy(&head, at, sizeof(head));
        if (head.bytes > (size_t)(end - body))
            return NULL;
        if (strncmp(head.name, name, sizeof(head.name)) == 0) {
            *bytes = head.bytes;
            return body;
        }
        at = body + frd_round_up(head.bytes, ALIGN);
        if (at > end)
            return NULL;
    }
    return NULL;
}

static int connect_peer(start *s, int peer)
{
    frd_fabric *const f = s->fabric;
    const frd_net_policy *const policy = f->params.policy;
    frd_net_way way = { .barred = false };
    frd_story why = { .log = NULL };

    if (policy != NULL)
        policy->way(policy->arg, peer, &way);
    for (size_t i = 0; i < f->nets; i++) {
        const char *const name = f->net[i]->ops->name;
        size_t bytes;
        const void *const card = find_card(s, peer, name, &bytes);
        frd_story story = { .log = NULL };
        bool reach = false;

        if (way.barred && !f->net[i]->ops->relays)
            continue;
        if (card != NULL) {
            const int rc = f->net[i]->ops->connect(f->net[i], peer, card, bytes, &reach, &story);

            if (rc != FEDRDMA_OK)
                return frd_fail(s->story, rc, "%s to rank %d: %.400s", name, peer, story.text);
        }
        if (reach)
            s->reach[peer] |= (unsigned char)(1 << f->place[i]);
        else
            add_reason(&why, name, card == NULL ? "that rank does not offer it" : story.text);
    }
    if (s->reach[peer] == 0 && s->why_peer < 0) {
        s->why_peer = peer;
        s->why = why;
        if (way.barred)
            (void)frd_fail(
                &s->why, FEDRDMA_OK,
                "by the topology file their silos exchange nothing without a relay, through which only wan "
                "goes; set FEDRDMA_TRANSPORTS=shm,wan,ucx%s%s",
                why.text[0] != '\0' ? "; " : "", why.text);
    }
    return FEDRDMA_OK;
}

static int connect_peers(start *s)
{
    const int size = s->fabric->params.size;
    int rc = FEDRDMA_OK;

    s->reach = frd_calloc((size_t)size, 1);
    s->matrix = frd_calloc((size_t)size, (size_t)size);
    if (s->reach == NULL || s->matrix == NULL)
        return frd_fail(s->story, FEDRDMA_ERR_NOMEM, "reach of %d ranks", size);
    for (int peer = 0; peer < size && rc == FEDRDMA_OK; peer++) {
        if (peer != s->fabric->params.rank)
            rc = connect_peer(s, peer);
    }
    return rc == FEDRDMA_OK ? exchange(s, s->reach, s->matrix, (size_t)size) : rc;
}

static unsigned joined(const start *s, int a, int b)
{
    const size_t size = (size_t)s->fabric->params.size;

    return s->matrix[(size_t)a * size + (size_t)b] & (unsigned)s->matrix[(size_t)b * size + (size_t)a];
}

static int unreachable(start *s, int a, int b)
{
    const frd_fabric_params *const p = &s->fabric->params;
    const int peer = a == p->rank ? b : b == p->rank ? a : -1;
    const char *const and = s->why.text[0] != '\0' && s->unopened.text[0] != '\0' ? "; " : "";

    if (peer < 0)
        return frd_fail(s->story, FEDRDMA_ERR_UNREACHABLE,
                        "no transport joins rank %d and rank %d; see the error on these ranks", a, b);
    if (s->reach[peer] == 0)
        return frd_fail(s->story, FEDRDMA_ERR_UNREACHABLE,
                        "no transport reaches rank %d from rank %d (%s%s%s)", peer, p->rank,
                        s->why_peer == peer ? s->why.text : "as other ranks", and, s->unopened.text);
    return frd_fail(s->story, FEDRDMA_ERR_UNREACHABLE,
                    "no transport reaches rank %d from rank %d (it cannot reach us, see its error)", peer,
                    p->rank);
}

static int choose(start *s)
{
    frd_fabric *const f = s->fabric;
    const int size = f->params.size, rank = f->params.rank;

    /* Our own pairs first: their story says more. */
    for (int b = 0; b < size; b++) {
        if (b != rank && joined(s, rank, b) == 0)
            return unreachable(s, rank, b);
    }
    for (int a = 0; a < size; a++) {
        for (int b = 0; b < a; b++) {
            if (joined(s, a, b) == 0)
                return unreachable(s, a, b);
        }
    }
    for (int b = 0; b < size; b++) {
        for (size_t i = f->nets; i-- > 0 && b != rank;) {
            if (joined(s, rank, b) >> f->place[i] & 1)
                f->carrier[b] = f->net[i];
        }
    }
    return FEDRDMA_OK;
}

/* A transport that carries nobody costs time in every wait. All ranks it reaches can do without it, too. */
static void close_idle(frd_fabric *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->nets; i++) {
        bool carries = false;

        for (int b = 0; b < f->params.size; b++)
            carries = carries || f->carrier[b] == f->net[i];
        if (carries) {
            f->place[kept] = f->place[i];
            f->net[kept++] = f->net[i];
        } else {
            f->net[i]->ops->close(f->net[i]);
        }
    }
    f->nets = kept;
}

/* Polling takes the core from the rank we wait for when there are more ranks here than cores. */
static void choose_waiting(frd_fabric *f)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long here = 1;

    for (int b = 0; b < f->params.size; b++) {
        for (size_t i = 0; i < f->nets; i++)
            here += f->carrier[b] == f->net[i] && known[f->place[i]].same_host;
    }
    f->crowded = cores > 0 && here > cores;
    f->wait = (frd_wait){ .spin_ns = f->crowded ? 0 : f->params.conf->spin,
                          .yield_ns = f->params.conf->yield,
                          .net = f->net,
                          .nets = f->nets,
                          .stat = f->params.stat,
                          .cores_fd = -1 };
    if (f->params.conf->keep_awake && here > 1 && !f->crowded)
        frd_wait_open(&f->wait);
}

int frd_fabric_start(frd_fabric *fabric, frd_story *story)
{
    start s = { .fabric = fabric, .story = story, .why_peer = -1 };
    int rc = FEDRDMA_OK;

    if (fabric->params.size > 1) {
        rc = open_nets(&s);
        if (rc == FEDRDMA_OK)
            rc = exchange_cards(&s);
        if (rc == FEDRDMA_OK)
            rc = connect_peers(&s);
        if (rc == FEDRDMA_OK)
            rc = choose(&s);
        if (rc == FEDRDMA_OK)
            close_idle(fabric);
    }
    if (rc == FEDRDMA_OK)
        choose_waiting(fabric);
    frd_free(s.mine);
    frd_free(s.all);
    frd_free(s.head);
    frd_free(s.reach);
    frd_free(s.matrix);
    return rc;
}
