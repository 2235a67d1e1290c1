/* SPDX-License-Identifier: BSD-3-Clause
 * stat.c - names, meanings and values of the counters, all from FRD_STAT_TABLE. */
#include "base/stat.h"

#include <assert.h>
#include <string.h>

#define ROW(field, name, text) { name, text, offsetof(frd_stat, field) },
static const struct {
    const char *name, *text;
    size_t offset;
} rows[] = { FRD_STAT_TABLE(ROW) };
#undef ROW

size_t frd_stat_count(void)
{
    return sizeof rows / sizeof rows[0];
}

const char *frd_stat_name(size_t index)
{
    assert(index < frd_stat_count());
    return rows[index].name;
}

const char *frd_stat_text(size_t index)
{
    assert(index < frd_stat_count());
    return rows[index].text;
}

uint64_t frd_stat_value(const frd_stat *stat, size_t index)
{
    uint64_t value;

    assert(index < frd_stat_count());
    memcpy(&value, (const char *)stat + rows[index].offset, sizeof value);
    return value;
}
