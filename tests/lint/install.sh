#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# install.sh - what `make install DESTDIR=...` lays down is enough to compile and run a program by pkg-config alone.
srcdir=${srcdir:-.}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
command -v pkg-config >/dev/null || {
    echo "no pkg-config (Debian package pkg-config)"
    exit 77
}
make -s install DESTDIR="$dir" >"$dir/log" 2>&1 || {
    tail "$dir/log"
    exit 1
}
# Where this configure's prefix put things; the user has them there without a sysroot.
pc=$(find "$dir" -name fedrdma.pc)
PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$dir
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
lib=$dir$(unset PKG_CONFIG_SYSROOT_DIR; pkg-config --variable=libdir fedrdma)
bin=$dir$(unset PKG_CONFIG_SYSROOT_DIR; pkg-config --variable=exec_prefix fedrdma)/bin
sanitize=
[ "${FRD_SANITIZERS:-no}" = no ] || sanitize=-fsanitize=$FRD_SANITIZERS

# shellcheck disable=SC2046,SC2086 # lists of flags
$CC -Wall -Werror $sanitize -o "$dir/hello" "$srcdir/examples/hello_allreduce.c" $(pkg-config --cflags --libs fedrdma) ||
    exit 1
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH
"$bin/fedrdma-run" -n 4 --silos 2 "$dir/hello"
