dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_VERBS - libibverbs of rdma-core, to list RDMA devices and the NUMA node each belongs to.

AC_DEFUN([FRD_VERBS],
[FRD_PKG([VERBS], [libibverbs], [libibverbs], [1.8], [libibverbs-dev], [required], [infiniband/verbs.h],
    [int n; ibv_free_device_list(ibv_get_device_list(&n))])])
