dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_CHECK - the unit test framework. Only `make check` needs it, and says so where it is missing.

AC_DEFUN([FRD_CHECK],
[FRD_PKG([CHECK], [Check], [check], [0.15], [check], [optional], [check.h], [(void)srunner_create(0)])
AM_CONDITIONAL([HAVE_CHECK], [test "x$frd_check_found" != xno])
AS_IF([test "x$frd_check_found" = xno],
    [frd_check_found="no: make check will not run (Debian package check)"])])
