# SPDX-License-Identifier: BSD-3-Clause
#
# chaos.awk - what tests/wan/chaos draws and how it judges. Programs, chosen with -v part=:
#
#   draw   -v seed=S -v run=I -v dir=DIR: writes DIR/lab, DIR/schedule and DIR/plan, "key value" lines:
#              silos, ranks    of the job
#              expect          right; error: a silo is cut off for good; either: what is left may be too little
#              from            s: since when there is too little for the rest of the run's deadline
#              last            s: of the last change
#              deadline        s after which ranks may give up
#              lost            s: option wan_lost
#              cut             the silo that is cut off, or -
#              begin           when the times begin: ready, when all ranks have met; or start
#   judge  DIR/plan DIR/log, -v status=EXIT-STATUS: a word, right, error, void, skip or FAIL, and what is wrong
#
# Too little is left while two silos have neither a link nor a relay that both reach by links that work: not down in
# either direction, and neither half lossy nor so slow that a message takes long. A job must stand it for as long as
# SPARE_S before its deadline, and finds another route within FOUND_S; times are seconds since the schedule began. Plain awk.

BEGIN {
    TIMEOUT_S = 7   # FEDRDMA_TIMEOUT and FEDRDMA_CONNECT_TIMEOUT
    LOST_S = 5      # wan_lost, in one job of three
    SPARE_S = 3     # to find out that a route works again, and to find its rate
    FOUND_S = 1.5   # three heartbeats, in which another route must be found; one that works for less is none
    EARLY_S = 0.5   # before its deadline an error may not come
    LATE_S = 4      # after its deadline an error must have come
    ACTIVE = 50     # tenths of a second in which links change and calls are made
        if (part == "draw")
        draw()
    clean[-3] = clean[-6] = clean[-7] = 1 # FEDRDMA_ERR_TIMEOUT, _RANK_LOST, _SILO_LOST
}

# ---- draw ----------------------------------------------------------------------------------------------------------

# Multipliers of L Ecuyer; awk has doubles, which hold these products.
function below(n) {
    x = (x * 40692) % 2147483399
    return int(x / 2147483399 * n)
}
function of(words,   list, n) {
    n = split(words, list, " ")
    return list[1 + below(n)]
}
function tell(tenths, change) {
    at[++changes] = tenths
    text[changes] = sprintf("%d.%d %s", tenths / 10, tenths % 10, change)
    if (tenths > last)
        last = tenths
}
function spoil(a, b, from, to,   t) {
    for (t = from; t < to; t++)
        bad[a, b, t] = bad[b, a, t] = 1
}
# One impairment of a link that lasts.
function impair(from, to, a, b,   link, kind, what) {
    link = "link " name[a] " " name[b]
    kind = below(10)
    if (kind <= 2) {
        what = kind == 2 ? "link " name[a] " > " name[b] : link
        tell(from, what " down")
        if (!((a, b) in cut))
            tell(to, what " up")
        spoil(a, b, from, (a, b) in cut ? ACTIVE : to) # the cut is before that
    } else if (kind == 3) {
        what = of("1% 5% 20% 50%")
        tell(from, link " loss " what)
        tell(to, link " loss 0%")
        if (what == "50%")
            spoil(a, b, from, to)
    } else if (kind == 9) {
        what = of("2M 10M 30M")
        tell(from, link " rate " what)
        tell(to, link " rate none")
        if (what == "2M")
            spoil(a, b, from, to)
    } else {
        what = kind == 4 ? "gilbert 1%:" of("10% 30%") : kind == 5 ? "reorder " of("1% 5% 30%") : \
            kind == 6 ? "duplicate " of("1% 10% 50%") : kind == 7 ? "corrupt " of("0.1% 1% 5%") : \
            "jitter " of("2ms 20ms 60ms")
        tell(from, link " " what)
        sub(/ .*/, "", what)
        tell(to, link " " what (what == "gilbert" ? " none" : what == "jitter" ? " 0ms" : " 0%"))
    }
}
function works(a, b, t) { return !((a, b, t) in bad) && !((a, b) in cut && t >= cut[a, b]) }
function enough(t,   a, b, c, found) {
    for (a = 1; a <= silos; a++)
        for (b = a + 1; b <= silos; b++) {
            found = works(a, b, t)
            for (c = 1; c <= silos && !found; c++)
                found = c != a && c != b && works(a, c, t) && works(c, b, t)
            if (!found)
                return 0
        }
    return 1
}
function draw(   i, j, n, a, b, t, since, good, ranks, expect, lost, deadline, from, when, swap) {
    x = 1 + (seed * 1000003 + run * 7919) % 2147483398
    for (i = 0; i < 10; i++)
        below(2)
    split("a b c d", name, " ")
    silos = of("2 2 3 3 3 4")
    ranks = silos + below(3)
    for (i = 1; i <= silos; i++)
        printf "silo %s egress %s ingress %s queue %s\n", name[i], of("20M 50M 100M 200M"), of("20M 50M 100M 200M"),
            of("0.5bdp 1bdp 2bdp") >(dir "/lab")
    printf "link * * rtt %s loss %s\n", of("2ms 10ms 40ms 80ms"), of("0% 0% 0.1% 1%") >(dir "/lab")
    printf "seed %d\n", 1 + below(1000000) >(dir "/lab")
    expect = below(8) == 0 ? "error" : "right"
    begin = "ready"
    lost = below(3) == 0 ? LOST_S : 180
    deadline = lost < TIMEOUT_S ? lost : TIMEOUT_S
    if (expect == "error") { # the last silo
        begin = below(3) == 0 ? "start" : "ready"
        when = below(begin == "start" ? 10 : ACTIVE - 10)
        for (i = 1; i < silos; i++) {
            cut[i, silos] = cut[silos, i] = when
            tell(when, "link " name[i] " " name[silos] " down")
        }
    }
    for (i = 2 + below(8); i > 0; i--) {
        a = below(silos)
        b = (a + 1 + below(silos - 1)) % silos
        when = below(ACTIVE - 5)
        impair(when, when + 5 + below(30), a + 1, b + 1)
    }
    # The first stretch with too little that is too long; of one that never ends, since when.
    from = -1
    since = 0
    good = 10 * FOUND_S
    for (t = 0; t <= last + 10 * TIMEOUT_S; t++) {
        if (enough(t)) {
            good++
            continue
        }
        if (good >= 10 * FOUND_S)
            since = t
        good = 0
        if (from < 0 && (t - since + 1) / 10 + SPARE_S > deadline) {
            from = since
            if (expect == "right")
                expect = "either"
        }
    }
    for (i = 2; i <= changes; i++)
        for (j = i; j > 1 && at[j - 1] > at[j]; j--) {
            swap = at[j]; at[j] = at[j - 1]; at[j - 1] = swap
            swap = text[j]; text[j] = text[j - 1]; text[j - 1] = swap
        }
    for (i = 1; i <= changes; i++)
        print text[i] >(dir "/schedule")
    printf "silos %d\nranks %d\nexpect %s\nfrom %.1f\nlast %.1f\nactive %.1f\ndeadline %d\ntimeout %d\nlost %d\ncut %s\nbegin %s\n", silos,
        ranks, expect, from / 10, last / 10, ACTIVE / 10, deadline, TIMEOUT_S, lost, expect == "error" ? name[silos] : "-", begin >(dir "/plan")
    exit 0
}

