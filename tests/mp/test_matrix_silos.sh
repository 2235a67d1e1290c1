#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every collective x type x operator by 1 to 9 processes, three silos of one node each; and allreduce along the trees
# that are planned where their links differ.
. "${srcdir:-.}/tests/mp/common.sh"

plan 14
for ranks in 1 2 3 4 5 6 7 8 9; do
    matrix silos $ranks --extra $((60 - 5 * ranks)) --flights $((30 - 2 * ranks))
done

file=$(mktemp)
trap 'rm -f "$file"' EXIT
cat >"$file" <<'END'
version: 1
silos:
  a: {gateways: {a1: 127.0.0.1}}
  b: {gateways: {b1: 127.0.0.2}}
  c: {gateways: {c1: 127.0.0.3}}
links:
  - {between: [a, b], rate: 100M, rtt: 10ms}
  - {between: [b, c], rate: 300M, rtt: 10ms}
  - {between: [a, c], rate: 30M, rtt: 50ms}
END
ENVIRONMENT="FEDRDMA_TOPOLOGY=$file FEDRDMA_ALGO=allreduce:0-:silo_planned"
for ranks in 3 5 8; do
    matrix silos $ranks --brief --extra 20 --flights 10
done
kept=$(mktemp)
trap 'rm -f "$file" "$kept"' EXIT
ENVIRONMENT="FEDRDMA_TOPOLOGY=$file FEDRDMA_LOG=info"
job silos 3 "${builddir:-.}/perf/fedrdma_allreduce" -m 1m:1m -i 1 -x 0 -c
grep -q "plan for allreduces of about 1048576 bytes: everybody exchanges everything with one silo" "$kept"
result "the plan is told, and is the one for that size" $? "$kept"
finish
