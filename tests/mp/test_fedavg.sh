#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_fedavg.sh - the federated job, on fedrdma and on MPI: learns well, better than any silo alone and nearly as well
# as on all data; both programs end with the same figures; a bad option is named. One TAP line per claim.
set -u

builddir=${builddir:-.}
fedavg=$builddir/examples/fedavg/fedavg
example=${srcdir:-.}/examples/fedavg
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
tests=0

# ok status "claim": one TAP line; status 0 is success.
ok() {
    local verdict=ok
    [ "$1" = 0 ] || verdict="not ok"
    tests=$((tests + 1))
    echo "$verdict $tests - $2"
}

skip() {
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP no MPI"
}

on_fedrdma() { "$builddir/tools/fedrdma-run" -n 6 --silos 3 "$fedavg" "$@"; }

on_mpi() {
    local flags=()
    [ "${MPI_FAMILY:-}" != openmpi ] || flags=(--oversubscribe)
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        "$MPIRUN" "${flags[@]}" -n 6 "${fedavg}_mpi" --silos 3 "$@"
}

# The table without what the launcher puts before a line.
table() { sed -nE 's/^.*((federated|centralised|silo [0-9]+ alone) +[0-9 ]+ [01]\.[0-9]+)$/\1/p' "$1"; }

# good file: federated >= 0.93, above every one of three silos alone, within 0.03 of centralised.
good() {
    table "$1" | awk '
        $1 == "federated" { federated = $NF }
        $1 == "centralised" { central = $NF }
        $1 == "silo" { silos++; if ($NF > best) best = $NF }
        END { exit !(silos == 3 && federated >= 0.93 && federated > best && federated >= central - 0.03) }'
}

# claims launcher: the job on each data set, run by on_fedrdma or on_mpi.
claims() {
    local on=$1 status
    for data in digits cancer; do
        "$on" --data $data >"$out/$on.$data" 2>&1
        status=$?
        cat "$out/$on.$data"
        ok $status "$on: $data ends well (exit status $status)"
        good "$out/$on.$data"
        ok $? "$on: $data is learned well, better than by any silo alone and nearly as well as on all data"
    done
    "$on" --rounds none >"$out/$on.bad" 2>&1
    status=$?
    cat "$out/$on.bad"
    [ $status != 0 ] && grep -q -- "--rounds: 'none'" "$out/$on.bad"
    ok $? "$on: a bad option is named and fails the job"
}

# The diff of the two programs as the README shows it, and as it is.
# shellcheck disable=SC2016 # backquotes of the README
shown_diff() { sed -n '/^```diff/,/^```$/p' "$example/README.md" | sed '1d;$d'; }
real_diff() { diff -u --label fedavg_mpi.c --label fedavg.c "$example/fedavg_mpi.c" "$example/fedavg.c"; }

echo 1..13
claims on_fedrdma
diff <(shown_diff) <(real_diff)
ok $? "the README shows how the programs differ"
if [ -n "${MPIRUN:-}" ] && [ -x "${fedavg}_mpi" ]; then
    claims on_mpi
    for data in digits cancer; do
        diff <(table "$out/on_fedrdma.$data") <(table "$out/on_mpi.$data") && [ -s "$out/on_mpi.$data" ]
        ok $? "both programs end with the same $data table"
    done
else
    for claim in "digits on MPI" "learned" "cancer on MPI" "learned" "bad option" "same digits" "same cancer"; do
        skip "$claim"
    done
fi
