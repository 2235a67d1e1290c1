/* SPDX-License-Identifier: BSD-3-Clause
 * conf.h - the option table. One row drives parsing (fedrdma_options_set and FEDRDMA_*), fedrdma-info and the
 * manual. The only file that reads the environment is conf.c. */
#ifndef FRD_BASE_CONF_H
#define FRD_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* X(kind, name, "default", "meaning"). Kinds: INT (int), SIZE (size_t; k, m, g are 1024-based), TIME
 * (uint64_t ns; needs a unit ns, us, ms, s, m, h), BOOL (bool; 0/1, no/yes, off/on, false/true), TEXT
 * (const char *, owned by the conf). */
#define FRD_CONF_TABLE(X) \
    X(INT, rank, "-1", "this rank, from 0; -1: ask the launcher's variables") \
    X(INT, size, "-1", "number of ranks; -1: ask the launcher's variables") \
    X(TEXT, rendezvous, "", \
      "host:port (or [v6]:port) where the ranks of the job meet; jobs without a name must not share one") \
    X(TEXT, rendezvous_server, "auto", "who listens there: auto (rank 0), or launcher") \
    X(TEXT, job, "", \
      "name of the job; ranks of another are refused at the rendezvous, where jobs without one can mix") \
    X(TEXT, silo, "", \
      "name of this rank's silo; empty: by the topology file; without one all such ranks form one silo") \
    X(TEXT, topology, "", \
      "path of the topology file, the same on all ranks; see fedrdma-topology(5); empty: none") \
    X(TEXT, node, "", "name of this rank's node; empty: the host's own identity") \
    X(TEXT, transports, "shm,wan,ucx", \
      "transports that may be used, best first: shm, wan (between silos), ucx, loop (ranks in one process)") \
    X(TEXT, algo, "", "algorithms by size, e.g. allreduce:0-4k:recdbl,4k-:ring;broadcast:0-:binomial") \
    X(TEXT, log, "", "lines on standard error up to: error, warn, info, debug") \
    X(TEXT, threads, "single", "single, or multiple: any thread may call at any time") \
    X(BOOL, check, "0", "compare the arguments of every collective between the ranks first") \
    X(TIME, connect_timeout, "30s", "how long fedrdma_init waits for the rendezvous and the other ranks") \
    X(TIME, timeout, "300s", "how long an operation may go without any progress") \
    X(TIME, finalize_timeout, "10s", "how long fedrdma_finalize waits for the other ranks") \
    X(TIME, spin, "20us", "how long a wait polls before it yields the core") \
    X(TIME, yield, "200us", "how long a wait yields before it sleeps in the kernel") \
    X(BOOL, keep_awake, "0", \
      "for 2 s of a sleep in a call, keep the node's cores from deep idle (/dev/cpu_dma_latency), where allowed") \
    X(SIZE, fragment, "1m", \
      "payload of a large collective is run in fragments of this size, between two silos twice, more 4 times it if 4 " \
      "such fit in window; 0: whole") \
    X(SIZE, window, "16m", \
      "fragments in flight for one operation, in bytes of payload; the same on all ranks of a job of several silos") \
    X(SIZE, scratch, "64m", \
      "idle scratch of other calls is freed before a new kind of call takes more than this") \
    X(INT, cache, "256", "schedules kept per communicator") \
    X(SIZE, eager, "8k", "largest message sent without waiting for its receive") \
    X(SIZE, eager_credit, "256k", "eager bytes that may wait unreceived at one peer") \
    X(TEXT, interface, "", \
      "network interface or address where other nodes meet this rank, and it meets them; empty: by subnet") \
    X(TEXT, ucx_large, "auto", "large messages over UCX: auto, rendezvous (UCX's) or pieces (best on TCP)") \
    X(SIZE, shm_ring, "64k", "bytes of the message ring between two ranks of a node") \
    X(TIME, alloc_huge, "1s", \
      "how long fedrdma_alloc may take to get huge pages, which makes its memory resident; 0s: none") \
    X(BOOL, shm_direct, "1", "read large messages straight from the sender (process_vm_readv) if allowed") \
    X(INT, gateways, "0", \
      "ranks of each silo through which its data goes to others, side by side; 0: as the topology file " \
      "says, or 1") \
    X(SIZE, node_ring, "0", \
      "bytes of the ring in which a rank passes collectives' data to its node; 0: twice the core's cache") \
    X(TEXT, wan_address, "", \
      "address or interface where other silos reach this rank over UDP; empty: all of them") \
    X(TEXT, wan_port, "0", \
      "UDP port for other silos, or the first and last of several: 47000-47099; 0: any") \
    X(TIME, wan_heartbeat, "500ms", \
      "a route between silos that is in use gives a sign of life at least so often") \
    X(TIME, wan_lost, "180s", \
      "a rank of another silo that no route reaches any more is lost after so long; 0s: never") \
    X(SIZE, wan_early, "16m", \
      "bytes taken from a rank of another silo before their receives; above rate x RTT") \
    X(SIZE, wan_start, "256k", "bytes sent in the first round trip of a route between silos") \
    X(SIZE, wan_inflight, "64m", "bytes on their way on a route between silos, at most") \
    X(SIZE, wan_rate, "0", \
      "bytes per second that this rank may send to other silos; 0: what the paths carry") \
    X(SIZE, wan_datagram, "1200", "bytes of a UDP datagram that every path is taken to carry, 1200 or more") \
    X(SIZE, wan_datagram_max, "8972", "longer ones, up to this, are tried where the interfaces allow them") \
    X(INT, loop_seed, "0", "loop transport: seed of its random delivery order; 0: in order")

