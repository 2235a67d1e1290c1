dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl FRD_MPI - an MPI, for side-by-side benchmarks, the preload shim, MPI examples and tests; the library itself never needs
dnl one. Its flags are asked from the wrapper compiler, so that programs are still compiled by $CC.
dnl Sets MPICC, MPIRUN, MPI_CFLAGS, MPI_LIBS, MPI_FAMILY (openmpi, mpich or other) and the conditional HAVE_MPI.

AC_DEFUN([FRD_MPI],
[AC_ARG_WITH([mpi],
    [AS_HELP_STRING([--with-mpi=MPICC],
        [MPI compiler wrapper for the shim, benchmarks and tests beside MPI: a path, yes (must be found), no, or auto
         (default: mpicc.openmpi or mpicc if there is one)])],
    [], [with_mpi=auto])
AC_ARG_VAR([MPIRUN], [launcher that belongs to the MPI wrapper])
MPICC=
AS_CASE([$with_mpi],
    [no], [],
    [yes|auto], [AC_PATH_PROGS([MPICC], [mpicc.openmpi mpicc])],
    [*/*], [AS_IF([test -x "$with_mpi"], [MPICC=$with_mpi])],
    [AC_PATH_PROG([MPICC], [$with_mpi])])
AS_IF([test "x$MPICC" = x && test "x$with_mpi" != xauto && test "x$with_mpi" != xno],
    [AC_MSG_ERROR([no MPI wrapper $with_mpi. On Debian: apt-get install libopenmpi-dev openmpi-bin; or --with-mpi=PATH, or --without-mpi])])

frd_mpi_found="no (--with-mpi=MPICC)"
frd_have_mpi=no
MPI_FAMILY=
AS_IF([test "x$MPICC" != x],
    [AC_MSG_CHECKING([flags of $MPICC])
     AS_IF([frd_cflags=`$MPICC --showme:compile 2>/dev/null`],
        [frd_libs=`$MPICC --showme:link 2>/dev/null`
         MPI_FAMILY=openmpi],
        [frd_cflags=`$MPICC -compile_info 2>/dev/null`],
        [frd_libs=`$MPICC -link_info 2>/dev/null`
         MPI_FAMILY=mpich],
        [frd_cflags=
         frd_libs=-lmpi
         MPI_FAMILY=other])
     dnl Keep what points at MPI; the rest of the wrapper's command line is how MPI itself was built. Headers of
     dnl others are not ours to warn about: -isystem.
     MPI_CFLAGS=
     for frd_word in $frd_cflags; do
         AS_CASE([$frd_word],
            [-I*], [MPI_CFLAGS="$MPI_CFLAGS -isystem `AS_ECHO(["$frd_word"]) | $SED 's/^-I//'`"],
            [-D*|-pthread], [MPI_CFLAGS="$MPI_CFLAGS $frd_word"])
     done
     MPI_LIBS=
     for frd_word in $frd_libs; do
         AS_CASE([$frd_word],
            [-L*|-l*|-Wl,-rpath*|-Wl,--enable-new-dtags|-pthread], [MPI_LIBS="$MPI_LIBS $frd_word"])
     done
     AC_MSG_RESULT([$MPI_CFLAGS $MPI_LIBS])
     AC_MSG_CHECKING([whether MPI links])
     frd_save_CPPFLAGS=$CPPFLAGS
     frd_save_LIBS=$LIBS
     CPPFLAGS="$CPPFLAGS $MPI_CFLAGS"
     LIBS="$MPI_LIBS $LIBS"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <mpi.h>]], [[MPI_Init(0, 0);]])], [frd_have_mpi=yes])
     AC_MSG_RESULT([$frd_have_mpi])
     CPPFLAGS=$frd_save_CPPFLAGS
     LIBS=$frd_save_LIBS
     AS_IF([test "x$frd_have_mpi" = xyes],
        [frd_mpi_found="$MPI_FAMILY, $MPICC"],
        [test "x$with_mpi" != xauto],
        [AC_MSG_ERROR([$MPICC does not build MPI programs; see config.log])])])

dnl The launcher has the wrapper's suffix: mpicc.mpich, mpirun.mpich.
AS_IF([test "x$frd_have_mpi" = xyes && test "x$MPIRUN" = x],
    [frd_word=`AS_ECHO(["$MPICC"]) | $SED "s,mpicc\\([[^/]]*\\)$,mpirun\\1,"`
     AS_IF([test -x "$frd_word"], [MPIRUN=$frd_word], [AC_PATH_PROGS([MPIRUN], [mpirun mpiexec])])])
AS_IF([test "x$frd_have_mpi" != xyes], [MPICC= MPIRUN= MPI_CFLAGS= MPI_LIBS= MPI_FAMILY=none])

AM_CONDITIONAL([HAVE_MPI], [test "x$frd_have_mpi" = xyes])
AC_SUBST([MPICC])
AC_SUBST([MPI_CFLAGS])
AC_SUBST([MPI_LIBS])
AC_SUBST([MPI_FAMILY])
AC_SUBST([MPI_CHOICE], [${MPICC:-no}])])
