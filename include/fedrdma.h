/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fedrdma.h - collective communication between organisations.
 *
 * The whole public interface of libfedrdma. Argument order and meaning are MPI's, so that a port is a
 * rename; counts are size_t; every function returns FEDRDMA_OK (0) or a negative FEDRDMA_ERR_* and never
 * prints, exits or aborts. The story behind an error (who, which peer, what to do) is in
 * fedrdma_last_error().
 *
 * Words: a rank is one process (or thread) of the job; a node is one host; a silo is one organisation's
 * site, a few nodes on a fast fabric. A context is one rank's membership of one job: connections, memory,
 * options. A communicator is an ordered group of ranks of one context.
 *
 * Threads: a context belongs to one thread at a time, and different contexts may be used by different
 * threads at the same time. With the option "threads"="multiple" any thread may call at any time; calls on
 * one context then take turns, and collectives must still be started in the same order on every rank.
 *
 * Unless a function says otherwise, it may also return FEDRDMA_ERR_INVALID for a null or foreign handle,
 * FEDRDMA_ERR_FINALIZED for a handle whose context was finalized, FEDRDMA_ERR_NOMEM, and
 * FEDRDMA_ERR_INTERNAL for a bug in the library.
 */
#ifndef FEDRDMA_H
#define FEDRDMA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is compiled with hidden symbols: what is declared here is all that it exports. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define FEDRDMA_VERSION_MAJOR 0
#define FEDRDMA_VERSION_MINOR 1
#define FEDRDMA_VERSION_PATCH 0

/* ---- errors --------------------------------------------------------------------------------------- */

/* X(name, value, one-line text). fedrdma_strerror() returns the text. */
#define FEDRDMA_ERROR_TABLE(X) \
    X(OK, 0, "success") \
    X(ERR_INVALID, -1, "invalid argument or call") \
    X(ERR_NOMEM, -2, "out of memory") \
    X(ERR_TIMEOUT, -3, "deadline passed") \
    X(ERR_UNREACHABLE, -4, "peer or rendezvous cannot be reached") \
    X(ERR_REFUSED, -5, "peer or rendezvous refused us") \
    X(ERR_RANK_LOST, -6, "a rank of our own silo was lost") \
    X(ERR_SILO_LOST, -7, "a silo was lost") \
    X(ERR_MISMATCH, -8, "ranks disagree about the call") \
    X(ERR_CANCELED, -9, "operation was cancelled") \
    X(ERR_FINALIZED, -10, "context was finalized") \
    X(ERR_BROKEN, -11, "communicator is broken by an earlier failure") \
    X(ERR_UNSUPPORTED, -12, "not supported here") \
    X(ERR_SYSTEM, -13, "the operating system refused") \
    X(ERR_NET, -14, "transport failed") \
    X(ERR_PROTOCOL, -15, "malformed bytes from a peer") \
    X(ERR_BUSY, -16, "request is still active") \
    X(ERR_INTERNAL, -17, "bug in libfedrdma")

#define FEDRDMA_ERROR_ENUM_(name, value, text) FEDRDMA_##name = value,
enum fedrdma_error { FEDRDMA_ERROR_TABLE(FEDRDMA_ERROR_ENUM_) };
#undef FEDRDMA_ERROR_ENUM_

typedef struct fedrdma_options fedrdma_options;
typedef struct fedrdma_context fedrdma_context;
typedef struct fedrdma_comm fedrdma_comm;
typedef struct fedrdma_request fedrdma_request;

/* One line for any error code, never NULL; static, not to be freed. */
const char *fedrdma_strerror(int code);

/* The whole story of the last failed call on `comm`; with comm NULL, of the last failed call of this
 * thread (also when there was no communicator yet, as in fedrdma_init). "" when nothing failed. Valid until
 * the next call on the communicator (or by this thread); not to be freed. */
const char *fedrdma_last_error(const fedrdma_comm *comm);

/* "0.1.0": the version of the library that runs, which may differ from the header's. */
const char *fedrdma_version(void);

/* ---- options -------------------------------------------------------------------------------------- */

