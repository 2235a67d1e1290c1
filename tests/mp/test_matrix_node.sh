#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every collective x type x operator by 1 to 9 processes, all ranks on one node: shared memory carries everything.
. "${srcdir:-.}/tests/mp/common.sh"

plan 9
for ranks in 1 2 3 4 5 6 7 8 9; do
    matrix node $ranks --extra $((60 - 5 * ranks)) --flights $((30 - 2 * ranks))
done
finish
