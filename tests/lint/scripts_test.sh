#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# scripts_test.sh - build_in configures again when what configure can find has changed: scripts/quickstart installs less
# than scripts/check, which comes after it in the same directory.
# shellcheck disable=SC2016,SC2031 # a small script is written here; build_in runs in a shell of its own
set -u

top=$(cd "${srcdir:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir scripts bin
printf '%s\n' '# group  package' '' 'build   one' 'check   two' >scripts/packages
printf '%s\n' '#!/bin/sh' 'echo "$@" >>../configured' 'echo "all:" >Makefile' >configure
printf '%s\n' '#!/bin/sh' 'cat "$0.installed"' >bin/dpkg-query
echo 'installed one' >bin/dpkg-query.installed
touch -d '1 hour ago' configure.ac
chmod +x configure bin/dpkg-query
PATH=$work/bin:$PATH
failures=0

# configures TIMES WHAT [ARGUMENTS]: so often until now.
configures() {
    local times=$1 what=$2
    shift 2
    (. "$top/scripts/common.sh" && build_in build "$@") >out 2>&1
    if [ "$(wc -l <configured)" != "$times" ]; then
        failures=$((failures + 1))
        echo "$what: configured $(wc -l <configured) times, should be $times"
        cat out build/build.log
    fi
}
configures 1 "a new directory"
configures 1 "the same again"
echo 'installed two' >>bin/dpkg-query.installed
configures 2 "another package"
configures 2 "and the same again"
configures 3 "another argument" --enable-werror
configures 3 "the same argument" --enable-werror
[ $failures = 0 ]