/* Options are name and value texts; `fedrdma-info --options` lists all with their meaning and default. Each
 * is also an environment variable (rank is FEDRDMA_RANK). A value set here wins over the environment.
 * The ones that most programs need:
 *   rank, size     this rank and the number of ranks; else taken from the launcher's variables
 *   rendezvous     host:port where the ranks of a job meet; rank 0 listens there unless the launcher does.
 *                  Two jobs of one size that share it are told apart by the option job alone: without names,
 *                  ranks of one can end up in the other
 *   silo, node     names of this rank's silo and node; default one silo, and the host's identity
 *   topology       path of the topology file (fedrdma-topology(5)): silos, gateways, links; the same on all
 *                  ranks. With it the silo may be left out: it is found by host or rank
 *   timeout        how long a collective may make no progress at all, e.g. 30s, 5m
 *   check          1: ranks compare the arguments of every collective first (slow, for debugging)
 *   threads        single or multiple */

/* Creates an empty set of options; free it with fedrdma_options_destroy, also after fedrdma_init. */
int fedrdma_options_create(fedrdma_options **options);

/* Destroys `options`; NULL is fine. Contexts made with it are not affected. */
void fedrdma_options_destroy(fedrdma_options *options);

/* Sets option `name` (as in FEDRDMA_<NAME>, lower case) to `value`; both are copied.
 * FEDRDMA_ERR_INVALID: no such option (the story names the nearest one) or a bad value (and why). */
int fedrdma_options_set(fedrdma_options *options, const char *name, const char *value);

enum fedrdma_log_level { FEDRDMA_LOG_ERROR, FEDRDMA_LOG_WARN, FEDRDMA_LOG_INFO, FEDRDMA_LOG_DEBUG };

/* Receives one log line, without a newline. It may run on any thread that drives the context and must not
 * call fedrdma. */
typedef void fedrdma_log_fn(int level, const char *message, void *arg);

/* Sends log lines up to `level` to `fn`; without it the library is silent, unless FEDRDMA_LOG asks for
 * lines on standard error. */
int fedrdma_options_set_log(fedrdma_options *options, int level, fedrdma_log_fn *fn, void *arg);

/* A user's out-of-band allgather: every rank gives `bytes` bytes and receives size x bytes in rank order.
 * Returns 0, or another value to make fedrdma_init fail with FEDRDMA_ERR_UNREACHABLE. */
typedef int fedrdma_oob_allgather_fn(const void *mine, void *all, size_t bytes, void *arg);

/* Lets the ranks meet through `fn` instead of a rendezvous; used only inside fedrdma_init. */
int fedrdma_options_set_oob(fedrdma_options *options, int rank, int size, fedrdma_oob_allgather_fn *fn,
                            void *arg);

/* ---- context -------------------------------------------------------------------------------------- */

/* Joins the job: finds rank and size, meets the other ranks, exchanges addresses. Blocks until all ranks
 * came or the option connect_timeout (30s) passed. `options` may be NULL: environment and defaults.
 * Rank and size come from the options, else FEDRDMA_RANK and FEDRDMA_SIZE, else Open MPI, PMIx, SLURM or
 * Hydra variables, else this is a job of one.
 * FEDRDMA_ERR_INVALID: bad option or environment value, rank not below size, size 0.
 * FEDRDMA_ERR_UNREACHABLE: nobody answers at the rendezvous, or the port is taken (story: by whom).
 * FEDRDMA_ERR_TIMEOUT: some ranks never came (story: which). FEDRDMA_ERR_REFUSED: another job meets there,
 * or this rank is taken. FEDRDMA_ERR_PROTOCOL: something else listens there, or it says nothing.
 * FEDRDMA_ERR_MISMATCH: the options algo, fragment, gateways or check, or the library's version, differ between ranks;
 * or, in a job of several silos, window does, so that calls between them would be cut differently. */
int fedrdma_init(const fedrdma_options *options, fedrdma_context **context);

/* Leaves the job; collective over the context's ranks. Waits (at most the option finalize_timeout) for the
 * others' last messages, then frees everything that the context owns, its communicators and requests
 * included: later use of one of its communicators returns FEDRDMA_ERR_FINALIZED. Sets *context to NULL.
 * FEDRDMA_ERR_BUSY: a request is still active; nothing was freed. Errors of peers are not reported. */
