#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_simulate.sh - fedrdma-plan simulate as one types it: worlds by numbers and by a topology file, sweeps, what a
# link that fails costs, and mistakes. That its times are right is tests/unit/test_sim's. TAP.
# shellcheck disable=SC2317 # is() calls its conditions
. "${srcdir:-.}/tests/tap.sh"
plan=${builddir:-.}/tools/fedrdma-plan
unset "${!FEDRDMA_@}"

simulate() { once "$plan" simulate "$@"; }
seconds() { awk '$1 ~ /^[0-9]+$/ { print $6 }' "$work/out"; }
between() { # LOW HIGH
    [ "$status" = 0 ] && [ -n "$(seconds)" ] && seconds | awk -v low="$1" -v high="$2" '!($1 > low && $1 < high) { exit 1 }'
}

once "$plan" --help
is "help says what there is" fails_with 0 "simulate"
once "$plan" --version
is "the version" fails_with 0 "fedrdma-plan 0."
once "$plan" unknown
is "another word is refused" fails_with 2 '"unknown" is unknown'
simulate --help
is "options are listed" fails_with 0 "--sweep"
simulate --costs
is "so are costs" fails_with 0 "gateway_rate"

simulate --silos 3 --rate 300M --bytes 128m
is "three silos at 300 Mbit/s take about what their lines need" between 4.8 5.3
is "by the library's own choice" says " allreduce    silo "
simulate --silos 3 --rate 300M --bytes 128m --cost wan_share=0.5
is "half of the lines, twice the time" between 9 10.2
simulate --silos 3 --rate 300M --bytes 128m --down 'silo0-silo1 from 1s for 2s' --seed 3
is "a link that fails costs time" between 5.4 8.4
simulate --silos 1 --ranks 4 --bytes 1k
is "a node by itself" says " allreduce    node "
simulate --silos 4 --ranks 3 --nodes 2 --collective gather --root 5 --bytes 64k --links
is "links are shown" fails_with 0 "silo1 -> silo0: "
FEDRDMA_ALGO='allreduce:0-:ring' simulate --silos 1 --nodes 4 --bytes 1m
is "rules of the environment count" says " allreduce    ring "
simulate --silos 2 --collective broadcast --algorithm chain --bytes 1m
is "an algorithm may be named" says " broadcast    chain "

simulate --sweep silos=2,3,5 --bytes 1m --csv "$work/sweep.csv"
is "a sweep is a line each" test "$(seconds | wc -l)" = 3
is "and one in CSV" test "$(grep -c '^[235],[235],1,allreduce,silo,1048576,' "$work/sweep.csv")" = 3
is "whose columns have names" grep -q "^silos,ranks,gateways,collective,algorithm,bytes,seconds,messages," "$work/sweep.csv"

cat >"$work/t.yaml" <<'END'
version: 1
silos:
  north-1: {gateways: {n1: 10.0.0.1}, egress: 1G, ingress: 1G}
  south: {gateways: {s1: 10.0.0.2}, egress: 100M, ingress: 100M}
  clinic: {gateways: {c1: 10.0.0.3}, relay: no}
links:
  - {between: [north-1, south], rate: 50M, rtt: 100ms}
  - {between: [south, clinic], talk: no}
END
simulate "$work/t.yaml" --rate 100M --bytes 8m --links
is "a topology file is the world" fails_with 0 "clinic -> north-1: "
slow() { [ "$status" = 0 ] && ! says "south -> clinic"; }
is "who may not talk is relayed" slow
simulate "$work/t.yaml" --down 'north-1-south from 0s for 1s' --bytes 1m
is "a name with a hyphen" status_is 0
simulate "$work/t.yaml" --down 'north-south from 0s for 1s'
is "a name that isn't there" fails_with 1 "no two silos are called north-south; they are north-1 to clinic"
simulate "$work/missing.yaml"
is "a file that isn't there" says "missing.yaml"
echo "silos: 3" >"$work/bad.yaml"
simulate "$work/bad.yaml"
is "a bad file is told with its line" says "bad.yaml:1:"

mistakes() { # OPTIONS | WORDS
    local options
    while IFS='|' read -r options words; do
        # shellcheck disable=SC2086 # words
        simulate $options
        is "refused: $options" fails_with 2 "$words"
    done
}
mistakes <<'END'
--silos 0|--silos "0" is too small; give 1 to 256
--silos x|is not a number
--rate 300|--rate "300"
--rtt 40|--rtt "40"
--loss 0.1|--loss "0.1"
--bytes many|--bytes "many"
--collective sum|--collective "sum" is unknown
--cost speed=1|--cost "speed=1" is unknown
--cost wan_share=2|is not above 0 and up to 1
--cost reduce_rate=0|is nothing
--sweep rtt=1|--sweep "rtt" is unknown
--sweep silos|has no values
--csv /nowhere/x|cannot be written
--nonsense|lists the options
a.yaml b.yaml|one topology file
END
simulate --down a
is "an outage without a time" fails_with 1 "give e.g. --down 'silo0-silo2 from 2s for 10s'"
simulate --root 3
is "no such root" fails_with 1 "--root 3: there are 3 ranks; give 0 to 2"
simulate --algorithm best
is "no such algorithm" fails_with 1 'allreduce has no algorithm "best"'
simulate --silos 1 --algorithm silo --bytes 1m
is "an algorithm for other worlds" fails_with 1 "is for several silos only"
simulate --ranks 1048576 --nodes 2
is "too many ranks" fails_with 1 "more than 1048576 ranks"
finish
