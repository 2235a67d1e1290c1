# SPDX-License-Identifier: BSD-3-Clause
#
# compare.awk - what perf/wan/compare computes from its runs. Programs, chosen with -v part=:
#
#   rows        -> the CSV: a row a case and library, its median run's
#   table       -> the same to read, a table a case: median, least and greatest time, and who is how much slower
#   limits      -> what compare --table promises, a line each: what, limit, figure, and pass, miss or none (not measured)
#   plot-time   -> for each (what, loss, cc) with several sizes a file FILE.N, and its "N name"; -v file=FILE.
#   plot-loss   -> the same for each (what, bytes, cc) with several losses
#
# Of a library that was tried in several settings it is the one with the least median. The median of an even number of
# runs is the lower one of the middle. Plain awk: no arrays of arrays, no sort.

BEGIN { FS = "," }
FNR == 1 { next }
NF != 15 {
    print "compare: line " FNR " of " FILENAME " is not a run of a comparison: " $0 > "/dev/stderr"
    bad = 1
    exit 2
}
{
    this = $1 FS $2 FS $3 FS $4 FS $5 FS $6 FS $7
    if (!(this in case_of)) {
        case_of[this] = ++ncases
        head[ncases] = this
    }
    c = case_of[this]
    if (!((c, $8) in known)) {
        known[c, $8] = 1
        library[c, ++nlibraries[c]] = $8
    }
    if (!((c, $8, $9) in runs)) {
        runs[c, $8, $9] = 0
        setting[c, $8, ++nsettings[c, $8]] = $9
    }
    if ($15 == "void")
        next
    tries[c, $8, $9]++
    if ($15 == "no")
        wrong[c, $8] = 1
    if ($11 == "") {
        failure[c, $8, $9] = $15
        next
    }
    # Ordered by time.
    n = ++runs[c, $8, $9]
    for (i = n; i > 1 && seconds[c, $8, $9, i - 1] + 0 > $11 + 0; i--) {
        seconds[c, $8, $9, i] = seconds[c, $8, $9, i - 1]
        rest[c, $8, $9, i] = rest[c, $8, $9, i - 1]
    }
    seconds[c, $8, $9, i] = $11
    rest[c, $8, $9, i] = $12 FS $13 FS $14 FS $15
}

# Bits that a silo's line must carry; the shortest time in which it can.
function carried(c,   h) {
    split(head[c], h, FS)
    return 8 * h[7] * (h[1] == "allreduce" ? 2 * (h[2] - 1) / h[2] : h[1] == "gather" ? h[2] - 1 : 1)
}
function bound(c,   h) {
    split(head[c], h, FS)
    return carried(c) / h[3] + h[4] / 1000
}
# Sets of a library's best setting: best, n, median, least, most, steady, again, queue, verified. False: it has no time.
function look(c, l,   i, s, m, r) {
    best = ""
    for (i = 1; i <= nsettings[c, l]; i++) {
        s = setting[c, l, i]
        m = int((runs[c, l, s] + 1) / 2)
        if (2 * runs[c, l, s] > tries[c, l, s] && (best == "" || seconds[c, l, s, m] + 0 < median + 0)) {
            best = s
            n = runs[c, l, s]
            median = seconds[c, l, s, m]
            least = seconds[c, l, s, 1]
            most = seconds[c, l, s, n]
            split(rest[c, l, s, m], r, FS)
            steady = r[1]
            again = r[2]
            queue = r[3]
            verified = (c, l) in wrong ? "no" : r[4]
        }
    }
    if (best == "")
        verified = (c, l) in wrong ? "no" : (c, l, setting[c, l, 1]) in failure ? failure[c, l, setting[c, l, 1]] : "void"
    return best != ""
}

function rows(   c, i) {
    print "what,silos,rate_bps,rtt_ms,loss,cc,bytes,library,seconds,bound_seconds,goodput_bps,retransmitted_bytes,verified"
    for (c = 1; c <= ncases; c++)
        for (i = 1; i <= nlibraries[c]; i++) {
            if (look(c, library[c, i]))
                printf "%s,%s,%s,%.6f,%.0f,%s,%s\n", head[c], library[c, i], median, bound(c), carried(c) / median, again, verified
            else
                printf "%s,%s,,%.6f,,,%s\n", head[c], library[c, i], bound(c), verified
        }
}

