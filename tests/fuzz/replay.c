/* SPDX-License-Identifier: BSD-3-Clause
 * replay.c - a target without libFuzzer: every file of the corpus as it is, then mutations of them for a
 * bounded time: bits flipped, bytes and words put in, pieces repeated, removed, or taken from another file.
 * The seed is printed, and with it and the number of an input that input comes back. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/value.h"
#include "tests/fuzz/fuzz.h"

enum { FILES_MAX = 256, BYTES_MAX = 1 << 16, HANG_S = 20 };

typedef struct input {
    uint8_t *data;
    size_t bytes;
} input;

static input corpus[FILES_MAX];
static size_t files;
static uint64_t seed, number; /* of the input that runs; for the report of a crash */

static const char help[] =
    "Usage: %s [--seconds N] [--seed S] [--only I] FILE...\n"
    "\n"
    "Runs every FILE, then mutations of them for N seconds (5). A crash or hang prints the seed\n"
    "and the number of its input; --seed S --only I runs that one again.\n";

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return n == 0 ? 0 : (size_t)(draw(state) % n);
}

/* Puts `bytes` of `piece` in at `at`, over `over` bytes that were there. */
static void splice(input *in, size_t at, size_t over, const uint8_t *piece, size_t bytes)
{
    if (in->bytes - over + bytes > BYTES_MAX)
        return;
    memmove(in->data + at + bytes, in->data + at + over, in->bytes - at - over);
    memcpy(in->data + at, piece, bytes);
    in->bytes = in->bytes - over + bytes;
}

static void mutate(input *in, uint64_t *state)
{
    static const char *const words[] = {
        ":",   "- ",   "\n",   "  ",    "[",       "]",        "{",        "}",           ",",
        "\"",  "'",    "no",   "yes",   "300M",    "->",       "a",        "b",           "*x",
        "&x ", "!!s",  "# ",   "\t",    "\\0",     "between:", "relay",    "dial_in: no", "|",
        "? ",  "0-9,", "99%%", "1e309", "[::1]:1", "---\n",    "links:\n", "\xc2\x85"
    };
    static uint8_t piece[BYTES_MAX];
    const size_t at = below(state, in->bytes + 1), rest = in->bytes - at;
    const size_t len = below(state, rest < 64 ? rest + 1 : 64);

    switch (below(state, 7)) {
    case 0:
        if (rest > 0)
            in->data[at] ^= (uint8_t)(1u << below(state, 8));
        break;
    case 1:
        piece[0] = (uint8_t)draw(state);
        splice(in, at, 0, piece, 1);
        break;
    case 2:
        splice(in, at, len, piece, 0);
        break;
    case 3: /* again, somewhere else */
        memcpy(piece, in->data + at, len);
        splice(in, below(state, in->bytes + 1), 0, piece, len);
        break;
    case 4: { /* from another */
        const input *other = &corpus[below(state, files)];
        const size_t from = below(state, other->bytes + 1), most = other->bytes - from;
        splice(in, at, len, other->data + from, below(state, most < 200 ? most + 1 : 200));
        break;
    }
    default: {
        const char *word = words[below(state, sizeof words / sizeof words[0])];
        splice(in, at, below(state, 2) == 0 ? 0 : len / 8, (const uint8_t *)word, strlen(word));
    }
    }
}

/* The input of a number depends on the seed and the corpus alone. A copy of its own size, so that a sanitizer
 * sees every byte that is read beyond. */
static void run(uint64_t i)
{
    static uint8_t room[BYTES_MAX];
    input in = { room, 0 };
    uint64_t state = seed ^ (i + 1) * UINT64_C(0xd1342543de82ef95);
    const input *first = &corpus[i < files ? i : below(&state, files)];

    memcpy(room, first->data, first->bytes);
    in.bytes = first->bytes;
    for (size_t k = i < files ? 0 : 1 + below(&state, 6); k > 0; k--)
        mutate(&in, &state);
    uint8_t *own = malloc(in.bytes > 0 ? in.bytes : 1);
    if (own == NULL)
        abort();
    memcpy(own, room, in.bytes);
    number = i;
    alarm(HANG_S);
    LLVMFuzzerTestOneInput(own, in.bytes);
    free(own);
}

/* Tells how to come back here; the signal then does what it does. */
static void report(int sig)
{
    char text[160];
    const int used =
        snprintf(text, sizeof text, "%s with --seed %" PRIu64 " --only %" PRIu64 " and the same files\n",
                 sig == SIGALRM ? "hung" : "died", seed, number);

    (void)!write(STDERR_FILENO, text, (size_t)used);
    signal(sig, SIG_DFL);
    raise(sig == SIGALRM ? SIGABRT : sig);
}

static int load(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(BYTES_MAX);

    if (file == NULL || data == NULL || files == FILES_MAX) {
        fprintf(stderr, "%s: %s\n", path, files == FILES_MAX ? "too many files" : strerror(errno));
        return -1;
    }
    corpus[files].data = data;
    corpus[files++].bytes = fread(data, 1, BYTES_MAX, file);
    return fclose(file);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = { { "seconds", required_argument, NULL, 't' },
                                           { "seed", required_argument, NULL, 's' },
                                           { "only", required_argument, NULL, 'o' },
                                           { "help", no_argument, NULL, 'h' },
                                           { NULL, 0, NULL, 0 } };
    int seconds = 5, c;
    size_t number_arg;
    bool only = false;
    uint64_t runs = 0;

    seed = frd_now_ns();
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h') {
            printf(help, argv[0]);
            return 0;
        }
        const char *wrong = c == 't'   ? frd_value_int(optarg, &seconds)
                            : c == '?' ? "is unknown"
                                       : frd_value_size(optarg, &number_arg);
        if (wrong != NULL) {
            fprintf(stderr, help, argv[0]);
            return 2;
        }
        if (c == 's')
            seed = number_arg;
        if (c == 'o') {
            only = true;
            runs = number_arg;
        }
    }
    for (int i = optind; i < argc; i++)
        if (load(argv[i]) != 0)
            return 1;
    if (files == 0) {
        fprintf(stderr, help, argv[0]);
        return 2;
    }
    signal(SIGABRT, report);
    signal(SIGSEGV, report);
    signal(SIGALRM, report);
    printf("seed %" PRIu64 ", %zu files\n", seed, files);
    fflush(stdout);
    if (only) {
        run(runs);
        return 0;
    }
    for (const uint64_t end = frd_now_ns() + (uint64_t)seconds * FRD_NS_PER_S;
         runs < files || frd_now_ns() < end; runs++)
        run(runs);
    printf("%" PRIu64 " inputs\n", runs);
    return 0;
}
