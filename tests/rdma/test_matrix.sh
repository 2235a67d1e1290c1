#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_matrix.sh [--long] - the whole library over verbs: the matrix of tests/mp in the lab, by UCX's RC and UD
# transports, 2 to 6 ranks in 1 to 3 silos, one of whose devices each rank has to itself or shares. The devices' own
# counters must show that many packets, and none when TCP is chosen. --long runs every collective x type x operator in
# every layout; without it most layouts run every collective twice.
# shellcheck disable=SC2034 # before, kept, ENVIRONMENT and MP_JOB_S are for tests/mp/common.sh
set -u
top=$(cd "${srcdir:-.}" && pwd)
case ${1:-} in
--long) brief=() job_s=240 all_s=1800 ;;
*) brief=(--brief --extra 8 --flights 3) job_s=100 all_s=300 ;;
esac

if [ -z "${FRD_LAB_DEVICES:-}" ]; then
    # No fetching of kernels in a test; .ci/run has done it.
    exec "$top/tests/rdma/lab" --offline -n 3 --timeout $all_s -- bash "$top/tests/rdma/test_matrix.sh" "$@"
fi

MP_JOB_S=$job_s
. "$top/tests/mp/common.sh"
kept=$(mktemp)
read -r -a devices <<<"$FRD_LAB_DEVICES"
read -r -a silos <<<"$FRD_LAB_SILOS"
before=("$top/tests/rdma/lab" rank --)

sent_packets() { cat "/sys/class/infiniband/$1/ports/1/hw_counters/sent_pkts"; }
count_packets() {
    local i
    for i in "${!devices[@]}"; do packets[i]=$(sent_packets "${devices[i]}"); done
}

# True when the devices have sent what the ranks of their silos said they sent by UCX: a packet has 4096 bytes at most.
# Prints both.
went_by_verbs() {
    local i bytes all=0 fits=0
    for i in "${!devices[@]}"; do
        bytes=$(awk -v of="of silo ${silos[i]}:" '/# sent by rank/ && index($0, of) { sum += $NF }
            END { print sum + 0 }' "$kept")
        packets[i]=$(($(sent_packets "${devices[i]}") - packets[i]))
        echo "# ${devices[i]}: $bytes bytes, ${packets[i]} packets"
        [ $((packets[i] * 4096)) -ge "$bytes" ] || fits=1
        all=$((all + bytes))
    done
    [ $fits = 0 ] && [ $all -gt 0 ]
}

# over TLS LAYOUT RANKS ARGUMENTS...: the matrix, and what its devices counted.
over() {
    local tls=$1 layout=$2 ranks=$3 status
    shift 3
    ENVIRONMENT="FEDRDMA_TRANSPORTS=shm,ucx FEDRDMA_UCX_TLS=$tls"
    count_packets
    matrix "$layout" "$ranks" --counters "$@"
    went_by_verbs
    status=$?
    number=$((number + 1))
    if [ $status = 0 ]; then
        echo "ok $number - $tls, $layout: the devices counted that"
    else
        failures=$((failures + 1))
        echo "not ok $number - $tls, $layout: the devices did not count that"
    fi
}

for tls in rc_verbs ud_verbs; do
    over $tls 1x2 2 ${brief[@]+"${brief[@]}"}
    over $tls 2x1 2
    over $tls 1x3 3 ${brief[@]+"${brief[@]}"}
    over $tls 3x1 3 ${brief[@]+"${brief[@]}"}
    over $tls 2x2 4 ${brief[@]+"${brief[@]}"}
    over $tls 2x2 5 ${brief[@]+"${brief[@]}"}
    over $tls 3x1 6 ${brief[@]+"${brief[@]}"}
    over $tls 3x2 6 ${brief[@]+"${brief[@]}"}
done

# Who sleeps until a message comes is woken by it: a sleep without a message is 200 ms, and one in thirty calls had such.
# A machine that is busy otherwise may be late, but not three times.
wakes() { # TLS
    local mean median
    for _ in 1 2 3; do
        read -r mean median < <(FEDRDMA_TRANSPORTS=shm,ucx FEDRDMA_UCX_TLS=$1 timeout 60 \
            "$RUN" -n 2 --silos 2 --no-prefix --timeout 50 "${before[@]}" \
            "${builddir:-.}/perf/fedrdma_allreduce" -m 8 -i 500 -T 2 | awk '$1 == 8 { print int($2), int($5) }')
        echo "# $1: 8 bytes take ${mean:-?} us, half of them less than ${median:-?}"
        [ -n "${median:-}" ] && [ "$mean" -le $((median * 4)) ] && return
    done
    return 1
}
for tls in rc_verbs ud_verbs; do
    number=$((number + 1))
    if wakes $tls; then
        echo "ok $number - $tls: sleepers are woken"
    else
        failures=$((failures + 1))
        echo "not ok $number - $tls: sleepers are woken"
    fi
done

# The counters stand still when the same goes by TCP.
count_packets
ENVIRONMENT="FEDRDMA_TRANSPORTS=shm,ucx FEDRDMA_UCX_TLS=tcp" matrix 3x1 3 --counters --brief --extra 0 --flights 0
number=$((number + 1))
if ! went_by_verbs && [ "${packets[*]}" = "0 0 0" ]; then
    echo "ok $number - tcp: the devices counted nothing"
else
    failures=$((failures + 1))
    echo "not ok $number - tcp: the devices counted ${packets[*]} packets"
fi

# What wide links do: they delay and lose.
"${before[0]}" link all delay 10ms loss 0.1%
for tls in rc_verbs ud_verbs; do over $tls 3x1 3 --brief --extra 0 --flights 3; done
rm -f "$kept"
echo "1..$number"
finish
