#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_lab.sh - the lab does what it was told: every impairment is measured by a flow and set beside its bound, and
# beside the emulator's own counters. What it can't keep up with is void, and it leaves nothing behind. TAP.
# shellcheck disable=SC2016,SC2317 # variables are for others to expand; is() calls its conditions
. "${srcdir:-.}/tests/wan/common.sh"

WANEM=$builddir/tests/wan/wanem
FLOW=$builddir/tests/wan/wanflow
chmod 755 "$work"
trap '"$LAB" down frdtest 2>/dev/null; rm -rf "$work"' EXIT

say_more() { declare -p seen stat 2>/dev/null; }
between() { [ -n "$2" ] && [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; } # LEAST VALUE MOST
same() { [ "$1" = "$2" ]; }
gone() { timeout 30 tail --pid="$1" -f /dev/null; }

declare -A seen stat
read_pairs() { # array text
    local -n into=$1
    local pair
    # shellcheck disable=SC2034 # a reference
    for pair in $2; do [[ $pair != *=* ]] || into[${pair%%=*}]=${pair#*=}; done
}

# flow ARGUMENTS...: wanflow in the lab frdtest, once more if the emulator could not keep up. Then ${seen[...]} has
# what it saw, and ${stat[...]} what the emulator counted from a to b.
flow() {
    unvoid "$LAB" run frdtest ${at[@]+"${at[@]}"} -- "$FLOW" "$@"
    seen=() stat=()
    read_pairs seen "$(grep '=' "$work/out")"
    read_pairs stat "$("$LAB" stat frdtest | grep '^link a > b ')"
}
at=()
link() { unvoid "$LAB" set frdtest "link a b loss 0 duplicate 0 corrupt 0 reorder 0 jitter 0s rate none delay 1ms" "$@"; }

# ---- what is said about mistakes
printf '%s\n' '# comment' 'silo a' 'silo b nodes 0' '' 'link a c rate 1M' 'link a a' 'silo a' 'mtu 9' 'nonsense' \
    'link a a1 rate 3' 'silo x1' >"$work/bad.lab"
unvoid "$LAB" up "$work/bad.lab"
is "mistakes in a file end up with status 2" status_is 2
is "with file and line: a bad number" says "$work/bad.lab:3: nodes \"0\" should be a number from 1 to 64"
is "a silo that is not there" says "$work/bad.lab:5: there is no silo \"c\""
is "a link to itself" says "$work/bad.lab:6: a link needs two silos, not one and itself"
is "a silo twice" says "$work/bad.lab:7: silo \"a\" is declared already"
is "an unknown line" says "$work/bad.lab:9: \"nonsense\" is no command"
is "a silo's name that could be a node's" says "$work/bad.lab:11: silo \"x1\" should be called by letters alone"
printf 'silo a\nsilo b\nlink a b rate 1M loss 120%% delay\n' >"$work/bad.lab"
unvoid "$LAB" up "$work/bad.lab"
is "a share over all" fails_with 2 ":3: loss \"120%\" is more than all"
printf 'silo a\nsilo b\nlink a b rate 1M delay\n' >"$work/bad.lab"
unvoid "$LAB" up "$work/bad.lab"
is "a value that is missing" fails_with 2 ":3: delay needs a value"
printf 'silo a\n' >"$work/bad.lab"
unvoid "$LAB" up "$work/bad.lab"
is "one silo is no lab" fails_with 2 ":1: the file ends with 1 silos"
unvoid "$LAB" up nowhere
is "a file that is not there" fails_with 2 "no topology file nowhere"
unvoid "$LAB" run --rtt 40 two -- true
is "a bad value of an option" fails_with 2 'rtt "40" should be a time'
unvoid "$LAB" run --cc nosuch two -- true
is "an unknown congestion control, and which there are" fails_with 2 '"nosuch" can'\''t be had on node a1; there are:'
read -r -a available </proc/sys/net/ipv4/tcp_available_congestion_control
for cc in "${available[@]}"; do
    unvoid "$LAB" run --cc "$cc" two -- "$FLOW" --tcp --time 0.1 a1 b1
    is "connections of $cc" says "cc=$cc "
done
unvoid "$LAB" stat frdnone
is "a lab that is not up" fails_with 2 "no lab frdnone is up"
for tool in "$LAB" "$WANEM" "$FLOW"; do
    unvoid "$tool" --help
    is "${tool##*/} --help" fails_with 0 "Usage: ${tool##*/}"
done
is "nothing is left of all that" test -z "$(ls -A "$FRD_LAB_DIR")"

# ---- a lab that stays
unvoid "$LAB" up --rtt 40ms --set 'link a b rate none' --cc reno --name frdtest two
is "a lab comes up and names its nodes" fails_with 0 "lab frdtest is up: a1 b1"
unvoid "$LAB" up --name frdtest two
is "its name is taken then" fails_with 2 "a lab frdtest is up already"
unvoid "$LAB" list
is "and in the list" says "frdtest: a1 b1"
unvoid "$LAB" exec frdtest b1 -- sh -c 'echo $FEDRDMA_SILO $FEDRDMA_NODE $(cat /proc/sys/kernel/hostname); cat /proc/sys/net/ipv4/tcp_congestion_control
    ls /sys/class/net; exit 5'
is "a command on a node, and its status" fails_with 5 "b b1 b1"
is "sees the node's devices" says wan0
is "and its congestion control" says reno
unvoid "$LAB" exec frdtest c1 -- true
is "a node that is not there" fails_with 2 "no node c1, but a1 b1"
unvoid "$LAB" set frdtest 'link a b loss 0.1% bogus 1'
is "a wrong command" fails_with 1 '"bogus" is nothing that a link has'
unvoid "$LAB" set frdtest 'silo a nodes 3'
is "what can't be changed any more" fails_with 1 "can't be changed while it is up"

# ---- delay
flow --rate 200M --time 0.3 a1 b1
is "delay: 20 ms one way, at least" between 20000 "${seen[delay_min_us]:-}" 20600
is "delay: 20 ms one way, most of the time" between 20000 "${seen[delay_p50_us]:-}" 21500
is "nothing is lost, doubled, overtaken or changed" same "${seen[lost]} ${seen[doubled]} ${seen[overtaken]} ${seen[corrupted]}" "0 0 0 0"
is "super-packets pass whole" between 5 $((${stat[packets]:-0} / $("$LAB" stat frdtest |
    sed -n 's/^silo a port read=\([0-9]*\).*/\1/p'))) 64
flow --tcp --time 0.2 a1 b1
is "round trip: 40 ms" between 40000 "${seen[connect_us]:-}" 42500
link "link a b delay 10ms jitter 8ms"
flow --rate 20M --time 1 a1 b1
is "jitter: up to 8 ms more" between 16000 "${seen[delay_p99_us]:-}" 19500
is "jitter: half of it in the middle" between 12000 "${seen[delay_p50_us]:-}" 16000
is "jitter keeps the order" same "${seen[overtaken]:-}" 0

# ---- rate and queue: 50 Mbit/s of IP are 49.07 of payload; the queue holds 40 ms of it
link "link a b delay 20ms rate 50M queue 1bdp"
flow --rate 80M --time 1 a1 b1
is "rate: 50 Mbit/s within 2%" between 48100000 "${seen[goodput_bps]:-}" 50100000
is "queue: 1 bdp, nearly always full, is 40 ms more" between 57500 "${seen[delay_p50_us]:-}" 62500
is "queue: what is lost was counted as dropped there" same "${seen[lost]:-}" "${stat[queue_dropped]:-}"
is "queue: and that is what did not fit" between 1700 "${seen[lost]:-}" 2500
link "link a b rate 50M queue 10ms"
flow --rate 80M --time 0.3 a1 b1
is "queue: 10 ms of it" between 10000 "${seen[delay_p50_us]:-}" 12500
link "link a b rate 50M queue 100ms" "silo a egress 30M queue 2s"
flow --tcp --time 1.5 --skip 0.5 a1 b1
is "rate: a silo's line, by TCP" between 26500000 "${seen[goodput_bps]:-}" 29100000
unvoid "$LAB" set frdtest "silo a egress none"

# ---- chance: 8491 datagrams; bounds of five standard deviations
link "link a b loss 5%"
flow --rate 200M --time 0.5 a1 b1
is "loss: 5% of them" between 320 "${seen[lost]:-}" 530
is "loss: as counted" same "${seen[lost]:-}" "${stat[lost]:-}"
link "link a b gilbert 1%:20%"
flow --rate 200M --time 0.5 a1 b1
is "loss in bursts: 4.8% of them" between 120 "${seen[lost]:-}" 720
is "loss in bursts: of 5" between 30 $((${seen[lost]:-0} * 10 / ${seen[losses]:-1})) 75
link "link a b duplicate 2%"
flow --rate 200M --time 0.5 a1 b1
is "duplication: 2%" between 105 "${seen[doubled]:-}" 235
is "duplication: as counted, nothing else" same "${seen[doubled]} ${seen[lost]}" "${stat[duplicated]} 0"
link "link a b reorder 3% reorder-by 6ms"
flow --rate 200M --time 0.5 a1 b1
is "reorder: 3%" between 175 "${seen[overtaken]:-}" 335
is "reorder: as counted, nothing else" same "${seen[overtaken]} ${seen[lost]}" "${stat[reordered]} 0"
is "reorder: 6 ms late" between 7000 "${seen[delay_max_us]:-}" 12500
link "link a b corrupt 1%"
flow --rate 200M --time 0.5 a1 b1
is "corruption: 1% of datagrams reach the program" between 40 "${seen[corrupted]:-}" 132
is "corruption: as counted, nothing else" same "${seen[corrupted]} ${seen[lost]}" "${stat[corrupted]} 0"
link "link a b corrupt 1% checksum broken"
flow --rate 200M --time 0.5 a1 b1
is "with broken checksums: the kernel drops them" same "${seen[lost]} ${seen[corrupted]}" "${stat[corrupted]} 0"
is "with broken checksums: 1%" between 40 "${seen[lost]:-}" 132
link "link a b corrupt 1% checksum auto delay 1ms"
flow --tcp --time 0.3 --rate 50M a1 b1
errors=$("$LAB" exec frdtest b1 -- awk '/^Tcp:/ { for (i = 1; i <= NF; i++) { if ($i == "InCsumErrors") at = i }
    value = $at } END { print value }' /proc/net/snmp)
is "TCP's are found out" between 1 "$errors" "${stat[corrupted]:-0}"

# ---- up and down
link "link a > b down"
flow --rate 5M --time 0.2 a1 b1
is "a black hole" same "${seen[received]} ${stat[down]} ${stat[state]}" "0 ${seen[sent]} down"
flow --rate 5M --time 0.2 b1 a1
is "one way only" between 50 "${seen[received]:-}" 200
is "all of it" same "${seen[lost]:-}" 0
unvoid "$LAB" set frdtest "link a b up"
at=(--at 0.4 "link a b down" --at 800ms "link a b up")
flow --rate 10M --time 1.2 a1 b1
is "a schedule: a third of the time is gone" between 290 $((${seen[lost]:-0} * 1000 / ${seen[sent]:-1})) 375
link "link a b delay 200ms"
at=(--at 0.15 "link a b down")
flow --rate 10M --time 0.1 a1 b1
is "what is under way when a link goes down is lost" same "${seen[received]} ${stat[down]}" "0 ${seen[sent]}"
link "link a b up"
at=()
link "link a > b nat 30s"
flow --rate 5M --time 0.2 a1 b1
is "a NAT lets nobody in" same "${seen[received]} ${stat[closed]}" "0 ${seen[sent]}"
flow --tcp --time 0.1 b1 a1
is "but answers" says "cc="
link "link a b delay 20ms" "link a > b nat 10ms"
once "$LAB" run frdtest -- timeout 0.3 "$FLOW" --tcp --time 0.1 b1 a1
is "that come before it forgets" status_is 124
link "link a > b nat none"
flow --rate 5M --time 0.1 a1 b1
is "without it all come in" same "${seen[lost]:-}" 0
printf '%s\n' '# an outage' '' '0.1 link a b down' 'soon link a b up' >"$work/schedule"
unvoid "$LAB" run --schedule "$work/schedule" frdtest -- true
is "a schedule that is wrong" fails_with 2 '"at soon link a b up": at "soon" should be seconds'

# ---- ends
unvoid "$LAB" run frdtest -- sh -c 'exit 9'
is "a run ends as its command" status_is 9
unvoid "$LAB" run --timeout 1 frdtest -- sleep 60
is "or in time" status_is 124
"$LAB" set frdtest "late 1us" >/dev/null
once "$LAB" run frdtest -- "$FLOW" --time 0.1 a1 b1
is "a run with packets later than the bound is void" fails_with 75 "the run is void"
"$LAB" set frdtest "late 1ms" >/dev/null
# It stops when packets are in flight, and when packets are yet to be fetched.
for before in "$FLOW --time 0.3 --rate 20M a1 b1 & $FLOW --time 0.1 b1 a1" "$FLOW --time 0.1 a1 b1"; do
    once "$LAB" run frdtest -- bash -c '
        for pid in /proc/[0-9]*; do [ "$(cat "$pid/comm")" = wanem ] && emulator=${pid##*/}; done
        '"$before"'; kill -STOP "$emulator"; '"$FLOW"' --time 0.1 b1 a1; kill -CONT "$emulator"; wait'
    is "and one in which the emulator did not run" fails_with 75 "the run is void"
done
pid=$(sed 's/ .*//' "$FRD_LAB_DIR/frdtest/init")
kill -9 "$pid"
is "a lab's init is killed" gone "$pid"
unvoid "$LAB" list
is "which was all of it" test -z "$(ls -A "$FRD_LAB_DIR")"

mkfifo "$work/tell"
exec 3<>"$work/tell"
"$LAB" run two -- sh -c 'echo up >'"$work"'/tell; exec sleep 1234' >/dev/null 2>&1 &
run=$!
is "a run is under way" read -r -t 30 -u 3 _
inside=$(sed 's/ .*//' "$FRD_LAB_DIR/two-$run/init")
kill -9 "$run"
wait "$run" 2>/dev/null
is "kill -9 of it ends what is inside" gone "$inside"
unvoid "$LAB" list
is "and the next call removes the rest" test -z "$(ls -A "$FRD_LAB_DIR")"

# ---- silos share their lines
cat >"$work/three.lab" <<'END'
silo a egress 40M queue 50ms
silo b
silo c ingress 20M queue 50ms nodes 2
link * * delay 2ms
END
unvoid "$LAB" run "$work/three.lab" -- bash -c "
    $FLOW --rate 60M --time 1 a1 b1 & $FLOW --rate 15M --time 1 a1 c1 & wait"
is "egress is shared by all links of a silo" \
    between 36000000 "$(sed -n 's/.*goodput_bps=\([0-9]*\).*/\1/p' "$work/out" | awk '{ s += $1 } END { print s }')" 41000000
unvoid "$LAB" run "$work/three.lab" -- bash -c "
    $FLOW --rate 15M --time 1 a1 c1 & $FLOW --rate 15M --time 1 b1 c2 & wait"
is "ingress is shared by all nodes of a silo" \
    between 18800000 "$(sed -n 's/.*goodput_bps=\([0-9]*\).*/\1/p' "$work/out" | awk '{ s += $1 } END { print s }')" 20800000
unvoid "$LAB" run "$work/three.lab" -- "$FLOW" --rate 200M --time 0.3 c1 c2
is "nodes of a silo are near each other" grep -q ' lost=0 .* delay_p50_us=[0-9]\{1,3\} ' "$work/out"

# ---- ranks
unvoid "$LAB" run "$work/three.lab" -- "$builddir/tools/fedrdma-run" -n 4 --silos 3 --nodes-per-silo 1 --no-prefix \
    fedrdma-lab rank -- sh -c 'echo $FEDRDMA_SILO $FEDRDMA_NODE ${FEDRDMA_RENDEZVOUS%:*} $(ip -o -4 addr show wan0)'
is "ranks find their nodes" grep -q "^b b1 10.77.1.1 2: wan0 .*10.77.2.1/16" "$work/out"
unvoid "$LAB" run "$work/three.lab" -- "$builddir/tools/fedrdma-run" -n 3 --silos 3 fedrdma-lab rank -- \
    "$builddir/examples/hello_allreduce"
is "and each other" status_is 0
unvoid "$LAB" run two -- "$builddir/tools/fedrdma-run" -n 3 --silos 3 fedrdma-lab rank -- true
is "more silos than there are" says "the lab has 2 silos only"

# ---- without root, and without TUN devices
cp "$LAB" "$WANEM" "$FLOW" "$work/three.lab" "$work/" 2>/dev/null
mkdir "$work/nobody"
chmod 777 "$work/nobody"
if [ "$(id -u)" = 0 ]; then
    other=(env "FRD_LAB_DIR=$work/nobody/labs" setpriv --reuid 65534 --regid 65534 --clear-groups)
else
    other=()
fi
kinds=veth
# Without udev the device may be root's alone.
${other[@]+"${other[@]}"} bash -c ': <>/dev/net/tun' 2>/dev/null && kinds="veth tun"
for kind in $kinds; do
    unvoid ${other[@]+"${other[@]}"} "$work/fedrdma-lab" run --ports "$kind" --set "late 20ms" --cc reno "$work/three.lab" -- \
        "$work/wanflow" --rate 20M --time 0.3 --size 1400 a1 b1
    if [ $status = 77 ]; then
        skipped "without root, $kind" "$(tail -n 1 "$work/out")"
        continue
    fi
    is "without root, $kind" fails_with 0 " lost=0 "
    is "without root, $kind: the delay, too" grep -q ' delay_min_us=2[0-9][0-9][0-9] ' "$work/out"
done

finish
