/* SPDX-License-Identifier: BSD-3-Clause
 * boot.c - a rank's way into the job: knocks at the rendezvous until it opens or the deadline passes, then
 * gathers through it. Every wait has a deadline, and every way to fail has a story of its own. */
#include "boot/boot.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "boot/address.h"
#include "boot/io.h"
#include "boot/store.h"

#define TROUBLE_MAX 128
#define MARGIN_MAX_NS (FRD_NS_PER_S / 2) /* round trip for the store's story, also between continents */

struct frd_boot {
    int rank, size;
    uint64_t timeout_ns;
    fedrdma_oob_allgather_fn *oob;
    void *oob_arg;
    frd_store *store; /* rank 0's; NULL otherwise */
    int fd;           /* -1: none needed */
    uint64_t round;
    frd_address at;
};

/* One try to get in. */
typedef struct attempt {
    uint64_t deadline_ns;
    bool hung_up;              /* something accepted a connection and closed it */
    char trouble[TROUBLE_MAX]; /* why the last one failed */
} attempt;

/* How long the store may take to answer us: it must be able to tell why not before we give up. */
static uint64_t patience(uint64_t deadline_ns)
{
    const uint64_t now = frd_now_ns();
    const uint64_t left = now < deadline_ns ? deadline_ns - now : 0;
    const uint64_t margin = left / 4 < MARGIN_MAX_NS ? left / 4 : MARGIN_MAX_NS;

    return left - margin;
}

/* ---- answers of the store ---- */

static bool is_error(int code)
{
#define ROW(name, value, text) value,
    static const int codes[] = { FEDRDMA_ERROR_TABLE(ROW) };
#undef ROW

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return code < 0;
    return false;
}

static int garbage(const frd_boot *boot, frd_story *story)
{
    return frd_fail(story, FEDRDMA_ERR_PROTOCOL,
                    "what listens at %s is no rendezvous of libfedrdma; set FEDRDMA_RENDEZVOUS to a port "
                    "that no other service uses",
                    boot->at.text);
}

/* A FAIL's story becomes ours. It came over the network: control characters go no further. */
static int told(const frd_boot *boot, const frd_wire_header *header, uint64_t deadline_ns, frd_story *story)
{
    char text[FRD_WIRE_TEXT_MAX + 1];

    if (header->bytes > FRD_WIRE_TEXT_MAX || !is_error(header->code) ||
        frd_io_recv(boot->fd, text, (size_t)header->bytes, deadline_ns) != FRD_IO_OK)
        return garbage(boot, story);
    text[header->bytes] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return frd_fail(story, header->code, "%s", text);
}

/* A whole header came; anything but `type` is an error. */
static int judge(const frd_boot *boot, enum frd_wire_type type, const frd_wire_header *header,
                 uint64_t deadline_ns, frd_story *story)
{
    if (header->type == FRD_WIRE_FAIL)
        return told(boot, header, deadline_ns, story);
    if (header->version != FRD_WIRE_VERSION)
        return frd_fail(story, FEDRDMA_ERR_REFUSED,
                        "the rendezvous at %s speaks version %u of the protocol, this rank version %d; "
                        "install the same libfedrdma everywhere",
                        boot->at.text, header->version, FRD_WIRE_VERSION);
    return header->type == type ? FEDRDMA_OK : garbage(boot, story);
}

/* The connection didn't give what it should have. */
static int broken(const frd_boot *boot, frd_io io, frd_story *story)
{
    switch (io) {
    case FRD_IO_GARBAGE:
        return garbage(boot, story);
    case FRD_IO_LATE:
        return frd_fail(story, FEDRDMA_ERR_TIMEOUT,
                        "the rendezvous at %s has stopped answering; see whether rank 0 (or the launcher) "
                        "still runs and is reachable",
                        boot->at.text);
    case FRD_IO_CLOSED:
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "the rendezvous at %s went away during start-up: rank 0 (or the launcher) ended; "
                        "its output tells why",
                        boot->at.text);
    default:
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE, "the connection to the rendezvous at %s broke: %s",
                        boot->at.text, strerror(errno));
    }
}

static int expect(const frd_boot *boot, enum frd_wire_type type, uint64_t deadline_ns,
                  frd_wire_header *header, frd_story *story)
{
    const frd_io io = frd_io_recv_header(boot->fd, header, deadline_ns);

    return io == FRD_IO_OK ? judge(boot, type, header, deadline_ns, story) : broken(boot, io, story);
}

/* ---- knocking ---- */

enum { ENTERED = FEDRDMA_OK, AGAIN = 1 }; /* or a negative error */

static frd_io say_hello(const frd_boot *boot, const char *job, uint64_t deadline_ns)
{
    struct {
        frd_wire_header header;
        frd_wire_hello hello;
    } out = { .header = frd_wire_make(FRD_WIRE_HELLO, sizeof out.hello) };

    out.header.wait_ns = patience(deadline_ns);
    out.header = frd_wire_swap(out.header);
    out.hello.rank = boot->rank;
    out.hello.size = boot->size;
    out.hello.pid = (int32_t)getpid();
    out.hello = frd_wire_swap_hello(out.hello);
    memcpy(out.hello.job, job, strlen(job));
    return frd_io_send(boot->fd, &out, sizeof out, deadline_ns);
}

