/* SPDX-License-Identifier: BSD-3-Clause
 * fabric_impl.h - the fabric's own view of itself: fabric_start.c fills it, fabric.c uses it. */
#ifndef FRD_NET_FABRIC_IMPL_H
#define FRD_NET_FABRIC_IMPL_H

#include "net/fabric.h"
#include "net/wait.h"

enum { FRD_NETS_MAX = 8 }; /* transports that exist, with room; a bit each in a byte of the matrix */

struct frd_fabric {
    frd_fabric_params params;
    frd_net_env env;
    frd_match *match;
    frd_net *net[FRD_NETS_MAX];        /* in order of preference */
    unsigned char place[FRD_NETS_MAX]; /* of net[i] in known[] */
    size_t nets;
    frd_net **carrier; /* per peer; NULL: ourselves */
    bool *lost;        /* per peer */
    frd_wait wait;
    bool crowded;
};

/* Opens the transports, exchanges, connects and chooses. On failure frd_fabric_close tidies up. */
int frd_fabric_start(frd_fabric *fabric, frd_story *story);

#endif
