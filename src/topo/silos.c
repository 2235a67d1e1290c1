/* SPDX-License-Identifier: BSD-3-Clause
 * silos.c - a topology file's life, and the questions that are asked of it. */
#include "topo/silos.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/near.h"
#include "topo/silos_impl.h"

#define VERSION "1"    /* of the format */
#define LIST_BYTES 200 /* of silos' names in a story */

/* ---- reading -------------------------------------------------------------------------------------- */

static int read_version(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    (void)object;
    if (node->kind != FRD_YAML_SCALAR || strcmp(node->text, VERSION) != 0)
        return frd_yaml_fail(&d->doc, node,
                             "version \"%s\" of the format is unknown here; this library reads %s",
                             node->kind == FRD_YAML_SCALAR ? frd_yaml_show(node->text).text : "...", VERSION);
    return FEDRDMA_OK;
}

static int read_silos(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    (void)object;
    int rc = frd_silos_read_silos(d, node);
    if (rc == FEDRDMA_OK && frd_links_create(d->out->count, &d->out->links) != FEDRDMA_OK)
        rc = frd_silos_nomem(d);
    return rc;
}

static int read_links(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    (void)object;
    return frd_silos_read_links(d, node);
}

static int read_policy(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    (void)object;
    return frd_silos_read_policy(d, node);
}

int frd_silos_read(frd_silos_draft *d)
{
    static const frd_silos_field fields[] = { { "version", read_version },
                                              { "silos", read_silos },
                                              { "links", read_links },
                                              { "policy", read_policy },
                                              { NULL, NULL } };
    const frd_yaml_node *root = d->doc.root;

    if (root->kind == FRD_YAML_MAP && root->count > 0 && frd_yaml_child(root, "version") == NULL)
        return frd_yaml_fail(&d->doc, root,
                             "the version of the format is not said; add `version: " VERSION "`");
    if (root->kind == FRD_YAML_MAP && frd_yaml_child(root, "silos") == NULL)
        return frd_yaml_fail(&d->doc, root, "there are no silos; add `silos:` and name them below");
    int rc = frd_silos_read_map(d, root, "the file", fields, NULL);
    if (rc == FEDRDMA_OK && d->out->count == 0)
        rc = frd_yaml_fail(&d->doc, root, "there are no silos; add `silos:` and name them below");
    for (int i = 0; i < d->out->count && rc == FEDRDMA_OK; i++) {
        d->silo[i].relay = d->relay_said[i] < 0 ? d->relay : d->relay_said[i] > 0;
        if (d->silo[i].relay)
            d->out->relays[i / 64] |= UINT64_C(1) << i % 64;
    }
    return rc;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int by_host(const void *left, const void *right)
{
    return strcmp(((const frd_silo_gateway *)left)->host, ((const frd_silo_gateway *)right)->host);
}

/* The order of hosts and of gateways says nothing: all ranks have them in the same one. (That of addresses
 * does.) */
static int sort_names(frd_silos_draft *d)
{
    for (int i = 0; i < d->out->count; i++) {
        frd_silo *const s = &d->silo[i];
        const char **hosts = frd_silos_keep(d, s->nhosts, sizeof *hosts);
        frd_silo_gateway *gateways = frd_silos_keep(d, s->ngateways, sizeof *gateways);

        if (hosts == NULL || gateways == NULL)
            return frd_silos_nomem(d);
        if (s->nhosts > 0)
            memcpy(hosts, s->hosts, s->nhosts * sizeof *hosts);
        if (s->ngateways > 0)
            memcpy(gateways, s->gateways, s->ngateways * sizeof *gateways);
        qsort(hosts, s->nhosts, sizeof *hosts, by_text);
        qsort(gateways, s->ngateways, sizeof *gateways, by_host);
        s->hosts = hosts;
        s->gateways = gateways;
    }
    return FEDRDMA_OK;
}

/* Of the normal form, so that comments and the order of keys don't matter. */
static int hash_all(frd_silos *silos)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (out == NULL)
        return FEDRDMA_ERR_NOMEM;
    frd_silos_write(silos, out);
    const bool written = ferror(out) == 0;
    if (fclose(out) == 0 && written)
        silos->hash = frd_hash(FRD_HASH_START, text, bytes);
    free(text);
    return written && silos->hash != 0 ? FEDRDMA_OK : FEDRDMA_ERR_NOMEM;
}

int frd_silos_parse(const char *path, const void *text, size_t bytes, frd_story *story, frd_silos **out)
{
    frd_silos_draft d = { .out = frd_calloc(1, sizeof *d.out), .relay = true };

    if (d.out == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory for what %s says", path);
    int rc = frd_yaml_parse(&d.doc, path, text, bytes, story);
    if (rc == FEDRDMA_OK)
        rc = frd_silos_read(&d);
    if (rc == FEDRDMA_OK)
        rc = frd_silos_check(&d);
    if (rc == FEDRDMA_OK)
        rc = sort_names(&d);
    if (rc == FEDRDMA_OK && hash_all(d.out) != FEDRDMA_OK)
        rc = frd_silos_nomem(&d);
    frd_yaml_free(&d.doc);
    if (rc == FEDRDMA_OK)
        *out = d.out;
    else
        frd_silos_destroy(d.out);
    return rc;
}

/* All of a regular file, at most `most` bytes and one more. -1: errno says why. */
static ssize_t read_all(const char *path, char *text, size_t most)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hang */
    struct stat facts;
    size_t used = 0;
    ssize_t got = -1;

    if (fd >= 0 && fstat(fd, &facts) == 0) {
        errno = S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
        got = S_ISREG(facts.st_mode) ? 1 : -1;
    }
    while (got > 0 && used <= most) {
        got = read(fd, text + used, most + 1 - used);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            used += (size_t)got;
    }
    const int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return got < 0 ? -1 : (ssize_t)used;
}

