/* SPDX-License-Identifier: BSD-3-Clause
 * fuzz_wan.c - hostile datagrams. LLVMFuzzerTestOneInput feeds one input to the decoder and to a node, sealed
 * as if the peer had sent it, so that the frames behind the seal are reached. As a program of its own (no
 * libFuzzer) it makes inputs from real datagrams by seeded mutation: fuzz_wan [ROUNDS [SEED]], or replays the
 * files that it is given.
 *
 * With clang: clang -DFRD_LIBFUZZER -fsanitize=fuzzer,address ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wan/core.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes);

enum { PEER = 1, LONGEST = 3000 };

static frd_wan_in *offered[64];
static size_t offers;

static void on_offered(void *arg, int peer, const frd_tag *tag, uint64_t len, frd_wan_in *in)
{
    (void)arg, (void)peer, (void)tag, (void)len;
    if (offers < 64)
        offered[offers++] = in;
}

static void on_control(void *arg, int peer, const frd_tag *tag, const void *data, size_t len)
{
    unsigned sum = 0;

    (void)arg, (void)peer, (void)tag;
    for (size_t i = 0; i < len; i++)
        sum += ((const unsigned char *)data)[i];
    if (sum == UINT32_MAX)
        abort(); /* all of it was read */
}

static void on_end(void *arg, void *user, int rc)
{
    (void)arg, (void)user, (void)rc;
}

static void on_left(void *arg, int peer)
{
    (void)arg, (void)peer;
}

static void on_lost(void *arg, int peer, const char *why)
{
    (void)arg, (void)peer;
    if (why[0] == '\0')
        abort();
}

static frd_wan_node *make(int rank)
{
    const frd_wan_params params = {
        .rank = rank,
        .size = 4,
        .epoch = 100 + (uint64_t)rank,
        .heartbeat_ns = 500 * FRD_NS_PER_MS,
        .early_bytes = 100000,
        .copy_most = 8192,
        .copy_bytes = 1 << 18,
        .start_bytes = 1 << 18,
        .inflight_most = 1 << 20,
        .datagram_bytes = 1200,
        .datagram_most = 1472,
        .relay = true,
    };
    const frd_wan_user user = { .offered = on_offered,
                                .control = on_control,
                                .sent = on_end,
                                .received = on_end,
                                .left = on_left,
                                .lost = on_lost };
    const frd_wan_addr addr = { .len = 4, .bytes = { 1, 2, 3, 4 } };
    frd_wan_node *node;

    if (frd_wan_node_new(&params, &user, &node) != FEDRDMA_OK)
        abort();
    for (int i = 0; i < 4; i++) {
        if (i != rank && frd_wan_node_peer(node, i, 100 + (uint64_t)i, &addr, 1) != FEDRDMA_OK)
            abort();
    }
    return node;
}

static void drain(frd_wan_node *node, uint64_t now_ns)
{
    static unsigned char room[FRD_WAN_DATAGRAM_MAX];
    frd_wan_batch batch = { .data = room, .room = sizeof(room), .most = 1 };

    for (int i = 0; i < 100 && frd_wan_node_pull(node, now_ns, &batch); i++)
        continue;
}

/* The input is a sequence of (length, datagram); with the seal made right where there is room for one. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t bytes)
{
    static unsigned char buf[4096];
    const frd_wan_addr from = { .len = 4, .bytes = { 9, 9, 9, 9 } };
    frd_wan_node *const node = make(0);
    uint64_t now_ns = FRD_NS_PER_S;
    unsigned char datagram[LONGEST], out[1000] = { 0 };
    frd_wan_message message = { .tag = { .comm = 1 }, .buf = out, .len = sizeof(out), .user = out };
    frd_wan_out *sent;

    offers = 0;
    (void)frd_wan_send(node, PEER, now_ns, &message, &sent);
    while (bytes >= 2) {
        const size_t wanted = (size_t)(data[0] | data[1] << 8) % LONGEST,
                     len = wanted < bytes - 2 ? wanted : bytes - 2;
        frd_wan_parsed parsed;

        memcpy(datagram, data + 2, len);
        data += 2 + len;
        bytes -= 2 + len;
        if (len > sizeof(frd_wan_head) &&
            (len & 7) != 0) { /* seven of eight as the peer would have sealed them */
            const frd_wan_session *const s = node->session[PEER];
            frd_wan_head head;

            memcpy(&head, datagram, sizeof(head));
            head.kind = (uint8_t)(FRD_WAN_VERSION << 4 | FRD_WAN_DATA);
            head.from = PEER;
            head.way &= (len & 8) != 0 ? FRD_WAN_FLAGS : 0x50 | FRD_WAN_FLAGS;
            head.session = s->id;
            memcpy(datagram, &head, sizeof(head));
            if (frd_wan_parse(datagram, len, &parsed) && parsed.body_bytes >= 4)
                s->seal.ops->seal(&s->seal, frd_wan_widen(head.number, s->route[0]->rel.got_largest),
                                  datagram, (size_t)(parsed.body - datagram), parsed.body_bytes - 4);
        }
        frd_wan_node_input(node, now_ns, &from, datagram, len);
        drain(node, now_ns);
        if (offers > 0 && (len & 3) == 0) {
            frd_wan_in *const in = offered[--offers];
            frd_wan_early *early = NULL;
            int rc;

            if (in->len > sizeof(buf) || (len & 4) != 0)
                frd_wan_refuse(node, now_ns, in);
            else
                (void)frd_wan_accept(node, now_ns, in, buf, buf, &early, &rc);
            while (early != NULL) {
                frd_wan_early_move(early, buf);
                (void)frd_wan_accept(node, now_ns, in, buf, buf, &early, &rc);
            }
        }
        now_ns += (uint64_t)len * 100000;
    }
    frd_wan_node_free(node);
    return 0;
}

