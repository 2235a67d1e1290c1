# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# table.sh - compare --table: the cases for which there are limits, run by run; what is in the file of runs is not made
# again, so it can be stopped and gone on with. The limits are in compare.awk. Sourced.
# shellcheck disable=SC2034,SC2086,SC2154 # of compare; numbers are words

# what silos rate bytes losses ccs libraries warmup timeout
table_cases() {
    cat <<'END'
transfer  2 1G   256M 0,0.1%,1% cubic,bbr fedrdma                    0 30
allreduce 3 300M 128M 0,0.1%,1% cubic,bbr fedrdma                    1 40
allreduce 3 300M 128M 0         bbr       grpc,openmpi,mpich         1 70
allreduce 5 300M 128M 0         bbr       fedrdma,grpc               1 110
allreduce 3 300M 128M 0.1%      cubic     grpc,openmpi,mpich         0 400
END
}

# made CASE LIBRARY [SETTING] [RUN]: lines of the runs that are there, void ones not. CASE: the first seven fields.
made() {
    awk -F, -v case_="$1" -v library="$2" -v setting="${3:-}" -v run="${4:-}" '
        index($0, case_ ",") == 1 && $8 == library && (setting == "" || $9 == setting) && (run == "" || $10 == run) && $15 != "void"' \
        "$base.runs.csv"
}

# table_library WHAT LOSS CC BYTES LIBRARY: its runs that are not there yet, as many as there is time for.
table_library() {
    local case_=$1,$silos,$rate_bps,${rtt%ms},$2,$3,$4 run setting best tried
    for ((run = 1; run <= runs; run++)); do
        if [ $run = 1 ]; then
            tried=$(settings_of "$5")
        else
            # The fastest of the first run; what failed in all settings is not repeated, but for ours.
            best=$(made "$case_" "$5" '' 1 | awk -F, '$11 != "" { print $11, $9 }' | sort -g | awk 'NR == 1 { print $2 }')
            [ -n "$best" ] || [ "$5" != fedrdma ] || best=default
            tried=$best
        fi
        for setting in $tried; do
            [ -z "$(made "$case_" "$5" "$setting" "$run")" ] || continue
            if [ $((SECONDS + timeout)) -gt "$budget" ] && [ $begun = 1 ]; then
                left=$((left + 1))
                continue
            fi
            begun=1
            run_one "$5" "$setting" "$1" "$2" "$3" "$4" "$run"
        done
    done
}

# All of them in turns, so long as there is time.
run_table() {
    local one_what bytes_ losses ccs names one_loss one_cc one found=,
    left=0 begun=0
    for one in "${chosen[@]}"; do found=$found$one,; done
    while read -r one_what silos rate bytes_ losses ccs names warmup timeout; do
        rate_bps=$(number_of "$rate" 1000)
        for one_loss in ${losses//,/ }; do
            for one_cc in ${ccs//,/ }; do
                for one in ${names//,/ }; do
                    [[ $found == *,$one,* ]] || continue
                    table_library "$one_what" "$one_loss" "$one_cc" "$(number_of "$bytes_" 1024)" "$one"
                done
            done
        done
    done < <(table_cases)
}
