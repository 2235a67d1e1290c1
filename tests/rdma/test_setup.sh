#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_setup.sh - verbs devices that can't be used: an error says at once what to set; and fedrdma-info shows them. TAP,
# in the lab.
# shellcheck disable=SC2317 # is() calls its conditions
set -u
top=$(cd "${srcdir:-.}" && pwd)
[ -n "${FRD_LAB_DEVICES:-}" ] ||
    exec "$top/tests/rdma/lab" --offline -n 2 --timeout 120 -- bash "$top/tests/rdma/test_setup.sh"
. "$top/tests/tap.sh"

builddir=$(cd "${builddir:-.}" && pwd)
export FEDRDMA_TRANSPORTS=shm,ucx FEDRDMA_TIMEOUT=10s FEDRDMA_CONNECT_TIMEOUT=10s
no() { ! "$@"; }
lines_like() { grep -Eq -- "$1" "$work/out"; }
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
export -f as_user

# job TLS COMMAND...: two silos; the command stands before the program.
job() {
    local tls=$1
    shift
    FEDRDMA_UCX_TLS=$tls once "$builddir/tools/fedrdma-run" -n 2 --silos 2 --timeout 40 lab rank -- "$@" \
        "$builddir/tests/mp/matrix" --brief --extra 0 --flights 0 --alarm 30
}
locked() { echo "ulimit -l $1; $2 \"\$@\""; }

# ---- memory that may be locked
for tls in rc_verbs ud_verbs; do
    job $tls bash -c "$(locked 8192 as_user)" -
    is "$tls, ulimit -l 8192" says "this process may lock 8192 KiB of memory, and UCX needs 65536 KiB"
    is "$tls, ulimit -l 8192: an error at once" no says "timeout"
    is "$tls, ulimit -l 8192: what to do" says "ulimit -l unlimited"
done
job rc_verbs bash -c "$(locked 131072 as_user)" -
is "ulimit -l 131072" status_is 0
job ud_verbs bash -c "$(locked 64 exec)" -
is "ulimit -l 64 of a process that may do so" status_is 0
job tcp bash -c "$(locked 64 as_user)" -
is "ulimit -l 64 without verbs" status_is 0
FEDRDMA_LOG=warn job '' bash -c "$(locked 8192 as_user)" -
is "ulimit -l 8192, verbs not asked for: TCP does" status_is 0
is "ulimit -l 8192, verbs not asked for: said" says "are not used, but TCP: this process may lock 8192 KiB"
UCX_NET_DEVICES=rxe1:1,rxe2:1 job '' bash -c "$(locked 8192 as_user)" -
is "ulimit -l 8192, and nothing else is left" says "this process may lock 8192 KiB of memory, and UCX needs 65536 KiB"

# ---- names
UCX_NET_DEVICES=rxe7:1 job rc_verbs
is "no such device" says "network:rxe7:1"
is "no such device: what there is" says "verbs ports here: rxe1:1 active, 2 GIDs; rxe2:1 active, 2 GIDs"
UCX_IB_GID_INDEX=7 job rc_verbs
is "no such GID" says "verbs ports here: rxe1:1 active, 2 GIDs"
job carrier_pigeon
is "no such transport" says "carrier_pigeon"

# ---- what is shown
once "$builddir/tools/fedrdma-info" --devices
is "a port" lines_like '^rxe1 +1 +active +Ethernet +10 Gbit/s +2 +-$'
is "its GIDs" lines_like '^rxe1:1 +1 +RoCE v2 +s1 +10\.78\.1\.1$'
is "nothing to complain of" no says "no GID that others could reach"

# ---- an interface without an address, then one that is down
ip addr flush dev s2
once "$builddir/tools/fedrdma-info" --devices
is "no address: shown" says "rxe2:1 has no GID that others could reach"
export FEDRDMA_INTERFACE=lo
job rc_verbs
is "no address" says "verbs device rxe2:1 has no GID that others could reach: give the interface below an IP address"
ip link set s2 down
job rc_verbs
is "an interface that is down" says "rxe2:1 down"

finish
