#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# plan.sh - fedrdma-plan show: plans of topology files as text, JSON and pictures, what-ifs, and what it says about mistakes.
# TAP.
# shellcheck disable=SC2317 # is() calls its conditions
# shellcheck source=tests/tap.sh
. "${srcdir:-.}/tests/tap.sh"
tool=${builddir:-.}/tools/fedrdma-plan
examples=${srcdir:-.}/examples/topologies

# Four silos, the links of one of which are slow; and names with hyphens.
cat >"$work/four.yaml" <<'YAML'
version: 1
silos:
  a: {gateways: {ga: 192.0.2.1}}
  b: {gateways: {gb: 192.0.2.2}}
  c: {gateways: {gc: 192.0.2.3}}
  d: {gateways: {gd: 192.0.2.4}}
links:
  - {between: [a, b], rate: 1G, rtt: 20ms}
  - {between: [a, c], rate: 1G, rtt: 20ms}
  - {between: [b, c], rate: 1G, rtt: 20ms}
  - {between: [a, d], rate: 1G, rtt: 20ms}
  - {between: [b, d], rate: 1G, rtt: 20ms}
  - {between: [c, d], rate: 1G, rtt: 20ms}
YAML
sed 's/ a\([:,]\)/ x-y\1/; s/ b\([:,]\)/ z\1/; s/\[a/[x-y/; s/\[b/[z/; s/, b\]/, z]/' "$work/four.yaml" >"$work/hyphen.yaml"
cat >"$work/ambiguous.yaml" <<'YAML'
version: 1
silos:
  a: {gateways: {ga: 192.0.2.1}}
  a-b: {gateways: {gb: 192.0.2.2}}
  c: {gateways: {gc: 192.0.2.3}}
  b-c: {gateways: {gd: 192.0.2.4}}
YAML
printf 'version: 1\nsilos:\n  only:\n' >"$work/one.yaml"

plan() { once "$tool" show "$@"; }
lines_are() { [ "$(grep -c -- "$1" "$work/out")" = "$2" ]; }
matches() { grep -q -e "$1" "$work/out"; }
is_json() { python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$work/out"; }
# The value of a key of the object: time_ns and such.
value() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",}]*\).*/\1/p" "$work/out" | head -n 1; }

plan "$work/four.yaml"
is "equal links: direct" says "allreduce of 134217728 bytes among 4 silos: direct"
is "a tree for each silo, with a quarter each" lines_are '^ 25\.00%  .*(all others)$' 4
is "the link that bounds it, with its rate" matches '^  bound by   link from [abcd] to [abcd], 1 Gbit/s$'
is "the time and its parts" matches '^  time       [0-9.]* ms: load 536.871 ms, longest way [0-9.]* ms, fragments of 1048576 bytes$'
plan --json "$work/four.yaml"
before=$(value load_ns)
if command -v python3 >/dev/null; then is "JSON is JSON" is_json; else skipped "JSON is JSON" "no python3"; fi
is "JSON has the form" [ "$(value form)" = direct ]
is "JSON has four trees" lines_are '"share": 0.250000' 4
plan --json --what-if 'a->b rate=10M' "$work/four.yaml"
is "one slow direction: no tree is left on it" [ "$(value form)" != direct ]
is "it costs something" [ "$(value load_ns)" -gt "$before" ]
is "but not as if it were used" [ "$(value load_ns)" -lt $((2 * before)) ]
plan --what-if 'a->b rate=10M' "$work/four.yaml"
cp "$work/out" "$work/first"
plan --what-if 'a->b rate=10M' "$work/four.yaml"
is "the same again" cmp -s "$work/first" "$work/out"
plan --what-if 'a-b talk=no' --what-if 'a-c talk=no' --bytes 8 "$work/four.yaml"
is "without two links a goes through d" matches '^100.00%  .*(.*a.*)$'
is "one short tree for few bytes" says "d(all others)"
plan --what-if 'x-y-z rate=10M,rtt=80ms' "$work/hyphen.yaml"
is "hyphens in names" status_is 0
plan --collective reduce --root c "$work/four.yaml"
is "a reduce is up only" says "reduce of 134217728 bytes among 4 silos"
is "it has its root" lines_are '%  .*  c(' "$(grep -c '%  ' "$work/out")"
plan --json --collective broadcast --root c "$work/four.yaml"
is "a broadcast is down only" says '"up": null'
plan --root b "$work/four.yaml"
is "an allreduce with one aggregator" lines_are '%  .* b(' "$(grep -c '%  ' "$work/out")"
plan --dot "$work/four.yaml"
is "a picture has the silos" lines_are '^  "[abcd]" \[label="[abcd].*root of 25.0%"\];$' 4
is "a picture has each link up and down" lines_are '^  "[abcd]" -> "[abcd]" ' 24
is "its bound is bold" matches 'penwidth=4'
if command -v dot >/dev/null; then
    cp "$work/out" "$work/plan.dot"
    once dot -Tsvg "$work/plan.dot"
    is "Graphviz draws it" status_is 0
