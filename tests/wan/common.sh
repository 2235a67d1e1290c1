# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are for who reads this
#
# common.sh - sourced by the tests of this directory that need the lab: labs of their own, skipped where there are none,
# and conditions as TAP lines.
set -u

top=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
export builddir
LAB=$top/tests/wan/fedrdma-lab
work=$(mktemp -d)
export FRD_LAB_DIR=$work/labs
trap 'rm -rf "$work"' EXIT
number=0
failures=0
status=0

# The emulator and both ends of a flow share the machine with other tests; what is timed must not wait for those.
renice -n -20 -p $$ >/dev/null 2>&1

"$LAB" run two -- true >"$work/out" 2>&1
if [ $? = 77 ]; then
    cat "$work/out"
    exit 77
fi

# is NAME CONDITION...: one TAP line; on failure what was seen: the output, and what say_more says if there is that.
is() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $name"
        return
    fi
    failures=$((failures + 1))
    echo "not ok $number - $name"
    {
        echo "not true: $*; status $status"
        head -n 40 "$work/out"
        if declare -F say_more >/dev/null; then say_more; fi
    } | sed 's/^/# /'
}
once() { # COMMAND...: its output to $work/out, its status to $status
    timeout 60 "$@" >"$work/out" 2>&1 </dev/null
    status=$?
}
unvoid() { # COMMAND...: once, and again if the emulator could not keep up
    for _ in 1 2 3; do
        once "$@"
        [ $status = 75 ] || return
    done
}
finish() {
    echo "1..$number"
    exit $((failures > 0))
}
