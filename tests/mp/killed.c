/* SPDX-License-Identifier: BSD-3-Clause
 *
 * killed.c - a rank's process is killed in the middle of collectives: every survivor gets RANK_LOST or
 * SILO_LOST (or is told so) within a bound, can finalize, and nothing is left behind. Ranks are forked
 * processes on one node or on a node each, so that shared memory and UCX both show it. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/mp/expect.h"

MP_EXPECT_DEFINE;

enum { RANKS = 4, VICTIM = 2, DETECT_MS = 1000 };

typedef struct layout {
    const char *name;
    int per_node; /* ranks of a node; 0: all on this one */
    bool silos;   /* each node is a silo */
    size_t count; /* elements of the collective */
    bool shared;  /* its buffers are of fedrdma_alloc */
} layout;

static const layout layouts[] = {
    { "one node, small", 0, false, 10, false },
    { "one node, large", 0, false, 3000000, false },
    { "one node, large, shared buffers", 0, false, 3000000, true },
    { "two nodes, small", 2, false, 10, false },
    { "two nodes, large", 2, false, 3000000, false },
    { "four silos, small", 1, true, 10, false },
    { "four silos, large", 1, true, 3000000, false },
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void set(fedrdma_options *o, const char *name, const char *format, int value)
{
    char text[64];
    snprintf(text, sizeof(text), format, value);
    EXPECT_OK(fedrdma_options_set(o, name, text));
}

static fedrdma_context *join(const layout *l, int rank, int port)
{
    fedrdma_options *o = NULL;
    fedrdma_context *context = NULL;

    EXPECT_OK(fedrdma_options_create(&o));
    set(o, "rank", "%d", rank);
    set(o, "size", "%d", RANKS);
    set(o, "rendezvous", "127.0.0.1:%d", port);
    set(o, "finalize_timeout", "%dms", 300);
    set(o, "timeout", "%ds", 20);
    if (l->per_node > 0)
        set(o, "node", "node%d", rank / l->per_node);
    if (l->silos)
        set(o, "silo", "silo%d", rank);
    EXPECT_OK(fedrdma_init(o, &context));
    fedrdma_options_destroy(o);
    return context;
}

/* A pipe tells the survivors' parent, and through it them, when the victim died: the time of death goes into
 * shared memory before the kill. */
static void survive(const layout *l, fedrdma_context *context, int rank, int death)
{
    fedrdma_comm *world = fedrdma_world(context);
    void *in = NULL, *out = NULL;
    uint64_t died = 0;
    int rc = FEDRDMA_OK;

    if (l->shared) {
        EXPECT_OK(fedrdma_alloc(context, l->count * sizeof(float), &in));
        EXPECT_OK(fedrdma_alloc(context, l->count * sizeof(float), &out));
        memset(in, 0, l->count * sizeof(float));
    } else {
        in = calloc(l->count, sizeof(float));
        out = calloc(l->count, sizeof(float));
    }
    for (int i = 0; rc == FEDRDMA_OK; i++) {
        if (rank == VICTIM && i == 3) {
            fedrdma_request *request;
            EXPECT_OK(fedrdma_iallreduce(in, out, l->count, FEDRDMA_F32, FEDRDMA_SUM, world, &request));
            fedrdma_progress(context);
            died = now_ms();
            if (write(death, &died, sizeof(died)) == sizeof(died))
                raise(SIGKILL);
        }
        rc = fedrdma_allreduce(in, out, l->count, FEDRDMA_F32, FEDRDMA_SUM, world);
    }
    const uint64_t noticed = now_ms();
    EXPECT(read(death, &died, sizeof(died)) == sizeof(died));
    EXPECT(noticed <= died + DETECT_MS);
    EXPECT(rc == FEDRDMA_ERR_RANK_LOST || rc == FEDRDMA_ERR_SILO_LOST);
    if (l->silos)
        EXPECT(rc == FEDRDMA_ERR_SILO_LOST);
    EXPECT_STORY(world, "rank 2");
    EXPECT_CODE(fedrdma_barrier(world), FEDRDMA_ERR_BROKEN);
    if (l->shared) {
        EXPECT_OK(fedrdma_free(context, in));
        EXPECT_OK(fedrdma_free(context, out));
    } else {
        free(in);
        free(out);
    }
    EXPECT_OK(fedrdma_finalize(&context));
}

static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &bytes) != 0)
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

static int count_files(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

/* A /dev/shm of our own, so that only what our ranks leave there is counted; needs root, or the count is not
 * looked at. */
static bool own_shm(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("fedrdma-test", "/dev/shm", "tmpfs", 0, NULL) == 0;
}

static bool run(const layout *l, bool count_left)
{
    const int port = free_port(), files = count_files("/dev/shm");
    int deaths[RANKS][2];
    pid_t children[RANKS];
    bool good = true;

    for (int r = 0; r < RANKS; r++)
        if (pipe(deaths[r]) != 0)
            abort();
    for (int r = 0; r < RANKS; r++) {
        children[r] = fork();
        if (children[r] == 0) {
            mp_expect_rank = r;
            alarm(40);
            fedrdma_context *context = join(l, r, port);
            if (context != NULL)
                survive(l, context, r, r == VICTIM ? deaths[VICTIM][1] : deaths[r][0]);
            _exit(atomic_load(&mp_expect_failures) == 0 && context != NULL ? 0 : 1);
        }
    }
    /* The victim's message to all the others. */
    uint64_t died = 0;
    close(deaths[VICTIM][1]);
    if (read(deaths[VICTIM][0], &died, sizeof(died)) != sizeof(died))
        good = false;
    for (int r = 0; r < RANKS; r++)
        if (r != VICTIM && write(deaths[r][1], &died, sizeof(died)) != sizeof(died))
            good = false;
    for (int r = 0; r < RANKS; r++) {
        int status = 0;
        waitpid(children[r], &status, 0);
        const bool as_meant = r == VICTIM ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0;
        if (!as_meant)
            printf("# rank %d ended with status %#x\n", r, (unsigned)status);
        good = good && as_meant;
        close(deaths[r][0]);
        if (r != VICTIM)
            close(deaths[r][1]);
    }
    if (count_left && count_files("/dev/shm") != files) {
        printf("# something was left in /dev/shm\n");
        good = false;
    }
    return good;
}

int main(void)
{
    const int count = (int)(sizeof(layouts) / sizeof(layouts[0]));
    const bool count_left = own_shm();
    bool all = true;

    printf("1..%d\n", count);
    if (!count_left)
        printf("# no /dev/shm of our own (not root): what is left there is not counted\n");
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        const bool good = run(&layouts[i], count_left);
        printf("%sok %d - %s\n", good ? "" : "not ", i + 1, layouts[i].name);
        fflush(stdout);
        all = all && good;
    }
    return !all;
}