# ---- judge ---------------------------------------------------------------------------------------------------------

part == "judge" && FILENAME ~ /plan$/ { plan[$1] = $2; next }

function fault(why) {
    if (wrong == "")
        wrong = why
}
/chaos: FAIL/ { fault($0) }
match($0, /chaos: began at [0-9.]+/) { zero = substr($0, RSTART + 16, RLENGTH - 16) + 0 }
# chaos: rank 1 of b: right after 18 calls, in 0.1 s, at 11.2: ...
match($0, /chaos: rank -?[0-9]+ of [a-z]: /) {
    line = substr($0, RSTART)
    split(line, word, " ")
    silo = substr(word[5], 1, 1)
    reported++
    match(line, / after [0-9]+ calls/)
    calls = substr(line, RSTART + 7) + 0
    match(line, / calls, in [0-9.]+ s, at [0-9.]+/)
    split(substr(line, RSTART, RLENGTH), word, " ")
    when = word[6] - zero
    if (line ~ /: right after /) {
        nright++
        right_silo[silo] = 1
        if (nright > 1 && calls != right_calls)
            fault("ranks that are right made " right_calls " and " calls " calls")
        right_calls = calls
        next
    }
    match(line, /\(-?[0-9]+\) after/)
    code = substr(line, RSTART + 1) + 0
    nerrors++
    if (!(silo in error_silo))
        error_silos++
    error_silo[silo] = 1
    if (error == "")
        error = line
    if (line ~ /: fedrdma_init: /) {
        # a rendezvous out of reach is one, too; and this deadline is the job's, from its start
        if (!(code in clean) && code != -4)
            fault("this is not an error of a lost link: " line)
        if (word[3] < plan["timeout"] - EARLY_S)
            fault("an error before the deadline of the start, " plan["timeout"] " s: " line)
    } else if (!(code in clean)) {
        fault("this is not an error of a lost link: " line)
    } else if (first == "" || when < first) {
        first = when
        first_line = line
    }
    if (latest == "" || when > latest) {
        latest = when
        latest_line = line
    }
}
END {
    if (part != "judge")
        exit
    if (status == 75)
        print "void"
    else if (status == 77)
        print "skip"
    else if (wrong != "")
        print "FAIL " wrong
    else if (status != 0 || reported != plan["ranks"])
        print "FAIL exit status " status ", " reported + 0 " of " plan["ranks"] " ranks reported"
    else if (zero == "" && nerrors)
        print "FAIL an error though the links were not touched: " error
    else if (!nerrors)
        print "right" # also where a silo is cut off, as a job may be over before
    else if (plan["expect"] == "right")
        print "FAIL an error though the links left enough: " error
    else if (nright && (error_silos != 1 || !(plan["cut"] in error_silo) || plan["cut"] in right_silo))
        print "FAIL some ranks have an error and some have not: " error
    else if (first != "" && first < plan["from"] + plan["deadline"] - EARLY_S - (plan["silos"] > 2 ? FOUND_S : 0))
        printf "FAIL an error at %.1f s, %.1f s after links left too little; the deadline is %d s: %s\n", first,
            first - plan["from"], plan["deadline"], first_line
    else if (latest > (plan["last"] > plan["from"] ? plan["last"] : plan["from"]) + plan["deadline"] + LATE_S)
        printf "FAIL an error as late as %.1f s, the last change having been at %.1f s, and the deadline %d s: %s\n", latest,
            plan["last"], plan["deadline"], latest_line
    else
        print "error"
}
