/* SPDX-License-Identifier: BSD-3-Clause
 * silos_read.c - the part `silos` of a topology file: names, hosts, ranks, gateways, caps. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "topo/silos_impl.h"

#define RANK_MAX 1000000 /* far beyond any job; ranges stay small numbers */

/* ---- hosts and ranks ------------------------------------------------------------------------------ */

static int read_hosts(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    frd_silo *silo = object;

    if (node->kind != FRD_YAML_LIST)
        return frd_yaml_fail(&d->doc, node, "hosts must be a list, e.g. [node1, node2]");
    if (node->count > FRD_SILO_HOSTS_MAX)
        return frd_yaml_fail(&d->doc, node, "hosts has %zu names; at most %d are allowed", node->count,
                             FRD_SILO_HOSTS_MAX);
    const char **hosts = frd_silos_keep(d, node->count, sizeof *hosts);
    if (hosts == NULL)
        return frd_silos_nomem(d);
    silo->hosts = hosts;
    for (const frd_yaml_node *child = node->first; child != NULL; child = child->next) {
        int rc = frd_silos_read_name(d, child, &hosts[silo->nhosts]);
        if (rc != FEDRDMA_OK)
            return rc;
        silo->nhosts++;
    }
    return FEDRDMA_OK;
}

/* Digits at *text, moved behind them; false: there are none, or too many. */
static bool take_rank(const char **text, int *rank)
{
    const size_t len = strspn(*text, "0123456789");
    char digits[8];

    if (len == 0 || len >= sizeof digits)
        return false;
    memcpy(digits, *text, len);
    digits[len] = '\0';
    *text += len;
    return frd_value_int(digits, rank) == NULL && *rank <= RANK_MAX;
}

/* "3" or "0-3" at *text. NULL, or what is wrong. */
static const char *take_range(const char **text, frd_silo_ranks *range)
{
    if (!take_rank(text, &range->first))
        return "is no list of ranks";
    range->last = range->first;
    if (**text == '-') {
        ++*text;
        if (!take_rank(text, &range->last))
            return "is no list of ranks";
    }
    return range->last < range->first ? "has a range that ends before it begins" : NULL;
}

/* Ranges that touch become one, so that a set has one form. */
static const char *take_ranges(const char *text, frd_silo_ranks *ranges, size_t *count)
{
    frd_silo_ranks range;

    for (;;) {
        const char *wrong = take_range(&text, &range);
        frd_silo_ranks *before = *count > 0 ? &ranges[*count - 1] : NULL;

        if (wrong != NULL)
            return wrong;
        if (before != NULL && range.first <= before->last)
            return "does not rise";
        if (before != NULL && range.first == before->last + 1)
            before->last = range.last;
        else if (*count == FRD_SILO_RANGES_MAX)
            return "has too many ranges";
        else
            ranges[(*count)++] = range;
        if (*text == '\0')
            return NULL;
        if (*text++ != ',')
            return "is no list of ranks";
        text += strspn(text, " ");
    }
}

/* "0-3,8", or a YAML list of such. */
static int read_ranks(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    frd_silo *silo = object;
    frd_silo_ranks *ranges = frd_silos_borrow(d, FRD_SILO_RANGES_MAX, sizeof *ranges), *own;
    const frd_yaml_node *child = node->kind == FRD_YAML_LIST ? node->first : node;
    size_t count = 0;

    if (ranges == NULL)
        return frd_silos_nomem(d);
    for (; child != NULL; child = node->kind == FRD_YAML_LIST ? child->next : NULL) {
        const char *wrong =
            child->kind == FRD_YAML_SCALAR ? take_ranges(child->text, ranges, &count) : "is no list of ranks";
        if (wrong != NULL)
            return frd_yaml_fail(&d->doc, child, "ranks \"%s\" %s; give rising numbers, e.g. 0-3,8",
                                 child->kind == FRD_YAML_SCALAR ? frd_yaml_show(child->text).text : "...",
                                 wrong);
    }
    own = frd_silos_keep(d, count, sizeof *own);
    if (own == NULL)
        return frd_silos_nomem(d);
    memcpy(own, ranges, count * sizeof *own);
    silo->ranks = own;
    silo->nranks = count;
    return FEDRDMA_OK;
}

/* ---- gateways ------------------------------------------------------------------------------------- */

/* "host", "host:port", "v6" or "[v6]:port" in parts. NULL, or what is wrong. */
static const char *split(const char *text, char host[FRD_SILO_HOST_NAME_MAX], const char **port)
{
    const bool bracketed = text[0] == '[';
    const char *begin = text + (bracketed ? 1 : 0);
    const char *colon = strchr(begin, ':');
    const char *end = bracketed                                         ? strchr(begin, ']')
                      : colon != NULL && strchr(colon + 1, ':') == NULL ? colon
                                                                        : NULL;

    if (bracketed && end == NULL)
        return "has no ] behind the IPv6 address";
    if (end == NULL)
        end = begin + strlen(begin);
    if ((size_t)(end - begin) >= FRD_SILO_HOST_NAME_MAX)
        return "has a host that is too long";
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    end += bracketed ? 1 : 0;
    if (*end != '\0' && *end != ':')
        return "has something else than a port behind the ]";
    *port = *end == ':' ? end + 1 : NULL;
    return NULL;
}