int frd_silos_load(const char *path, frd_story *story, frd_silos **silos)
{
    char *text = frd_calloc(FRD_SILOS_FILE_MAX + 1, 1);
    int rc;

    if (text == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to read %s", path);
    const ssize_t bytes = read_all(path, text, FRD_SILOS_FILE_MAX);
    if (bytes < 0)
        rc = frd_fail(story, FEDRDMA_ERR_SYSTEM,
                      "topology file \"%.200s\" can't be read: %s; give the path of a file "
                      "that this user may read",
                      path, errno == EINVAL ? "it is no file" : strerror(errno));
    else if (bytes > FRD_SILOS_FILE_MAX)
        rc = frd_fail(story, FEDRDMA_ERR_INVALID,
                      "topology file \"%.200s\" has more than %d bytes; is it the right one?", path,
                      FRD_SILOS_FILE_MAX);
    else
        rc = frd_silos_parse(path, text, (size_t)bytes, story, silos);
    frd_free(text);
    return rc;
}

void frd_silos_destroy(frd_silos *silos)
{
    if (silos == NULL)
        return;
    frd_links_destroy(silos->links);
    frd_arena_free(&silos->arena);
    frd_free(silos);
}

/* ---- who is where --------------------------------------------------------------------------------- */

int frd_silos_find(const frd_silos *silos, const char *name)
{
    for (int i = 0; i < silos->count; i++)
        if (strcmp(silos->silo[i].name, name) == 0)
            return i;
    return -1;
}

/* Is that the first `len` characters of host? */
static bool is_host(const char *named, const char *host, size_t len)
{
    return strncasecmp(named, host, len) == 0 && named[len] == '\0';
}

static const frd_silo_gateway *gateway_on(const frd_silo *silo, const char *host, size_t len)
{
    for (size_t i = 0; i < silo->ngateways; i++)
        if (is_host(silo->gateways[i].host, host, len))
            return &silo->gateways[i];
    return NULL;
}

static bool has_host(const frd_silo *silo, const char *host, size_t len)
{
    for (size_t i = 0; i < silo->nhosts; i++)
        if (is_host(silo->hosts[i], host, len))
            return true;
    return gateway_on(silo, host, len) != NULL;
}

int frd_silos_find_host(const frd_silos *silos, const char *host)
{
    const size_t all = strlen(host), part = strcspn(host, ".");

    for (int i = 0; i < silos->count; i++)
        if (has_host(&silos->silo[i], host, all))
            return i;
    for (int i = 0; i < silos->count && part > 0; i++)
        if (has_host(&silos->silo[i], host, part))
            return i;
    return -1;
}

/* The name by which the file knows the process: its node's, else its host's. */
static const char *known_as(const frd_silos *silos, const frd_silos_who *who)
{
    return who->node[0] != '\0' && frd_silos_find_host(silos, who->node) >= 0 ? who->node : who->hostname;
}

const frd_silo_gateway *frd_silos_gateway(const frd_silos *silos, int silo, const frd_silos_who *who)
{
    const char *const host = known_as(silos, who);
    const frd_silo_gateway *const found = gateway_on(&silos->silo[silo], host, strlen(host));
    const size_t part = strcspn(host, ".");

    return found != NULL || part == 0 ? found : gateway_on(&silos->silo[silo], host, part);
}

int frd_silos_find_rank(const frd_silos *silos, int rank)
{
    for (int i = 0; i < silos->count; i++)
        for (size_t k = 0; k < silos->silo[i].nranks; k++)
            if (rank >= silos->silo[i].ranks[k].first && rank <= silos->silo[i].ranks[k].last)
                return i;
    return -1;
}

static void list_silos(const frd_silos *silos, char list[LIST_BYTES], const char *name, const char **near)
{
    const char *names[FRD_SILOS_MAX];

    for (int i = 0; i < silos->count; i++)
        names[i] = silos->silo[i].name;
    frd_names_list(list, LIST_BYTES, names, (size_t)silos->count);
    *near = frd_nearest(name, names, (size_t)silos->count);
}

int frd_silos_place(const frd_silos *silos, const char *path, const frd_silos_who *who, frd_story *story,
                    int *out)
{
    const int rank = frd_silos_find_rank(silos, who->rank);
    const char *const found_by = known_as(silos, who), *near = NULL;
    const int host = frd_silos_find_host(silos, found_by);
    char list[LIST_BYTES];
    int silo;

    list_silos(silos, list, who->silo, &near);
    silo = frd_silos_find(silos, who->silo);
    if (silo < 0 && who->silo[0] != '\0')
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "FEDRDMA_SILO is \"%.63s\", but %.100s has no such silo; %s%s%sit has %s", who->silo,
                        path, near != NULL ? "did you mean \"" : "", near != NULL ? near : "",
                        near != NULL ? "\"? " : "", list);
    silo = silo >= 0 ? silo : host >= 0 ? host : rank >= 0 ? rank : silos->count == 1 ? 0 : -1;
    if (silo < 0)
        return frd_fail(
            story, FEDRDMA_ERR_INVALID,
            "%.100s names neither this host (%s%s%.64s) nor rank %d; add the host to its silo, or set "
            "FEDRDMA_SILO to one of %s",
            path, who->node, who->node[0] != '\0' ? ", " : "", who->hostname, who->rank, list);
    if (host >= 0 && host != silo)
        return frd_fail(
            story, FEDRDMA_ERR_INVALID,
            "FEDRDMA_SILO is \"%s\", but %.100s has host \"%.64s\" in silo \"%s\"; correct one of the two",
            silos->silo[silo].name, path, found_by, silos->silo[host].name);
    if (rank >= 0 && rank != silo)
        return frd_fail(
            story, FEDRDMA_ERR_INVALID,
            "this is rank %d in silo \"%s\" (by %s), but %.100s has the rank in silo \"%s\"; correct one of "
            "the two",
            who->rank, silos->silo[silo].name, who->silo[0] != '\0' ? "FEDRDMA_SILO" : "its host", path,
            silos->silo[rank].name);
    *out = silo;
    return FEDRDMA_OK;
}

