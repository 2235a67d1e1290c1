#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Communicators, counters, records, cancel and requests by real processes, and inexact results that are the same, bit
# for bit, when a layout is run again.
. "${srcdir:-.}/tests/mp/common.sh"

# The checksum that the last job printed; job() keeps its output for us in $kept.
kept=$(mktemp)
trap 'rm -f "$kept"' EXIT
checksum() { sed -n 's/.*# checksum //p' "$kept"; }

plan 19
job node 1 "$MP/features"
for layout in node nodes silos; do
    for ranks in 2 5; do
        job $layout $ranks "$MP/features"
        first=$(checksum)
        job $layout $ranks "$MP/features"
        [ -n "$first" ] && [ "$first" = "$(checksum)" ]
        result "$ranks rank(s), $layout: the same bits twice ($first)" $? "$kept"
    done
done
finish
