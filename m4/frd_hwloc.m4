dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_HWLOC - hwloc, which tells caches, NUMA nodes and where network cards sit. 2.4 is the first with
dnl FRD_HWLOC - hwloc, which tells caches, NUMA nodes and where network cards sit.
AC_DEFUN([FRD_HWLOC],
[FRD_PKG([HWLOC], [hwloc], [hwloc], [2.4], [libhwloc-dev], [required], [hwloc.h],
    [hwloc_topology_t t; hwloc_topology_init(&t)])])
