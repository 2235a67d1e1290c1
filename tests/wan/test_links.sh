#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_links.sh - fedrdma-info --links shows what the emulator was told: rates within 7%, round trips within 2 ms, the
# way round a link that the topology file forbids, and that file's caps kept, also for what is relayed. --watch goes on
# for as long as it should. Result records count what was sent again and what went
# another way. TAP.
# shellcheck disable=SC2317 # is() calls its conditions
. "${srcdir:-.}/tests/wan/common.sh"

tools=$builddir/tools
unset "${!FEDRDMA_@}"

try() { # SILOS LAB-OPTIONS -- OPTIONS OF INFO: again if the emulator could not keep up
    local silos=$1 lab=()
    shift
    while [ "$1" != -- ]; do
        lab+=("$1")
        shift
    done
    unvoid "$LAB" run "${lab[@]}" -- "$tools/fedrdma-run" -n "$silos" --silos "$silos" --no-prefix \
        fedrdma-lab rank -- "$tools/fedrdma-info" --links "${@:2}"
}
# link FROM TO MBIT MS ROUTE: the table's row for it; 7% and 2 ms off at most, and a loss.
link() {
    [ "$status" = 0 ] && awk -v from="$1" -v to="$2" -v mbit="$3" -v ms="$4" -v route="$5" '
        $1 == from && $2 == to {
            for (i = NF; i > 0 && $i !~ /%$/; i--) shown = $i (shown == "" ? "" : " ") shown
            good = $(i - 4) > mbit * 0.93 && $(i - 4) < mbit * 1.07 && $(i - 3) == "Mbit/s" &&
                   $(i - 2) > ms - 0.5 && $(i - 2) < ms + 2 && $(i - 1) == "ms" && shown == route
        }
        END { exit !good }' "$work/out"
}

cat >"$work/t.yaml" <<'EOF'
version: 1
silos:
  a: {gateways: {a1: 10.77.1.1}}
  b: {gateways: {b1: 10.77.2.1:7100}}
  c: {gateways: {c1: }, dial_in: no}
links:
  - {from: a, to: b, rate: 16M}
  - {between: [b, c], talk: no}
EOF
export FEDRDMA_TOPOLOGY=$work/t.yaml
for _ in 1 2 3; do # a machine that is busy with other things measures low
    try 3 --rate 40M --rtt 20ms --set "silo b egress 30M" triangle -- --time 400ms
    link a b 16 20 direct && link b a 30 20 direct && link c a 40 20 direct && link a c 40 20 direct &&
        link b c 30 40 "via a" && link c b 16 40 "via a" && break
done
unset FEDRDMA_TOPOLOGY
is "a cap is kept" link a b 16 20 direct
is "a line's rate is found" link b a 30 20 direct
is "from who may only be dialed out of" link c a 40 20 direct
is "and to there" link a c 40 20 direct
is "two that may not talk do so through a relay" link b c 30 40 "via a"
is "which keeps its own cap" link c b 16 40 "via a"

try 2 --rate 40M --rtt 10ms two -- --time 100ms --watch --every 200ms --count 2
two_tables() { [ "$status" = 0 ] && [ "$(grep -c "^[0-9:]\{8\}  [ab] -> [ab]  rate .*  rtt 1.* ms  loss .*  direct$" \
    "$work/out")" = 4 ] && [ "$(wc -l <"$work/out")" = 4 ]; }
is "--watch says a line for each link, as often as --count says" two_tables

# Counts don't depend on when packets come, and the run is so short that one pause of the host's would make it void.
unvoid "$LAB" run --set "late 20ms" --rate 100M --rtt 10ms --loss 2% two -- \
    "$tools/fedrdma-run" -n 2 --silos 2 fedrdma-lab rank -- "$builddir/tests/wan/record_rank"
recorded() { [ "$status" = 0 ] && [ "$(grep -c "record: [1-9][0-9]* sent again" "$work/out")" = 2 ]; }
is "records count what was sent again, as the counters do" recorded

unvoid "$LAB" run --set "late 20ms" --rate 40M --rtt 10ms --at 1 "link a b down" triangle -- \
    "$tools/fedrdma-run" -n 3 --silos 3 --env FEDRDMA_WAN_HEARTBEAT=200ms fedrdma-lab rank -- "$builddir/tests/wan/record_rank"
rerouted() { [ "$status" = 0 ] && [ "$(grep -c "^\[[01]\] record: .* again, [1-9][0-9]* rerouted" "$work/out")" = 2 ]; }
is "and what was taken off a way that failed" rerouted

once "$tools/fedrdma-info" --links
is "a job of one has no links" grep -q "^fedrdma-info: --links needs a job of 2 to 256 silos" "$work/out"

finish
