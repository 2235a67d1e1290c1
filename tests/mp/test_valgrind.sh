#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Four ranks run every collective under valgrind: on one node, and as two silos. Any error that isn't in
# valgrind.supp fails, and so does memory that is lost at the end.
. "${srcdir:-.}/tests/mp/common.sh"

if ! command -v valgrind >/dev/null; then
    echo "valgrind is not installed"
    exit 77
fi
if [ "${FRD_SANITIZERS:-no}" != no ]; then
    echo "valgrind does not run sanitized programs"
    exit 77
fi

job_s=200
check=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
    --show-leak-kinds=definite --num-callers=40 --suppressions="${srcdir:-.}/tests/mp/valgrind.supp")
plan 2
# Valgrind is slow and serialises threads: polling longer than its rounds take only keeps others from running.
ENVIRONMENT="FEDRDMA_SPIN=0us FEDRDMA_YIELD=0us FEDRDMA_TIMEOUT=150s"
for layout in node silos; do
    job $layout 4 "${check[@]}" "$MP/matrix" ${MP_SEED:+--seed "$MP_SEED"} --brief --extra 2 --flights 2 --alarm 190
done
finish