int fedrdma_finalize(fedrdma_context **context);

/* The communicator of all ranks of the context, owned by it; NULL when context is NULL. */
fedrdma_comm *fedrdma_world(const fedrdma_context *context);

/* Lets pending operations advance; never blocks. Only needed for overlap: every call that waits does it. */
int fedrdma_progress(fedrdma_context *context);

/* ---- memory --------------------------------------------------------------------------------------- */

/* Memory that the ranks of a node can reach directly and that is registered with the network once:
 * collectives on it copy least. Zeroed, aligned to the page. Local; not collective. Each block takes a file
 * descriptor; more than 256 of a rank, or where there are none left, are ordinary memory. From 2 MiB on it
 * asks for huge pages, which copies: the call may block for as long as the option alloc_huge says (1s), and
 * the memory is resident then, touched or not; 0s: neither. Free with fedrdma_free or leave it to
 * fedrdma_finalize. FEDRDMA_ERR_NOMEM: too much. */
int fedrdma_alloc(fedrdma_context *context, size_t bytes, void **memory);

/* Frees what fedrdma_alloc returned; NULL is fine. No active request may use it.
 * FEDRDMA_ERR_INVALID: not from fedrdma_alloc of this context. */
int fedrdma_free(fedrdma_context *context, void *memory);

/* ---- datatypes and operators ---------------------------------------------------------------------- */

/* X(name, value, bytes, C type or meaning). f16 and bf16 are reduced in f32 and rounded to nearest even. */
#define FEDRDMA_DATATYPE_TABLE(X) \
    X(I8, 1, 1, "int8_t") \
    X(I16, 2, 2, "int16_t") \
    X(I32, 3, 4, "int32_t") \
    X(I64, 4, 8, "int64_t") \
    X(U8, 5, 1, "uint8_t") \
    X(U16, 6, 2, "uint16_t") \
    X(U32, 7, 4, "uint32_t") \
    X(U64, 8, 8, "uint64_t") \
    X(F16, 9, 2, "IEEE 754 binary16") \
    X(BF16, 10, 2, "bfloat16") \
    X(F32, 11, 4, "float") \
    X(F64, 12, 8, "double")

#define FEDRDMA_DATATYPE_ENUM_(name, value, bytes, text) FEDRDMA_##name = value,
typedef enum fedrdma_datatype { FEDRDMA_DATATYPE_TABLE(FEDRDMA_DATATYPE_ENUM_) } fedrdma_datatype;
#undef FEDRDMA_DATATYPE_ENUM_

/* MPI's names for the same types, for ports by rename. */
#define FEDRDMA_BYTE FEDRDMA_U8
#define FEDRDMA_CHAR FEDRDMA_I8
#define FEDRDMA_INT FEDRDMA_I32
#define FEDRDMA_UNSIGNED FEDRDMA_U32
#define FEDRDMA_LONG_LONG FEDRDMA_I64
#define FEDRDMA_FLOAT FEDRDMA_F32
#define FEDRDMA_DOUBLE FEDRDMA_F64

/* X(name, value, text). avg is the sum divided by the number of ranks (integers: truncated towards zero);
 * min and max return a NaN when either value is one; band, bor, bxor take integers only; land, lor and lxor
 * take any type and give 0 or 1. Integer sum and prod wrap around. Over a single value (one rank, rank 0 of a
 * scan) every operator gives that value as it is. */
#define FEDRDMA_OP_TABLE(X) \
    X(SUM, 1, "sum") \
    X(AVG, 2, "arithmetic mean over the ranks") \
    X(PROD, 3, "product") \
    X(MIN, 4, "minimum") \
    X(MAX, 5, "maximum") \
    X(BAND, 6, "bitwise and") \
    X(BOR, 7, "bitwise or") \
    X(BXOR, 8, "bitwise exclusive or") \
    X(LAND, 9, "logical and") \
    X(LOR, 10, "logical or") \
    X(LXOR, 11, "logical exclusive or")

