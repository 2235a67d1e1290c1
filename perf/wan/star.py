#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""star.py - a round of federated averaging as FL frameworks do it: clients stream their update to one server through
gRPC in pieces of 5 MiB, it averages, and streams the average back. Run by perf/wan/compare.

    star.py server ADDRESS:PORT CLIENTS BYTES
    star.py client ADDRESS:PORT NUMBER CLIENTS BYTES allreduce|transfer

A client prints "seconds=S verified=yes|no"; time counts from the moment at which all clients are connected. With
transfer there is one client, and the time ends when the server has it all.
"""
import sys
import threading
import time
from concurrent import futures

import grpc
import numpy

PIECE = 5 << 20
DEADLINE_S = 900
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def update(number, bytes_):
    """What client `number` (from 0) has learned: small integers, so sums are exact."""
    return (numpy.arange(bytes_ // 4, dtype=numpy.uint32) % 1021 + number).astype(numpy.float32)


def pieces(array):
    data = memoryview(array).cast("B")
    for at in range(0, len(data), PIECE):
        yield bytes(data[at:at + PIECE])


def collect(stream, bytes_):
    data = bytearray(bytes_)
    at = 0
    for piece in stream:
        data[at:at + len(piece)] = piece
        at += len(piece)
    if at != bytes_:
        raise ValueError(f"{at} bytes instead of {bytes_}")
    return numpy.frombuffer(data, dtype=numpy.float32)


class Server:
    def __init__(self, clients, bytes_):
        self.bytes = bytes_
        self.here = threading.Barrier(clients)
        self.averaged = threading.Barrier(clients, self.average)
        self.left = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.clients = clients
        self.sum = numpy.zeros(bytes_ // 4, dtype=numpy.float32)

    def average(self):
        self.sum /= self.clients

    def join(self, request, context):
        self.here.wait(DEADLINE_S)
        return b""

    def round(self, stream, context):
        got = collect(stream, self.bytes)
        with self.lock:
            self.sum += got
        self.averaged.wait(DEADLINE_S)
        yield from pieces(self.sum)

    def take(self, stream, context):
        got = collect(stream, self.bytes)
        return b"yes" if numpy.array_equal(got, update(0, self.bytes)) else b"no"

    def leave(self, request, context):
        self.left.release()
        return b""


def serve(address, clients, bytes_):
    server = grpc.server(futures.ThreadPoolExecutor(2 * clients + 2), options=OPTIONS)
    it = Server(clients, bytes_)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("star", {
        "join": grpc.unary_unary_rpc_method_handler(it.join),
        "round": grpc.stream_stream_rpc_method_handler(it.round),
        "take": grpc.stream_unary_rpc_method_handler(it.take),
        "leave": grpc.unary_unary_rpc_method_handler(it.leave),
    }),))
    if server.add_insecure_port(address) == 0:
        sys.exit(f"star.py: can't listen at {address}")
    server.start()
    for _ in range(clients):
        it.left.acquire(timeout=DEADLINE_S)
    server.stop(5).wait(10)


def client(address, number, clients, bytes_, what):
    mine = update(number, bytes_)
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        channel.unary_unary("/star/join")(b"", timeout=DEADLINE_S)
        start = time.monotonic()
        if what == "transfer":
            verified = channel.stream_unary("/star/take")(pieces(mine), timeout=DEADLINE_S) == b"yes"
            seconds = time.monotonic() - start
        else:
            got = collect(channel.stream_stream("/star/round")(pieces(mine), timeout=DEADLINE_S), bytes_)
            seconds = time.monotonic() - start
            # The average of base + 0, base + 1, ...
            wanted = update(0, bytes_) + numpy.float32((clients - 1) / 2)
            verified = numpy.allclose(got, wanted, rtol=1e-6, atol=0)
        channel.unary_unary("/star/leave")(b"", timeout=60)
    print(f"seconds={seconds:.6f} verified={'yes' if verified else 'no'}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "server":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif len(sys.argv) == 7 and sys.argv[1] == "client":
        client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
    else:
        sys.exit(__doc__)
