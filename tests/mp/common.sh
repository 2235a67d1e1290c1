# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# common.sh - sourced by the scripts of this directory: jobs in the layouts of the matrix, results as TAP lines.
# Runs in the build directory. MP_SEED=N makes the random choices those of an earlier run (matrix prints them).
set -u

MP=${builddir:-.}/tests/mp
RUN=${builddir:-.}/tools/fedrdma-run
number=0
failures=0
before=() # what stands between the launcher and the ranks' program
# Several jobs of one test share its deadline: a job that hangs is ended before the test is.
job_s=${MP_JOB_S:-60}
# A rank that waits in vain says in which call.
export FEDRDMA_TIMEOUT=${FEDRDMA_TIMEOUT:-30s}

plan() { echo "1..$1"; }

# result NAME STATUS FILE: one TAP line; what the job said, unless it went well.
result() {
    number=$((number + 1))
    if [ "$2" = 0 ]; then
        echo "ok $number - $1$(sed -n 's/.*\(# seed\)/ \1/p' "$3" | head -n 1)"
    elif [ "$2" = 77 ]; then
        echo "ok $number - $1 # SKIP $(tail -n 1 "$3")"
    else
        failures=$((failures + 1))
        echo "not ok $number - $1 (status $2)"
        head -n 60 "$3"
    fi
}

finish() { exit $((failures > 0)); }

# layout_arguments LAYOUT RANKS: how fedrdma-run makes it: at most three nodes or silos, at least one rank each; or as
# many silos of so many nodes as 2x3 says.
layout_arguments() {
    local parts=$(($2 < 3 ? $2 : 3))
    case $1 in
    node) ;;
    nodes) echo "--silos 1 --nodes-per-silo $parts" ;;
    silos) echo "--silos $parts" ;;
    [1-9]x[1-9]) echo "--silos ${1%x*} --nodes-per-silo ${1#*x}" ;;
    *) echo "unknown layout $1" >&2 ;;
    esac
}

# job LAYOUT RANKS PROGRAM ARGUMENTS...: one TAP line. ENVIRONMENT may hold K=V words for every rank; the output is
# left in the file $kept if there is that variable.
job() {
    local layout=$1 ranks=$2 log arguments
    shift 2
    log=$(mktemp)
    # shellcheck disable=SC2046
    set -- -n "$ranks" $(layout_arguments "$layout" "$ranks") --timeout "$job_s" "$@"
    # shellcheck disable=SC2046,SC2086
    set -- $(printf -- '--env %s ' ${ENVIRONMENT:-MP_NOTHING=1}) "$@"
    arguments=$*
    MP_LAUNCH="$RUN ${arguments%%"$MP"*}" "$RUN" "$@" >"$log" 2>&1
    result "$ranks rank(s), $layout${ENVIRONMENT:+, $ENVIRONMENT}" $? "$log"
    [ -z "${kept:-}" ] || cp "$log" "$kept"
    rm -f "$log"
}

# matrix LAYOUT RANKS ARGUMENTS...: a job of the matrix program.
matrix() {
    local layout=$1 ranks=$2
    shift 2
    job "$layout" "$ranks" ${before[@]+"${before[@]}"} "$MP/matrix" ${MP_SEED:+--seed "$MP_SEED"} \
        --alarm $((job_s - 5)) "$@"
}