/* ---- what links carry ----------------------------------------------------------------------------- */

uint64_t frd_silos_cap_bps(const frd_silos *silos, int from, int to)
{
    const uint64_t caps[] = { frd_links_get(silos->links, from, to)->declared.rate_bps,
                              silos->silo[from].egress_bps, silos->silo[to].ingress_bps };
    uint64_t least = 0;

    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++)
        if (caps[i] != 0 && (least == 0 || caps[i] < least))
            least = caps[i];
    return least;
}

/* The first detour of the pair, or where it would be. */
static size_t first_detour(const frd_silos *silos, int a, int b)
{
    size_t low = 0, high = silos->ndetours;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const frd_silo_detour *at = &silos->detours[middle];
        if (at->a < a || (at->a == a && at->b < b))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Who may relay between the two. */
static void relays_between(const frd_silos *silos, int from, int to, uint64_t relays[FRD_SILOS_WORDS])
{
    const int a = from < to ? from : to, b = from < to ? to : from;

    memcpy(relays, silos->relays, sizeof silos->relays);
    for (size_t i = first_detour(silos, a, b); i < silos->ndetours; i++) {
        const frd_silo_detour *at = &silos->detours[i];
        if (at->a != a || at->b != b)
            break;
        relays[at->through / 64] &= ~(UINT64_C(1) << at->through % 64);
    }
    relays[a / 64] &= ~(UINT64_C(1) << a % 64);
    relays[b / 64] &= ~(UINT64_C(1) << b % 64);
}

bool frd_silos_may_relay(const frd_silos *silos, int from, int to, int via)
{
    uint64_t relays[FRD_SILOS_WORDS];

    relays_between(silos, from, to, relays);
    return (relays[via / 64] >> via % 64 & 1) != 0;
}

/* Spreads from `from` over relays, breadth first and in the order of their numbers. */
int frd_silos_way(const frd_silos *silos, const uint64_t *present, int from, int to, int *via, int most)
{
    uint64_t relays[FRD_SILOS_WORDS];
    int order[FRD_SILOS_MAX], before[FRD_SILOS_MAX], count = 0, hops = 0;

    if ((silos->direct[from][to / 64] >> to % 64 & 1) != 0)
        return 0;
    relays_between(silos, from, to, relays);
    for (int w = 0; present != NULL && w < FRD_SILOS_WORDS; w++)
        relays[w] &= present[w];
    for (int at = -1; at < count; at++) { /* -1 is `from`, then those that were reached */
        const int silo = at < 0 ? from : order[at];

        if (at >= 0 && (silos->direct[silo][to / 64] >> to % 64 & 1) != 0) {
            for (int k = at; k >= 0; k = before[k])
                hops++;
            for (int k = at, h = hops; k >= 0 && hops <= most; k = before[k])
                via[--h] = order[k];
            return hops;
        }
        for (int w = 0; w < FRD_SILOS_WORDS; w++) {
            for (uint64_t more = silos->direct[silo][w] & relays[w]; more != 0; more &= more - 1) {
                order[count] = 64 * w + __builtin_ctzll(more);
                before[count++] = at;
            }
            relays[w] &= ~silos->direct[silo][w];
        }
    }
    return -1;
}

bool frd_silos_reachable(const frd_silos *silos, int from, int to)
{
    return frd_silos_way(silos, NULL, from, to, NULL, 0) >= 0;
}
