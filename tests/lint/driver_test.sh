#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# driver_test.sh - tests/run-test must see failures, hangs and leftovers, and count what ran.
# shellcheck disable=SC2016 # the scripts of the fake tests expand when they run
driver=$(cd "${srcdir:-.}" && pwd)/tests/run-test
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
unset FRD_TEST_DEADLINE
FRD_TEST_DEADLINES="hang=1 other=77"
FRD_TEST_SCALE=1
export FRD_TEST_DEADLINES FRD_TEST_SCALE
count=0

# expect <description> <results, e.g. "PASS PASS FAIL"> <pattern in the driver's output> <name> <script>
expect() {
    count=$((count + 1))
    printf '#!/bin/sh\n%s\n' "$5" >test.sh
    out=$("$driver" --test-name "$4" --log-file t.log --trs-file t.trs --color-tests no \
        --expect-failure no --enable-hard-errors yes -- sh ./test.sh)
    got=$(sed -n 's/^:test-result: \([A-Z]*\).*/\1/p' t.trs | tr '\n' ' ')
    if [ "$got" = "$2 " ] && printf '%s' "$out" | grep -q -e "$3"; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1: got $got with"
        printf '%s\n' "$out" | sed 's/^/# /'
    fi
}

expect "a passing test" "PASS" "^PASS: t (1 tests" t "exit 0"
expect "a failing test" "FAIL" "exit status 3" t "exit 3"
expect "a crash" "FAIL" "exit status 134 (ABRT)" t 'kill -ABRT $$'
expect "a skipped test" "SKIP" "no device" t "echo no device; exit 77"
expect "a hang" "FAIL" "hung after 1 s" hang "echo started; sleep 60"
expect "a hang that ignores SIGTERM" "FAIL" "hung after 1 s" hang "trap '' TERM; while :; do sleep 60; done"
expect "a process left behind" "PASS FAIL" "left processes behind: sleep 61" t "setsid sleep 61 & exit 0"
expect "TAP" "PASS FAIL SKIP" "again: make" t "echo ok 1; echo not ok 2 - bad; echo 'ok 3 # SKIP no MPI'; echo 1..3"
expect "a TAP plan not kept" "PASS FAIL" "ran 1 of 3 tests" t "echo ok 1; echo 1..3"
expect "a status that TAP hides" "PASS FAIL" "exit status 1" t "echo ok 1; echo 1..1; exit 1"
expect "Check's own TAP" "PASS PASS" "(2 tests" t 'printf "ok 1\nok 2\n1..2\n" >"$CK_TAP_LOG_FILE_NAME"'
expect "a program without a test" "FAIL" "ran no test" t 'echo 1..0 >"$CK_TAP_LOG_FILE_NAME"'
echo "1..$count"