/* Connected: is it our rendezvous? Who hangs up without a word may be one that is just closing. */
static int introduce(const frd_boot *boot, const char *job, attempt *try, frd_story *story)
{
    frd_wire_header header;
    frd_io io;

    io = say_hello(boot, job, try->deadline_ns);
    if (io == FRD_IO_OK || io == FRD_IO_CLOSED) /* closed for us, it may still have told why */
        io = frd_io_recv_header(boot->fd, &header, try->deadline_ns);
    switch (io) {
    case FRD_IO_OK:
        return judge(boot, FRD_WIRE_ACCEPTED, &header, try->deadline_ns, story);
    case FRD_IO_GARBAGE:
        return garbage(boot, story);
    case FRD_IO_LATE:
        if (try->hung_up) /* so far; the deadline came between two of its hang-ups */
            return AGAIN;
        return frd_fail(story, FEDRDMA_ERR_PROTOCOL,
                        "what listens at %s accepts connections but never answers: it is no rendezvous of "
                        "libfedrdma, or its process is stopped; check FEDRDMA_RENDEZVOUS",
                        boot->at.text);
    default:
        try->hung_up = true;
        snprintf(try->trouble, sizeof try->trouble, "it hangs up without an answer");
        return AGAIN;
    }
}

/* One round over the addresses of the host. */
static int knock(frd_boot *boot, const char *job, const struct addrinfo *list, attempt *try, frd_story *story)
{
    int left = 0;

    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next, left--) {
        const uint64_t now = frd_now_ns();
        /* An address that swallows packets must leave time for the next one. */
        const uint64_t until =
            now >= try->deadline_ns ? now : now + (try->deadline_ns - now) / (uint64_t)left;
        const frd_io io = frd_io_connect(a, until, &boot->fd);
        int rc;

        if (io == FRD_IO_OK) {
            rc = introduce(boot, job, try, story);
            if (rc == ENTERED)
                return rc;
            close(boot->fd);
            boot->fd = -1;
            if (rc < 0)
                return rc;
        } else if (io == FRD_IO_LATE) {
            snprintf(try->trouble, sizeof try->trouble, "no answer to a connection attempt");
        } else if (errno == EMFILE || errno == ENFILE) {
            return frd_fail(story, FEDRDMA_ERR_SYSTEM, "no socket for the rendezvous: %s; raise `ulimit -n`",
                            strerror(errno));
        } else {
            try->hung_up = false; /* whoever it was has gone */
            snprintf(try->trouble, sizeof try->trouble, "%s", strerror(errno));
        }
    }
    return AGAIN;
}

/* Looks the host up and knocks. The look-up has the resolver's own time limit, not ours. */
static int look_up_and_knock(frd_boot *boot, const char *job, attempt *try, frd_story *story)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    char port[8];
    int rc;

    snprintf(port, sizeof port, "%u", boot->at.port);
    rc = getaddrinfo(boot->at.host, port, &hints, &list);
    if (rc == EAI_AGAIN) {
        snprintf(try->trouble, sizeof try->trouble, "%s", gai_strerror(rc));
        return AGAIN;
    }
    if (rc != 0)
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "host \"%s\" of the rendezvous can't be found (%s); correct FEDRDMA_RENDEZVOUS",
                        boot->at.host, gai_strerror(rc));
    rc = knock(boot, job, list, try, story);
    freeaddrinfo(list);
    return rc;
}

static int nobody(const frd_boot *boot, const attempt *try, uint64_t timeout_ns, frd_story *story)
{
    const double seconds = (double)timeout_ns / (double)FRD_NS_PER_S;

    if (try->hung_up)
        return frd_fail(story, FEDRDMA_ERR_PROTOCOL,
                        "what listens at %s is no rendezvous of libfedrdma: %s; set FEDRDMA_RENDEZVOUS to a "
                        "port that no other service uses",
                        boot->at.text, try->trouble);
    return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                    "nobody answers at the rendezvous %s within %g s (%s); start rank 0, which listens there "
                    "unless a launcher does, on the host that FEDRDMA_RENDEZVOUS names",
                    boot->at.text, seconds, try->trouble);
}

static int enter(frd_boot *boot, const frd_conf *conf, frd_story *story)
{
    attempt try = { .deadline_ns = frd_now_ns() + conf->connect_timeout };
    uint64_t pause_ns = FRD_IO_PAUSE_FIRST_NS;
    frd_wire_header header;
    int rc;

    for (;;) {
        rc = look_up_and_knock(boot, conf->job, &try, story);
        if (rc < 0)
            return rc;
        if (rc == ENTERED)
            return expect(boot, FRD_WIRE_READY, try.deadline_ns, &header, story);
        if (frd_io_pause(&pause_ns, try.deadline_ns) != FRD_IO_OK)
            return nobody(boot, &try, conf->connect_timeout, story);
    }
}

