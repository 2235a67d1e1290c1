/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_value.c - strict: the whole text must be the value, finite and in its range. */
#include "tests/wan/wanem_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"

static const double RATE_MAX_BPS = 1e12, TIME_MAX_NS = 3600e9;

/* A number that is not negative, and where it ended; false if there is none. */
static bool number(const char *text, double *value, const char **end)
{
    char *after;

    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;
    *value = strtod(text, &after);
    *end = after;
    return after != text && isfinite(*value);
}

const char *wanem_value_rate(const char *text, double *bps)
{
    static const char wrong[] = "should be bits per second such as 300M or 1.5G, or none";
    const char *unit;
    double rate;

    if (strcmp(text, "none") == 0) {
        *bps = 0;
        return NULL;
    }
    if (!number(text, &rate, &unit))
        return wrong;
    switch (*unit) {
    case 'k':
    case 'K':
        rate *= 1e3;
        break;
    case 'm':
    case 'M':
        rate *= 1e6;
        break;
    case 'g':
    case 'G':
        rate *= 1e9;
        break;
    case '\0':
        unit--;
        break;
    default:
        return wrong;
    }
    if (unit[1] != '\0' || rate < 1 || rate > RATE_MAX_BPS)
        return wrong;
    *bps = rate;
    return NULL;
}

const char *wanem_value_time(const char *text, double *time_ns)
{
    uint64_t ns;

    if (frd_value_time_ns(text, &ns) != NULL || (double)ns > TIME_MAX_NS)
        return "should be a time up to an hour, such as 20ms or 1.5s";
    *time_ns = (double)ns;
    return NULL;
}

const char *wanem_value_share(const char *text, double *share)
{
    const char *unit;
    double value;

    if (!number(text, &value, &unit) || (*unit != '\0' && strcmp(unit, "%") != 0))
        return "should be a share such as 0.1% or 0.001";
    if (*unit == '%')
        value /= 100;
    if (value > 1)
        return "is more than all: should be a share such as 0.1% or 0.001";
    *share = value;
    return NULL;
}

const char *wanem_value_queue(const char *text, wanem_shaper *s)
{
    const char *unit;
    double value;
    size_t bytes;
    uint64_t ns;

    if (number(text, &value, &unit) && strcmp(unit, "bdp") == 0 && value <= 1000) {
        s->queue = value;
        s->queue_unit = WANEM_QUEUE_BDP;
    } else if (frd_value_time_ns(text, &ns) == NULL && (double)ns <= TIME_MAX_NS) {
        s->queue = (double)ns;
        s->queue_unit = WANEM_QUEUE_TIME;
    } else if (frd_value_size(text, &bytes) == NULL) {
        s->queue = (double)bytes;
        s->queue_unit = WANEM_QUEUE_BYTES;
    } else {
        return "should be 1bdp (rate times round trip), a time such as 50ms, or bytes such as 256k";
    }
    return NULL;
}

const char *wanem_value_gilbert(const char *text, wanem_gilbert *gilbert)
{
    double share[4] = { 0, 0, 1, 0 };
    char copy[128], *rest = copy, *part;
    int n = 0;

    if (strcmp(text, "none") == 0) {
        *gilbert = (wanem_gilbert){ 0 };
        return NULL;
    }
    if (strlen(text) >= sizeof copy)
        return "is too long";
    strcpy(copy, text);
    while ((part = strsep(&rest, ":")) != NULL)
        if (n == 4 || wanem_value_share(part, &share[n++]) != NULL)
            return "should be TO_BAD:TO_GOOD[:LOSS_BAD[:LOSS_GOOD]] in shares, such as 0.1%:10%";
    if (n < 2)
        return "lacks the way back: should be TO_BAD:TO_GOOD[:LOSS_BAD[:LOSS_GOOD]], such as 0.1%:10%";
    *gilbert = (wanem_gilbert){
        .on = true, .to_bad = share[0], .to_good = share[1], .loss_bad = share[2], .loss_good = share[3]
    };
    return NULL;
}

const char *wanem_value_checksum(const char *text, wanem_checksum *checksum)
{
    static const char *const names[] = { "auto", "mended", "broken" };

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *checksum = (wanem_checksum)i;
            return NULL;
        }
    }
    return "should be auto (UDP mended, TCP broken), mended or broken";
}
