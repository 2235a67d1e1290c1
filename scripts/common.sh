# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# common.sh - what quickstart, check and .ci/run share: install, build, count. Sourced from the top of the tree.

say() { printf '\n==> %s\n' "$*"; }

die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

# step "what" log command...: runs the command with its output in the log; shows the end of it on failure.
step() {
    local what=$1 log=$2
    shift 2
    say "$what"
    if ! "$@" >>"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        die "$what failed. The lines above are the end of $log; the command was: $*"
    fi
}

# install_packages group...: what scripts/packages lists under these groups and the system lacks.
install_packages() {
    local groups=" $* " missing=() group package as_root=()
    while read -r group package; do
        case $groups in *" $group "*) ;; *) continue ;; esac
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done < <(grep -v -e '^#' -e '^$' scripts/packages)
    [ ${#missing[@]} -gt 0 ] || return 0

    command -v apt-get >/dev/null ||
        die "this script installs packages with apt-get, which is not here. Install these by their names on your" \
            "system, then run ./configure && make: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            die "packages are missing and there is no sudo. As root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    local log
    log=$(mktemp)
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    step "Asking apt for its lists" "$log" "${as_root[@]}" apt-get -q -o Acquire::Retries=3 update
    step "Installing ${#missing[@]} packages: ${missing[*]}" "$log" \
        "${as_root[@]}" apt-get -q -y --no-install-recommends -o Acquire::Retries=3 install "${missing[@]}"
    rm -f "$log"
}

# Those packages of scripts/packages that the system has: what configure can find.
packages_here() {
    # shellcheck disable=SC2046 # names without spaces
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(awk '!/^#/ { print $2 }' scripts/packages) 2>/dev/null |
        sed -n 's/^installed //p' | tr '\n' ' ' || true
}

# build_in dir [configure arguments]: configures (anew if the arguments or the packages changed) and compiles in dir.
build_in() {
    local dir=$1 log with
    shift
    with="$* | $(packages_here)"
    mkdir -p "$dir"
    log=$dir/build.log
    : >"$log"
    if [ ! -x configure ] || [ configure.ac -nt configure ]; then
        step "Making configure" "$log" autoreconf -fi
    fi
    if [ ! -f "$dir/Makefile" ] || [ "$with" != "$(cat "$dir/configured-with" 2>/dev/null)" ]; then
        # shellcheck disable=SC2016
        step "Configuring in $dir" "$log" sh -c 'cd "$0" && ../configure "$@"' "$dir" "$@"
        printf '%s' "$with" >"$dir/configured-with"
    fi
    step "Compiling in $dir" "$log" make -C "$dir" -j "$(nproc)"
}

# count log...: adds the totals of `make check` runs into passed, failed, skipped.
passed=0 failed=0 skipped=0
count() {
    local result number
    while read -r result number; do
        case $result in
        PASS:) passed=$((passed + number)) ;;
        SKIP:) skipped=$((skipped + number)) ;;
        FAIL: | ERROR: | XPASS:) failed=$((failed + number)) ;;
        esac
    done < <(sed -n 's/^# \([A-Z]*: *[0-9]*\)$/\1/p' "$@")
}
