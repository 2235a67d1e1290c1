#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# layers_test.sh - layers.sh must catch each kind of violation and pass what is allowed.
lint=$(cd "${srcdir:-.}" && pwd)/tests/lint/layers.sh
root=$(mktemp -d) || exit 99
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/include" "$root/src/base" "$root/src/net" "$root/src/run" "$root/src/topo" "$root/src/reduce" \
    "$root/src/wan" "$root/collectives" "$root/tools" "$root/perf" "$root/examples" "$root/tests"
count=0

# expect caught|fine, file, line of code
expect() {
    count=$((count + 1))
    mkdir -p "$root/$(dirname "$2")"
    printf '%s\n' "$3" >"$root/$2"
    if out=$(sh "$lint" "$root"); then got=fine; else got=caught; fi
    rm "$root/$2"
    if [ "$got" = "$1" ]; then
        echo "ok $count - $2: $3"
    else
        echo "not ok $count - $2: $3 is $got, expected $1: $out"
    fi
}

expect caught src/base/a.c '#include "net/net.h"'
expect caught src/net/a.c '#include "run/engine.h"'
expect caught src/reduce/a.h '# include "sched/sched.h"'
expect caught src/net/a.c '#include "net.h"'
expect caught collectives/a.c '#include "base/mem.h"'
expect caught collectives/a.c '#include "topo/topo.h"'
expect caught src/net/shm.c '#include <ucp/api/ucp.h>'
expect caught src/run/a.c '#include <ucp/api/ucp.h>'
expect caught src/net/a.c '#include <hwloc.h>'
expect caught src/run/a.c '#include <infiniband/verbs.h>'
expect caught src/api/a.c '#include <mpi.h>'
expect caught tools/run.c '#include <mpi.h>'
expect caught include/fedrdma.h '#include <mpi.h>'
expect caught src/net/a.c '#include <immintrin.h>'
expect caught src/base/a.c '#include <arm_neon.h>'
expect caught src/boot/a.c 'const char *s = getenv("HOME");'
expect caught src/boot/a.c '/* x */ s = secure_getenv ("HOME");'
expect fine src/net/a.c '#include "base/mem.h"'
expect fine src/run/a.c '#include "net/net.h"'
expect fine src/net/ucx_am.c '#include <ucp/api/ucp.h>'
expect fine src/wan/lane.c '#include <ucp/api/ucp.h>'
expect fine src/topo/a.c '#include <hwloc/glibc-sched.h>'
expect fine src/reduce/avx2.c '#include <immintrin.h>'
expect fine src/base/conf.c 's = getenv("HOME");'
expect fine src/net/a.c '/* unlike getenv("X"), <mpi.h> */'
expect fine src/net/a.c 's = frd_conf_getenv("X");'
expect fine collectives/rules.c '#include "base/value.h"'
expect caught collectives/rules.c '#include "net/net.h"'
expect fine collectives/a.c '#include "sched/verbs.h"'
expect fine collectives/a.c '#include "collectives/coll.h"'
expect fine tools/mpi_shim.c '#include <mpi.h>'
expect fine examples/fedavg/a.c '#include <mpi.h>'
echo "1..$count"
