/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_version.h - which UCX is loaded. */
#ifndef FRD_NET_UCX_VERSION_H
#define FRD_NET_UCX_VERSION_H

/* "1.13.1"; static. The one that runs, which may differ from the one built with. */
const char *frd_ucx_version(void);

#endif
