#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# manual.sh - the manual page of each tool names the long options that its --help names, and no others.
srcdir=${srcdir:-.}
words() { sed 's/[\]//g' | grep -o -e '--[a-z][a-z-]*' | sort -u; }
for tool in fedrdma-run fedrdma-info; do
    "tools/$tool" --help >"$tool.help.tmp" || exit 1
    # The job's own options stand in the examples.
    ours=$(sed '/^Example/d' "$tool.help.tmp" | words)
    page=$(sed '/^\.SH EXAMPLE/,/^\.fi/d' "$srcdir/docs/man/$tool.1" | words)
    rm -f "$tool.help.tmp"
    [ "$ours" = "$page" ] || {
        printf '%s --help has:\n%s\nthe manual page has:\n%s\n' "$tool" "$ours" "$page"
        exit 1
    }
done