/* An operator: one of FEDRDMA_SUM..FEDRDMA_LXOR, or a handle of fedrdma_op_create. */
typedef int fedrdma_op;
#define FEDRDMA_OP_ENUM_(name, value, text) FEDRDMA_##name = value,
enum fedrdma_builtin_op { FEDRDMA_OP_TABLE(FEDRDMA_OP_ENUM_) };
#undef FEDRDMA_OP_ENUM_

/* A user's operator, as in MPI: inout[i] = in[i] op inout[i] for i < count, where `in` comes from the lower
 * ranks. Must be associative; called by the thread that drives the context; must not call fedrdma. */
typedef void fedrdma_op_fn(const void *in, void *inout, size_t count, fedrdma_datatype type, void *arg);

/* Makes an operator from `fn`; local to the context. `commutative` 0 keeps rank order. */
int fedrdma_op_create(fedrdma_context *context, fedrdma_op_fn *fn, int commutative, void *arg,
                      fedrdma_op *op);

/* Frees *op and sets it to 0. FEDRDMA_ERR_INVALID: builtin or unknown. FEDRDMA_ERR_BUSY: in use by a
 * request. */
int fedrdma_op_free(fedrdma_context *context, fedrdma_op *op);

/* Bytes of one element, 0 for an unknown type. */
size_t fedrdma_datatype_size(fedrdma_datatype type);

/* ---- communicators -------------------------------------------------------------------------------- */

/* This rank's number in comm, the number of ranks, the communicator's context. -1, -1, NULL for a bad or
 * finalized handle. */
int fedrdma_comm_rank(const fedrdma_comm *comm);
int fedrdma_comm_size(const fedrdma_comm *comm);
fedrdma_context *fedrdma_comm_context(const fedrdma_comm *comm);

/* Number of silos (nodes) with a rank in comm, numbered by their lowest rank; the silo (node) of `rank`; a
 * silo's name, valid as long as comm. -1, -1, NULL for a bad argument. */
int fedrdma_comm_nsilos(const fedrdma_comm *comm);
int fedrdma_comm_nnodes(const fedrdma_comm *comm);
int fedrdma_comm_silo(const fedrdma_comm *comm, int rank);
int fedrdma_comm_node(const fedrdma_comm *comm, int rank);
const char *fedrdma_comm_silo_name(const fedrdma_comm *comm, int silo);

/* All collective over comm, blocking; each new communicator is freed with fedrdma_comm_free. Errors as for
 * the collectives. A split puts ranks of equal color (>= 0) together, ordered by key, then by old rank; color
 * FEDRDMA_UNDEFINED joins none and gives NULL. */
#define FEDRDMA_UNDEFINED (-32766)
int fedrdma_comm_split(fedrdma_comm *comm, int color, int key, fedrdma_comm **newcomm);
int fedrdma_comm_split_silo(fedrdma_comm *comm, fedrdma_comm **newcomm);
int fedrdma_comm_split_node(fedrdma_comm *comm, fedrdma_comm **newcomm);
int fedrdma_comm_dup(fedrdma_comm *comm, fedrdma_comm **newcomm);

/* Frees *comm and sets it to NULL; local; NULL is fine. The world is freed by fedrdma_finalize only
 * (FEDRDMA_ERR_INVALID).
 * FEDRDMA_ERR_BUSY: a request on it is active. */
int fedrdma_comm_free(fedrdma_comm **comm);

/* What the next calls on a communicator ask for beyond their arguments; all zero is the default. */
typedef struct fedrdma_attr {
    uint64_t deadline_ns; /* the whole call must end within this; 0: only the option timeout counts */
    int min_silos;        /* smallest number of silos a result may come from; 0: all of them */
    /* Called at most every 50 ms from within calls that drive the operation; must not call fedrdma. */
    void (*progress)(uint64_t done_bytes, uint64_t total_bytes, void *arg);
    void *progress_arg;
} fedrdma_attr;

/* Sets (NULL: resets) the attributes of calls started on comm from now on; persistent requests keep those
 * of their creation. Local. FEDRDMA_ERR_INVALID: min_silos is negative or above the number of silos.
 * FEDRDMA_ERR_UNSUPPORTED: min_silos asks to go on without a lost silo, which this version can't do. */
int fedrdma_comm_set_attr(fedrdma_comm *comm, const fedrdma_attr *attr);

