#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# layers.sh [root] - who may include whom (HACKING.md has the map). A file includes headers of its own layer or a
# lower one; foreign headers and getenv have one home each. Prints every violation; exit status 1 if any.
cd "${1:-${srcdir:-.}}" || exit 2
# shellcheck disable=SC2016 # awk expands
find include src collectives tools perf examples tests -name '*.[ch]' ! -path 'tests/lint/*' -print | sort | xargs awk '
BEGIN {
    n = split("base 0 reduce 1 topo 1 sched 2 collectives 3 net 4 boot 4 wan 5 run 6 sim 6 api 7", word, " ")
    for (i = 1; i < n; i += 2)
        layer[word[i]] = word[i + 1]
    # What may be included (or called) only by files that match.
    home["^<ucp/"] = "^(src/(net/ucx|wan/[a-z_]*lane)[a-z_]*[.][ch]|perf/wan/ucx[a-z_]*[.]c)$"
    home["^<hwloc"] = "^src/topo/"
    home["^<yaml[.]h"] = "^src/topo/yaml[.]c$"
    home["^<infiniband/"] = "^(src/topo/|tests/unit/test_verbs[.]c$)"
    home["^[<\"]mpi[.]h"] = "^(include/fedrdma_mpi[.]h|tools/mpi_shim[a-z_]*[.][ch]|(perf|tests|examples)/.*)$"
    home["^[<\"]fedrdma_mpi[.]h"] = "^(perf|tests|examples)/"
    home["^<([a-z]*intrin|arm_neon|arm_sve)[.]h"] = "^src/reduce/"
    home["(^|[^a-z_])(secure_)?getenv *[(]"] = "^(src/base/conf[.]c|(tools|perf|tests|examples)/.*)$"
}
function violation(why) { print FILENAME ":" FNR ": " why; bad = 1 }
function module(path) { sub(/^src\//, "", path); return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "" }
FNR == 1 { own = module(FILENAME); library = FILENAME ~ /^(src|collectives)\//; comment = 0 }
{
    text = $0                                       # code only: comments may speak of anything
    if (comment) { if (!sub(/^.*\*\//, "", text)) next; comment = 0 }
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", text)
    if (sub(/\/\*.*/, "", text)) comment = 1
    target = text
    include = sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
    for (what in home)
        if ((include ? target : text) ~ what && FILENAME !~ home[what])
            violation("not allowed here: " (include ? target : "getenv"))
    if (!include || !library || target !~ /^"/)
        next
    gsub(/"|[ \t].*/, "", target)
    if (target == "fedrdma.h" || target == "config.h")
        next
    other = module(target)
    if (!(other in layer))
        violation("include by module: \"" target "\"")
    else if (layer[other] > layer[own])
        violation("layer " layer[own] " includes layer " layer[other] ": " target)
    else if (own == "collectives" && other != "collectives" && other != "sched" &&
             FILENAME !~ /\/((coll|cut|rules)[.]c|plan[a-z_]*[.][ch])$/)
        violation("algorithms see sched and each other only: " target)
}
END { exit bad }'