else
    skipped "Graphviz draws it" "no dot"
fi
plan "$work/one.yaml"
is "one silo has nothing to do" says "among 1 silo: alone"
for example in "$examples"/*.yaml; do
    plan "$example"
    is "${example##*/} has a plan" matches '^  time '
done
relays_alone() { ! grep -q -e '[ (]lyon(' -e '[ (]oslo(' -e '[ (]tokyo(' "$work/out"; }
plan --root milan --what-if 'lyon-milan rate=1M' "$examples/five-uneven.yaml"
is "who may not relay stands in nobody's way" relays_alone
plan --help
is "--help names the options" says "--what-if EDIT"

one_line() { fails_with "$1" "$2" && lines_are '' 1; }
# refused STATUS TEXT ARGUMENT...
refused() {
    plan "${@:3}"
    is "refused: ${*:3}" one_line "$1" "$2"
}
refused 2 "name a topology file"
refused 2 "unexpected argument" "$work/four.yaml" more
refused 2 "--bytes needs a number" --bytes many "$work/four.yaml"
refused 2 "--fragment needs a number from 1" --fragment 0 "$work/four.yaml"
refused 2 "--collective needs" --collective gather "$work/four.yaml"
refused 2 "name the root with --root SILO for a reduce" --collective reduce "$work/four.yaml"
refused 2 "one of the two" --json --dot "$work/four.yaml"
refused 1 "/nonexistent" /nonexistent
refused 1 'no silo is called "e"' --root e "$work/four.yaml"
refused 1 'did you mean "milan"' --root mila "$examples/five-uneven.yaml"
refused 1 'no silo is called "q"' --what-if 'a-q rate=1M' "$work/four.yaml"
refused 1 "names no two silos" --what-if 'a rate=1M' "$work/four.yaml"
refused 1 "without a link" --what-if '' "$work/four.yaml"
refused 1 "changes nothing" --what-if 'a-b' "$work/four.yaml"
refused 1 "no link to itself" --what-if 'a-a rate=1M' "$work/four.yaml"
refused 1 "rate has no unit" --what-if 'a-b rate=1' "$work/four.yaml"
refused 1 "is faster than light" --what-if 'a-b rtt=0ms' "$work/four.yaml"
refused 1 "is nothing that a link has" --what-if 'a-b colour=red' "$work/four.yaml"
refused 1 "rtt is of both directions" --what-if 'a->b rtt=1ms' "$work/four.yaml"
refused 1 "rate has no value" --what-if 'a-b rate' "$work/four.yaml"
refused 1 "can be read in 2 ways" --what-if 'a-b-c rate=1M' "$work/ambiguous.yaml"
refused 1 '"d" has no way to "a"' --what-if 'a-d talk=no' --what-if 'b-d talk=no' --what-if 'c-d talk=no' "$work/four.yaml"
finish
