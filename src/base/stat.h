/* SPDX-License-Identifier: BSD-3-Clause
 * stat.h - the counters of a context: one table drives the storage, fedrdma_counter_at, fedrdma-info and the
 * manual. Written by the context's thread only. */
#ifndef FRD_BASE_STAT_H
#define FRD_BASE_STAT_H

#include <stddef.h>
#include <stdint.h>

/* X(field, "public.name", "meaning") */
#define FRD_STAT_WAN(X) \
    X(wan_sent_bytes, "wan.sent_bytes", "payload bytes given to the WAN") \
    X(wan_sent_messages, "wan.sent_messages", "messages given to the WAN") \
    X(wan_received_bytes, "wan.received_bytes", "payload bytes received over the WAN") \
    X(wan_datagrams_sent, "wan.datagrams_sent", "datagrams sent over the WAN") \
    X(wan_datagrams_received, "wan.datagrams_received", "datagrams of peers that were taken") \
    X(wan_again_bytes, "wan.retransmitted_bytes", "payload bytes sent again over the WAN") \
    X(wan_again_chunks, "wan.retransmitted_chunks", "chunks sent again over the WAN") \
    X(wan_spurious, "wan.spurious", "datagrams given up that had arrived") \
    X(wan_duplicate_bytes, "wan.duplicate_bytes", "payload bytes that had come before") \
    X(wan_duplicates, "wan.duplicates", "datagrams that had come before") \
    X(wan_corrupt, "wan.corrupt", "datagrams whose seal did not fit") \
    X(wan_malformed, "wan.malformed", "datagrams of no known form, or from nobody known") \
    X(wan_refused, "wan.refused", "datagrams that the other rank's host refused, nobody listening there") \
    X(wan_no_room, "wan.no_room", "datagrams dropped for want of memory or early window") \
    X(wan_rerouted_chunks, "wan.rerouted_chunks", "chunks taken off a route that did not answer") \
    X(wan_routes_down, "wan.routes_down", "times that a route went down") \
    X(wan_heartbeats, "wan.heartbeats", "heartbeats sent") \
    X(wan_heartbeats_lost, "wan.heartbeats_lost", "heartbeats that found no answer in time") \
    X(wan_relayed, "wan.relayed", "datagrams forwarded for others") \
    X(wan_relay_dropped, "wan.relay_dropped", "datagrams for others that were not forwarded")

#define FRD_STAT_TABLE(X) \
    X(shm_sent_bytes, "shm.sent_bytes", "payload bytes sent through shared memory") \
    X(shm_sent_messages, "shm.sent_messages", "messages sent through shared memory") \
    X(shm_received_bytes, "shm.received_bytes", "payload bytes received through shared memory") \
    X(shm_direct_bytes, "shm.direct_bytes", "payload bytes read from the sender by process_vm_readv") \
    X(node_calls, "node.calls", "collectives of the node's ranks run in shared memory") \
    X(node_given_bytes, "node.given_bytes", "bytes put into shared memory for the node's other ranks") \
    X(node_taken_bytes, "node.taken_bytes", "bytes taken from the node's other ranks") \
    X(node_inline, "node.inline", "node collectives whose data fit into their flags") \
    X(node_staged, "node.staged", "node collectives whose data this rank passed through the ring") \
    X(node_mapped, "node.mapped", "node collectives whose data the others read in this rank's fedrdma_alloc memory") \
    X(node_pushed, "node.pushed", "of those, the ones whose results were stored into all receive buffers") \
    X(ucx_sent_bytes, "ucx.sent_bytes", "payload bytes sent through UCX") \
    X(ucx_sent_messages, "ucx.sent_messages", "messages sent through UCX") \
    X(ucx_received_bytes, "ucx.received_bytes", "payload bytes received through UCX") \
    X(ucx_rendezvous, "ucx.rendezvous", "messages that UCX sent by rendezvous") \
    X(loop_sent_bytes, "loop.sent_bytes", "payload bytes sent through the loop transport") \
    X(loop_sent_messages, "loop.sent_messages", "messages sent through the loop transport") \
    X(loop_received_bytes, "loop.received_bytes", "payload bytes received through the loop transport") \
    FRD_STAT_WAN(X) \
    X(net_unexpected, "net.unexpected", "messages that arrived before their receive") \
    X(net_dropped, "net.dropped", "messages dropped: cancelled operations, malformed headers") \
    X(net_sleeps, "net.sleeps", "times a wait went to sleep in the kernel") \
    X(sched_recorded, "sched.recorded", "schedules recorded") \
    X(sched_reused, "sched.reused", "operations that found their schedule in the cache") \
    X(sched_evicted, "sched.evicted", "schedules thrown out of the cache") \
    X(run_operations, "run.operations", "operations completed") \
    X(run_failed, "run.failed", "operations that ended with an error") \
    X(run_fragments, "run.fragments", "fragments run") \
    X(run_steps, "run.steps", "steps run") \
    X(run_reduced_bytes, "run.reduced_bytes", "bytes put through a reduction kernel") \
    X(mem_allocations, "mem.allocations", "allocations made by the library in this process") \
    X(mem_scratch_bytes, "mem.scratch_bytes", "scratch memory held for schedules")

#define FRD_STAT_FIELD(field, name, text) uint64_t field;
typedef struct frd_stat {
    FRD_STAT_TABLE(FRD_STAT_FIELD)
} frd_stat;
#undef FRD_STAT_FIELD

/* Number of counters, and the name, meaning and value of one (index < frd_stat_count()). */
size_t frd_stat_count(void);
const char *frd_stat_name(size_t index);
const char *frd_stat_text(size_t index);
uint64_t frd_stat_value(const frd_stat *stat, size_t index);

#endif
