# SPDX-License-Identifier: BSD-3-Clause
#
# compare.awk - what perf/compare computes. Three programs, chosen with -v part=:
#
#   rows    lines of runs, sorted, "case size place coll ranks buffer library setting median_us mode cpu_share verified"
#           -> the CSV. median_us is the median of the runs' medians, min_us and max_us the least and the greatest of
#           them. Runs in near mode count; without any those in far mode, and without any those in which it changed.
#   report  [floor CSV] CSV -> the tables. The best peer of a size is the verified row of another library with the
#           least median, of the same mode as fedrdma's; the ratio is its median by fedrdma's. -v cores=N.
#   plot    [floor CSV] CSV -> for each case a gnuplot data block: size, fedrdma, Open MPI's and MPICH's best, floor.
#
# Plain awk: no arrays of arrays, no sort.

function size_text(bytes,   u) {
    for (u = 1; u < 4 && bytes >= 1024 && bytes % 1024 == 0; u++)
        bytes /= 1024
    return bytes (u > 1 ? substr("kmg", u - 1, 1) : "")
}
function us_text(us) { return us == "" ? "-" : us < 100 ? sprintf("%.2f", us) : sprintf("%.0f", us) }

# ---- rows ------------------------------------------------------------------------------------------------------------

function insert(list, n, value,   i) {
    for (i = n; i > 0 && list[i] > value; i--)
        list[i + 1] = list[i]
    list[i + 1] = value
}
function middle(list, n) { return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2 }
function worth(mode) { return mode == "mixed" ? 0 : mode == "far" ? 1 : 2 }
function emit_row() {
    if (group != "" && runs > 0)
        printf "%s,%.3f,%.3f,%.3f,%s,%.2f,%s\n", group, middle(us, runs), us[1], us[runs], mode, middle(share, runs), verified
}
part == "rows" {
    key = $4 "," $5 "," $6 "," $2 "," $7 "," $8
    if (key != group) {
        emit_row()
        group = key
        runs = 0
        mode = $10
        verified = $12
    }
    if (worth($10) > worth(mode)) {
        mode = $10
        runs = 0
    } else if (worth($10) < worth(mode))
        next
    insert(us, runs, $9 + 0)
    insert(share, runs, $11 + 0)
    runs++
    next
}

# ---- report and plot: reading ----------------------------------------------------------------------------------------

BEGIN { FS = part == "rows" ? " " : "," }
$1 == "what" || $1 == "coll" { next }
NF == 5 { # of the floor's CSV
    if ($1 == "exchange" || $1 == "exchange_after")
        floor_far = floor_far || $4 > 140 # as in probe.c
    floor_us[$1, $2] = $4
    next
}
NF == 12 {
    this = $1 "," $2 "," $3
    if (!(this in known)) {
        known[this] = ++ncases
        name[ncases] = this
    }
    c = known[this]
    if (!((c, $4) in seen)) {
        seen[c, $4] = 1
        size[c, ++nsizes[c]] = $4
    }
    if ($12 != "yes")
        wrong[++nwrong] = $5 " (" $6 "): " $1 " of " size_text($4) ", " $3 " buffers, " $2 " ranks"
    if ($5 == "fedrdma")
        ours[c, $4] = $0
    else
        peer[c, $4, ++npeers[c, $4]] = $0
    next
}
{ print "compare: line " FNR " of " FILENAME " is not a row of a comparison: " $0 > "/dev/stderr"; bad = 1; exit 1 }

# The row of the best verified peer (of `library`, or of all), in the mode `mode`.
function best_peer(c, bytes, mode, library,   i, f, best, best_us) {
    for (i = 1; i <= npeers[c, bytes]; i++) {
        split(peer[c, bytes, i], f, ",")
        if (f[10] == mode && mode != "mixed" && f[12] == "yes" && (library == "" || f[5] == library) && (best == "" || f[7] < best_us)) {
            best = peer[c, bytes, i]
            best_us = f[7] + 0
        }
    }
    return best
}
function floor_of(c, bytes,   f, key) {
    split(name[c], f, ",")
    key = (f[3] == "alloc" ? "allreduce_mapped" : "allreduce_malloc") SUBSEP bytes
    return f[1] == "allreduce" && f[2] == 2 && key in floor_us ? floor_us[key] : ""
}

