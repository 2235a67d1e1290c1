#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# test_topology.sh - the corpus and mutations of it through the parser of topology files, for some seconds. Where clang
# has libFuzzer, `make fuzz-topology` goes further.
srcdir=${srcdir:-.}
exec "${builddir:-.}/tests/fuzz/replay_topology" --seconds "${FRD_TEST_FUZZ_SECONDS:-5}" \
    "$srcdir"/tests/fuzz/corpus/topology/* "$srcdir"/examples/topologies/*.yaml
