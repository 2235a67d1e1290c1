/* SPDX-License-Identifier: BSD-3-Clause
 * value.c - strict parsers of option values; integer arithmetic only, every overflow is seen. */
#include "base/value.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

/* Digits at *text to *out, and *text moved behind them. */
static const char *parse_digits(const char **text, uint64_t *out)
{
    uint64_t n = 0;
    const char *at = *text;

    if (*at < '0' || *at > '9')
        return "is not a number";
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
            return "is too large";
    *text = at;
    *out = n;
    return NULL;
}

static const unit *unit_find(const unit *units, const char *name)
{
    for (; units->name != NULL; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

const char *frd_value_int(const char *text, int *out)
{
    const bool negative = *text == '-';
    const char *wrong;
    uint64_t n;

    text += negative ? 1 : 0;
    wrong = parse_digits(&text, &n);
    if (wrong != NULL)
        return wrong;
    if (*text != '\0')
        return "is not a whole number";
    if (n > (uint64_t)INT_MAX)
        return negative ? "is too small" : "is too large";
    *out = negative ? -(int)n : (int)n;
    return NULL;
}

const char *frd_value_size(const char *text, size_t *out)
{
    static const unit units[] = { { "", 1 },        { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 },
                                  { "M", 1 << 20 }, { "g", 1 << 30 }, { "G", 1 << 30 }, { NULL, 0 } };
    const unit *found;
    const char *wrong;
    uint64_t n;

    wrong = parse_digits(&text, &n);
    if (wrong != NULL)
        return wrong;
    found = unit_find(units, text);
    if (found == NULL)
        return "has an unknown unit";
    if (__builtin_mul_overflow(n, found->factor, &n) || n > SIZE_MAX)
        return "is too large";
    *out = (size_t)n;
    return NULL;
}

/* ".25" of a unit of `factor`. Each digit is a tenth of the one before; what is below 1 must be zero. */
static const char *parse_fraction(const char *digits, size_t n, uint64_t factor, uint64_t *out)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t digit = (uint64_t)(digits[i] - '0');

        if (digit != 0 && factor % 10 != 0)
            return "is finer than its unit allows";
        factor /= 10;
        sum += digit * factor;
    }
    *out = sum;
    return NULL;
}

/* A number, maybe with digits behind a point, and a unit of `units`. */
static const char *parse_with_unit(const char *text, const unit *units, uint64_t *out)
{
    const char *wrong, *fraction = "";
    uint64_t n, part = 0;
    size_t digits = 0;
    const unit *found;

    wrong = parse_digits(&text, &n);
    if (wrong != NULL)
        return wrong;
    if (*text == '.') {
        fraction = text + 1;
        digits = strspn(fraction, "0123456789");
        if (digits == 0)
            return "has no digits behind the point";
        text = fraction + digits;
    }
    if (*text == '\0')
        return "has no unit";
    found = unit_find(units, text);
    if (found == NULL)
        return "has an unknown unit";
    wrong = parse_fraction(fraction, digits, found->factor, &part);
    if (wrong != NULL)
        return wrong;
    if (__builtin_mul_overflow(n, found->factor, &n) || __builtin_add_overflow(n, part, &n))
        return "is too large";
    if (n > INT64_MAX) /* so that sums of two can't wrap, as in now + n */
        return "is too large";
    *out = n;
    return NULL;
}

const char *frd_value_time_ns(const char *text, uint64_t *out)
{
    static const unit units[] = { { "ns", 1 },
                                  { "us", 1000 },
                                  { "ms", 1000000 },
                                  { "s", 1000000000 },
                                  { "m", UINT64_C(60) * 1000000000 },
                                  { "h", UINT64_C(3600) * 1000000000 },
                                  { NULL, 0 } };

    return parse_with_unit(text, units, out);
}

/* A byte rate, "30MB/s", is told apart from other mistakes: it is off by 8. */
const char *frd_value_rate_bps(const char *text, uint64_t *out)
{
    static const unit units[] = { { "bit/s", 1 },
                                  { "k", 1000 },
                                  { "K", 1000 },
                                  { "kbit/s", 1000 },
                                  { "M", 1000000 },
                                  { "Mbit/s", 1000000 },
                                  { "G", 1000000000 },
                                  { "Gbit/s", 1000000000 },
                                  { "T", UINT64_C(1000000000000) },
                                  { "Tbit/s", UINT64_C(1000000000000) },
                                  { NULL, 0 } };
    const size_t len = strlen(text);

    if (len > 0 && (text[len - 1] == 'B' || (len > 3 && strcmp(text + len - 3, "B/s") == 0)))
        return "is in bytes, not bits";
    return parse_with_unit(text, units, out);
}

const char *frd_value_percent_ppm(const char *text, uint32_t *out)
{
    static const unit units[] = { { "%", 10000 }, { NULL, 0 } };
    uint64_t ppm;
    const char *wrong = parse_with_unit(text, units, &ppm);

    if (wrong == NULL && ppm > 1000000)
        wrong = "is more than all";
    if (wrong == NULL)
        *out = (uint32_t)ppm;
    return wrong;
}

const char *frd_value_bool(const char *text, bool *out)
{
    static const char *const words[][2] = {
        { "0", "1" }, { "no", "yes" }, { "off", "on" }, { "false", "true" }
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int value = 0; value < 2; value++)
            if (strcmp(text, words[i][value]) == 0) {
                *out = value != 0;
                return NULL;
            }
    return "is neither yes nor no";
}
