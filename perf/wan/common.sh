# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# common.sh - what compare and outage share: which libraries there are, and one run of each within the lab. Sourced.
# shellcheck disable=SC2016 # awk programs expand nothing here
# shellcheck disable=SC2154 # self, top and what the command line says are of the script that sources this

die() {
    printf '%s: %s\n' "${self##*/}" "$*" >&2
    exit 2
}
note() { printf 'note: %s\n' "$*" >&2; }

# number_of 128M 1024: in units of one.
number_of() { awk -v text="$1" -v base="$2" 'BEGIN { u = tolower(substr(text, length(text)))
    printf "%.0f", (text + 0) * base ^ index("kmg", u ~ /[kmg]/ ? u : "-") }'; }

# ---- settings ----------------------------------------------------------------------------------------------------

# The settings in which a library is tried: its own first, then those that its documentation offers for such links.
settings_of() { # library
    case $1 in
    openmpi) echo default links buffers tuned tuned-links ;;
    mpich | ucx) echo default eager ;;
    grpc) echo default ahead ;;
    *) echo default ;;
    esac
}

# openmpi_setting SETTING WHAT: mpirun's arguments.
openmpi_setting() {
    local tuned='--mca coll_tuned_use_dynamic_rules 1'
    case $2 in
    allreduce) tuned="$tuned --mca coll_tuned_allreduce_algorithm 5 --mca coll_tuned_allreduce_algorithm_segmentsize 1048576" ;;
    gather) tuned="$tuned --mca coll_tuned_gather_algorithm 1" ;;
    *) tuned="$tuned --mca coll_tuned_bcast_algorithm 3 --mca coll_tuned_bcast_algorithm_segmentsize 1048576" ;;
    esac
    case $1 in
    links) echo "--mca btl_tcp_links 8" ;;
    buffers) echo "--mca btl_tcp_sndbuf 4194304 --mca btl_tcp_rcvbuf 4194304" ;;
    tuned) echo "$tuned" ;;
    tuned-links) echo "$tuned --mca btl_tcp_links 8" ;;
    esac
}

# Of UCX itself, and of MPICH, which Debian builds on it.
ucx_setting() {
    [ "$1" != eager ] || echo "UCX_RNDV_THRESH=inf UCX_TCP_TX_SEG_SIZE=64k UCX_TCP_RX_SEG_SIZE=256k"
}

# Channel arguments: what may be under way in a stream before its reader asks, and frames as long as they may be.
grpc_setting() {
    [ "$1" != ahead ] || echo "grpc.http2.lookahead_bytes=67108864 grpc.http2.max_frame_size=16777215"
}

list_settings() {
    local setting
    for setting in $(settings_of openmpi); do
        printf 'openmpi %-12s %s\n' "$setting" "$(openmpi_setting "$setting" allreduce)"
    done
    for setting in $(settings_of ucx); do printf 'ucx     %-12s %s\n' "$setting" "$(ucx_setting "$setting")"; done
    for setting in $(settings_of mpich); do printf 'mpich   %-12s %s\n' "$setting" "$(ucx_setting "$setting")"; done
    for setting in $(settings_of grpc); do printf 'grpc    %-12s %s\n' "$setting" "$(grpc_setting "$setting")"; done
    echo "The segmented ring is for allreduce; broadcast and transfer get a pipeline of 1 MiB, gather its linear algorithm."
}

# ---- within the lab: one run of one library ------------------------------------------------------------------------
#
# run_LIBRARY prints "seconds=S verified=yes|no", and for fedrdma "again=BYTES". The variables: library, setting, what,
# ranks, bytes, timeout, warmup (calls before the timed one), build, python, out (a temporary file), nodes (an array),
# series ("" or where to write how far the call is).

# The benchmark of perf/ for it, and its options: one timed call whose result is compared.
benchmark() {
    case $what in
    transfer) echo broadcast ;;
    *) echo "$what" ;;
    esac
}
benchmark_options() { echo "-m $bytes:$bytes -i 1 -x $warmup -c -f csv -M 64g"; }

