# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# tap.sh - sourced by test scripts: conditions as TAP lines about the last command that was run. Makes the directory
# $work, which goes when the script ends.
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failures=0
status=0

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
# skipped NAME WHY
skipped() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}
once() { # COMMAND...: its output to $work/out, its status to $status
    timeout "${once_s:-60}" "$@" >"$work/out" 2>&1 </dev/null
    status=$?
}
status_is() { [ "$status" = "$1" ]; }
says() { grep -qF -- "$1" "$work/out"; }
fails_with() { status_is "$1" && says "$2"; }
finish() {
    echo "1..$number"
    exit $((failures > 0))
}
