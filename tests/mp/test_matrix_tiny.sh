#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The matrix with hostile settings: tiny rings, eager limits, credits, fragments and windows, so that small calls
# take the paths of large ones; without direct reads; waits that sleep at once, or never.
. "${srcdir:-.}/tests/mp/common.sh"

plan 9
ENVIRONMENT="FEDRDMA_EAGER=64 FEDRDMA_EAGER_CREDIT=256 FEDRDMA_SHM_RING=4k FEDRDMA_FRAGMENT=512 FEDRDMA_WINDOW=1k"
matrix node 4 --extra 20 --flights 10 --most 20000
matrix nodes 5 --extra 20 --flights 10 --most 20000
matrix silos 3 --extra 20 --flights 10 --most 20000
ENVIRONMENT="FEDRDMA_SHM_DIRECT=0 FEDRDMA_FRAGMENT=64k FEDRDMA_CACHE=2"
matrix node 3 --extra 30 --flights 10
matrix nodes 4 --extra 30 --flights 10
matrix silos 4 --extra 20 --flights 10
ENVIRONMENT="FEDRDMA_SPIN=0us FEDRDMA_YIELD=0us"
matrix nodes 5 --brief
ENVIRONMENT="FEDRDMA_FRAGMENT=0 FEDRDMA_EAGER=1m FEDRDMA_EAGER_CREDIT=16m"
matrix silos 4 --brief
ENVIRONMENT="FEDRDMA_CHECK=1 FEDRDMA_THREADS=multiple"
matrix nodes 4 --brief
finish