/* What one finished operation did, on this rank. */
typedef struct fedrdma_result {
    int silos;               /* silos whose contribution is in the result */
    int silos_total;         /* silos of the communicator */
    uint64_t time_ns;        /* from start to completion; 0: a short call within a node, over at once */
    uint64_t sent_bytes;     /* payload sent by this rank for the operation, all transports */
    uint64_t received_bytes; /* and received */
    double rate_bps;         /* (sent + received) x 8 / time, bits per second */
    uint64_t reroutes;       /* chunks that this rank took off a WAN route that failed while the operation ran, */
    uint64_t retransmits;    /* and sent again; operations at the same time count the same ones */
    char algorithm[32];      /* name as in `fedrdma-info --algorithms` */
} fedrdma_result;

/* The record of the last blocking operation that ended on comm. */
int fedrdma_comm_last_result(const fedrdma_comm *comm, fedrdma_result *result);

/* ---- collectives ---------------------------------------------------------------------------------- */

/* Each exists three times: blocking; i<name>, which starts it and returns a request to be completed with
 * wait or test; and <name>_init, which makes a persistent request to be started with fedrdma_start any
 * number of times. All ranks of comm start collectives on it in the same order with matching arguments;
 * any number may be in flight. Buffers belong to the operation until it completes: don't touch receive
 * buffers, don't change send buffers. Buffers of one call must not overlap, except by FEDRDMA_IN_PLACE.
 * Results are the same, bit for bit, on every rank, and from run to run on the same layout of ranks.
 * A count of 0 is fine and moves nothing. Counts are in elements of their type.
 *
 * Errors of all of them, from the call that completes the operation unless noted:
 *   FEDRDMA_ERR_INVALID      from the starting call, before anything is sent: unknown type or operator, an
 *                            operator that doesn't fit the type, bad root, null buffer with a count, size
 *                            overflow, overlapping buffers, misplaced FEDRDMA_IN_PLACE
 *   FEDRDMA_ERR_MISMATCH     ranks disagree (always detected with the option check=1; otherwise when the
 *                            sizes of a message differ)
 *   FEDRDMA_ERR_TIMEOUT      no progress for the option timeout, or the attribute deadline passed
 *   FEDRDMA_ERR_RANK_LOST, FEDRDMA_ERR_SILO_LOST, FEDRDMA_ERR_NET   a peer or its transport failed
 *   FEDRDMA_ERR_CANCELED     fedrdma_cancel here or on another rank
 *   FEDRDMA_ERR_BROKEN       an earlier failure on comm, which a call has returned, left it unusable (from the
 *                            starting call)
 * After any error but INVALID the receive buffers' contents are undefined. After TIMEOUT, *_LOST, NET and
 * MISMATCH the communicator is broken, on every rank that can still be told; but with the option check=1 a
 * MISMATCH is found before anything is sent, and leaves it usable. */

/* As send buffer (bcast: not allowed; scatter and scatterv: as receive buffer at the root; gather, gatherv
 * and reduce: at the root only): the data is already where the result goes, as in MPI. */
#define FEDRDMA_IN_PLACE ((void *)(intptr_t)-1)

/* recv = op over all ranks' send, on every rank. Sources of the algorithms: Thakur, Rabenseifner, Gropp,
 * "Optimization of collective communication operations in MPICH", 2005; docs/algorithms.md has all. */
int fedrdma_allreduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                      fedrdma_comm *comm);
int fedrdma_iallreduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                       fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_allreduce_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                           fedrdma_comm *comm, fedrdma_request **request);

/* recv = sum of weight_r x send_r over all ranks r, divided by the sum of the weights; the heart of federated
 * averaging (McMahan et al. 2017), where a rank's weight is its number of samples. Floating types only.
 * What a rank of weight 0 gives does not count, not even infinities and NaNs; all weights 0: the result is 0.
 * The sum is formed in the type itself: values next to its largest can round to infinity.
 * FEDRDMA_ERR_INVALID: weight negative, infinite or NaN. */
int fedrdma_allreduce_weighted(const void *send, void *recv, size_t count, fedrdma_datatype type,
                               double weight, fedrdma_comm *comm);
