# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are for who reads this
#
# common.sh - sourced by the tests of this directory that need the lab: labs of their own, skipped where there are none.
. "${srcdir:-.}/tests/tap.sh"

top=$(cd "${srcdir:-.}" && pwd)
builddir=$(cd "${builddir:-.}" && pwd)
export builddir
LAB=$top/tests/wan/fedrdma-lab
export FRD_LAB_DIR=$work/labs

# The emulator and both ends of a flow share the machine with other tests; what is timed must not wait for those.
renice -n -20 -p $$ >/dev/null 2>&1

"$LAB" run two -- true >"$work/out" 2>&1
if [ $? = 77 ]; then
    cat "$work/out"
    exit 77
fi

unvoid() { # COMMAND...: once, and again if the emulator could not keep up
    for _ in 1 2 3; do
        once "$@"
        [ $status = 75 ] || return
    done
}
