/* SPDX-License-Identifier: BSD-3-Clause
 * wire.c - takes datagrams apart. Reads nothing outside of the bytes given, and passes on only frames whose
 * lengths and fields make sense by themselves; whether they make sense now is asked by who uses them. */
#include "wan/wire.h"

#include <string.h>

bool frd_wan_parse(const void *datagram, size_t bytes, frd_wan_parsed *parsed)
{
    const unsigned char *const at = datagram;
    size_t head_bytes;

    if (bytes < sizeof(frd_wan_head))
        return false;
    memcpy(&parsed->head, at, sizeof(parsed->head));
    parsed->kind = parsed->head.kind & 15;
    parsed->hops = parsed->head.hops & 15;
    parsed->place = parsed->head.hops >> 4;
    if (parsed->head.kind >> 4 != FRD_WAN_VERSION || parsed->head.zero != 0 || parsed->hops > FRD_WAN_HOPS ||
        parsed->place > parsed->hops || parsed->head.from == parsed->head.to)
        return false;
    if (parsed->kind != FRD_WAN_DATA && parsed->kind != FRD_WAN_HELLO)
        return false;
    head_bytes = frd_wan_head_bytes(parsed->hops);
    if (bytes < head_bytes)
        return false;
    memset(&parsed->via, 0xff, sizeof(parsed->via));
    if (parsed->hops > 0)
        memcpy(&parsed->via, at + sizeof(frd_wan_head), sizeof(parsed->via));
    for (unsigned i = 0; i < 4; i++) {
        const uint16_t rank = parsed->via.rank[i];

        if (i < parsed->hops ? rank == parsed->head.from || rank == parsed->head.to : rank != 0xffff)
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

static int next_chunk(const unsigned char **at, const unsigned char *end, frd_wan_frame *frame)
{
    frd_wan_wire_chunk *const chunk = &frame->chunk;
    const bool opens = take(at, end, chunk, sizeof(*chunk)) > 0 && (chunk->flags & FRD_WAN_CHUNK_OPEN) != 0;
    const bool control = (chunk->flags & FRD_WAN_CHUNK_CONTROL) != 0;

    if (frame->chunk.type != FRD_WAN_CHUNK)
        return -1;
    if ((chunk->flags & ~(FRD_WAN_CHUNK_OPEN | FRD_WAN_CHUNK_CONTROL)) != 0 ||
        (opens && chunk->offset != 0) || chunk->offset > UINT64_MAX / 2)
        return -1;
    if (opens) {
        if (take(at, end, &frame->open, sizeof(frame->open)) < 0)
            return -1;
        if (frame->open.len > UINT64_MAX / 2 || chunk->bytes > frame->open.len || frame->open.tag.zero != 0)
            return -1;
        if (control != (frame->open.tag.comm == FRD_TAG_CONTROL) ||
            (control && frame->open.len > FRD_CONTROL_MAX))
            return -1;
    } else if (chunk->bytes == 0) {
        return -1;
    }
    if ((size_t)(end - *at) < chunk->bytes)
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

    if (*at == end)
        return 0;
    if (**at < FRD_WAN_ACK || **at > FRD_WAN_BYE)
        return -1;
    frame->type = **at;
    frame->chunk.type = 0;
    return next[frame->type](at, end, frame);
}