int fedrdma_iallreduce_weighted(const void *send, void *recv, size_t count, fedrdma_datatype type,
                                double weight, fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_allreduce_weighted_init(const void *send, void *recv, size_t count, fedrdma_datatype type,
                                    double weight, fedrdma_comm *comm, fedrdma_request **request);

/* recv at root = op over all ranks' send; recv is ignored elsewhere. */
int fedrdma_reduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                   int root, fedrdma_comm *comm);
int fedrdma_ireduce(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                    int root, fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_reduce_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                        int root, fedrdma_comm *comm, fedrdma_request **request);

/* buffer of every rank = buffer of root. */
int fedrdma_broadcast(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm);
int fedrdma_ibroadcast(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm,
                       fedrdma_request **request);
int fedrdma_broadcast_init(void *buffer, size_t count, fedrdma_datatype type, int root, fedrdma_comm *comm,
                           fedrdma_request **request);

/* recv at root = all ranks' send in rank order. sendcount x type size must equal recvcount x type size. */
int fedrdma_gather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                   size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm);
int fedrdma_igather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                    fedrdma_request **request);
int fedrdma_gather_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                        size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                        fedrdma_request **request);

/* As gather with a count and a displacement (in elements) for each rank, read at the root only. The arrays
 * of all ...v functions are copied by the call. */
int fedrdma_gatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype, int root,
                    fedrdma_comm *comm);
int fedrdma_igatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype, int root,
                     fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_gatherv_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                         const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                         int root, fedrdma_comm *comm, fedrdma_request **request);

/* recv of rank r = the r-th part of root's send. */
int fedrdma_scatter(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                    size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm);
int fedrdma_iscatter(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                     fedrdma_request **request);
int fedrdma_scatter_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                         size_t recvcount, fedrdma_datatype recvtype, int root, fedrdma_comm *comm,
                         fedrdma_request **request);

/* As scatter with a count and a displacement for each rank, read at the root only. */
int fedrdma_scatterv(const void *send, const size_t sendcounts[], const size_t displs[],
                     fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                     int root, fedrdma_comm *comm);
int fedrdma_iscatterv(const void *send, const size_t sendcounts[], const size_t displs[],
                      fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                      int root, fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_scatterv_init(const void *send, const size_t sendcounts[], const size_t displs[],
                          fedrdma_datatype sendtype, void *recv, size_t recvcount, fedrdma_datatype recvtype,
                          int root, fedrdma_comm *comm, fedrdma_request **request);

/* recv of every rank = all ranks' send in rank order. */
int fedrdma_allgather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                      size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm);
int fedrdma_iallgather(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                       size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                       fedrdma_request **request);
int fedrdma_allgather_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                           size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                           fedrdma_request **request);

/* As allgather with a count and a displacement for each rank, the same on every rank. */
int fedrdma_allgatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                       const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                       fedrdma_comm *comm);
int fedrdma_iallgatherv(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                        const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                        fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_allgatherv_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                            const size_t recvcounts[], const size_t displs[], fedrdma_datatype recvtype,
                            fedrdma_comm *comm, fedrdma_request **request);

/* The reduction of all ranks' send (the sum of recvcounts elements), of which rank r receives the r-th part,
 * recvcounts[r] elements. In place: the send data is in recv, and the result at its start. */
int fedrdma_reduce_scatter(const void *send, void *recv, const size_t recvcounts[], fedrdma_datatype type,
                           fedrdma_op op, fedrdma_comm *comm);
