# SPDX-License-Identifier: BSD-3-Clause
#
# plot.gp - accuracy by round, from the --csv of fedavg or fedavg_mpi. The name of the picture chooses its kind:
#     gnuplot -c plot.gp rounds.csv accuracy.svg       (or accuracy.png)

if (ARGC < 2) {
    print "usage: gnuplot -c plot.gp rounds.csv accuracy.svg"
    exit status 2
}
if (ARG2[strlen(ARG2) - 3:] eq ".png") {
    set terminal pngcairo size 900,540
} else {
    set terminal svg size 900,540 background "white"
}
set output ARG2
set datafile separator ","
stats ARG1 skip 1 using 1 nooutput name "rounds"
stats ARG1 skip 1 matrix nooutput
columns = STATS_size_x

set key bottom right
set key noenhanced
set grid
set xlabel "round"
set ylabel "accuracy on held-out samples"
set xrange [rounds_min:rounds_max]
set yrange [0:1]
plot ARG1 using 1:4 with lines linewidth 3 linecolor rgb "#c03028" title columnheader(4), \
     ARG1 using 1:5 with lines linewidth 3 linecolor rgb "#303030" dashtype 2 title columnheader(5), \
     for [c = 6:columns] ARG1 using 1:c with lines linetype c - 5 linewidth 1.5 title columnheader(c)
