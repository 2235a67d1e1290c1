#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# style.sh - the limits of HACKING.md that a script can see. Prints every violation; exit status 1 if any.
cd "${srcdir:-.}" || exit 2
# shellcheck disable=SC2016 # awk expands
find include src collectives tools perf examples tests -name '*.[ch]' ! -name config.h -print | sort | xargs awk '
# The limit of a file, in lines; where HACKING.md says "about", this is where about ends.
function limit(path) {
    if (path == "include/fedrdma.h") return 700
    if (path ~ /\.h$/) return 200
    if (path ~ /^collectives\/(allreduce|reduce_scatter_block|reduce_scatter|reduce|gatherv|gather|broadcast|scatterv|scatter|allgatherv|allgather|alltoallv|alltoall|scan|exscan|barrier)_/) return 120
    return 600
}
function violation(why) { print path ":" line ": " why; bad = 1 }
function finish() { if (line > limit(path)) violation("longer than " limit(path) " lines: one concept a file?") }
FNR == 1 {
    if (path) finish()
    path = FILENAME
    line = 1
    if ($0 !~ /^\/\* SPDX-License-Identifier: BSD-3-Clause/)
        violation("the first line is /* SPDX-License-Identifier: BSD-3-Clause")
}
{ line = FNR }
/\t/ { violation("tab") }
/[ \t]$/ { violation("trailing space") }
length($0) > 120 { violation("longer than 120 columns") }
/(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)/ { violation("unfinished") }
END { finish(); exit bad }'
