dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl frd_pkg.m4 - what the macros of all dependencies share.

dnl FRD_PKG(VAR, title, pkg-config module, minimum version, Debian package, required|optional, header, test)
dnl
dnl Finds a library through pkg-config, or where --with-<module>=DIR says, and links the expression `test` against it. Sets
dnl VAR_CFLAGS and VAR_LIBS (both may be given by the user) and frd_<var>_found to a line for the summary,
dnl "no" when it is missing. Missing required ones are collected, so that one run of configure names all of them:
dnl FRD_PKG_REPORT.
AC_DEFUN([FRD_PKG],
[AC_REQUIRE([PKG_PROG_PKG_CONFIG])
m4_pushdef([frd_found], [frd_[]m4_tolower([$1])_found])
AC_ARG_WITH(m4_tolower([$1]),
    [AS_HELP_STRING([--with-]m4_tolower([$1])[=DIR], [where $2 >= $4 is installed (default: ask pkg-config)])],
    [], [AS_VAR_SET([with_]m4_tolower([$1]), [yes])])
AS_VAR_COPY([frd_dir], [with_]m4_tolower([$1]))
frd_save_path=$PKG_CONFIG_PATH
AS_CASE([$frd_dir],
    [no|yes], [],
    [PKG_CONFIG_PATH="$frd_dir/lib/pkgconfig:$frd_dir/lib64/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
     export PKG_CONFIG_PATH])
frd_found=no
frd_why="not found"
AS_IF([test "x$frd_dir" != xno],
    [PKG_CHECK_MODULES([$1], [$3 >= $4],
        [frd_save_CPPFLAGS=$CPPFLAGS
         frd_save_LIBS=$LIBS
         CPPFLAGS="$CPPFLAGS $$1_CFLAGS"
         LIBS="$$1_LIBS $LIBS"
         AC_MSG_CHECKING([whether $2 links])
         AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <$7>]], [[$8;]])],
            [AC_MSG_RESULT([yes])
             frd_found=`$PKG_CONFIG --modversion $3 2>/dev/null`
             AS_IF([test "x$frd_found" = x], [frd_found=yes])],
            [AC_MSG_RESULT([no])
             frd_why="found, but does not link (see config.log)"])
         CPPFLAGS=$frd_save_CPPFLAGS
         LIBS=$frd_save_LIBS],
        [AS_IF([test "x$PKG_CONFIG" = x],
            [frd_why="not looked for: there is no pkg-config (Debian package pkg-config)"],
            [frd_why=`$PKG_CONFIG --modversion $3 2>/dev/null`
             AS_IF([test "x$frd_why" = x], [frd_why="not found"], [frd_why="only $frd_why found"])])])])
PKG_CONFIG_PATH=$frd_save_path
AS_IF([test "x$frd_found" = xno],
    [AS_IF([test "x$6" = xrequired],
        [frd_missing="$frd_missing
  $2 >= $4: $frd_why"
         frd_missing_debian="$frd_missing_debian $5"])])
m4_popdef([frd_found])])

dnl FRD_PKG_REPORT: ends configure if a required dependency is missing.
AC_DEFUN([FRD_PKG_REPORT],
[AS_IF([test "x$frd_missing" != x],
    [AC_MSG_ERROR([needed, but missing:$frd_missing
On Debian or Ubuntu: apt-get install$frd_missing_debian
Elsewhere: install it and name its prefix (--with-ucx=DIR and so on; see ./configure --help)])])])
