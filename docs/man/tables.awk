# SPDX-License-Identifier: BSD-3-Clause
#
# tables.awk - fills @OPTIONS@, @ERRORS@, @DATATYPES@, @OPERATORS@ and @VERSION@ of a man page with the X-macro tables of the
# headers, so that the manual has no list of its own.
#   awk -f tables.awk src/base/conf.h include/fedrdma.h page.in > page

# Collects the rows of a table as text, one row a line.
/^#define (FRD_CONF|FEDRDMA_ERROR|FEDRDMA_DATATYPE|FEDRDMA_OP)_TABLE\(X\)/ { table = $2; sub(/_TABLE.*/, "", table); next }
table != "" {
    last = $0 !~ /\\$/
    sub(/ *\\$/, "")
    row = row $0
    if (row ~ /\)$/) {
        sub(/^ *X\(/, "", row)
        sub(/\)$/, "", row)
        gsub(/" +"/, "", row)
        rows[table] = rows[table] row "\n"
        row = ""
    }
    if (last) table = ""
    next
}
/^#define FEDRDMA_VERSION_(MAJOR|MINOR|PATCH)/ { version = version (version == "" ? "" : ".") $3 }

function roff(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); sub(/^[.']/, "\\\\\\&&", text); return text }

# The i-th field of a row: fields are separated by commas outside quotes; quotes are taken off.
function field(text, i,    n, p, c, quoted, out) {
    n = 1
    for (p = 1; p <= length(text); p++) {
        c = substr(text, p, 1)
        if (c == "\"") quoted = !quoted
        else if (c == "," && !quoted) n++
        else if (n == i && !(c == " " && out == "")) out = out c
    }
    return out
}

function options(text,    value) {
    value = field(text, 3)
    printf ".TP\n.BR FEDRDMA_%s \" (%s%s)\"\n%s\n", toupper(field(text, 2)), tolower(field(text, 1)),
        value == "" ? "" : ", default " roff(value), roff(field(text, 4))
}
function errors(text) {
    printf ".TP\n.BR FEDRDMA_%s \" (%s)\"\n%s\n", field(text, 1), roff(field(text, 2)), roff(field(text, 3))
}
function datatypes(text) {
    printf ".TP\n.B FEDRDMA_%s\n%s, %s byte%s\n", field(text, 1), roff(field(text, 4)), field(text, 3),
        field(text, 3) == 1 ? "" : "s"
}
function operators(text) { printf ".TP\n.B FEDRDMA_%s\n%s\n", field(text, 1), roff(field(text, 3)) }

FILENAME !~ /\.in$/ { next }
/^@[A-Z]+@$/ {
    from["@OPTIONS@"] = "FRD_CONF"
    from["@ERRORS@"] = "FEDRDMA_ERROR"
    from["@DATATYPES@"] = "FEDRDMA_DATATYPE"
    from["@OPERATORS@"] = "FEDRDMA_OP"
    count = split(rows[from[$0]], list, "\n") - 1
    if (count < 1) {
        print "tables.awk: nothing for " $0 > "/dev/stderr"
        exit 1
    }
    for (i = 1; i <= count; i++) {
        if ($0 == "@OPTIONS@") options(list[i])
        else if ($0 == "@ERRORS@") errors(list[i])
        else if ($0 == "@DATATYPES@") datatypes(list[i])
        else operators(list[i])
    }
    next
}
{ gsub(/@VERSION@/, version); print }
