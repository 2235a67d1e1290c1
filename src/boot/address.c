/* SPDX-License-Identifier: BSD-3-Clause
 * address.c - parses and prints addresses; looks nothing up. */
#include "boot/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>

#include "base/value.h"

#define SHOWN_BYTES 100 /* of a malformed address in a story */

/* Splits "host:port" or "[v6]:port"; returns what is wrong, or NULL. */
static const char *split(const char *text, frd_address *out, const char **port)
{
    const bool bracketed = text[0] == '[';
    const char *host = text + (bracketed ? 1 : 0);
    const char *end = bracketed ? strchr(host, ']') : strrchr(host, ':');

    if (bracketed && end == NULL)
        return "has no ] behind the IPv6 address";
    if (end == NULL || (bracketed && end[1] != ':'))
        return "has no port";
    if (!bracketed && memchr(host, ':', (size_t)(end - host)) != NULL)
        return "has more than one colon; an IPv6 address needs brackets";
    if (end == host)
        return "has no host";
    if ((size_t)(end - host) >= sizeof out->host)
        return "has a host that is too long";
    if (strcspn(host, " \t\r\n/@") < (size_t)(end - host))
        return "has a host with a space, / or @ in it";
    memcpy(out->host, host, (size_t)(end - host));
    out->host[end - host] = '\0';
    *port = end + (bracketed ? 2 : 1);
    return NULL;
}

int frd_address_parse(const char *text, frd_address *out, frd_story *story)
{
    frd_address parsed;
    const char *port = "", *wrong = split(text, &parsed, &port);
    int number = 0;

    if (wrong == NULL && port[0] == '\0')
        wrong = "has no port";
    if (wrong == NULL && frd_value_int(port, &number) != NULL)
        wrong = "has a port that is no number";
    if (wrong == NULL && (number < 1 || number > UINT16_MAX))
        wrong = "has a port outside 1 to 65535";
    if (wrong != NULL)
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "rendezvous = \"%.*s\" %s; give host:port, e.g. 10.1.2.3:7000 or [fd00::1]:7000",
                        SHOWN_BYTES, text, wrong);
    return frd_address_make(parsed.host, (uint16_t)number, out, story);
}

int frd_address_make(const char *host, uint16_t port, frd_address *out, frd_story *story)
{
    const bool v6 = strchr(host, ':') != NULL;

    if (host[0] == '\0' || strlen(host) >= sizeof out->host)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "the rendezvous's host is %s; give its name or address",
                        host[0] == '\0' ? "empty" : "too long");
    memmove(out->host, host, strlen(host) + 1);
    out->port = port;
    snprintf(out->text, sizeof out->text, "%s%s%s:%u", v6 ? "[" : "", out->host, v6 ? "]" : "", port);
    return FEDRDMA_OK;
}

void frd_address_text(const struct sockaddr *address, socklen_t len, char text[FRD_ADDRESS_MAX])
{
    char host[FRD_HOST_MAX], port[8];

    if (getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        strcpy(text, "?");
    else if (strchr(host, ':') != NULL)
        snprintf(text, FRD_ADDRESS_MAX, "[%s]:%s", host, port);
    else
        snprintf(text, FRD_ADDRESS_MAX, "%s:%s", host, port);
}