#ifndef FRD_LIBFUZZER

static uint64_t draw(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A frame that is right, or nearly. */
static size_t put_frame(uint64_t *random, unsigned char *at)
{
    const uint64_t r = draw(random);
    const frd_wan_wire_note note = { .type = (uint8_t)(FRD_WAN_VERDICT + r % 4),
                                     .verdict = (uint8_t)(r >> 8 & 3) % 3,
                                     .id = (uint32_t)(r >> 16 & 7) };
    const frd_wan_wire_ack ack = { .type = FRD_WAN_ACK, .ranges = 1, .delay_16us = (uint16_t)(r >> 20) };
    const frd_wan_range range = { (uint32_t)(r >> 30 & 3), (uint32_t)(r >> 32 & 7) };
    static const uint64_t offset[] = { 1 << 24, UINT64_C(1) << 32, UINT64_MAX / 2, UINT64_MAX };
    frd_wan_chunk chunk = { .bytes = (uint16_t)(r >> 24 & 255), .id = (uint32_t)(r >> 40 & 15) };
    const frd_wan_wire_open open = { .tag = { .comm = (r & 512) != 0 ? FRD_TAG_CONTROL : r & 3,
                                              .idx = (uint32_t)(r >> 50) },
                                     .len = (r >> 44 & 1023) };

    if (r % 7 == 0) {
        memcpy(at, &note, sizeof(note));
        return sizeof(note);
    }
    if (r % 7 == 1) {
        memcpy(at, &ack, sizeof(ack));
        memcpy(at + sizeof(ack), &range, sizeof(range));
        return sizeof(ack) + sizeof(range);
    }
    if (r % 2 == 0)
        chunk.offset = (r >> 58) < 4 ? offset[r >> 58] - (r >> 56 & 3) : r >> 48 & 1023;
    return frd_wan_write_chunk(at, &chunk, r % 2 == 1 ? &open : NULL, r % 5 == 0) + chunk.bytes;
}

static size_t make_input(uint64_t *random, unsigned char *at)
{
    size_t bytes = 0;

    for (unsigned n = 1 + (unsigned)(draw(random) % 8); n > 0; n--) {
        unsigned char *const start = at + bytes;
        size_t len = sizeof(frd_wan_head);

        memset(start, 0, 2 + LONGEST);
        start[2 + offsetof(frd_wan_head, number)] = (unsigned char)(draw(random) % 20); /* the number */
        for (unsigned k = (unsigned)(draw(random) % 5); k > 0; k--)
            len += put_frame(random, start + 2 + len);
        len += 4;
        for (unsigned k = draw(random) % 3 == 0 ? 1 + (unsigned)(draw(random) % 6) : 0; k > 0; k--)
            start[2 + draw(random) % len] = (unsigned char)draw(random);
        if (draw(random) % 8 == 0)
            len = draw(random) % len;
        start[0] = (unsigned char)len;
        start[1] = (unsigned char)(len >> 8);
        bytes += 2 + len;
    }
    return bytes;
}

static int replay(const char *path)
{
    static unsigned char input[1 << 16];
    FILE *const file = fopen(path, "rb");
    size_t bytes;

    if (file == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    bytes = fread(input, 1, sizeof(input), file);
    fclose(file);
    return LLVMFuzzerTestOneInput(input, bytes);
}

int main(int argc, char **argv)
{
    static unsigned char input[8 * (LONGEST + 2) + LONGEST];
    char *end = NULL;
    const unsigned long rounds = argc > 1 ? strtoul(argv[1], &end, 10) : 100000;
    const unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

    if (end != NULL && *end != '\0') {
        for (int i = 1; i < argc; i++) {
            if (replay(argv[i]) != 0)
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
    }
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t random = seed * 1000003 + i;

        (void)LLVMFuzzerTestOneInput(input, make_input(&random, input));
    }
    printf("%lu inputs of seed %lu\n", rounds, seed);
    return EXIT_SUCCESS;
}

#endif
