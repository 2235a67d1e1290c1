#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""star.py - a round of federated averaging as FL frameworks do it: clients stream their update to one server through
gRPC in pieces of 5 MiB, it averages, and streams the average back. Run by perf/wan/compare and perf/wan/outage.

    star.py server ADDRESS:PORT CLIENTS BYTES WHAT ROUNDS [SERIES]
    star.py client ADDRESS:PORT NUMBER CLIENTS BYTES WHAT ROUNDS [SERIES]

WHAT is allreduce (up and down again), broadcast (the server's model to all clients), gather (all clients' updates,
kept apart) or transfer (a gather of one client). A client prints "seconds=S verified=yes|no" of the last of ROUNDS; its
time counts from the moment at which all clients are ready for the round, and ends when it has, or the server has, all.

SERIES gets lines "round,seconds,done_bytes,total_bytes": of a client, what it gave gRPC and got from it; of a server,
what it got and gave.
"""
import os
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy

PIECE = 5 << 20
DEADLINE_S = 900
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# More channel arguments, "name=number ...", for who compares settings.
OPTIONS += [(name, int(value)) for name, value in (o.split("=") for o in os.environ.get("STAR_OPTIONS", "").split())]
WHATS = ("allreduce", "broadcast", "gather", "transfer")


def update(number, bytes_):
    """What client `number` (from 0) has learned: small integers, so sums are exact."""
    return (numpy.arange(bytes_ // 4, dtype=numpy.uint32) % 1021 + number).astype(numpy.float32)


class Series:
    """How far a round is, over time."""

    def __init__(self, path, total):
        self.file = open(path, "w", buffering=1) if path else None
        self.total = total
        self.lock = threading.Lock()
        self.round = -1
        self.begin()

    def begin(self):
        with self.lock:
            self.round += 1
            self.start = time.monotonic()
            self.done = 0

    def add(self, count):
        if not self.file:
            return
        with self.lock:
            self.done += count
            print(f"{self.round},{time.monotonic() - self.start:.6f},{self.done},{self.total}", file=self.file)


def pieces(array, series):
    data = memoryview(array).cast("B")
    for at in range(0, len(data), PIECE):
        piece = bytes(data[at:at + PIECE])
        yield piece
        series.add(len(piece))


def collect(stream, bytes_, series):
    data = bytearray(bytes_)
    at = 0
    for piece in stream:
        data[at:at + len(piece)] = piece
        at += len(piece)
        series.add(len(piece))
    if at != bytes_:
        raise ValueError(f"{at} bytes instead of {bytes_}")
    return numpy.frombuffer(data, dtype=numpy.float32)


class Server:
    def __init__(self, clients, bytes_, what, path):
        self.bytes = bytes_
        self.series = Series(path, clients * bytes_ * (2 if what == "allreduce" else 1))
        self.here = threading.Barrier(clients, self.series.begin)
        self.averaged = threading.Barrier(clients, self.average)
        self.left = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.clients = clients
        self.sum = numpy.zeros(bytes_ // 4, dtype=numpy.float32)
        self.result = None
        self.model = update(0, bytes_) if what == "broadcast" else None

    def average(self):
        self.result = self.sum / numpy.float32(self.clients)
        self.sum = numpy.zeros_like(self.sum)

    def join(self, request, context):
        self.here.wait(DEADLINE_S)
        return b""

    def round(self, stream, context):
        got = collect(stream, self.bytes, self.series)
        with self.lock:
            self.sum += got
        self.averaged.wait(DEADLINE_S)
        yield from pieces(self.result, self.series)

    def give(self, request, context):
        yield from pieces(self.model, self.series)

    def take(self, stream, context):
        number = int(dict(context.invocation_metadata())["number"])
        got = collect(stream, self.bytes, self.series)
        yield b"all"  # the client's time ends here, before the comparison
        yield b"yes" if numpy.array_equal(got, update(number, self.bytes)) else b"no"

    def leave(self, request, context):
        self.left.release()
        return b""


def serve(address, clients, bytes_, what, _rounds, path=None):
    server = grpc.server(futures.ThreadPoolExecutor(2 * clients + 2), options=OPTIONS)
    it = Server(clients, bytes_, what, path)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("star", {
        "join": grpc.unary_unary_rpc_method_handler(it.join),
        "round": grpc.stream_stream_rpc_method_handler(it.round),
        "give": grpc.unary_stream_rpc_method_handler(it.give),
        "take": grpc.stream_stream_rpc_method_handler(it.take),
        "leave": grpc.unary_unary_rpc_method_handler(it.leave),
    }),))
    if server.add_insecure_port(address) == 0:
        sys.exit(f"star.py: can't listen at {address}")
    server.start()
    for _ in range(clients):
        it.left.acquire(timeout=DEADLINE_S)
    server.stop(5).wait(10)


def one_round(channel, number, clients, what, mine, series):
    """Seconds, and whether the result is right."""
    bytes_ = mine.nbytes
    channel.unary_unary("/star/join")(b"", timeout=DEADLINE_S)
    series.begin()
    start = time.monotonic()
    if what == "allreduce":
        stream = channel.stream_stream("/star/round")(pieces(mine, series), timeout=DEADLINE_S)
        got = collect(stream, bytes_, series)
        seconds = time.monotonic() - start
        # The average of base + 0, base + 1, ...
        wanted = update(0, bytes_) + numpy.float32((clients - 1) / 2)
        return seconds, bool(numpy.allclose(got, wanted, rtol=1e-6, atol=0))
    if what == "broadcast":
        got = collect(channel.unary_stream("/star/give")(b"", timeout=DEADLINE_S), bytes_, series)
        return time.monotonic() - start, numpy.array_equal(got, update(0, bytes_))
    answers = channel.stream_stream("/star/take")(pieces(mine, series), timeout=DEADLINE_S,
                                                  metadata=(("number", str(number)),))
    arrived = next(answers) == b"all"
    seconds = time.monotonic() - start
    return seconds, arrived and next(answers) == b"yes"


def client(address, number, clients, bytes_, what, rounds, path=None):
    mine = update(number, bytes_)
    series = Series(path, bytes_ * (2 if what == "allreduce" else 1))
    verified = True
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        for _ in range(rounds):
            seconds, right = one_round(channel, number, clients, what, mine, series)
            verified = verified and right
        channel.unary_unary("/star/leave")(b"", timeout=60)
    print(f"seconds={seconds:.6f} verified={'yes' if verified else 'no'}", flush=True)


def main(words):
    if len(words) in (6, 7) and words[0] == "server" and words[4] in WHATS:
        serve(words[1], int(words[2]), int(words[3]), words[4], int(words[5]), *words[6:])
    elif len(words) in (7, 8) and words[0] == "client" and words[5] in WHATS:
        client(words[1], int(words[2]), int(words[3]), int(words[4]), words[5], int(words[6]), *words[7:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