int fedrdma_ireduce_scatter(const void *send, void *recv, const size_t recvcounts[], fedrdma_datatype type,
                            fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_reduce_scatter_init(const void *send, void *recv, const size_t recvcounts[],
                                fedrdma_datatype type, fedrdma_op op, fedrdma_comm *comm,
                                fedrdma_request **request);

/* As reduce_scatter with recvcount elements for every rank. */
int fedrdma_reduce_scatter_block(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                 fedrdma_op op, fedrdma_comm *comm);
int fedrdma_ireduce_scatter_block(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                  fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_reduce_scatter_block_init(const void *send, void *recv, size_t recvcount, fedrdma_datatype type,
                                      fedrdma_op op, fedrdma_comm *comm, fedrdma_request **request);

/* Part r of recv on rank q = part q of send on rank r. */
int fedrdma_alltoall(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                     size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm);
int fedrdma_ialltoall(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                      size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                      fedrdma_request **request);
int fedrdma_alltoall_init(const void *send, size_t sendcount, fedrdma_datatype sendtype, void *recv,
                          size_t recvcount, fedrdma_datatype recvtype, fedrdma_comm *comm,
                          fedrdma_request **request);

/* As alltoall with counts and displacements for each rank; with FEDRDMA_IN_PLACE the send arrays are ignored
 * and recvcounts[q] of rank r must equal recvcounts[r] of rank q. */
int fedrdma_alltoallv(const void *send, const size_t sendcounts[], const size_t sdispls[],
                      fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                      const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm);
int fedrdma_ialltoallv(const void *send, const size_t sendcounts[], const size_t sdispls[],
                       fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                       const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm,
                       fedrdma_request **request);
int fedrdma_alltoallv_init(const void *send, const size_t sendcounts[], const size_t sdispls[],
                           fedrdma_datatype sendtype, void *recv, const size_t recvcounts[],
                           const size_t rdispls[], fedrdma_datatype recvtype, fedrdma_comm *comm,
                           fedrdma_request **request);

/* recv on rank r = op over send of ranks 0..r (exscan: 0..r-1; recv of rank 0 is left alone). For avg the
 * divisor is the size of comm. */
int fedrdma_scan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                 fedrdma_comm *comm);
int fedrdma_iscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                  fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_scan_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                      fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_exscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                   fedrdma_comm *comm);
int fedrdma_iexscan(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                    fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_exscan_init(const void *send, void *recv, size_t count, fedrdma_datatype type, fedrdma_op op,
                        fedrdma_comm *comm, fedrdma_request **request);

/* No rank's barrier completes before every rank's has started. */
int fedrdma_barrier(fedrdma_comm *comm);
int fedrdma_ibarrier(fedrdma_comm *comm, fedrdma_request **request);
int fedrdma_barrier_init(fedrdma_comm *comm, fedrdma_request **request);

/* ---- requests ------------------------------------------------------------------------------------- */

/* Starts a persistent request; the contents of its buffers are read from now on. Not blocking
 * (but with the option check=1 this, like every nonblocking collective, first waits for the other ranks' calls).
 * FEDRDMA_ERR_BUSY: already active. FEDRDMA_ERR_INVALID: not persistent. */
int fedrdma_start(fedrdma_request *request);

/* Completes *request: blocks until it ended and returns its error. A nonblocking request is freed and set to
 * NULL, a persistent one becomes inactive. NULL or inactive: returns FEDRDMA_OK at once. `result` may be
 * NULL. */
int fedrdma_wait(fedrdma_request **request, fedrdma_result *result);

/* As fedrdma_wait, but never blocks: *done tells whether it ended (only then is the request completed). */
int fedrdma_test(fedrdma_request **request, int *done, fedrdma_result *result);

/* Waits for all; returns the error of the first (by index) that failed. `results` may be NULL. */
int fedrdma_waitall(size_t count, fedrdma_request *requests[], fedrdma_result results[]);

/* Asks for the end of an active request here and on the other ranks; it must still be completed by wait or
 * test, with FEDRDMA_ERR_CANCELED, or FEDRDMA_OK when it ended first. The communicator stays usable. Not
 * blocking. */
int fedrdma_cancel(fedrdma_request *request);

/* Frees an inactive persistent request and sets it to NULL. FEDRDMA_ERR_BUSY: still active. */
int fedrdma_request_free(fedrdma_request **request);

/* ---- counters ------------------------------------------------------------------------------------- */

/* The i-th counter of the context (0, 1, ...): its name (static) and value since fedrdma_init. Names are
 * "transport.what", e.g. "shm.sent_bytes"; `fedrdma-info --counters` lists them with their meaning.
 * FEDRDMA_ERR_INVALID: no such index. */
int fedrdma_counter_at(const fedrdma_context *context, size_t index, const char **name, uint64_t *value);

/* The counter called `name`. FEDRDMA_ERR_INVALID: there is none. */
int fedrdma_counter(const fedrdma_context *context, const char *name, uint64_t *value);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
