dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_COMPILER - language level, warnings, sanitizers, symbol visibility.
dnl Sets FRD_CFLAGS (for everything that we compile), FRD_LDFLAGS (for everything that we link),
dnl FRD_LIB_LDFLAGS (for the shared library), TEST_SCALE (how much slower than usual tests may be).

AC_DEFUN([FRD_COMPILER_ENABLE],
[AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors (for developers and CI)])],
    [], [enable_werror=no])
AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST],
        [build everything with these sanitizers, e.g. address,undefined or thread; a finding fails the test])],
    [AS_IF([test "x$enableval" = xyes], [enable_sanitizers=address,undefined])],
    [enable_sanitizers=no])])

dnl FRD_CFLAG(flag): appends it to frd_flags if the compiler takes it.
AC_DEFUN([FRD_CFLAG],
[AC_CACHE_CHECK([whether $CC takes $1], [AS_TR_SH([frd_cv_cflag_$1])],
    [frd_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS -Werror $1"
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
        [AS_VAR_SET([AS_TR_SH([frd_cv_cflag_$1])], [yes])], [AS_VAR_SET([AS_TR_SH([frd_cv_cflag_$1])], [no])])
     CFLAGS=$frd_save_CFLAGS])
AS_VAR_IF([AS_TR_SH([frd_cv_cflag_$1])], [yes], [frd_flags="$frd_flags $1"])])

AC_DEFUN([FRD_COMPILER],
[AC_REQUIRE([AC_PROG_CC])AC_REQUIRE([FRD_COMPILER_ENABLE])
AC_MSG_CHECKING([whether $CC compiles C11 for Linux])
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdatomic.h>
#ifndef __linux__
#error "not Linux"
#endif
_Static_assert(__STDC_VERSION__ >= 201112L, "not C11");]], [[_Atomic int i = 0; return i;]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([a C11 compiler on Linux is needed; on Debian: apt-get install gcc])])

frd_flags=
FRD_CFLAG([-std=gnu11])
FRD_CFLAG([-Wall])
FRD_CFLAG([-Wextra])
FRD_CFLAG([-Wshadow])
FRD_CFLAG([-Wconversion])
dnl Fused multiply-adds round differently: plans and results would differ between machines.
FRD_CFLAG([-ffp-contract=off])
frd_warnings="reported"
AS_IF([test "x$enable_werror" != xno],
    [frd_flags="$frd_flags -Werror"
     frd_warnings="are errors"])

dnl A link test: the compiler may know a sanitizer whose runtime is not installed.
frd_sanitizers=$enable_sanitizers
dnl Loading UCX installs signal handlers: only programs that use it should. gcc leaves out --as-needed with sanitizers.
FRD_LDFLAGS="-Wl,--as-needed"
TEST_SCALE=1
AS_IF([test "x$enable_sanitizers" != xno],
    [frd_san="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
     AC_MSG_CHECKING([whether $CC links with -fsanitize=$enable_sanitizers])
     frd_save_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $frd_san"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$CC cannot build with -fsanitize=$enable_sanitizers; see config.log])])
     CFLAGS=$frd_save_CFLAGS
     frd_flags="$frd_flags $frd_san"
     FRD_LDFLAGS="$FRD_LDFLAGS -fsanitize=$enable_sanitizers"
     TEST_SCALE=5])

FRD_CFLAGS=$frd_flags

dnl Only fedrdma_* leaves the shared library: what is not declared in the public header is hidden, and the
dnl version script says it again for the linker. Sanitizers leave symbols to be found at run time.
frd_flags=
FRD_CFLAG([-fvisibility=hidden])
FRD_LIB_CFLAGS=$frd_flags
FRD_LIB_LDFLAGS=
AS_IF([test "x$enable_sanitizers" = xno], [FRD_LIB_LDFLAGS="-Wl,-z,defs"])

AC_SUBST([enable_sanitizers])
AC_SUBST([FRD_CFLAGS])
AC_SUBST([FRD_LDFLAGS])
AC_SUBST([FRD_LIB_CFLAGS])
AC_SUBST([FRD_LIB_LDFLAGS])
AC_SUBST([TEST_SCALE])])