/* Puts an IP address into its shortest form. */
static const char *check_host(char host[FRD_SILO_HOST_NAME_MAX], bool bracketed)
{
    unsigned char binary[sizeof(struct in6_addr)];

    if (bracketed || strchr(host, ':') != NULL) {
        if (inet_pton(AF_INET6, host, binary) != 1)
            return "has a malformed IPv6 address";
        return inet_ntop(AF_INET6, binary, host, FRD_SILO_HOST_NAME_MAX) == NULL ? "is no address" : NULL;
    }
    if (host[0] == '\0')
        return "has no host";
    if (strspn(host, "0123456789.") == strlen(host))
        return inet_pton(AF_INET, host, binary) == 1 ? NULL : "has a malformed IPv4 address";
    return frd_silos_bad_name(host, FRD_SILO_HOST_NAME_MAX - 1);
}

static const char *parse_address(const char *text, char host[FRD_SILO_HOST_NAME_MAX], uint16_t *port)
{
    const char *digits = NULL, *wrong = split(text, host, &digits);
    int number = 0;

    if (wrong == NULL)
        wrong = check_host(host, text[0] == '[');
    if (wrong != NULL)
        return wrong;
    if (digits != NULL && frd_value_int(digits, &number) != NULL)
        return "has a port that is no number";
    if (digits != NULL && (number < 1 || number > UINT16_MAX))
        return "has a port outside 1 to 65535";
    *port = (uint16_t)number;
    return NULL;
}

static int read_address(frd_silos_draft *d, const frd_yaml_node *node, frd_silo_address *address)
{
    char host[FRD_SILO_HOST_NAME_MAX];

    if (node->kind != FRD_YAML_SCALAR)
        return frd_yaml_fail(&d->doc, node,
                             "an address must be one value; put an IPv6 address in quotes, e.g. "
                             "\"[2001:db8::1]:7100\"");
    const char *wrong = parse_address(node->text, host, &address->port);
    if (wrong != NULL)
        return frd_yaml_fail(&d->doc, node,
                             "address \"%s\" %s; give host:port, e.g. 198.51.100.7:7100, or a host alone",
                             frd_yaml_show(node->text).text, wrong);
    char *own = frd_silos_keep(d, strlen(host) + 1, 1);
    if (own == NULL)
        return frd_silos_nomem(d);
    strcpy(own, host);
    frd_silos_lower(own);
    address->host = own;
    return FEDRDMA_OK;
}

/* One address, or a list of them. */
static int read_addresses(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    frd_silo_gateway *gateway = object;
    const bool list = node->kind == FRD_YAML_LIST;
    const size_t count = list ? node->count : 1;

    if (count > FRD_SILO_ADDRESSES_MAX)
        return frd_yaml_fail(&d->doc, node, "gateway \"%s\" has %zu addresses; at most %d are allowed",
                             gateway->host, count, FRD_SILO_ADDRESSES_MAX);
    frd_silo_address *addresses = frd_silos_keep(d, count, sizeof *addresses);
    if (addresses == NULL)
        return frd_silos_nomem(d);
    gateway->addresses = addresses;
    for (const frd_yaml_node *child = list ? node->first : node; child != NULL;
         child = list ? child->next : NULL) {
        int rc = read_address(d, child, &addresses[gateway->naddresses]);
        if (rc != FEDRDMA_OK)
            return rc;
        gateway->naddresses++;
    }
    return FEDRDMA_OK;
}

static int read_device(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@";
    frd_silo_gateway *gateway = object;

    if (node->kind != FRD_YAML_SCALAR || node->text[0] == '\0' || strlen(node->text) >= FRD_SILO_NAME_MAX ||
        strspn(node->text, allowed) < strlen(node->text))
        return frd_yaml_fail(
            &d->doc, node,
            "device \"%s\" is no name of a card; give one that fedrdma-info --devices lists, "
            "e.g. eth1 or mlx5_0:1",
            node->kind == FRD_YAML_SCALAR ? frd_yaml_show(node->text).text : "...");
    char *own = frd_silos_keep(d, strlen(node->text) + 1, 1);
    if (own == NULL)
        return frd_silos_nomem(d);
    gateway->device = strcpy(own, node->text);
    return FEDRDMA_OK;
}

