#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# info.sh - fedrdma-info: every list has its rows, wrong arguments end with status 2 and one line on standard error.
info=${builddir:-.}/tools/fedrdma-info
conf=${srcdir:-.}/src/base/conf.h
count=0

ok() { # status description
    count=$((count + 1))
    if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

# lists <option> <pattern>: the list ends well, says nothing on standard error and has a line that matches.
lists() {
    # shellcheck disable=SC2086 # $1 may be two words
    out=$($info $1 2>"$err") && [ ! -s "$err" ] && printf '%s\n' "$out" | grep -q -e "$2"
    ok $? "fedrdma-info $1 has: $2"
}

# refuses <arguments...>
refuses() {
    out=$("$info" "$@" 2>"$err")
    [ $? = 2 ] && [ -z "$out" ] && [ "$(wc -l <"$err")" = 1 ]
    ok $? "refused: fedrdma-info $*"
}

err=$(mktemp) || exit 99
trap 'rm -f "$err" "$err.out" "$err.yaml"' EXIT

lists "" '^libfedrdma [0-9]*\.[0-9]*\.[0-9]*$'
lists "" '^ *reductions  *\(scalar\|avx2\|avx512\|neon\) '
lists "" '^ *UCX  *[0-9][0-9]*\.[0-9]'
lists "" '^ *cores  *[1-9][0-9]* of [1-9]'
lists --options '^connect_timeout  *FEDRDMA_CONNECT_TIMEOUT  *time  *30s  *how long'
lists --counters '^mem\.allocations  *allocations'
lists --errors '^FEDRDMA_ERR_SILO_LOST  *-7  *a silo'
lists --devices '^Verbs device  *Port'
lists --algorithms '^allreduce  *ring  *ring: '
lists "--algorithms --ranks 6" '^allreduce  *0-'
lists --help '^  --algorithms'
lists --version '^fedrdma-info [0-9]'

rows=$(grep -c '^    X(\(INT\|SIZE\|TIME\|BOOL\|TEXT\), ' "$conf")
[ "$("$info" --options | grep -c ' FEDRDMA_[A-Z_]*  *\(int\|size\|time\|bool\|text\) ')" = "$rows" ]
ok $? "--options has the $rows rows of conf.h"

FEDRDMA_ALGO='allreduce:0-5000:recdbl,5000-:ring' "$info" --algorithms --ranks 6 | grep -q '^allreduce  *5000-  *ring$'
ok $? "--algorithms --ranks minds FEDRDMA_ALGO"
FEDRDMA_ALGO='allreduce:0-:horse' "$info" --algorithms 2>&1 >/dev/null | grep -q horse
ok $? "a bad FEDRDMA_ALGO is named"

for example in "${srcdir:-.}"/examples/topologies/*.yaml; do
    lists "--topology $example" '^From  *To  *Direct  *Dials  *Declared rate'
done
printf 'version: 1\nsilos:\n  a:\n  b:\n    relay: maybe\n' >"$err.yaml"
"$info" --topology "$err.yaml" >"$err.out" 2>"$err"
[ $? = 1 ] && [ ! -s "$err.out" ] && grep -q "^fedrdma-info: .*\.yaml:5:12: relay = \"maybe\" is neither yes nor no; give yes or no$" "$err"
ok $? "a bad topology file is told with line and column, exit status 1"
"$info" --topology /nonexistent/t.yaml >"$err.out" 2>"$err"
[ $? = 1 ] && [ ! -s "$err.out" ] && grep -q "/nonexistent/t.yaml" "$err"
ok $? "a missing topology file is named, exit status 1"

refuses --links --count 3
refuses --watch
refuses --links --time 3
refuses --topology x --every 1s
refuses --horse
refuses horse
refuses --algorithms --ranks 0
refuses --algorithms --ranks many
refuses --ranks 3
refuses --topology
refuses --topology a --errors
refuses --errors --options
echo "1..$count"
