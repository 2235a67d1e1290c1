#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# perf/compare: a tiny comparison with whichever peers are installed, and what it computes from made-up runs and rows.
# TAP on standard output. How fast anything is plays no part here.
# shellcheck disable=SC2317 # is() calls its conditions
top=$(cd "${srcdir:-.}" && pwd)
build=$(cd "${builddir:-.}" && pwd)
compare=$top/perf/compare
. "$top/tests/tap.sh"
cd "$work" || exit 2
unset "${!FEDRDMA_@}"

say_more() { tail -n 40 err; }
run() {
    "$compare" "$@" >out 2>err </dev/null
    status=$?
}
ok() { [ "$status" = 0 ]; }
fails_with() { [ "$status" = 2 ] && grep -qF -- "$1" err; }
shows() { grep -qE -- "$1" out; }
columns=coll,ranks,buffer,size_bytes,library,setting,median_us,min_us,max_us,mode,cpu_share,verified

# ---- what it computes: made-up rows
cat >made.csv <<END
$columns
allreduce,2,malloc,8,fedrdma,default,0.200,0.190,0.210,near,1.00,yes
allreduce,2,malloc,8,openmpi,default,0.300,0.290,0.310,near,1.00,yes
allreduce,2,malloc,8,openmpi,no-cma,0.100,0.100,0.100,far,1.00,yes
allreduce,2,malloc,8,mpich,default,0.150,0.150,0.150,near,1.00,no
allreduce,2,malloc,65536,fedrdma,default,10.000,9.000,11.000,near,0.98,yes
allreduce,2,malloc,65536,openmpi,default,30.000,29.000,31.000,near,0.50,yes
allreduce,2,malloc,65536,mpich,default,24.000,22.000,26.000,near,1.00,yes
allreduce,2,alloc,65536,fedrdma,default,2.000,2.000,2.000,far,1.00,yes
allreduce,2,alloc,65536,mpich,default,24.000,24.000,24.000,near,1.00,yes
allreduce,2,alloc,1048576,fedrdma,default,50.000,50.000,50.000,mixed,1.00,yes
allreduce,2,alloc,1048576,mpich,default,60.000,60.000,60.000,mixed,1.00,yes
END
cat >made.floor.csv <<END
what,size_bytes,threads,value,unit
exchange,0,2,50.0,ns
exchange_after,0,2,52.0,ns
allreduce_malloc,65536,2,4.000,us
allreduce_mapped,65536,2,1.000,us
END
run --report made.csv
is "a report of made-up rows" ok
is "wrong results and another mode don't count: 0.3 / 0.2" shows '^8 .* openmpi default +1\.50 +- +- +near$'
is "the best peer, the ratio 24 / 10 and the floor's share" shows '^64k .* mpich default +2\.40 +4\.00 +40% +near$'
is "no peer of the same mode, no ratio, no share" shows '^64k .* - +- +- +- +- +- +- +- +FAR$'
is "nor when the mode changed" shows '^1m .* - +- +- +- +- +- +- +- +MIXED$'
is "the mean is geometric" shows 'geometric mean 1\.90, least 1\.50 at 8$'
is "peers without their cores are counted" shows 'machine was BUSY: at 1 time'
is "what is not verified is named" shows 'not verified: mpich \(default\): allreduce of 8, malloc buffers, 2 ranks'
echo nonsense >bad.csv
"$compare" --report bad.csv >out 2>err
is "a file that is no comparison is named" grep -q 'line 1 of bad.csv' err

# ---- from runs to rows: medians of 3 and 2, the best mode that there is
cat >runs <<END
0 8 0 allreduce 2 malloc fedrdma default 0.5 near 1.00 yes
0 8 0 allreduce 2 malloc fedrdma default 10.0 near 0.80 yes
0 8 0 allreduce 2 malloc fedrdma default 0.7 near 0.90 yes
0 8 1 allreduce 2 malloc openmpi default 3.0 far 1.00 yes
0 8 1 allreduce 2 malloc openmpi default 2.0 near 1.00 yes
0 8 1 allreduce 2 malloc openmpi default 1.0 near 1.00 yes
0 8 1 allreduce 2 malloc openmpi default 0.1 far 1.00 yes
0 8 2 allreduce 2 malloc mpich default 4.0 mixed 1.00 no
0 8 2 allreduce 2 malloc mpich default 9.0 far 0.50 no
END
cat >want <<END
allreduce,2,malloc,8,fedrdma,default,0.700,0.500,10.000,near,0.90,yes
allreduce,2,malloc,8,openmpi,default,1.500,1.000,2.000,near,1.00,yes
allreduce,2,malloc,8,mpich,default,9.000,9.000,9.000,far,0.50,no
END
awk -v part=rows -f "$top/perf/compare.awk" runs >out 2>err
is "rows of made-up runs" cmp -s out want

# ---- bad input
run --sizes 8,x
is "a bad size is named" fails_with "bad value '8,x' for --sizes"
run --colls allreduce,juggle
is "an unknown collective is named" fails_with "juggle"
run --ranks
is "a missing value is named" fails_with "--ranks needs a value"
run --build "$work"
is "what is no build directory is named" fails_with "$work is not a build directory"
run --csv "$work/none/there.csv" --build "$build"
is "a CSV that can't be written is named" fails_with "none/there.csv"
run --help
is "--help" ok

# ---- a tiny comparison
run --quick --build "$build" --sizes 64K,8 --alternations 2 --time 0.02 --repeat 0 --settings default --timeout 20 --csv tiny.csv
is "two sizes, two alternations" ok
is "the CSV's columns" [ "$(head -n 1 tiny.csv)" = "$columns" ]
rows_are_right() { # of every library that was not left out, both sizes, in order, verified
    awk -F, -v peers="$(grep -c 'is left out' err)" '
        NR == 1 { next }
        NF != 12 || $1 != "allreduce" || $2 != 2 || $3 != "malloc" || $12 != "yes" { bad = 1 }
        $10 !~ /^(near|far|mixed|unknown)$/ || !($8 > 0) || $7 < $8 || $9 < $7 || $11 < 0 || $11 > 1.2 { bad = 1 }
        { seen[$5 "," $4]++; n++; if ($4 < last) bad = 1; last = $4 }
        END { exit bad || seen["fedrdma,8"] != 1 || seen["fedrdma,65536"] != 1 || n != 2 * (3 - peers) }' tiny.csv
}
is "a row for each library and size, plausible and verified" rows_are_right
is "the table has both sizes" eval "shows '^8 ' && shows '^64k '"

finish
