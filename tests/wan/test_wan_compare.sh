#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_wan_compare.sh - perf/wan/compare runs what is here over small wide links, with right results that took at least
# as long as the links allow, and says what is wrong with a command line. TAP.
# shellcheck disable=SC2317 # is() calls its conditions
set -u

top=$(cd "${srcdir:-.}" && pwd)
compare=$top/perf/wan/compare
work=$(mktemp -d)
export FRD_LAB_DIR=$work/labs
trap 'rm -rf "$work"' EXIT
number=0
failures=0

"$top/tests/wan/fedrdma-lab" run two -- true >"$work/out" 2>&1
if [ $? = 77 ]; then
    cat "$work/out"
    exit 77
fi

is() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $name"
    else
        failures=$((failures + 1))
        echo "not ok $number - $name"
        echo "# not true: $*; status $status"
        sed 's/^/# /' "$work/out" "$work/rows.csv" 2>/dev/null | head -n 40
    fi
}
try() {
    timeout 100 "$compare" --csv "$work/rows.csv" "$@" >"$work/out" 2>&1 </dev/null
    status=$?
}
fails_with() { [ "$status" = 2 ] && grep -qF -- "$1" "$work/out"; }
# rows FIELDS-AT-THE-BEGINNING: all rows begin so, are right, and no faster than the bound.
rows() {
    [ "$status" = 0 ] && awk -F, -v begin="$1" '
        NR == 1 { good = $0 == "what,silos,rate_bps,rtt_ms,loss,cc,bytes,library,seconds,bound_seconds,goodput_bps,retransmitted_bytes,verified"; next }
        index($0, begin) != 1 || NF != 13 || $13 == "no" || $9 < 0.9 * $10 { good = 0 }
        END { exit !(good && NR > 1) }' "$work/rows.csv"
}

try --what nothing
is "an unknown --what" fails_with "--what nothing should be allreduce or transfer"
try --silos 1
is "too few silos" fails_with "--silos 1 should be 2 to 16"
try --rtt 40
is "a time without unit" fails_with "--rtt 40 should be a time such as 40ms"
try --libraries fedrdma,nosuch
is "an unknown library" fails_with "--libraries nosuch should be of"
try --silos 3 --rate 100M --rtt 10ms --bytes 256k --runs 1 --timeout 60
is "allreduce among three silos" rows "allreduce,3,100000000,10,0,cubic,262144,"
try --what transfer --silos 2 --rate 100M --rtt 10ms --loss 0.1% --cc reno --bytes 256k --runs 1 --timeout 60
is "transfer between two" rows "transfer,2,100000000,10,0.1%,reno,262144,"

echo "1..$number"
[ $failures = 0 ]
