#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# shell.sh - shellcheck finds nothing in our scripts.
cd "${srcdir:-.}" || exit 2
command -v shellcheck >/dev/null || {
    echo "shellcheck is not installed (Debian package shellcheck)"
    exit 77
}
{
    find . \( -name '.?*' -o -name 'build*' -o -name '*_build' -o -name 'fedrdma-*' \) -prune -o -name '*.sh' -print
    printf '%s\n' .ci/run scripts/quickstart scripts/check tests/run-test perf/compare \
        perf/wan/compare perf/wan/outage perf/wan/prove tests/wan/chaos tests/wan/fedrdma-lab \
        tests/rdma/lab tests/rdma/boot tests/rdma/guest
} | sort | xargs shellcheck -x
