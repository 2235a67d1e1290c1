#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# symbols.sh - the public face: names exported, libraries needed, the header by itself.
lib=.libs/libfedrdma.so
srcdir=${srcdir:-.}
header=$srcdir/include/fedrdma.h
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
count=0

# check <description> <command...>: the command must succeed and print nothing.
check() {
    count=$((count + 1))
    what=$1
    shift
    if out=$("$@" 2>&1) && [ -z "$out" ]; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        printf '%s\n' "$out" | sed 's/^/# /'
    fi
}

exported() { nm -D --defined-only "$lib" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u; }
declared() {
    echo '#include "fedrdma.h"' | $CC -E -P -I"$srcdir/include" -x c - |
        tr '\n;' ' \n' | sed -n 's/^\([^(]*[ *]\)\(fedrdma_[a-z0-9_]*\)(.*/\1\2/p' | grep -v typedef |
        sed 's/.*[ *]//' | sort -u
}
only_ours() { ! exported | grep -v -e '^fedrdma_' -e '^FEDRDMA_0$'; }
all_there() {
    exported >"$dir/exported"
    declared >"$dir/declared"
    [ "$(wc -l <"$dir/declared")" -gt 50 ] || echo "found only these declarations: $(cat "$dir/declared")"
    comm -13 "$dir/exported" "$dir/declared" | sed 's/$/ is declared, but not exported/'
    comm -23 "$dir/exported" "$dir/declared" | grep '^fedrdma_' | sed 's/$/ is exported, but not declared/'
}
no_mpi() { ! ldd "$lib" | grep -i -e mpi -e orte -e pmix; }
soname() { objdump -p "$lib" | grep -q 'SONAME *libfedrdma\.so\.0$' || objdump -p "$lib" | grep SONAME; }
alone() { # compiler, language, standard, warnings
    echo '#include "fedrdma.h"' >"$dir/alone.$2"
    "$1" "-std=$3" -pedantic -Wall -Wextra -Werror -I"$srcdir/include" -fsyntax-only "$dir/alone.$2"
}
short_header() { awk 'END { if (NR > 700) print FILENAME " has " NR " lines, more than 700" }' "$header"; }

if [ -f "$lib" ]; then
    check "only fedrdma_* is exported" only_ours
    check "exported and declared functions are the same" all_there
    check "the library needs no MPI" no_mpi
    check "the soname is libfedrdma.so.0" soname
else
    count=1
    echo "ok 1 - shared library # SKIP not built (--disable-shared)"
fi
check "the public header stays short" short_header
check "the public header compiles alone as C11" alone "${CC%% *}" c c11
if command -v c++ >/dev/null; then
    check "the public header compiles alone as C++17" alone c++ cpp c++17
else
    count=$((count + 1))
    echo "ok $count - C++17 header # SKIP no C++ compiler (Debian package g++)"
fi
echo "1..$count"
