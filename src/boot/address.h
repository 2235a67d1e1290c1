/* SPDX-License-Identifier: BSD-3-Clause
 * address.h - host:port texts, and the text of a socket's address. */
#ifndef FRD_BOOT_ADDRESS_H
#define FRD_BOOT_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define FRD_HOST_MAX 256    /* a DNS name has at most 253 bytes */
#define FRD_ADDRESS_MAX 272 /* host, brackets, colon, port */

typedef struct frd_address {
    char host[FRD_HOST_MAX];
    uint16_t port;
    char text[FRD_ADDRESS_MAX]; /* as people write it */
} frd_address;

/* Parses host:port or [v6]:port. FEDRDMA_ERR_INVALID: malformed; the story says what and shows an example. */
int frd_address_parse(const char *text, frd_address *out, frd_story *story);

/* host and port to an address with its text. FEDRDMA_ERR_INVALID: the host is empty or too long. */
int frd_address_make(const char *host, uint16_t port, frd_address *out, frd_story *story);

/* "127.0.0.1:41234" of a socket address, or "?". */
void frd_address_text(const struct sockaddr *address, socklen_t len, char text[FRD_ADDRESS_MAX]);

#endif
