#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fedrdma-run: layout, environment, output, signals, and every way in which a job ends badly. The ranks are shell
# scripts, nearly all: what is tested is the launcher. TAP on standard output.
# shellcheck disable=SC2016,SC2317 # variables are the ranks' to expand; is() calls its conditions
. "${srcdir:-.}/tests/tap.sh"

RUN=${builddir:-.}/tools/fedrdma-run
unset "${!FEDRDMA_@}"

# run ARGUMENTS...: the launcher's output goes to $work/out and $work/err, its status to $status.
run() {
    timeout 60 "$RUN" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}
say_more() { sed 's/^/err: /' "$work/err" | head -n 20; }

out_is() { [ "$(sort "$work/out")" = "$(printf '%s\n' "$@" | sort)" ]; }
err_has() { grep -qF -- "$1" "$work/err"; }
err_is_empty() { [ ! -s "$work/err" ]; }
fails_with() { status_is "$1" && err_has "$2"; }
sooner_than() { [ $((SECONDS - started)) -lt "$1" ]; }
# Ranks tell through a pipe how far they are; the line is then in $word.
mkfifo "$work/tell"
exec 3<>"$work/tell"
await() { read -r -t 30 -u 3 word; }
gone() { # the process ends within half a minute
    timeout 30 tail --pid="$1" -f /dev/null
}

# ---- cores
allowed="grep Cpus_allowed_list /proc/self/status"
cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
distinct_are() { [ "$(sort -u "$work/out" | wc -l)" = "$1" ]; }
each_has_one() { ! grep -q '[-,]' <(cut -f 2 "$work/out"); }
one_each() { distinct_are "$1" && each_has_one; }
run -n $((cores + 1)) --no-prefix sh -c "$allowed"
is "more ranks than cores are bound, by turns" one_each "$cores"
run -n "$cores" --no-prefix --bind always sh -c "$allowed"
is "so are others when they are asked to be" one_each "$cores"
run -n "$cores" --no-prefix sh -c "$allowed"
is "but not unasked" [ "$(sort -u "$work/out")" = "$($allowed)" ]
run -n $((cores + 1)) --no-prefix --bind never sh -c "$allowed"
is "nor any if they aren't to be" [ "$(sort -u "$work/out")" = "$($allowed)" ]
run -n 2 --bind sometimes true
is "an unknown word is refused" fails_with 2 "--bind \"sometimes\""

# ---- environment and layout
show="echo \$FEDRDMA_RANK/\$FEDRDMA_SIZE \${FEDRDMA_SILO-none} \${FEDRDMA_NODE-none}"
run -n 3 sh -c "$show"
is "ranks get rank and size, and no silo unasked" out_is "[0] 0/3 none none" "[1] 1/3 none none" "[2] 2/3 none none"
is "nothing else is said" err_is_empty
run -n 5 --silos 2 --no-prefix sh -c "$show"
is "blocks of silos may be uneven, each a node" out_is "0/5 silo0 silo0-node0" "1/5 silo0 silo0-node0" \
    "2/5 silo1 silo1-node0" "3/5 silo1 silo1-node0" "4/5 silo1 silo1-node0"
run -n 6 --silos 2 --nodes-per-silo 2 --no-prefix sh -c "$show"
is "nodes divide silos in blocks" out_is "0/6 silo0 silo0-node0" "1/6 silo0 silo0-node1" "2/6 silo0 silo0-node1" \
    "3/6 silo1 silo1-node0" "4/6 silo1 silo1-node1" "5/6 silo1 silo1-node1"
run -n 3 --silos 3 --tag sh -c "echo x"
is "--tag shows the silo" out_is "[0 silo0] x" "[1 silo1] x" "[2 silo2] x"
cat >"$work/t.yaml" <<'EOF'
version: 1
silos:
  north: {gateways: {n2: 192.0.2.1:7100, n1: 192.0.2.2:7100}, hosts: [n3]}
  south: {gateways: {s1: 192.0.2.3:7100}}
