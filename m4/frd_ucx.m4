dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_UCX - UCX's UCP, whose active messages carry bytes between nodes.

AC_DEFUN([FRD_UCX],
[FRD_PKG([UCX], [UCX], [ucx], [1.13], [libucx-dev], [required], [ucp/api/ucp.h],
    [unsigned a, b, c; ucp_get_version(&a, &b, &c); (void)ucp_am_send_nbx;
    (void)UCP_EP_PARAM_FIELD_LOCAL_SOCK_ADDR])])