# The time of the benchmark's only row: its slowest rank's.
slowest() { awk -F, '/^[0-9]+,/ { us = $4 }
    /^# counter wan[.]retransmitted_bytes: [0-9]/ { sub(/.*: /, ""); again = " again=" $0 }
    END { if (us == "") exit 1; printf "seconds=%.6f verified=yes%s\n", us / 1e6, again }' "$out"; }

run_fedrdma() {
    local more=(-C wan.retransmitted_bytes)
    [ -z "$series" ] || more+=(-S "$series")
    # shellcheck disable=SC2046 # words are arguments
    "$build/tools/fedrdma-run" -n "$ranks" --silos "$ranks" --no-prefix -e "FEDRDMA_TIMEOUT=${timeout}s" \
        fedrdma-lab rank -- "$build/perf/fedrdma_$(benchmark)" $(benchmark_options) "${more[@]}" >"$out" || return
    slowest
}

run_openmpi() {
    local hosts
    hosts=$(tr ' ' '\n' <<<"$FRD_LAB_ADDRESSES" | head -n "$ranks" | paste -sd,)
    # shellcheck disable=SC2046 # words are arguments
    fedrdma-lab exec "${nodes[0]}" -- env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        mpirun.openmpi -n "$ranks" --host "$hosts" --map-by node --mca plm_rsh_agent "$self _shell" --mca pml ob1 \
        --mca btl self,tcp --mca btl_tcp_if_include wan0 --mca oob_tcp_if_include wan0 $(openmpi_setting "$setting" "$what") \
        -x FRD_LAB_STATE "$build/perf/mpi_$(benchmark)" $(benchmark_options) >"$out" || return
    slowest
}

run_mpich() {
    local hosts
    hosts=$(tr ' ' '\n' <<<"$FRD_LAB_ADDRESSES" | head -n "$ranks" | paste -sd,)
    : >"$out"
    # All silos are one host to UCX, so TCP must be named; and then MPICH 4.0.2 doesn't come to its end. It may be ended when
    # its row is out, which comes after the comparison.
    # shellcheck disable=SC2046 # words are arguments
    fedrdma-lab exec "${nodes[0]}" -- env UCX_TLS=tcp,self UCX_NET_DEVICES=wan0 $(ucx_setting "$setting") \
        mpirun.mpich -n "$ranks" -hosts "$hosts" -ppn 1 -iface wan0 -launcher ssh -launcher-exec "$self" \
        "$build/perf/wan/mpich_$(benchmark)" $(benchmark_options) >"$out" &
    local pid=$!
    grep -q -m 1 '^# CPU share' <(tail -n +1 -f --pid="$pid" "$out" 2>/dev/null)
    kill "$pid" 2>/dev/null
    slowest
}

run_grpc() {
    local address=${FRD_LAB_ADDRESSES%% *}:50051 i clients=$ranks first=0 pids=() status=0 star=$top/perf/wan/star.py
    # shellcheck disable=SC2155 # it can't fail
    export STAR_OPTIONS=$(grpc_setting "$setting")
    # Where the server's own silo has nothing to say, it has no client.
    [ "$what" = allreduce ] || { clients=$((ranks - 1)) first=1; }
    fedrdma-lab exec "${nodes[0]}" -- "$python" "$star" server "$address" "$clients" "$bytes" "$what" \
        $((warmup + 1)) ${series:+"$series.server"} &
    pids+=($!)
    for ((i = 0; i < clients; i++)); do
        fedrdma-lab exec "${nodes[i + first]}" -- "$python" "$star" client "$address" "$i" "$clients" "$bytes" "$what" \
            $((warmup + 1)) ${series:+"$series.$((i + first))"} >"$out.$i" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i" || status=1; done
    cat "$out".[0-9]* | awk '{ split($1, s, "="); if (s[2] > most) most = s[2]; if ($2 != "verified=yes") wrong = 1 }
        END { if (most) printf "seconds=%s verified=%s\n", most, wrong ? "no" : "yes" }'
    return $status
}

run_ucx() {
    local address receiver
    address=$(cut -d' ' -f2 <<<"$FRD_LAB_ADDRESSES"):50051
    export UCX_TLS=tcp,self UCX_NET_DEVICES=wan0
    # shellcheck disable=SC2046 # words are variables
    [ "$setting" = default ] || export $(ucx_setting "$setting")
    fedrdma-lab exec "${nodes[1]}" -- "$build/perf/wan/ucx_transfer" receive "$address" "$bytes" "$timeout" &
    receiver=$!
    fedrdma-lab exec "${nodes[0]}" -- "$build/perf/wan/ucx_transfer" send "$address" "$bytes" "$timeout" >"$out" || return
    wait "$receiver" && cat "$out"
}

# In place of ssh for mpirun: _shell [options] ADDRESS COMMAND...
run_shell() {
    local node
    while [[ $1 == -* ]]; do shift; done
    node=$(awk -v address="$1" '$4 == address { print $1 }' "$FRD_LAB_STATE/nodes")
    shift
    exec fedrdma-lab exec "$node" -- sh -c "$*"
}

# Of a series: the middle 80% of the bytes of its last call, over their time, in bit/s; nothing when it has too few lines.
steady() {
    awk -F, '$1 != call { call = $1; n = 0; t[0] = d[0] = 0 }
        $3 > d[n] { n++; t[n] = $2; d[n] = $3; total = $4 }
        function when(share,   i) {
            for (i = 1; i < n && d[i] < share * total; i++)
                ;
            return t[i - 1] + (t[i] - t[i - 1]) * (share * total - d[i - 1]) / (d[i] - d[i - 1])
        }
        END { if (n >= 12 && when(0.9) > when(0.1)) printf "%.0f", 0.8 * total * 8 / (when(0.9) - when(0.1)) }'
}

# Segments that TCP sent again on all nodes since the lab is up, as bytes.
tcp_again() {
    local node again=0
    for node in "${nodes[@]}"; do
        again=$((again + $(fedrdma-lab exec "$node" -- awk '/^Tcp:/ { for (i = 1; i <= NF; i++)
            if ($i == "RetransSegs") at = i; value = $at } END { print value }' /proc/net/snmp)))
    done
    echo $((again * 1448))
}

# The longest of the silos' lines' median waits, in ms.
queue_wait() {
    "$build/tests/wan/wanem" control "$FRD_LAB_STATE/socket" stat | awk '$1 == "silo" { for (i = 1; i <= NF; i++)
        if (split($i, pair, "=") == 2 && pair[1] == "queue_p50_us" && pair[2] > most) most = pair[2] }
        END { printf "%.1f", most / 1000 }'
}

# ---- outside -----------------------------------------------------------------------------------------------------

find_build() {
    if [ -z "$build" ]; then
        build=$top/build
        [ ! -x perf/fedrdma_allreduce ] || build=.
    fi
    build=$(cd "$build" 2>/dev/null && pwd)
    { [ -x "$build/perf/wan/ucx_transfer" ] && [ -x "$build/tests/wan/wanem" ]; } ||
        die "there is no build in ${build:-that directory}; run make, and make tests/wan/wanem, or give --build"
    export builddir=$build
}

find_python() {
    local one
    python=''
    for one in python3 /usr/bin/python3; do
        "$one" -c 'import grpc, numpy' 2>/dev/null && python=$(command -v "$one") && return
    done
}

# The benchmarks with MPICH, beside those that the build has with Open MPI.
build_mpich() {
    local coll one
    command -v mpicc.mpich >/dev/null && command -v mpirun.mpich >/dev/null || return
    for coll in allreduce broadcast gather; do
        one=$build/perf/wan/mpich_$coll
        [ -x "$one" ] && [ -z "$(find "$top/perf" -maxdepth 1 -name '*.[ch]' -newer "$one")" ] && continue
        mpicc.mpich -O2 -std=gnu11 -D_GNU_SOURCE "-I$top/include" "-I$top" "-DBENCH_COLLECTIVE=\"$coll\"" \
            "$top"/perf/{main,harness,options,probe,series,coll,backend_mpi}.c "$top/tests/mp/pattern.c" -o "$one" \
            -lpthread -lm >/dev/null 2>&1 || return
    done
}

# What a library needs and is not here; nothing if all is.
missing_for() {
    case $1 in
    openmpi) { [ -x "$build/perf/mpi_allreduce" ] && mpirun.openmpi --version 2>&1 | grep -qE 'Open MPI|OpenRTE'; } ||
        echo "a build with Open MPI (libopenmpi-dev, openmpi-bin)" ;;
    mpich) build_mpich || echo "MPICH (mpich, libmpich-dev)" ;;
    grpc) [ -n "$python" ] || echo "python3-grpcio and python3-numpy" ;;
    esac
}