EOF
run -n 6 --silos 2 --nodes-per-silo 3 --no-prefix --env FEDRDMA_TOPOLOGY="$work/t.yaml" sh -c "$show"
is "silos and nodes are those of a topology file" out_is "0/6 north n1" "1/6 north n2" "2/6 north n3" "3/6 south s1" \
    "4/6 south south-node1" "5/6 south south-node2"
run -n 3 --silos 3 --env FEDRDMA_TOPOLOGY="$work/t.yaml" true
is "but not more than it has" fails_with 2 "--silos 3, but $work/t.yaml has 2; give --silos 2"
run -n 3 --silos 3 --env FEDRDMA_TOPOLOGY="$work/none.yaml" true
is "a file that is not there" fails_with 2 "none.yaml\" can't be read"
printf 'version: 1\nsilos:\n  a: {gateways: {a1: h:1}, ranks: "0-1,3"}\n  b: {gateways: {b1: h:2}, ranks: 2}\n' >"$work/r.yaml"
run -n 4 --silos 2 --tag --env FEDRDMA_TOPOLOGY="$work/r.yaml" sh -c 'echo $FEDRDMA_NODE'
is "with the file's ranks" out_is "[0 a] a1" "[1 a] a1" "[2 b] b1" "[3 a] a1"
run -n 5 --silos 2 --env FEDRDMA_TOPOLOGY="$work/r.yaml" true
is "of which none may be missing" fails_with 2 "rank 4 in none"
run -n 2 --silos 2 --env FEDRDMA_TOPOLOGY="$work/r.yaml" true
is "and no silo empty" fails_with 2 "gives 0 of the 2 ranks to silo b"
run -n 1 --env A=1 -e FEDRDMA_NODE=mine --env A=2=3 --no-prefix --silos 1 sh -c 'echo $A $FEDRDMA_NODE'
is "--env sets, wins, and the last counts" out_is "2=3 mine"
run -n 2 --no-prefix bash -c \
    'echo $FEDRDMA_RENDEZVOUS_SERVER ${FEDRDMA_RENDEZVOUS%:*}; : </dev/tcp/127.0.0.1/${FEDRDMA_RENDEZVOUS#*:}'
is "somebody listens at the rendezvous" out_is "launcher 127.0.0.1" "launcher 127.0.0.1"
is "and the job goes well" status_is 0
FEDRDMA_RANK=7 FEDRDMA_SIZE=9 FEDRDMA_SILO=mine run -n 1 --no-prefix sh -c "$show"
is "a rank's number wins over ours, a silo of ours stays" out_is "0/1 mine none"
FEDRDMA_TIMEOUTS=5s run -n 1 --env FEDRDMA_RNK=1 true
is "unknown variables are warned about" err_has "FEDRDMA_TIMEOUTS is unknown and ignored; did you mean FEDRDMA_TIMEOUT?"
is "those of --env as well" err_has "FEDRDMA_RNK is unknown and ignored; did you mean FEDRDMA_RANK?"
is "which is no failure" status_is 0
FEDRDMA_TIMEOUT=5 run -n 1 true
is "a bad value is an error before anything starts" fails_with 2 "FEDRDMA_TIMEOUT"

# ---- contexts one after the other
again=${builddir:-.}/tests/mp/again
run -n 3 "$again" 3
is "a program may join, leave and join again" status_is 0
run -n 3 --silos 3 sh -c "$again 1 && $again 2"
is "so may two programs of one job" status_is 0

# ---- transports that can't be opened
run -n 2 --silos 2 --env FEDRDMA_UCX_TLS=nonsense --env FEDRDMA_TRANSPORTS=shm,ucx "$again" 1
is "ranks that nothing joins say why" err_has "shm: it is on another node; ucx: "
is "down to the setting" err_has "FEDRDMA_UCX_TLS"
run -n 2 --silos 2 --env FEDRDMA_UCX_TLS=nonsense --env FEDRDMA_TRANSPORTS=ucx "$again" 1
is "also with no transport at all" err_has "from rank 0 (ucx: "
run -n 2 --env FEDRDMA_UCX_LARGE=foo "$again" 1
is "a bad value is told also where it does not matter" err_has 'auto, rendezvous or pieces'