static int start_store(frd_boot *boot, const frd_conf *conf, const frd_log *log, frd_story *story)
{
    const frd_store_params params = {
        .host = boot->at.host,
        .port = boot->at.port,
        .size = conf->size,
        .job = conf->job,
        .timeout_ns = conf->connect_timeout,
        .once = true,
    };

    return frd_store_start(&params, log, story, &boot->store);
}

/* ---- interface ---- */

static int join(frd_boot *boot, const frd_conf *conf, const frd_log *log, frd_story *story)
{
    int rc;

    if (boot->oob != NULL || conf->size == 1)
        return FEDRDMA_OK;
    if (conf->rendezvous[0] == '\0')
        return frd_fail(story, FEDRDMA_ERR_INVALID,
                        "a job of %d ranks needs a place to meet: set FEDRDMA_RENDEZVOUS to host:port of "
                        "rank 0, the same for all ranks, or start the program with fedrdma-run",
                        conf->size);
    if (conf->size > FRD_WIRE_RANKS_MAX || strlen(conf->job) >= FRD_WIRE_JOB_BYTES)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "at most %d ranks and %d bytes of job name can meet",
                        FRD_WIRE_RANKS_MAX, FRD_WIRE_JOB_BYTES - 1);
    rc = frd_address_parse(conf->rendezvous, &boot->at, story);
    if (rc < 0)
        return rc;
    if (conf->rank == 0 && strcmp(conf->rendezvous_server, "launcher") != 0) {
        rc = start_store(boot, conf, log, story);
        if (rc < 0)
            return rc;
    }
    return enter(boot, conf, story);
}

int frd_boot_open(const frd_conf *conf, fedrdma_oob_allgather_fn *oob, void *oob_arg, const frd_log *log,
                  frd_story *story, frd_boot **out)
{
    frd_boot *boot = frd_calloc(1, sizeof *boot);
    int rc;

    if (boot == NULL)
        return frd_fail(story, FEDRDMA_ERR_NOMEM, "no memory to join the job");
    boot->rank = conf->rank;
    boot->size = conf->size;
    boot->timeout_ns = conf->connect_timeout;
    boot->oob = oob;
    boot->oob_arg = oob_arg;
    boot->fd = -1;
    rc = join(boot, conf, log, story);
    if (rc < 0) {
        frd_boot_close(boot);
        return rc;
    }
    *out = boot;
    return FEDRDMA_OK;
}

static int gather_oob(const frd_boot *boot, const void *mine, void *all, size_t bytes, frd_story *story)
{
    const int rc = boot->oob(mine, all, bytes, boot->oob_arg);

    if (rc != 0)
        return frd_fail(story, FEDRDMA_ERR_UNREACHABLE,
                        "the out-of-band allgather given to fedrdma_options_set_oob returned %d", rc);
    return FEDRDMA_OK;
}

static int gather_store(frd_boot *boot, const void *mine, void *all, size_t bytes, frd_story *story)
{
    const uint64_t deadline = frd_now_ns() + boot->timeout_ns;
    frd_wire_header header = frd_wire_make(FRD_WIRE_GATHER, bytes);
    size_t total;
    frd_io io;
    int rc;

    if (frd_mul_overflows(bytes, (size_t)boot->size, &total) || total > FRD_WIRE_ROUND_MAX)
        return frd_fail(story, FEDRDMA_ERR_INVALID, "%zu bytes from each of %d ranks are too many to gather",
                        bytes, boot->size);
    header.round = boot->round;
    header.wait_ns = patience(deadline);
    header = frd_wire_swap(header);
    io = frd_io_send(boot->fd, &header, sizeof header, deadline);
    if (io == FRD_IO_OK)
        io = frd_io_send(boot->fd, mine, bytes, deadline);
    if (io != FRD_IO_OK && io != FRD_IO_CLOSED) /* closed for us, it may still have told why */
        return broken(boot, io, story);
    rc = expect(boot, FRD_WIRE_GATHERED, deadline, &header, story);
    if (rc < 0)
        return rc;
    if (header.bytes != total || header.round != boot->round)
        return garbage(boot, story);
    io = frd_io_recv(boot->fd, all, total, deadline);
    if (io != FRD_IO_OK)
        return broken(boot, io, story);
    boot->round++;
    return FEDRDMA_OK;
}

int frd_boot_allgather(frd_boot *boot, const void *mine, void *all, size_t bytes, frd_story *story)
{
    if (boot->oob != NULL)
        return gather_oob(boot, mine, all, bytes, story);
    if (boot->fd >= 0)
        return gather_store(boot, mine, all, bytes, story);
    if (bytes > 0)
        memcpy(all, mine, bytes);
    return FEDRDMA_OK;
}

void frd_boot_close(frd_boot *boot)
{
    if (boot == NULL)
        return;
    if (boot->fd >= 0)
        close(boot->fd);
    frd_store_stop(boot->store);
    frd_free(boot);
}
