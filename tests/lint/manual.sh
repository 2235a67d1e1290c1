#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# manual.sh - the manual page of each tool names the long options that its --help names, and no others; the example of a
# topology file is one.
srcdir=${srcdir:-.}
words() { sed 's/[\]//g' | grep -o -e '--[a-z][a-z-]*' | sort -u; }
help_of() {
    "tools/$1" --help || return
    [ "$1" != fedrdma-plan ] || { tools/fedrdma-plan show --help && tools/fedrdma-plan simulate --help; }
}
for tool in fedrdma-run fedrdma-info fedrdma-plan; do
    help_of "$tool" >"$tool.help.tmp" || exit 1
    # The job's own options stand in the examples.
    ours=$(sed '/^Example/d' "$tool.help.tmp" | words)
    page=$(sed '/^\.SH EXAMPLE/,/^\.fi/d' "$srcdir/docs/man/$tool.1" | words)
    rm -f "$tool.help.tmp"
    [ "$ours" = "$page" ] || {
        printf '%s --help has:\n%s\nthe manual page has:\n%s\n' "$tool" "$ours" "$page"
        exit 1
    }
done

# The example of fedrdma-topology(5) is a topology file.
file=$(mktemp) || exit 99
trap 'rm -f "$file"' EXIT
sed -n '/^version: 1$/,/^\.fi$/{/^\.fi$/d;s/[\]//g;p;}' "$srcdir/docs/man/fedrdma-topology.5" >"$file"
[ "$(wc -l <"$file")" -gt 20 ] || {
    echo "fedrdma-topology(5) has no example"
    exit 1
}
tools/fedrdma-info --topology "$file" >/dev/null