function size_text(bytes,   u) {
    for (u = 1; u < 4 && bytes >= 1024 && bytes % 1024 == 0; u++)
        bytes /= 1024
    return bytes (u > 1 ? substr("kMG", u - 1, 1) : "")
}
function table(   c, i, l, h, ours) {
    for (c = 1; c <= ncases; c++) {
        split(head[c], h, FS)
        if (c != 1)
            print ""
        printf "# %s, %d silos, %g Mbit/s, RTT %s ms, loss %s, %s, %s; bound %.3f s\n", h[1], h[2], h[3] / 1e6, h[4], h[5], h[6],
            size_text(h[7]), bound(c)
        printf "%-9s%-12s%5s%9s%9s%9s%9s%9s%9s%9s%8s%11s  %s\n", "library", "setting", "runs", "seconds", "min", "max",
            "x bound", "x ours", "Mbit/s", "steady", "queue", "again", "verified"
        ours = look(c, "fedrdma") ? median : 0
        for (i = 1; i <= nlibraries[c]; i++) {
            l = library[c, i]
            if (!look(c, l)) {
                printf "%-9s%-12s%5s%9s%9s%9s%9s%9s%9s%9s%8s%11s  %s\n", l, "-", 0, "-", "-", "-", "-", "-", "-", "-", "-", "-", verified
                continue
            }
            printf "%-9s%-12s%5d%9.3f%9.3f%9.3f%9.2f%9s%9.1f%9s%8s%11s  %s\n", l, best, n, median, least, most, median / bound(c),
                ours ? sprintf("%.2f", median / ours) : "-", carried(c) / median / 1e6, steady == "" ? "-" : sprintf("%.1f", steady / 1e6),
                queue " ms", again, verified
        }
    }
}

function limit(what, text, figure, good) {
    print what "," text "," (figure == "" ? "" : sprintf("%.3g", figure)) "," (figure == "" ? "none" : good ? "pass" : "miss")
}
function name_of(c,   h) {
    split(head[c], h, FS)
    return h[1] " of " size_text(h[7]) "; " h[2] " silos; loss " h[5] "; " h[6]
}
function limits(   c, h, n, s, ours, least, i, at) {
    n = split("grpc openmpi mpich", other, " ")
    for (c = 1; c <= ncases; c++) {
        split(head[c], h, FS)
        if (!look(c, "fedrdma"))
            median = steady = queue = ""
        ours = median
        if (h[1] == "transfer") {
            least = h[5] == "1%" ? 0.90 : 0.94
            limit(name_of(c) ": steady of the line", ">= " least, steady == "" ? "" : steady / h[3], steady / h[3] >= least)
            limit(name_of(c) ": whole of the line", ">= 0.85", ours ? carried(c) / ours / h[3] : "", ours && carried(c) / ours / h[3] >= 0.85)
            limit(name_of(c) ": queue in ms", "<= " h[4] / 2, queue, queue <= h[4] / 2)
            continue
        }
        if (h[2] == 3 && size_text(h[7]) == "128M") {
            least = h[5] == "1%" ? 1.3 : 1.2
            limit(name_of(c) ": x bound", "<= " least, ours ? ours / bound(c) : "", ours / bound(c) <= least)
        }
        for (i = 1; i <= n; i++) {
            if (!((c, other[i]) in known))
                continue
            least = h[5] != "0" ? 20 : other[i] == "grpc" ? (h[2] == 5 ? 5 : 3) : 1.5
            at = look(c, other[i]) ? median : ""
            limit(name_of(c) ": times as fast as " other[i], ">= " least, ours && at ? at / ours : "", at >= least * ours)
        }
    }
}

# Panels: cases that differ in one field only, in the order of that field.
function value_of(text) { return text ~ /%$/ ? text / 100 : text + 0 }
function plot(field,   c, d, h, key, n, i, j, order, swap, count, at) {
    for (c = 1; c <= ncases; c++) {
        split(head[c], h, FS)
        key = ""
        for (i = 1; i <= 7; i++)
            key = key FS (i == field ? "" : h[i])
        panel[c] = key
        count[key]++
        place[c] = value_of(h[field])
    }
    for (c = 1; c <= ncases; c++) {
        if (count[panel[c]] < 2 || panel[c] in drawn)
            continue
        drawn[panel[c]] = 1
        n = 0
        for (d = c; d <= ncases; d++)
            if (panel[d] == panel[c])
                order[++n] = d
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && place[order[j - 1]] > place[order[j]]; j--) {
                swap = order[j]
                order[j] = order[j - 1]
                order[j - 1] = swap
            }
        at = ++panels
        for (i = 1; i <= n; i++) {
            split(head[order[i]], h, FS)
            printf "%s,%s%s%s%s%s%s,%s\n", h[7], h[5], point(order[i], "fedrdma", field), point(order[i], "openmpi", field),
                point(order[i], "mpich", field), point(order[i], "grpc", field), point(order[i], "ucx", field),
                field == 7 ? bound(order[i]) : carried(order[i]) / bound(order[i]) / 1e6 > (file at)
        }
        close(file at)
        print at, h[1] ", " h[2] " silos, " h[3] / 1e6 " Mbit/s, RTT " h[4] " ms, " h[6] ", " (field == 7 ? "loss " h[5] : size_text(h[7]))
    }
}
function point(c, l, field) { return look(c, l) ? FS (field == 7 ? median : carried(c) / median / 1e6) : FS "-" }

END {
    if (bad)
        exit 2
    if (part == "rows")
        rows()
    else if (part == "table")
        table()
    else if (part == "limits")
        limits()
    else if (part == "plot-time")
        plot(7)
    else if (part == "plot-loss")
        plot(5)
}
