#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Started by MPI launchers: the matrix, which takes rank and size from the launcher's variables and meets at
# FEDRDMA_RENDEZVOUS without using MPI; and a program that interleaves MPI's and fedrdma's collectives. Every launcher
# that is installed is tried for the first; the second needs the MPI that the build found.
. "${srcdir:-.}/tests/mp/common.sh"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# oversubscribe LAUNCHER: Open MPI has to be asked for more ranks than cores.
oversubscribe() { "$1" --version 2>&1 | grep -q 'Open MPI\|OpenRTE' && echo --oversubscribe; }

# launch LAUNCHER RANKS PROGRAM ARGUMENTS...: one TAP line.
launch() {
    local launcher=$1 ranks=$2 log
    shift 2
    log=$(mktemp)
    # shellcheck disable=SC2046
    timeout -k 5 "$job_s" "$launcher" $(oversubscribe "$launcher") -n "$ranks" "$@" >"$log" 2>&1
    result "$(basename "$launcher") -n $ranks $(basename "$1")" $? "$log"
    rm -f "$log"
}

# No one listens on a port below the ephemeral range that was free a moment ago.
free_port() { shuf -i 20000-32000 -n 1; }

launchers=()
for launcher in mpirun.openmpi mpirun.mpich; do
    command -v $launcher >/dev/null && launchers+=("$launcher")
done
[ ${#launchers[@]} = 0 ] && [ -n "${MPIRUN:-}" ] && launchers+=("$MPIRUN")
if [ ${#launchers[@]} = 0 ]; then
    echo "no mpirun"
    exit 77
fi

interleaves=0
[ -x "$MP/interleave" ] && [ -n "${MPIRUN:-}" ] && interleaves=3
plan $((2 * ${#launchers[@]} + interleaves))
for launcher in "${launchers[@]}"; do
    for ranks in 3 4; do
        FEDRDMA_RENDEZVOUS=127.0.0.1:$(free_port)
        export FEDRDMA_RENDEZVOUS
        MP_LAUNCH="FEDRDMA_RENDEZVOUS=$FEDRDMA_RENDEZVOUS $launcher -n $ranks" \
            launch "$launcher" $ranks "$MP/matrix" ${MP_SEED:+--seed "$MP_SEED"} --brief --extra 10 --flights 5
    done
done
unset FEDRDMA_RENDEZVOUS
if [ $interleaves -gt 0 ]; then
    launch "$MPIRUN" 2 "$MP/interleave"
    launch "$MPIRUN" 5 "$MP/interleave"
    # The same with every rank on a node of its own, so that two users of UCX may be in one process.
    # shellcheck disable=SC2016
    launch "$MPIRUN" 3 sh -c 'FEDRDMA_NODE=${OMPI_COMM_WORLD_RANK:-$PMI_RANK} exec "$0"' "$MP/interleave"
fi
finish
