#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Gateways: several of each silo carry bytes; those that the topology file names do, and no others; ranks that disagree
# about their number are told. Then every collective over two of each silo, with two nodes in each.
. "${srcdir:-.}/tests/mp/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# carries NAME RANKS...: of the job that ran, these and no other ranks sent more than 100 KB to other silos.
carries() {
    local name=$1 found
    shift
    found=$(sed -n 's/^\[\([0-9]*\)\] wan.sent_bytes \([0-9]*\)$/\1 \2/p' "$work/out" | sort -n |
        awk '$2 > 100000 { printf "%s%s", n++ ? " " : "", $1 }')
    [ "$status" = 0 ] && [ "$found" = "$*" ]
    result "$name" $? "$work/out"
}
allreduces() { # fedrdma-run's arguments
    timeout 60 "$RUN" "$@" "$MP/gateways" >"$work/out" 2>&1
    status=$?
}

plan 5
allreduces -n 6 --silos 2 --nodes-per-silo 3
carries "one gateway" 0 3
allreduces -n 6 --silos 2 --nodes-per-silo 3 --env FEDRDMA_GATEWAYS=2
carries "two gateways" 0 1 3 4
cat >"$work/t.yaml" <<'EOF'
version: 1
silos:
  a: {gateways: {g1: 127.0.0.2}, ranks: "0-2"}
  b: {gateways: {g2: 127.0.0.3, g3: 127.0.0.4}, ranks: "3-5"}
EOF
# shellcheck disable=SC2016 # the ranks expand it
timeout 60 "$RUN" -n 6 --env FEDRDMA_TOPOLOGY="$work/t.yaml" sh -c '
    set -- n0 n1 g1 n3 g3 g2
    shift $FEDRDMA_RANK
    FEDRDMA_NODE=$1 exec "$0"' "$MP/gateways" >"$work/out" 2>&1
status=$?
carries "the named node sends" 2 4
timeout 60 "$RUN" -n 2 --silos 2 sh -c "FEDRDMA_GATEWAYS=\$((1 + FEDRDMA_RANK)) exec $MP/gateways" >"$work/out" 2>&1
status=$?
[ "$status" != 0 ] && grep -q "rank 1 has FEDRDMA_GATEWAYS=2, rank 0 1; set the same on all ranks" "$work/out"
result "unequal numbers" $? "$work/out"
timeout 60 "$RUN" -n 6 --silos 3 --nodes-per-silo 2 --env FEDRDMA_GATEWAYS=2 --env FEDRDMA_TRANSPORTS=shm,ucx \
    "$MP/matrix" --extra 5 --flights 2 >"$work/out" 2>&1
result "all collectives, two gateways" $? "$work/out"
finish
