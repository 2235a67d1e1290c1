#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Collectives of ranks on one node, whose data goes through shared memory without messages; with the ring at its
# smallest, too, where every call wraps it. A seed as argument runs that one again.
. "${srcdir:-.}/tests/mp/common.sh"

plan 7
for ranks in 2 3 4 7; do
    job node $ranks "$MP/node" "$@"
done
ENVIRONMENT=FEDRDMA_NODE_RING=64k
for ranks in 2 5; do
    job node $ranks "$MP/node" "$@"
done
ENVIRONMENT=
job node 19 "$MP/node" "$@"
finish
