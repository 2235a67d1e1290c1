/* SPDX-License-Identifier: BSD-3-Clause
 * wire.c - takes datagrams apart. Reads nothing outside of the bytes given, and passes on only frames whose
 * lengths and fields make sense by themselves; whether they make sense now is asked by who uses them. */
#include "wan/wire.h"

#include <string.h>

bool frd_wan_parse(const void *datagram, size_t bytes, frd_wan_parsed *parsed)
{
    const unsigned char *const at = datagram;
    frd_wan_hops list;
    size_t head_bytes;

    if (bytes < sizeof(frd_wan_head))
        return false;
    memcpy(&parsed->head, at, sizeof(parsed->head));
    parsed->kind = parsed->head.kind & 15;
    parsed->hops = parsed->head.way >> 4 & 3;
    parsed->place = parsed->head.way >> 6;
    parsed->to = -1;
    if (parsed->head.kind >> 4 != FRD_WAN_VERSION || (parsed->head.way & 15 & ~FRD_WAN_FLAGS) != 0 ||
        parsed->place > parsed->hops)
        return false;
    if (parsed->kind != FRD_WAN_DATA && parsed->kind != FRD_WAN_HELLO)
        return false;
    head_bytes = frd_wan_head_bytes(parsed->hops);
    if (bytes < head_bytes)
        return false;
    memset(&parsed->via, 0xff, sizeof(parsed->via));
    if (parsed->hops > 0) {
        memcpy(&list, at + sizeof(frd_wan_head), sizeof(list));
        memcpy(&parsed->via, list.rank, sizeof(list.rank));
        parsed->to = list.to;
        if (list.to == parsed->head.from)
            return false;
    }
    for (unsigned i = 0; parsed->hops > 0 && i < FRD_WAN_HOPS; i++) {
        const uint16_t rank = list.rank[i];

        if (i < parsed->hops ? rank == parsed->head.from || rank == list.to : rank != 0xffff)
            return false;
    }
    parsed->body = at + head_bytes;
    parsed->body_bytes = bytes - head_bytes;
    return true;
}

static int take(const unsigned char **at, const unsigned char *end, void *out, size_t bytes)
{
    if ((size_t)(end - *at) < bytes)
        return -1;
    memcpy(out, *at, bytes);
    *at += bytes;
    return 1;
}

static int next_ack(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame)
{
    frd_wan_range *const range = frame->range;

    if (take(at, end, &frame->ack, sizeof(frame->ack)) < 0)
        return -1;
    if (frame->ack.ranges == 0 || frame->ack.ranges > FRD_WAN_ACK_RANGES)
        return -1;
    if (take(at, end, range, frame->ack.ranges * sizeof(*range)) < 0)
        return -1;
    for (unsigned i = 0; i < frame->ack.ranges; i++) {
        if ((int32_t)(range[i].last - range[i].first) < 0)
            return -1;
        if (i > 0 && (int32_t)(range[i - 1].first - range[i].last) < 2)
            return -1;
    }
    return 1;
}

/* ---- chunks ---- */

static const unsigned char offset_width[4] = { 0, 3, 4, 8 };

static unsigned width_of(uint64_t offset)
{
    return offset == 0 ? 0 : offset >> 24 == 0 ? 1 : offset >> 32 == 0 ? 2 : 3;
}

