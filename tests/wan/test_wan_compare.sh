#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_wan_compare.sh - perf/wan/compare runs what is here over small wide links, with right results that took at least
# as long as the links allow; perf/wan/outage takes a link down in the middle; the figures follow from the runs; both say
# what is wrong with a command line. TAP.
# shellcheck disable=SC2317 # is() calls its conditions
# shellcheck disable=SC2016 # awk programs expand nothing here
. "${srcdir:-.}/tests/wan/common.sh"

say_more() { cat "$work/rows.csv" 2>/dev/null; }
try() { # compare|outage arguments...
    timeout 100 "$top/perf/wan/$1" --csv "$work/rows.csv" "${@:2}" >"$work/out" 2>&1 </dev/null
    status=$?
}
fails_with() { [ "$status" = 2 ] && grep -qF -- "$1" "$work/out"; }
header=what,silos,rate_bps,rtt_ms,loss,cc,bytes,library,seconds,bound_seconds,goodput_bps,retransmitted_bytes,verified
# rows FIELDS-AT-THE-BEGINNING: all rows begin so, are right, and no faster than the bound.
rows() {
    [ "$status" = 0 ] && awk -F, -v begin="$1" -v header="$header" '
        NR == 1 { good = $0 == header; next }
        index($0, begin) != 1 || NF != 13 || $13 != "yes" || $9 < 0.9 * $10 { good = 0 }
        END { exit !(good && NR > 1) }' "$work/rows.csv"
}
# has LINE...: the rows are these.
has() { diff <(printf '%s\n' "$header" "$@") "$work/rows.csv" >>"$work/out"; }
pictures() { # KIND: in both forms, or none without gnuplot.
    ! command -v gnuplot >/dev/null || { [ -s "$work/rows.$1.svg" ] && [ -s "$work/rows.$1.png" ]; }
}

try compare --what nothing
is "an unknown --what" fails_with "--what nothing should be allreduce"
try compare --silos 1
is "too few silos" fails_with "--silos 1 should be 2 to 16"
try compare --rtt 40
is "a time without unit" fails_with "--rtt 40 should be a time such as 40ms"
try compare --losses 0,x
is "a list with a bad loss" fails_with "--loss 0,x should be shares such as 0,0.1%"
try compare --libraries fedrdma,nosuch
is "an unknown library" fails_with "--libraries nosuch should be of"
try outage --down soon
is "an unknown length of an outage" fails_with "--down soon should be seconds such as 2,10"
try prove --what outage,nosuch
is "an unknown promise" fails_with "--what nosuch should be of: outage blackhole"
try prove --runs
is "an option without its value" fails_with "--runs needs a value"

# Invented runs: the median, the better setting, what is late, and a wrong result, of two losses.
{
    echo what,silos,rate_bps,rtt_ms,loss,cc,bytes,library,setting,run,seconds,steady_bps,retransmitted_bytes,queue_ms,verified
    printf 'transfer,2,8000000,10,0,bbr,1000000,fedrdma,default,%s,yes\n' 1,3,7,10,1 2,1.25,8,20,2 3,2,9,30,3
    printf 'transfer,2,8000000,10,0,bbr,1000000,openmpi,%s\n' default,1,6,,1,1,yes links,1,4,,2,1,yes links,2,5,,3,1,yes
    printf 'transfer,2,8000000,10,0,bbr,1000000,grpc,default,%s\n' 1,,,,,void 2,,,,,late
    printf 'transfer,2,8000000,10,1%%,bbr,1000000,fedrdma,default,%s\n' 1,2,,0,0,yes 2,3,,0,0,no
} >"$work/rows.runs.csv"
try compare --report
is "a wrong result is told" test "$status" = 1
is "rows follow from the runs" has \
    transfer,2,8000000,10,0,bbr,1000000,fedrdma,2,1.010000,4000000,30,yes \
    transfer,2,8000000,10,0,bbr,1000000,openmpi,4,1.010000,2000000,2,yes \
    transfer,2,8000000,10,0,bbr,1000000,grpc,,1.010000,,,late \
    transfer,2,8000000,10,1%,bbr,1000000,fedrdma,2,1.010000,4000000,0,no
is "the table has least, greatest and ratio" grep -qE '^openmpi +links +2 +4.000 +4.000 +5.000 +3.96 +2.00 ' "$work/out"
is "goodput against loss is drawn" pictures loss

# Limits, of invented runs: the median decides, of the best setting of the others.
{
    head -n 1 "$work/rows.runs.csv"
    printf 'transfer,2,1000000000,40,0.1%%,cubic,268435456,fedrdma,default,%s,yes\n' 1,2.4,950000000,9,2 2,2.5,930000000,9,21 3,2.6,,9,3
    printf 'allreduce,3,300000000,40,0,bbr,134217728,fedrdma,default,%s,yes\n' 1,5,,0,1 2,5.1,,0,1 3,9,,0,1
    printf 'allreduce,3,300000000,40,0,bbr,134217728,openmpi,%s\n' default,1,9,,0,1,yes links,1,7,,0,1,yes
    printf 'allreduce,3,300000000,40,0,bbr,134217728,grpc,default,%s\n' 1,,,,,late
    printf 'allreduce,3,300000000,40,0.1%%,cubic,16777216,%s\n' fedrdma,default,1,0.8,,0,1,yes grpc,default,1,18,,0,1,yes
} >"$work/limits.runs.csv"
cp "$work/limits.runs.csv" "$work/rows.runs.csv"
try compare --table --report
is "a limit that is missed is told" test "$status" = 1
has_limits() { cut -d, -f1,3,4 "$work/rows.limits.csv" | diff <(printf '%s\n' "$@") - >>"$work/out"; }
is "limits, figures and verdicts follow from the runs" has_limits \
    'transfer of 256M; 2 silos; loss 0.1%; cubic: steady of the line,0.93,miss' \
    'transfer of 256M; 2 silos; loss 0.1%; cubic: whole of the line,0.859,pass' \
    'transfer of 256M; 2 silos; loss 0.1%; cubic: queue in ms,21,miss' \
    'allreduce of 128M; 3 silos; loss 0; bbr: x bound,1.06,pass' \
    'allreduce of 128M; 3 silos; loss 0; bbr: times as fast as grpc,,none' \
    'allreduce of 128M; 3 silos; loss 0; bbr: times as fast as openmpi,1.37,miss' \
    'allreduce of 16M; 3 silos; loss 0.1%; cubic: times as fast as grpc,22.5,pass'

try compare --silos 3 --rate 100M --rtt 10ms --bytes 2M --runs 1 --timeout 60 --settings default
is "allreduce among three silos" rows "allreduce,3,100000000,10,0,cubic,2097152,"
try compare --what transfer --silos 2 --rate 100M --rtt 10ms --loss 0.1% --cc reno --bytes 2M --runs 1 --timeout 60 \
    --settings default --libraries fedrdma,ucx --append
is "transfer between two, beside the runs before" rows ""
is "both have a row" test "$(grep -c '^transfer,2,100000000,10,0.1%,reno,2097152,' "$work/rows.csv")" = 2

try outage --rate 100M --rtt 10ms --bytes 4M --down 0.5 --timeout 60 --libraries fedrdma
is "an outage takes as long as it lasts, and the result is right" awk -F, 'NR == 2 { least = $8 }
    NR == 3 { good = $7 == 0.5 && $8 > 0.5 && $9 == least && $13 == "yes" } END { exit !good }' "$work/rows.csv"

finish
