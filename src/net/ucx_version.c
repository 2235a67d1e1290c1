/* SPDX-License-Identifier: BSD-3-Clause
 * ucx_version.c - which UCX is loaded, for programs that may not see UCX itself. */
#include "net/ucx_version.h"

#include <ucp/api/ucp.h>

const char *frd_ucx_version(void)
{
    return ucp_get_version_string();
}
