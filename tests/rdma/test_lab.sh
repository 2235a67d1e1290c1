#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test_lab.sh - the lab with verbs devices: it says what is missing and what is wrong, ends a machine that hangs, and
# what it boots has what it promised. One real boot; nothing is fetched. TAP.
# shellcheck disable=SC2016,SC2317 # variables are for others to expand; is() calls its conditions
. "${srcdir:-.}/tests/tap.sh"

top=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
LAB=$top/tests/rdma/lab
PATH=$PATH:/usr/sbin:/sbin
export builddir
once_s=150
between() { [ -n "$2" ] && [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; } # LEAST VALUE MOST
no() { ! "$@"; }

# ---- mistakes
once "$LAB" --help
is "--help" fails_with 0 "Usage: lab"
for wrong in "-n 0:-n 0 should be a number" "--rtt 40:--rtt 40 should be a time" "--loss 3:--loss 3 should be a share" \
    "--rate 3:--rate 3 should be a rate" "--device mlx5:should be rxe or siw" "--memory much:should be a size" \
    "--accel fpga:should be kvm or tcg" "--out /nonexistent:is no directory" "--horse 1:unknown option --horse"; do
    # shellcheck disable=SC2086 # an option and its value
    once "$LAB" ${wrong%%:*} -- true
    is "wrong: ${wrong%%:*}" fails_with 2 "${wrong#*:}"
done
once "$LAB" -n
is "an option without its value" fails_with 2 "-n needs a value"
once "$LAB" -n 2
is "no command" fails_with 2 "there is no command"
once "$LAB" true
is "a command without --" fails_with 2 "what is true?"
once "$LAB" rank -- true
is "rank outside of the lab" fails_with 2 "for use within the lab"
once "$LAB" link all clear
is "link outside of the lab" fails_with 2 "for use within the lab"

# ---- what can be missing. These programs stand for those that the lab asks for and does not come to use.
mkdir "$work/bin" "$work/none"
ln -s /usr/bin/* "$work/bin/"
rm -f "$work/bin/qemu-system-x86_64"
once env PATH="$work/bin" "$LAB" -n 2 -- true
is "no QEMU" fails_with 77 "there is no qemu-system-x86_64"
is "no QEMU: what to install" says "apt-get install qemu-system-x86 busybox-static"
# A busybox that is not static.
for tool in qemu-system-x86_64 cpio modprobe depmod setpriv ip rdma ethtool busybox; do
    rm -f "$work/bin/$tool"
    cp /bin/true "$work/bin/$tool"
done
once env PATH="$work/bin" "$LAB" -n 2 -- true
is "a busybox that needs libraries" fails_with 77 "busybox is not a static program"
printf '#!/bin/sh\n' | tee "$work/bin/busybox" >"$work/bin/qemu-system-x86_64"
once env PATH="$work/bin" "$LAB" --kernel "$work/none" -- true
is "no kernel in a directory" fails_with 77 "no kernel with rdma_rxe in $work/none"
if compgen -G "/boot/vmlinuz-*" >/dev/null; then
    skipped "no kernel at all" "there is one installed"
else
    once env PATH="$work/bin" XDG_CACHE_HOME="$work/none" "$LAB" --offline -- true
    is "no kernel at all" fails_with 77 "--offline forbids to fetch one"
fi
modules=$work/tree/lib/modules/6.1.0-test/kernel/drivers/infiniband/sw
mkdir -p "$work/tree/boot" "$modules/rxe"
touch "$work/tree/boot/vmlinuz-6.1.0-test" "$modules/rxe/rdma_rxe.ko"
once env PATH="$work/bin" "$LAB" --kernel "$work/tree" --device siw -- true
is "no soft iWARP in the kernel" fails_with 77 "kernel 6.1.0-test has no soft iWARP (CONFIG_RDMA_SIW is not set)"

# ---- from here on with a real kernel
once "$LAB" --offline --prepare
if [ "$status" != 0 ]; then
    skipped "the rest" "$(tail -n 1 "$work/out")"
    finish
fi
mkdir "$work/fake"
printf '#!/bin/sh\nexec sleep 1000\n' >"$work/fake/qemu-system-x86_64"
chmod 755 "$work/fake/qemu-system-x86_64"
once env PATH="$work/fake:$PATH" "$LAB" --offline --accel tcg --boot 1 -- true
is "a boot that hangs" fails_with 99 "the machine did not come up within 1 s"
is "is ended" says "it was still running, and is ended now"
printf '#!/bin/sh\necho "no such machine" >&2; exit 1\n' >"$work/fake/qemu-system-x86_64"
once env PATH="$work/fake:$PATH" "$LAB" --offline --accel tcg -- true
is "QEMU fails" fails_with 99 "no such machine"
is "which is noticed at once" says "it has ended"

# ---- and with a real machine: what the command finds, line by line
cat >"$work/inside" <<'END'
echo "argument $1, variable $INSIDE, directory $PWD"
echo "to the other stream" >&2
echo "silos $FRD_LAB_SILOS, devices $FRD_LAB_DEVICES, addresses $FRD_LAB_ADDRESSES"
for device in $FRD_LAB_DEVICES; do echo "$device $(cat /sys/class/infiniband/$device/ports/1/state)"; done
for i in 1 2 3; do echo "gid $i $(cat /sys/class/infiniband/rxe$i/ports/1/gid_attrs/types/1)"; done
cat <(echo "a pipe by name")
echo 1 >"$2/written"
echo 2 >"$3/kept"
for silo in 0 1 2; do
    FEDRDMA_NODE=silo$silo-node1 lab rank -- \
        sh -c 'echo "rank $FEDRDMA_SILO $FEDRDMA_NODE $FEDRDMA_INTERFACE $UCX_NET_DEVICES"'
done
FEDRDMA_NODE=silo3-node0 lab rank -- true || echo "refused $?"
# Between silos: what a round trip takes, by the interfaces and by the verbs devices.
for words in "delay 20ms" "delay 40ms" "loss 100%"; do
    lab link all $words
    busybox ping -c 2 -i 0.2 -w 2 -I 10.78.1.1 10.78.2.1 | sed -n "s,.*packet loss,$words: lost?&,p
        s,^round-trip .*= \([0-9]*\).*,$words: \1,p"
done
lab link all delay 20ms
ibv_rc_pingpong -d rxe2 -g 1 -n 10 >/dev/null & server=$!
while ! grep -q ":$(printf %04X 18515) 0*:0000 0A" /proc/net/tcp*; do read -r -t 0.1 <> <(:); done
ibv_rc_pingpong -d rxe1 -g 1 -n 10 10.78.2.1 | sed -n "s,.*= \([0-9]*\).*usec/iter,verbs: \1,p"
wait $server
lab link d clear || echo "no such silo $?"
lab link a sideways || echo "no such words $?"
exit 5
END
mkdir "$work/kept"
INSIDE=here once "$LAB" --offline -n 3 --rtt 40ms --loss 0.1% --out "$work/kept" --timeout 60 -- \
    bash "$work/inside" "with space" "$work/none" "$work/kept"
is "the command's status" status_is 5
is "its argument, environment and directory" says "argument with space, variable here, directory $PWD"
is "its errors" says "to the other stream"
is "the silos" says "silos a b c, devices rxe1 rxe2 rxe3, addresses 10.78.1.1 10.78.2.1 10.78.3.1"
for device in rxe1 rxe2 rxe3; do is "$device is up" says "$device 4: ACTIVE"; done
is "/dev/fd" says "a pipe by name"
is "what it writes is gone" no test -e "$work/none/written"
is "but not in --out" grep -qx 2 "$work/kept/kept"
for i in 1 2 3; do is "rxe$i can RoCE v2 over IPv4" grep -qi "^gid $i RoCE v2" "$work/out"; done
round_trip() { sed -n "s/^$1: \([0-9]*\)$/\1/p" "$work/out"; }
is "delay 20ms" between 40 "$(round_trip "delay 20ms")" 70
is "delay 40ms" between 80 "$(round_trip "delay 40ms")" 110
is "loss 100%" says "100% packet loss"
if command -v ibv_rc_pingpong >/dev/null; then
    is "40 ms by RC, too" between 40000 "$(round_trip verbs)" 90000
else
    skipped "40 ms by RC, too" "no ibv_rc_pingpong here (Debian package ibverbs-utils)"
fi
is "ranks find their silo" says "rank b b2 10.78.2.1 rxe2:1,s2"
is "if there is one" says "refused 2"
is "a silo that is not there" says "no such silo 2"
is "words that netem does not know" says "no such words 2"

finish