static int read_gateway(frd_silos_draft *d, const frd_yaml_node *node, frd_silo_gateway *gateway)
{
    static const frd_silos_field fields[] = { { "addresses", read_addresses },
                                              { "device", read_device },
                                              { NULL, NULL } };
    char what[FRD_YAML_SHOWN + 20];
    frd_yaml_node name = *node;

    name.kind = FRD_YAML_SCALAR; /* the key, as a value */
    name.text = node->key;
    name.line = node->key_line;
    name.column = node->key_column;
    name.key = "gateway";
    int rc = frd_silos_read_name(d, &name, &gateway->host);
    if (rc != FEDRDMA_OK)
        return rc;
    gateway->device = "";
    if (frd_silos_is_empty(node))
        return FEDRDMA_OK;
    if (node->kind != FRD_YAML_MAP) /* short: addresses only */
        return read_addresses(d, node, gateway);
    snprintf(what, sizeof what, "gateway \"%s\"", frd_yaml_show(gateway->host).text);
    return frd_silos_read_map(d, node, what, fields, gateway);
}

static int read_gateways(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    frd_silo *silo = object;

    if (node->kind != FRD_YAML_MAP)
        return frd_yaml_fail(&d->doc, node,
                             "gateways must be a map of hosts to addresses, e.g. `node1: 198.51.100.7:7100`");
    if (node->count > FRD_SILO_GATEWAYS_MAX)
        return frd_yaml_fail(&d->doc, node, "silo \"%s\" has %zu gateways; at most %d are allowed",
                             silo->name, node->count, FRD_SILO_GATEWAYS_MAX);
    frd_silo_gateway *gateways = frd_silos_keep(d, node->count, sizeof *gateways);
    if (gateways == NULL)
        return frd_silos_nomem(d);
    silo->gateways = gateways;
    for (const frd_yaml_node *child = node->first; child != NULL; child = child->next) {
        int rc = read_gateway(d, child, &gateways[silo->ngateways]);
        if (rc != FEDRDMA_OK)
            return rc;
        silo->ngateways++;
    }
    return FEDRDMA_OK;
}

/* ---- silos ---------------------------------------------------------------------------------------- */

static int read_egress(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    return frd_silos_read_rate(d, node, &((frd_silo *)object)->egress_bps);
}

static int read_ingress(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    return frd_silos_read_rate(d, node, &((frd_silo *)object)->ingress_bps);
}

static int read_relay(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    frd_silo *silo = object;
    const int rc = frd_silos_read_bool(d, node, &silo->relay);

    if (rc == FEDRDMA_OK)
        d->relay_said[silo - d->silo] = silo->relay ? 1 : 0;
    return rc;
}

static int read_dial_in(frd_silos_draft *d, const frd_yaml_node *node, void *object)
{
    return frd_silos_read_bool(d, node, &((frd_silo *)object)->dial_in);
}

static int read_silo(frd_silos_draft *d, const frd_yaml_node *node, frd_silo *silo)
{
    static const frd_silos_field fields[] = { { "gateways", read_gateways }, { "hosts", read_hosts },
                                              { "ranks", read_ranks },       { "egress", read_egress },
                                              { "ingress", read_ingress },   { "relay", read_relay },
                                              { "dial_in", read_dial_in },   { NULL, NULL } };
    const char *wrong = frd_silos_bad_name(node->key, FRD_SILO_NAME_MAX - 1);
    char what[FRD_SILO_NAME_MAX + 20], *name = frd_silos_keep(d, strlen(node->key) + 1, 1);

    if (wrong != NULL)
        return frd_yaml_fail_key(&d->doc, node, "silo \"%s\" %s; give a name of up to %d letters and digits",
                                 frd_yaml_show(node->key).text, wrong, FRD_SILO_NAME_MAX - 1);
    if (name == NULL)
        return frd_silos_nomem(d);
    silo->name = strcpy(name, node->key);
    silo->dial_in = true;
    snprintf(what, sizeof what, "silo \"%s\"", silo->name);
    return frd_silos_read_map(d, node, what, fields, silo);
}

int frd_silos_read_silos(frd_silos_draft *d, const frd_yaml_node *node)
{
    if (node->kind != FRD_YAML_MAP || node->count == 0)
        return frd_yaml_fail(&d->doc, node, "silos must be a map of names to what each silo has; add one");
    if (node->count > FRD_SILOS_MAX)
        return frd_yaml_fail(&d->doc, node, "%zu silos; at most %d are allowed", node->count, FRD_SILOS_MAX);
    d->out->silo = d->silo = frd_silos_keep(d, node->count, sizeof *d->silo);
    d->node = frd_silos_borrow(d, node->count, sizeof(*d->node));
    d->relay_said = frd_silos_borrow(d, node->count, 1);
    d->said = frd_silos_borrow(d, node->count * node->count, sizeof *d->said);
    if (d->silo == NULL || d->node == NULL || d->relay_said == NULL || d->said == NULL)
        return frd_silos_nomem(d);
    memset(d->relay_said, -1, node->count);
    for (const frd_yaml_node *child = node->first; child != NULL; child = child->next) {
        const int i = d->out->count++;
        d->node[i] = child;
        int rc = read_silo(d, child, &d->silo[i]);
        if (rc != FEDRDMA_OK)
            return rc;
    }
    return FEDRDMA_OK;
}