/* Least significant byte first. */
static void put(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

enum { CHUNK_LEAST = 5, CHUNK_MOST = CHUNK_LEAST + 2 + 8 }; /* without the opening */

size_t frd_wan_chunk_bytes(uint64_t offset, bool opens, bool last)
{
    return CHUNK_LEAST + (last ? 0 : sizeof(uint16_t)) + offset_width[width_of(offset)] +
           (opens ? sizeof(frd_wan_wire_open) : 0);
}

size_t frd_wan_write_chunk(unsigned char *at, const frd_wan_chunk *chunk, const frd_wan_wire_open *open,
                           bool last)
{
    const unsigned width = width_of(chunk->offset);
    size_t bytes = CHUNK_LEAST;

    at[0] = (unsigned char)(FRD_WAN_CHUNK | width << FRD_WAN_CHUNK_WIDTH |
                            (unsigned)(open != NULL ? FRD_WAN_CHUNK_OPEN : 0) |
                            (unsigned)(last ? FRD_WAN_CHUNK_LAST : 0));
    put(at + 1, chunk->id, 4);
    if (!last) {
        put(at + bytes, chunk->bytes, 2);
        bytes += 2;
    }
    put(at + bytes, chunk->offset, offset_width[width]);
    bytes += offset_width[width];
    if (open != NULL) {
        memcpy(at + bytes, open, sizeof(*open));
        bytes += sizeof(*open);
    }
    return bytes;
}

static bool sensible_open(const frd_wan_wire_open *open)
{
    return open->len <= UINT64_MAX / 2 && open->tag.zero == 0 &&
           (open->tag.comm != FRD_TAG_CONTROL || open->len <= FRD_CONTROL_MAX);
}

static int next_chunk(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame)
{
    frd_wan_chunk *const chunk = &frame->chunk;
    unsigned char head[CHUNK_MOST];
    const unsigned flags = **at, width = flags >> FRD_WAN_CHUNK_WIDTH & 3, offset_bytes = offset_width[width];
    const bool last = (flags & FRD_WAN_CHUNK_LAST) != 0;
    const unsigned len_bytes = last ? 0 : sizeof(uint16_t);
    size_t left;

    if (take(at, end, head, CHUNK_LEAST + len_bytes + offset_bytes) < 0)
        return -1;
    chunk->opens = (flags & FRD_WAN_CHUNK_OPEN) != 0;
    chunk->id = (uint32_t)get(head + 1, 4);
    chunk->offset = get(head + CHUNK_LEAST + len_bytes, offset_bytes);
    if (width_of(chunk->offset) != width || (chunk->opens && width != 0) || chunk->offset > UINT64_MAX / 2)
        return -1;
    if (chunk->opens &&
        (take(at, end, &frame->open, sizeof(frame->open)) < 0 || !sensible_open(&frame->open)))
        return -1;
    left = (size_t)(end - *at);
    chunk->bytes = (uint16_t)(last ? left : get(head + CHUNK_LEAST, 2));
    if (chunk->bytes > left || (last && left > UINT16_MAX) ||
        (chunk->opens ? chunk->bytes > frame->open.len : chunk->bytes == 0))
        return -1;
    frame->data = *at;
    *at += chunk->bytes;
    return 1;
}

static int next_note(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame)
{
    frd_wan_wire_note *const note = &frame->note;

    if (take(at, end, note, sizeof(*note)) < 0 || (size_t)(end - *at) < note->padding)
        return -1;
    if (note->type == FRD_WAN_VERDICT ? note->verdict != FRD_WAN_ACCEPT && note->verdict != FRD_WAN_REFUSE
                                      : note->verdict != 0)
        return -1;
    if (note->padding > 0 && note->type != FRD_WAN_PING)
        return -1;
    *at += note->padding;
    return 1;
}

int frd_wan_next_frame(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame)
{
    static int (*const next[])(const unsigned char **, const unsigned char *, frd_wan_frame *) = {
        [FRD_WAN_ACK] = next_ack,    [FRD_WAN_CHUNK] = next_chunk, [FRD_WAN_VERDICT] = next_note,
        [FRD_WAN_RESET] = next_note, [FRD_WAN_PING] = next_note,   [FRD_WAN_BYE] = next_note,
    };

    unsigned type;

    if (*at == end)
        return 0;
    type = **at & 15;
    if (type < FRD_WAN_ACK || type > FRD_WAN_BYE || (type != FRD_WAN_CHUNK && type != **at))
        return -1;
    frame->type = (enum frd_wan_type)type;
    return next[type](at, end, frame);
}