# ---- report ----------------------------------------------------------------------------------------------------------

function report_size(c, bytes,   i, o, b, ratio, least, share) {
    split(ours[c, bytes], o, ",")
    least = floor_far || worth(o[10]) < 2 ? "" : floor_of(c, bytes)
    share = least != "" && o[7] > 0 ? sprintf("%.0f%%", 100 * least / o[7]) : "-"
    ratio = "-"
    split("", b)
    if (split(best_peer(c, bytes, o[10], ""), b, ",") > 0 && o[7] > 0) {
        ratio = sprintf("%.2f", b[7] / o[7])
        sum += log(b[7] / o[7])
        if (!counted++ || b[7] / o[7] < worst) {
            worst = b[7] / o[7]
            worst_at = size_text(bytes)
        }
    }
    nfar += worth(o[10]) < 2
    for (i = 1; i <= npeers[c, bytes]; i++) {
        nother += field(peer[c, bytes, i], 10) != o[10]
        nbusy += field(peer[c, bytes, i], 11) < 0.9 * (o[2] > cores && cores > 0 ? cores / o[2] : 1)
    }
    printf "%-8s%10s%10s%10s %6.2f  %10s%10s%10s %6s  %-22s%7s%10s%7s  %s\n", size_text(bytes), us_text(o[7]), us_text(o[8]),
        us_text(o[9]), o[11], us_text(b[7]), us_text(b[8]), us_text(b[9]), b[11] == "" ? "-" : sprintf("%.2f", b[11]),
        b[5] == "" ? "-" : b[5] " " b[6], ratio, us_text(least), share,
        (worth(o[10]) < 2 ? toupper(o[10]) : o[10]) (o[12] == "yes" ? "" : " WRONG")
}
function report_case(c,   i, f) {
    split(name[c], f, ",")
    printf "\n# %s, %d ranks, %s buffers; us: median, least and greatest of the runs' medians; CPU: cores a rank had\n",
        f[1], f[2], f[3]
    printf "%-8s%10s%10s%10s %6s  %10s%10s%10s %6s  %-22s%7s%10s%7s  %s\n", "# Size", "fedrdma", "min", "max", "CPU",
        "Best peer", "min", "max", "CPU", "which", "Ratio", "Floor", "Share", "Mode"
    sum = counted = nfar = nother = nbusy = 0
    for (i = 1; i <= nsizes[c]; i++)
        if ((c, size[c, i]) in ours)
            report_size(c, size[c, i])
    if (counted)
        printf "# best peer / fedrdma: geometric mean %.2f, least %.2f at %s\n", exp(sum / counted), worst, worst_at
    if (nfar)
        printf "# %d size(s) of fedrdma not in near mode: ratios hold for far mode only; repeat them\n", nfar
    if (nother)
        printf "# %d time(s) of peers in another mode than fedrdma's: not compared\n", nother
    if (nbusy) # they poll while they wait, so somebody else had their cores
        printf "# the machine was BUSY: at %d time(s) of peers they had less than 0.9 of their cores\n", nbusy
}

# ---- plot ------------------------------------------------------------------------------------------------------------

function field(row, n,   f) { return split(row, f, ",") >= n ? f[n] : "" }
function plot_us(row) { return row == "" ? "NaN" : field(row, 7) }
function plot_case(c,   i, f, bytes, mode, least) {
    for (i = 1; i <= nsizes[c]; i++) {
        bytes = size[c, i]
        if (bytes == 0 || !((c, bytes) in ours))
            continue
        mode = field(ours[c, bytes], 10)
        least = floor_of(c, bytes)
        print bytes, plot_us(ours[c, bytes]), plot_us(best_peer(c, bytes, mode, "openmpi")),
            plot_us(best_peer(c, bytes, mode, "mpich")), least == "" ? "NaN" : least > (file c)
    }
    split(name[c], f, ",")
    if (bytes > 0)
        print c, f[1] ", " f[2] " ranks, " f[3] " buffers"
    close(file c)
}

END {
    if (bad)
        exit 1
    if (part == "rows")
        emit_row()
    for (c = 1; c <= ncases; c++)
        if (part == "plot")
            plot_case(c)
        else if (part == "report")
            report_case(c)
    if (part == "report")
        for (i = 1; i <= nwrong; i++)
            print "# not verified: " wrong[i]
}