# ---- output
run -n 4 bash -c 'for i in 1 2 3 4 5 6 7 8 9 10; do printf "a%.0s" {1..3000}; printf "b%.0s" {1..3000}; echo; done'
is "lines are whole" [ "$(grep -cE '^\[[0-3]\] a{3000}b{3000}$' "$work/out")" = 40 ]
run -n 2 sh -c 'echo out; echo err >&2; printf end'
is "stdout to stdout, an end is mended" out_is "[0] out" "[0] end" "[1] out" "[1] end"
is "stderr to stderr" [ "$(sort "$work/err")" = "$(printf '[0] err\n[1] err')" ]
run -n 1 --no-prefix sh -c 'printf "a\nb"'
is "without a prefix bytes stay as they are" [ "$(od -c "$work/out")" = "$(printf 'a\nb' | od -c)" ]
run -n 1 --no-prefix bash -c 'head -c 3000000 /dev/zero | tr "\0" x; echo'
is "a giant line arrives whole without a prefix" [ "$(wc -c <"$work/out")" = 3000001 ]
run -n 1 sh -c 'head -c 3000000 /dev/urandom | od -An -v -tx1 -w20'
is "much output arrives" [ "$(grep -c '^\[0\] ' "$work/out")" = 150000 ]
echo input | timeout 60 "$RUN" -n 2 sh -c 'cat' >"$work/out" 2>"$work/err"
is "rank 0 alone reads standard input" out_is "[0] input"
printf 'x\n' | timeout 60 script -qec "$RUN -n 2 --no-prefix sh -c 'test -t 1 && echo terminal \$FEDRDMA_RANK'" \
    /dev/null >"$work/out" 2>"$work/err"
is "--no-prefix leaves the terminal to rank 0" grep -q "terminal 0" "$work/out"
is "and to no other" [ "$(grep -c terminal "$work/out")" = 1 ]
timeout 60 "$RUN" -n 2 --grace 1 yes 2>"$work/err" | head -n 3 >"$work/out"
status=${PIPESTATUS[0]}
is "a reader that leaves ends the job" status_is 141

# ---- failures
run -n 3 --grace 20 sh -c 'exit $((FEDRDMA_RANK == 1 ? 3 : 0))'
is "the failing rank's status is ours" status_is 3
is "and it is named" err_has "rank 1 (process "
is "with its fate" err_has ") exited with status 3"
run -n 2 --silos 2 sh -c '[ $FEDRDMA_RANK = 0 ] || kill -SEGV $$'
is "a signal is 128 + its number" status_is 139
is "and it is named with its silo" err_has "rank 1 (silo1, process "
is "with its name" err_has "was killed by signal 11 (Segmentation fault)"
started=$SECONDS
run -n 3 --grace 0.2 sh -c '[ $FEDRDMA_RANK = 0 ] && exit 5; exec sleep 50'
is "the others are ended after a while" fails_with 5 "ranks 1-2 still run; ending them"
is "which is soon" sooner_than 20
run -n 2 --grace 0.2 bash -c 'trap "" TERM; [ $FEDRDMA_RANK = 0 ] && exit 5; while :; do sleep 50; done'
is "and killed if they won't go" fails_with 5 "rank 1 did not end; killing it"
run -n 3 --grace 20 sh -c '[ $FEDRDMA_RANK = 0 ] && exit 5; exit 1'
is "one failure is reported, not its echoes" [ "$(grep -c 'exited with' "$work/err")" = 1 ]
run -n 2 "$work/nothing"
is "a program that is not there" fails_with 127 "can't run $work/nothing as rank 0: No such file or directory"
run -n 2 nothing-of-that-name
is "a program that is not in the path" fails_with 127 "give its path"
echo text >"$work/data"
run -n 2 "$work/data"
is "a program that can't be executed" fails_with 126 "Permission denied"
started=$SECONDS
run -n 3 --timeout 0.5 sh -c '[ $FEDRDMA_RANK = 1 ] || exec sleep 50'
is "a timeout names who was still running" fails_with 124 "timeout after 0.5 s: ranks 0, 2 were still running"
is "and ends them" sooner_than 20
run -n 1 --timeout 500ms sh -c 'kill -STOP $$'
is "a stopped rank is ended, too" fails_with 124 "rank 0 was still running"