# write_topology LOSS SEED: seed 0 always loses the same packets.
write_topology() {
    local i
    echo "seed $2"
    for ((i = 0; i < silos; i++)); do
        printf 'silo %s egress %s ingress %s queue %s\n' "$(printf %b "\\x$(printf %x $((97 + i)))")" "$rate" "$rate" "$queue"
    done
    printf 'link * * rtt %s loss %s\n' "$rtt" "$1"
}

# draw SCRIPT BASE WIDTH HEIGHT: BASE.svg and BASE.png.
draw() {
    local kind
    command -v gnuplot >/dev/null || {
        note "no plot $2: gnuplot is not installed (Debian package gnuplot-nox)"
        return 0
    }
    for kind in svg png; do
        { echo "set terminal $([ $kind = png ] && echo pngcairo || echo svg) size $3,$4 font 'sans,11'"
            echo "set output '$2.$kind'"
            cat "$1"; } | gnuplot >"$work/gnuplot.log" 2>&1 ||
            note "no $2.$kind: $(grep -v '^ *$' "$work/gnuplot.log" | tail -n 1)"
    done
}
colour_of() {
    case $1 in
    fedrdma) echo '#d62728' ;;
    openmpi) echo '#1f77b4' ;;
    mpich) echo '#ff7f0e' ;;
    grpc) echo '#2ca02c' ;;
    ucx) echo '#9467bd' ;;
    *) echo '#7f7f7f' ;;
    esac
}