#define FRD_CONF_C_INT int
#define FRD_CONF_C_SIZE size_t
#define FRD_CONF_C_TIME uint64_t
#define FRD_CONF_C_BOOL bool
#define FRD_CONF_C_TEXT const char *
#define FRD_CONF_FIELD(kind, name, value, text) FRD_CONF_C_##kind name;
typedef struct frd_conf {
    FRD_CONF_TABLE(FRD_CONF_FIELD)
    void *owned; /* texts */
} frd_conf;
#undef FRD_CONF_FIELD

/* Names and texts of an option, for fedrdma-info and the manual (index < frd_conf_count()). */
size_t frd_conf_count(void);
const char *frd_conf_name(size_t index);
const char *frd_conf_kind(size_t index); /* "int", "size", "time", "bool", "text" */
const char *frd_conf_default(size_t index);
const char *frd_conf_text(size_t index);

/* All defaults. */
int frd_conf_init(frd_conf *conf, frd_story *story);
void frd_conf_free(frd_conf *conf); /* all zero is fine */

/* Sets one option by name; `source` ("option" or "environment variable FEDRDMA_RANK") goes into the story.
 * FEDRDMA_ERR_INVALID: unknown (names the nearest) or bad value (shows it, and what is accepted). */
int frd_conf_set(frd_conf *conf, const char *name, const char *value, const char *source, frd_story *story);

/* Reads FEDRDMA_<NAME> for every option. Unknown FEDRDMA_* variables are warned about through `log` with the
 * nearest name; FEDRDMA_UCX_* and FEDRDMA_WAN_UCX_* belong to UCX and are left alone. */
int frd_conf_environment(frd_conf *conf, const frd_log *log, frd_story *story);

/* Fills what is still -1 of conf->rank and conf->size from Open MPI, PMIx, Hydra or SLURM variables (also a
 * job name in conf->job where that is empty and the launcher gave the rank and has a name). Names where they
 * came from in *from (static text; "" when nothing was found or needed). FEDRDMA_ERR_INVALID: a launcher
 * variable that is no number, or a rank without a size. */
int frd_conf_launcher(frd_conf *conf, const char **from, frd_story *story);

/* The text of a FEDRDMA_* variable that is no option (whole name): UCX's FEDRDMA_UCX_* and FEDRDMA_WAN_UCX_*,
 * the project's own FEDRDMA_TEST_* and FEDRDMA_PERF_*. NULL: not set. */
const char *frd_conf_getenv(const char *name);

/* The nearest option name to `name` (edit distance), or NULL when none is near; for error texts. */
const char *frd_conf_nearest(const char *name);

#endif