# ---- signals
# background ARGUMENTS...: the launcher in the background, once rank 0 has told that it is up; its process is $launcher.
background() {
    env --default-signal=INT "$RUN" "$@" >"$work/out" 2>"$work/err" </dev/null 3<&- &
    launcher=$!
    await
}
await_end() {
    wait "$launcher" 2>/dev/null
    status=$?
}
trapper="trap 'echo got USR1 | tee $work/tell' USR1; trap 'echo got TERM; exit 0' TERM; trap 'echo got HUP; exit 4' HUP
echo up >$work/tell; while :; do sleep 50 & wait \$!; done"
background -n 1 bash -c "$trapper"
kill -USR1 "$launcher"
await
kill -TERM "$launcher"
await_end
is "signals reach the rank" out_is "[0] got USR1" "[0] got TERM"
is "which may end well" status_is 0
background -n 1 bash -c "$trapper"
kill -HUP "$launcher"
await_end
is "or not: its status is ours" status_is 4
background -n 2 bash -c "[ \$FEDRDMA_RANK = 0 ] && echo up >$work/tell; exec sleep 50"
kill -TERM "$launcher"
await_end
is "SIGTERM ends ranks that don't handle it" fails_with 143 "passed on to all ranks"
(
    trap '' HUP
    background -n 1 bash -c "trap 'exit 9' TERM; echo up >$work/tell; while :; do sleep 50 & wait; done"
    kill -HUP "$launcher"
    kill -TERM "$launcher"
    wait "$launcher"
)
status=$?
is "nohup holds" status_is 9
background -n 1 --grace 0.2 bash -c "trap '' TERM; echo up >$work/tell; while :; do sleep 50; done"
kill -TERM "$launcher"
await_end
is "a rank that ignores it is killed, and we say 143" fails_with 143 "did not end"
background -n 1 --grace 50 bash -c "trap 'echo INT >$work/tell' INT; echo up >$work/tell; while :; do sleep 50 & wait; done"
kill -INT "$launcher"
await
kill -INT "$launcher"
await_end
is "a second SIGINT kills" fails_with 130 "again: killing all ranks"
background -n 1 bash -c "echo \$\$ >$work/tell; exec sleep 50"
kill -KILL "$launcher"
await_end
is "a launcher that is killed takes its ranks along" gone "$word"
background -n 1 bash -c "sleep 50 & echo \$! >$work/tell"
await_end
is "what a rank leaves behind is ended" gone "$word"

# ---- command line
while IFS='|' read -r arguments message; do
    eval "run $arguments"
    is "fedrdma-run $arguments" fails_with 2 "$message"
done <<'END'
|how many ranks? Give -n N
true|how many ranks?
-n 2|which program?
-n 2 --|which program?
-n 0 true|-n "0" is too small; give 1 to
-n two true|-n "two" is not a number
-n -1 true|is too small
-n 99999999999 true|is too large
-n 1000000 true|is too large; give 1 to 10000
-n|requires an argument
-n 2 --silos 3 true|--silos 3 are more than the 2 ranks
-n 2 --silos 0 true|--silos "0" is too small
-n 2 --nodes-per-silo 2 true|needs --silos
-n 5 --silos 2 --nodes-per-silo 3 true|the smallest of the 2 silos has 2 ranks
-n 2 --env A true|--env "A" is no NAME=VALUE
-n 2 --env =A true|--env "=A" is no NAME=VALUE
-n 2 --timeout soon true|--timeout "soon" is not a number
-n 2 --timeout 5x true|has an unknown unit
-n 2 --timeout 0 true|leaves no time at all
-n 2 --timeout -5 true|is not a number
-n 2 --tag true|--tag needs --silos
-n 2 --silos 2 --tag --no-prefix true|exclude each other
-n 2 --colour true|`fedrdma-run --help` lists the options
END
run --help
is "--help" [ "$status" = 0 ] && is "tells the options" grep -q -- "--nodes-per-silo" "$work/out"
run --version
is "--version" grep -qE '^fedrdma-run [0-9]+\.[0-9]+\.[0-9]+$' "$work/out"

finish
