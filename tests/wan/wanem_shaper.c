/* SPDX-License-Identifier: BSD-3-Clause
 * wanem_shaper.c - rate and drop-tail queue in arithmetic: what is queued is what the line has still to send.
 */
#include "tests/wan/wanem_shaper.h"

enum { QUEUE_BYTES_MIN = 3000, BURST_NS = 1000000 };

void wanem_shaper_fit(wanem_shaper *s, double rtt_ns)
{
    const double bytes_per_ns = s->rate_bps / 8e9;

    if (s->queue_unit == WANEM_QUEUE_BYTES)
        s->queue_bytes = s->queue;
    else
        s->queue_bytes = s->queue * bytes_per_ns * (s->queue_unit == WANEM_QUEUE_BDP ? rtt_ns : 1);
    if (s->queue_bytes < QUEUE_BYTES_MIN)
        s->queue_bytes = QUEUE_BYTES_MIN;
}

uint32_t wanem_shaper_take(wanem_shaper *s, const wanem_packet *p, uint32_t first, uint32_t count,
                           int64_t *time_ns)
{
    const double ns_per_byte = s->rate_bps > 0 ? 8e9 / s->rate_bps : 0;
    const int64_t waiting_ns = s->busy_until_ns > *time_ns ? s->busy_until_ns - *time_ns : 0;
    uint32_t taken = count, bytes = wanem_packet_wire_bytes(p, first, count);

    if (s->rate_bps > 0) {
        const double room = s->queue_bytes - (double)waiting_ns / ns_per_byte;

        while (taken > 0 && bytes > room && !(waiting_ns == 0 && taken == 1))
            bytes = wanem_packet_wire_bytes(p, first, --taken);
        s->dropped += count - taken;
        if (taken == 0)
            return 0;
        s->busy_until_ns = *time_ns + waiting_ns + (int64_t)((double)bytes * ns_per_byte);
        *time_ns = s->busy_until_ns;
        wanem_times_add(&s->waiting, waiting_ns, taken);
    }
    s->packets += taken;
    s->bytes += bytes;
    return taken;
}

uint32_t wanem_shaper_burst(const wanem_shaper *s, const wanem_packet *p)
{
    double segments;

    if (s->rate_bps <= 0 || p->segments == 1)
        return p->segments;
    segments = BURST_NS * s->rate_bps / 8e9 / (p->segment_bytes + p->header_bytes);
    if (segments >= p->segments)
        return p->segments;
    return segments < 1 ? 1 : (uint32_t)segments;
}
